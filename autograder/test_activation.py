"""Checks of Identity, Sigmoid, Tanh and ReLU: values and state, and gradients at the end and in the middle of a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autograder.helpers import FORWARD, Check, Expectations, Expected, Given, Kind, Suspect, Values, derivative, normal

NAMES = ("Identity", "Sigmoid", "Tanh", "ReLU")


def _forward_expected(given: Given) -> Expectations:
    y = FORWARD[given["activation"]](given["x"])
    return {"output": Expected(y), "x afterwards": Expected(given["x"], Kind.GIVEN)}


def _state_expected(given: Given) -> Expectations:
    return {"state": Expected(FORWARD[given["activation"]](given["x"]), Kind.STATE)}


def _forward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    x = given["x"]
    yield "passed_through", {"output": x}
    f = FORWARD[given["activation"]]
    yield "sign", {"output": f(-x)}
    # The scenario calls the layer with this first.
    yield "earlier_output", {"output": f(-0.5 * x)}
    for most in (6.0, 10.0, 20.0):
        yield "clipped", {"output": f(np.clip(x, -most, most))}
        yield "clipped", {"output": np.clip(f(x), -most, most)}
    if given["activation"] == "ReLU":
        for slope in (-1.0, 0.01, 0.1, 0.2):
            yield "negative_side", {"output": np.where(x > 0, x, slope * x)}
        yield "negative_side", {"output": np.minimum(x, 0)}
    elif given["activation"] != "Identity":
        for factor in (0.5, 2.0):
            yield "scaled_input", {"output": f(factor * x)}
        for step in (-1.0, -0.5, 0.5, 1.0):
            yield "offset", {"output": f(x) + step}
        with np.errstate(divide="ignore"):
            yield "inverted", {"output": 1 / f(x)}


# Derivatives in terms of the output, as they are often taken from a formula and then given the input.
OF_OUTPUT = {"Sigmoid": lambda y: y * (1 - y), "Tanh": lambda y: 1 - y**2}


def _network(given: Given, f: Any) -> Any:
    """The scenario's computation as a function of x."""
    where = given["where"]

    def total(x: Any) -> Any:
        h = x if where == "last" else 1.7 * x + 0.25
        y = f(h)
        if where == "last":
            return y
        return (2 * y - 3 * h) + y**3 if where == "used twice" else (1.7 * y + 0.25) ** 3

    return total


def _backward_expected(given: Given) -> Expectations:
    f = FORWARD[given["activation"]]
    (gradient,) = derivative(_network(given, f), [given["x"]], given["g"])
    return {"gradient of x": Expected(gradient, Kind.GRADIENT), "x afterwards": Expected(given["x"], Kind.GIVEN)}


def _backward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    f, x, g, where = FORWARD[given["activation"]], given["x"], given["g"], given["where"]
    name = "gradient of x"
    if where == "used twice":
        h = 1.7 * x + 0.25
        y = f(h)
        inner = derivative(f, [h], np.ones(h.shape))[0]
        ways = [1.7 * -3 * g, 1.7 * 2 * inner * g, 1.7 * 3 * y**2 * inner * g]
        for way in ways:
            yield "one_path", {name: way}
            yield "one_path", {name: expected[name] - way}
        yield "one_path", {name: ways[1] + ways[2]}
        below = {"wrong_point": [derivative(f, [y], np.ones(h.shape))[0]], "times_forward": [y]}
        below["wrong_point"] += [OF_OUTPUT[given["activation"]](h)] if given["activation"] in OF_OUTPUT else []
        below["passed_through"] = [np.ones(h.shape)] if given["activation"] != "Identity" else []
        for hint, slopes in below.items():
            for slope in slopes:
                yield hint, {name: ways[0] + 1.7 * (2 + 3 * y**2) * slope * g}
        for exchanged in _exchanged(given["activation"], h, (2 + 3 * y**2) * g):
            yield "gradient_last", {name: ways[0] + 1.7 * exchanged}
        return
    if where != "last":
        h = 1.7 * x + 0.25
        y, over = f(h), 1.7
        upstream = g * 3 * (1.7 * y + 0.25) ** 2 * 1.7
        yield "wrong_point", {name: over * derivative(f, [y], upstream)[0]}
        yield "wrong_point", {name: over * derivative(f, [x], upstream)[0]}
        if where == "middle" and given["activation"] != "Identity":
            # What the scenario gives to another object of the class.
            yield "shared_state", {name: over * derivative(f, [0.25 - 0.75 * h], upstream)[0]}
        if given["activation"] in OF_OUTPUT:
            yield "wrong_point", {name: over * upstream * OF_OUTPUT[given["activation"]](h)}
        yield "grad_ignored", {name: over * derivative(f, [h], np.ones(h.shape))[0]}
        if given["activation"] != "Identity":
            yield "passed_through", {name: over * upstream}
        yield "times_forward", {name: over * upstream * y}
        for exchanged in _exchanged(given["activation"], h, upstream):
            yield "gradient_last", {name: over * exchanged}
        yield "stale", {name: expected[name] + 1.7 * derivative(f, [h], np.ones(h.shape))[0]}
        return
    y = f(x)
    if given["activation"] != "Identity":
        yield "passed_through", {name: g}
    if not x.all():
        for share in (1.0, 0.5):
            yield "at_zero", {name: np.where(x == 0, share * g, expected[name])}
    yield "wrong_point", {name: derivative(f, [y], g)[0]}
    if given["activation"] in OF_OUTPUT:
        yield "wrong_point", {name: g * OF_OUTPUT[given["activation"]](x)}
    yield "grad_ignored", {name: derivative(f, [x], np.ones(x.shape))[0]}
    yield "times_forward", {name: g * y}
    yield "forward_value", {name: y}
    for exchanged in _exchanged(given["activation"], x, g):
        yield "gradient_last", {name: exchanged}


