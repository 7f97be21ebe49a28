"""Builder: emits instructions one by one, with their shapes, and leaves out what changes nothing (times one)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Instruction, Value
from mytorch.graph.primitives import PRIMITIVES, freeze, is_number

Operand = Value | float


class Builder:
    """The instructions so far. Methods named after primitives append one and return its output.

    A Python number among the operands becomes a constant of the other operands' dtype, as in NumPy.
    """

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.origin = ""
        self._constants: dict[Any, Value] = {}
        # Views whose entries do not lie one after the other.
        self._scattered: set[Value] = set()

    def emit(self, op: str, inputs: Sequence[Value], writes: Sequence[Value] = (), **attrs: Any) -> Value:
        """Append an instruction with one output and return that."""
        primitive = PRIMITIVES[op]
        shape, dtype = primitive.infer(attrs, *inputs)
        output = Value(tuple(shape), dtype)
        flops = primitive.flops(output, *inputs)
        self.instructions.append(
            Instruction(op, tuple(inputs), (output,), attrs, tuple(writes), self.origin, flops=flops)
        )
        return output

    def effect(
        self, op: str, inputs: Sequence[Value], writes: Sequence[Value] = (), flops: int = 0, **attrs: Any
    ) -> None:
        """Append an instruction without an output. Raises NoPlan where it would change a read-only array."""
        for value in writes:
            if value.array is not None and not value.array.flags.writeable:
                raise NoPlan(f"it changes {value.name or 'an array'}, which is read-only")
        self.instructions.append(Instruction(op, tuple(inputs), (), attrs, tuple(writes), self.origin, flops=flops))

    # Constants

    def constant(self, number: Any, dtype: Any, shape: tuple[int, ...] = ()) -> Value:
        """A value that repeats one number."""
        dtype = np.dtype(dtype)
        scalar = np.array(number, dtype)
        key = scalar.tobytes(), dtype, shape
        if key not in self._constants:
            array = np.broadcast_to(scalar, shape) if shape else scalar
            self._constants[key] = Value(shape, dtype, "constant", array=array, number=scalar.item())
        return self._constants[key]

    def ones(self, shape: tuple[int, ...], dtype: Any) -> Value:
        """A constant of ones that lies in memory, for products that sum."""
        value = Value(shape, np.dtype(dtype), "constant", "ones", np.ones(shape, dtype))
        return self._constants.setdefault(("ones", shape, np.dtype(dtype)), value)

    def _values(self, operands: Sequence[Operand]) -> list[Value]:
        found = [operand for operand in operands if isinstance(operand, Value)]
        if len(found) == len(operands):
            return found
        dtype = np.result_type(*(value.dtype for value in found)) if len(found) > 1 else found[0].dtype
        if dtype.kind != "f" and any(isinstance(operand, float) for operand in operands):
            dtype = np.dtype(np.float64)
        return [o if isinstance(o, Value) else self.constant(o, dtype) for o in operands]

    def _ufunc(self, op: str, *operands: Operand) -> Value:
        values, infer = self._values(operands), PRIMITIVES[op].infer
        if all(value.number is None for value in values):
            return self.emit(op, values)
        shape, dtype = infer({}, *values)
        if all(value.number is not None for value in values):
            with np.errstate(all="ignore"):
                return self.constant(getattr(np, op)(*(v.dtype.type(v.number) for v in values)), dtype, shape)
        if op in ("multiply", "divide"):
            first, second = values
            if second.number == 1 and first.shape == shape and first.dtype == dtype:
                return first
            if op == "multiply" and first.number == 1 and second.shape == shape and second.dtype == dtype:
                return second
        # A repeated number is read as one entry wherever that gives the same shape.
        slim = [self.constant(v.number, v.dtype) if v.number is not None and v.shape else v for v in values]
        return self.emit(op, slim if infer({}, *slim)[0] == shape else values)

    # Element by element

    def neg(self, a: Value) -> Value:
        return self._ufunc("negative", a)

    def exp(self, a: Value) -> Value:
        return self._ufunc("exp", a)

    def log(self, a: Value) -> Value:
        return self._ufunc("log", a)

    def log1p(self, a: Value) -> Value:
        return self._ufunc("log1p", a)

    def sqrt(self, a: Value) -> Value:
        return self._ufunc("sqrt", a)

    def abs(self, a: Value) -> Value:
        return self._ufunc("absolute", a)

    def sign(self, a: Value) -> Value:
        return self._ufunc("sign", a)

    def square(self, a: Value) -> Value:
        return self._ufunc("square", a)

    def tanh(self, a: Value) -> Value:
        return self._ufunc("tanh", a)

    def erfc(self, a: Value) -> Value:
        return self.emit("erfc", [a])

    def copy(self, a: Value) -> Value:
        return self.emit("copy", [a])

    def positive(self, a: Value) -> Value:
        """1 where a > 0 and 0 elsewhere, in a's dtype, for an a that is never negative."""
        return self.emit("positive", [a])

    def add(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("add", a, b)

    def sub(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("subtract", a, b)

    def mul(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("multiply", a, b)

    def div(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("divide", a, b)

    def pow(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("power", a, b)

    def maximum(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("maximum", a, b)

    def greater(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("greater", a, b)

    def greater_equal(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("greater_equal", a, b)

    def equal(self, a: Operand, b: Operand) -> Value:
        return self._ufunc("equal", a, b)

    def logical_not(self, a: Value) -> Value:
        return self.emit("logical_not", [a])

    def where(self, condition: Value, a: Operand, b: Operand) -> Value:
        return self.emit("where", [condition, *self._values([a, b])])

    def cast(self, a: Value, dtype: Any) -> Value:
        """a in another dtype; a itself where it has that already."""
        dtype = np.dtype(dtype)
        if a.dtype == dtype:
            return a
        if a.number is not None:
            return self.constant(a.number, dtype, a.shape)
        return self.emit("cast", [a], dtype=dtype)

    def floating(self, a: Value) -> Value:
        """a, or its float64 copy where it holds integers or booleans."""
        return a if a.dtype.kind == "f" else self.cast(a, np.float64)

    # Views

    def view(self, a: Value, kind: str, to: Any) -> Value:
        if a.number is not None and kind in ("reshape", "broadcast"):
            return self.constant(a.number, a.dtype, tuple(to))
        output = self.emit("view", [a], kind=kind, to=to)
        if a in self._scattered or kind in ("broadcast", "slice") or (kind == "transpose" and not _keeps_order(a, to)):
            self._scattered.add(output)
        return output

    def reshape(self, a: Value, shape: Sequence[int]) -> Value:
        """a in another shape; a copy of it where no view can show that."""
        shape = tuple(shape)
        if a.shape == shape:
            return a
        scattered = a in self._scattered or (a.array is not None and not a.array.flags.c_contiguous)
        if scattered and a.number is None and [n for n in a.shape if n != 1] != [n for n in shape if n != 1]:
            a = self.copy(a)
        return self.view(a, "reshape", shape)

    def transpose(self, a: Value, axes: Sequence[int] | None = None) -> Value:
        axes = tuple(range(len(a.shape)))[::-1] if axes is None else tuple(axis % len(a.shape) for axis in axes)
        return a if axes == tuple(range(len(a.shape))) else self.view(a, "transpose", axes)

    def swap_last(self, a: Value) -> Value:
        """The last two axes exchanged."""
        n = len(a.shape)
        return self.transpose(a, (*range(n - 2), n - 1, n - 2))

    def broadcast(self, a: Value, shape: Sequence[int]) -> Value:
        shape = tuple(shape)
        return a if a.shape == shape else self.view(a, "broadcast", shape)

    def slice(self, a: Value, index: Any) -> Value:
        return self.view(a, "slice", freeze(index))

    # Reductions and products

    def _reduced(self, op: str, a: Value, axes: Any, keepdims: bool) -> Value:
        n = len(a.shape)
        axes = tuple(range(n)) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else tuple(axes)
        axes = tuple(sorted(int(axis) % n for axis in axes)) if n else ()
        if all(a.shape[axis] == 1 for axis in axes):
            kept = tuple(m for axis, m in enumerate(a.shape) if axis not in axes)
            return a if keepdims else self.reshape(a, kept)
        return self.emit(op, [a], axes=axes, keepdims=keepdims)

    def sum(self, a: Value, axes: Any = None, keepdims: bool = False) -> Value:
        if a.dtype.kind == "b":
            a = self.cast(a, np.intp)
        return self._reduced("sum", a, axes, keepdims)

    def max(self, a: Value, axes: Any = None, keepdims: bool = False) -> Value:
        return self._reduced("max", a, axes, keepdims)

    def mean(self, a: Value, axes: Any, keepdims: bool = False) -> Value:
        """The sum along axes divided by the number of entries, in this order, as NumPy does it."""
        total = self.sum(a, axes, keepdims)
        return self.div(total, float(a.size // max(total.size, 1)))

    def matmul(self, a: Value, b: Value) -> Value:
        """a @ b for at least two axes each."""
        dtype = np.result_type(a.dtype, b.dtype)
        return self.emit("matmul", [self.cast(a, dtype), self.cast(b, dtype)])

    # Gradients

    def unbroadcast(self, gradient: Value, shape: tuple[int, ...]) -> Value:
        """The sum over the axes along which NumPy had broadcast ``shape``."""
        if gradient.shape == shape:
            return gradient
        added = len(gradient.shape) - len(shape)
        stretched = [added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1]
        axes = (*range(added), *stretched)
        return self.reshape(self.sum(gradient, axes) if axes else gradient, shape)

    def fit(self, gradient: Value, like: Value) -> Value:
        """A gradient in the shape and dtype of the value it belongs to; integers have gradients of floats."""
        gradient = self.unbroadcast(gradient, like.shape)
        if like.dtype.kind == "f":
            return self.cast(gradient, like.dtype)
        return self.floating(gradient)


def _keeps_order(a: Value, axes: tuple[int, ...]) -> bool:
    long = [axis for axis in axes if a.shape[axis] != 1]
    return long == sorted(long)


def whole(axes: Any, ndim: int) -> tuple[int, ...]:
    """A reduction's axis argument as a tuple of axes."""
    if axes is None:
        return tuple(range(ndim))
    return (axes % ndim,) if is_number(axes) else tuple(axis % ndim for axis in axes)


def samples(shape: tuple[int, ...]) -> int:
    """The product of all axes but the last."""
    return math.prod(shape[:-1])
