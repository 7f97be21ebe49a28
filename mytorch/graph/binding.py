"""Binding: the memory of a plan, and for each of its values the array that shows it."""

from __future__ import annotations

import numpy as np

from mytorch.graph.plan import Plan, Value
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
        self.expressions: dict[Value, str] = {value: f"a{value.index}" for value in plan.arguments}
        for value in plan.buffers():
            self.arrays[value] = self._buffer(value)
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

    def _buffer(self, value: Value) -> np.ndarray:
        offset = self.plan.offsets.get(value)
        memory = aligned_bytes(value.nbytes) if offset is None else self.arena[offset : offset + value.nbytes]
        return self._shaped(memory.view(value.dtype), value)

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
