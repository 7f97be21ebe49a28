"""Scenarios: each uses the submission on given arrays and returns plain arrays. None knows what is right.

``SCENARIOS[name](student, given)`` runs in the submission's process. What it returns goes to a check in another process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Given = dict[str, Any]
Scenario = Callable[[Any, Given], dict[str, Any]]
SCENARIOS: dict[str, Scenario] = {}
# Larger than anything that a scenario is given or should return, small enough to be sent.
MOST_ENTRIES = 10_000


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its own name."""
    SCENARIOS[function.__name__] = function
    return function


def plain(value: Any) -> Any:
    """An array or number as an array, anything else as a phrase that says what it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value.copy() if value.size <= MOST_ENTRIES else f"an array of shape {value.shape}"
    if isinstance(value, (np.generic, int, float)) and not isinstance(value, np.object_):
        return np.asarray(value)
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def gradient(engine: Any, array: np.ndarray) -> Any:
    """The buffer's gradient of an array; a phrase where the buffer has none."""
    try:
        value = engine.gradient_buffer.get_param(array)
    except KeyError:
        return "no spot in the gradient buffer"
    return "an empty spot in the gradient buffer" if value is None else plain(value)


# Operations of the autograder's own, so that a check of the engine or of a layer does not depend on the exercises.


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


# Engine


@scenario
def engine_records(student: Any, given: Given) -> dict[str, Any]:
    """Two operations. Then every array gets new numbers in place, and what the list shows is looked at.

    A record that keeps the very arrays shows the new numbers; one that keeps copies shows the old ones. Its
    backward_operation is called with its inputs, so that it shows itself by what it returns.
    """
    engine = student.engine()
    x, w, dw = given["x"], given["w"], np.zeros_like(given["w"])
    y = 2.0 * x - 3.0 * w
    z = y * y * y
    engine.add_operation([x, w], y, [None, dw], join_rule)
    engine.add_operation([y], z, [None], cube_rule)
    for name, array in (("x", x), ("w", w), ("y", y), ("z", z), ("dw", dw)):
        array[...] = given[f"new {name}"]
    found = list(engine.operation_list)
    result: dict[str, Any] = {"operations in the list": np.array(len(found))}
    for number, record in enumerate(found[:2]):
        inputs = _items(getattr(record, "inputs", None))
        slots = _items(getattr(record, "gradients_to_update", None))
        returned = _returned(getattr(record, "backward_operation", None), given["g"], inputs)
        shown = {
            **{f"inputs[{k}]": plain(value) for k, value in enumerate(inputs)},
            "output": plain(getattr(record, "output", None)),
            "gradients_to_update, entries of each": np.array(
                [0 if slot is None else np.size(slot) for slot in slots], np.int64
            ),
            **{f"gradients_to_update[{k}]": plain(value) for k, value in enumerate(slots)},
            **{f"backward_operation(g, *inputs)[{k}]": plain(value) for k, value in enumerate(returned)},
        }
        result.update({f"operation {number} {name}": value for name, value in shown.items()})
    return result


def _items(found: Any) -> list[Any]:
    return list(found)[:10] if isinstance(found, (list, tuple)) else []


def _returned(rule: Any, g: np.ndarray, inputs: list[Any]) -> list[Any]:
    try:
        returned = rule(g, *inputs)
    except Exception:
        return []
    return _items(returned) if isinstance(returned, (list, tuple)) else [returned]


@scenario
def engine_spots(student: Any, given: Given) -> dict[str, Any]:
    """After recording, nothing has arrived in any spot; then numbers are put into each input's spot and read again."""
    engine = student.engine()
    x, w = given["x"], given["w"]
    y = join(engine, x, w)
    cube(engine, y)
    result: dict[str, Any] = {"gradient of x before backward": gradient(engine, x)}
    for name, array in (("x", x), ("w", w), ("y", y)):
        try:
            engine.gradient_buffer.update_param(array, given[f"new {name}"])
        except KeyError:
            result[f"the spot of {name}"] = "no spot in the gradient buffer"
        else:
            result[f"the spot of {name}"] = gradient(engine, array)
    return result


@scenario
def engine_chain(student: Any, given: Given) -> dict[str, Any]:
    """x -> affine -> cube -> affine, started with a gradient array or with the very output."""
    engine = student.engine()
    x = given["x"]
    a = affine(engine, x)
    b = cube(engine, a)
    y = affine(engine, b) if given["operations"] == 3 else b
    if given["operations"] == 1:
        engine = student.engine()
        y = cube(engine, x)
    start = given["start"]
    engine.backward(y if isinstance(start, str) else start)
    return {"gradient of x": gradient(engine, x)}


