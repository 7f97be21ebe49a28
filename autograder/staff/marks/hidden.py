"""The hidden exercises: random programs on the submission's engine, rules and layers, with other shapes than the open ones.

Nothing of this file lies where submissions run: they get programs as plain data (``autograder/worker/scenarios/program.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from autograder.exercises import Exercise
from autograder.helpers import Check, Given, normal, one_hot, positive
from autograder.staff.marks.expected import expected
from autograder.test_functional import rule_expected, rule_suspects
from autograder.worker.scenarios.program import FORWARDS, OPERATIONS

ENGINE, FUNCTIONS, LAYERS = "Hidden Engine", "Hidden Functions", "Hidden Layers"

EXERCISES: list[Exercise] = [
    Exercise(ENGINE, 4, ("engine",)),
    Exercise(FUNCTIONS, 3, ("engine", "functional")),
    Exercise(LAYERS, 3, ("engine", "functional", "linear", "activation", "loss")),
]

# All that a student is told about a hidden exercise that did not pass.
HINTS: dict[str, str] = {
    ENGINE: (
        "Look at the engine with larger graphs than those of the open checks: arrays that are used in several places, "
        "operations with more inputs, several engines and several steps. Compare with differences (mytorch/gradcheck.py)."
    ),
    FUNCTIONS: (
        "Look at the backward functions with other shapes than those of the open checks, broadcast ones too, and one "
        "after another. Compare with differences (mytorch/gradcheck.py)."
    ),
    LAYERS: (
        "Look at deeper networks than those of the open checks, at layers that are used more than once, at several steps "
        "of training and at large scores. Compare with differences (mytorch/gradcheck.py)."
    ),
}

Cases = Callable[[np.random.Generator], list[Given]]
Steps = list[list[Any]]
COUNT = {"affine": 1, "cube": 1, "plus": 2, "join": 2, "bend": 2, "mix": 3}


def _program(arrays: dict[str, np.ndarray], steps: Steps) -> Given:
    return {"steps": steps, "arrays": arrays}


def _some(build: Callable[..., Given], *settings: Any) -> Cases:
    """One case for each of the settings."""
    return lambda rng: [build(rng, setting) for setting in settings]


def _pick(rng: np.random.Generator, names: Any, count: int) -> list[str]:
    return [str(name) for name in rng.choice(list(names), count)]


def _own(out: str, operation: str, *inputs: str) -> list[Any]:
    return ["own", out, operation, list(inputs), [None] * len(inputs)]


# Engine


def _random_graph(rng: np.random.Generator, rows: int) -> Given:
    """A random graph whose gradients are far from zero: sums that cancel would leave nothing but rounding to compare."""
    while True:
        given = _any_graph(rng, rows)
        sizes = [np.abs(value.array) for value in expected(given).values()]
        if all(size.min() > 1e-6 * size.max() for size in sizes):
            return given


def _any_graph(rng: np.random.Generator, rows: int) -> Given:
    """Leaves in a random graph whose every array is used, most of them in several places."""
    shape = (rows, int(rng.integers(2, 6)))
    arrays = {name: rng.uniform(0.4, 1.1, shape) * rng.choice([-1.0, 1.0], shape) for name in ("a", "b", "c")}
    values: dict[str, Any] = dict(arrays)
    steps: Steps = []
    unused = ["a", "b", "c"]
    for number in range(int(rng.integers(6, 10))):
        # An array that nobody has used goes in, so that nothing is left over; the rest is drawn.
        inputs = [unused.pop(), *_pick(rng, values, 2)]
        rng.shuffle(inputs)
        # Powers of powers would leave the range of numbers.
        small = max(np.abs(values[name]).max() for name in inputs) < 3.0
        operation = str(rng.choice(["cube", "bend", "bend", "mix", "affine"] if small else ["affine", "plus", "join"]))
        inputs = inputs[: COUNT[operation]]
        unused += [name for name in values if name not in unused and not any(name in step[3] for step in steps)]
        unused = [name for name in dict.fromkeys(unused) if name not in inputs]
        out = f"v{number}"
        steps.append(_own(out, operation, *inputs))
        values[out] = OPERATIONS[operation][0](*(values[name] for name in inputs))
        unused.append(out)
    while len(unused) > 1:
        out = f"s{len(unused)}"
        steps.append(_own(out, "join", unused.pop(), unused.pop()))
        unused.append(out)
    arrays["g"] = normal(rng, *shape)
    shows = [["gradient", f"gradient of {name}", name] for name in ("a", "b", "c", "v0")]
    return _program(arrays, [*steps, ["backward", "g"], *shows])


def _several_shapes(rng: np.random.Generator, rows: int) -> Given:
    """Operations whose inputs and output have different shapes."""
    n, k = rows, int(rng.integers(2, 5))
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


def _nothing_flows(rng: np.random.Generator, way: str) -> Given:
    """A branch that an operation takes as data: its rule says None for it."""
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


def _slots_inside(rng: np.random.Generator, rows: int) -> Given:
    """Gradients to update in the middle of the list, two of them, one of which two operations share."""
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


def _two_engines(rng: np.random.Generator, start: str) -> Given:
    """Two engines record in turn, one array in both, and are walked back one after the other."""
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


def _many_steps(rng: np.random.Generator, rows: int) -> Given:
    """Three steps with other graphs and other batches; only what is in the last one counts, and the slot collects."""
    shape = (rows, 3)
    arrays = {"x": normal(rng, *shape), "w": normal(rng, *shape), "dw": np.zeros(shape)}
    steps: Steps = []
    for number, operation in enumerate(rng.permutation(["join", "bend", "plus"]), 1):
        arrays |= {f"x{number}": normal(rng, *shape), f"g{number}": normal(rng, *shape)}
        steps += [
            ["zero"],
            _own("h", "cube", "x" if number == 2 else f"x{number}"),
            ["own", "y", str(operation), ["h", "w"], [None, "dw"]],
            _own("z", "join", "y", "x"),
            ["backward", f"g{number}"],
            ["value", f"dw after step {number}", "dw"],
            ["gradient", f"gradient of x in step {number}", "x"],
            ["gradient", f"gradient of h in step {number}", "h"],
        ]
    return _program(arrays, steps)


# Backward functions


def _rules(*cases: tuple[str, tuple[int, ...], tuple[int, ...] | None]) -> Cases:
    """Single calls of backward functions, at the shapes given."""

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


def _stretched(rng: np.random.Generator) -> list[Given]:
    """Broadcasting over axes in the middle, in front and on both sides, each rule at shapes drawn from these."""
    shapes = [((2, 1, 3), (5, 1)), ((1, 1), (6, 5)), ((5,), (2, 1, 5)), ((6, 1), (6, 4)), ((1, 2), (3, 1, 2))]
    chosen = []
    for rule in ("sub_backward", "mul_backward", "div_backward"):
        # The hardest is asked of every rule, so that luck decides less.
        n, k, m = (int(size) for size in rng.integers(2, 5, 3))
        drawn = rng.permutation(len(shapes))[:2]
        chosen += [(rule, (n, 1, k), (1, m, 1)), *((rule, *shapes[index]) for index in drawn)]
    return _rules(*chosen)(rng)


def _rule(out: str, rule: str, *inputs: str) -> list[Any]:
    return ["rule", out, f"{rule}_backward", list(inputs), [None] * len(inputs)]


def _chain(rng: np.random.Generator, rows: int) -> Given:
    """All rules one after another, with shapes that change on the way and arrays that are used again."""
    n, k, m = rows, int(rng.integers(2, 6)), int(rng.integers(2, 5))
    arrays = {
        "a": 0.5 * normal(rng, n, k), "w": 0.5 * normal(rng, k, m), "row": positive(rng, m), "column": positive(rng, n, 1),
        "u": normal(rng, n), "v": normal(rng, m), "g": normal(rng, n, m),
    }  # fmt: skip
    middle = [_rule("q", "div", "e", "row"), _rule("r", "mul", "q", "column"), _rule("t", "sub", "r", "o")]
    if rng.integers(2):
        middle = [_rule("q", "mul", "row", "e"), _rule("r", "div", "q", "column"), _rule("t", "sub", "o", "r")]
    steps: Steps = [
        _rule("p", "matmul", "a", "w"),
        _rule("e", "exp", "p"),
        _rule("o", "outer", "u", "v"),
        *middle,
        _rule("l", "log", "e"),
        _rule("y", "mul", "t", "l"),
        ["backward", "g"],
        *(["gradient", f"gradient of {name}", name] for name in ("a", "w", "row", "column", "u", "v", "e")),
    ]
    return _program(arrays, steps)


# Layers


def _weights(rng: np.random.Generator, name: str, n_in: int, n_out: int) -> dict[str, np.ndarray]:
    return {f"{name}.W": normal(rng, n_out, n_in) / np.sqrt(n_in), f"{name}.b": 0.5 * normal(rng, n_out, 1)}


def _activations(rng: np.random.Generator, rows: int) -> Given:
    """Activations in turn, one object of them used twice."""
    shape = (rows, int(rng.integers(2, 6)))
    first, second, third = (str(kind) for kind in rng.permutation(["Sigmoid", "Tanh", "ReLU"]))
    arrays = {"x": normal(rng, *shape), "g": normal(rng, *shape)}
    steps: Steps = [
        ["activation", "h1", first, "one", "x"],
        _own("h2", "affine", "h1"),
        ["activation", "h3", second, "two", "h2"],
        _own("h4", "join", "h3", "x"),
        ["activation", "h5", third, "three", "h4"],
        ["activation", "h6", "Identity", "four", "h5"],
        _own("h7", "join", "h6", "h4"),
        ["activation", "h8", first, "one", "h7"],
        _own("y", "join", "h8", "h6"),
        ["backward", "g"],
        *(["gradient", f"gradient of {name}", name] for name in ("x", "h4", "h6")),
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


def _deep(rng: np.random.Generator, rows: int) -> Given:
    """Five layers with every activation between them, in a random order, behind them the loss.

    Were the activations drawn, whether a wrong one costs marks would be luck.
    """
    depth = 5
    sizes = [int(n) for n in rng.integers(2, 6, depth + 1)]
    arrays, steps = _network(
        rng, sizes, [str(kind) for kind in rng.permutation(["Sigmoid", "Tanh", "ReLU", "Identity"])]
    )
    arrays |= {"x": normal(rng, rows, sizes[0]), "y": one_hot(rng, rows, sizes[-1])}
    shows = [["value", f"{part}{k}", f"L{k}.{part}"] for k in range(1, depth + 1) for part in ("dW", "db")]
    end = [["loss backward", "C"], ["gradient", "gradient of x", "x"], ["value", "loss", "loss"], *shows]
    return _program(arrays, [*steps, *end])


def _float32(rng: np.random.Generator, rows: int) -> Given:
    """float32 throughout and scores far apart: the exponential overflows there much earlier."""
    arrays, steps = _network(rng, [3, 4, 5], ["ReLU"])
    bias = rng.permutation([-60.0, 30.0, 60.0, 120.0, 180.0])
    # A class whose score is the largest would give a loss of about zero, where float32 has only rounding left.
    classes = rng.choice(np.flatnonzero(bias < 180.0), rows)
    arrays |= {"x": normal(rng, rows, 3), "y": np.eye(5)[classes], "L2.b": bias.reshape(5, 1) + 150.0}
    shows = [["value", f"{part}{k}", f"L{k}.{part}"] for k in (1, 2) for part in ("dW", "db")]
    end = [["loss backward", "C"], ["gradient", "gradient of x", "x"], ["value", "loss", "loss"], *shows]
    return _program({name: array.astype(np.float32) for name, array in arrays.items()}, [*steps, *end])


def _training(rng: np.random.Generator, momentum: float) -> Given:
    """Three steps of gradient descent in the layers' own arrays, each with a batch of another size."""
    sizes = [int(n) for n in rng.integers(2, 5, 4)]
    arrays, forward = _network(rng, sizes, [str(kind) for kind in rng.permutation(["Tanh", "Sigmoid"])])
    steps: Steps = []
    for number, rows in enumerate(rng.permutation([1, 3, 6]).tolist()):
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


