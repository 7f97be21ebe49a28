"""Checks of the engine: recording and the backward pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autograder import recording
from autograder.graphs import (
    EVERY_LENGTH,
    HANDED_ON,
    NOTHING_FLOWS,
    SAME_NUMBERS,
    SEVERAL_USES,
    cases_for,
    graph_expected,
    graph_suspects,
)
from autograder.helpers import Check, Expectations, Expected, Given, Kind, Suspect, Values, normal

BACK = "Autograd Backward"


def _start(given: Given, y: np.ndarray) -> Any:
    start = given["start"]
    return np.ones(y.shape) if isinstance(start, str) else np.broadcast_to(start, y.shape)


def _chain(given: Given) -> Expectations:
    """Gradient by the chain rule for x -> 1.7 x + 0.25 -> cube -> 1.7 x + 0.25, or for a part of it."""
    return {"gradient of x": Expected(_chain_with(given, None), Kind.GRADIENT)}


def _chain_with(given: Given, start: np.ndarray | None) -> np.ndarray:
    x, operations = given["x"], given["operations"]
    a = x if operations == 1 else 1.7 * x + 0.25
    slope = 3 * a**2 * {1: 1.0, 2: 1.7, 3: 2.89}[operations]
    return slope * (_start(given, x) if start is None else start)


def _chain_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    x, operations = given["x"], given["operations"]
    a = x if operations == 1 else 1.7 * x + 0.25
    y = a**3 if operations < 3 else 1.7 * a**3 + 0.25
    g = np.array(_start(given, x))
    name = "gradient of x"
    if isinstance(given["start"], str):
        yield "start_is_output", {name: _chain_with(given, y)}
    else:
        yield "start_ignored", {name: _chain_with(given, np.ones(x.shape))}
    if operations > 1:
        yield "start_everywhere", {name: 1.7 * g, "gradient of 1.7 x + 0.25": 3 * a**2 * g}
        yield "forwards", {name: 1.7 * g}
        yield "lookup", {name: np.zeros(x.shape)}
    if isinstance(given["start"], str):
        yield "start_everywhere", {name: 1.7 * y}
    if len(x) > 1:
        yield "single_array", {name: np.broadcast_to(expected[name][:1], x.shape)}
    if not isinstance(given["start"], str):
        yield "output_as_gradient", {name: 3 * a**5 if operations == 1 else 1.7 * a}
    yield "gradient_last", {name: (1.7 if operations > 1 else 1) * 3 * a * g**2}
    last = 1.7 * g if operations == 3 else g
    yield "gradient_last", {name: 1.7 * 3 * a * last**2}
    yield "gradient_last", {name: 1.7 * x}


def _chains(operations: int, start: str | None = None) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        shapes = [(1, 3), (4, 3)]
        given = []
        for shape in shapes:
            x, g = normal(rng, *shape), normal(rng, *shape)
            given.append({"x": x, "start": start if start else g, "operations": operations})
        return given

    return cases


def _join(given: Given) -> Expectations:
    g, w = given["g"], given["w"]
    return {
        "gradient of x": Expected(2.0 * 1.7 * g, Kind.GRADIENT),
        "gradient of w": Expected(-3.0 * 3 * w**2 * g, Kind.GRADIENT),
    }


def _join_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    g, w = given["g"], given["w"]
    yield "swapped", {"gradient of x": 1.7 * -3 * g, "gradient of w": 3 * w**2 * 2 * g}
    g, w = given["g"], given["w"]
    yield "lookup", {name: np.zeros(given["x"].shape) for name in expected}
    yield "start_everywhere", {"gradient of x": 1.7 * g, "gradient of w": 3 * w**2 * g}
    if len(g) > 1:
        yield "single_array", {name: np.broadcast_to(gradient[:1], g.shape) for name, gradient in expected.items()}


def _with_gradient(rng: np.random.Generator) -> list[Given]:
    return [{"x": normal(rng, n, 3), "w": normal(rng, n, 3), "g": normal(rng, n, 3)} for n in (1, 4)]


def _twice(uses: int) -> Any:
    return lambda rng: [{"x": normal(rng, n, 3), "g": normal(rng, n, 3), "uses": uses} for n in (1, 4)]


def _paths(given: Given) -> list[np.ndarray]:
    """The contributions to the gradient of x, in the order of the backward pass."""
    x, g, uses = given["x"], given["g"], given["uses"]
    paths = [-3 * g, 6 * x**2 * g]
    return [1.7 * g, *paths] if uses == 3 else paths


def _twice_expected(given: Given) -> Expectations:
    return {"gradient of x": Expected(sum(_paths(given)), Kind.GRADIENT)}


def _twice_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    paths = _paths(given)
    total = np.zeros(given["x"].shape)
    doubling = total
    for path in paths:
        yield "one_path", {"gradient of x": path}
    for path in paths:
        yield "engine_doubles", {"gradient of x": sum(paths) + path}
        # The buffer's content is added again with each contribution.
        doubling = 2 * doubling + path
    yield "engine_doubles", {"gradient of x": doubling}
    yield "start_everywhere", {"gradient of x": sum(paths) - 0.5 * paths[-1]}
    yield "multiplied", {"gradient of x": np.prod(paths, axis=0)}
    if len(total) > 1:
        yield "single_array", {"gradient of x": paths[-2] + paths[-1][:1]}
        yield "single_array", {"gradient of x": sum(paths[:-1]) + paths[-1][:1]}
        yield "single_array", {"gradient of x": sum(paths) - paths[0] - paths[-1] + paths[0][:1] + paths[-1][:1]}
    if len(paths) == 3:
        for left_out in paths:
            yield "one_path", {"gradient of x": sum(paths) - left_out}


def _slots(again: bool) -> Any:
    def cases(rng: np.random.Generator) -> list[Given]:
        return [
            {
                "x": normal(rng, n, 3),
                "w": normal(rng, n, 3),
                "dw": normal(rng, n, 3),
                "g": normal(rng, n, 3),
                "again": again,
            }
            for n in (1, 4)
        ]

    return cases


def _slot_expected(given: Given) -> Expectations:
    g, x, times = given["g"], given["x"], 2 if given["again"] else 1
    return {
        "dw": Expected(given["dw"] - 3.0 * times * g, Kind.SLOT),
        "gradient of x": Expected(2.0 * g * (3 * x**2 if given["again"] else 1), Kind.GRADIENT),
    }


def _slot_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    dw, step = given["dw"], -3.0 * given["g"]
    times = 2 if given["again"] else 1
    yield "slot_unchanged", {"dw": dw}
    yield "slot_overwritten", {"dw": step}
    yield "slot_doubled", {"dw": dw + 2 * times * step}
    for other in (2.0, 2.0 - 3.0):
        yield "slot_place", {"dw": dw + times * other * given["g"]}
    yield "slot_subtracted", {"dw": dw - times * step}
    if given["again"]:
        yield "stale", {"dw": dw + 3 * step}
        yield "stale", {"gradient of x": expected["gradient of x"] + 2.0 * given["g"]}
        yield "start_everywhere", {"gradient of x": expected["gradient of x"] / 2}
        yield "single_array", {"gradient of x": np.broadcast_to(expected["gradient of x"][:1], given["x"].shape)}


def _unused(rng: np.random.Generator) -> list[Given]:
    result = []
    for n in (1, 4):
        given = {name: normal(rng, n, 3) for name in ("x", "w", "g", "dw")}
        result.append({**given, "dw before": given["dw"].copy()})
    return result


def _unused_expected(given: Given) -> Expectations:
    h = 1.7 * given["x"] + 0.25
    return {
        "gradient of x": Expected(1.7 * 3 * h**2 * given["g"], Kind.GRADIENT),
        "dw": Expected(given["dw before"], Kind.SLOT),
    }


def _unused_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    yield "none_starts", {"gradient of x": expected["gradient of x"] + 1.7 * 2.0 * given["g"]}
    yield "none_stops", {"gradient of x": np.zeros(given["x"].shape)}


def _equal_to_output(rng: np.random.Generator) -> list[Given]:
    """The gradient to start from has the numbers of the output, but is another array."""
    x = normal(rng, 4, 3)
    return [{"x": x, "start": x * x * x, "operations": 1}]


def _equal_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    yield "start_by_value", {"gradient of x": 3 * given["x"] ** 2}


def _dead(where: str, start: Any = None) -> Any:
    return lambda rng: [{"x": normal(rng, 4, 3), "start": start or normal(rng, 4, 3), "dead": where}]


def _dead_expected(given: Given) -> Expectations:
    slope = 3 * given["x"] ** 2 * (1.7 if given["dead"] == "middle" else 1.0)
    return {"gradient of x": Expected(slope * given["start"], Kind.GRADIENT)}


def _graphs(title: str, points: float, names: tuple[str, ...]) -> Check:
    return Check(BACK, title, points, "program", cases_for(names), graph_expected, graph_suspects)


CHECKS = [
    *recording.CHECKS,
    Check(BACK, "one operation", 0.5, "engine_chain", _chains(1), _chain, _chain_suspects, story="cube(x)."),
    Check(
        BACK,
        "a chain of three operations",
        0.5,
        "engine_chain",
        _chains(3),
        _chain,
        _chain_suspects,
        story="1.7 x + 0.25, cubed, then the same again.",
    ),
    Check(
        BACK,
        "two inputs, two ways back",
        0.25,
        "engine_join",
        _with_gradient,
        _join,
        _join_suspects,
        story="2 (1.7 x + 0.25) - 3 w cubed.",
    ),
    Check(
        BACK,
        "an array used twice",
        0.5,
        "engine_twice",
        _twice(2),
        _twice_expected,
        _twice_suspects,
        story="2 cube(x) - 3 x.",
    ),
    Check(
        BACK,
        "an array used three times",
        0.25,
        "engine_twice",
        _twice(3),
        _twice_expected,
        _twice_suspects,
        story="2 cube(x) - 3 x + (1.7 x + 0.25).",
    ),
    Check(
        BACK,
        "gradients_to_update is added to in place",
        0.5,
        "engine_slots",
        _slots(False),
        _slot_expected,
        _slot_suspects,
        story="y = 2 x - 3 w, where dw is the gradient to update.",
    ),
    Check(
        BACK,
        "starting from the very output",
        0.25,
        "engine_chain",
        _chains(2, "output"),
        _chain,
        _chain_suspects,
        story="engine.backward(y), y the output of the last operation.",
    ),
    Check(
        BACK,
        "starting from another array with the output's numbers",
        0.25,
        "engine_chain",
        _equal_to_output,
        _chain,
        _equal_suspects,
        story="engine.backward(start), where start is not the output of cube(x) but has the same numbers.",
    ),
    Check(
        BACK,
        "a second step after zero_grad",
        0.25,
        "engine_slots",
        _slots(True),
        _slot_expected,
        _slot_suspects,
        story="Two steps with zero_grad() in between, dw not set to zero.",
    ),
    _graphs("an array twice among the inputs", 0.25, SEVERAL_USES),
    _graphs("arrays with the same numbers", 0.25, SAME_NUMBERS),
    _graphs("lists of one, three and four inputs", 0.5, EVERY_LENGTH),
    _graphs("None where nothing flows", 0.25, NOTHING_FLOWS),
    _graphs("rules that return what they were given", 0.25, HANDED_ON),
    Check(
        BACK,
        "nothing comes from an operation that nobody used",
        0.25,
        "engine_unused",
        _unused,
        _unused_expected,
        _unused_suspects,
        story="With h = 1.7 x + 0.25, first 2 h - 3 w with dw, which nobody uses, then cube(h).",
    ),
    Check(
        BACK,
        "an operation that nobody used is passed over",
        0,
        "engine_dead_branch",
        _dead("middle"),
        _dead_expected,
        story="The list holds an operation whose output is not used.",
    ),
    Check(
        BACK,
        "a plain number to start from",
        0,
        "engine_dead_branch",
        _dead("none", 2.0),
        _dead_expected,
        story="engine.backward(2.0).",
    ),
]


def test_autograd(outcome: Any) -> None:
    outcome.require()
