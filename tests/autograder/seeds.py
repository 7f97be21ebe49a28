"""Table of the marks that every right and wrong solution of the catalogue gets at many seeds; they have to be equal.

``python -m tests.autograder.seeds --seeds 50`` prints it. ``--only NAME`` takes the entries with this text in their names,
``--every N`` a sample.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from autograder.compare import judge
from autograder.exercises import CHECKS, cases_of
from autograder.helpers import Check, Given, no_suspects
from autograder.staff.isolation.sandbox import Sandbox
from autograder.staff.marks import hidden
from autograder.staff.marks.grading import grade_submission
from autograder.worker.run import attempt
from autograder.worker.scenarios import SCENARIOS
from autograder.worker.student import TOPS, Student
from tests.autograder import workshop
from tests.autograder.catalogue import MISTAKES, ROUGH

PARTS = ["engine", "functional", "activation", "loss", "linear", "mlp"]
MARKED = [check for check in (*CHECKS, *hidden.CHECKS) if check.points]
POSSIBLE = sum(check.points for check in MARKED)


def together(folder: Path, seeds: Iterable[int]) -> list[frozenset[str]]:
    """The checks that lose marks at each seed. Quick: one process for all, for solutions that never end theirs."""
    for seed in seeds:
        # Worked out here, once for all solutions: the process is forked and has them too.
        checks_at(seed)
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        return pool.submit(_all_lost, folder, list(seeds)).result()


def checks_at(seed: int) -> list[Check]:
    """The checks with marks, open and hidden, with their cases and expected values."""
    return [workshop.prepared(check, seed) for check in MARKED]


def _all_lost(folder: Path, seeds: list[int]) -> list[frozenset[str]]:
    sys.dont_write_bytecode = True
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    for name in [name for name in sys.modules if name.split(".")[0] in TOPS]:
        del sys.modules[name]
    student = Student(str(folder))
    loaded = attempt(lambda: student.load(PARTS), student)
    if loaded["status"] != "ok":
        raise RuntimeError(f"it cannot be imported: {loaded['text']}")
    return [frozenset(f"{c.exercise}: {c.name}" for c in checks_at(seed) if not _passes(student, c)) for seed in seeds]


def _passes(student: Student, check: Check) -> bool:
    for given in cases_of(check):
        student.engines.clear()
        values: list[Any] = []
        attempt(partial(_run, student, check.scenario, copy.deepcopy(given), values), student)
        # To find out which misconception it is would take longer than to see that a value is wrong.
        if not values or judge(replace(check, suspects=no_suspects), given, values[0]) is not None:
            return False
    return True


def _run(student: Student, scenario: str, given: Given, values: list[Any]) -> None:
    values.append(SCENARIOS[scenario](student, given))


def apart(folder: Path, seeds: Iterable[int]) -> list[frozenset[str]]:
    """The same as in the final grading, each exercise in a process of its own."""
    with Sandbox() as sandbox:
        graded = [
            grade_submission(folder, (seed, seed), run_with=sandbox.run_scenarios, limit=0.5)
            for seed in itertools.islice(seeds, 2)
        ]
    return [
        frozenset(f"{c['exercise']}: {c['check']}" for c in one["checks"] if c["points"] > c["earned"])
        for one in graded
    ]


Judge = Callable[[Path, Iterable[int]], list[frozenset[str]]]


def entries() -> dict[str, tuple[Callable[[], workshop.Files], Judge]]:
    """All solutions by name: how its files are made, and how it is judged."""
    right = {f"right: {name}": (partial(workshop.right_ones().get, name), together) for name in workshop.right_ones()}
    wrong = {m.name: (m.files, apart if m.hints & ROUGH else together) for m in MISTAKES}
    return {**right, **wrong}  # type: ignore[dict-item]


def marks(lost: frozenset[str]) -> float:
    """The marks that are left where these checks lose theirs."""
    return POSSIBLE - sum(check.points for check in MARKED if f"{check.exercise}: {check.name}" in lost)


def row(name: str, seeds: int) -> tuple[str, bool]:
    """A line of the table, and True if the marks are the same at every seed and, for a right solution, all."""
    make, judge = entries()[name]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            lost = judge(workshop.write(make(), Path(folder)), range(seeds))
        except RuntimeError as error:
            return f"{name:60} {error}", False
    found = sorted({marks(one) for one in lost})
    differs = sorted(frozenset.union(*lost) - frozenset.intersection(*lost))
    fine = not differs and (found == [POSSIBLE] or not name.startswith("right: "))
    shown = " ".join(f"{one:g}" for one in found)
    seconds = time.monotonic() - began
    return f"{name:60} {len(lost):3} seeds  {shown:>6}  {seconds:5.1f} s  {'; '.join(differs)}", fine


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Returns 1 if some solution gets other marks at another seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many seeds (default 50)")
    parser.add_argument("--only", default="", help="entries with this text in their names")
    parser.add_argument("--every", type=int, default=1, help="only each entry of this number: a sample")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (default 1)")
    chosen = parser.parse_args(arguments)
    names = [name for name in entries() if chosen.only in name][:: chosen.every]
    unequal = 0
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for text, fine in pool.map(partial(row, seeds=chosen.seeds), names):
            unequal += not fine
            print(text if fine else f"{text}  <--", flush=True)
    print(f"{len(names)} solutions, {unequal} with marks that depend on the seed")
    return bool(unequal)


if __name__ == "__main__":
    sys.exit(main())
