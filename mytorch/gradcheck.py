"""gradcheck: compare recorded gradients with central differences, and say where they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.operation import Operation
from mytorch.utils import GradientBuffer


class GradcheckError(AssertionError):
    """A gradient is not what differences say. Names operation, input, index, got and expected."""


def gradcheck(
    forward: Callable[[], np.ndarray],
    engine: Autograd,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    max_entries: int = 100,
    seed: int = 0,
) -> int:
    """Check the gradient of every array that ``forward`` records on ``engine``, leaves and intermediate ones alike.

    forward: takes nothing, computes on float64 arrays, records on the engine and returns an array that it recorded. It
    is called many times and must give the same result each time (evaluation mode, or a generator seeded anew inside).
    eps: the step of the difference, relative to entries larger than 1. rtol, atol: the differences allowed, relative to
    the larger of the two numbers, and relative to the largest gradient of that array. Central differences in float64 are
    good to about eps**2 and 1e-16 / eps, so 1e-5 leaves room for curvature. max_entries: of each array, at random from
    seed where it has more.

    An output that is no scalar is checked along a random direction. Returns the number of entries compared. The engine
    is left empty and the layers' gradients as they were. Raises GradcheckError for a wrong gradient, TypeError for arrays
    in less than float64, ValueError where forward does not repeat.
    """
    if not callable(forward) or not hasattr(engine, "add_operation"):
        raise TypeError(
            f"gradcheck was given {type(forward).__name__} and {type(engine).__name__}; expected gradcheck(forward, engine), "
            "where forward is a function without arguments."
        )
    check = _Check(forward, engine, eps, seed)
    try:
        return check.run(rtol, atol, max_entries)
    finally:
        check.restore()


class _Check:
    def __init__(self, forward: Callable[[], np.ndarray], engine: Autograd, eps: float, seed: int) -> None:
        self.forward, self.engine, self.eps = forward, engine, eps
        self.generator = np.random.default_rng(seed)
        self.slots: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def run(self, rtol: float, atol: float, max_entries: int) -> int:
        engine = self.engine
        engine.zero_grad()
        output = self.forward()
        operations = list(engine.operation_list)
        if not operations:
            raise ValueError("forward recorded nothing on this engine. Pass the engine that its layers use.")
        self._require_float64(operations)
        self.direction = self.generator.standard_normal(output.shape) if output.size > 1 else np.ones(output.shape)
        base = self._value()
        if base != self._value():
            raise ValueError("forward gives another result each time. Use eval(), or seed its generator anew inside.")
        variables = _Variables(operations, engine.is_data)
        gradients = self._recorded_gradients(output, operations, variables)
        compared = 0
        wrong: list[tuple[int, tuple[int, ...], float, float]] = []
        kinks: dict[tuple[int, tuple[int, ...]], tuple[float, float]] = {}
        for variable, (array, producer) in enumerate(variables.arrays):
            if array.dtype.kind != "f" or variable not in gradients:
                continue
            got = gradients[variable]
            for index in self._entries(array, max_entries):
                expected = self._difference(array, producer, index)
                compared += 1
                allowed = rtol * max(abs(expected), abs(got[index])) + atol * max(1.0, float(np.abs(got).max()))
                if not abs(got[index] - expected) <= allowed:
                    wrong.append((variable, index, float(got[index]), expected))
                    slopes = self._kink(array, producer, index)
                    if slopes is not None and min(slopes) - allowed <= got[index] <= max(slopes) + allowed:
                        kinks[variable, index] = slopes
        # A wrong gradient says more than a kink, so only where there is no other is the kink what is wrong.
        real = [entry for entry in wrong if entry[:2] not in kinks]
        if wrong:
            raise GradcheckError(variables.explain(real) if real else variables.explain(wrong, kinks))
        return compared

    def restore(self) -> None:
        """The layers' gradients as they were, and an empty engine."""
        for slot, before in self.slots.values():
            slot[...] = before
        self.engine.zero_grad()

    def _value(self) -> float:
        self.engine.zero_grad()
        return float(np.vdot(self.direction, self.forward()))

    def _recorded_gradients(
        self, output: np.ndarray, operations: list[Operation], variables: _Variables
    ) -> dict[int, np.ndarray]:
        for operation in operations:
            for slot in operation.gradients_to_update:
                if slot is not None:
                    self.slots.setdefault(id(slot), (slot, slot.copy()))
        self.engine.zero_grad()
        for slot, _ in self.slots.values():
            slot.fill(0)
        output = self.forward()
        # A last operation for the direction: whatever forward returned, the walk then starts from one number.
        total = np.array([np.vdot(self.direction, output)])
        direction = self.direction
        self.engine.add_operation([output], total, [None], lambda g, y: g[0] * direction)
        self.engine.backward(total)
        again = _Variables(self.engine.operation_list[:-1], self.engine.is_data)
        locate = GradientBuffer.get_memory_loc
        gradients: dict[int, np.ndarray] = {}
        for variable, (array, producer) in enumerate(again.arrays):
            # A constant that forward makes anew each time cannot be changed from outside.
            if producer is None and locate(array) != locate(variables.arrays[variable][0]):
                continue
            slots = again.slots[variable]
            if slots:
                gradients[variable] = sum((slot for slot in slots), np.zeros(array.shape)).copy()
            read_plainly = any(slot is None for slot in again.uses[variable])
            if read_plainly and self.engine.gradient_buffer.is_in_memory(array):
                gradients[variable] = gradients.get(variable, 0) + self.engine.gradient_buffer.get_param(array)
        return gradients

    def _entries(self, array: np.ndarray, max_entries: int) -> Sequence[tuple[int, ...]]:
        count = min(array.size, max_entries)
        chosen = (
            np.arange(array.size) if count == array.size else self.generator.choice(array.size, count, replace=False)
        )
        return [tuple(int(i) for i in np.unravel_index(flat, array.shape)) for flat in chosen]

    def _difference(self, array: np.ndarray, producer: tuple[int, int] | None, index: tuple[int, ...]) -> float:
        step = self.eps * max(1.0, abs(float(array[index])))
        above, below = (self._value_with(array, producer, index, sign * step) for sign in (1, -1))
        return (above - below) / (2 * step)

    def _kink(
        self, array: np.ndarray, producer: tuple[int, int] | None, index: tuple[int, ...]
    ) -> tuple[float, float] | None:
        """The slopes from below and from above, where they differ however small the step; else None."""
        slopes = []
        for step in (self.eps, self.eps / 10):
            step *= max(1.0, abs(float(array[index])))
            base = self._value_with(array, producer, index, 0.0)
            above, below = (self._value_with(array, producer, index, sign * step) for sign in (1, -1))
            slopes.append(((base - below) / step, (above - base) / step))
        gaps = [abs(above - below) for below, above in slopes]
        # Of a curve the gap shrinks with the step.
        size = max(abs(slope) for slope in slopes[0])
        return slopes[0] if gaps[0] > 1e-3 * size and gaps[1] > 0.5 * gaps[0] else None

    def _value_with(
        self, array: np.ndarray, producer: tuple[int, int] | None, index: tuple[int, ...], change: float
    ) -> float:
        """The value of forward with one entry changed: of a leaf beforehand, of an intermediate array once recorded."""
        if producer is None:
            entry = array[index]
            array[index] = entry + change
            try:
                return self._value()
            finally:
                array[index] = entry
        record = self.engine.add_operation
        number, position = producer
        count = 0
        before: list[tuple[np.ndarray, float]] = []

        def record_and_change(inputs: Any, output: Any, gradients_to_update: Any, backward_operation: Any) -> None:
            nonlocal count
            record(inputs, output, gradients_to_update, backward_operation)
            if count == number:
                changed = (output if isinstance(output, tuple) else (output,))[position]
                before.append((changed, changed[index]))
                changed[index] += change
            count += 1

        self.engine.add_operation = record_and_change  # type: ignore[method-assign]
        try:
            return self._value()
        finally:
            del self.engine.add_operation
            # A view's entry lies in the memory of an array that the next call reads again.
            for changed, value in before:
                changed[index] = value

    @staticmethod
    def _require_float64(operations: list[Operation]) -> None:
        for number, operation in enumerate(operations):
            for index, array in enumerate(operation.inputs):
                if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.dtype.itemsize < 8:
                    raise TypeError(
                        f"Operation {number} ({operation.name}): input {index} is {array.dtype}. Differences need float64: "
                        "build the network and its data with dtype=float64."
                    )


