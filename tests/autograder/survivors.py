"""Grades mutants of right solutions with the open checks: ``python -m tests.autograder.survivors``.

A mutant survives if it loses no marks. For each survivor there is a reason in ``unharmed.REASONS``: it behaves like the
original, or the assignment does not describe what it changes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from autograder.exercises import CHECKS, EXERCISES
from autograder.grade import Grades, run_unit
from autograder.staff.isolation.sandbox import Sandbox, SandboxBroken
from tests.autograder import workshop
from tests.autograder.mutants import Mutant, mutants
from tests.autograder.solutions import SIMPLE, STYLES, Bodies
from tests.autograder.unharmed import reason

# The functions of a file, and the exercises that are about them. They run first, since they find most mutants.
ABOUT = {
    "Autograd.": ("Autograd Add Operation", "Autograd Backward"),
    "SoftmaxCrossEntropy": ("SoftmaxCrossEntropy Forward", "SoftmaxCrossEntropy Backward"),
    "MSELoss.": ("MSELoss",),
    "Linear.": ("Linear", "Linear with Skip"),
    "MLP.": ("MLP",),
    "get_training_stats": ("MLP",),
    **{f"{name}.": (f"{name} Forward", f"{name} Backward") for name in ("Identity", "Sigmoid", "Tanh", "ReLU")},
}
SECONDS = 1.0
# Parts of the work for each process, after each of which the numbers so far are shown.
PARTS = 10


@dataclass(frozen=True)
class Verdict:
    """Result of a mutant. lost: marks. practice: the checks without marks that failed beside those of the original."""

    style: str
    function: str
    change: str
    lost: float
    practice: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The reason for which it may survive; empty if there is none."""
        return reason(self.style, self.function, self.change)


def verdicts(chosen: Iterable[tuple[str, Mutant]]) -> Iterator[Verdict]:
    """Grade mutants, one after the other, in confined processes that a warm one forks."""
    usual: dict[str, set[str]] = {}
    with Processes() as run, tempfile.TemporaryDirectory() as folder:
        for style, mutant in chosen:
            if style not in usual:
                place = workshop.write(workshop.fill(STYLES[style]), Path(folder) / style)
                grades = workshop.grade_together(place, run_with=run)
                if workshop.total(grades) != 50:
                    raise RuntimeError(f"The style {style!r} itself has {workshop.total(grades)} marks and not 50.")
                usual[style] = set(_practice(grades))
            place = workshop.write(mutant.files, Path(folder) / "mutant")
            lost, failed = _first(place, mutant.function, run)
            if not lost:
                grades = workshop.grade_together(place, run_with=run)
                lost, failed = 50 - workshop.total(grades), _practice(grades)
            yield Verdict(
                style, mutant.function, mutant.change, lost, tuple(f for f in failed if f not in usual[style])
            )


class Processes:
    """A sandbox that is made anew when it breaks; thousands of mutants run in it. Called as a grader calls its runner."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def __call__(self, folder: Path, parts: Any, scenarios: Any, limit: float) -> Iterator[dict[str, Any]]:
        try:
            return self.sandbox.run_scenarios(folder, parts, scenarios, SECONDS)
        except (SandboxBroken, OSError):
            self.sandbox.close()
            self.sandbox = Sandbox()
            return self.sandbox.run_scenarios(folder, parts, scenarios, SECONDS)


def _first(place: Path, function: str, run: Any) -> tuple[float, list[str]]:
    """The marks that are lost in the exercises about the function."""
    about = next((names for start, names in ABOUT.items() if function.startswith(start)), ("Functional",))
    parts = tuple(dict.fromkeys(part for e in EXERCISES if e.name in about for part in e.parts))
    checks = [workshop.prepared(check, 0) for check in CHECKS if check.exercise in about]
    grades = Grades(run_unit(place, parts, checks, run_with=run))
    return sum(result.check.points - result.earned for result in grades.results), _practice(grades)


def _practice(grades: Grades) -> list[str]:
    return [
        f"{result.check.exercise}: {result.check.name}"
        for result in grades.results
        if result.status != "passed" and not result.check.points
    ]


def _part(number: int, parts: int, words: tuple[str, ...], sample: int) -> list[Verdict]:
    """The verdicts of every parts-th mutant. Each process makes the mutants itself, which is quicker than to send them."""
    return list(verdicts(select(words, sample)[number::parts]))


@cache
def select(words: tuple[str, ...] = (), sample: int = 0, seed: int = 0) -> list[tuple[str, Mutant]]:
    """Style and mutant: of the simple style, and of the functions that another style writes otherwise.

    words: of the functions' names, if not all are chosen. sample: the number of mutants to draw, if not all.
    """
    found: list[tuple[str, Mutant]] = []
    for style, bodies in STYLES.items():

        def wanted(function: str, style: str = style, bodies: Bodies = bodies) -> bool:
            own = style == "simple" or bodies[function] != SIMPLE[function]
            return own and (not words or any(word in function for word in words))

        found += [(style, mutant) for mutant in mutants(bodies, wanted)]
    return random.Random(seed).sample(found, sample) if 0 < sample < len(found) else found


def main(arguments: list[str] | None = None) -> int:
    """Print how many mutants lost marks, and the survivors with their reasons. 1 if one has no reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.survivors", description=__doc__.split("\n")[0])
    parser.add_argument("functions", nargs="*", help="words in the names of the functions to change (all)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="grade N mutants, drawn at random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args(arguments)
    parts = PARTS * options.jobs
    work = partial(_part, parts=parts, words=tuple(options.functions), sample=options.sample)
    found: list[Verdict] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for number, part in enumerate(pool.map(work, range(parts)), 1):
            found += part
            print(f"{number} of {parts} parts, {len(found)} mutants", file=sys.stderr)
            for verdict in part:
                if not verdict.lost and not verdict.reason:
                    print(
                        f"    without a reason: {verdict.style} {verdict.function}: {verdict.change}", file=sys.stderr
                    )
    if not found:
        parser.error(f"no function's name contains {' or '.join(options.functions)}")
    return report(found)


def report(found: list[Verdict]) -> int:
    """Print the numbers and the survivors; 1 if a survivor has no reason."""
    survivors = [v for v in found if not v.lost and not v.practice]
    print(f"{len(found)} mutants: {sum(v.lost > 0 for v in found)} lost marks, ", end="")
    print(f"{len(found) - len(survivors) - sum(v.lost > 0 for v in found)} failed in practice alone, ", end="")
    print(f"{len(survivors)} survived")
    for style, count in Counter(v.style for v in found).items():
        print(f"  {style}: {count}, of which {sum(v.style == style for v in survivors)} survived")
    unlost = [v for v in found if not v.lost]
    for text, count in Counter(v.reason for v in unlost if v.reason).most_common():
        print(f"\n{count} without loss of marks: {text}")
        for v in unlost:
            if v.reason == text:
                print(f"    {v.style} {v.function}: {v.change}")
    unexplained = [v for v in unlost if not v.reason]
    if unexplained:
        print(f"\n{len(unexplained)} WITHOUT A REASON")
        for v in unexplained:
            seen = f"    [practice: {v.practice[0]}]" if v.practice else ""
            print(f"    {v.style} {v.function}: {v.change}{seen}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
