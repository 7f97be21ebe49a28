"""Checks of recording: what an engine's add_operation leaves in its list and in its buffer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from autograder.helpers import Check, Expectations, Expected, Given, Kind, Suspect, Values, normal

ADD = "Autograd Add Operation"

LENGTHS = np.array([[2, 1], [1, 2], [2, 2], [1, 0], [0, 1], [3, 2]])


def _lengths(rng: np.random.Generator) -> list[Given]:
    return [{"x": normal(rng, 4, 3), "lengths": LENGTHS.copy()}]


def _refused(given: Given) -> Expectations:
    inputs, slots = given["lengths"].T
    return {"refused": Expected((inputs != slots).astype(np.int64))}


def _refused_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    # Whatever is accepted or refused, there is one thing to say about it.
    for refused in itertools.product((0, 1), repeat=len(given["lengths"])):
        yield "lengths", {"refused": np.array(refused)}


def _leaves(rng: np.random.Generator) -> list[Given]:
    """Arrays x and w to record, new numbers for every array, and a gradient."""
    new = ("new x", "new w", "new u", "new y", "new z", "new dw")
    return [{name: normal(rng, n, 3) for name in ("x", "w", "u", "g", *new)} for n in (1, 4)]


def _recorded(given: Given) -> Expectations:
    g, x, w, y = given["g"], given["new x"], given["new w"], given["new y"]
    slots = "gradients_to_update, entries of each"
    entries = {
        "operation 0 inputs[0]": x,
        "operation 0 inputs[1]": w,
        "operation 0 output": y,
        f"operation 0 {slots}": np.array([0, w.size]),
        "operation 0 gradients_to_update[1]": given["new dw"],
        "operation 0 backward_operation(g, *inputs)[0]": 2.0 * g,
        "operation 0 backward_operation(g, *inputs)[1]": -3.0 * g,
        "operation 1 inputs[0]": y,
        "operation 1 output": given["new z"],
        f"operation 1 {slots}": np.array([0]),
        "operation 1 backward_operation(g, *inputs)[0]": 3.0 * y**2 * g,
    }
    return {
        "operations in the list": Expected(np.array(2), Kind.LENGTH),
        **{name: Expected(array, Kind.ENTRY) for name, array in entries.items()},
    }


def _recorded_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    yield "record_order", {"operation 0 output": given["new z"], "operation 1 output": given["new y"]}
    yield "record_order", {"operation 0 inputs[0]": given["new y"], "operation 1 inputs[0]": given["new x"]}


def _spots(given: Given) -> Expectations:
    return {f"the spot of {name}": Expected(given[f"new {name}"], Kind.SPOT) for name in "xwuy"}


def _spots_empty(given: Given) -> Expectations:
    # The second value proves that the buffer's spot was read.
    return {
        "gradient of x before backward": Expected(np.zeros(given["x"].shape), Kind.GRADIENT),
        "the spot of x": Expected(given["new x"], Kind.SPOT),
    }


def _spots_empty_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    yield "spot_not_empty", {"gradient of x before backward": np.ones(given["x"].shape)}


def _pauses(rng: np.random.Generator) -> list[Given]:
    """An array, and how often it is cubed inside of the pause and after it."""
    times = rng.integers(1, 9, (2, 2)).tolist()
    return [{"x": normal(rng, 4, 3), "inside": inside, "after": after} for inside, after in times]


def _paused(given: Given) -> Expectations:
    return {
        "operations from inside of paused()": Expected(np.array(0)),
        "operations in the list": Expected(np.array(given["after"]), Kind.LENGTH),
    }


def _paused_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    yield "recorded_in_pause", {"operations from inside of paused()": np.array(given["inside"])}


CHECKS = [
    Check(
        ADD,
        "each call appends one complete Operation",
        1.75,
        "engine_records",
        _leaves,
        _recorded,
        _recorded_suspects,
        story="y = 2 x - 3 w and z = y cubed are recorded; then all arrays get new numbers, which the list has to show.",
    ),
    Check(
        ADD,
        "every input gets a spot in the buffer",
        2,
        "engine_spots",
        _leaves,
        _spots,
        story="y = 2 x - 3 w with dw, then y + x u; then new numbers are put into each spot and read again.",
    ),
    Check(
        ADD,
        "recording alone adds no gradient",
        1,
        "engine_spots",
        _leaves,
        _spots_empty,
        _spots_empty_suspects,
        story="y = 2 x - 3 w with dw, then y + x u; backward is not called.",
    ),
    Check(
        ADD,
        "lists of different lengths are refused",
        0.25,
        "engine_lengths",
        _lengths,
        _refused,
        _refused_suspects,
        story="add_operation with so many inputs and so many gradients_to_update; 1 where it raised an error.",
    ),
    Check(
        ADD,
        "nothing is recorded while paused",
        0,
        "engine_paused",
        _pauses,
        _paused,
        _paused_suspects,
        story="cube(x), some times inside of `with engine.paused():` and some times after it.",
    ),
]
