"""Encoding: an instruction as rows of the table that the C library walks, where it knows the instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mytorch.graph.backends.c.table import ARGUMENTS, INSTRUCTIONS, OPERATIONS, Row
from mytorch.graph.backends.numpy_products import Factor, reads_in_place
from mytorch.graph.binding import Binding
from mytorch.graph.plan import Instruction, Value
from mytorch.graph.primitives import PRIMITIVES, apply_view

FULL, PER_ROW, PER_COLUMN, ONE, TEMPORARY, FULL_BOOLEAN = range(6)
NORMAL, TRANSPOSED = 111, 112
# The place behind those of the arguments is scratch memory.
SCRATCH = ARGUMENTS + 1
# The number of a row that says that the update in the next row goes with it.
UPDATED = 8
# The library's widest panel of columns and its highest strip of rows.
COLUMNS, ROWS = 32, 16
# Entries of a piece of an elementwise run.
PIECE = 512


class Place(NamedTuple):
    """The place of a value: its address, or the number of an argument plus one, and an array of its strides."""

    address: int
    array: np.ndarray

    @property
    def by_rows(self) -> bool:
        return bool(self.array.flags.c_contiguous)

    @property
    def by_columns(self) -> bool:
        return bool(self.array.flags.f_contiguous)


class NotEncoded(Exception):
    """An instruction that the table cannot express: NumPy does it."""


class Encoder:
    """Rows for the instructions of one plan. What they point to is kept in ``kept``.

    scalars: the arrays of the numbers that an update reads. largest: the bytes of the largest right factor that the library
    multiplies itself. scratch_bytes: the scratch memory that the rows so far need.
    """

    def __init__(self, binding: Binding, scalars: Callable[[Instruction], list[np.ndarray]], largest: int) -> None:
        self.binding, self.scalars, self.largest = binding, scalars, largest
        self.scratch_bytes = 0
        self.kept: list[Any] = []
        self._places: dict[Value, Place] = {}
        self._shown: dict[Value, np.ndarray] = {}
        self._argument: dict[Value, int] = {}
        for number, value in enumerate(binding.plan.arguments):
            self._shown[value] = _pretended(value)
            self._argument[value] = number
        for instruction in binding.plan.instructions:
            if instruction.op == "view" and instruction.inputs[0] in self._shown:
                self._view_of_argument(instruction)

    def _view_of_argument(self, view: Instruction) -> None:
        base = view.inputs[0]
        kind, shown = view.attrs["kind"], self._shown[base]
        if kind == "transpose":
            self._shown[view.output] = apply_view(shown, view.attrs)
        elif kind == "reshape" and shown.flags.c_contiguous:
            self._shown[view.output] = _pretended(view.output)
        else:
            return
        self._argument[view.output] = self._argument[base]

    def place(self, value: Value) -> Place:
        """The place of a value."""
        if value not in self._places:
            self._places[value] = self._found(value)
        return self._places[value]

    def _found(self, value: Value) -> Place:
        if value in self._shown:
            return Place(self._argument[value] + 1, self._shown[value])
        array = self.binding.arrays.get(value)
        if array is None or not array.flags.aligned:
            raise NotEncoded
        if value.kind == "constant" and array.size > 1 and not (array.flags.c_contiguous or array.flags.f_contiguous):
            raise NotEncoded
        return Place(array.__array_interface__["data"][0], array)

    def rows(self, instruction: Instruction) -> list[Row]:
        """The rows of an instruction. Raises NotEncoded."""
        if instruction.op == "view":
            return []
        if instruction.op == "fused" or PRIMITIVES[instruction.op].elementwise:
            return self._run(instruction)
        encode = ENCODERS.get(instruction.op)
        if encode is None:
            raise NotEncoded
        return encode(self, instruction)

    # Elementwise runs

    def _run(self, instruction: Instruction) -> list[Row]:
        parts = instruction.parts or (instruction,)
        space = parts[0].output
        if not space.size:
            return []
        transposed = space in self.binding.plan.transposed
        shape = space.shape[::-1] if transposed else space.shape
        inner = instruction.inner
        floats = {v.dtype for part in parts for v in (*part.inputs, *part.outputs) if v.dtype.kind == "f"}
        if len(floats) != 1:
            raise NotEncoded
        (dtype,) = floats
        operands = dict.fromkeys(v for part in parts for v in part.inputs if v not in inner)
        kinds = {value: self._kind(value, shape, transposed, dtype) for value in operands}
        # In scratch memory: operands that lie otherwise than the results, inner values, and results on their way to booleans.
        made = [part.output for part in parts if part.output in inner]
        temporaries = {v: number for number, v in enumerate([*(v for v in operands if kinds[v] != FULL), *made])}
        self.scratch_bytes = max(self.scratch_bytes, (len(temporaries) + 1) * PIECE * dtype.itemsize)
        flat = all(kind in (FULL, ONE, FULL_BOOLEAN) for kind in kinds.values())
        rows, columns = (1, space.size) if flat else _plane(shape)
        found: list[Row] = [(_code("run", dtype), [rows, columns, len(parts)], [SCRATCH])]
        for part in parts:
            numbers, places = [0] * 10, [0] * 10
            numbers[0] = len(part.inputs)
            for k, value in enumerate(part.inputs):
                numbers[1 + k], numbers[5 + k] = kinds.get(value, TEMPORARY), temporaries.get(value, 0)
                if value not in inner:
                    places[k] = self._operand(value, dtype)
            output = part.output
            if output in inner:
                numbers[4], numbers[8] = TEMPORARY, temporaries[output]
            elif output.dtype == bool:
                numbers[4], numbers[8], places[3] = FULL_BOOLEAN, len(temporaries), self.place(output).address
            else:
                if output.dtype != dtype:
                    raise NotEncoded
                numbers[4], places[3] = FULL, self.place(output).address
            if part.op not in OPERATIONS:
                raise NotEncoded
            found.append((OPERATIONS.index(part.op), numbers, places))
        return found

    def _operand(self, value: Value, dtype: np.dtype) -> int:
        if value.kind == "constant" and value.number is not None:
            number = np.array(value.number, dtype)
            self.kept.append(number)
            return number.__array_interface__["data"][0]
        return self.place(value).address

    def _kind(self, value: Value, shape: tuple[int, ...], transposed: bool, dtype: np.dtype) -> int:
        """The strides of an operand while a run goes over a space of this shape, as it lies in memory."""
        if value.number is not None:
            return ONE
        array = self.place(value).array
        array = array.T if transposed else array
        if value.dtype == bool:
            if array.shape == shape and array.flags.c_contiguous:
                return FULL_BOOLEAN
            raise NotEncoded
        if value.dtype != dtype:
            raise NotEncoded
        if array.shape == shape and array.flags.c_contiguous:
            return FULL  # also of a single entry, which an earlier operation of the run may have made
        if value.size == 1:
            return ONE
        if len(shape) != 2 or not (array.flags.c_contiguous or array.flags.f_contiguous):
            raise NotEncoded
        if transposed and array.ndim == 1:
            array = array[:, np.newaxis]  # the last axis of the value is the first one in memory
        elif array.ndim == 1:
            array = array[np.newaxis, :]
        if array.shape == (shape[0], 1):
            return PER_ROW
        if array.shape == (1, shape[1]):
            return PER_COLUMN
        raise NotEncoded


def _pretended(value: Value) -> np.ndarray:
    """An array with the strides that an argument has while C reads it; its entries must not be looked at."""
    strides, step = [], value.dtype.itemsize
    for n in reversed(value.shape):
        strides.append(step)
        step *= max(n, 1)
    return np.lib.stride_tricks.as_strided(np.empty(1, value.dtype), value.shape, strides[::-1], writeable=False)


def _plane(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise NotEncoded
    return shape


def _code(name: str, dtype: np.dtype | None = None) -> int:
    if dtype is not None and dtype.char not in "fd":
        raise NotEncoded
    return 2 * INSTRUCTIONS.index(name) + (dtype is not None and dtype.char == "d")


ENCODERS: dict[str, Callable[[Encoder, Instruction], list[Row]]] = {}


def encodes(*ops: str) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        ENCODERS.update((op, function) for op in ops)
        return function

    return enter


def _oriented(place: Place) -> tuple[int, int]:
    """(NORMAL or TRANSPOSED, leading dimension) of a matrix for BLAS."""
    rows, columns = place.array.shape
    if place.by_rows:
        return NORMAL, max(columns, 1)
    if place.by_columns:
        return TRANSPOSED, max(rows, 1)
    raise NotEncoded


def _line(place: Place) -> int:
    """The address of a row or column whose entries lie one after the other."""
    if not (place.by_rows or place.by_columns):
        raise NotEncoded
    return place.address


@encodes("matmul")
def _matmul(e: Encoder, i: Instruction) -> list[Row]:
    y = i.output
    a, b, out = e.place(i.inputs[0]), e.place(i.inputs[1]), e.place(y)
    if any(place.array.ndim != 2 for place in (a, b, out)) or 0 in (*a.array.shape, *b.array.shape):
        raise NotEncoded
    (m, k), n = a.array.shape, b.array.shape[1]
    dtype = y.dtype
    if n == 1 and i.inputs[1].name == "ones":
        _oriented(a)
        name, size = ("sum_rows", (m, k)) if a.by_rows else ("sum_columns", (k, m))
        return [(_code(name, dtype), list(size), [a.address, _line(out)])]
    if k == 1 and out.by_rows:
        return [(_code("outer", dtype), [m, n], [_line(a), _line(b), out.address])]
    if k == 1 and out.by_columns:
        return [(_code("outer", dtype), [n, m], [_line(b), _line(a), out.address])]
    if m == 1 or n == 1:
        vector, matrix = (a, b) if m == 1 else (b, a)
        rows_first = matrix.by_rows
        if not rows_first and not matrix.by_columns:
            raise NotEncoded
        rows, columns = matrix.array.shape if rows_first else matrix.array.shape[::-1]
        # In memory the matrix has these rows; the vector runs along its columns, or along its rows.
        along_columns = (m == 1) != rows_first
        if along_columns:
            return [(_code("matvec", dtype), [rows, columns], [matrix.address, _line(vector), _line(out)])]
        return [(_code("vecmat", dtype), [rows, columns], [_line(vector), matrix.address, _line(out)])]
    if not out.by_rows:
        # The transposed product, from the transposed factors.
        a, b, out = (Place(p.address, p.array.T) for p in (b, a, out))
        m, n = n, m
    (ta, lda), (tb, ldb) = _oriented(a), _oriented(b)
    if not out.by_rows:
        raise NotEncoded
    strips, panels = (count * k * dtype.itemsize for count in (ROWS, -(-n // COLUMNS) * COLUMNS))
    # What BLAS reads as it lies it multiplies faster; where it would copy the factors, the library is faster.
    left, right = (Factor("", place.array.shape, place.by_rows) for place in (a, b))
    if max(strips, panels) <= e.largest and not reads_in_place(left, right):
        e.scratch_bytes = max(e.scratch_bytes, strips + panels)
        strides = [stride // dtype.itemsize for place in (a, b) for stride in place.array.strides]
        return [(_code("product", dtype), [m, n, k, *strides], [a.address, b.address, out.address, SCRATCH])]
    return [(_code("gemm", dtype), [ta, tb, m, n, k, lda, ldb, n], [a.address, b.address, out.address])]


@encodes("sum", "max")
def _reduce(e: Encoder, i: Instruction) -> list[Row]:
    (value,), axes = i.inputs, i.attrs["axes"]
    place, out = e.place(value), e.place(i.output)
    array = place.array
    if len(axes) == array.ndim and (place.by_rows or place.by_columns):
        rows_name, rows, columns = "rows", 1, value.size
    elif array.ndim == 2 and len(axes) == 1 and (place.by_rows or place.by_columns):
        rows, columns = array.shape if place.by_rows else array.shape[::-1]
        along = axes[0] == 1 if place.by_rows else axes[0] == 0
        rows_name = "rows" if along else "columns"
    else:
        raise NotEncoded
    if value.size == 0 or value.dtype != i.output.dtype:
        raise NotEncoded
    return [(_code(f"{i.op}_{rows_name}", value.dtype), [rows, columns], [place.address, out.address])]


def _indices(e: Encoder, value: Value) -> Place:
    place = e.place(value)
    if value.dtype != np.int64 or not place.by_rows:
        raise NotEncoded
    return place


@encodes("entries")
def _entries(e: Encoder, i: Instruction) -> list[Row]:
    truth, scores = i.inputs
    n, classes = scores.shape
    factor, step = (n, 1) if scores in e.binding.plan.transposed else (1, classes)
    return [(_code("entries"), [n, factor, step], [_indices(e, truth).address, _indices(e, i.output).address])]


@encodes("check_index")
def _check(e: Encoder, i: Instruction) -> list[Row]:
    place = _indices(e, i.inputs[0])
    return [(_code("check_index"), [place.array.size, i.attrs["below"], -3], [place.address])]


@encodes("pick")
def _pick(e: Encoder, i: Instruction) -> list[Row]:
    values, entries = i.inputs
    places = [e.place(values).address, _indices(e, entries).address, e.place(i.output).address]
    return [(_code("pick", values.dtype), [i.output.size], places)]


@encodes("put")
def _put(e: Encoder, i: Instruction) -> list[Row]:
    base, entries, values = i.inputs
    source, target = e.place(base), e.place(i.output)
    found: list[Row] = []
    if source.address != target.address:
        found.append((_code("copy"), [base.nbytes], [source.address, target.address]))
    places = [_indices(e, entries).address, e.place(values).address, target.address]
    return [*found, (_code("put", base.dtype), [values.size], places)]


@encodes("store")
def _store(e: Encoder, i: Instruction) -> list[Row]:
    (gradient,), (slot,) = i.inputs, i.writes
    source, target = e.place(gradient), e.place(slot)
    if gradient.number is not None or gradient.dtype != slot.dtype or not source.by_rows or not target.by_rows:
        raise NotEncoded
    return [(_code("copy"), [slot.nbytes], [source.address, target.address])]


@encodes("accumulate")
def _accumulate(e: Encoder, i: Instruction) -> list[Row]:
    (gradient,), (slot,) = i.inputs, i.writes
    source, target = e.place(gradient), e.place(slot)
    if gradient.number is not None or gradient.dtype != slot.dtype or not source.by_rows or not target.by_rows:
        raise NotEncoded
    return [(_code("accumulate", slot.dtype), [slot.size], [source.address, target.address])]


def _flat(e: Encoder, values: tuple[Value, ...]) -> list[int]:
    places = [e.place(value) for value in values]
    if any(not place.by_rows or value.number is not None for place, value in zip(places, values)):
        raise NotEncoded
    if len({value.dtype for value in values}) != 1:
        raise NotEncoded
    return [place.address for place in places]


def _mode(i: Instruction) -> int:
    return i.attrs["momentum"] + 2 * i.attrs["nesterov"] + 4 * i.attrs["weight_decay"]


def _numbers(e: Encoder, i: Instruction) -> list[int]:
    arrays = e.scalars(i)
    return [array.__array_interface__["data"][0] for array in arrays]


@encodes("sgd")
def _sgd(e: Encoder, i: Instruction) -> list[Row]:
    places = _flat(e, (i.inputs[0], *i.writes))
    places += [0] * (6 - len(places)) + _numbers(e, i)
    return [(_code("sgd", i.writes[0].dtype), [i.writes[0].size, _mode(i)], places)]


@encodes("adam")
def _adam(e: Encoder, i: Instruction) -> list[Row]:
    places = _flat(e, (i.inputs[0], *i.writes))
    pointers = np.array(_numbers(e, i), np.uint64)
    e.kept.append(pointers)
    mode = i.attrs["decay"] + 2 * i.attrs["apart"]
    where = pointers.__array_interface__["data"][0]
    return [(_code("adam", i.writes[0].dtype), [i.writes[0].size, mode], [*places, where])]


@encodes("matmul_update")
def _matmul_update(e: Encoder, i: Instruction) -> list[Row]:
    product, update = i.parts
    (row,), updated = _matmul(e, product), e.rows(update)
    op, numbers, places = row
    if op in (_code("product", product.output.dtype), _code("outer", product.output.dtype)):
        numbers += [0] * (UPDATED - len(numbers)) + [1]
    return [(op, numbers, places), *updated]
