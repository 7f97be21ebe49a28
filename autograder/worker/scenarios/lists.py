"""Scenarios of lists that an engine has to refuse or may refuse, and of a loss in the middle of a list."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.worker.scenarios.common import (
    Given,
    affine,
    call,
    cube,
    gradient,
    join_rule,
    plain,
    scenario,
)


@scenario
def engine_lengths(student: Any, given: Given) -> dict[str, Any]:
    """Record lists of inputs and of gradients_to_update of several lengths; 1 for each call that raised an error."""
    engine = student.engine()
    refused = []
    for inputs, slots in given["lengths"]:
        arrays = [given["x"] + number for number in range(inputs)]
        try:
            engine.add_operation(arrays, given["x"] * 2.0, [None] * slots, join_rule)
        except NotImplementedError:
            raise
        except Exception:
            refused.append(1)
        else:
            refused.append(0)
    return {"refused": np.array(refused)}


@scenario
def engine_unused(student: Any, given: Given) -> dict[str, Any]:
    """Backward where nobody used the output of one operation. An engine that raises an error runs again without it."""
    engine = student.engine()
    x, dw = given["x"], given["dw"]

    def walk(with_unused: bool) -> None:
        h = affine(engine, x)
        if with_unused:
            engine.add_operation([h, given["w"]], 2.0 * h - 3.0 * given["w"], [None, dw], join_rule)
        cube(engine, h)
        engine.backward(given["g"])

    try:
        walk(with_unused=True)
    except NotImplementedError:
        raise
    except Exception:
        engine.zero_grad()
        dw[...] = given["dw before"]
        walk(with_unused=False)
    return {"gradient of x": gradient(engine, x), "dw": plain(dw)}


def _array_of(engine: Any, value: Any) -> Any:
    """A loss that was recorded last, as an array: a NumPy number has no place in memory by which another step could find it."""
    if not isinstance(value, np.ndarray) and engine.operation_list:
        operation = engine.operation_list[-1]
        array = np.asarray(operation.output)
        if hasattr(operation, "_replace"):
            engine.operation_list[-1] = operation._replace(output=array)
        else:
            operation.output = array
        return array
    return value


@scenario
def loss_inside(student: Any, given: Given) -> dict[str, Any]:
    """Backward through 2 first - 3 second, two losses on the same scores."""
    engine = student.engine()
    first, second = (student.get("loss", given["loss"])(engine) for _ in range(2))
    scores = affine(engine, given["x"])
    one, other = (
        _array_of(engine, call(loss, y, scores)) for loss, y in ((first, given["y"]), (second, given["y of second"]))
    )
    total = np.asarray(2.0 * one - 3.0 * other)
    engine.add_operation([one, other], total, [None, None], join_rule)
    engine.backward(total)
    return {"gradient of x": gradient(engine, given["x"]), "gradient of the scores": gradient(engine, scores)}
