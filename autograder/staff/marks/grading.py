"""Grades one submission for staff: the open exercises with numbers of its own, then the hidden ones, within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypedDict

from autograder import exercises
from autograder.compare import Problem, problem
from autograder.exercises import EXERCISES, Exercise
from autograder.feedback import CheckRecord
from autograder.grade import Grades, Result, Run, explain_dependencies, rounded, run_unit, units
from autograder.helpers import Check
from autograder.isolate import run_scenarios
from autograder.staff.marks import hidden as hidden_exercises
from autograder.staff.record import ExerciseRecord
from autograder.worker.student import MODULES

# Seconds for the start of a process with its imports. Correct solutions take a quarter of one.
IMPORT_LIMIT = 5.0
# A submission in which so many classes hung is waited for this part of the time limit: right ones take a hundredth of it.
PATIENCE, SHORTER = 2, 0.25
# Runs scenarios in a process that is separate and nothing more; ``isolation`` has a stronger one.
plain_process: Run = partial(run_scenarios, start_limit=IMPORT_LIMIT)


class Graded(TypedDict):
    """The part of a Record that grading fills in."""

    exercises: list[ExerciseRecord]
    checks: list[CheckRecord]
    total: float
    possible: float
    seconds: float


def grade_submission(
    folder: Path,
    seeds: tuple[int, int],
    *,
    run_with: Run,
    hidden: bool = True,
    limit: float = 2.0,
    budget: float = 60.0,
) -> Graded:
    """Grade the submission in ``folder``.

    seeds: of the open and of the hidden exercises (``record.seeds_for``).
    run_with: runs scenarios in a process; how long it waits for an import is its own affair (see ``plain_process``).
    limit: seconds for each check.
    budget: seconds for everything. A check that has begun is waited for, so it may take one import and one check more.

    Whatever a submission sends back ends as a result. An exception that leaves this function is a mistake of the grader's.
    """
    began = time.monotonic()
    session = _Session(folder, run_with, limit, began + budget)
    opened = explain_dependencies(Grades(session.run(EXERCISES, exercises.checks_of, seeds[0]))).results
    closed = session.run(hidden_exercises.EXERCISES, hidden_exercises.checks_of, seeds[1]) if hidden else []
    rows = [
        _exercise(exercise, [r for r in (*opened, *closed) if r.check.exercise == exercise.name])
        for exercise in all_exercises(hidden)
    ]
    return {
        "exercises": rows,
        "checks": [result.record(result.check.exercise in hidden_exercises.HINTS) for result in (*opened, *closed)],
        "total": rounded(sum(row["earned"] for row in rows)),
        "possible": rounded(sum(row["points"] for row in rows)),
        "seconds": round(time.monotonic() - began, 3),
    }


def all_exercises(hidden: bool) -> list[Exercise]:
    """The exercises of a grading in their order: the open ones, then the hidden ones, if they count."""
    return [*EXERCISES, *(hidden_exercises.EXERCISES if hidden else [])]


def without_marks(hidden: bool) -> list[ExerciseRecord]:
    """The exercises of a submission of which nothing ran."""
    return [_exercise(exercise, []) for exercise in all_exercises(hidden)]


class _Session:
    """Runs groups of exercises one after the other and remembers what was seen of the submission's files."""

    def __init__(self, folder: Path, run_with: Run, limit: float, deadline: float) -> None:
        self.folder, self.run_with, self.limit, self.deadline = folder, run_with, limit, deadline
        # Files that were imported without harm, and those one of which ends or holds up every process that imports it.
        self.good: set[str] = set()
        self.bad: set[str] = set()
        self.reason: Problem | None = None
        self.hung = 0

    def run(self, chosen: Iterable[Exercise], checks_of: Callable[[str], list[Check]], seed: int) -> list[Result]:
        results = []
        for unit in units(chosen):
            checks = [check for exercise in unit for check in checks_of(exercise.name)]
            results += self.run_unit(unit[0].parts, checks, seed)
        return results

    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def run_unit(self, parts: tuple[str, ...], checks: list[Check], seed: int) -> list[Result]:
        if self.reason is not None and self.bad & _imported_with(parts):
            return [Result(check, "not run", self.reason, imported=False) for check in checks]
        if self.over():
            return [Result(check, "not run", problem("budget")) for check in checks]
        limit = self.limit * (SHORTER if self.hung >= PATIENCE else 1.0)
        results = run_unit(self.folder, parts, checks, seed, limit, self.run_with, self.over)
        self.hung += any(result.problem is not None and result.problem.hint == "time" for result in results)
        self._learn(parts, results[0])
        return results

    def _learn(self, parts: tuple[str, ...], first: Result) -> None:
        if first.imported:
            self.good |= _imported_with(parts)
        elif first.problem is not None and first.problem.hint in ("time", "died", "malformed", "memory"):
            # It costs its limit once: nobody waits for the same import again.
            self.bad |= _imported_with(parts) - self.good or _imported_with(parts)
            about = "An exercise before this one imports the same file, and the import did not come back: not run."
            feedback = first.problem.feedback
            self.reason = replace(first.problem, feedback={**feedback, "hint": f"{about} {feedback['hint']}"})


def _imported_with(parts: Iterable[str]) -> set[str]:
    """The parts, and the package whose ``__init__`` imports all files of layers and rules along with any one of them."""
    return {*parts, *("mytorch.nn" for part in parts if MODULES[part].startswith("mytorch.nn."))}


def _exercise(exercise: Exercise, results: list[Result]) -> ExerciseRecord:
    decisive = [r for r in results if r.check.points] or results
    # What was not looked at has not passed.
    passed = bool(decisive) and all(r.status == "passed" for r in decisive)
    hidden = exercise.name in hidden_exercises.HINTS
    return {
        "name": exercise.name,
        "points": exercise.points,
        "earned": rounded(sum(r.earned for r in results)),
        "hidden": hidden,
        "passed": passed,
        "hint": hidden_exercises.HINTS[exercise.name] if hidden and not passed else "",
        "seconds": round(sum(r.seconds for r in results), 3),
    }
