"""Checks of SoftmaxCrossEntropy, and of MSELoss as practice: means over the batch, gradients, large scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
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
    cross_entropy,
    derivative,
    normal,
    one_hot,
)

FORWARD, BACKWARD = "SoftmaxCrossEntropy Forward", "SoftmaxCrossEntropy Backward"


def _value(given: Given) -> Any:
    y = given["y"]
    if given["loss"] == "MSELoss":
        return lambda p: np.sum((p - y) ** 2) / y.size
    return lambda p: np.sum(cross_entropy(p, y)) / len(y)


def _inner(given: Given) -> Any:
    return (lambda x: x) if given["where"] == "alone" else (lambda x: 1.7 * x**3 + 0.25)


def _unchanged(y_hat: np.ndarray, y: np.ndarray) -> Expectations:
    return {"y_hat afterwards": Expected(y_hat, Kind.GIVEN), "y afterwards": Expected(y, Kind.GIVEN)}


def _loss(given: Given) -> np.ndarray:
    return np.reshape(_value(given)(given["y_hat"]), (1,))


def _forward_expected(given: Given) -> Expectations:
    return {"loss": Expected(_loss(given), Kind.LOSS), **_unchanged(given["y_hat"], given["y"])}


def _forward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    y, p = given["y"], given["y_hat"]
    loss, n = expected["loss"], len(y)
    if given["loss"] == "MSELoss":
        yield "not_averaged", {"loss": loss * y.size}
        return
    yield "sign", {"loss": -loss}
    if n > 1:
        yield "not_averaged", {"loss": loss * n}
        yield "divided_twice", {"loss": loss / n}
        yield "first_row", {"loss": cross_entropy(p, y)[:1]}
        yield "first_row", {"loss": cross_entropy(p, y)[:1] / n}
    yield "mean_over_entries", {"loss": loss / y.shape[1]}
    for base in (2.0, 10.0):
        yield "log_base", {"loss": loss / np.log(base)}
    yield "labels_swapped", {"loss": [float(np.sum(cross_entropy(y, p)) / n)]}
    largest = p == p.max(axis=1, keepdims=True)
    for truth in (np.ones(y.shape), largest):
        yield "labels_ignored", {"loss": [float(np.sum(cross_entropy(p, truth)) / n)]}
    for most in (20.0, 50.0, 100.0, 500.0, 700.0):
        yield "clipped", {"loss": [float(np.sum(cross_entropy(np.clip(p, -most, most), y)) / n)]}
    shares = np.exp(p - p.max(axis=1, keepdims=True))
    total = shares.sum(axis=1, keepdims=True)
    for tiny in 10.0 ** -np.arange(1, 17):
        for inside in (shares / total + tiny, np.maximum(shares / total, tiny), shares / (total + tiny)):
            yield "clipped", {"loss": [-float(np.sum(y * np.log(np.maximum(inside, 1e-300)))) / n]}
        within = y * np.log(np.clip(shares / total, tiny, 1 - tiny))
        yield "clipped", {"loss": [-float(np.sum(within)) / n]}
        yield "clipped", {"loss": [float(np.sum(y * (np.log(total + tiny) + p.max(axis=1, keepdims=True) - p))) / n]}
    with np.errstate(all="ignore"):
        yield "no_softmax", {"loss": [float(-np.sum(y * np.log(np.abs(p))) / n)]}
        yield "softmax_axis", {"loss": [float(np.sum(cross_entropy(p.T, y.T)) / n)]}


def _backward_expected(given: Given) -> Expectations:
    inner, value, x = _inner(given), _value(given), given["x"]
    (gradient,) = derivative(value, [inner(x)], 1.0)
    expected = {"gradient of y_hat": Expected(gradient, Kind.GRADIENT)}
    if given["where"] != "alone":
        (gradient,) = derivative(lambda a: value(inner(a)), [x], 1.0)
        expected["gradient of x"] = Expected(gradient, Kind.GRADIENT)
    return {**expected, **_unchanged(x, given["y"])}


def _backward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    y, p = given["y"], _inner(given)(given["x"])
    right = expected["gradient of y_hat"]
    n, classes = p.shape
    loss = float(_value(given)(p))
    for name in ("gradient of y_hat",):
        yield "own_loss", {name: right * loss}
        if given["loss"] == "MSELoss":
            yield "not_averaged", {name: right * p.size}
            yield "factor", {name: right * classes}
            continue
        if n > 1:
            yield "not_averaged", {name: right * n}
            yield "divided_twice", {name: right / n}
            yield "first_row", {name: right * (np.arange(n) == 0)[:, None]}
        yield "mean_over_entries", {name: right / classes}
        yield "mean_over_entries", {name: right * n / p.size}
        for scale in (1.0, 1.0 / n):
            yield "labels_ignored", {name: right * n * scale + y * scale}
            yield "truth_masks", {name: right * (1 - y) * n * scale}
            yield "no_softmax", {name: (p - y) * scale}
            yield "labels_swapped", {name: (y - p) * scale}
            of_truth = np.exp(y)
            yield "labels_swapped", {name: (of_truth / of_truth.sum(axis=1, keepdims=True) - p) * scale}
            yield "forward_value", {name: y * scale}
            over_samples = np.exp(p - p.max(axis=0))
            yield "softmax_axis", {name: (over_samples / over_samples.sum(axis=0) - y) * scale}
            of_rows = np.exp(p - p.max(axis=1, keepdims=True))
            yield "softmax_axis", {name: (of_rows / of_rows.sum(axis=0) - y) * scale}
            yield "softmax_axis", {name: (of_rows / of_rows.sum() - y) * scale}


def _pairs(loss: str, batches: tuple[int, ...], scale: float = 1.0, shift: float = 0.0, classes: int = 0) -> Any:
    """classes: their number; as it stands, 3, or 5 in the batch of 7."""

    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for n in batches:
            k = classes or (5 if n == 7 else 3)
            y = one_hot(rng, n, k) if loss != "MSELoss" else normal(rng, n, k)
            y_hat = scale * normal(rng, n, k) + shift
            if loss != "MSELoss":
                # If every true score were the largest, loss and gradient would consist of rounding errors.
                y_hat[0], y[0] = np.sort(y_hat[0])[::-1], np.arange(k) == k - 1
            result.append({"loss": loss, "y": y, "y_hat": y_hat})
        return result

    return cases


def _backward_cases(
    loss: str, batches: tuple[int, ...], where: str = "alone", scale: float = 1.0, shift: float = 0.0
) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for given in _pairs(loss, batches, scale, shift)(rng):
            x = given.pop("y_hat")
            result.append(
                {
                    **given,
                    "x": x,
                    "where": where,
                    **({"before": normal(rng, *x.shape)} if where == "second step" else {}),
                }
            )
        return result

    return cases


def _one_scale_per_row(cases: Any) -> Any:
    """The same cases, with the scores of each row around another number, from -800 to 800."""

    def moved(rng: np.random.Generator) -> list[Given]:
        result = []
        for given in cases(rng):
            name = "x" if "x" in given else "y_hat"
            result.append({**given, name: given[name] + np.linspace(-800, 800, len(given[name]))[:, None]})
        return result

    return moved


def _inside_cases(rng: np.random.Generator) -> list[Given]:
    result = []
    for n, classes in ((1, 3), (4, 3), (3, 5)):
        (first,) = _pairs(NAME, (n,), classes=classes)(rng)
        result.append(
            {"loss": NAME, "x": first["y_hat"], "y": first["y"], "y of second": np.roll(first["y"], 1, axis=1)}
        )
    return result


def _inside_with(given: Given, first: float, second: float) -> Values:
    y, other, scores = given["y"], given["y of second"], 1.7 * given["x"] + 0.25

    def total(p: Any) -> Any:
        return (first * np.sum(cross_entropy(p, y)) + second * np.sum(cross_entropy(p, other))) / len(y)

    (gradient,) = derivative(total, [scores], 1.0)
    return {"gradient of the scores": gradient, "gradient of x": 1.7 * gradient}


def _inside_expected(given: Given) -> Expectations:
    return {name: Expected(array, Kind.GRADIENT) for name, array in _inside_with(given, 2.0, -3.0).items()}


def _inside_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    for first, second, key in (
        (1.0, 1.0, "grad_ignored"), (2.0, 0.0, "one_path"), (0.0, -3.0, "one_path"),
    ):  # fmt: skip
        for name, array in _inside_with(given, first, second).items():
            yield key, {name: array}


def _shape_expected(given: Given) -> Expectations:
    return {"shape of the loss": Expected(np.array([1]), Kind.LOSS_SHAPE), "loss_val": Expected(_loss(given))}


def _two(first: Any, second: Any) -> Any:
    """The cases of both."""
    return lambda rng: [*first(rng), *second(rng)]


NAME = "SoftmaxCrossEntropy"
NETWORK = "The scores are 1.7 x cubed + 0.25."


def _forward(title: str, points: float, batches: tuple[int, ...], name: str = NAME, exercise: str = FORWARD) -> Check:
    cases = _pairs(name, batches)
    return Check(exercise, title, points, "loss_forward", cases, _forward_expected, _forward_suspects)


def _backward(title: str, points: float, cases: Any, exercise: str = BACKWARD, story: str = "") -> Check:
    return Check(exercise, title, points, "loss_backward", cases, _backward_expected, _backward_suspects, story=story)


def _of_a_loss(check: Check) -> Check:
    return replace(check, mean_over_batch=True, nonfinite="nonfinite" if check.exercise == "MSELoss" else "overflow")


_ALL = [
    _forward("one sample", 0.25, (1,)),
    _forward("the mean over a batch", 0.5, (4, 7, 3)),
    replace(
        _forward("large scores", 0.25, (4,)),
        cases=_two(_pairs(NAME, (4,), scale=1500.0, shift=6000.0), _one_scale_per_row(_pairs(NAME, (3,)))),
    ),
    _backward("one sample", 1, _backward_cases(NAME, (1, 1))),
    _backward("batches", 0.75, _backward_cases(NAME, (4, 7, 3))),
    _backward("behind a network", 0.5, _backward_cases(NAME, (1, 4), "network"), story=NETWORK),
    Check(
        BACKWARD,
        "multiplied by what comes from above",
        0.5,
        "loss_inside",
        _inside_cases,
        _inside_expected,
        _inside_suspects,
        story="2 first - 3 second, two losses on the scores 1.7 x + 0.25.",
    ),
    _backward(
        "large scores",
        0.75,
        _two(
            _two(_backward_cases(NAME, (4,), scale=30.0, shift=900.0), _backward_cases(NAME, (3,), scale=500.0)),
            _one_scale_per_row(_backward_cases(NAME, (3,))),
        ),
    ),
    _backward("a second training step", 0.5, _backward_cases(NAME, (4,), "second step"), story=NETWORK),
    Check(FORWARD, "an array of shape (1,), kept in loss_val", 0, "loss_shape", _pairs(NAME, (4,)), _shape_expected),
    _forward("one sample", 0, (1,), "MSELoss", "MSELoss"),
    _forward("the mean over a batch", 0, (4, 7), "MSELoss", "MSELoss"),
    _backward("gradients, one sample", 0, _backward_cases("MSELoss", (1,)), "MSELoss"),
    _backward("gradients, batches", 0, _backward_cases("MSELoss", (4, 7)), "MSELoss"),
    _backward("gradients behind a network", 0, _backward_cases("MSELoss", (4,), "network"), "MSELoss", NETWORK),
]  # fmt: skip

CHECKS = [_of_a_loss(check) for check in _ALL]


def test_loss(outcome: Any) -> None:
    outcome.require()
