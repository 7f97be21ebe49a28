"""Quality of the hints over the catalogue of mistakes: ``python -m tests.autograder.hint_quality [PATTERN]``.

For each mistake the first hint that a student reads is right, honest but unspecific, or wrong. It is right if the catalogue
names it for this mistake, and unspecific if it claims no misconception.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from autograder.grade import Grades, Result, grade
from autograder.hints import UNSPECIFIC
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import workshop
from tests.autograder.catalogue import MISTAKES, ROUGH
from tests.autograder.mistakes_engine import Mistake
from tests.autograder.solutions import SIMPLE
from tests.clocks import patience

RIGHT, HONEST, WRONG = "right", "honest but unspecific", "wrong"


def first_hint(grades: Grades) -> Result | None:
    """The first check that the runner explains: with marks, if any lost them, else practice that the base solution passes."""
    failed = [r for r in grades.results if r.status not in ("passed", "blocked") and r.problem]
    practice = [r for r in failed if (r.check.exercise, r.check.name) not in base_failures()]
    return next((r for r in failed if r.check.points), practice[0] if practice else None)


@cache
def base_failures() -> set[tuple[str, str]]:
    """The practice that the solution fails into which the mistakes are put."""
    with tempfile.TemporaryDirectory() as folder:
        grades = workshop.grade_together(workshop.write(workshop.fill(SIMPLE), Path(folder)))
    return {(r.check.exercise, r.check.name) for r in grades.results if r.status != "passed"}


def quality(mistake: Mistake, found: Result | None) -> str:
    """RIGHT, HONEST or WRONG."""
    if found is None or found.problem is None:
        return WRONG
    if found.problem.hint in UNSPECIFIC:
        return HONEST
    return RIGHT if found.problem.hint in mistake.hints else WRONG


def measure(mistakes: list[Mistake]) -> Iterator[tuple[Mistake, Result | None, str]]:
    """Each mistake with its first explained check and the quality of that hint."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        for number, mistake in enumerate(mistakes):
            place = workshop.write(mistake.files(), Path(folder) / str(number))
            # Those that end the process need one for each exercise.
            if mistake.hints & ROUGH:
                grades = grade(place, limit=patience(0.2), jobs=1)
            else:
                grades = workshop.grade_together(place, run_with=sandbox.run_scenarios)
            first = first_hint(grades)
            yield mistake, first, quality(mistake, first)


def main(arguments: list[str]) -> int:
    """Print the mistakes whose first hint is not right (with a pattern, all), and the shares; returns 1 if a hint is wrong."""
    pattern = arguments[0] if arguments else ""
    counts = dict.fromkeys((RIGHT, HONEST, WRONG), 0)
    for mistake, first, verdict in measure([mistake for mistake in MISTAKES if pattern in mistake.name]):
        counts[verdict] += 1
        if verdict != RIGHT or pattern:
            key = first.problem.hint if first and first.problem else "nothing"
            where = f"{first.check.exercise}: {first.check.name}" if first else "-"
            named = ", ".join(sorted(mistake.hints))
            print(f"{verdict:<22} {mistake.name}\n    {key} ({where}); named: {named}", flush=True)
    count = max(sum(counts.values()), 1)
    print(f"{count} mistakes: " + ", ".join(f"{n} {verdict} ({n / count:.1%})" for verdict, n in counts.items()))
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
