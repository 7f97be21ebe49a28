"""Comparison by the kind of a value: each kind has its hints, whatever the value is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograder.compare import judge
from autograder.helpers import Check, Expected, Given, Kind
from autograder.hints import HINTS
from autograder.worker.scenarios.common import EMPTY_SPOT, NO_SPOT, ONE_ARRAY, plain

# Names that once decided how a value was compared.
NAMES = ("y", "operation 0 output", "x afterwards", "the spot of x", "loss", "state", "gradient of x", "dW")
RIGHT = np.array([[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]])
GIVEN: Given = {"x": np.ones((2, 3))}


def hint(kind: Kind, got: Any, name: str = "y", right: Any = RIGHT, **changes: Any) -> str | None:
    """The key of the hint for a value of this kind; None where it is right."""
    settings = {"points": 1, "scenario": "rule", "cases": lambda rng: [GIVEN], **changes}
    check = Check("Linear", "a check", expect=lambda given: {name: Expected(right, kind)}, **settings)
    found = judge(check, GIVEN, {name: got})
    assert found is None or found.hint in HINTS
    return found.hint if found else None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("kind", "by_value", "by_shape"),
    [
        (Kind.RESULT, "wrong", "wrong_shape"),
        (Kind.GRADIENT, "derivative", "oversummed"),
        (Kind.SLOT, "wrong", "oversummed"),
        (Kind.GIVEN, "in_place", "wrong_shape"),
        (Kind.LOSS, "wrong", "scalar_loss"),
        (Kind.LOSS_SHAPE, "wrong", "scalar_loss"),
        (Kind.STATE, "state", "wrong_shape"),
        (Kind.SPOT, "spot_not_empty", "wrong_shape"),
        (Kind.LENGTH, "not_recorded", "not_recorded"),
        (Kind.ENTRY, "record_identity", "record_identity"),
    ],
)
def test_a_kind_has_its_hints_whatever_the_name(kind: Kind, by_value: str, by_shape: str, name: str) -> None:
    assert hint(kind, RIGHT.copy(), name) is None
    assert hint(kind, RIGHT + RIGHT**2, name) == by_value
    assert hint(kind, RIGHT.sum(axis=0), name) == by_shape


@pytest.mark.parametrize(
    ("got", "expected"),
    [(np.stack([RIGHT, 0 * RIGHT]), "not_summed"), (np.stack([RIGHT, RIGHT]), "wrong_shape"),
     (RIGHT.sum(axis=1), "oversummed"), (RIGHT.sum(), "oversummed"), (RIGHT[0], "wrong_shape")],
)  # fmt: skip
def test_a_shape_is_blamed_on_a_sum_where_the_numbers_say_so(got: Any, expected: str) -> None:
    assert hint(Kind.GRADIENT, np.asarray(got)) == expected


def test_a_state_that_keeps_a_wrong_output_is_no_mistake_of_its_own() -> None:
    check = Check(
        "Tanh Forward", "state", 1, "rule", lambda rng: [GIVEN], lambda g: {"state": Expected(RIGHT, Kind.STATE)}
    )
    for output, expected in ((2 * RIGHT, "wrong"), (RIGHT, "state"), (None, "state")):
        found = judge(check, GIVEN, {"state": 2 * RIGHT, "output": output})
        assert found is not None
        assert found.hint == expected


@pytest.mark.parametrize(
    ("kind", "expected"), [(Kind.GRADIENT, "zero"), (Kind.SLOT, "zero"), (Kind.RESULT, "wrong"), (Kind.LOSS, "wrong")]
)
def test_zeros_cut_a_path_where_a_gradient_is_expected(kind: Kind, expected: str) -> None:
    right = np.array([2.0]) if kind is Kind.LOSS else RIGHT
    assert hint(kind, 0 * right, right=right) == expected


def test_every_kind_is_tried() -> None:
    (marker,) = (m for m in test_a_kind_has_its_hints_whatever_the_name.pytestmark if m.args[0] != "name")  # type: ignore[attr-defined]
    assert {case[0] for case in marker.args[1]} == set(Kind)


def test_a_loss_is_compared_as_a_number() -> None:
    for got in (np.array(2.0), np.array([2.0]), np.array([[2.0]])):
        assert hint(Kind.LOSS, got, right=np.array([2.0])) is None
    assert hint(Kind.RESULT, np.array(2.0), right=np.array([2.0])) == "wrong_shape"


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (None, "none"), (plain(None), "none"), (NO_SPOT, "no_spot"), (EMPTY_SPOT, "empty_spot"), (ONE_ARRAY, "not_tuple"),
        (plain((1, 2)), "not_tuple"), (plain([1]), "not_tuple"), (plain({}), "not_array"), (plain("no spot"), "not_array"),
        ("no spot of mine", "not_array"), (3, "not_array"),
    ],
)  # fmt: skip
def test_what_stands_in_place_of_an_array(got: Any, expected: str) -> None:
    assert hint(Kind.GRADIENT, got) == expected
    assert hint(Kind.RESULT, got) == ("not_array" if expected == "not_tuple" else expected)
    assert hint(Kind.SPOT, got) == "spot_missing"
    assert hint(Kind.ENTRY, got) == "record_identity"


def test_a_check_says_which_hint_nan_gets_and_whether_it_is_a_mean() -> None:
    nan = np.where(RIGHT > 1, RIGHT, np.nan)
    assert hint(Kind.RESULT, nan) == "nonfinite"
    assert hint(Kind.RESULT, nan, nonfinite="overflow") == "overflow"
    assert hint(Kind.RESULT, RIGHT / 2) == "batch_mean"
    assert hint(Kind.RESULT, RIGHT / 2, mean_over_batch=True) == "divided_twice"
    assert hint(Kind.RESULT, RIGHT * 2) == "twice"
    assert hint(Kind.RESULT, RIGHT * 2, mean_over_batch=True) == "not_averaged"


def test_a_changed_input_is_told_first() -> None:
    expected = {"y": Expected(RIGHT), "x": Expected(GIVEN["x"], Kind.GIVEN)}
    check = Check("Linear", "a check", 1, "rule", lambda rng: [GIVEN], lambda given: expected)
    found = judge(check, GIVEN, {"y": -RIGHT, "x": -GIVEN["x"]})
    assert found is not None
    assert (found.hint, found.feedback["looked_at"]) == ("in_place", "x")
    # A given array is no other input with which a result could have been mixed up.
    found = judge(check, GIVEN, {"y": GIVEN["x"], "x": GIVEN["x"]})
    assert found is not None
    assert found.hint == "wrong"


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ({"a": RIGHT[::-1], "b": RIGHT[0]}, "swapped"),
        ({"a": RIGHT[::-1], "b": RIGHT[::-1]}, "other_input"),
    ],
    ids=["both", "one of them twice"],
)
def test_two_gradients_in_each_others_place(got: dict[str, Any], expected: str) -> None:
    wanted = {"a": Expected(RIGHT[0], Kind.GRADIENT), "b": Expected(RIGHT[::-1], Kind.GRADIENT)}
    check = Check("Functional", "a check", 1, "rule", lambda rng: [GIVEN], lambda given: wanted)
    found = judge(check, GIVEN, got)
    assert found is not None
    assert found.hint == expected


def test_the_autograders_own_operations_have_no_formula_to_compare_with() -> None:
    """A row taken for the whole array is known; for what is not known, the hint sends nobody to a formula of theirs."""
    rows = np.broadcast_to(RIGHT[:1], RIGHT.shape)
    assert hint(Kind.GRADIENT, rows, scenario="engine_chain") == "single_array"
    assert hint(Kind.GRADIENT, RIGHT + RIGHT**2, scenario="engine_chain") == "engine_unknown"
    assert hint(Kind.GRADIENT, 0 * RIGHT, scenario="engine_chain") == "empty_spot"
    assert hint(Kind.GRADIENT, 0 * RIGHT, scenario="rule") == "zero"


def test_rounded_numbers_are_named() -> None:
    right = RIGHT / 7
    assert hint(Kind.RESULT, np.round(right, 3), right=right) == "rounded"


@pytest.mark.parametrize(
    ("change", "expected"),
    [(np.abs, "sign_lost"), (lambda x: np.maximum(x, 0), "cut_at_zero"), (lambda x: np.clip(x, -3, 3), "cut_off")],
)
def test_one_change_of_every_entry_is_named(change: Any, expected: str) -> None:
    right = RIGHT * [[1, -1, 1], [-1, 1, -1]]
    assert hint(Kind.GRADIENT, change(right), right=right) == expected
    assert hint(Kind.GRADIENT, change(right), right=right, scenario="engine_chain") == expected
