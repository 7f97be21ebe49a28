"""Scenario that runs a small program, given as plain data, on the submission's engine, rules, layers and losses.

A program is a list of steps ``[word, ...]`` over named arrays (``given["arrays"]`` and what the steps produce):

- ``["engine", name]``: from here on use this engine, a new one at its first mention;
- ``["own", out, operation, inputs, slots]``: an operation of ``OPERATIONS``, recorded with its own rule;
- ``["rule", out, rule, inputs, slots]``: an operation of ``FORWARDS``, recorded with the submission's rule of this name;
- ``["activation", out, kind, layer, input]``, ``["linear", out, layer, input]`` and ``["loss", out, kind, layer, y, y_hat]``:
  a layer, made at its first mention; a linear layer starts from the given arrays ``layer.W`` and ``layer.b``;
- ``["backward", start]`` and ``["loss backward", layer]``; ``["zero"]`` for the engine, ``["zero layer", layer]``;
- ``["descend", layer, rate, momentum]``: a step of gradient descent that moves the layer's own arrays;
- ``["gradient", label, name]`` and ``["value", label, name]``: put a gradient or an array's numbers into what is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.worker.scenarios.common import (
    Given,
    affine_rule,
    call,
    cube_rule,
    gradient,
    join_rule,
    linear_layer,
    parameter,
    plain,
    plus_rule,
    scenario,
    walk_back,
    zero_layer,
)
from autograder.worker.student import OneEngine


def bend_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.asarray(grad_output) * 2.0 * a * b, np.asarray(grad_output) * a * a


def mix_rule(grad_output: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[Any, Any, Any]:
    g = np.asarray(grad_output)
    return g * 2.0 * a * b, g * a * a, g * -2.0


def stack_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    g = np.asarray(grad_output)
    return g[: len(a)].copy(), g[len(a) :].copy()


def average_rule(grad_output: Any, a: np.ndarray) -> Any:
    return np.repeat(np.asarray(grad_output) / len(a), len(a), axis=0)


def shift_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, None]:
    return np.array(grad_output), None


def drift_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[None, Any]:
    return None, np.array(grad_output)


def product_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.asarray(grad_output) * b, np.asarray(grad_output) * a


def blend_rule(grad_output: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[Any, ...]:
    g = np.asarray(grad_output)
    return g * b, g * a, g * -2.0, g * 3.0 * d * d


# Rules that return what they were given, uncopied: the gradient itself for one or two inputs, or parts of it.


def same_rule(grad_output: Any, a: np.ndarray) -> Any:
    return grad_output


def share_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return grad_output, grad_output


def part_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return grad_output[: len(a)], grad_output[len(a) :]


Forward = Callable[..., Any]
# The autograder's own operations, forward and backward. The forward functions take complex numbers too.
OPERATIONS: dict[str, tuple[Forward, Callable[..., Any]]] = {
    "affine": (lambda a: 1.7 * a + 0.25, affine_rule),
    "cube": (lambda a: a * a * a, cube_rule),
    "plus": (lambda a, b: a + b, plus_rule),
    "join": (lambda a, b: 2.0 * a - 3.0 * b, join_rule),
    "bend": (lambda a, b: a * a * b, bend_rule),
    "mix": (lambda a, b, c: a * a * b - 2.0 * c, mix_rule),
    "stack": (lambda a, b: np.concatenate((a, b)), stack_rule),
    "average": (lambda a: a.sum(axis=0, keepdims=True) / len(a), average_rule),
    "product": (lambda a, b: a * b, product_rule),
    "blend": (lambda a, b, c, d: a * b - 2.0 * c + d * d * d, blend_rule),
    "same": (lambda a: a * 1.0, same_rule),
    "share": (lambda a, b: a + b, share_rule),
    "part": (lambda a, b: np.concatenate((a, b)), part_rule),
    # The second input of shift and the first of drift are data, without a gradient.
    "shift": (lambda a, b: a + np.real(b), shift_rule),
    "drift": (lambda a, b: np.real(a) + b, drift_rule),
}
# Forward functions of the submission's rules.
FORWARDS: dict[str, Forward] = {
    "add_backward": lambda a, b: a + b,
    "sub_backward": lambda a, b: a - b,
    "mul_backward": lambda a, b: a * b,
    "div_backward": lambda a, b: a / b,
    "matmul_backward": lambda a, b: a @ b,
    "outer_backward": lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, -1),
    "log_backward": np.log,
    "exp_backward": np.exp,
}


class Machine:
    """State of a running program: its named arrays, layers and engines."""

    def __init__(self, student: Any, arrays: dict[str, np.ndarray]) -> None:
        self.student = student
        self.arrays: dict[str, Any] = dict(arrays)
        self.layers: dict[str, Any] = {}
        self.losses: dict[str, Any] = {}
        self.speeds: dict[str, float | np.ndarray] = {}
        self.engines: dict[str, Any] = {}
        self.engine: Any = None
        self.shown: dict[str, Any] = {}

    def layer(self, name: str, make: Callable[[], Any]) -> Any:
        """The layer of this name, made at its first mention."""
        if name not in self.layers:
            self.layers[name] = make()
        return self.layers[name]

    def array(self, name: str) -> Any:
        """A named array, or a layer's own, as ``first.dW``."""
        if name in self.arrays and name.partition(".")[0] not in self.layers:
            return self.arrays[name]
        layer, _, part = name.partition(".")
        return getattr(self.layers[layer], part)

    def value(self, name: str) -> Any:
        """The numbers of a named array or of a layer's own, to send back."""
        layer, _, part = name.partition(".")
        return parameter(self.layers[layer], part) if layer in self.layers else plain(self.arrays[name])

    def record(self, out: str, output: np.ndarray, inputs: list[str], slots: list[str | None], rule: Any) -> None:
        given = [self.array(name) for name in inputs]
        held = [None if slot is None else self.array(slot) for slot in slots]
        self.engine.add_operation(given, output, held, rule)
        self.arrays[out] = output

    def run(self, steps: list[list[Any]]) -> dict[str, Any]:
        """Run the steps; return what they showed."""
        for word, *rest in steps:
            if self.engine is None and word != "engine":
                _use(self, "")
            STEPS[word](self, *rest)
        return self.shown


