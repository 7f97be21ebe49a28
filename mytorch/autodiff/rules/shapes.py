"""Rearranging entries: indexing, reshaping, repeating, sorting. All of it is linear."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mytorch.autodiff.kinds import Rule, composite, constant, explicit, linear
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.traced import Traced, is_float, plain
from mytorch.autodiff.tracing import Outline
from mytorch.nn.functional import getitem_backward

scatter: Any


# Indexing, and its transpose: adding to the entries that were read
def _scatter(g, index, shape: tuple[int, ...]):
    """Zeros of a shape, with g added at an index; an entry named twice gets the sum."""
    if isinstance(g, Traced):
        return scatter(g, index, shape)
    target: Any = Outline(shape, g.dtype)
    return getitem_backward(g, target, index)


getitem = linear(operator.getitem, lambda g, y, x, index: scatter(g, index, x.shape), name="getitem")
scatter = linear(_scatter, lambda g, y, x, index, shape: g[index], name="scatter")
getitem.reads = scatter.reads = True  # not x, but the index arrays


def astype(x, dtype, order="K", casting="unsafe", subok=True, copy=True):
    """x.astype. An array of integers or booleans has no derivative."""
    if np.dtype(dtype).kind not in "fc":
        return plain(x).astype(dtype, order, casting)
    return _astype(x, np.dtype(dtype), order, casting)


_astype = linear(
    np.ndarray.astype,
    lambda g, y, x, dtype, order="K", casting="unsafe": g,
    name="astype",
    call=lambda x, dtype, order="K", casting="unsafe": x.astype(dtype, order, casting),
)
composite(np.ndarray.astype, astype)
_astype.jvps = [lambda t, y, x, *_: t]
linear(np.copy, lambda g, y, x, order="K", subok=False: g, call=lambda x, order="K", subok=False: x.copy(order))


def laid_out_as(result, a, order: str = "K"):
    """A result that lies in memory as NumPy makes it: its axes in the order of those of a ("K"), or in Fortran's or C's ("A").

    It shows where the result is read in the order of memory, as in np.ravel(result, order="K").
    """
    known = plain(a)
    if known.flags.c_contiguous and plain(result).flags.c_contiguous:
        return result
    axes = list(range(known.ndim))
    if known.flags.fnc:
        axes = axes[::-1]
    elif order == "K":
        axes = np.argsort([-abs(stride) for stride in known.strides], kind="stable").tolist()
    moved = np.transpose(result, axes)
    return result if plain(moved).flags.c_contiguous else np.transpose(np.copy(moved, order="C"), np.argsort(axes))


# Any rearrangement of entries: applied to the numbers of the entries, it tells where each one went.
def _put_back(fun: Callable, g, y, x, *args, **kwargs):
    if not x.size:  # np.resize fills up with zeros
        return np.zeros(x.shape, g.dtype)
    numbers = fun(np.arange(x.size).reshape(x.shape), *args, **kwargs)
    return scatter(np.ravel(g), np.ravel(numbers), (x.size,)).reshape(x.shape)


def rearrangement(fun: Callable) -> Rule:
    """Register a function that only moves, repeats or drops entries of its first argument."""
    rule = linear(fun, partial(_put_back, fun))
    rule.reads = True  # not x, but index arrays
    return rule


for moving in (np.rollaxis, np.rot90, np.resize, np.delete, np.take_along_axis):
    rearrangement(moving)


# Repetitions: their gradients are summed
def _tile_vjp(g, y, x, reps):
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    ndim = max(x.ndim, len(reps))
    shape, reps = (1,) * (ndim - x.ndim) + x.shape, (1,) * (ndim - len(reps)) + reps
    g = np.reshape(g, [n for pair in zip(reps, shape) for n in pair])
    return np.reshape(np.sum(g, tuple(range(0, 2 * ndim, 2))), x.shape)


def _repeat_vjp(g, y, x, repeats, axis=None):
    if np.ndim(repeats):
        return _put_back(np.repeat, g, y, x, repeats, axis)
    i = 0 if axis is None else axis % x.ndim
    shape = (x.size,) if axis is None else x.shape
    return np.sum(np.reshape(g, (*shape[: i + 1], repeats, *shape[i + 1 :])), i + 1).reshape(x.shape)


linear(np.tile, _tile_vjp)
linear(np.repeat, _repeat_vjp).reads = True

# Cases with an explicit inverse, where no numbers are needed
for reshaping in (np.squeeze, np.expand_dims):
    linear(reshaping, lambda g, y, x, *_, **__: g.reshape(x.shape))
for raising in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    rule = linear(raising, lambda g, y, x: g.reshape(x.shape))
    composite(raising, lambda *xs, rule=rule: rule(*xs) if len(xs) == 1 else tuple(map(rule, xs)))


def _reshape_vjp(g, y, x, shape, order="C"):
    return np.reshape(g, x.shape, order=order)


_reshape = linear(np.reshape, _reshape_vjp, call=lambda x, shape, order="C": x.reshape(shape, order=order))
composite(
    np.reshape,
    lambda a, shape=None, order="C", *, newshape=None, copy=None: _reshape(
        a, newshape if shape is None else shape, order=_order(a, order)
    ),
)


def _order(a, order: str):
    """The order "A", which stands for Fortran's or for C's: whichever a has in memory."""
    return order if order != "A" else "F" if plain(a).flags.fnc else "C"


def _ravel(a, order="C"):
    """np.ravel. The order "K" is that of the entries in memory, found by numbers in an array of the same layout."""
    if order != "K" or plain(a).flags.c_contiguous:
        return _raveled(a, "C" if order == "K" else _order(a, order))
    numbers = np.empty_like(plain(a), dtype=np.intp)
    numbers[...] = np.arange(numbers.size).reshape(numbers.shape)
    return _raveled(a, "C")[np.ravel(numbers, "K")]


_raveled = linear(np.ravel, lambda g, y, x, order: np.reshape(g, x.shape, order=order))
composite(np.ravel, _ravel)
linear(
    np.transpose,
    lambda g, y, x, axes=None: np.transpose(g, None if axes is None else np.argsort([i % x.ndim for i in axes])),
)
linear(np.swapaxes, lambda g, y, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
linear(np.moveaxis, lambda g, y, x, source, destination: np.moveaxis(g, destination, source))
linear(np.flip, lambda g, y, x, axis=None: np.flip(g, axis))
linear(np.roll, lambda g, y, x, shift, axis=None: np.roll(g, _negative(shift), axis))
linear(np.broadcast_to, lambda g, y, x, shape, **_: g)  # fit sums over the broadcast axes for every rule
composite(np.flipud, lambda m: np.flip(m, 0))
composite(np.fliplr, lambda m: np.flip(m, 1))
if hasattr(np, "matrix_transpose"):
    composite(np.matrix_transpose, lambda x: np.swapaxes(x, -1, -2))


def _negative(shift):
    return tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift


def _broadcast_arrays(*arrays, subok: bool = False):
    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    return tuple(np.broadcast_to(array, shape) for array in arrays)


composite(np.broadcast_arrays, _broadcast_arrays)


def _meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise ValueError("np.meshgrid takes indexing='xy' or indexing='ij'.")
    grids = [np.reshape(x, (1,) * i + (-1,) + (1,) * (len(xi) - 1 - i)) for i, x in enumerate(xi)]
    grids = grids if sparse else list(_broadcast_arrays(*grids))
    return tuple(np.swapaxes(grid, 0, 1) for grid in grids) if indexing == "xy" and len(xi) > 1 else tuple(grids)


composite(np.meshgrid, _meshgrid)


# Triangles and diagonals
linear(np.triu, lambda g, y, x, k=0: np.triu(g, k))
linear(np.tril, lambda g, y, x, k=0: np.tril(g, k))


def _diagonal_vjp(g, y, x, offset=0, axis1=0, axis2=1):
    rest = [n for i, n in enumerate(x.shape) if i not in (axis1 % x.ndim, axis2 % x.ndim)]
    rows = np.arange(y.shape[-1]) + max(-offset, 0)
    whole = scatter(g, (..., rows, rows + offset), (*rest, x.shape[axis1], x.shape[axis2]))
    in_place = (axis1 % x.ndim, axis2 % x.ndim) == (x.ndim - 2, x.ndim - 1)
    return whole if in_place else np.moveaxis(whole, (-2, -1), (axis1, axis2))


linear(np.diagonal, _diagonal_vjp)
linear(np.diagflat, lambda g, y, x, k=0: np.reshape(np.diagonal(g, k), x.shape))
composite(np.diag, lambda v, k=0: _diag(v, k))
composite(
    np.trace,
    lambda a, offset=0, axis1=0, axis2=1, dtype=None: np.sum(
        np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype
    ),
)


def _diag(v, k: int):
    if np.ndim(v) not in (1, 2):
        raise ValueError("Input must be 1- or 2-d.")
    return np.diagflat(v, k) if np.ndim(v) == 1 else np.diagonal(v, k)


# Taking, sorting
def _take(a, indices, axis=None, mode="raise"):
    a = np.ravel(a) if axis is None else a
    return _taken(a, np.asarray(plain(indices)), 0 if axis is None else place(axis, np.ndim(a)), mode)


def _take_vjp(g, y, x, indices, axis: int, mode: str):
    size = x.shape[axis]
    if not x.size:
        return np.zeros(x.shape, g.dtype)
    indices = indices % size if mode == "wrap" else np.clip(indices, 0, size - 1) if mode == "clip" else indices
    return scatter(g, (slice(None),) * axis + (indices,), x.shape)


_taken = linear(np.take, _take_vjp, call=lambda a, indices, axis, mode: np.take(a, indices, axis, mode=mode))


def _sort(a, axis=-1, kind=None, *, stable=None):
    np.sort(np.ones(1), kind=kind)  # raises what NumPy raises
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return _sorted(a, axis)


def _ranks(x, axis: int):
    """The stable order of the entries; the quick way to it where no two are equal."""
    x = plain(x)
    if not isinstance(x, Traced):
        ranks = np.argsort(x, axis=axis)
        ranked = np.moveaxis(np.take_along_axis(x, ranks, axis), axis, 0)
        if np.all(ranked[1:] > ranked[:-1]):
            return ranks
    return np.argsort(x, axis=axis, kind="stable")


# Entries that are equal keep their order in the derivative, whatever algorithm has sorted them.
_sorted = explicit(
    np.sort,
    [lambda g, y, x, axis: _put_back(lambda numbers: np.take_along_axis(numbers, _ranks(x, axis), axis), g, y, x)],
    [lambda t, y, x, axis: np.take_along_axis(t, _ranks(x, axis), axis)],
)


def _partition(a, kth, axis=-1, kind="introselect"):
    np.partition(np.ones(1), 0, kind=kind)  # raises what NumPy raises
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    known = plain(a)
    ranks = np.argsort(
        np.argsort(np.partition(known, kth, axis), axis), axis
    )  # as NumPy leaves the entries on either side
    places = np.take_along_axis(np.argsort(known, axis), ranks, axis)
    return laid_out_as(np.take_along_axis(a, places, axis), a)


composite(np.take, _take)
composite(
    np.choose,
    lambda a, choices, mode="raise": np.stack(np.broadcast_arrays(*choices))[_choice(plain(a), choices, mode)],
)
composite(np.sort, _sort)
composite(np.partition, _partition)
composite(np.compress, lambda condition, a, axis=None: _take(a, np.flatnonzero(plain(condition)), axis))
composite(np.extract, lambda condition, arr: np.ravel(arr)[np.flatnonzero(plain(condition))])
composite(np.full_like, lambda a, fill_value, dtype=None, *, shape=None: _full_like(a, fill_value, dtype, shape))


def _choice(a, choices, mode):
    shape = np.broadcast_shapes(np.shape(a), *(np.shape(choice) for choice in choices))
    a = np.broadcast_to(a if mode == "raise" else np.choose(a, np.arange(len(choices)), mode=mode), shape)
    return (a, *np.indices(shape))


def _full_like(a, fill_value, dtype, shape):
    full = np.broadcast_to(fill_value, np.shape(a) if shape is None else shape)
    return (
        full.astype(plain(a).dtype if dtype is None else dtype)
        if is_float(plain(fill_value))
        else np.full_like(plain(a), fill_value, dtype, shape=shape)
    )


def _unique(ar, *, equal_nan=True):
    """The sorted distinct entries, each differentiated through its first occurrence."""
    return np.ravel(ar)[np.unique(plain(ar), return_index=True, equal_nan=equal_nan)[1]]


composite(np.unique, _unique)
constant(np.tril_indices_from, np.triu_indices_from, np.diag_indices_from, np.ix_, np.ndindex)
