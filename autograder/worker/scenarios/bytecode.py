"""The submission's files as bytecode, so that one process compiles them for all that follow. Nothing of them runs here."""

from __future__ import annotations

import marshal
from typing import Any

import numpy as np

from autograder.worker.scenarios.common import Given, scenario


@scenario
def bytecode(student: Any, given: Given) -> dict[str, Any]:
    """Compile each file of the submission; arrays of bytes by the file's path. One that Python refuses is left out."""
    found: dict[str, Any] = {}
    for path in sorted(student.folder.rglob("*.py")):
        try:
            code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            continue
        found[path.relative_to(student.folder).as_posix()] = np.frombuffer(marshal.dumps(code), np.uint8)
    return found
