"""Comparison of the values that came with the expected ones, and the misconception behind a difference."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.feedback import Feedback
from autograder.helpers import Check, Expectations, Given, Kind, Values
from autograder.hints import HINTS
from autograder.worker.scenarios.common import CLASS, EMPTY_SPOT, NO_SPOT, NOTHING, ONE_ARRAY, SEQUENCES

# Below the rounding error of float32, which must not pass for float64 at any seed, and above what an epsilon of 1e-10 in a
# logarithm does.
RTOL = 2e-9
# The rounding error that is left where a step computed in float32.
SINGLE = 2e-6
# Relative to the largest entry: the rounding error that a chain of primitives leaves where terms cancel.
SCALE_TOL = 2e-10


@dataclass(frozen=True)
class Problem:
    """Reason why a check failed. hint: a key of HINTS; its sentence is a part of the feedback."""

    hint: str
    feedback: Feedback


def problem(
    key: str,
    *,
    given: str = "",
    looked_at: str = "",
    expected: str = "",
    came: str = "",
    place: str = "",
    **numbers: float,
) -> Problem:
    """A Problem with the hint's sentence. numbers: for the placeholders in it."""
    hint = HINTS[key].format(**numbers) if numbers else HINTS[key]
    parts: Feedback = {
        "given": given, "looked_at": looked_at, "expected": expected, "came": came, "place": place, "hint": hint,
    }  # fmt: skip
    return Problem(key, parts)


def with_hint(key: str, seen: Feedback, place: str = "") -> Problem:
    """The same difference of values with another hint."""
    given, looked_at, expected, came = seen["given"], seen["looked_at"], seen["expected"], seen["came"]
    return problem(key, given=given, looked_at=looked_at, expected=expected, came=came, place=place)


def judge(check: Check, given: Given, got: Any) -> Problem | None:
    """The first and most telling difference, or None if every expected value came back.

    got: plain data from the submission's process. Nothing else is assumed about it.
    """
    return compare(check, given, check.expect(given), got)


def compare(check: Check, given: Given, expected: Expectations, got: Any) -> Problem | None:
    """The same with the expected values, for several comparisons with them."""
    if not expected:
        raise ValueError(f"The check {check.name!r} expects nothing, so everything would pass it.")
    if not isinstance(got, dict):
        return problem("malformed", came="nothing that can be read")
    difference = _Difference(check, given, expected, got)
    # A changed input explains wrong values, so inputs come first.
    names = sorted(expected, key=lambda name: expected[name].kind is not Kind.GIVEN)
    with np.errstate(all="ignore"):
        for name in names:
            found = difference.of(name)
            if found is not None:
                key, factor = found
                # Text for people, who compare it entry by entry.
                return problem(
                    key,
                    looked_at=name,
                    given=describe_given(check, given),
                    expected=show(expected[name].array),
                    came=show(got.get(name)) if got.get(name) is not None else "nothing",
                    factor=factor,
                )
    return None


# Scenarios of the autograder's own operations, in which no path is cut: zeros mean that the engine brought nothing.
OWN_OPERATIONS = (
    "engine_chain", "engine_join", "engine_twice", "engine_slots", "engine_unused", "engine_dead_branch", "program",
)  # fmt: skip
# Kinds with one hint, whatever the difference is.
WHOLE = {Kind.LENGTH: "not_recorded", Kind.ENTRY: "record_identity"}


