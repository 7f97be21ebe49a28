"""Cases of the hidden exercises: graphs, calls of backward functions and networks, as plain data.

Only numbers are drawn for a hand-in. Shapes, operations and their order are the same for all, so that the same work gets the
same marks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from autograder.helpers import Given, near, normal, one_hot, positive, signs, structure
from autograder.staff.marks.expected import expected
from autograder.worker.scenarios.program import FORWARDS

Cases = Callable[[np.random.Generator], list[Given]]
Steps = list[list[Any]]
# Large graphs, by the number of rows of their arrays: output, operation, inputs. Every array is used, most of them several
# times, some twice by one operation.
GRAPHS = {
    1: "v0 cube a, v1 mix v0 b c, v2 bend b v1, v3 join v2 a, v4 plus v3 v0, v5 affine c, v6 mix a v5 v4, y join v6 v1",
    3: "v0 affine b, v1 bend v0 v0, v2 mix c a v1, v3 cube a, v4 join v2 v3, v5 plus v4 v1, v6 bend c v5, y join v6 v0",
    5: "v0 mix a a b, v1 affine v0, v2 join c v0, v3 bend v1 c, v4 plus v3 v3, v5 mix b c v2, v6 join v5 v4, y plus v6 v1",
}


def _program(arrays: dict[str, np.ndarray], steps: Steps) -> Given:
    return {"steps": steps, "arrays": arrays}


def some(build: Callable[..., Given], *settings: Any) -> Cases:
    """One case for each of the settings."""
    return lambda rng: [build(rng, setting) for setting in settings]


def _own(out: str, operation: str, *inputs: str) -> list[Any]:
    return ["own", out, operation, list(inputs), [None] * len(inputs)]


# Engine


def large_graph(rng: np.random.Generator, rows: int) -> Given:
    """A large graph whose gradients are far from zero. In sums that cancel, only rounding errors would be compared."""
    shape = (rows, 3)
    steps = [_own(out, operation, *inputs) for out, operation, *inputs in map(str.split, GRAPHS[rows].split(", "))]
    shows = [["gradient", f"gradient of {name}", name] for name in ("a", "b", "c", "v0")]
    rough = {name: structure(rng).uniform(0.5, 0.9, shape) * signs(rng, *shape) for name in ("a", "b", "c")}
    start = normal(rng, *shape)
    while True:
        arrays = {name: near(rng, array) for name, array in rough.items()}
        arrays["g"] = near(rng, start)
        given = _program(arrays, [*steps, ["backward", "g"], *shows])
        sizes = np.concatenate([np.abs(value.array).ravel() for value in expected(given).values()])
        if sizes.min() > 1e-6 * sizes.max():
            return given


def several_shapes(rng: np.random.Generator, rows: int) -> Given:
    """Operations whose inputs and output have different shapes."""
    n, k = rows, 4
    arrays = {"a": normal(rng, n, k), "b": normal(rng, n + 2, k), "c": normal(rng, 1, k), "g": normal(rng, 1, k)}
    steps = [
        _own("bent", "cube", "a"),
        _own("tall", "stack", "bent", "b"),
        _own("taller", "stack", "a", "tall"),
        _own("mean", "average", "taller"),
        _own("y", "mix", "mean", "c", "mean"),
        ["backward", "g"],
        *(["gradient", f"gradient of {name}", name] for name in ("a", "b", "c", "tall", "mean")),
    ]
    return _program(arrays, steps)


def nothing_flows(rng: np.random.Generator, way: str) -> Given:
    """A branch that an operation takes as data: its rule returns None for it."""
    arrays = {"a": normal(rng, 3, 2), "b": normal(rng, 3, 2), "g": normal(rng, 3, 2)}
    steps = [
        _own("h", "affine", "a"),
        _own("data", "cube", "h" if way == "shared" else "b"),
        _own("moved", "shift", "h", "data"),
        _own("again", "drift", "data", "moved"),
        _own("y", "bend", "again", "a"),
        ["backward", "g"],
        ["gradient", "gradient of a", "a"],
        ["gradient", "gradient of h", "h"],
    ]
    return _program(arrays, steps)


def slots_inside(rng: np.random.Generator, rows: int) -> Given:
    """Two arrays of gradients_to_update in the middle of the list; two operations share one of them."""
    shape = (rows, 3)
    arrays = {name: normal(rng, *shape) for name in ("x", "w", "u", "dw", "du", "g")}
    steps: Steps = [
        _own("h", "cube", "x"),
        ["own", "p", "bend", ["h", "w"], [None, "dw"]],
        ["own", "q", "join", ["u", "p"], ["du", None]],
        ["own", "r", "mix", ["w", "q", "x"], ["dw", None, None]],
        _own("y", "affine", "r"),
        ["backward", "g"],
        ["value", "dw", "dw"],
        ["value", "du", "du"],
        *(["gradient", f"gradient of {name}", name] for name in ("x", "h", "q")),
    ]
    return _program(arrays, steps)


def two_engines(rng: np.random.Generator, start: str) -> Given:
    """Two engines record in turn, with one array in both, and go backward one after the other."""
    arrays = {name: normal(rng, 4, 2) for name in ("x", "w", "g")}
    steps: Steps = [
        ["engine", "first"],
        _own("a", "affine", "x"),
        ["engine", "second"],
        _own("c", "cube", "x"),
        ["engine", "first"],
        _own("b", "bend", "a", "x"),
        ["engine", "second"],
        _own("d", "join", "c", "w"),
        ["backward", start if start == "g" else "d"],
        ["engine", "first"],
        ["backward", start if start == "g" else "b"],
        ["gradient", "gradient of x in the first engine", "x"],
        ["engine", "second"],
        ["gradient", "gradient of x in the second engine", "x"],
        ["gradient", "gradient of w in the second engine", "w"],
    ]
    return _program(arrays, steps)


def many_steps(rng: np.random.Generator, rows: int) -> Given:
    """Three steps with different graphs and batches. Gradients are those of the last step; the slot collects all."""
    shape = (rows, 3)
    arrays = {"x": normal(rng, *shape), "w": normal(rng, *shape), "dw": np.zeros(shape)}
    steps: Steps = []
    for number, operation in enumerate(("bend", "join", "plus"), 1):
        arrays |= {f"x{number}": normal(rng, *shape), f"g{number}": normal(rng, *shape)}
        steps += [
            ["zero"],
            _own("h", "cube", "x" if number == 2 else f"x{number}"),
            ["own", "y", operation, ["h", "w"], [None, "dw"]],
            _own("z", "join", "y", "x"),
            ["backward", f"g{number}"],
            ["value", f"dw after step {number}", "dw"],
            ["gradient", f"gradient of x in step {number}", "x"],
            ["gradient", f"gradient of h in step {number}", "h"],
        ]
    return _program(arrays, steps)


# Backward functions


def rules(*cases: tuple[str, tuple[int, ...], tuple[int, ...] | None]) -> Cases:
    """Single calls of backward functions with the given shapes."""

    def build(rng: np.random.Generator) -> list[Given]:
        result = []
        for rule, left, right in cases:
            a = positive(rng, *left) if rule == "log_backward" else normal(rng, *left)
            if right is None:
                result.append({"rule": rule, "a": a, "grad": normal(rng, *left)})
                continue
            b = (positive if rule == "div_backward" else normal)(rng, *right)
            shape = np.shape(FORWARDS[rule](a, b))
            result.append({"rule": rule, "a": a, "b": b, "grad": normal(rng, *shape)})
        return result

    return build


def stretched(rng: np.random.Generator) -> list[Given]:
    """Broadcasting over axes in the middle, in front and on both sides, the same shapes for each rule."""
    shapes = [
        ((4, 1, 3), (4, 2, 1)), ((2, 1, 3), (5, 1)), ((1, 1), (6, 5)), ((5,), (2, 1, 5)), ((6, 1), (6, 4)),
        ((1, 2), (3, 1, 2)),
    ]  # fmt: skip
    return rules(*((f"{rule}_backward", *pair) for rule in ("sub", "mul", "div") for pair in shapes))(rng)


def _rule(out: str, rule: str, *inputs: str) -> list[Any]:
    return ["rule", out, f"{rule}_backward", list(inputs), [None] * len(inputs)]


def chain(rng: np.random.Generator, rows: int) -> Given:
    """All rules in a chain, with changing shapes and arrays that are used again."""
    n, k, m = rows, 4, 3
    arrays = {
        "a": 0.5 * normal(rng, n, k), "w": 0.5 * normal(rng, k, m), "row": positive(rng, m), "column": positive(rng, n, 1),
        "u": normal(rng, n), "v": normal(rng, m), "g": normal(rng, n, m),
    }  # fmt: skip
    middle = [_rule("q", "div", "e", "row"), _rule("r", "mul", "q", "column"), _rule("t", "sub", "r", "o")]
    if rows > 1:
        middle = [_rule("q", "mul", "row", "e"), _rule("r", "div", "q", "column"), _rule("t", "sub", "o", "r")]
    steps: Steps = [
        _rule("p", "matmul", "a", "w"),
        _rule("e", "exp", "p"),
        _rule("o", "outer", "u", "v"),
        *middle,
        # Not of e: its logarithm may have the very numbers of p.
        _rule("l", "log", "q"),
        _rule("y", "mul", "t", "l"),
        ["backward", "g"],
        *(["gradient", f"gradient of {name}", name] for name in ("a", "w", "row", "column", "u", "v", "e")),
    ]
    return _program(arrays, steps)


# Layers


def _weights(rng: np.random.Generator, name: str, n_in: int, n_out: int) -> dict[str, np.ndarray]:
    return {f"{name}.W": normal(rng, n_out, n_in) / np.sqrt(n_in), f"{name}.b": 0.5 * normal(rng, n_out, 1)}


def activations(rng: np.random.Generator, rows: int) -> Given:
    """A chain of activations, every kind twice in objects of their own. One object stands for one place: it has one state."""
    shape = (rows, 4)
    # Small numbers: a sigmoid that is cut off at 10 must not depend on the draw.
    arrays = {"x": 0.4 * normal(rng, *shape), "g": normal(rng, *shape)}
    steps: Steps = [
        ["activation", "h1", "Tanh", "one", "x"],
        _own("h2", "affine", "h1"),
        ["activation", "h3", "ReLU", "two", "h2"],
        _own("h4", "join", "h3", "x"),
        ["activation", "h5", "Sigmoid", "three", "h4"],
        ["activation", "h6", "Identity", "four", "h5"],
        _own("h7", "join", "h6", "h4"),
        ["activation", "h8", "Tanh", "five", "h6"],
        ["activation", "h9", "Sigmoid", "six", "h6"],
        ["activation", "h10", "ReLU", "seven", "h4"],
        ["activation", "h11", "Identity", "eight", "h10"],
        _own("h12", "join", "h8", "h9"),
        _own("h13", "join", "h12", "h11"),
        _own("y", "join", "h13", "h7"),
        ["backward", "g"],
        *(["gradient", f"gradient of {name}", name] for name in ("x", "h4", "h6", "h7")),
    ]
    return _program(arrays, steps)


def _network(rng: np.random.Generator, sizes: list[int], kinds: list[str], loss: bool = True) -> tuple[Any, Steps]:
    """The arrays of a network's layers, and the steps from x to its output or its loss."""
    arrays: dict[str, np.ndarray] = {}
    steps: Steps = []
    h = "x"
    for number, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        arrays.update(_weights(rng, f"L{number}", n_in, n_out))
        steps.append(["linear", f"p{number}", f"L{number}", h])
        h = f"p{number}"
        if number <= len(kinds):
            steps.append(["activation", f"h{number}", kinds[number - 1], f"A{number}", h])
            h = f"h{number}"
    if loss:
        steps.append(["loss", "loss", "SoftmaxCrossEntropy", "C", "y", h])
    return arrays, steps


