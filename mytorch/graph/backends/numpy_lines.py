"""The lines of the NumPy backend: for each primitive, the Python that computes an instruction."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch import optim
from mytorch.graph.backends.numpy_products import multiply
from mytorch.graph.backends.numpy_updates import adam, sgd
from mytorch.graph.backends.source import Source
from mytorch.graph.plan import PIECE, Instruction, Value, piece_rows
from mytorch.graph.primitives import thaw

# Up to this many entries np.sign and np.fmax make a mask faster than a comparison does.
SMALL = 512

# Operations whose result Python's floats give.
SCALAR = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}

_erfc = np.frompyfunc(math.erfc, 1, 1)

# One function per primitive: it appends the lines that compute an instruction.

Line = Callable[[Source, Instruction], None]
LINES: dict[str, Line] = {}


def lines(*ops: str) -> Callable[[Line], Line]:
    def enter(function: Line) -> Line:
        LINES.update((op, function) for op in ops)
        return function

    return enter


@lines("negative", "exp", "log", "log1p", "sqrt", "absolute", "sign", "square", "tanh", "logical_not")
def _unary(s: Source, i: Instruction) -> None:
    s.line(f"{i.op}({s(i.inputs[0])}, {s(i.output)})")


@lines("add", "subtract", "multiply", "divide", "power", "greater", "greater_equal", "equal")
def _binary(s: Source, i: Instruction) -> None:
    if i.output.size == 1 and i.op in SCALAR and i.output.dtype.kind == "f":
        # One entry is computed in Python: float64 rounded to float32 is what float32 arithmetic gives.
        a, b = (f"{s(v)}.item()" if v.number is None else repr(v.number) for v in i.inputs)
        if i.op == "divide" and not i.inputs[1].number:
            # Where Python refuses to divide by zero, NumPy's own zero gives infinity, NaN and the warning.
            b = f"({b} or {s(i.inputs[1])}.reshape(-1)[0])"
        s.line(f"{s.entry(i.output)}[()] = {a} {SCALAR[i.op]} {b}")
        return
    a, b = s.operands(i)
    s.line(f"{i.op}({a}, {b}, {s(i.output)})")


@lines("maximum")
def _maximum(s: Source, i: Instruction) -> None:
    a, b = s.operands(i)
    y, number = s.binding.arrays[i.output], i.inputs[1].number
    if number is not None and y.size <= PIECE and _is_flat(s, i.output):
        # Two arrays are compared up to three times as fast as an array and a number.
        b = s.bind(_formed(_repeated(number, y.dtype)[: y.size], y))
    s.line(f"maximum({a}, {b}, out={s(i.output)})")


def _formed(flat: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Flat memory in the form of an array that lies by rows or by columns."""
    return flat.reshape(like.shape) if like.flags.c_contiguous else flat.reshape(like.shape[::-1]).T


@functools.lru_cache(maxsize=4)
def _repeated(number: float, dtype: np.dtype) -> np.ndarray:
    """As many entries of one number as a piece has. Zeros that nobody writes take no memory."""
    array = np.zeros(PIECE, dtype)
    if number:
        array.fill(number)
    return array


@lines("erfc")
def _erfc_lines(s: Source, i: Instruction) -> None:
    s.line(f"copyto({s(i.output)}, erfc({s(i.inputs[0])}), 'unsafe')")


@lines("cast", "copy")
def _cast(s: Source, i: Instruction) -> None:
    s.line(f"copyto({s(i.output)}, {s(i.inputs[0])}, 'unsafe')")


@lines("where")
def _where(s: Source, i: Instruction) -> None:
    condition, a, b = i.inputs
    s.line(f"copyto({s(i.output)}, {s(b)})")
    s.line(f"copyto({s(i.output)}, {s(a)}, where={s(condition)})")


@lines("positive")
def _positive(s: Source, i: Instruction) -> None:
    """1 where the output of ReLU is positive, else 0, also for NaN, of which fmax takes the other."""
    y, zero = s.binding.arrays[i.output], s.bind(np.zeros((), i.output.dtype))
    if y.size <= SMALL:
        s.line(f"sign({s(i.inputs[0])}, {s(i.output)})")
        s.line(f"fmax({s(i.output)}, {zero}, {s(i.output)})")
    else:
        # By way of booleans: a comparison that makes floats takes twice as long.
        mask = s.bind(_formed(s.scratch(bool, y.size), y), "mask")
        s.line(f"greater({s(i.inputs[0])}, {zero}, {mask})")
        s.line(f"copyto({s(i.output)}, {mask})")


