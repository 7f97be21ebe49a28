"""Grading of a submission: exercises run, values are judged, and consequences are told from causes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.compare import Problem, judge, problem, readable
from autograder.exercises import EXERCISES, Exercise, cases_of, checks_of
from autograder.feedback import CheckRecord, no_feedback
from autograder.helpers import Check
from autograder.isolate import STATUSES, TIME_LIMIT, run_scenarios

# Runs scenarios; yields a frame for the import and one per scenario. isolate.run_scenarios, or the sandbox of staff.
Run = Callable[[Path, Sequence[str], Sequence[tuple[str, list[Any]]], float], Iterator[dict[str, Any]]]

# Hints by an exception's type and a part of its message.
ERROR_HINTS = (
    ("KeyError", "", "key"),
    ("TypeError", "positional argument", "arguments"),
    ("TypeError", "NoneType", "none_used"),
    ("AttributeError", "NoneType", "none_used"),
    ("MissingName", "", "missing_name"),
    ("SystemExit", "", "exit"),
    ("MemoryError", "", "memory"),
    ("_ArrayMemoryError", "", "memory"),
    ("RecursionError", "", "recursion"),
    ("KeyboardInterrupt", "", "interrupt"),
    ("RuntimeError", "list of operations", "nothing_recorded"),
    ("IndexError", "list index out of range", "nothing_recorded"),
    ("ValueError", "shape", "shapes_clash"),
    ("ValueError", "broadcast", "shapes_clash"),
    ("ValueError", "mismatch", "shapes_clash"),
)


def rounded(marks: float) -> float:
    """A sum of marks without the rounding error of binary fractions; an int where it is whole."""
    marks = round(float(marks), 4)
    return int(marks) if marks == int(marks) else marks


@dataclass(frozen=True)
class Result:
    """Result of one check. status: passed, failed, todo (not implemented yet), blocked (another exercise first) or not run."""

    check: Check
    status: str
    problem: Problem | None = None
    needs: str = ""
    rules: tuple[str, ...] = ()
    printed: str = ""
    seconds: float = 0.0
    # False where the submission could not be imported, so that the check itself did not run.
    imported: bool = True

    @property
    def earned(self) -> float:
        return self.check.points if self.status == "passed" else 0.0

    def record(self, hidden: bool = False) -> CheckRecord:
        """The result as plain data. hidden: the check belongs to a hidden exercise."""
        return {
            "exercise": self.check.exercise, "check": self.check.name, "points": self.check.points, "earned": self.earned,
            "status": self.status, "needs": self.needs, "hint": self.problem.hint if self.problem else "",
            "feedback": self.problem.feedback if self.problem else no_feedback(), "printed": self.printed,
            "hidden": hidden,
        }  # fmt: skip


@dataclass
class Grades:
    """All results of a submission."""

    results: list[Result] = field(default_factory=list)

    def of(self, exercise: str) -> list[Result]:
        return [result for result in self.results if result.check.exercise == exercise]

    def earned(self, exercise: str) -> float:
        return rounded(sum(result.earned for result in self.of(exercise)))

    def scores(self) -> dict[str, float]:
        """Marks of every exercise that is worth any, as in the last line of the output."""
        graded = {result.check.exercise for result in self.results}
        return {e.name: self.earned(e.name) for e in EXERCISES if e.points and e.name in graded}

    def hints(self) -> set[str]:
        """The keys of all hints that were given."""
        return {result.problem.hint for result in self.results if result.problem}


def grade(
    folder: Path,
    exercises: Iterable[Exercise] = EXERCISES,
    *,
    keep: Callable[[Check], bool] = lambda check: True,
    seed: int = 0,
    limit: float = TIME_LIMIT,
    jobs: int | None = None,
    run_with: Run = run_scenarios,
) -> Grades:
    """Run and judge the checks that ``keep`` lets through, each exercise in a process of its own."""
    exercises = list(exercises)
    # Exercises that the chosen ones need run too, so that a consequence is not reported as a mistake.
    below = {name for e in exercises if any(keep(c) for c in checks_of(e.name)) for name in e.needs}
    below |= {"Functional"} if below else set()

    def run(unit: list[Exercise]) -> list[Result]:
        checks = [
            check for exercise in unit for check in checks_of(exercise.name) if keep(check) or exercise.name in below
        ]
        return run_unit(folder, unit[0].parts, checks, seed, limit, run_with) if checks else []

    with ThreadPoolExecutor(jobs or min(4, os.cpu_count() or 1)) as pool:
        everything = Grades([result for results in pool.map(run, units(exercises)) for result in results])
    return Grades([result for result in explain_dependencies(everything).results if keep(result.check)])


def units(exercises: Iterable[Exercise]) -> list[list[Exercise]]:
    """The exercises in groups that share a process."""
    groups: dict[str, list[Exercise]] = {}
    for exercise in exercises:
        groups.setdefault(exercise.unit, []).append(exercise)
    return list(groups.values())


def run_unit(
    folder: Path,
    parts: Sequence[str],
    checks: list[Check],
    seed: int = 0,
    limit: float = TIME_LIMIT,
    run_with: Run = run_scenarios,
    over: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """The results of checks that share a process. Once ``over()`` is true, no further check is run."""
    cases = [cases_of(check, seed) for check in checks]
    began = time.monotonic()
    frames = run_with(folder, parts, [(c.scenario, given) for c, given in zip(checks, cases)], limit)
    try:
        return _results(checks, cases, frames, limit, over, began)
    finally:
        # Closing the generator ends the process, even if frames are left to read.
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def _results(
    checks: list[Check],
    cases: list[list[Any]],
    frames: Iterator[dict[str, Any]],
    limit: float,
    over: Callable[[], bool],
    began: float,
) -> list[Result]:
    started = next(frames, None)
    if started is None:
        raise RuntimeError("What runs the scenarios gave no frame for the import.")
    status = status_of(started)
    if status != "ok":
        found = _problem_of(started, status, limit, at_import=True)
        seconds = [time.monotonic() - began] + [0.0] * len(checks)
        return [
            Result(check, "todo" if status == "todo" else "failed", found, seconds=taken, imported=False)
            for check, taken in zip(checks, seconds)
        ]
    results: list[Result] = []
    stopped: Problem | None = None
    for number, (check, given) in enumerate(zip(checks, cases)):
        if stopped is None and over():
            stopped = problem("budget")
        if stopped is not None:
            results.append(Result(check, "not run", stopped))
            continue
        frame = next(frames, None)
        if frame is None:
            # A dead process yields a frame that says so. A missing frame is a bug of the grader and must not cost marks.
            raise RuntimeError(f"What runs the scenarios gave no frame for the check {check.name!r}.")
        result = _result_of(check, given, frame, number, limit)
        now = time.monotonic()
        results.append(replace(result, seconds=now - began))
        began = now
        if status_of(frame, number) not in STATUSES:
            about = "An earlier check in the same process did not come back."
            hint = result.problem.hint if result.problem else "died"
            stopped = Problem(hint, {**no_feedback(), "hint": about})
    return results


def status_of(frame: dict[str, Any], number: int | None = None) -> str:
    """Status of a frame; an unknown one counts as malformed. number: the check that the frame has to belong to."""
    status = frame.get("status")
    if not isinstance(status, str) or status not in (*STATUSES, "time", "died"):
        return "malformed"
    check = frame.get("check")
    is_of_another = number is not None and (type(check) is not int or check != number)
    return "malformed" if is_of_another and status in STATUSES else status


def judge_frame(check: Check, given: list[Any], frame: dict[str, Any]) -> Problem | None:
    """The first problem in the values that a scenario returned for its cases."""
    values = frame.get("values")
    if not given:
        raise ValueError(f"The check {check.name!r} has no cases, so everything would pass it.")
    if not isinstance(values, list) or len(values) != len(given):
        return problem("malformed", came="nothing that can be read")
    # The scenarios ran on copies, so ``given`` still holds what was given.
    return next((found for case, got in zip(given, values) if (found := judge(check, case, got))), None)


def _result_of(check: Check, given: list[Any], frame: dict[str, Any], number: int, limit: float) -> Result:
    names = frame.get("rules")
    rules = tuple(readable(name, 80) for name in names[:200]) if isinstance(names, list) else ()
    printed = readable(frame.get("printed"), 4000)
    status = status_of(frame, number)
    if status == "ok":
        found = judge_frame(check, given, frame)
        return Result(check, "failed" if found else "passed", found, rules=rules, printed=printed)
    found = _problem_of(frame, status, limit)
    if found.hint == "key" and check.exercise == "Autograd Backward":
        found = problem("lost_lookup", came=found.feedback["came"], place=found.feedback["place"])
    return Result(check, "todo" if status == "todo" else "failed", found, rules=rules, printed=printed)


def _problem_of(frame: dict[str, Any], status: str, limit: float, at_import: bool = False) -> Problem:
    text, place = readable(frame.get("text"), 600), readable(frame.get("where"), 300)
    if status == "time":
        given = frame.get("limit")
        seconds = float(given) if isinstance(given, (int, float)) and 0 < given < 1e6 else limit
        return problem("time", came="nothing within the time limit", limit=seconds)
    if status == "died":
        return problem("died", came="the process ended" + (f" ({text})" if text else ""))
    if status == "malformed":
        return problem("malformed", came="nothing that can be read" + (f" ({text})" if text else ""))
    if status == "todo":
        message = text.removeprefix("NotImplementedError: ")
        return problem("todo", came=message, place=place, looked_at=readable(frame.get("function"), 80))
    key = _hint_of_error(text)
    if at_import and key not in ("not_installed", "memory") and not text.startswith("Missing"):
        key = "cannot_import"
    return problem(key, came=text, place=place)


def _hint_of_error(text: str) -> str:
    kind, _, message = text.partition(":")
    if kind == "ModuleNotFoundError" and not any(f"'{own}" in message for own in ("mytorch", "hw_bonus")):
        return "not_installed"
    return next((hint for name, part, hint in ERROR_HINTS if kind == name and part in message), "raised")


def explain_dependencies(grades: Grades) -> Grades:
    """Mark a failed check as blocked where an exercise or rule that it needs failed too."""
    broken = {
        e.name
        for e in EXERCISES
        if any(r.status in ("failed", "todo", "not run") and r.check.points for r in grades.of(e.name))
    }
    broken_rules = {r.check.rule for r in grades.of("Functional") if r.status != "passed" and r.check.rule}
    needs = {exercise.name: exercise.needs for exercise in EXERCISES}
    results = []
    for result in grades.results:
        reason = next((name for name in needs[result.check.exercise] if name in broken), "")
        if not reason and result.check.exercise != "Functional":
            used = {*result.rules, result.problem.feedback["looked_at"] if result.problem else ""}
            reason = next((f"{rule} (Functional)" for rule in sorted(used) if rule in broken_rules), "")
        if result.status != "passed" and reason and not _is_import(result):
            own = _is_own(result)
            result = result if own else replace(result, status="blocked", needs=reason, problem=None)
        results.append(result)
    return Grades(results)


def _is_import(result: Result) -> bool:
    return result.problem is not None and result.problem.hint in ("cannot_import", "not_installed")


def _is_own(result: Result) -> bool:
    """True for a stub of the exercise itself, which counts whatever else is missing."""
    if result.status != "todo" or result.problem is None:
        return False
    return result.problem.feedback["looked_at"] == "forward"