class _Variables:
    """The distinct arrays of a list, in the order in which they appear, with who made and who used each."""

    def __init__(self, operations: list[Operation], is_data: Callable[[np.ndarray], bool]) -> None:
        self.operations = operations
        self.arrays: list[tuple[np.ndarray, tuple[int, int] | None]] = []
        self.slots: dict[int, list[np.ndarray]] = {}
        self.uses: dict[int, list[np.ndarray | None]] = {}
        self.consumers: dict[int, list[tuple[int, int]]] = {}
        known: dict[Any, int] = {}
        locate = GradientBuffer.get_memory_loc

        def number_of(array: np.ndarray, producer: tuple[int, int] | None) -> int:
            location = locate(array)
            if location not in known or producer is not None:
                known[location] = len(self.arrays)
                self.arrays.append((array, producer))
            return known[location]

        for number, operation in enumerate(operations):
            for index, (array, slot) in enumerate(zip(operation.inputs, operation.gradients_to_update)):
                if not isinstance(array, np.ndarray):
                    continue
                variable = number_of(array, None)
                if slot is None and is_data(array):
                    continue
                self.consumers.setdefault(variable, []).append((number, index))
                self.uses.setdefault(variable, []).append(slot)
                slots = self.slots.setdefault(variable, [])
                if slot is not None and all(slot is not other for other in slots):
                    slots.append(slot)
            for position, output in enumerate(operation.outputs):
                self.uses.setdefault(number_of(output, (number, position)), [])
        for variable in range(len(self.arrays)):
            self.slots.setdefault(variable, [])
            self.uses.setdefault(variable, [])

    def explain(
        self,
        wrong: list[tuple[int, tuple[int, ...], float, float]],
        kinks: dict[Any, tuple[float, float]] | None = None,
    ) -> str:
        """Blame the operation nearest to the end: what it returned is wrong though what it was given is right.

        kinks: the slopes on both sides, where all that is wrong lies on kinks.
        """
        at_fault = {variable for variable, *_ in wrong}

        def distance(entry: tuple[int, tuple[int, ...], float, float]) -> int:
            return max((number for number, _ in self.consumers.get(entry[0], [])), default=-1)

        variable, index, got, expected = max(wrong, key=distance)
        consumers = self.consumers[variable]
        blamed = [
            (number, position)
            for number, position in consumers
            if not any(self._variable_of(output) in at_fault for output in self.operations[number].outputs)
        ] or consumers
        where = " or ".join(f"operation {n} ({self.operations[n].name}), input {p}" for n, p in reversed(blamed))
        more = f" ({len(wrong)} entries of {len(at_fault)} arrays are wrong in all.)" if len(wrong) > 1 else ""
        if kinks:
            below, above = kinks[variable, index]
            return (
                f"The point lies on a kink of {where}, index {index}: the slope is {below:.6g} on one side and {above:.6g} on "
                f"the other, and got {got:.6g}, which may be right. Move the point away from the kink.{more}"
            )
        return f"Wrong gradient from {where}, index {index}: got {got:.10g}, expected {expected:.10g}.{more}"

    def _variable_of(self, array: np.ndarray) -> int:
        return next((v for v, (other, _) in enumerate(self.arrays) if other is array), -1)
