"""Helpers of the sandbox's tests: levels of isolation, and submissions that run some code when they are imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.staff.isolation.sandbox import Sandbox

LEVELS: dict[str, list[str]] = {
    "all": [],
    "no landlock": ["landlock"],
    "no seccomp": ["seccomp"],
    "no namespaces": ["namespaces"],
    "limits alone": ["namespaces", "seccomp", "landlock", "uid"],
}
ENGINE = """
class Autograd:
    def __init__(self):
        self.operation_list = []
"""
LOOK = """
import ctypes, gc, os, sys
def _call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    plain = [ctypes.create_string_buffer(a, len(a)) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    found = libc.syscall(ctypes.c_long(number), *plain)
    if found < 0: raise OSError(ctypes.get_errno(), "refused")
    return found
try:
    result = repr({})
except BaseException as error:
    result = type(error).__name__
raise RuntimeError(result)
"""


def submission(folder: Path, code: str) -> Path:
    """A submission whose engine runs some code when it is imported, and at that only."""
    path = folder / "mytorch" / "autograd_engine.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + ENGINE, encoding="utf-8")
    return folder


def run(sandbox: Sandbox, folder: Path, code: str, scenarios: Any = (), limit: float = 0.8) -> list[dict[str, Any]]:
    return list(sandbox.run_scenarios(submission(folder, code), ("engine",), scenarios, limit))


def found(sandbox: Sandbox, folder: Path, expression: str) -> str:
    """The value of an expression in the submission's process, as text."""
    (frame,) = run(sandbox, folder, LOOK.format(expression))
    assert frame["status"] == "error", frame
    return str(frame["text"]).removeprefix("RuntimeError: ")


def has(sandbox: Sandbox, word: str) -> None:
    if word not in sandbox.level:
        pytest.skip(f"this machine cannot isolate so far: {word}, only {sandbox.level}")


def alive(sandbox: Sandbox) -> list[str]:
    """The processes that run with the sandbox's HOME, beside the warm one."""
    home = f"HOME={sandbox.folder / 'home'}".encode()
    warm = sandbox._warm.pid if sandbox._warm else 0
    ours = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != warm and home in (entry / "environ").read_bytes():
                ours.append((entry / "stat").read_text())
        except OSError:
            continue
    return ours
