"""Misconceptions that show in what a layer recorded, rather than in the gradients that came of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.compare import Problem, with_hint
from autograder.helpers import Given
from autograder.replay import is_forward_of

OF_THE_AUTOGRADER = ("affine_rule", "cube_rule", "join_rule", "plus_rule")
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
        with np.errstate(all="ignore"):
            told = _told(given, operations)
        if told is None:
            steps = [one for one in operations if one["rule"] not in OF_THE_AUTOGRADER]
            # Of a layer in several steps nobody knows which one is wrong.
            unknown = len(steps) > 1 and compared.hint == "derivative"
            return with_hint("layer_unknown", compared.feedback) if unknown else compared
        key, number, position = told
        name = f"operation {number} ({operations[number]['rule']})"
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, StopIteration):
        return compared
    return with_hint(key, compared.feedback, f"input {position} of {name}" if position is not None else name)


def _told(given: Given, operations: list[Any]) -> tuple[str, int, int | None] | None:
    """The key of a hint, with the numbers of the operation and of its input."""
    for number, operation in enumerate(operations):
        arrays = operation["arrays"]
        if "y" in given and len(arrays) == 2 and _is(arrays[0], given["y"]) and not operation["flows"][1]:
            return "truth_first", number, None
    has_weights = any(name.startswith("W") or name == "arrays" for name in given)
    for number, operation in enumerate(operations):
        if not is_forward_of(operation):
            return "inputs_mismatch", number, None
        if not has_weights and any(slot >= 0 for slot in operation["slots"]):
            return "slot_hides", number, next(k for k, slot in enumerate(operation["slots"]) if slot >= 0)
    return _copy(operations)


def _copy(operations: list[Any]) -> tuple[str, int, int | None] | None:
    """The first input that has the numbers of an earlier output that nobody uses, but is another array."""
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