def _check(exercise: str, name: str, points: float, cases: Cases, story: str, rtol: float = 0.0) -> Check:
    return Check(exercise, name, points, "program", cases, expected, story=story, rtol=rtol)


def _functions(name: str, points: float, cases: Cases) -> Check:
    return Check(FUNCTIONS, name, points, "rule", cases, rule_expected, rule_suspects, story="rule(grad_output, ...).")


CHECKS: list[Check] = [
    _check(ENGINE, "random graphs", 1.25, _some(_random_graph, 1, 3, 5), "A graph of own operations, drawn at random."),
    _check(ENGINE, "inputs of several shapes", 0.5, _some(_several_shapes, 1, 3), "Operations between shapes."),
    _check(ENGINE, "None for an input", 0.5, _some(_nothing_flows, "shared", "apart"), "A rule returns None for an input."),
    _check(ENGINE, "gradients to update inside of the list", 0.75, _some(_slots_inside, 1, 5), "Two slots, one shared."),
    _check(ENGINE, "two engines in turn", 0.5, _some(_two_engines, "g", "output"), "Two engines, one array in both."),
    _check(ENGINE, "three steps with zero_grad", 0.5, _some(_many_steps, 1, 4), "Three steps with different graphs."),
    _functions("broadcasting over other axes", 0.75, _stretched),
    _functions(
        "products of other sizes",
        0.75,
        _rules(
            ("matmul_backward", (5, 1), (1, 6)), ("matmul_backward", (1, 4), (4, 1)), ("matmul_backward", (6, 4), (4, 2)),
            ("outer_backward", (2,), (7,)), ("outer_backward", (5,), (1,)),
        ),
    ),
    _functions(
        "logarithm and exponential",
        0.5,
        _rules(
            ("log_backward", (6,), None), ("log_backward", (2, 1, 3), None), ("exp_backward", (5, 1), None),
            ("exp_backward", (2, 3, 1, 2), None),
        ),
    ),
    _check(FUNCTIONS, "all one after another", 1, _some(_chain, 1, 5), "A chain of all the rules."),
    _check(LAYERS, "activations in turn", 0.75, _some(_activations, 1, 5), "Activations, the first object used twice."),
    _check(LAYERS, "deep networks", 1, _some(_deep, 1, 5, 9), "Linear layers and activations, then the loss."),
    _check(LAYERS, "float32 and large scores", 0.5, _some(_float32, 1, 5), "A network in float32.", rtol=2e-3),
    _check(LAYERS, "training with momentum", 0.75, _some(_training, 0.0, 0.9), "Three steps of gradient descent."),
]  # fmt: skip


def checks_of(name: str) -> list[Check]:
    """The checks of one hidden exercise."""
    return [check for check in CHECKS if check.exercise == name]
