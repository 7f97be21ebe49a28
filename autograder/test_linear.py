"""Checks of Linear: its output, dW and db, two layers, two steps, skip connections, shared layers, and the MLP as practice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograder.helpers import (
    FORWARD,
    Check,
    Expectations,
    Expected,
    Given,
    Kind,
    Suspect,
    Values,
    cross_entropy,
    derivative,
    linear,
    normal,
    one_hot,
)

LINEAR, SKIP, MLP = "Linear", "Linear with Skip", "MLP"
NAMES = {"x": "gradient of x", "W": "dW", "b": "db"}


def _parameter_or_input(name: str, gradient: np.ndarray) -> Expected:
    """An expected gradient: of x from the buffer, of a weight or bias from the layer's own array."""
    return Expected(gradient, Kind.GRADIENT if name == NAMES["x"] else Kind.SLOT)


def _forward_expected(given: Given) -> Expectations:
    output = linear(given["x"], given["W"], given["b"])
    return {"output": Expected(output), "x afterwards": Expected(given["x"], Kind.GIVEN)}


def _forward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    b = given["b"].reshape(1, -1)
    yield "missing_bias", {"output": expected["output"] - b}
    yield "bias_twice", {"output": expected["output"] + b}
    yield "sign", {"output": expected["output"] - 2 * b}
    if len(given["x"]) > 1:
        yield "first_row", {"output": expected["output"] - b * (np.arange(len(given["x"])) > 0)[:, None]}
    if given["W"].shape[0] == given["W"].shape[1]:
        yield "not_transposed", {"output": given["x"] @ given["W"] + b}


def _layers(given: Given) -> tuple[Callable[..., Any], list[np.ndarray], list[str]]:
    """The layers as a function of all arrays, these arrays, and the names of their gradients."""
    if "W2" in given:
        arrays = [given[name] for name in ("x", "W", "b", "W2", "b2")]

        def two(x: Any, W: Any, b: Any, W2: Any, b2: Any) -> Any:
            return linear(linear(x, W, b) ** 3, W2, b2)

        return two, arrays, ["gradient of x", "dW1", "db1", "dW2", "db2"]
    return linear, [given[name] for name in ("x", "W", "b")], ["gradient of x", "dW", "db"]


def _backward_expected(given: Given) -> Expectations:
    f, arrays, names = _layers(given)
    steps, zero = given["steps"], given["zero"]
    expected: Expectations = {}
    for name, gradient in zip(names, derivative(f, arrays, given["g"])):
        # Step k starts from k times g; gradients of parameters add up unless they are zeroed.
        last = steps if zero or name == "gradient of x" else steps * (steps + 1) / 2
        expected[name] = _parameter_or_input(name, gradient * last)
    return {**expected, **{f"{name} afterwards": Expected(given[name], Kind.GIVEN) for name in ("x", "W", "b")}}


def _backward_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    f, arrays, names = _layers(given)
    single = dict(zip(names, derivative(f, arrays, given["g"])))
    n = len(given["x"])
    for name, gradient in single.items():
        if given["steps"] > 1 and not given["zero"] and name != "gradient of x":
            yield "accumulate", {name: gradient * given["steps"]}
        if given["zero"] and name != "gradient of x":
            yield "stale", {name: gradient * 3}
        if n > 1:
            yield "batch_mean", {name: expected[name] / n}
        if name.startswith("d"):
            yield "slot_unchanged", {name: np.zeros(gradient.shape)}
    if n > 1 and "W2" not in given:
        first = derivative(f, arrays, given["g"] * (np.arange(n) == 0)[:, None])
        for name, gradient in zip(names[1:], first[1:]):
            yield "first_row", {name: gradient}


def _weights(rng: np.random.Generator, n_in: int, n_out: int, suffix: str = "", dtype: Any = np.float64) -> Given:
    return {f"W{suffix}": normal(rng, n_out, n_in).astype(dtype), f"b{suffix}": normal(rng, n_out, 1).astype(dtype)}


