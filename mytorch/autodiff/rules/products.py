"""Products of arrays: matmul and its relatives, einsum, convolution, interpolation. Linear in each argument by itself."""

from __future__ import annotations

import math
import operator
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from mytorch.autodiff.kinds import Explicit, composite, linear
from mytorch.autodiff.rules.axes import places
from mytorch.autodiff.rules.shapes import scatter
from mytorch.autodiff.traced import Traced, plain


def _matmul_vjp(i, g, y, a, b):
    """g @ b.T and a.T @ g. A 1-d factor counts as a row on the left and as a column on the right."""
    rows = a[np.newaxis, :] if a.ndim == 1 else a
    columns = b[:, np.newaxis] if b.ndim == 1 else b
    g = g[..., np.newaxis] if b.ndim == 1 else g
    g = g[..., np.newaxis, :] if a.ndim == 1 else g
    if i == 0:
        return g @ np.swapaxes(columns, -1, -2)
    if columns.ndim == 2 and rows.ndim > 2:
        # One matrix for the whole batch: one large product instead of a product per matrix and a sum.
        samples = math.prod(rows.shape[:-1])  # not -1, which an empty last axis leaves undecided
        rows, g = np.reshape(rows, (samples, rows.shape[-1])), np.reshape(g, (samples, g.shape[-1]))
    product = np.swapaxes(rows, -1, -2) @ g
    return product[..., 0] if b.ndim == 1 else product


matmul = linear(np.matmul, *[partial(_matmul_vjp, i) for i in (0, 1)], call=operator.matmul)
matmul.arrays_only = True


def _tensordot(a, b, axes=2):
    """The summed axes last in a and first in b, then one matrix product."""
    na, nb = np.ndim(a), np.ndim(b)
    if isinstance(axes, (int, np.integer)):
        axes = list(range(na - axes, na)), list(range(axes))
    over_a, over_b = list(places(axes[0], na)), list(places(axes[1], nb))
    keep_a, keep_b = [i for i in range(na) if i not in over_a], [i for i in range(nb) if i not in over_b]
    summed, summed_b = [np.shape(a)[i] for i in over_a], [np.shape(b)[i] for i in over_b]
    if summed != summed_b:
        raise ValueError(f"tensordot: the axes to sum over have lengths {summed} and {summed_b}. They have to agree.")
    shape_a, shape_b = [np.shape(a)[i] for i in keep_a], [np.shape(b)[i] for i in keep_b]
    rows = np.reshape(np.transpose(a, keep_a + over_a), (math.prod(shape_a), math.prod(summed)))
    columns = np.reshape(np.transpose(b, over_b + keep_b), (math.prod(summed), math.prod(shape_b)))
    return np.reshape(rows @ columns, shape_a + shape_b)


def _dot(a, b):
    na, nb = np.ndim(plain(a)), np.ndim(plain(b))
    if na == 0 or nb == 0:
        return np.copy(np.multiply(a, b), order="C")
    return matmul(a, b) if nb <= 2 else _tensordot(a, b, (na - 1, nb - 2))


def _inner(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return _tensordot(a, b, (np.ndim(a) - 1, np.ndim(b) - 1))


def _kron(a, b):
    """Each entry of a times the whole of b: an outer product whose axes are interleaved."""
    ndim = max(np.ndim(a), np.ndim(b))
    shape_a, shape_b = [(1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b)]
    a = np.reshape(a, [n for pair in zip(shape_a, (1,) * ndim) for n in pair])
    b = np.reshape(b, [n for pair in zip((1,) * ndim, shape_b) for n in pair])
    return np.reshape(a * b, [n * m for n, m in zip(shape_a, shape_b)])


# In space, along the last axis: g . (a x b) = a . (b x g) = b . (g x a).
_cross_last: Any = linear(np.cross, lambda g, y, a, b: _cross_last(b, g), lambda g, y, a, b: _cross_last(g, a))


def _cross(a, b, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis=None):
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a, b = np.moveaxis(a, axisa, 0), np.moveaxis(b, axisb, 0)
    if {len(a), len(b)} != {3}:
        np.cross(np.ones(len(a)), np.ones(len(b)))  # raises what NumPy raises
    if len(a) == len(b) == 3:
        return np.moveaxis(_cross_last(np.moveaxis(a, 0, -1), np.moveaxis(b, 0, -1)), -1, axisc)
    plane = a[0] * b[1] - a[1] * b[0]
    if len(a) == 2 and len(b) == 2:
        return plane
    zero = np.zeros((), np.result_type(plain(a[0]), plain(b[0])))
    a, b = (tuple(x) if len(x) == 3 else (x[0], x[1], zero) for x in (a, b))
    space = np.broadcast_arrays(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], plane)
    return np.moveaxis(np.stack(space, axis=-1), -1, axisc)


composite(np.tensordot, _tensordot)
composite(np.dot, _dot)
composite(np.inner, _inner)
composite(np.outer, lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1)))
composite(np.vdot, lambda a, b: np.matmul(np.conj(np.ravel(a)), np.ravel(b)))
composite(np.kron, _kron)
composite(np.cross, _cross)