@lines("sum", "max")
def _reduce(s: Source, i: Instruction) -> None:
    (a,), axes, keepdims = i.inputs, i.attrs["axes"], i.attrs["keepdims"]
    if i.op == "sum" and len(axes) == 1 and _is_flat(s, a) and _is_flat(s, i.output):
        # A product with ones takes half as long as a reduction.
        ones = s.bind(np.ones(a.shape[axes[0]], a.dtype))
        if len(a.shape) == 1:
            s.line(f"dot({s(a)}, {ones}, {s.entry(i.output)})")
            return
        if len(a.shape) == 2:
            left, right = (ones, s(a)) if axes == (0,) else (s(a), ones)
            s.line(f"dot({left}, {right}, {s.flat(i.output)})")
            return
    if i.op == "max" and i.output.size == 1 and _is_flat(s, a):
        # The entry at argmax, which is the first NaN if there is one, takes a quarter of the time of a reduction.
        s.line(f"{s.entry(i.output)}[()] = {s.flat(a)}.item({s.flat(a)}.argmax())")
        return
    axis = axes[0] if len(axes) == 1 else axes
    s.line(f"{i.op}_reduce({s(i.inputs[0])}, {axis}, None, {s(i.output)}, {keepdims})")


def _is_flat(s: Source, value: Value) -> bool:
    """True for floats that lie one after the other, in rows or in columns, as products read and write them."""
    array = s.binding.arrays.get(value)
    return array is not None and array.dtype.kind == "f" and (array.flags.c_contiguous or array.flags.f_contiguous)


@lines("entries")
def _entries(s: Source, i: Instruction) -> None:
    truth, scores = i.inputs
    n, classes = scores.shape
    if scores in s.binding.plan.transposed:
        s.line(f"multiply({s(truth)}, {s.bind(np.array(n))}, {s(i.output)})")
        s.line(f"add({s(i.output)}, {s.bind(np.arange(n))}, {s(i.output)})")
    elif n == 1:
        s.indices[i.output] = f"index{len(s.indices)}"
        s.line(f"{s.indices[i.output]} = {s(truth)}.item()")
    else:
        s.line(f"add({s(truth)}, {s.bind(np.arange(0, n * classes, classes))}, {s(i.output)}, casting='unsafe')")


@lines("pick")
def _pick(s: Source, i: Instruction) -> None:
    if i.inputs[1] in s.indices:
        s.line(f"{s.entry(i.output)}[()] = {s.flat(i.inputs[0])}.item({s.indices[i.inputs[1]]})")
        return
    s.line(f"{s.flat(i.inputs[0])}.take({s(i.inputs[1])}, None, {s(i.output)}, 'clip')")


@lines("put")
def _put(s: Source, i: Instruction) -> None:
    base, entries, values = i.inputs
    if not np.may_share_memory(s.binding.arrays[base], s.binding.arrays[i.output]):
        s.line(f"copyto({s(i.output)}, {s(base)})")
    if entries in s.indices:
        s.line(f"{s.flat(i.output)}[{s.indices[entries]}] = {s(values)}.item()")
        return
    s.line(f"{s.flat(i.output)}.put({s(entries)}, {s(values)}, 'clip')")


@lines("take_rows")
def _take_rows(s: Source, i: Instruction) -> None:
    s.line(f"take({s(i.inputs[0])}, {s(i.inputs[1])}, 0, {s(i.output)}, 'clip')")


@lines("scatter_rows")
def _scatter_rows(s: Source, i: Instruction) -> None:
    gradient, indices = i.inputs
    s.line(f"{s(i.output)}.fill(0)")
    s.line(f"add_at({s(i.output)}, {s(indices)}, {s(gradient)})")


@lines("concatenate")
def _concatenate(s: Source, i: Instruction) -> None:
    parts = ", ".join(s(value) for value in i.inputs)
    s.line(f"concatenate(({parts},), {i.attrs['axis']}, {s(i.output)})")


@lines("random")
def _random(s: Source, i: Instruction) -> None:
    s.line(f"{s.bind(i.attrs['layer'].rng, 'rng')}.random(None, float64, {s(i.output)})")


@lines("check_index")
def _check_index(s: Source, i: Instruction) -> None:
    (indices,) = i.inputs
    below = i.attrs["below"]
    if indices.size == 0:
        return
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices are integers, not {indices.dtype}")
    if indices.size == 1:
        test = f"not 0 <= {s(indices)}.item() < {below}"
    else:
        # Read without a sign, a negative index is large. The entry at argmax takes half the time of a reduction.
        unsigned = s.bind(np.dtype(f"u{indices.dtype.itemsize}"))
        test = f"not 0 <= {s(indices)}.item({s(indices)}.view({unsigned}).argmax()) < {below}"
    s.line(f"if {test}: out_of_range({s(indices)}, {s.bind(i.attrs, 'check')})")