def _cases(batches: tuple[int, ...], sizes: tuple[int, ...] = (3, 2), steps: int = 1, zero: bool = True) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for n in batches:
            given = {"x": normal(rng, n, sizes[0]), **_weights(rng, sizes[0], sizes[1])}
            if len(sizes) == 3:
                given.update(_weights(rng, sizes[1], sizes[2], "2"))
            result.append({**given, "g": normal(rng, n, sizes[-1]), "steps": steps, "zero": zero})
        return result

    return cases


def _outputs(rng: np.random.Generator) -> list[Given]:
    return [*_cases((1, 4, 7))(rng), *_cases((4,), (3, 3))(rng), *_cases((5,), (1, 4))(rng), *_cases((2,), (4, 1))(rng)]


def _every_size(rng: np.random.Generator) -> list[Given]:
    square = _cases((4, 7, 3), (3, 3))(rng)
    return [*square, *_cases((5,), (1, 4))(rng), *_cases((2,), (4, 1))(rng), *_cases((6,), (2, 5))(rng)]


def _skip(given: Given, cut: str = "") -> tuple[Callable[..., Any], list[np.ndarray], list[str]]:
    """The skip network, whole or with the gradient of one path cut off."""

    def still(value: Any) -> Any:
        return np.real(value)

    def network(x: Any, W: Any, b: Any, W2: Any = None, b2: Any = None) -> Any:
        if given["shared"]:
            W2, b2 = W, b
        h = linear(still(x) if cut == "layer" else x, W, b)
        if given["bend"]:
            h = h**3
        s = h + (still(x) if cut == "skip" else x)
        first, second = (still(W2), still(b2)) if cut == "second use" else (W2, b2)
        y = linear(s, first, second)
        return 2 * y - 3 * (still(x) if cut == "last" else x) if given["long"] else y

    names = ["x", "W", "b"] if given["shared"] else ["x", "W", "b", "W2", "b2"]
    return network, [given[name] for name in names], ["gradient of x", "dW1", "db1", "dW2", "db2"][: len(names)]


def _skip_expected(given: Given) -> Expectations:
    f, arrays, names = _skip(given)
    gradients = derivative(f, arrays, given["g"])
    return {name: _parameter_or_input(name, gradient) for name, gradient in zip(names, gradients)}


def _skip_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    for cut in ("layer", "skip", "last", "second use"):
        f, arrays, names = _skip(given, cut)
        gradients = dict(zip(names, derivative(f, arrays, given["g"])))
        for name, gradient in gradients.items():
            if gradient.any() and not np.allclose(gradient, expected[name]):
                yield "one_path", {name: gradient}
                # The other path alone, then one of the two counted twice.
                yield "one_path", {name: expected[name] - gradient}
                yield "engine_doubles", {name: expected[name] + gradient}
                yield "engine_doubles", {name: 2 * expected[name] - gradient}


def _skip_cases(batches: tuple[int, ...], bend: bool = False, shared: bool = False, long: bool = False) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        result = []
        for n in batches:
            out = 3 if shared or long else 2
            given = {"x": normal(rng, n, 3), **_weights(rng, 3, 3), **({} if shared else _weights(rng, 3, out, "2"))}
            result.append({**given, "g": normal(rng, n, out), "bend": bend, "shared": shared, "long": long})
        return result

    return cases


def _mlp_cases(rng: np.random.Generator) -> list[Given]:
    return [
        {
            "x": normal(rng, n, 4),
            "y": one_hot(rng, n, 3),
            "W1": normal(rng, 5, 4),
            "W2": normal(rng, 3, 5),
            "activation": activation,
            "lr": 0.1,
            "momentum": momentum,
            "steps": steps,
        }
        for n, activation, momentum, steps in ((1, "Tanh", 0.0, 1), (7, "Sigmoid", 0.0, 2), (4, "Tanh", 0.9, 3))
    ]


