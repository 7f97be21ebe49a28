"""Common parts of scenarios: the register, values to send back, and the autograder's own operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.worker.student import MissingName

Given = dict[str, Any]
Scenario = Callable[[Any, Given], dict[str, Any]]
SCENARIOS: dict[str, Scenario] = {}
# Larger than any right result, small enough to be sent.
MOST_ENTRIES = 10_000
# Phrases that are sent instead of an array. SEQUENCES: beginnings of those for tuples and lists.
NOTHING, ONE_ARRAY, CLASS = "None", "one array", "a class"
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
    if isinstance(value, type):
        return CLASS
    return NOTHING if value is None else f"a {type(value).__name__}"


def buffer_of(engine: Any) -> Any:
    """The engine's gradient buffer, under its name in this or in an older generation of the homework."""
    for name in ("gradient_buffer", "memory_buffer"):
        if hasattr(engine, name):
            return getattr(engine, name)
    raise MissingName("Autograd keeps its buffer in gradient_buffer, and this engine has no attribute of that name.")


def gradient(engine: Any, array: np.ndarray) -> Any:
    """The buffer's gradient of an array, or a phrase if there is none."""
    return spot(buffer_of(engine).get_param, engine, array)


def spot(method: Callable[..., Any], engine: Any, array: np.ndarray, *rest: Any) -> Any:
    """The result of a buffer's method for an array, or a phrase. Buffers differ in how they refuse an unknown array."""
    try:
        value = method(array, *rest)
    except KeyError:
        return NO_SPOT
    except Exception:
        if buffer_of(engine).is_in_memory(array):
            raise
        return NO_SPOT
    return EMPTY_SPOT if value is None else plain(value)


# Layers of other generations of the homework have no base class, so some have no __call__, zero_grad or backward.


def call(layer: Any, *inputs: Any) -> Any:
    return layer(*inputs) if callable(layer) else layer.forward(*inputs)


def zero_layer(layer: Any) -> None:
    if hasattr(layer, "zero_grad"):
        layer.zero_grad()
    else:
        layer.dW.fill(0)
        layer.db.fill(0)


def walk_back(loss: Any, value: Any, engine: Any) -> None:
    """Backward from a loss that was called last and returned this value."""
    if hasattr(loss, "backward"):
        loss.backward()
    else:
        engine.backward(value)


# The autograder's own operations: with them, a check of the engine or of a layer needs no other exercise.


def affine_rule(grad_output: Any, a: np.ndarray) -> np.ndarray:
    return np.asarray(grad_output) * 1.7


def join_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.asarray(grad_output) * 2.0, np.asarray(grad_output) * -3.0


def plus_rule(grad_output: Any, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    return np.array(grad_output), np.array(grad_output)


def cube_rule(grad_output: Any, a: np.ndarray) -> np.ndarray:
    return np.asarray(grad_output) * 3.0 * a * a


def affine(engine: Any, a: np.ndarray) -> np.ndarray:
    """1.7 a + 0.25, recorded."""
    y = 1.7 * a + 0.25
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
    """The submission's Linear with these weights, in their dtype or a wider one. Raises MissingName for another form."""
    make = student.get("linear", "Linear")
    try:
        layer = make(W.shape[1], W.shape[0], engine, dtype=W.dtype)
    except TypeError:
        layer = make(W.shape[1], W.shape[0], engine)
    fits = {"W": [W.shape], "b": [b.shape, b.shape[:1], b.shape[::-1]]}
    for name, value in (("W", W), ("b", b)):
        shape = np.shape(getattr(layer, name))
        if shape not in fits[name]:
            raise MissingName(
                f"Linear({W.shape[1]}, {W.shape[0]}).{name} has shape {shape}. Make it an array of shape {value.shape}."
            )
        for part in (name, f"d{name}", f"momentum_{name}"):
            # Numbers would lose digits in a narrower array. A wider one stays: the layer may keep views of it.
            if hasattr(layer, part) and getattr(layer, part).dtype.itemsize < W.dtype.itemsize:
                setattr(layer, part, getattr(layer, part).astype(W.dtype))
        getattr(layer, name)[...] = value.reshape(shape)
    return layer


def parameter(layer: Any, name: str) -> Any:
    """A copy of a layer's array, b and db as a column (out, 1) in whatever form the layer keeps b."""
    array = getattr(layer, name)
    if name in ("b", "db") and np.shape(array) == np.shape(layer.b):
        array = np.reshape(array, (-1, 1))
    return plain(array)
