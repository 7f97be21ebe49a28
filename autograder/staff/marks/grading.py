"""Grading of one submission for staff: open exercises at its own seed, and hidden ones, within a time budget.

A class is graded in two rounds, everybody's open exercises first (see classroom/marking.py).
"""

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
from autograder.feedback import CheckRecord, Feedback, no_feedback
from autograder.grade import Grades, Result, Run, explain_dependencies, rerun_on, rounded, run_unit, units
from autograder.helpers import Check
from autograder.isolate import run_scenarios
from autograder.staff.marks import hidden as hidden_exercises
from autograder.staff.record import ExerciseRecord
from autograder.worker.student import MODULES

# Seconds for the start of a process with its imports. Correct solutions take a quarter of a second.
IMPORT_LIMIT = 5.0
# After PATIENCE classes have hung, the time limit shrinks to this part. Right solutions need a hundredth of it.
PATIENCE, SHORTER = 2, 0.25
# Seconds that count for the budget.
Clock = Callable[[], float]
# Runs scenarios in a separate process without a sandbox.
plain_process: Run = partial(run_scenarios, start_limit=IMPORT_LIMIT)


class Graded(TypedDict):
    """Part of a Record that grading fills in."""

    exercises: list[ExerciseRecord]
    checks: list[CheckRecord]
    total: float
    possible: float
    seconds: float


class Learned(TypedDict):
    """Plain data about a submission's files: those that can be imported, those among which one ends or blocks every process,
    that problem's hint and feedback, the number of classes that hung, and the seconds of the budget that were spent."""

    good: list[str]
    bad: list[str]
    hint: str
    feedback: Feedback
    hung: int
    spent: float


class Opened(Graded):
    """The graded open exercises, and what the hidden ones need to know."""

    learned: Learned


def grade_submission(
    folder: Path,
    seeds: tuple[int, int],
    *,
    run_with: Run,
    hidden: bool = True,
    limit: float = 2.0,
    budget: float = 60.0,
    clock: Clock = time.monotonic,
) -> Graded:
    """Grade the submission in ``folder``: the open exercises and, if they count, the hidden ones.

    seeds: of the open and of the hidden exercises (``record.seeds_for``).
    run_with: runs scenarios in a process. It has its own limit for imports (see ``plain_process``).
    limit: seconds for each check.
    budget: seconds for everything, by ``clock``, which may leave out those in which nothing could run. A check that has begun
        may still end, so grading may take one import and one check longer.

    Anything that a submission sends back becomes a result. An exception from this function is a bug of the grader.
    """
    opened = grade_open(folder, seeds[0], run_with=run_with, limit=limit, budget=budget, clock=clock)
    if hidden:
        return grade_hidden(folder, seeds[1], opened, run_with=run_with, limit=limit, budget=budget, clock=clock)
    return _graded(opened["exercises"], opened["checks"], opened["seconds"])


def grade_open(
    folder: Path,
    seed: int,
    *,
    run_with: Run,
    limit: float = 2.0,
    budget: float = 60.0,
    clock: Clock = time.monotonic,
) -> Opened:
    """Grade the open exercises alone. Arguments as for grade_submission."""
    began = time.monotonic()
    session = _Session(folder, run_with, limit, budget, clock)
    marked = Grades(session.run(EXERCISES, exercises.checks_of, seed))
    again = None if session.over() else partial(rerun_on, folder, seed, session.limit_now(), run_with)
    results = explain_dependencies(marked, again).results
    rows, checks = _rows(EXERCISES, results), [result.record() for result in results]
    return {**_graded(rows, checks, time.monotonic() - began), "learned": session.learned()}


def grade_hidden(
    folder: Path,
    seed: int,
    opened: Opened,
    *,
    run_with: Run,
    limit: float = 2.0,
    budget: float = 60.0,
    clock: Clock = time.monotonic,
) -> Graded:
    """Grade the hidden exercises of a submission whose open ones are graded; returns both. The budget is for both."""
    began = time.monotonic()
    session = _Session(folder, run_with, limit, budget, clock, opened["learned"])
    chosen = hidden_exercises.EXERCISES
    results = session.run(chosen, hidden_exercises.checks_of, seed)
    rows = [*opened["exercises"], *_rows(chosen, results)]
    checks = [*opened["checks"], *(result.record(hidden=True) for result in results)]
    return _graded(rows, checks, opened["seconds"] + time.monotonic() - began)


