"""The option --debug: runs checks in this process and stops in pdb where the first one fails."""

from __future__ import annotations

import pdb
import sys
import traceback
from pathlib import Path
from typing import Any

from autograder.compare import judge
from autograder.exercises import EXERCISES, cases_of
from autograder.helpers import Check
from autograder.worker.scenarios import find
from autograder.worker.student import Student


def debug(folder: Path, checks: list[Check], seed: int = 0) -> int:
    """Run the checks in turn. Returns 0 if none failed, else 1 after the user has left the debugger."""
    student = Student(str(folder))
    parts = {exercise.name: list(exercise.parts) for exercise in EXERCISES}
    for check in checks:
        name = f"{check.exercise}: {check.name}"
        for number in range(len(cases_of(check, seed))):
            try:
                student.load(parts[check.exercise])
                got = find(check.scenario)(student, cases_of(check, seed)[number])
            except Exception as error:
                print(f"{name} stopped with {type(error).__name__}: {error}\n")
                traceback.print_exc(limit=-3, file=sys.stdout)
                _enter(error.__traceback__, folder)
                return 1
            given = cases_of(check, seed)[number]
            if judge(check, given, got) is not None and stop_at_wrong_value(name, check, given, got):
                return 1
    print(f"{len(checks)} checks passed; there is nothing to stop at.")
    return 0


def stop_at_wrong_value(name: str, check: Check, given: dict[str, Any], got: dict[str, Any]) -> bool:
    """Stop in the debugger here, with the arrays at hand, because no line of the submission raised."""
    expected = {name: one.array for name, one in check.expect(given).items()}
    found = judge(check, given, got)
    assert found is not None
    print(f"{name}: {found.feedback['looked_at']} is not as expected. {found.feedback['hint']}")
    print("The variables given, expected and got hold the arrays; c (continue) leaves.")
    pdb.Pdb(nosigint=True).set_trace(sys._getframe())
    return bool(expected)


def _enter(trace: Any, folder: Path) -> None:
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