def _exchanged(activation: str, x: np.ndarray, g: np.ndarray) -> Iterable[np.ndarray]:
    """Gradients by a backward function that takes its input for grad_output, with the input or with a kept output."""
    if activation == "Identity":
        return
    f = FORWARD[activation]
    yield derivative(f, [g], x)[0]
    if activation in OF_OUTPUT:
        yield derivative(f, [x], x)[0]


def _given(activation: str, batches: tuple[int, ...]) -> Any:
    return lambda rng: [
        *({"activation": activation, "x": normal(rng, n, 3)} for n in batches),
        *({key: case[key] for key in ("activation", "x")} for case in _ordinary(activation)(rng)),
    ]


def _ordinary(activation: str) -> Any:
    """Values at 0 and as far as 30 to both sides, where no exponential is near its limits."""
    x = np.array([[0.0, -30.0, 12.5, -0.0, 6.5], [30.0, -12.5, 0.25, -6.5, 0.0]])
    return lambda rng: [{"activation": activation, "x": x.copy(), "g": normal(rng, 2, 5), "where": "last"}]


def _backward_cases(activation: str, batches: tuple[int, ...], where: str) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for n in batches:
            x = normal(rng, n, 2 if n == 7 else 3)
            # Both signs at every seed: with positive numbers alone, a ReLU without its mask would pass.
            x[0, :2] = np.abs(x[0, :2]) * [1, -1]
            # At the end of a network gradients are above 1 in size at every seed, so that clipping them shows for everyone.
            g = (8 if where == "last" else 1) * normal(rng, *x.shape)
            given = {"activation": activation, "x": x, "g": g, "where": where}
            if where == "second step":
                given["before"] = normal(rng, *x.shape)
            result.append(given)
        return result

    return cases


def _extreme(activation: str) -> Any:
    x = np.array([[-1e4, -700.0, -40.0, -1.0], [1.0, 40.0, 700.0, 1e4]])
    return lambda rng: [{"activation": activation, "x": x.copy(), "g": normal(rng, 2, 4), "where": "last"}]


def _extreme_gradient(given: Given) -> Expectations:
    x = given["x"]
    if given["activation"] in ("Identity", "ReLU"):
        return _backward_expected(given)
    k = 1.0 if given["activation"] == "Sigmoid" else 2.0
    tail = np.exp(-k * np.abs(x))
    return {"gradient of x": Expected(given["g"] * k * k * tail / (1 + tail) ** 2, Kind.GRADIENT)}


def _checks(name: str) -> list[Check]:
    backward = "activation_backward"

    def gradient(title: str, points: float, batches: tuple[int, ...], where: str, story: str) -> Check:
        return Check(
            f"{name} Backward",
            title,
            points,
            backward,
            _backward_cases(name, batches, where),
            _backward_expected,
            _backward_suspects,
            story=story,
        )

    forward = f"{name} Forward"
    return [
        Check(
            forward,
            "the output",
            0.75,
            "activation_forward",
            _given(name, (1, 4, 7)),
            _forward_expected,
            _forward_suspects,
        ),
        Check(forward, ".state keeps the output", 0.25, "activation_forward", _given(name, (1, 4)), _state_expected),
        gradient("one row", 1, (1,), "last", f"{name} is the last operation."),
        gradient("batches", 0.75, (4, 7, 3), "last", f"{name} is the last operation."),
        Check(
            f"{name} Backward",
            "at 0, and as far as 30",
            0.25,
            backward,
            _ordinary(name),
            _backward_expected,
            _backward_suspects,
            story=f"{name} is the last operation.",
        ),
        gradient(
            "in the middle of a network", 1, (1, 4), "middle", f"1.7 x + 0.25, then {name}, then 1.7 y + 0.25 cubed."
        ),
        gradient(
            "input and output used again",
            0.5,
            (4,),
            "used twice",
            f"With h = 1.7 x + 0.25 and y = {name}(h), 2 y - 3 h + y cubed.",
        ),
        gradient(
            "a second training step", 0.5, (4,), "second step", f"Two steps through {name} with zero_grad() in between."
        ),
        Check(forward, "values as large as 10000", 0, "activation_forward", _extreme(name), _forward_expected),
        Check(f"{name} Backward", "values as large as 10000", 0, backward, _extreme(name), _extreme_gradient),
    ]


CHECKS = [check for name in NAMES for check in _checks(name)]


def test_activation(outcome: Any) -> None:
    outcome.require()