def _mlp_expected(given: Given) -> Expectations:
    f, x, y = FORWARD[given["activation"]], given["x"], given["y"]
    arrays = [given["W1"], np.full((5, 1), 0.1), given["W2"], np.full((3, 1), 0.1)]

    def output(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return linear(f(linear(x, W1, b1)), W2, b2)

    def loss(*all_arrays: Any) -> Any:
        return np.sum(cross_entropy(output(*all_arrays), y)) / len(x)

    expected: Expectations = {"output": Expected(output(*arrays))}
    velocities = [np.zeros(a.shape) for a in arrays]
    for _ in range(given["steps"]):
        expected["loss"] = Expected(np.reshape(loss(*arrays), (1,)), Kind.LOSS)
        gradients = derivative(loss, arrays, 1.0)
        velocities = [given["momentum"] * v - given["lr"] * g for v, g in zip(velocities, gradients)]
        arrays = [a + v for a, v in zip(arrays, velocities)]
    names = ["W1", "b1", "W2", "b2"]
    return {**expected, **{f"{name} after the steps": Expected(array) for name, array in zip(names, arrays)}}


def _float32_cases(rng: np.random.Generator) -> list[Given]:
    weights = _weights(rng, 3, 2, dtype=np.float32)
    return [{"x": normal(rng, 4, 3).astype(np.float32), **weights}]


def _float32_expected(given: Given) -> Expectations:
    x, W, b = (given[name].astype(np.float64) for name in ("x", "W", "b"))
    gradient_x, dW, _ = derivative(linear, [x, W, b], np.ones((4, 2)))
    return {
        "output": Expected(linear(x, W, b).astype(np.float32)),
        "dW": Expected(dW.astype(np.float32), Kind.SLOT),
        "gradient of x": Expected(gradient_x.astype(np.float32), Kind.GRADIENT),
    }


def _check(title: str, points: float, cases: Any, story: str = "") -> Check:
    return Check(LINEAR, title, points, "linear_backward", cases, _backward_expected, _backward_suspects, story=story)


def _skip_check(title: str, points: float, cases: Any, story: str) -> Check:
    return Check(SKIP, title, points, "linear_skip", cases, _skip_expected, _skip_suspects, story=story)


CHECKS = [
    Check(LINEAR, "the output", 0.5, "linear_forward", _outputs, _forward_expected, _forward_suspects),
    _check("gradients, one row", 1.25, _cases((1,))),
    _check("gradients, batches", 1.25, _every_size),
    _check("two layers", 1, _cases((1, 4), (4, 3, 2)), "Two layers with a cube between them."),
    _check("a second training step", 0.5, _cases((4,), steps=2), "Two steps, gradients set to zero in between."),
    _check(
        "gradients add up until they are zeroed",
        0.5,
        _cases((4,), steps=2, zero=False),
        "Two steps, dW and db not set to zero.",
    ),
    _skip_check("one row", 1, _skip_cases((1,)), "second(first(x) + x)."),
    _skip_check("batches", 1.25, _skip_cases((4, 7)), "second(first(x) + x)."),
    _skip_check("a curved layer inside", 0.75, _skip_cases((4,), bend=True), "second(first(x) cubed + x)."),
    _skip_check("one layer used twice", 0.5, _skip_cases((4,), shared=True), "layer(layer(x) + x)."),
    _skip_check("two skips over each other", 0.5, _skip_cases((4,), long=True), "2 second(first(x) + x) - 3 x."),
    Check(LINEAR, "float32 stays float32", 0, "float32_network", _float32_cases, _float32_expected),
    Check(
        MLP,
        "steps of gradient descent",
        0,
        "mlp_step",
        _mlp_cases,
        _mlp_expected,
        story="Forward, loss, backward, step.",
        mean_over_batch=True,
    ),
]


def test_linear(outcome: Any) -> None:
    outcome.require()