def out_of_range(indices: np.ndarray, attrs: dict[str, Any]) -> None:
    """Raise the error of the eager step for indices that name no row."""
    least, most, below = indices.min(), indices.max(), attrs["below"]
    wrong = least if least < 0 else most
    raise attrs["error"](attrs["text"].format(wrong=wrong, least=least, most=most, below=below, last=below - 1))


@lines("store")
def _store(s: Source, i: Instruction) -> None:
    (gradient,), (slot,) = i.inputs, i.writes
    if gradient.number is not None:
        s.line(f"{s(slot)}.fill({gradient.number!r})")
    else:
        s.line(f"copyto({s(slot)}, {s(gradient)})")


@lines("accumulate")
def _accumulate(s: Source, i: Instruction) -> None:
    (slot,) = i.writes
    s.line(f"add({s(slot)}, {s(i.inputs[0])}, {s(slot)})")


@lines("clip")
def _clip(s: Source, i: Instruction) -> None:
    given, clipped = ([s.binding.arrays[v] for v in values] for values in (i.inputs, i.outputs))
    s.line(f"clip({s.bind(given)}, {s.bind(clipped)}, {i.attrs['max_norm']!r})")


def clip(given: list[np.ndarray], clipped: list[np.ndarray], max_norm: float) -> None:
    """The gradients scaled down together as ``mytorch.optim.clip_grad_norm`` does it, in arrays of their own."""
    for source, target in zip(given, clipped):
        if source is not target:
            np.copyto(target, source)
    gradients: list[Any] = [_Gradient(array) for array in clipped]
    optim.clip_grad_norm(gradients, max_norm)


class _Gradient:
    """The one attribute of a parameter that clipping reads."""

    __slots__ = ("gradient",)

    def __init__(self, gradient: np.ndarray) -> None:
        self.gradient = gradient


@lines("call")
def _call(s: Source, i: Instruction) -> None:
    positional, settings = i.attrs["given"]
    values = iter(i.inputs)
    arguments = [s(next(values)) if one is ... else s.bind(one) for one in positional]
    arguments += [f"{name}={s.bind(setting)}" for name, setting in settings]
    s.line(f"take_over({s(i.output)}, {s.bind(i.attrs['function'], 'f')}({', '.join(arguments)}))")


def take_over(output: np.ndarray, found: Any) -> None:
    """Copy what a registered function has returned; the 0 that stands for no gradient fills the output."""
    if np.size(found) != output.size and not (isinstance(found, int) and found == 0):
        raise ValueError(
            f"A registered function returned shape {np.shape(found)} where it returned {output.shape} when its plan was made: "
            "its shape depends on the values. Run this step eagerly."
        )
    np.copyto(output, found, "same_kind")


@lines("optimizer")
def _optimizer(s: Source, i: Instruction) -> None:
    s.line(f"{s.bind(i.attrs['optimizer'])}.step()")


@lines("fused")
def _fused(s: Source, i: Instruction) -> None:
    rows, piece = piece_rows(i, s.binding.plan.transposed)
    if rows <= piece:
        for part in i.parts:
            LINES[part.op](s, part)
        return
    whole = s.binding
    for begin in range(0, rows, piece):
        s.binding = whole.rows(i, begin, min(rows, begin + piece))
        for part in i.parts:
            LINES[part.op](s, part)
    s.binding = whole


lines("matmul")(multiply)
lines("sgd")(sgd)
lines("adam")(adam)

FUNCTIONS: dict[str, Any] = {
    **{
        name: getattr(np, name)
        for name in (
            "negative", "exp", "log", "log1p", "sqrt", "absolute", "sign", "square", "tanh", "logical_not", "add", "subtract",
            "multiply", "divide", "power", "maximum", "fmax", "greater", "greater_equal", "equal", "copyto", "dot", "matmul",
            "take", "concatenate", "broadcast_to", "float64", "einsum",
        )
    },
    "sum_reduce": np.add.reduce, "max_reduce": np.maximum.reduce, "add_at": np.add.at, "erfc": _erfc, "thaw": thaw,
    "clip": clip, "out_of_range": out_of_range, "take_over": take_over, "array": np.array, "ndarray": np.ndarray,
}  # fmt: skip