class _Difference:
    """Search for the misconception behind a difference: the key of a hint, and a factor where the hint names one."""

    def __init__(self, check: Check, given: Given, expected: Expectations, got: Values) -> None:
        self.check, self.given, self.got = check, given, got
        self.expected = expected
        self.arrays = {name: np.asarray(one.array) for name, one in expected.items()}

    def of(self, name: str) -> tuple[str, float] | None:
        """The misconception behind the value of this name, or None if the value is right."""
        expected, kind, got = self.arrays[name], self.expected[name].kind, self.got.get(name)
        if kind in WHOLE:
            return None if _is_right(got, expected) else self._suspect(name) or (WHOLE[kind], 0.0)
        if not isinstance(got, np.ndarray):
            gone = got == NO_SPOT and kind is Kind.GRADIENT and self.check.scenario in OWN_OPERATIONS
            return "spot_gone" if gone else _hint_for_phrase(got, kind), 0.0
        if kind is Kind.LOSS and got.size == 1 and got.ndim <= 2:
            # The number counts here, not its shape; the shape (1,) has a check of its own.
            got = got.reshape(expected.shape)
        if got.shape != expected.shape:
            return self._of_another(name, got) or (_hint_for_shape(kind, expected, got), 0.0)
        if got.dtype.kind != expected.dtype.kind and {got.dtype.kind, expected.dtype.kind} != {"i", "u"}:
            return ("integer" if got.dtype.kind in "iub" and expected.dtype.kind == "f" else "not_array"), 0.0
        if expected.dtype == np.float32 and got.dtype.itemsize != expected.dtype.itemsize:
            return "widened", 0.0
        if expected.dtype == np.float64 and got.dtype.itemsize < expected.dtype.itemsize and not self.check.rtol:
            return "narrowed", 0.0
        if close(got, expected, self.check.rtol):
            return None
        if kind is Kind.GIVEN:
            return "in_place", 0.0
        if not np.isfinite(got).all():
            return self.check.nonfinite, 0.0
        if kind is Kind.STATE:
            output = self.got.get("output")
            kept = isinstance(output, np.ndarray) and output.shape == got.shape and close(got, output)
            # A state that keeps a wrong output is as wrong as that.
            return "wrong" if kept else "state", 0.0
        if kind is Kind.SPOT:
            return self._suspect(name) or ("spot_not_empty", 0.0)
        return self._suspect(name) or self._general(name, expected, got)

    def _suspect(self, name: str) -> tuple[str, float] | None:
        """A misconception that the check itself declares."""
        for key, values in self.check.suspects(self.given, self.arrays):
            # A suspect may name several values; all of them have to agree.
            if name in values and all(_same(self.got.get(other), value) for other, value in values.items()):
                return key, 0.0
        return None

    def _general(self, name: str, expected: np.ndarray, got: np.ndarray) -> tuple[str, float]:
        """A misconception that can happen anywhere."""
        if not got.any() and self.expected[name].kind in (Kind.GRADIENT, Kind.SLOT):
            return ("empty_spot" if self.check.scenario in OWN_OPERATIONS else "zero"), 0.0
        if close(got, -expected):
            return "sign", 0.0
        if expected.ndim == 2 and expected.shape[0] == expected.shape[1] and close(got, expected.T):
            return "transposed", 0.0
        if other := self._of_another(name, got):
            return other
        if any(np.array_equal(got, np.round(expected, digits)) for digits in range(1, 7)):
            return "rounded", 0.0
        if close(got, expected, SINGLE):
            return "digits", 0.0
        if changed := _entry_by_entry(got, expected):
            return changed, 0.0
        factor = _constant_factor(got, expected)
        if factor is not None:
            return _name_factor(factor, self.check, self.given), factor
        if expected.ndim and len(expected) > 1 and close(got[:1], expected[:1]) and not got[1:].any():
            return "first_row", 0.0
        if self.check.scenario in OWN_OPERATIONS:
            of_one_row = (
                expected.ndim == 2 and len(expected) > 1 and close(got, np.broadcast_to(expected[:1], got.shape))
            )
            return ("single_array" if of_one_row else "engine_unknown"), 0.0
        return ("derivative" if self.expected[name].kind is Kind.GRADIENT else "wrong"), 0.0

    def _of_another(self, name: str, got: np.ndarray) -> tuple[str, float] | None:
        """The hint where another name's expected value came."""
        for other, one in self.expected.items():
            array = self.arrays[other]
            if other == name or one.kind is Kind.GIVEN or array.shape != got.shape or not close(got, array):
                continue
            mine, theirs = self.arrays[name], self.got.get(other)
            changed_places = isinstance(theirs, np.ndarray) and theirs.shape == mine.shape and close(theirs, mine)
            return ("swapped" if changed_places else "other_input"), 0.0
        return None


def _is_right(got: Any, expected: np.ndarray) -> bool:
    """Equality up to rounding, with the same shape and the same kind of numbers."""
    return (
        isinstance(got, np.ndarray)
        and got.shape == expected.shape
        and got.dtype.kind == expected.dtype.kind
        and close(got, expected)
    )


def close(got: np.ndarray, expected: np.ndarray, rtol: float = 0.0) -> bool:
    """Equality up to rounding, relative to each entry and to the largest entry. Both arrays have the same shape."""
    if expected.size == 0:
        return True
    tolerance = rtol or (1e-3 if expected.dtype == np.float32 else RTOL)
    scale = float(np.max(np.abs(expected))) * (rtol / 10 or SCALE_TOL)
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(got - expected) <= tolerance * np.abs(expected) + scale))


def _same(got: Any, values: Any) -> bool:
    if not isinstance(got, np.ndarray):
        return False
    if got.size == 1:
        got = got.reshape(np.shape(values)) if np.size(values) == 1 else got
    values = np.asarray(values, dtype=np.float64)
    if values.shape != got.shape or not np.isfinite(values).all():
        return False
    return close(got, values) if values.any() else not got.any()


def _entry_by_entry(got: np.ndarray, expected: np.ndarray) -> str:
    """The hint where each entry is right but for one change that all got; empty if there is none."""
    if not (expected < 0).any() or not got.any():
        return ""
    if close(got, np.abs(expected)):
        return "sign_lost"
    if close(got, np.maximum(expected, 0)):
        return "cut_at_zero"
    limit = np.max(np.abs(got))
    return "cut_off" if np.sum(np.abs(expected) > limit) >= 1 and close(got, np.clip(expected, -limit, limit)) else ""


