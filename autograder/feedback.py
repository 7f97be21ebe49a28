"""The feedback of a check: its parts as plain data, and the lines of text that terminals and platforms show of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TypedDict

NOT_YET = "not implemented yet"
WIDTH = 105


class Feedback(TypedDict):
    """Why a check did not pass. Each part is text, of one or several lines; a part that is not there is empty.

    given: the arrays and settings that the scenario was given.
    looked_at: the name of the value that was compared.
    expected, came: this value as it should be and as it was; ``came`` may be the message of an exception.
    place: file and line of the submission where it stopped.
    hint: a sentence that says where to look next.
    """

    given: str
    looked_at: str
    expected: str
    came: str
    place: str
    hint: str


# The parts in the order in which they are read, each with its label.
LABELS = {
    "given": "given", "looked_at": "looked at", "expected": "expected", "came": "came", "place": "at", "hint": "look at",
}  # fmt: skip


class CheckRecord(TypedDict):
    """The result of one check as plain data.

    status: passed, failed, todo (not implemented yet), blocked (needs another exercise first) or not run.
    needs: the name of what a blocked check waits for.
    hint: a key of hints.HINTS, or empty.
    printed: the beginning of what the submission printed.
    """

    exercise: str
    check: str
    points: float
    earned: float
    status: str
    needs: str
    hint: str
    feedback: Feedback
    printed: str
    hidden: bool


def no_feedback() -> Feedback:
    """The feedback of a check that passed, or that waits for another."""
    return {"given": "", "looked_at": "", "expected": "", "came": "", "place": "", "hint": ""}


def number(value: float) -> str:
    """Marks as text, a whole number as such."""
    return f"{value:g}"


def labelled(feedback: Feedback) -> Iterator[tuple[str, str]]:
    """The parts that are there, in the order in which they are read: label and text of each."""
    for part, label in LABELS.items():
        text = feedback[part]  # type: ignore[literal-required]
        if text:
            yield label, text


def reason(check: CheckRecord) -> str:
    """One line about a check that gave no value to compare (todo, blocked, not run) or that passed; else empty."""
    if check["status"] == "blocked":
        return f"needs {check['needs']} first"
    if check["status"] == "todo":
        text = check["feedback"]["came"]
        return text if NOT_YET in text else f"{NOT_YET}: {text}" if text and text != "NotImplementedError" else NOT_YET
    if check["status"] == "not run":
        return f"not run: {check['feedback']['hint']}"
    return "passed" if check["status"] == "passed" else ""


def heading(check: CheckRecord) -> str:
    """The name of a check and what it is worth."""
    points = check["points"]
    worth = f"{number(points)} {'point' if points == 1 else 'points'}" if points else "practice"
    return f"{check['exercise']}: {check['check']} ({worth})"


def feedback_lines(check: CheckRecord) -> list[str]:
    """The heading, then the reason or the labelled parts, as lines for a terminal."""
    lines = [f"  {heading(check)}"]
    short = reason(check)
    if short:
        return [*lines, *(f"    {line}" for line in short.splitlines())]
    for label, text in labelled(check["feedback"]):
        for row, line in enumerate(text.splitlines()):
            lines += _wrapped(f"    {label if row == 0 else '':<10} ", line)
    if printed := first_printed(check):
        lines.append(f"    {'printed':<10} {printed}")
    return lines


def first_printed(check: CheckRecord) -> str:
    """The first line that the submission printed, cut to a line of a terminal."""
    text = check["printed"].strip()
    return text.splitlines()[0][:90] if text else ""


def _wrapped(label: str, text: str) -> list[str]:
    """The text behind a label, its further lines indented as far."""
    return [
        (label if row == 0 else " " * len(label)) + line
        for row, line in enumerate(textwrap.wrap(text, WIDTH, break_long_words=False) or [""])
    ]
