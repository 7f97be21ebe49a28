"""Plan: a training step as a list of instructions on values whose shapes are known, and how it is printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from mytorch.tables import Table, shortened

LONGEST = 60
# Instructions that change parameters.
UPDATES = ("sgd", "adam", "matmul_update", "optimizer")
# The settings of an instruction that are printed.
SHOWN = ("axes", "to", "axis", "classes", "rows")


@dataclass(eq=False, slots=True)
class Value:
    """An array of the plan. Two values are the same only if they are one object.

    kind: ``argument`` (given anew at each call), ``held`` (a parameter, gradient or state that outlives the step),
    ``constant``, or ``buffer`` (written by one instruction of the plan, read by later ones).
    array: the memory of a held value or a constant. index: the number of an argument. number: the one entry that a
    constant repeats.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    kind: str = "buffer"
    name: str = ""
    array: np.ndarray | None = None
    index: int = -1
    number: Any = None

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the entries, without alignment."""
        return self.size * self.dtype.itemsize


@dataclass(eq=False, slots=True)
class Instruction:
    """One line of the plan: a primitive, what it reads and what it writes.

    op: the primitive's name (see ``mytorch.graph.primitives``). attrs: its settings. writes: held values that it changes
    in place, so that it is kept and stays where it is. origin: the recorded operation that it belongs to.
    parts: the instructions that a ``fused`` one does piece by piece. flops: a multiplication and an addition are two.
    """

    op: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    writes: tuple[Value, ...] = ()
    origin: str = ""
    parts: tuple[Instruction, ...] = ()
    flops: int = 0

    @property
    def inner(self) -> set[Value]:
        """The values that only the parts of a fused instruction know."""
        if not self.parts:
            return set()
        return {value for part in self.parts for value in part.outputs} - set(self.outputs)

    @property
    def output(self) -> Value:
        """The only output."""
        (value,) = self.outputs
        return value

    def reading(self, inputs: Iterable[Value]) -> Instruction:
        """The instruction on other inputs; itself where they are the same."""
        inputs = tuple(inputs)
        return self if inputs == self.inputs else replace(self, inputs=inputs)


class PassReport(NamedTuple):
    """The effect of one pass: the plan before and after it."""

    name: str
    before: Plan
    after: Plan

    @property
    def instructions(self) -> tuple[int, int]:
        """The instructions before and after."""
        return len(self.before.instructions), len(self.after.instructions)

    @property
    def nbytes(self) -> tuple[int, int]:
        """The bytes of buffers before and after."""
        return self.before.buffer_bytes, self.after.buffer_bytes


class PassReports(list[PassReport]):
    """The reports of all passes in their order; printed as a table."""

    def table(self) -> Table:
        """One row per pass."""
        rows = [("pass", "instructions", "bytes of buffers")]
        for report in self:
            (a, b), (c, d) = report.instructions, report.nbytes
            rows.append((report.name, f"{a} -> {b}" if a != b else f"{a}", f"{c:,} -> {d:,}" if c != d else f"{c:,}"))
        return Table(rows)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@dataclass(repr=False)
class Plan:
    """A straight list of instructions, in the order in which they run.

    arguments: the values given at each call. outputs: the values returned, the loss first.
    transposed: two-dimensional buffers that lie in memory column by column (see ``passes.layout``).
    homes: the held value in whose memory a buffer is written, so that nothing has to be copied there.
    offsets: where the other buffers begin in the arena, of ``arena_bytes`` bytes; empty before memory is planned.
    zeroed: the gradients that an eager step fills with zeros before it reads its arguments.
    """

    instructions: list[Instruction]
    arguments: list[Value]
    outputs: list[Value]
    transposed: frozenset[Value] = frozenset()
    homes: dict[Value, Value] = field(default_factory=dict)
    offsets: dict[Value, int] = field(default_factory=dict)
    arena_bytes: int = 0
    zeroed: tuple[np.ndarray, ...] = ()
    passes: PassReports = field(default_factory=PassReports)
    backend: str = ""

    def buffers(self) -> Iterator[Value]:
        """Every value that needs memory of its own, in the order of writing. Views need none."""
        for instruction in self.instructions:
            if instruction.op == "view":
                continue
            for value in instruction.outputs:
                if value.kind == "buffer" and value not in self.homes:
                    yield value

    def written(self) -> dict[Value, bool]:
        """The held values that a step changes, and for each whether it is the optimiser's to update."""
        found = dict.fromkeys(self.homes.values(), False)
        for instruction in self.instructions:
            found.update(dict.fromkeys(instruction.writes, instruction.op in UPDATES))
        return found

    def changed(self) -> list[np.ndarray]:
        """The arrays that a step changes: those of held values, and gradients."""
        return [*(value.array for value in self.written() if value.array is not None), *self.zeroed]

    @property
    def buffer_bytes(self) -> int:
        """Bytes of buffers: the arena's once memory is planned, before that the sum over all buffers."""
        if self.offsets:
            return self.arena_bytes
        pieces = sum(piece_bytes(i, value, self.transposed) for i in self.instructions for value in i.inner)
        return pieces + sum(value.nbytes for value in self.buffers())

    @property
    def flops(self) -> int:
        """Floating-point operations of one step."""
        return sum(instruction.flops for instruction in self.instructions)

    def __repr__(self) -> str:
        return f"<{self._head()}>"

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def table(self) -> Table:
        """One row per instruction; a long plan is shown by its beginning and its end."""
        names = self.names()
        rows = [("#", "instruction", "inputs", "output", "shape", "bytes", "FLOPs", "from")]
        for number, instruction in enumerate(self.instructions):
            written = [*instruction.outputs, *instruction.writes]
            rows.append((
                str(number),
                _describe(instruction),
                " ".join(names[value] for value in instruction.inputs) or "-",
                " ".join(names[value] + ("ᵀ" if value in self.transposed else "") for value in written) or "-",
                " ".join(_shape(value.shape) for value in written[:2]) or "-",
                f"{sum(value.nbytes for value in instruction.outputs):,}" if instruction.op != "view" else "view",
                f"{instruction.flops:,}",
                instruction.origin,
            ))  # fmt: skip
        return Table(shortened(rows, LONGEST, "..."), self._head())

    def _head(self) -> str:
        sizes = f"{len(self.instructions)} instructions, {self.flops:,} FLOPs, {self.buffer_bytes:,} bytes of buffers"
        return f"Plan: {sizes}{f', backend {self.backend}' if self.backend else ''}"

    def names(self) -> dict[Value, str]:
        """A name for every value: its own, or ``t`` and the number of the instruction that writes it."""
        names: dict[Value, str] = {}
        for number, instruction in enumerate(self.instructions):
            several = len(instruction.outputs) > 1
            for place, value in enumerate(instruction.outputs):
                names.setdefault(value, value.name or f"t{number}{'abcdefgh'[place % 8] if several else ''}")
            for value in (*instruction.inputs, *instruction.writes):
                shown = f"{value.number:g}" if value.number is not None else "[...]"
                names.setdefault(value, value.name or shown)
        for value in (*self.arguments, *self.outputs):
            names.setdefault(value, value.name)
        return names


# Entries of a piece of a fused instruction: what several calls pass over stays in the cache.
PIECE = 1 << 16


def piece_rows(instruction: Instruction, transposed: frozenset[Value]) -> tuple[int, int]:
    """The way of a fused instruction through memory: (rows in all, rows of a piece)."""
    space = instruction.parts[0].output
    shape = space.shape[::-1] if space in transposed else space.shape
    rows = shape[0]
    return rows, min(rows, max(1, PIECE // max(space.size // max(rows, 1), 1)))


def piece_bytes(instruction: Instruction, value: Value, transposed: frozenset[Value]) -> int:
    """The bytes that an inner value of a fused instruction takes: those of one piece."""
    rows, piece = piece_rows(instruction, transposed)
    return value.nbytes // max(rows, 1) * piece


def _describe(instruction: Instruction) -> str:
    if instruction.parts:
        return " + ".join(part.op for part in instruction.parts)
    settings = [f"{name}={value}" for name, value in instruction.attrs.items() if name in SHOWN]
    return f"{instruction.op} {' '.join(settings)}".rstrip()


def _shape(shape: tuple[int, ...]) -> str:
    return str(shape).replace(" ", "")