def _vecdot(a, b):
    if np.shape(a)[-1] != np.shape(b)[-1]:
        np.vecdot(plain(a), plain(b))  # raises what NumPy raises: no single entry stands for many
    return np.sum(np.conj(a) * b, axis=-1)


if hasattr(np, "vecdot"):
    composite(np.vecdot, lambda a, b, axis=-1: _vecdot(np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)))
if hasattr(np, "matvec"):
    composite(np.matvec, lambda a, b: np.matmul(a, b[..., np.newaxis])[..., 0])
    composite(np.vecmat, lambda a, b: np.matmul(np.conj(a)[..., np.newaxis, :], b)[..., 0, :])


# einsum. Axes are numbered, the dots spelled out, and the gradient of an operand is the einsum that puts the output in its
# place. An index that it has twice asks for a diagonal: an identity matrix joins the product.
def _einsum(*arrays, axes: tuple[tuple[int, ...], ...], optimize=False):
    operands = [part for array, letters in zip(arrays, axes) for part in (array, list(letters))]
    return np.einsum(*operands, list(axes[-1]), optimize=optimize)


def _einsum_vjp(i: int, g, y, *arrays, axes: tuple[tuple[int, ...], ...], optimize=False):
    fresh = count(max((n for letters in axes for n in letters), default=0) + 1)
    others = [(array, letters) for j, (array, letters) in enumerate(zip(arrays, axes)) if j != i]
    others.append((g, axes[-1]))
    seen = {
        n: len(plain(a)) if len(letters) == 1 else plain(a).shape[k]
        for a, letters in others
        for k, n in enumerate(letters)
    }
    result: list[int] = []
    dtype = plain(g).dtype
    for n, length in zip(axes[i], plain(arrays[i]).shape):
        if n in result:
            result.append(next(fresh))
            others.append((np.eye(length, dtype=dtype), (n, result[-1])))
        else:
            result.append(n)
            if n not in seen:
                others.append((np.ones(length, dtype), (n,)))
    optimize = optimize or any(
        np.size(a) > 1000 for a, _ in others
    )  # then the search for a good order is worth its time
    return einsum(*[a for a, _ in others], axes=(*[letters for _, letters in others], tuple(result)), optimize=optimize)


def _einsum_jvp(i: int, t, y, *arrays, **kwargs):
    return einsum(*arrays[:i], t, *arrays[i + 1 :], **kwargs)


einsum = Explicit(_einsum, "einsum", _einsum_vjp, _einsum_jvp)
einsum.is_linear = True


def _einsum_of(*operands, optimize=False):
    """np.einsum in both its spellings: "ij,jk->ik" and operands with lists of axes."""
    if isinstance(operands[0], str):
        arrays = operands[1:]
        left, arrow, right = operands[0].replace(" ", "").partition("->")
        terms = [_letters(term) for term in left.split(",")]
        output = _letters(right) if arrow else None
    else:
        arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
        terms = [list(axes) for axes in lists]
        output = list(operands[-1]) if len(operands) % 2 else None
    if len(terms) != len(arrays):
        raise ValueError(f"einsum: {len(terms)} terms for {len(arrays)} arrays. Give one term per array.")
    widest = max((np.ndim(a) - len(term) + 1 for a, term in zip(arrays, terms) if ... in term), default=0)
    if output is None:
        flat = [n for term in terms for n in term if n is not ...]
        output = ([...] if any(... in term for term in terms) else []) + sorted(
            n for n in set(flat) if flat.count(n) == 1
        )
    numbers: dict[Any, int] = {}
    spelled = [_spell(term, np.ndim(a) - len(term) + 1, numbers) for a, term in zip(arrays, terms)]
    return einsum(*arrays, axes=(*spelled, _spell(output, widest, numbers)), optimize=optimize)


def _letters(term: str) -> list[Any]:
    before, dots, after = term.partition("...")
    return [*before, ..., *after] if dots else list(before)


def _spell(term: list[Any], dots: int, numbers: dict[Any, int]) -> tuple[int, ...]:
    """Letters as numbers; the dots stand for as many axes as are left, counted from the right so that they broadcast."""
    names = [n for part in term for n in ([("dot", k) for k in range(dots, 0, -1)] if part is ... else [part])]
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


composite(np.einsum, _einsum_of)


# Convolution: with the full result in hand, each factor's gradient is a convolution with the other one reversed.
def _full_convolution_vjp(i: int, g, y, a, v):
    other, length = (v, np.size(plain(a))) if i == 0 else (a, np.size(plain(v)))
    begin = np.size(plain(other)) - 1
    return _convolve_full(g, np.flip(other))[begin : begin + length]


_convolve_full = linear(np.convolve, *[partial(_full_convolution_vjp, i) for i in (0, 1)])


