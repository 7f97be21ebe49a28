"""Scenarios of the engine: recording, spots in the buffer, the backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.worker.scenarios.common import (
    Given,
    affine,
    buffer_of,
    cube,
    cube_rule,
    gradient,
    join,
    join_rule,
    plain,
    plus,
    scenario,
    spot,
)


@scenario
def engine_records(student: Any, given: Given) -> dict[str, Any]:
    """Record two operations, put new numbers into every array in place, and read the list.

    An Operation that holds the arrays themselves shows the new numbers; one that holds copies shows the old ones.
    Its backward_operation is called with its inputs and known by its result.
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
def engine_paused(student: Any, given: Given) -> dict[str, Any]:
    """Record some operations inside of paused() and some after it, and count."""
    engine = student.engine()
    with engine.paused():
        for _ in range(given["inside"]):
            cube(engine, given["x"])
    counted = len(engine.operation_list)
    for _ in range(given["after"]):
        cube(engine, given["x"])
    return {
        "operations from inside of paused()": np.array(counted),
        "operations in the list": np.array(len(engine.operation_list)),
    }


@scenario
def engine_spots(student: Any, given: Given) -> dict[str, Any]:
    """Record, read a spot before backward, then put numbers into each input's spot and read them again."""
    engine = student.engine()
    x, w, u = given["x"], given["w"], given["u"]
    y = 2.0 * x - 3.0 * w
    engine.add_operation([x, w], y, [None, np.zeros(w.shape)], join_rule)
    engine.add_operation([y, x, u], y + x * u, [None, None, None], lambda g, y, x, u: (g, g * u, g * x))
    result: dict[str, Any] = {"gradient of x before backward": gradient(engine, x)}
    for name, array in (("x", x), ("w", w), ("u", u), ("y", y)):
        spot(buffer_of(engine).update_param, engine, array, given[f"new {name}"])
        result[f"the spot of {name}"] = gradient(engine, array)
    return result


@scenario
def engine_chain(student: Any, given: Given) -> dict[str, Any]:
    """Backward through x -> affine -> cube -> affine, from a gradient array or from the output itself."""
    engine = student.engine()
    x = given["x"]
    first = x if given["operations"] == 1 else affine(engine, x)
    y = cube(engine, first)
    if given["operations"] == 3:
        y = affine(engine, y)
    start = given["start"]
    engine.backward(y if isinstance(start, str) else start)
    between = {"gradient of 1.7 x + 0.25": gradient(engine, first)} if given["operations"] > 1 else {}
    return {"gradient of x": gradient(engine, x), **between}


@scenario
def engine_join(student: Any, given: Given) -> dict[str, Any]:
    """Backward through an operation with two inputs, each with its own path to a leaf."""
    engine = student.engine()
    x, w = given["x"], given["w"]
    y = join(engine, affine(engine, x), cube(engine, w))
    engine.backward(np.copy(given["g"]) + 0 * y)
    return {"gradient of x": gradient(engine, x), "gradient of w": gradient(engine, w)}


@scenario
def engine_twice(student: Any, given: Given) -> dict[str, Any]:
    """Backward where x is used two or three times, so that gradients are summed."""
    engine = student.engine()
    x = given["x"]
    y = join(engine, cube(engine, x), x)
    if given["uses"] == 3:
        y = plus(engine, y, affine(engine, x))
    engine.backward(given["g"])
    return {"gradient of x": gradient(engine, x)}


@scenario
def engine_slots(student: Any, given: Given) -> dict[str, Any]:
    """Backward into an array of gradients_to_update that is not zero at first."""
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
    """Backward with an operation in the list whose output is not used."""
    engine = student.engine()
    x = given["x"]
    y = cube(engine, x)
    if given["dead"] == "middle":
        affine(engine, x)
        y = affine(engine, y)
    engine.backward(given["start"])
    return {"gradient of x": gradient(engine, x)}
