"""Grades a submission: runs the exercises, judges what they return, and explains what depends on what."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.compare import Problem, judge, problem
from autograder.exercises import EXERCISES, Exercise, cases_of, checks_of
from autograder.helpers import Check
from autograder.hints import HINTS
from autograder.isolate import TIME_LIMIT, run_scenarios

# What runs scenarios and yields a frame for the import and one for each of them: isolate.run_scenarios, or staff's sandbox.
Run = Callable[[Path, Sequence[str], Sequence[tuple[str, list[Any]]], float], Iterator[dict[str, Any]]]

# Errors whose message says by itself what happened, and the hint that belongs to them.
ERROR_HINTS = (
    ("KeyError", "", "key"),
    ("TypeError", "positional argument", "arguments"),
    ("TypeError", "NoneType", "none_used"),
    ("AttributeError", "NoneType", "none_used"),
    ("MissingName", "", "missing_name"),
    ("SystemExit", "", "exit"),
    ("RuntimeError", "list of operations", "nothing_recorded"),
    ("IndexError", "list index out of range", "nothing_recorded"),
    ("ValueError", "shape", "shapes_clash"),
    ("ValueError", "broadcast", "shapes_clash"),
    ("ValueError", "mismatch", "shapes_clash"),
)


@dataclass(frozen=True)
class Result:
    """How one check ended: passed, failed, todo (not implemented yet), blocked (something else first) or not run."""

    check: Check
    status: str
    problem: Problem | None = None
    needs: str = ""
    rules: tuple[str, ...] = ()
    printed: str = ""

    @property
    def earned(self) -> float:
        return self.check.points if self.status == "passed" else 0.0


@dataclass
class Grades:
    """All results of a submission."""

    results: list[Result] = field(default_factory=list)

    def of(self, exercise: str) -> list[Result]:
        return [result for result in self.results if result.check.exercise == exercise]

    def earned(self, exercise: str) -> float:
        total = round(sum(result.earned for result in self.of(exercise)), 4)
        return int(total) if total == int(total) else total

    def scores(self) -> dict[str, float]:
        """What goes into the last line: every exercise that is worth marks."""
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
    # What the chosen checks rest on runs too, so that a consequence is not described as a mistake of its own.
    below = {name for e in exercises if any(keep(c) for c in checks_of(e.name)) for name in e.needs}
    below |= {"Functional"} if below else set()
    units: dict[str, list[Exercise]] = {}
    for exercise in exercises:
        units.setdefault(exercise.unit, []).append(exercise)

    def run(unit: list[Exercise]) -> list[Result]:
        checks = [
            check for exercise in unit for check in checks_of(exercise.name) if keep(check) or exercise.name in below
        ]
        return run_unit(folder, unit[0].parts, checks, seed, limit, run_with) if checks else []

    with ThreadPoolExecutor(jobs or min(4, os.cpu_count() or 1)) as pool:
        everything = Grades([result for results in pool.map(run, units.values()) for result in results])
    return Grades([result for result in explain_dependencies(everything).results if keep(result.check)])


def run_unit(
    folder: Path,
    parts: Sequence[str],
    checks: list[Check],
    seed: int = 0,
    limit: float = TIME_LIMIT,
    run_with: Run = run_scenarios,
) -> list[Result]:
    """The results of checks that share a process."""
    cases = [cases_of(check, seed) for check in checks]
    frames = run_with(folder, parts, [(c.scenario, given) for c, given in zip(checks, cases)], limit)
    results: list[Result] = []
    stopped: Problem | None = None
    started = next(frames)
    if started["status"] != "ok":
        found = _problem_of(started, at_import=True)
        status = "todo" if started["status"] == "todo" else "failed"
        return [Result(check, status, found) for check in checks]
    for check, given in zip(checks, cases):
        frame = next(frames, None)
        if frame is None:
            about = "An earlier check of this class did not come back, so this one was not run."
            results.append(Result(check, "not run", Problem(stopped.hint if stopped else "died", about)))
            continue
        result = _result_of(check, given, frame)
        if frame["status"] in ("time", "died"):
            stopped = result.problem
        results.append(result)
    return results


def judge_frame(check: Check, given: list[Any], frame: dict[str, Any]) -> Problem | None:
    """The first problem in what one check's scenario returned for its cases."""
    values = frame.get("values")
    if not isinstance(values, list) or len(values) != len(given):
        return problem("wrong", got="nothing that can be read")
    # The scenarios ran on copies, so ``given`` still holds what was given.
    return next((found for case, got in zip(given, values) if (found := judge(check, case, got))), None)


def _result_of(check: Check, given: list[Any], frame: dict[str, Any]) -> Result:
    rules = tuple(str(name) for name in frame.get("rules") or ())
    printed = str(frame.get("printed") or "")
    if frame["status"] == "ok":
        found = judge_frame(check, given, frame)
        return Result(check, "failed" if found else "passed", found, rules=rules, printed=printed)
    found = _problem_of(frame)
    if found.hint == "key" and check.exercise == "Autograd Backward":
        found = replace(found, hint="lost_lookup", text=HINTS["lost_lookup"])
    return Result(check, "todo" if frame["status"] == "todo" else "failed", found, rules=rules, printed=printed)


def _problem_of(frame: dict[str, Any], at_import: bool = False) -> Problem:
    status, text, where = frame["status"], str(frame.get("text", "")), str(frame.get("where", ""))
    if status == "time":
        return problem("time", got="nothing within the time limit", limit=float(frame["limit"]))
    if status == "died":
        return problem("died", got="the process ended")
    if status == "todo":
        return Problem(
            "todo",
            HINTS["todo"],
            got=text.removeprefix("NotImplementedError: "),
            where=where,
            what=str(frame.get("function", "")),
        )
    key = "cannot_import" if at_import and not text.startswith("Missing") else _hint_of_error(text)
    return problem(key, got=text, where=where)


def _hint_of_error(text: str) -> str:
    kind, _, message = text.partition(":")
    return next((hint for name, part, hint in ERROR_HINTS if kind == name and part in message), "raised")


def explain_dependencies(grades: Grades) -> Grades:
    """Where a check failed and what it rests on failed too, say so instead of describing a consequence."""
    broken = {
        e.name
        for e in EXERCISES
        if any(r.status in ("failed", "todo", "not run") and r.check.points for r in grades.of(e.name))
    }
    broken_rules = {
        result.check.name.split(":")[0]
        for result in grades.of("Functional")
        if result.status != "passed" and "float32" not in result.check.name
    }
    needs = {exercise.name: exercise.needs for exercise in EXERCISES}
    results = []
    for result in grades.results:
        reason = next((name for name in needs[result.check.exercise] if name in broken), "")
        if not reason and result.check.exercise != "Functional":
            used = {*result.rules, result.problem.what if result.problem else ""}
            reason = next((f"{rule} (Functional)" for rule in sorted(used) if rule in broken_rules), "")
        if result.status != "passed" and reason and not _is_import(result):
            own = _is_own(result)
            result = result if own else replace(result, status="blocked", needs=reason, problem=None)
        results.append(result)
    return Grades(results)


def _is_import(result: Result) -> bool:
    return result.problem is not None and result.problem.hint == "cannot_import"


def _is_own(result: Result) -> bool:
    """A stub of the exercise itself is its own reason, whatever else is missing."""
    if result.status != "todo" or result.problem is None:
        return False
    return result.problem.what == "forward"
