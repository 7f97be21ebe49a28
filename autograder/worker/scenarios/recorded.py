"""Scenarios run once more without the submission's engine, to tell a layer's own mistake from one of what it needs.

A ``Tape`` stands in for the engine. It keeps what the forward pass records, and finds no gradient. For each call of
``backward`` it notes the operations with the Jacobians of their backward functions, from which ``autograder.replay``
works out the gradients that the layer would get.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograder.worker.scenarios.common import Given, buffer_of, find, scenario

# A code in each entry of a gradient to update: one bit per call of backward, then the entry's index, then the array's number.
MOST_WALKS, INDEX_BITS = 10, 16
MOST_OPERATIONS = 60


class Tape:
    """An engine that records and computes nothing. It is its own gradient buffer, where an array finds its number."""

    def __init__(self) -> None:
        self.operation_list: list[Any] = []
        self.recording = True
        self.gradient_buffer = self.memory_buffer = self
        self.walks: list[dict[str, Any]] = []
        self.epoch = 0
        self._numbers: dict[Any, int] = {}
        self._kept: list[np.ndarray] = []

    def add_operation(self, inputs: Any, output: Any, gradients_to_update: Any, backward_operation: Any) -> None:
        """Note one operation."""
        if self.recording:
            listed = not isinstance(inputs, np.ndarray)
            noted = {
                "inputs": list(inputs) if listed else [inputs],
                "listed": listed,
                "output": output,
                "slots": list(gradients_to_update),
            }
            self.operation_list.append(SimpleNamespace(**noted, backward_operation=backward_operation))

    def number(self, array: Any) -> int:
        """The number of an array, known by its place and layout in memory; -1 for what is no array."""
        if not isinstance(array, np.ndarray):
            return -1
        key = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str)
        if key not in self._numbers:
            self._numbers[key] = len(self._kept)
            self._kept.append(array)
        return self._numbers[key]

    def backward(self, divergence: Any) -> None:
        """Note the operations and the gradient to start from, and mark the gradients to update."""
        if len(self.operation_list) > MOST_OPERATIONS or len(self.walks) >= MOST_WALKS:
            raise OverflowError("too long for a Tape")
        operations = [self._noted(operation) for operation in self.operation_list]
        start = divergence if isinstance(divergence, np.ndarray) else np.asarray(divergence, float)
        known = self.number(start) if start is divergence else -1
        walk = {"start": start.copy(), "start number": known, "operations": operations, "epoch": self.epoch}
        slots = {
            number: slot for one in self.operation_list for slot in one.slots if (number := self.number(slot)) >= 0
        }
        for number, slot in slots.items():
            entries = np.arange(slot.size).reshape(slot.shape) + (number << INDEX_BITS)
            slot += (entries << MOST_WALKS) + (1 << len(self.walks))
        self.walks.append(walk)

    def _noted(self, operation: Any) -> dict[str, Any]:
        called = operation.backward_operation
        arrays = [np.asarray(array) for array in operation.inputs]
        output = np.asarray(operation.output)
        return {
            "rule": str(getattr(getattr(called, "func", called), "__name__", ""))[:80],
            "inputs": [self.number(array) for array in operation.inputs],
            "listed": operation.listed,
            "slots": [self.number(slot) for slot in operation.slots],
            "slots fit": [slot is None or np.shape(slot) == np.shape(a) for slot, a in zip(operation.slots, arrays)],
            "output": self.number(operation.output),
            "shape": np.array(output.shape, np.int64),
            "arrays": [array.copy() for array in arrays],
            "result": output.copy(),
            **_derivatives(called, output.shape, operation.inputs, arrays),
        }

    def get_param(self, array: np.ndarray) -> np.ndarray:
        """The number of an array that was recorded as an input."""
        if not any(
            array is one or self.number(one) == self.number(array) for op in self.operation_list for one in op.inputs
        ):
            raise KeyError("no operation has this array as an input")
        return np.array([float(self.number(array))])

    def zero_grad(self) -> None:
        """Forget the operations."""
        self.operation_list.clear()
        self.epoch += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Note nothing inside."""
        before, self.recording = self.recording, False
        yield
        self.recording = before

    def add_spot(self, array: Any) -> None:
        """Do nothing: every array has its number."""

    def data(self, array: Any) -> Any:
        """The array itself."""
        return array


