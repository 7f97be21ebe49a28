"""The lines of the NumPy backend: for each primitive, the Python that computes an instruction."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mytorch import optim
from mytorch.graph.backends.numpy_products import multiply
from mytorch.graph.backends.source import Source
from mytorch.graph.plan import PIECE, Instruction, Value, piece_rows
from mytorch.graph.primitives import thaw
from mytorch.graph.updates import SCALARS, adam_scalars

# Up to this many entries np.sign and np.fmax make a mask faster than a comparison does.
SMALL = 512
# From this many entries on, arrays are updated block by block, and outer products left to einsum.
LARGE, BLOCK = 1 << 18, 1 << 17

# Operations whose result Python's floats give without an error or a warning of their own.
SCALAR = {"add": "+", "subtract": "-", "multiply": "*"}

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
    exact = i.op in SCALAR or (i.op == "divide" and i.inputs[1].number)
    if i.output.size == 1 and exact and i.output.dtype.kind == "f":
        # One entry is computed in Python: float64 rounded to float32 is what float32 arithmetic gives.
        a, b = (f"{s(v)}.item()" if v.number is None else repr(v.number) for v in i.inputs)
        s.line(f"{s.entry(i.output)}[()] = {a} {SCALAR.get(i.op, '/')} {b}")
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


@lines("matmul")
def _matmul(s: Source, i: Instruction) -> None:
    (a, b), y = i.inputs, i.output
    if len(y.shape) > 2 or len(a.shape) > 2 or len(b.shape) > 2:
        s.line(f"matmul({s(a)}, {s(b)}, {s(y)})")
    elif a.shape[1] == 1 and y.size >= LARGE and y not in s.binding.plan.transposed:
        # A single row is no work for a matrix product; einsum writes a large result in one sweep.
        left, right = (f"{s(value)}.reshape(-1)" for value in (a, b))
        s.line(f"einsum('i,j->ij', {left}, {right}, out={s(y)})")
    else:
        multiply(s, i)


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
    s.line(f"copyto({s(i.output)}, {s.bind(i.attrs['function'], 'f')}({', '.join(arguments)}), 'same_kind')")


@lines("optimizer")
def _optimizer(s: Source, i: Instruction) -> None:
    s.line(f"{s.bind(i.attrs['optimizer'])}.step()")


def pieces(arrays: list[np.ndarray], scratch: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Arrays of one size with scratch memory, whole if they are small or lie scattered, else block by block."""
    size = arrays[0].size
    flags = [array.flags for array in arrays]
    if all(f.c_contiguous for f in flags):
        arrays = [array.reshape(-1) for array in arrays]
    elif all(f.f_contiguous for f in flags):
        arrays = [array.T.reshape(-1) for array in arrays]
    else:
        yield [*arrays, np.empty(arrays[0].shape, arrays[0].dtype)]
        return
    step = BLOCK if size > LARGE else max(size, 1)
    for begin in range(0, size, step):
        piece = [array[begin : begin + step] for array in arrays]
        yield [*piece, scratch[: piece[0].size]]


def _update_pieces(s: Source, i: Instruction) -> Iterator[list[str]]:
    dtype = i.writes[0].dtype
    entries = i.writes[0].size if i.writes[0].size <= LARGE else BLOCK
    scratch = s.scratch(dtype, entries)
    arrays = [np.asarray(s.binding.arrays[value]) for value in (i.inputs[0], *i.writes)]
    for piece in pieces(arrays, scratch):
        yield [s.bind(array, "u") for array in piece]


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


@lines("sgd")
def _sgd(s: Source, i: Instruction) -> None:
    numbers = scalars(s, i)
    for piece in _update_pieces(s, i):
        _sgd_piece(s, i, numbers, piece)


def _sgd_piece(s: Source, i: Instruction, numbers: list[str], piece: list[str]) -> None:
    lr, momentum, weight_decay = numbers
    g, w, scratch = piece[0], piece[1], piece[-1]
    if i.attrs["weight_decay"]:
        s.line(f"multiply({w}, {weight_decay}, {scratch})")
        s.line(f"add({scratch}, {g}, {scratch})")
        g = scratch
    if not i.attrs["momentum"]:
        s.line(f"multiply({g}, {lr}, {scratch})")
    else:
        v = piece[2]
        s.line(f"multiply({v}, {momentum}, {v})")
        s.line(f"add({v}, {g}, {v})")
        if i.attrs["nesterov"]:
            look = s.bind(np.empty_like(s.names[v]), "u")
            s.line(f"multiply({v}, {momentum}, {look})")
            s.line(f"add({g}, {look}, {scratch})")
            s.line(f"multiply({scratch}, {lr}, {scratch})")
        else:
            s.line(f"multiply({v}, {lr}, {scratch})")
    s.line(f"subtract({w}, {scratch}, {w})")


@lines("adam")
def _adam(s: Source, i: Instruction) -> None:
    rate, correction, decay, eps, weight_decay, beta1, beta2, rest1, rest2 = scalars(s, i)
    for g, w, m, v, scratch in _update_pieces(s, i):
        if i.attrs["decay"] and i.attrs["apart"]:
            s.line(f"multiply({w}, {decay}, {w})")
        elif i.attrs["decay"]:
            kept = s.bind(np.empty_like(s.names[g]), "u")
            s.line(f"multiply({w}, {weight_decay}, {kept})")
            s.line(f"add({kept}, {g}, {kept})")
            g = kept
        s.line(f"multiply({m}, {beta1}, {m})")
        s.line(f"multiply({g}, {rest1}, {scratch})")
        s.line(f"add({m}, {scratch}, {m})")
        s.line(f"multiply({v}, {beta2}, {v})")
        s.line(f"square({g}, {scratch})")
        s.line(f"multiply({scratch}, {rest2}, {scratch})")
        s.line(f"add({v}, {scratch}, {v})")
        s.line(f"sqrt({v}, {scratch})")
        s.line(f"divide({scratch}, {correction}, {scratch})")
        s.line(f"add({scratch}, {eps}, {scratch})")
        s.line(f"divide({m}, {scratch}, {scratch})")
        s.line(f"multiply({scratch}, {rate}, {scratch})")
        s.line(f"subtract({w}, {scratch}, {w})")


def scalars(s: Source, i: Instruction) -> list[str]:
    """The names of the numbers that an update reads, as arrays of one entry, which NumPy uses faster than floats.

    The first update of a step counts it and reads the numbers from the optimiser.
    """
    optimizer, kind = s.bind(i.attrs["optimizer"]), "adam" if i.op == "adam" else "sgd"
    dtype = i.writes[0].dtype
    names = [f"{name}_{dtype.char}" for name in SCALARS[kind]]
    if not s.counted:
        s.counted = True
        s.line(f"{optimizer}.steps += 1")
    if names[0] not in s.names:
        s.names.update((name, np.zeros((), dtype)) for name in names)
        if kind == "sgd":
            for name, attribute in zip(names, SCALARS["sgd"]):
                if i.attrs.get(attribute, True):
                    s.line(f"{name}[()] = {optimizer}.{attribute}")
        else:
            s.names["adam_scalars"] = adam_scalars
            s.line(f"{', '.join(f'{name}[()]' for name in names)} = adam_scalars({optimizer})")
    return names


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
    "clip": clip, "out_of_range": out_of_range,
}  # fmt: skip