def deep(rng: np.random.Generator, rows: int) -> Given:
    """Five layers, every activation between them, then the loss."""
    sizes = [4, 3, 5, 2, 4, 3]
    depth = len(sizes) - 1
    arrays, steps = _network(rng, sizes, ["Tanh", "ReLU", "Sigmoid", "Identity"])
    arrays |= {"x": normal(rng, rows, sizes[0]), "y": one_hot(rng, rows, sizes[-1])}
    shows = [["value", f"{part}{k}", f"L{k}.{part}"] for k in range(1, depth + 1) for part in ("dW", "db")]
    end = [["loss backward", "C"], ["gradient", "gradient of x", "x"], ["value", "loss", "loss"], *shows]
    return _program(arrays, [*steps, *end])


def float32(rng: np.random.Generator, rows: int) -> Given:
    """A network in float32 with scores far apart, where the exponential overflows much earlier."""
    arrays, steps = _network(rng, [3, 4, 5], ["ReLU"])
    bias = np.array([60.0, -60.0, 180.0, 30.0, 120.0])
    # A true class with the largest score would give a loss near zero, which in float32 is rounding error.
    classes = structure(rng).choice(np.flatnonzero(bias < 180.0), rows)
    # Some gradients are above 1 in size at every seed, so that clipping them shows for everyone.
    arrays["L1.W"] *= 4
    arrays |= {"x": normal(rng, rows, 3), "y": np.eye(5)[classes], "L2.b": bias.reshape(5, 1) + 150.0}
    shows = [["value", f"{part}{k}", f"L{k}.{part}"] for k in (1, 2) for part in ("dW", "db")]
    end = [["loss backward", "C"], ["gradient", "gradient of x", "x"], ["value", "loss", "loss"], *shows]
    return _program({name: array.astype(np.float32) for name, array in arrays.items()}, [*steps, *end])


def training(rng: np.random.Generator, momentum: float) -> Given:
    """Three steps of gradient descent in the layers' own arrays, each with another batch size."""
    sizes = [4, 2, 3, 4]
    arrays, forward = _network(rng, sizes, ["Tanh", "Sigmoid"])
    steps: Steps = []
    for number, rows in enumerate((3, 1, 6)):
        arrays |= {f"x{number}": normal(rng, rows, sizes[0]), f"y{number}": one_hot(rng, rows, sizes[-1])}
        names = {"x": f"x{number}", "y": f"y{number}"}
        steps += [
            ["zero"],
            *([] if number == 0 else [["zero layer", layer] for layer in ("L1", "L2", "L3")]),
            *([names.get(part, part) if isinstance(part, str) else part for part in step] for step in forward),
            ["loss backward", "C"],
            ["value", f"loss of step {number + 1}", "loss"],
            *(["descend", layer, 0.2, momentum] for layer in ("L1", "L2", "L3")),
        ]
    shows = [["value", f"{part} of layer {k}", f"L{k}.{part}"] for k in (1, 2, 3) for part in "Wb"]
    return _program(arrays, [*steps, *shows])