def _derivatives(rule: Any, shape: tuple[int, ...], inputs: list[Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    """A backward function, called with each unit vector as grad_output.

    jacobians: for each input the matrix (output's entries, input's entries), or no matrix if the rule raises or returns
    anything but one gradient per input in its shape. flows: for each input whether it gets a gradient. proportional: minus
    grad_output gives minus the gradients. misfit: the input whose gradient came in another shape, or -1.
    """
    size = int(np.prod(shape))
    found: dict[str, Any] = {"jacobians": [], "flows": [False] * len(arrays), "proportional": True, "misfit": -1}
    try:
        rows = [_called(rule, unit.reshape(shape), inputs, arrays) for unit in np.eye(size)]
        opposite = [_called(rule, -unit.reshape(shape), inputs, arrays) for unit in np.eye(size)[:4]]
    except _Misfit as error:
        return {**found, "misfit": error.position}
    except Exception:
        return found
    flat = [[np.zeros(a.size) if g is None else np.ravel(g) for g, a in zip(row, arrays)] for row in rows]
    found["jacobians"] = [np.array([row[k] for row in flat], float).reshape(size, -1) for k in range(len(arrays))]
    found["flows"] = [any(row[k] is not None for row in rows) for k in range(len(arrays))]
    pairs = [(g, h) for row, back in zip(rows, opposite) for g, h in zip(row, back) if g is not None and h is not None]
    found["proportional"] = all(np.allclose(g, -h, equal_nan=True) for g, h in pairs)
    return found


def _called(rule: Any, grad_output: np.ndarray, inputs: list[Any], arrays: list[np.ndarray]) -> list[Any]:
    """The gradients that a backward function returns, one per input."""
    returned = rule(grad_output, *inputs)
    gradients = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    gradients = [None if gradient is None else np.array(gradient, float) for gradient in gradients[: len(arrays)]]
    if len(gradients) != len(arrays):
        raise ValueError("not one gradient per input")
    for position, (one, array) in enumerate(zip(gradients, arrays)):
        if one is not None and one.shape != array.shape:
            raise _Misfit(position)
    return gradients


class _Misfit(Exception):
    """A backward function returned a gradient of another shape than its input's."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


@scenario
def recorded(student: Any, given: Given) -> dict[str, Any]:
    """Run another scenario on Tapes. given: its name and what it is given."""
    tapes: list[Tape] = []

    def make() -> Tape:
        tapes.append(Tape())
        return tapes[-1]

    student.engine = make
    try:
        shown = find(given["scenario"])(student, given["given"])
    finally:
        del student.engine
    return {"shown": shown, "walks": [walk for tape in tapes for walk in tape.walks], "epoch": [t.epoch for t in tapes]}


@scenario
def recorded_by_engine(student: Any, given: Given) -> dict[str, Any]:
    """Run another scenario on the submission's engine, and say whether its list and its spots are as they should be."""
    faults: list[str] = []
    make = student.engine

    def watched() -> Any:
        engine = make()
        record = engine.add_operation

        def add_operation(inputs: Any, output: Any, gradients_to_update: Any, backward_operation: Any) -> None:
            before = len(engine.operation_list)
            record(inputs, output, gradients_to_update, backward_operation)
            buffer = buffer_of(engine)
            same = len(engine.operation_list) == before + 1 and _keeps(
                engine.operation_list[-1], inputs, output, gradients_to_update, backward_operation
            )
            if not same or not all(buffer.is_in_memory(array) and not _has_gradient(buffer, array) for array in inputs):
                faults.append("the record is not right")

        engine.add_operation = add_operation
        return engine

    student.engine = watched
    try:
        find(given["scenario"])(student, given["given"])
    except Exception:
        # Its outcome is known; only what was recorded is of interest here.
        pass
    finally:
        del student.engine
    return {"faults": len(faults)}


def _keeps(last: Any, inputs: Any, output: Any, slots: Any, rule: Any) -> bool:
    """True for an Operation that holds these very objects; what was appended may be anything."""
    return (
        all(hasattr(last, name) for name in ("inputs", "output", "gradients_to_update", "backward_operation"))
        and _same_objects(last.inputs, inputs)
        and last.output is output
        and _same_objects(last.gradients_to_update, slots)
        and last.backward_operation is rule
    )


def _same_objects(kept: Any, given: Any) -> bool:
    return len(kept) == len(given) and all(one is other for one, other in zip(kept, given))


def _has_gradient(buffer: Any, array: np.ndarray) -> bool:
    value = buffer.get_param(array)
    return value is not None and bool(np.any(value))
