"""Source: the lines of generated Python, and the objects that they name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.graph.binding import Binding, aligned_bytes
from mytorch.graph.plan import Instruction, Value
from mytorch.utils import owner


def apart(zeroed: Sequence[np.ndarray], array: np.ndarray) -> np.ndarray:
    """A copy of an argument that may lie where the step changes something; gradients are zeroed first, as by an eager step."""
    for gradient in zeroed:
        if np.may_share_memory(array, gradient):
            gradient.fill(0)
    return np.array(array, order="C")


class Source:
    """Lines of Python and the objects that they name. functions: names that every line may use.

    writing: the names of the parameters and state that the lines being appended update; writes_of: those of each line.
    """

    def __init__(self, binding: Binding, functions: dict[str, Any]) -> None:
        self.binding = binding
        self.lines: list[str] = []
        self.writing: tuple[str, ...] = ()
        self.writes_of: list[tuple[str, ...]] = []
        self.names = dict(functions)
        self._bound: dict[int, str] = {}
        self._scratch: dict[tuple[np.dtype, int], np.ndarray] = {}
        self.counted = False
        self.names["apart"] = functools.partial(apart, binding.plan.zeroed)
        # Entries of a single sample, as variables that hold an int.
        self.indices: dict[Value, str] = {}

    def line(self, text: str) -> None:
        self.lines.append(text)
        self.writes_of.append(self.writing)

    def keep_apart(self) -> None:
        """Append lines that copy arguments that may share memory with what the step changes.

        An update may come before the last reading of an argument. Most arrays tell by their owner that they are none of these.
        """
        changed = self.binding.plan.changed()
        self.names["owners"] = {id(owner(array)) for array in changed}
        for value in self.binding.plan.arguments if changed else ():
            a = f"a{value.index}"
            if value.dtype.kind == "f" and value.size:
                self.line(f"base = {a}.base")
                self.line(
                    f"if id({a}) in owners if base is None else type(base) is not ndarray or id(base) in owners: "
                    f"{a} = apart({a})"
                )

    def bind(self, value: Any, prefix: str = "c") -> str:
        """The name of an object; the same one for the same object."""
        if id(value) not in self._bound:
            name = self._bound[id(value)] = f"{prefix}{len(self._bound)}"
            self.names[name] = value
        return self._bound[id(value)]

    def __call__(self, value: Value) -> str:
        """The source of a value's array."""
        if value in self.binding.expressions:
            return self.binding.expressions[value]
        return self.bind(self.binding.arrays[value], "t")

    def entry(self, value: Value) -> str:
        """The source of an array's only entry, as an array without axes: NumPy broadcasts that without a detour."""
        if value in self.binding.expressions or not value.shape:
            return self(value)
        return self._derived(value, "0", lambda array: array.reshape(()))

    def operands(self, i: Instruction) -> list[str]:
        """The inputs of an elementwise instruction; one entry that meets many is taken without axes."""
        many = i.output.size > 1
        return [self.entry(v) if many and v.size == 1 else self(v) for v in i.inputs]

    def transposed(self, value: Value) -> str:
        """The source of a matrix transposed."""
        if value in self.binding.expressions:
            return f"{self.binding.expressions[value]}.T"
        return self._derived(value, "T", lambda array: array.T)

    def flat(self, value: Value) -> str:
        """The source of a buffer as one row, in the order in which it lies in memory."""
        is_transposed = value in self.binding.plan.transposed
        return self._derived(value, "flat", lambda array: (array.T if is_transposed else array).reshape(-1))

    def scratch(self, dtype: Any, entries: int) -> np.ndarray:
        """Flat memory that lines which follow each other may use; the same for the same dtype and size."""
        dtype = np.dtype(dtype)
        if (dtype, entries) not in self._scratch:
            self._scratch[dtype, entries] = aligned_bytes(entries * dtype.itemsize).view(dtype)
        return self._scratch[dtype, entries]

    def _derived(self, value: Value, kind: str, make: Callable[[np.ndarray], np.ndarray]) -> str:
        name = f"{self(value)}_{kind}"
        if name not in self.names:
            self.names[name] = make(self.binding.arrays[value])
        return name
