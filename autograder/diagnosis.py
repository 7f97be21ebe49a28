"""Misconceptions that show in what a layer recorded, rather than in the gradients that came of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.compare import Problem, problem
from autograder.helpers import Given

# Hints of a comparison that a look at the list can only repeat in other words.
SPECIFIC = ("in_place", "overflow", "widened", "integer")


def diagnose(given: Given, found: Any, compared: Problem) -> Problem:
    """The problem by what a scenario recorded on a Tape, or the one that comparing the values found.

    given: the case. found: the result of the scenario ``recorded`` for it.
    """
    if compared.hint in SPECIFIC:
        return compared
    try:
        operations = next(walk["operations"] for walk in reversed(found["walks"]) if walk["operations"])
        told = _told(given, operations)
        if told is None:
            return compared
        key, number, position = told
        name = f"operation {number} ({operations[number]['rule']})"
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, StopIteration):
        return compared
    seen = compared.feedback
    return problem(
        key,
        given=seen["given"],
        looked_at=seen["looked_at"],
        expected=seen["expected"],
        came=seen["came"],
        place=f"input {position} of {name}" if position is not None else name,
    )


def _told(given: Given, operations: list[Any]) -> tuple[str, int, int | None] | None:
    """The key of a hint, with the numbers of the operation and of its input."""
    last = operations[-1]
    if "y" in given and len(last["arrays"]) == 2 and _is(last["arrays"][0], given["y"]) and not last["flows"][1]:
        return "truth_first", len(operations) - 1, None
    return _copy(given, operations)


def _copy(given: Given, operations: list[Any]) -> tuple[str, int, int | None] | None:
    """The first input that has the numbers of an earlier output, or of the given x, but is another array."""
    made = {operation["output"] for operation in operations}
    used = {number for operation in operations for number in operation["inputs"]}
    for number, operation in enumerate(operations):
        for position, (source, array) in enumerate(zip(operation["inputs"], operation["arrays"])):
            if source in made or source < 0:
                continue
            for earlier in operations[:number]:
                if _is(array, earlier["result"]) and earlier["output"] not in used:
                    return "copied", number, position
    return None


def _is(one: Any, other: Any) -> bool:
    return isinstance(one, np.ndarray) and one.shape == np.shape(other) and one.size > 1 and np.array_equal(one, other)
