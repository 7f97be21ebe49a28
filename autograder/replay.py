"""Gradients that a layer would get from a right engine: by forward accumulation of what it recorded on a Tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.helpers import Expectations, Kind, Values, derivative
from autograder.worker.scenarios.program import FORWARDS
from autograder.worker.scenarios.recorded import INDEX_BITS, MOST_WALKS


class Undecided(Exception):
    """The recorded operations do not tell the gradients."""


class Misrecorded(Exception):
    """An operation that no engine can differentiate. hint: a key of HINTS; place: the operation."""

    def __init__(self, hint: str, place: str) -> None:
        super().__init__(hint)
        self.hint, self.place = hint, place


def values(found: Any, expected: Expectations, replaced: set[str]) -> Values:
    """The values of a check's scenario with a right engine, and with right rules in place of those named in replaced.

    found: the result of the scenario ``recorded``. Raises Misrecorded, and Undecided if it cannot be read or if a rule that is
    needed raised.
    """
    try:
        shown, walks = dict(found["shown"]), list(found["walks"])
        with np.errstate(all="ignore"):
            for name, one in expected.items():
                got = shown.get(name)
                if isinstance(got, np.ndarray) and one.kind is Kind.GRADIENT:
                    shown[name] = _of_array(walks, found["epoch"][-1], int(got[0]), replaced)
                elif isinstance(got, np.ndarray) and one.kind is Kind.SLOT:
                    shown[name] = _of_slot(walks, got, replaced)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise Undecided(str(error)) from None
    return shown


def _of_array(walks: list[Any], epoch: int, number: int, replaced: set[str]) -> np.ndarray:
    """The gradient of the array with this number, summed over the walks since the last zero_grad."""
    array = next(
        a for walk in walks for op in walk["operations"] for n, a in zip(op["inputs"], op["arrays"]) if n == number
    )
    total = np.zeros(array.size)
    for walk in walks:
        if walk["epoch"] == epoch:
            total = total + _walked(walk, number, -1, array.size, replaced)
    return total.reshape(array.shape)


def _of_slot(walks: list[Any], marked: np.ndarray, replaced: set[str]) -> np.ndarray:
    """A gradient to update whose entries hold the Tape's code, as the walks add to it; zeros where none does."""
    codes = np.asarray(marked).astype(np.int64)
    result: np.ndarray = np.zeros(codes.shape)
    rows: dict[tuple[int, int], np.ndarray] = {}
    for place in np.ndindex(*codes.shape):
        code = int(codes[place])
        met = [number for number in range(MOST_WALKS) if code >> number & 1]
        if met:
            entry, rest = divmod(code >> MOST_WALKS, len(met))
            if rest:
                raise Undecided("two arrays have one gradient to update")
            slot, index = entry >> INDEX_BITS, entry & ((1 << INDEX_BITS) - 1)
            for n in met:
                if (n, slot) not in rows:
                    rows[n, slot] = _walked(walks[n], -1, slot, codes.size, replaced)
                result[place] = result[place] + rows[n, slot][index]
    return result


def _walked(walk: Any, number: int, slot: int, size: int, replaced: set[str]) -> np.ndarray:
    """The gradient of one array (by number) or of all that has one slot, as a row of ``size`` entries."""
    itself = np.eye(size)
    tangents: dict[int, np.ndarray] = {number: itself} if number >= 0 else {}
    _refuse_misrecorded(walk["operations"], replaced)
    for operation in walk["operations"]:
        matrices = _matrices(operation, replaced)
        total: Any = 0.0
        for matrix, source, target in zip(matrices, operation["inputs"], operation["slots"]):
            moved = (itself if target == slot else None) if target >= 0 else tangents.get(source)
            if moved is not None:
                total = total + matrix @ moved
        if operation["output"] != number and not np.isscalar(total):
            tangents[operation["output"]] = total
    made = [operation["output"] for operation in walk["operations"]]
    last = walk["start number"] if walk["start number"] in made else made[-1]
    if last not in tangents:
        return np.zeros(size)
    rows = len(tangents[last])
    start = np.ones(rows) if walk["start number"] in made else np.ravel(walk["start"])
    return np.broadcast_to(start, (rows,)) @ tangents[last]


def _refuse_misrecorded(operations: list[Any], replaced: set[str]) -> None:
    """Raise Misrecorded for the first operation that no engine can differentiate. replaced: rules that are not looked at."""
    outputs, made = {operation["output"] for operation in operations}, set()
    for place, operation in enumerate(operations):
        about = f"operation {place} ({operation['rule']})"
        inputs, slots = operation["inputs"], operation["slots"]
        if not operation["listed"]:
            raise Misrecorded("not_listed", about)
        if len(slots) != len(inputs):
            raise Misrecorded("slot_count", about)
        if operation["output"] in inputs:
            raise Misrecorded("same_array", f"input {inputs.index(operation['output'])} of {about}")
        made.add(operation["output"])
        for position, (source, slot) in enumerate(zip(inputs, slots)):
            if source in outputs - made:
                raise Misrecorded("recorded_late", f"input {position} of {about}")
            if source == slot >= 0:
                raise Misrecorded("slot_is_input", f"input {position} of {about}")
        if not all(operation["slots fit"]):
            raise Misrecorded("slot_shape", f"input {operation['slots fit'].index(False)} of {about}")
        if operation["rule"] not in replaced:
            if not operation["proportional"]:
                raise Misrecorded("not_proportional", about)
            if not operation["jacobians"] and not is_forward_of(operation):
                raise Misrecorded("inputs_mismatch", about)
            if operation["misfit"] >= 0:
                raise Misrecorded("wrong_shape", f"input {operation['misfit']} of {about}")


def is_forward_of(operation: Any) -> bool:
    """False if the operation's output is not what the function gives to which its backward function belongs."""
    forward = FORWARDS.get(operation["rule"])
    if forward is None:
        return True
    try:
        output = np.asarray(forward(*operation["arrays"]))
    except (ValueError, TypeError):
        return False
    result = operation["result"]
    return output.shape == result.shape and np.allclose(output, result, equal_nan=True)


def _matrices(operation: Any, replaced: set[str]) -> list[np.ndarray]:
    name, arrays = operation["rule"], operation["arrays"]
    if name not in replaced or name not in FORWARDS:
        if not operation["jacobians"]:
            raise ValueError(f"{name} gives no gradients")
        return operation["jacobians"]
    shape = tuple(int(n) for n in operation["shape"])
    rows = [derivative(FORWARDS[name], arrays, unit.reshape(shape)) for unit in np.eye(int(np.prod(shape)))]
    return [np.array([np.ravel(row[k]) for row in rows]) for k in range(len(arrays))]
