"""The catalogue of mistakes, graded: ``python -m tests.autograder.catalogue [WORDS]`` prints the whole table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder.exercises import EXERCISES
from autograder.grade import Grades, grade
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import workshop
from tests.autograder.mistakes_engine import ENGINE_MISTAKES, Mistake
from tests.autograder.mistakes_layers import ACTIVATION_MISTAKES, LAYER_MISTAKES, MLP_MISTAKES, REFERENCE_MISTAKES
from tests.autograder.mistakes_rules import LOSS_MISTAKES, PRACTICE_MISTAKES, RULE_MISTAKES
from tests.clocks import patience

MISTAKES = [
    *ENGINE_MISTAKES,
    *RULE_MISTAKES,
    *LOSS_MISTAKES,
    *PRACTICE_MISTAKES,
    *ACTIVATION_MISTAKES,
    *LAYER_MISTAKES,
    *MLP_MISTAKES,
    *REFERENCE_MISTAKES,
]
# These end the process, loop, or cannot be imported: they need a process for each exercise.
ROUGH = {"time", "cannot_import", "exit"}


def graded(mistakes: list[Mistake], folder: Path) -> Iterator[Grades]:
    """Each mistake in a forked process, which is quick; the rough ones as a student's runner grades them."""
    with Sandbox() as sandbox:
        for number, mistake in enumerate(mistakes):
            place = workshop.write(mistake.files(), folder / str(number))
            if mistake.hints & ROUGH:
                yield grade(place, EXERCISES, limit=patience(0.2), jobs=1)
            else:
                yield workshop.grade_together(place, run_with=sandbox.run_scenarios)


def verdict(mistake: Mistake, grades: Grades) -> tuple[bool, bool, bool]:
    """Three verdicts: marks lost in the right exercises, nowhere else, and with a right hint."""
    own = workshop.own_failures(grades)
    seen = workshop.failing(grades)
    hints = {r.problem.hint for r in seen if r.problem and (r.check.exercise in mistake.costs or not mistake.costs)}
    caught = mistake.costs <= own if mistake.costs else bool(seen)
    return caught, own <= mistake.costs, bool(hints & mistake.hints)


def main(words: list[str]) -> int:
    """Print marks lost and what went wrong for the mistakes whose names contain one of the words; 1 if anything did."""
    chosen = [m for m in MISTAKES if not words or any(word in m.name for word in words)]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for mistake, grades in zip(chosen, graded(chosen, Path(folder))):
            caught, exact, hinted = verdict(mistake, grades)
            bad += not (caught and exact and hinted)
            wrong = [
                text
                for right, text in (
                    (caught, f"costs no marks in {', '.join(sorted(mistake.costs))}"),
                    (exact, f"costs marks in {', '.join(sorted(workshop.own_failures(grades) - mistake.costs))} too"),
                    (hinted, f"gets none of the hints {', '.join(sorted(mistake.hints))}"),
                )
                if not right
            ]
            print(f"{50 - workshop.total(grades):5g}  {mistake.name}" + "".join(f"\n       {text}" for text in wrong))
    print(f"{len(chosen)} mistakes, {len(chosen) - bad} as the catalogue says")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
