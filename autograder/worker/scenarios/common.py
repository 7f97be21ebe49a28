"""Common parts of scenarios: the register, values to send back, and the autograder's own operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Given = dict[str, Any]
Scenario = Callable[[Any, Given], dict[str, Any]]
SCENARIOS: dict[str, Scenario] = {}
# Larger than any right result, small enough to be sent.
MOST_ENTRIES = 10_000
# Phrases that are sent instead of an array. SEQUENCES: beginnings of those for tuples and lists.
NOTHING, ONE_ARRAY = "None", "one array"
NO_SPOT, EMPTY_SPOT = "no spot in the gradient buffer", "an empty spot in the gradient buffer"
SEQUENCES = ("a tuple of", "a list of")


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its own name."""
    SCENARIOS[function.__name__] = function
    return function


def find(text: str) -> Scenario:
    """The registered scenario of this name. Text of several lines is a name and the source that registers it."""
    name, _, source = text.partition("\n")
    if source and name not in SCENARIOS:
        exec(compile(source, f"scenario {name}", "exec"), {"__name__": name})
    return SCENARIOS[name]


def plain(value: Any) -> Any:
    """An array or number as a copied array; any other object as a phrase that names it."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value.copy() if value.size <= MOST_ENTRIES else f"an array of shape {value.shape}"
    if isinstance(value, (np.generic, int, float)) and not isinstance(value, np.object_):
        return np.asarray(value)
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"a {'tuple' if isinstance(value, tuple) else 'list'} of {len(value)}"
    return NOTHING if value is None else f"a {type(value).__name__}"


def gradient(engine: Any, array: np.ndarray) -> Any:
    """The buffer's gradient of an array, or a phrase if there is none."""
    try:
        value = engine.gradient_buffer.get_param(array)
    except KeyError:
        return NO_SPOT
    return EMPTY_SPOT if value is None else plain(value)


# The autograder's own operations: with them, a check of the engine or of a layer needs no other exercise.


def affine_rule(grad_output: Any, a: np.ndarray) -> np.ndarray:
    return np.asarray(grad_output) * 1.5


def join_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.asarray(grad_output) * 2.0, np.asarray(grad_output) * -3.0


def plus_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.array(grad_output), np.array(grad_output)


def cube_rule(grad_output: Any, a: np.ndarray) -> np.ndarray:
    return np.asarray(grad_output) * 3.0 * a * a


def affine(engine: Any, a: np.ndarray) -> np.ndarray:
    """1.5 a + 0.25, recorded."""
    y = 1.5 * a + 0.25
    engine.add_operation([a], y, [None], affine_rule)
    return y


def join(engine: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """2 a - 3 b, recorded."""
    y = 2.0 * a - 3.0 * b
    engine.add_operation([a, b], y, [None, None], join_rule)
    return y


def plus(engine: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b of one shape, recorded."""
    y = a + b
    engine.add_operation([a, b], y, [None, None], plus_rule)
    return y


def cube(engine: Any, a: np.ndarray) -> np.ndarray:
    """a to the third, recorded."""
    y = a * a * a
    engine.add_operation([a], y, [None], cube_rule)
    return y


def linear_layer(student: Any, engine: Any, W: np.ndarray, b: np.ndarray) -> Any:
    """The submission's Linear with these weights, in their dtype."""
    layer = student.get("linear", "Linear")(W.shape[1], W.shape[0], engine)
    if layer.W.dtype != W.dtype:
        for name in ("W", "b", "dW", "db", "momentum_W", "momentum_b"):
            setattr(layer, name, getattr(layer, name).astype(W.dtype))
    layer.W[...] = W
    layer.b[...] = b
    return layer