def _graded(rows: list[ExerciseRecord], checks: list[CheckRecord], seconds: float) -> Graded:
    return {
        "exercises": rows,
        "checks": checks,
        "total": rounded(sum(row["earned"] for row in rows)),
        "possible": rounded(sum(row["points"] for row in rows)),
        "seconds": round(seconds, 3),
    }


def _rows(chosen: Iterable[Exercise], results: Iterable[Result]) -> list[ExerciseRecord]:
    return [_exercise(exercise, [r for r in results if r.check.exercise == exercise.name]) for exercise in chosen]


def all_exercises(hidden: bool) -> list[Exercise]:
    """The exercises in their order: the open ones, then, if they count, the hidden ones."""
    return [*EXERCISES, *(hidden_exercises.EXERCISES if hidden else [])]


def without_marks(hidden: bool) -> list[ExerciseRecord]:
    """Exercises without marks, for a submission that did not run."""
    return [_exercise(exercise, []) for exercise in all_exercises(hidden)]


class _Session:
    """State of one grading: its clock and deadline, and what is known of the submission's files."""

    def __init__(
        self, folder: Path, run_with: Run, limit: float, budget: float, clock: Clock, learned: Learned | None = None
    ) -> None:
        self.folder, self.run_with, self.limit, self.clock = folder, run_with, limit, clock
        self.began = clock() - (learned["spent"] if learned else 0.0)
        self.deadline = self.began + budget
        # Files that can be imported, and files among which one ends or blocks every process that imports it.
        self.good = set(learned["good"] if learned else ())
        self.bad = set(learned["bad"] if learned else ())
        self.reason = Problem(learned["hint"], learned["feedback"]) if learned and learned["hint"] else None
        self.hung = learned["hung"] if learned else 0

    def learned(self) -> Learned:
        return {
            "good": sorted(self.good), "bad": sorted(self.bad), "hint": self.reason.hint if self.reason else "",
            "feedback": self.reason.feedback if self.reason else no_feedback(), "hung": self.hung,
            "spent": self.clock() - self.began,
        }  # fmt: skip

    def run(self, chosen: Iterable[Exercise], checks_of: Callable[[str], list[Check]], seed: int) -> list[Result]:
        results = []
        for unit in units(chosen):
            checks = [exercises.at_seed(check, seed) for exercise in unit for check in checks_of(exercise.name)]
            results += self.run_unit(unit[0].parts, checks, seed)
        return results

    def limit_now(self) -> float:
        """Seconds for each check, fewer for a submission that has hung several times."""
        return self.limit * (SHORTER if self.hung >= PATIENCE else 1.0)

    def over(self) -> bool:
        return self.clock() >= self.deadline

    def run_unit(self, parts: tuple[str, ...], checks: list[Check], seed: int) -> list[Result]:
        if self.reason is not None and self.bad & _imported_with(parts):
            return [Result(check, "not run", self.reason, imported=False) for check in checks]
        if self.over():
            return [Result(check, "not run", problem("budget")) for check in checks]
        results = run_unit(self.folder, parts, checks, seed, self.limit_now(), self.run_with, self.over)
        self.hung += any(result.problem is not None and result.problem.hint == "time" for result in results)
        self._learn(parts, results[0])
        return results

    def _learn(self, parts: tuple[str, ...], first: Result) -> None:
        if first.imported:
            self.good |= _imported_with(parts)
        elif first.problem is not None and first.problem.hint in ("time", "died", "malformed", "memory"):
            # An import that hangs costs its time limit once.
            self.bad |= _imported_with(parts) - self.good or _imported_with(parts)
            about = "An exercise before this one imports the same file, and the import did not come back: not run."
            feedback = first.problem.feedback
            self.reason = replace(first.problem, feedback={**feedback, "hint": f"{about} {feedback['hint']}"})


def _imported_with(parts: Iterable[str]) -> set[str]:
    """The parts, and their package: its ``__init__`` imports all files of layers and rules."""
    return {*parts, *("mytorch.nn" for part in parts if MODULES[part].startswith("mytorch.nn."))}


def _exercise(exercise: Exercise, results: list[Result]) -> ExerciseRecord:
    decisive = [r for r in results if r.check.points] or results
    # An exercise without results has not passed.
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
