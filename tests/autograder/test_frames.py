"""Hints of exceptions: an exception in a submission and the key that it gets."""

from __future__ import annotations

import pytest

from autograder.frames import problem_of
from autograder.hints import HINTS, UNSPECIFIC

LOOP = "mytorch/autograd_engine.py, line 7: operation = self.operation_list[number]"
LAST = "mytorch/autograd_engine.py, line 7: last = self.operation_list[-1]"
AMBIGUOUS = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
GRADIENT = "ValueError: This gradient has shape {}; give it its array's shape, {}."


def hint(text: str, place: str = "", of_engine: bool = False) -> str:
    found = problem_of({"text": text, "where": place}, "error", 1.0, of_engine=of_engine)
    assert found.feedback["came"] == text
    return found.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ValueError: {AMBIGUOUS}", "condition"),
        ("TypeError: only length-1 arrays can be converted to Python scalars", "one_number"),
        ("TypeError: only 0-dimensional arrays can be converted to Python scalars", "one_number"),
        ("TypeError: 'numpy.ndarray' object is not callable", "not_callable"),
        ("TypeError: 'NoneType' object is not callable", "none_used"),
        ("TypeError: f() takes 2 positional arguments but 3 were given", "arguments"),
        ("BdbQuit", "breakpoint"),
        ("ModuleNotFoundError: No module named 'torch'", "not_installed"),
        ("ModuleNotFoundError: No module named 'mytorch.mine'", "missing_module"),
        ("ZeroDivisionError: division by zero", "raised"),
    ],
)
def test_an_exception_has_its_hint(text: str, expected: str) -> None:
    assert hint(text) == expected
    assert expected in HINTS


@pytest.mark.parametrize(
    ("came", "array", "of_engine"),
    [("()", "(4, 3)", "none_not_skipped"), ("(3,)", "(4, 3)", "single_array"), ("(2, 4, 3)", "(4, 3)", "arguments"),
     ("(3, 4)", "(4, 3)", "shapes_clash"), ("(1, 3)", "(4, 3)", "oversummed")],
)  # fmt: skip
def test_a_gradient_of_another_shape_is_the_engine_s_where_the_rule_is_right(
    came: str, array: str, of_engine: str
) -> None:
    text = GRADIENT.format(came, array)
    assert hint(text, of_engine=True) == of_engine
    assert hint(text) == "wrong_shape"


def test_an_empty_list_is_told_from_an_index_beyond_its_end() -> None:
    text = "IndexError: list index out of range"
    assert hint(text, LAST) == "nothing_recorded"
    for place, of_engine in ((LOOP, False), (LAST, True), ("", False)):
        assert hint(text, place, of_engine) in UNSPECIFIC
