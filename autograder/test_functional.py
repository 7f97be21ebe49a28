"""Checks of the backward functions: one row, then batches, then broadcasting; the arguments stay unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograder.helpers import (
    Check,
    Expectations,
    Expected,
    Given,
    Kind,
    Suspect,
    Values,
    apart,
    derivative,
    normal,
    positive,
)
from autograder.worker.scenarios.program import FORWARDS

NAME = "Functional"


def _forward(given: Given) -> Callable[..., Any]:
    if given["rule"] == "max_backward":
        return lambda a: np.where(np.real(a) > 0, a, 0)
    if given["rule"] == "sum_backward":
        return lambda a: np.sum(a, axis=given.get("axis"), keepdims=given.get("keepdims", False))
    return FORWARDS[given["rule"]]


def _inputs(given: Given) -> tuple[list[str], list[np.ndarray]]:
    names: list[str] = [name for name in ("a", "b") if name in given]
    return names, [given[name] for name in names]


def rule_expected(given: Given) -> Expectations:
    """The gradients that one call returns, and its unchanged arguments."""
    names, arrays = _inputs(given)
    wide = [array.astype(np.float64) for array in arrays]
    gradients = derivative(_forward(given), wide, given["grad"])
    expected = {
        f"gradient of {name}": Expected(gradient.astype(array.dtype), Kind.GRADIENT)
        for name, gradient, array in zip(names, gradients, arrays)
    }
    expected.update({f"{name} afterwards": Expected(given[name], Kind.GIVEN) for name in names})
    return {**expected, "grad_output afterwards": Expected(given["grad"], Kind.GIVEN)}


def rule_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    """The values that usual mistakes in a backward function lead to."""
    names, arrays = _inputs(given)
    grad, f = given["grad"], _forward(given)
    value = f(*arrays)
    labels = [f"gradient of {name}" for name in names]
    if len(labels) == 2 and arrays[0].shape == arrays[1].shape:
        yield "swapped", {labels[0]: expected[labels[1]], labels[1]: expected[labels[0]]}
    for label in labels:
        yield "sign", {label: -expected[label]}
    for label, array in zip(labels, arrays):
        yield "passed_through", {label: grad}
        yield "passed_through", {label: grad * np.ones(array.shape) if grad.shape == array.shape else grad}
        yield "forward_value", {label: value}
        if np.shape(value) == grad.shape:
            yield "times_forward", {label: grad * value}
    ones = derivative(f, arrays, np.ones(np.shape(grad)))
    for label, one in zip(labels, ones):
        yield "grad_ignored", {label: one}
    if np.ndim(grad) == 2 and len(grad) > 1:
        only = np.zeros(grad.shape)
        only[0] = grad[0]
        for label, first, right in zip(labels, derivative(f, arrays, only), (expected[n] for n in labels)):
            if first.shape[:1] != grad.shape[:1]:
                yield "first_row", {label: first}
                yield "batch_mean", {label: right / len(grad)}
    for label, array, other in zip(labels, arrays, reversed(arrays)):
        if len(arrays) == 2 and np.shape(grad) == array.shape == other.shape:
            yield "other_input", {label: grad * array}


def _pair(rule: str, shapes: list[tuple[Any, Any]], divides: bool = False, dtype: Any = np.float64) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for left, right in shapes:
            a, b = normal(rng, *left), (apart if divides else normal)(rng, *right)
            grad = normal(rng, *np.shape(FORWARDS[rule](a, b)))
            result.append({"rule": rule, "grad": grad.astype(dtype), "a": a.astype(dtype), "b": b.astype(dtype)})
        return result

    return cases


def _single(rule: str, shapes: list[tuple[int, ...]]) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        return [
            {
                "rule": rule,
                "grad": normal(rng, *s),
                "a": positive(rng, *s) if rule == "log_backward" else apart(rng, *s),
            }
            for s in shapes
        ]

    return cases


def _at_zero(rng: np.random.Generator) -> list[Given]:
    a = normal(rng, 4, 3)
    a[1:3] *= 0.0
    return [{"rule": "max_backward", "grad": normal(rng, 4, 3), "a": a}]


def _sums(rng: np.random.Generator) -> list[Given]:
    cases = []
    for axis, keepdims in ((0, False), (1, True), (None, False)):
        a = normal(rng, 4, 3)
        grad = normal(rng, *np.shape(a.sum(axis=axis, keepdims=keepdims))) if axis is not None else np.array(1.7)
        settings: Given = {"keepdims": keepdims} if axis is None else {"axis": axis, "keepdims": keepdims}
        cases.append({"rule": "sum_backward", "grad": grad, "a": a, **settings})
    return cases


SAME = [((1, 3), (1, 3)), ((4, 3), (4, 3)), ((7, 2), (7, 2)), ((3,), (3,))]
STRETCHED = [
    ((4, 3), (3,)),
    ((4, 3), (1, 3)),
    ((4, 3), (4, 1)),
    ((1, 3), (7, 3)),
    ((4, 1), (1, 3)),
    ((2, 4, 3), (4, 1)),
    ((4, 3), (1,)),
    ((3,), (4, 3)),
    ((1, 3), (3,)),
    ((3, 3), (3,)),
    ((3, 3), (3, 1)),
    ((2, 1, 3), (1, 5, 1)),
]


FLOAT32 = "float32 stays float32"


def _rule(rule: str, about: str, points: float, cases: Any, needed: bool = True) -> Check:
    """needed: other exercises that record the rule need this check."""
    return Check(
        NAME,
        f"{rule}: {about}",
        points,
        "rule",
        cases,
        rule_expected,
        rule_suspects,
        story=f"{rule}(grad_output, ...).",
        rule=rule if needed else "",
    )


CHECKS = [
    _rule("sub_backward", "same shapes", 0.5, _pair("sub_backward", SAME)),
    _rule("sub_backward", "broadcast", 0.5, _pair("sub_backward", STRETCHED)),
    _rule("matmul_backward", "one row", 0.5, _pair("matmul_backward", [((1, 3), (3, 2)), ((1, 5), (5, 4))])),
    _rule(
        "matmul_backward",
        "batches, no square",
        0.5,
        _pair(
            "matmul_backward",
            [((4, 3), (3, 2)), ((7, 2), (2, 5)), ((3, 3), (3, 3)), ((5, 1), (1, 4)), ((6, 3), (3, 1))],
        ),
    ),
    _rule(
        "outer_backward",
        "vectors of two lengths",
        0.25,
        _pair("outer_backward", [((3,), (5,)), ((4,), (4,)), ((1,), (6,))]),
    ),
    _rule(
        "outer_backward",
        "rows, which count as vectors",
        0.25,
        _pair("outer_backward", [((1, 3), (1, 5)), ((1, 4), (4,)), ((4,), (1, 4)), ((1, 1), (1, 6))]),
        needed=False,
    ),
    _rule("mul_backward", "same shapes", 0.5, _pair("mul_backward", SAME)),
    _rule("mul_backward", "broadcast", 0.5, _pair("mul_backward", STRETCHED)),
    _rule("div_backward", "same shapes", 0.5, _pair("div_backward", SAME, divides=True)),
    _rule("div_backward", "broadcast", 0.5, _pair("div_backward", STRETCHED, divides=True)),
    _rule("log_backward", "one row and batches", 0.75, _single("log_backward", [(1, 3), (4, 3), (3,), (2, 3, 2)])),
    _rule("exp_backward", "one row and batches", 0.75, _single("exp_backward", [(1, 3), (4, 3), (3,), (2, 3, 2)])),
    _rule("add_backward", "the given example still works", 0, _pair("add_backward", SAME + STRETCHED)),
    _rule("max_backward", "maximum with zero", 0, _single("max_backward", [(1, 3), (4, 3), (3, 3)])),
    _rule("max_backward", "zero at exactly 0", 0, _at_zero, needed=False),
    _rule("sum_backward", "along an axis, kept or not", 0, _sums),
    _rule(
        "mul_backward", FLOAT32, 0, _pair("mul_backward", [((4, 3), (4, 3)), ((4, 3), (3,))], dtype=np.float32), False
    ),
    _rule("matmul_backward", FLOAT32, 0, _pair("matmul_backward", [((4, 3), (3, 2))], dtype=np.float32), False),
    _rule("div_backward", FLOAT32, 0, _pair("div_backward", SAME[:2], divides=True, dtype=np.float32), False),
]


def test_functional(outcome: Any) -> None:
    outcome.require()
