"""The parts of a check's feedback as lines of text: each status, labels, long lines, text of several lines."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.feedback import LABELS, CheckRecord, Feedback, feedback_lines, labelled, no_feedback, reason

PARTS: Feedback = {
    "given": "x (1, 2) = [[1. 2.]]", "looked_at": "dW", "expected": "shape (2, 2)\n[[1. 2.]\n [3. 4.]]", "came": "nothing",
    "place": "mytorch/nn/modules/linear.py, line 7: y = x", "hint": "All zeros: no gradient arrived here.",
}  # fmt: skip


def a_check(**changes: Any) -> CheckRecord:
    check: Any = {
        "exercise": "Linear", "check": "batches", "points": 2.0, "earned": 0.0, "status": "failed", "needs": "",
        "hint": "zero", "feedback": PARTS, "printed": "", "hidden": False, **changes,
    }  # fmt: skip
    return check  # type: ignore[no-any-return]


def test_every_part_has_a_label() -> None:
    assert LABELS.keys() == Feedback.__annotations__.keys() == no_feedback().keys()
    assert dict(labelled(PARTS)) == {
        "given": PARTS["given"], "looked at": "dW", "expected": PARTS["expected"], "came": "nothing",
        "at": PARTS["place"], "look at": PARTS["hint"],
    }  # fmt: skip
    assert list(labelled(no_feedback())) == []


def test_a_failed_check_shows_its_parts() -> None:
    assert feedback_lines(a_check(printed=" one\ntwo")) == [
        "  Linear: batches (2 points)",
        "    given      x (1, 2) = [[1. 2.]]",
        "    looked at  dW",
        "    expected   shape (2, 2)",
        "               [[1. 2.]",
        "                [3. 4.]]",
        "    came       nothing",
        "    at         mytorch/nn/modules/linear.py, line 7: y = x",
        "    look at    All zeros: no gradient arrived here.",
        "    printed    one",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"status": "passed", "feedback": no_feedback()}, "passed"),
        ({"status": "blocked", "needs": "Autograd Backward", "feedback": no_feedback()}, "needs Autograd Backward first"),
        ({"status": "not run", "feedback": {**no_feedback(), "hint": "Time was used up."}}, "not run: Time was used up."),
        ({"status": "todo", "feedback": no_feedback()}, "not implemented yet"),
        ({"status": "todo", "feedback": {**no_feedback(), "came": "NotImplementedError"}}, "not implemented yet"),
        ({"status": "todo", "feedback": {**no_feedback(), "came": "later"}}, "not implemented yet: later"),
        ({"status": "todo", "feedback": {**no_feedback(), "came": "f is not implemented yet"}}, "f is not implemented yet"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_check_without_a_value_to_compare_has_one_line(changes: dict[str, Any], line: str) -> None:
    check = a_check(**changes)
    assert reason(check) == line
    assert feedback_lines(check) == ["  Linear: batches (2 points)", f"    {line}"]


def test_a_failed_check_has_no_reason_of_one_line() -> None:
    assert reason(a_check()) == ""


@pytest.mark.parametrize(("points", "worth"), [(1, "1 point"), (0.25, "0.25 points"), (0, "practice")])
def test_the_heading_says_what_the_check_is_worth(points: float, worth: str) -> None:
    assert feedback_lines(a_check(points=points))[0] == f"  Linear: batches ({worth})"


def test_long_lines_are_wrapped_behind_their_label_and_no_word_is_cut() -> None:
    words = "word " * 60
    long = "x" * 200
    lines = feedback_lines(a_check(feedback={**no_feedback(), "hint": f"{words}{long}"}))[1:]
    assert lines[0].startswith("    look at    word ")
    assert all(line.startswith(" " * 15) for line in lines[1:])
    assert all(len(line) <= 120 for line in lines if "x" not in line)
    assert " ".join(line[15:] for line in lines).split() == [*words.split(), long]
