"""Frames of a submission's process: their status, and the problem that an exception or an early end means."""

from __future__ import annotations

import re
from typing import Any

from autograder.compare import Problem, problem, readable
from autograder.isolate import STATUSES

# Hints by an exception's type and a part of its message.
ERROR_HINTS = (
    ("KeyError", "", "key"),
    ("TypeError", "positional argument", "arguments"),
    ("TypeError", "NoneType", "none_used"),
    ("TypeError", "object is not callable", "not_callable"),
    ("TypeError", "Python scalar", "one_number"),
    ("AttributeError", "NoneType", "none_used"),
    ("MissingName", "has shape", "layer_shape"),
    ("MissingName", "", "missing_name"),
    ("SystemExit", "", "exit"),
    ("MemoryError", "", "memory"),
    ("_ArrayMemoryError", "", "memory"),
    ("RecursionError", "", "recursion"),
    ("KeyboardInterrupt", "", "interrupt"),
    ("MissingFile", "", "missing_file"),
    ("BdbQuit", "", "breakpoint"),
    ("RuntimeError", "list of operations", "nothing_recorded"),
    ("ValueError", "truth value of an array", "condition"),
    ("ValueError", "shape", "shapes_clash"),
    ("ValueError", "broadcast", "shapes_clash"),
    ("ValueError", "mismatch", "shapes_clash"),
)

# What the given buffer says of a gradient in another shape than its array's.
GRADIENT_SHAPES = re.compile(r"gradient has shape \(([\d, ]*)\)[^()]*\(([\d, ]*)\)")
# A line of code that asks for the last entry of a list.
LAST_ENTRY = re.compile(r"\[(-1|.*\) *- *1)\]")


def status_of(frame: dict[str, Any], number: int | None = None) -> str:
    """Status of a frame; an unknown one counts as malformed. number: the check that the frame has to belong to."""
    status = frame.get("status")
    if not isinstance(status, str) or status not in (*STATUSES, "time", "died"):
        return "malformed"
    check = frame.get("check")
    is_of_another = number is not None and (type(check) is not int or check != number)
    return "malformed" if is_of_another and status in STATUSES else status


def problem_of(
    frame: dict[str, Any], status: str, limit: float, at_import: bool = False, of_engine: bool = False
) -> Problem:
    """The problem that a frame without values means. of_engine: of a check that uses nothing but the engine."""
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
    key = _hint_of_error(text, place, of_engine)
    if at_import and key not in ("not_installed", "missing_module", "memory") and not text.startswith("Missing"):
        key = "cannot_import"
    return problem(key, came=text, place=place)


def _hint_of_error(text: str, place: str, of_engine: bool) -> str:
    kind, _, message = text.partition(":")
    if kind == "ModuleNotFoundError":
        own = any(f"'{name}" in message for name in ("mytorch", "hw_bonus"))
        return "missing_module" if own else "not_installed"
    if shapes := GRADIENT_SHAPES.search(message):
        return _hint_of_shapes(shapes[1], shapes[2]) if of_engine else "wrong_shape"
    if kind == "IndexError" and "list index out of range" in message and not of_engine and LAST_ENTRY.search(place):
        return "nothing_recorded"
    return next((hint for name, part, hint in ERROR_HINTS if kind == name and part in message), "raised")


def _hint_of_shapes(gradient: str, array: str) -> str:
    """The hint where the engine gave the buffer a gradient of another shape than its array's, from a rule that is right."""
    came, expected = ([int(n) for n in text.split(",") if n.strip()] for text in (gradient, array))
    if not came:
        return "none_not_skipped"
    if came == expected[1:]:
        return "single_array"
    if len(came) == len(expected) and all(n in (1, m) for n, m in zip(came, expected)):
        return "oversummed"
    return "arguments" if came[1:] == expected else "shapes_clash"