def _use(m: Machine, name: str) -> None:
    if name not in m.engines:
        m.engines[name] = m.student.engine()
    m.engine = m.engines[name]


def _own(m: Machine, out: str, operation: str, inputs: list[str], slots: list[str | None]) -> None:
    forward, rule = OPERATIONS[operation]
    m.record(out, forward(*(m.array(name) for name in inputs)), inputs, slots, rule)


def _rule(m: Machine, out: str, rule: str, inputs: list[str], slots: list[str | None]) -> None:
    output = FORWARDS[rule](*(m.array(name) for name in inputs))
    m.record(out, output, inputs, slots, m.student.get("functional", rule))


def _activation(m: Machine, out: str, kind: str, name: str, source: str) -> None:
    layer = m.layer(name, lambda: m.student.get("activation", kind)(m.engine))
    m.arrays[out] = call(layer, m.array(source))


def _linear(m: Machine, out: str, name: str, source: str) -> None:
    W, b = (m.arrays[f"{name}.{part}"] for part in "Wb")
    m.arrays[out] = call(m.layer(name, lambda: linear_layer(m.student, m.engine, W, b)), m.array(source))


def _loss(m: Machine, out: str, kind: str, name: str, y: str, y_hat: str) -> None:
    layer = m.layer(name, lambda: m.student.get("loss", kind)(m.engine))
    m.arrays[out] = m.losses[name] = call(layer, m.array(y), m.array(y_hat))


def _descend(m: Machine, name: str, rate: float, momentum: float) -> None:
    for part in "Wb":
        array, slope = m.array(f"{name}.{part}"), m.array(f"{name}.d{part}")
        speed = momentum * m.speeds.get(f"{name}.{part}", 0.0) - rate * slope
        m.speeds[f"{name}.{part}"] = speed
        array += speed


STEPS: dict[str, Callable[..., Any]] = {
    "engine": _use,
    "own": _own,
    "rule": _rule,
    "activation": _activation,
    "linear": _linear,
    "loss": _loss,
    "descend": _descend,
    "backward": lambda m, start: m.engine.backward(m.array(start)),
    "loss backward": lambda m, name: walk_back(m.layers[name], m.losses[name], m.engine),
    "zero": lambda m: m.engine.zero_grad(),
    "zero layer": lambda m, name: zero_layer(m.layers[name]),
    "gradient": lambda m, label, name: m.shown.update({label: gradient(m.engine, m.array(name))}),
    "value": lambda m, label, name: m.shown.update({label: m.value(name)}),
}


@scenario
def program(student: Any, given: Given) -> dict[str, Any]:
    """Run the steps; return what they showed. Engines that cannot live side by side run one after the other."""
    try:
        return Machine(student, given["arrays"]).run(given["steps"])
    except OneEngine:
        student.engines.clear()
    shown: dict[str, Any] = {}
    for steps in _by_engine(given["steps"]):
        shown |= Machine(student, given["arrays"]).run(steps)
        student.engines.clear()
    return shown


def _by_engine(steps: list[list[Any]]) -> list[list[list[Any]]]:
    """The steps of each engine in their order."""
    found: dict[str, list[list[Any]]] = {}
    name = ""
    for step in steps:
        name = step[1] if step[0] == "engine" else name
        found.setdefault(name, []).append(step)
    return list(found.values())
