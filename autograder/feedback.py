"""Feedback of a check: its parts as plain data, and its lines of text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TypedDict

NOT_YET = "not implemented yet"
WIDTH = 105


class Feedback(TypedDict):
    """The parts of a check's feedback. Each part is text of one or several lines; a missing part is empty.

    given: the arrays and settings that the scenario was given.
    looked_at: the name of the value that was compared, or of the function that is not implemented.
    expected, came: this value as it should be and as it was. ``came`` may be the message of an exception.
    place: file and line of the submission where an exception was raised.
    hint: a sentence that says where to look next.
    """

    given: str
    looked_at: str
    expected: str
    came: str
    place: str
    hint: str


# Label of each part, in reading order.
LABELS = {
    "given": "given", "looked_at": "looked at", "expected": "expected", "came": "came", "place": "at", "hint": "look at",
}  # fmt: skip


class CheckRecord(TypedDict):
    """The result of one check as plain data.

    status: passed, failed, todo (not implemented yet), blocked (needs another exercise first) or not run.
    needs: the exercise or rule that a blocked check waits for.
    hint: a key of hints.HINTS, or empty.
    printed: the beginning of the submission's output.
    hidden: the check belongs to a hidden exercise.
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
    """Empty feedback, for a check that passed or that waits for another."""
    return {"given": "", "looked_at": "", "expected": "", "came": "", "place": "", "hint": ""}


def number(value: float) -> str:
    """Marks as text; a whole number has no point."""
    return f"{value:g}"


def labelled(feedback: Feedback) -> Iterator[tuple[str, str]]:
    """Label and text of each part that is not empty, in reading order."""
    for part, label in LABELS.items():
        text = feedback[part]  # type: ignore[literal-required]
        if text:
            yield label, text


def reason(check: CheckRecord) -> str:
    """The feedback in one sentence, where no value was compared (todo, blocked, not run) or the check passed; else empty."""
    if check["status"] == "blocked":
        about = check["feedback"]["hint"]
        return f"needs {check['needs']} first" + (f": {about}" if about else "")
    if check["status"] == "todo":
        message = check["feedback"]["came"]
        if NOT_YET in message:
            return message
        return NOT_YET if message in ("", "NotImplementedError") else f"{NOT_YET}: {message}"
    if check["status"] == "not run":
        return f"not run: {check['feedback']['hint']}"
    return "passed" if check["status"] == "passed" else ""


def heading(check: CheckRecord) -> str:
    """Exercise, name and marks of a check."""
    points = check["points"]
    worth = f"{number(points)} {'point' if points == 1 else 'points'}" if points else "practice"
    return f"{check['exercise']}: {check['check']} ({worth})"


def feedback_lines(check: CheckRecord, alike: Sequence[str] = (), said: str = "") -> list[str]:
    """Lines for a terminal: the heading, then the reason or the labelled parts.

    alike: names of other checks of the exercise with the same hint. said: the heading under which the hint stands already.
    """
    lines = [f"  {heading(check)}"]
    short = reason(check)
    if short:
        return [*lines, *(line for row in short.splitlines() for line in wrapped("    ", row))]
    for label, text in labelled(check["feedback"]):
        text = f"the same as for {said}, above" if said and label == LABELS["hint"] else text
        for row, line in enumerate(text.splitlines()):
            lines += wrapped(f"    {label if row == 0 else '':<10} ", line)
    if alike:
        lines += wrapped(f"    {'also for':<10} ", "; ".join(alike))
    if printed := first_printed(check):
        lines.append(f"    {'printed':<10} {printed}")
    return lines


def first_printed(check: CheckRecord) -> str:
    """The first line of the submission's output, cut to the width of a terminal."""
    text = check["printed"].strip()
    return text.splitlines()[0][:90] if text else ""


def wrapped(label: str, text: str) -> list[str]:
    """The text behind a label, wrapped; further lines are indented as far."""
    return [
        (label if row == 0 else " " * len(label)) + line
        for row, line in enumerate(textwrap.wrap(text, WIDTH, break_long_words=False) or [""])
    ]
