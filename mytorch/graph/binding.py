"""Binding: the memory of a plan, and for each of its values the array that shows it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from mytorch.graph.plan import Instruction, Plan, Value, piece_bytes, piece_rows
from mytorch.graph.primitives import apply_view

# Buffers begin at multiples of this many bytes: a cache line, and the widest vector register.
ALIGNMENT = 64


def aligned_bytes(count: int) -> np.ndarray:
    """Uninitialised bytes that begin at a multiple of ALIGNMENT."""
    memory = np.empty(count + ALIGNMENT, np.uint8)
    begin = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[begin : begin + count]


class Binding:
    """The arrays of a plan's values. Those of arguments, and views of them, are known only as expressions.

    arrays: every other value. expressions: Python source in terms of ``a0``, ``a1`` ... for the arguments.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.arena = aligned_bytes(plan.arena_bytes)
        self.arrays: dict[Value, np.ndarray] = {}
        self._same: dict[Any, np.ndarray] = {}
        self.expressions: dict[Value, str] = {value: f"a{value.index}" for value in plan.arguments}
        for value in plan.buffers():
            self.arrays[value] = self._buffer(value)
        for instruction in plan.instructions:
            for value in instruction.inner:
                self.arrays[value] = self._piece(instruction, value)
        for value, home in plan.homes.items():
            assert home.array is not None
            self.arrays[value] = self._shaped(home.array.reshape(-1), value)
        for instruction in plan.instructions:
            for part in (instruction, *instruction.parts):
                for value in (*part.inputs, *part.writes):
                    if value.array is not None:
                        self.arrays[value] = value.array
                if part.op == "view":
                    self._view(part.inputs[0], part.output, part.attrs)
        for value in plan.outputs:
            if value.array is not None:
                self.arrays[value] = value.array

    def rows(self, instruction: Instruction, begin: int, end: int) -> Binding:
        """The same with the values of a fused instruction restricted to some rows of memory, the columns of transposed ones."""
        space = instruction.parts[0].output
        ndim, by_columns = len(space.shape), space in self.plan.transposed
        axis = ndim - 1 if by_columns else 0
        part = copy.copy(self)
        part.arrays, part.expressions = dict(self.arrays), dict(self.expressions)
        inner = instruction.inner
        for value in {v for one in instruction.parts for v in (*one.inputs, *one.outputs)}:
            own = axis - (ndim - len(value.shape))
            if own < 0 or value.shape[own] == 1:
                continue
            first, last = (0, end - begin) if value in inner else (begin, end)
            index = (slice(None),) * own + (slice(first, last),)
            if value in part.expressions:
                part.expressions[value] += f"[{', '.join([':'] * own + [f'{first}:{last}'])}]"
            else:
                part.arrays[value] = part.arrays[value][index]
        return part

    def _buffer(self, value: Value) -> np.ndarray:
        offset = self.plan.offsets.get(value)
        memory = aligned_bytes(value.nbytes) if offset is None else self.arena[offset : offset + value.nbytes]
        if offset is None:
            return self._shaped(memory.view(value.dtype), value)
        # One array object for one place: NumPy copies an input that overlaps with another object for its output.
        key = offset, value.shape, value.dtype, value in self.plan.transposed
        if key not in self._same:
            self._same[key] = self._shaped(memory.view(value.dtype), value)
        return self._same[key]

    def _piece(self, instruction: Instruction, value: Value) -> np.ndarray:
        """The memory of an inner value of a fused instruction: as many rows as a piece has."""
        _, rows = piece_rows(instruction, self.plan.transposed)
        nbytes = piece_bytes(instruction, value, self.plan.transposed)
        offset = self.plan.offsets.get(value)
        memory = aligned_bytes(nbytes) if offset is None else self.arena[offset : offset + nbytes]
        if value in self.plan.transposed:
            return memory.view(value.dtype).reshape(rows, *value.shape[-2::-1]).T
        return memory.view(value.dtype).reshape(rows, *value.shape[1:])

    def _shaped(self, memory: np.ndarray, value: Value) -> np.ndarray:
        if value in self.plan.transposed:
            return memory.reshape(value.shape[::-1]).T
        return memory.reshape(value.shape)

    def _view(self, base: Value, value: Value, attrs: dict) -> None:
        if base in self.expressions:
            self.expressions[value] = _expression(self.expressions[base], attrs)
            return
        shown = self.arrays[base]
        array = apply_view(shown, attrs)
        if array.size and not np.may_share_memory(array, shown):
            raise AssertionError(f"a view of shape {array.shape} became a copy")
        self.arrays[value] = array


def _expression(base: str, attrs: dict) -> str:
    kind, to = attrs["kind"], attrs["to"]
    if kind == "reshape":
        return f"{base}.reshape({to})"
    if kind == "transpose":
        return f"{base}.T" if to == (1, 0) else f"{base}.transpose({to})"
    if kind == "broadcast":
        return f"broadcast_to({base}, {to})"
    return f"{base}[thaw({to!r})]"