@scenario
def engine_join(student: Any, given: Given) -> dict[str, Any]:
    """An operation with two inputs, each with a way of its own back to a leaf."""
    engine = student.engine()
    x, w = given["x"], given["w"]
    y = join(engine, affine(engine, x), cube(engine, w))
    engine.backward(np.copy(given["g"]) + 0 * y)
    return {"gradient of x": gradient(engine, x), "gradient of w": gradient(engine, w)}


@scenario
def engine_twice(student: Any, given: Given) -> dict[str, Any]:
    """x goes two or three ways; their gradients are summed."""
    engine = student.engine()
    x = given["x"]
    y = join(engine, cube(engine, x), x)
    if given["uses"] == 3:
        y = plus(engine, y, affine(engine, x))
    engine.backward(given["g"])
    return {"gradient of x": gradient(engine, x)}


@scenario
def engine_slots(student: Any, given: Given) -> dict[str, Any]:
    """A gradient to update is added to, in place, on top of what is there."""
    engine = student.engine()
    x, w, dw = given["x"], given["w"], given["dw"]
    y = 2.0 * x - 3.0 * w
    engine.add_operation([x, w], y, [None, dw], join_rule)
    engine.backward(given["g"])
    result = {"dw": plain(dw), "gradient of x": gradient(engine, x)}
    if given["again"]:
        engine.zero_grad()
        h = cube(engine, x)
        y = 2.0 * h - 3.0 * w
        engine.add_operation([h, w], y, [None, dw], join_rule)
        engine.backward(given["g"])
        result = {"dw": plain(dw), "gradient of x": gradient(engine, x)}
    return result


@scenario
def engine_dead_branch(student: Any, given: Given) -> dict[str, Any]:
    """An operation whose output nobody used stands in the list too."""
    engine = student.engine()
    x = given["x"]
    y = cube(engine, x)
    if given["dead"] == "middle":
        affine(engine, x)
        y = affine(engine, y)
    engine.backward(given["start"])
    return {"gradient of x": gradient(engine, x)}


# Backward functions


@scenario
def rule(student: Any, given: Given) -> dict[str, Any]:
    """Call one backward function. The arrays are looked at again afterwards: it has to leave them alone."""
    function = student.get("functional", given["rule"])
    inputs = [given[name] for name in ("a", "b") if name in given]
    grad = given["grad"]
    settings = {name: given[name] for name in ("axis", "keepdims") if name in given}
    returned = function(grad, *inputs, **settings)
    names = ["a", "b"][: len(inputs)]
    if len(inputs) == 1 and isinstance(returned, (tuple, list)) and len(returned) == 1:
        returned = returned[0]
    if len(inputs) == 1:
        result = {"gradient of a": plain(returned)}
    elif isinstance(returned, (tuple, list)) and len(returned) == len(inputs):
        result = {f"gradient of {name}": plain(value) for name, value in zip(names, returned)}
    else:
        result = {
            f"gradient of {name}": f"{plain(returned) if not isinstance(returned, np.ndarray) else 'one array'}"
            for name in names
        }
    result.update({f"{name} afterwards": plain(value) for name, value in zip((*names, "grad_output"), (*inputs, grad))})
    return result


# Activations


@scenario
def activation_forward(student: Any, given: Given) -> dict[str, Any]:
    """Call an activation with an engine that records nothing."""
    layer = student.get("activation", given["activation"])(student.silent_engine())
    x = given["x"]
    y = layer(x)
    return {"output": plain(y), "state": plain(layer.state), "x afterwards": plain(x)}


@scenario
def activation_backward(student: Any, given: Given) -> dict[str, Any]:
    """An activation as the last operation, or between others, once, twice, or over two steps."""
    engine = student.engine()
    layer = student.get("activation", given["activation"])(engine)
    x, where = given["x"], given["where"]
    if where == "second step":
        first = cube(engine, layer(affine(engine, given["before"])))
        engine.backward(np.ones(first.shape))
        engine.zero_grad()
    h = affine(engine, x) if where in ("middle", "second step", "used twice") else x
    y = layer(h)
    if where in ("middle", "second step"):
        z = cube(engine, y)
        engine.backward(given["g"] + 0 * z)
    elif where == "used twice":
        z = join(engine, y, h)
        z = plus(engine, z, cube(engine, y))
        engine.backward(given["g"] + 0 * z)
    else:
        engine.backward(given["g"])
    return {"gradient of x": gradient(engine, x), "x afterwards": plain(x)}
