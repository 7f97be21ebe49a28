"""The option --debug: runs checks in this process and stops in pdb, in the submission's code, where the first one fails."""

from __future__ import annotations

import pdb
import sys
import traceback
from bdb import BdbQuit
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from autograder.compare import Problem, judge
from autograder.exercises import EXERCISES, cases_of
from autograder.feedback import feedback_lines
from autograder.helpers import Check, Given
from autograder.outcome import Result
from autograder.worker.scenarios import find
from autograder.worker.student import Student

# The function in which a wrong value of the engine is looked for.
METHODS = {"Autograd Add Operation": "add_operation", "Autograd Backward": "backward"}


def debug(folder: Path, checks: list[Check], seed: int = 0) -> int:
    """Run the checks in turn. Returns 0 if none failed, else 1 after the user has left the debugger."""
    student = Student(str(folder))
    parts = {exercise.name: list(exercise.parts) for exercise in EXERCISES}
    for check in checks:
        for number in range(len(cases_of(check, seed))):

            def run(check: Check = check, number: int = number) -> Any:
                return find(check.scenario)(student, cases_of(check, seed)[number])

            try:
                student.load(parts[check.exercise])
                student.engines.clear()
                got = run()
            except Exception as error:
                print(f"{check.exercise}: {check.name} stopped with {type(error).__name__}: {error}\n")
                traceback.print_exc(limit=-3, file=sys.stdout)
                _at_exception(error.__traceback__, folder)
                return 1
            given = cases_of(check, seed)[number]
            found = judge(check, given, got)
            if found is not None:
                _at_wrong_value(check, given, found, student, run)
                return 1
    print(f"{len(checks)} checks passed; there is nothing to stop at.")
    return 0


def _at_wrong_value(check: Check, given: Given, found: Problem, student: Student, run: Callable[[], Any]) -> None:
    """Say what is wrong, run the check once more and stop at the beginning of the function that it is about."""
    print("\n".join(feedback_lines(Result(check, "failed", found).record())))
    codes = _codes(check, given, student)
    if not codes:
        return
    print("\nStopped where this begins: n (next line), p x (print x), c (continue to the end), q (quit).")
    debugger = pdb.Pdb(nosigint=True)

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call" and frame.f_code in codes:
            sys.settrace(None)
            debugger.set_trace(frame)
            return debugger.trace_dispatch
        return None

    student.engines.clear()
    try:
        sys.settrace(watch)
        run()
    except BdbQuit:
        pass
    finally:
        sys.settrace(None)


def _codes(check: Check, given: Given, student: Student) -> set[CodeType]:
    """The submission's code that a check is about: a method of the engine, a backward function, or a layer's forward."""
    exercise = check.exercise
    if exercise in METHODS:
        functions = [getattr(student.get("engine", "Autograd"), METHODS[exercise], None)]
    elif exercise == "Functional":
        functions = [student.get("functional", check.rule or str(given.get("rule", "")))]
    else:
        part = next(e.parts[-1] for e in EXERCISES if e.name == exercise)
        name = exercise.removesuffix(" Forward").removesuffix(" Backward").removesuffix(" with Skip")
        functions = [getattr(student.get(part, name), "forward", None)]
    codes = (getattr(function, "__code__", None) for function in functions)
    return {code for code in codes if code is not None}


def _at_exception(trace: Any, folder: Path) -> None:
    """Start the debugger at the last line of the submission in a traceback."""
    chosen, here = trace, Path(__file__).resolve().parent
    walk = trace
    while walk is not None:
        path = Path(walk.tb_frame.f_code.co_filename).resolve()
        if folder in path.parents and here not in path.parents:
            chosen = walk
        walk = walk.tb_next
    chosen.tb_next = None
    debugger = pdb.Pdb(nosigint=True)
    debugger.reset()
    debugger.interaction(chosen.tb_frame, chosen)
