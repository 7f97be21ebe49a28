"""Grading of a submission: exercises run, values are judged, and consequences are told from causes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from autograder.causes import explain, explain_dependencies
from autograder.compare import Problem, judge, problem, readable
from autograder.exercises import BACK, EXERCISES, Exercise, cases_of, checks_of
from autograder.feedback import no_feedback
from autograder.frames import problem_of, status_of
from autograder.helpers import Check
from autograder.isolate import STATUSES, TIME_LIMIT, run_scenarios
from autograder.outcome import Grades, Result, rounded

__all__ = ["Grades", "Result", "Run", "explain_dependencies", "grade", "judge_frame", "rerun_on", "rounded",
           "run_unit", "units"]  # fmt: skip

# Runs scenarios; yields a frame for the import and one per scenario. isolate.run_scenarios, or the sandbox of staff.
Run = Callable[[Path, Sequence[str], Sequence[tuple[str, list[Any]]], float], Iterator[dict[str, Any]]]


def grade(
    folder: Path,
    exercises: Iterable[Exercise] = EXERCISES,
    *,
    keep: Callable[[Check], bool] = lambda check: True,
    seed: int = 0,
    limit: float = TIME_LIMIT,
    jobs: int | None = None,
    run_with: Run = run_scenarios,
    done: Callable[[list[Result]], None] = lambda results: None,
) -> Grades:
    """Run and judge the checks that ``keep`` lets through, each exercise in a process of its own.

    done: called with the kept results of each process as soon as they and those before them are there.
    """
    exercises = list(exercises)
    # Exercises that the chosen ones need run too, so that a consequence is not reported as a mistake.
    below = {name for e in exercises if any(keep(c) for c in checks_of(e.name)) for name in e.needs}
    below |= {"Functional"} if below else set()

    def run(unit: list[Exercise]) -> list[Result]:
        checks = [
            check for exercise in unit for check in checks_of(exercise.name) if keep(check) or exercise.name in below
        ]
        return run_unit(folder, unit[0].parts, checks, seed, limit, run_with) if checks else []

    everything = Grades()
    rerun = partial(rerun_on, folder, seed, limit, run_with)
    with ThreadPoolExecutor(jobs or min(4, os.cpu_count() or 1)) as pool:
        for results in pool.map(run, units(exercises)):
            explained = explain(results, everything, rerun)
            everything.results += explained
            if kept := [result for result in explained if keep(result.check)]:
                done(kept)
    return Grades([result for result in everything.results if keep(result.check)])


def rerun_on(
    folder: Path,
    seed: int,
    limit: float,
    run_with: Run,
    parts: Sequence[str],
    checks: list[Check],
    given: Callable[[Check, Any], tuple[str, Any]],
) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Run checks once more in another way. given: the scenario and what it is given, for a check and one of its cases.

    Yields the cases of each check with its frame, until the process ends.
    """
    cases = [cases_of(check, seed) for check in checks]
    changed = [[given(check, case) for case in all_cases] for check, all_cases in zip(checks, cases)]
    frames = run_with(folder, parts, [(pairs[0][0], [case for _, case in pairs]) for pairs in changed], limit)
    try:
        if status_of(next(frames, {})) == "ok":
            for number, (all_cases, frame) in enumerate(zip(cases, frames)):
                yield all_cases, {**frame, "status": status_of(frame, number)}
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


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
        found = problem_of(started, status, limit, at_import=True)
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
    of_engine = check.exercise == BACK
    found = problem_of(frame, status, limit, of_engine=of_engine)
    if found.hint == "key" and of_engine:
        key = "unused_lookup" if check.scenario == "engine_dead_branch" else "lost_lookup"
        found = problem(key, came=found.feedback["came"], place=found.feedback["place"])
    return Result(check, "todo" if status == "todo" else "failed", found, rules=rules, printed=printed)