def _convolve(a, v, mode="full"):
    np.convolve(np.ones(1), np.ones(1), mode)  # raises what NumPy raises
    n, m = np.size(plain(a)), np.size(plain(v))
    full = _convolve_full(a, v)
    if mode == "full":
        return full
    length = max(n, m) if mode == "same" else max(n, m) - min(n, m) + 1
    begin = (n + m - 1 - length) // 2
    return full[begin : begin + length]


composite(np.convolve, _convolve)
composite(np.correlate, lambda a, v, mode="valid": _correlate(a, v, mode))


def _correlate(a, v, mode):
    np.correlate(np.ones((1,) * np.ndim(a)), np.ones((1,) * np.ndim(v)), mode)  # raises what NumPy raises
    """a convolved with v reversed; NumPy swaps the two if v is longer, which matters for mode="same"."""
    if np.size(plain(v)) > np.size(plain(a)) and mode != "full":
        return np.flip(np.conj(_correlate(v, a, mode)))
    return _convolve(a, np.flip(np.conj(v)), mode)


# Interpolation, grids, counting
def _interp(x, xp, fp, left=None, right=None, period=None):
    xp, fp = (part if isinstance(part, Traced) else np.asarray(part) for part in (xp, fp))
    if not all(np.can_cast(np.asarray(plain(part)).dtype, float) for part in (x, xp)):
        raise TypeError("np.interp takes real numbers in double precision as x and xp.")
    if period is not None:
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(plain(xp))
        xp, fp = xp[order], fp[order]
        xp, fp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period]), np.concatenate([fp[-1:], fp, fp[:1]])
    x, xp, fp = (part if isinstance(part, Traced) else np.asarray(part, dtype=float) for part in (x, xp, fp))
    n = np.size(plain(xp))
    i = np.clip(np.searchsorted(plain(xp), plain(x), side="right") - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    inside = fp[i] + (fp[j] - fp[i]) * ((x - xp[i]) / np.where(i == j, 1, xp[j] - xp[i]))
    low, high = plain(x) < plain(xp)[0], plain(x) > plain(xp)[-1]
    return np.where(low, fp[0] if left is None else left, np.where(high, fp[-1] if right is None else right, inside))


def _linspace(start, stop, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype=None, axis: int = 0):
    dtype = np.linspace(plain(start), plain(stop), 0, dtype=dtype).dtype
    ndim = max(np.ndim(start), np.ndim(stop))
    share = np.linspace(0, 1, num, endpoint=endpoint).astype(dtype).reshape((-1,) + (1,) * ndim)
    line = np.moveaxis((1 - share) * start + share * stop, 0, axis).astype(dtype)
    return (line, (stop - start) / max(num - bool(endpoint), 1)) if retstep else line


def _logspace(start, stop, num: int = 50, endpoint: bool = True, base=10.0, dtype=None, axis: int = 0):
    dtype = np.logspace(plain(start), plain(stop), 0, base=plain(base), dtype=dtype).dtype
    return (base ** _linspace(start, stop, num, endpoint, axis=axis)).astype(dtype)


def _geomspace(start, stop, num: int = 50, endpoint: bool = True, dtype=None, axis: int = 0):
    """Even steps between the logarithms. Of two negative ends the sign is taken off first."""
    dtype = np.geomspace(plain(start), plain(stop), 0, dtype=dtype).dtype
    start, stop = np.broadcast_arrays(start, stop)
    if dtype.kind == "c":
        return np.exp(_linspace(np.log(start), np.log(stop), num, endpoint, axis=axis)).astype(dtype)
    sign = np.where((plain(start) < 0) & (plain(stop) < 0), -1.0, 1.0)
    powers = np.exp(_linspace(np.log(sign * start), np.log(sign * stop), num, endpoint, axis=axis))
    return (np.moveaxis(np.moveaxis(powers, axis, 0) * sign, 0, axis)).astype(dtype)


def _bincount(x, /, weights=None, minlength: int = 0):
    x = np.asarray(plain(x))
    np.bincount(x[:1], plain(weights)[:1] if weights is not None else None, minlength)  # raises what NumPy raises
    if weights is None or not x.size:  # of nothing NumPy counts in integers, whatever the weights
        return np.bincount(x, None, minlength)
    return scatter(weights.astype(float), x, (max(minlength, x.max() + 1),))


composite(np.interp, _interp)
composite(np.linspace, _linspace)
composite(np.logspace, _logspace)
composite(np.geomspace, _geomspace)
composite(np.bincount, _bincount)
composite(np.vander, lambda x, N=None, increasing=False: _vander(x, N, increasing))
composite(np.polyval, lambda p, x: _polyval(p, x))


def _vander(x, N, increasing: bool):
    powers = np.arange(len(np.empty(np.size(plain(x)) if N is None else N)))
    return x[:, np.newaxis] ** (powers if increasing else powers[::-1])


def _polyval(p, x):
    p, x = (part if isinstance(part, Traced) else np.asarray(part) for part in (p, x))
    y = 0 * x
    for coefficient in p:  # Horner's scheme
        y = y * x + coefficient
    return y