def _constant_factor(got: np.ndarray, expected: np.ndarray) -> float | None:
    if got.size < 1 or not expected.any():
        return None
    pivot = int(np.argmax(np.abs(expected)))
    factor = float(got.ravel()[pivot] / expected.ravel()[pivot])
    return factor if factor and np.isfinite(factor) and expected.size > 1 and close(got, factor * expected) else None


def _name_factor(factor: float, check: Check, given: Given) -> str:
    """The hint for a result that is right but for a factor."""
    batches = [given[name] for name in ("y_hat", "x") if isinstance(given.get(name), np.ndarray) and given[name].ndim]
    batch = len(batches[0]) if batches else 1

    def near(value: float) -> bool:
        return abs(factor - value) < 1e-6 * value

    if check.mean_over_batch and batch > 1 and near(batch):
        return "not_averaged"
    if batch > 1 and near(1 / batch):
        return "divided_twice" if check.mean_over_batch else "batch_mean"
    if near(2):
        return "twice"
    if factor > 1 and near(round(factor)):
        return "counted_n"
    return "factor"


def _hint_for_phrase(phrase: Any, kind: Kind) -> str:
    """The hint for a phrase that a scenario sent instead of an array."""
    if kind is Kind.SPOT:
        return "spot_missing"
    if phrase is None or phrase == NOTHING:
        return "state_unset" if kind is Kind.STATE else "none"
    if not isinstance(phrase, str):
        return "not_array"
    if phrase in (NO_SPOT, EMPTY_SPOT):
        return "no_spot" if phrase == NO_SPOT else "empty_spot"
    if phrase == CLASS:
        return "returned_class"
    returned = kind is Kind.GRADIENT and (phrase == ONE_ARRAY or phrase.startswith(SEQUENCES))
    return "not_tuple" if returned else "not_array"


def _hint_for_shape(kind: Kind, expected: np.ndarray, got: np.ndarray) -> str:
    if kind in (Kind.LOSS, Kind.LOSS_SHAPE):
        return "scalar_loss"
    if expected.ndim == 2 and got.shape == expected.shape[::-1] and close(got.T, expected):
        return "transposed"
    if _is_sum_of(expected, got):
        return "not_summed"
    if kind in (Kind.GRADIENT, Kind.SLOT) and _is_sum_of(got, expected):
        return "oversummed"
    return "wrong_shape"


def _is_sum_of(sums: np.ndarray, array: np.ndarray) -> bool:
    """True if summing an array over some of its axes gives these numbers, whatever their shape."""
    if sums.size >= array.size or array.ndim > 4:
        return False
    choices = (axes for n in range(1, array.ndim + 1) for axes in itertools.combinations(range(array.ndim), n))
    summed = (array.sum(axis=axes) for axes in choices)
    return any(one.size == sums.size and close(one.ravel(), sums.ravel()) for one in summed)


def show(value: Any) -> str:
    """An array as text: its shape and its numbers, shortened. Other values are named by their type."""
    if not isinstance(value, np.ndarray):
        return readable(value, 200) if isinstance(value, str) else f"a {type(value).__name__}"
    precision = "" if value.dtype == np.float64 else f" {value.dtype}"
    if value.ndim > 4:
        # NumPy shows some entries along every axis; with many axes that is too much text.
        value, precision = value.ravel()[:6], f"{precision} ({value.ndim} axes, shape {value.shape}), of which"[:160]
    text = np.array2string(value, precision=5, threshold=24, edgeitems=3, max_line_width=100, suppress_small=False)
    if value.size == 1 and value.ndim <= 1:
        return text
    return f"shape {value.shape}{precision}\n{text}"


def readable(text: Any, most: int) -> str:
    """Untrusted text made safe for a terminal and a file: no control characters, no lone surrogates, limited length."""
    if not isinstance(text, str):
        return ""
    text = text if len(text) <= most else text[:most] + " ..."
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def describe_given(check: Check, given: Given) -> str:
    """The arrays and settings of a scenario as a line of text."""
    arrays = given["arrays"] if isinstance(given.get("arrays"), dict) else {}
    parts = []
    for name, value in {**given, **arrays}.items():
        if name == "steps" and arrays:
            parts.append("; ".join(" ".join(str(word) for word in step) for step in value))
        elif isinstance(value, np.ndarray):
            text = (
                np.array2string(value, precision=4, max_line_width=10**6).replace("\n", "") if value.size <= 4 else ""
            )
            parts.append(f"{name} {value.shape}" + (f" = {text}" if text else ""))
        elif value is not False and value is not arrays:
            parts.append(f"{name} = {value}")
    return (f"{check.story} " if check.story else "") + ", ".join(parts)
