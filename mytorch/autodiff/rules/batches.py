"""Batch forms of the rules: which axes, shapes and indices one example's become when another axis leads them.

Each form gets the rule (or the function of zero derivative), the number of examples, which of the values are stacks, the values
and the settings. A form that does not go with its arguments raises, and the examples are done one by one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mytorch.autodiff.batching import BATCHES, Batched, aligned, together
from mytorch.autodiff.rules import decompositions, linalg, products, shapes
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.tree import flatten

la = np.linalg


def _first(form: Callable) -> Callable:
    """The form of a rule of one array, whose other arguments are settings."""

    def batch(rule, n: int, own: Sequence[bool], values, kwargs):
        if any(own[1:]) or _holds_batched(values[1:]):
            raise NotImplementedError
        return form(rule, *values, **kwargs)

    return batch


def _holds_batched(settings) -> bool:
    return any(isinstance(leaf, Batched) for leaf in flatten(list(settings))[0])


def _axis(axis, x):
    """One example's axis, or axes, as those of the stack x."""
    if np.ndim(axis):
        return tuple(place(one, x.ndim - 1) + 1 for one in axis)
    return place(axis, x.ndim - 1) + 1


def _flat(x):
    return np.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def _as_it_is(least: int) -> Callable:
    """For what works on the last axes, of which it needs so many."""

    def batch(rule, x, *args, **kwargs):
        if x.ndim - 1 < least:
            raise NotImplementedError
        return rule(x, *args, **kwargs)

    return _first(batch)


@_first
def _reduction(fun, x, axis=None, **kwargs):
    return fun(x, axis=_axis(range(x.ndim - 1) if axis is None else axis, x), **kwargs)


@_first
def _one_axis(rule, x, axis):
    return rule(x, _axis(axis, x))


@_first
def _norm(rule, x):
    return la.norm(_flat(x), axis=1)


@_first
def _take(rule, x, indices, axis=None, mode="raise"):
    return rule(_flat(x), indices, 1, mode) if axis is None else rule(x, indices, _axis(axis, x), mode)


@_first
def _pad(rule, x, widths, constant_values=0):
    if np.ndim(constant_values):
        raise NotImplementedError
    return rule(x, [(0, 0), *widths], constant_values=constant_values)


@_first
def _transform(rule, x, n=None, axis=-1, norm=None):
    return rule(x, n=n, axis=_axis(axis, x), norm=norm)


@_first
def _sorting(fun, x, axis=-1, **kwargs):
    return fun(_flat(x) if axis is None else x, axis=1 if axis is None else _axis(axis, x), **kwargs)


@_first
def _argument(fun, x, axis=None, **kwargs):
    return fun(_flat(x) if axis is None else x, axis=1 if axis is None else _axis(axis, x), **kwargs)


@_first
def _reshaping(rule, x, *args, **kwargs):
    """A change of shape, by what it makes of one example's."""
    if any(isinstance(setting, str) and setting != "C" for setting in (*args, *kwargs.values())):
        raise NotImplementedError
    return np.reshape(x, (x.shape[0], *rule.fun(np.empty(x.shape[1:]), *args, **kwargs).shape))


@_first
def _transpose(rule, x, axes=None):
    return rule(x, (0, *(range(x.ndim - 1, 0, -1) if axes is None else _axis(axes, x))))


@_first
def _two_axes(rule, x, one, other):
    return rule(x, _axis(one, x), _axis(other, x))


@_first
def _flip(rule, x, axis=None):
    return rule(x, _axis(range(x.ndim - 1) if axis is None else axis, x))


@_first
def _roll(rule, x, shift, axis=None):
    return np.reshape(rule(_flat(x), shift, 1), x.shape) if axis is None else rule(x, shift, _axis(axis, x))


@_first
def _broadcast_to(rule, x, shape, **kwargs):
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return rule(aligned([True, False], [x, np.empty(shape)])[0], (x.shape[0], *shape), **kwargs)


@_first
def _diagonal(rule, x, offset=0, axis1=0, axis2=1):
    return rule(x, offset, _axis(axis1, x), _axis(axis2, x))


@_first
def _repeat(rule, x, repeats, axis=None):
    return rule(_flat(x), repeats, 1) if axis is None else rule(x, repeats, _axis(axis, x))


@_first
def _tile(rule, x, reps):
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    ndim = max(x.ndim - 1, len(reps))
    return rule(
        np.reshape(x, (x.shape[0], *[1] * (ndim - x.ndim + 1), *x.shape[1:])), (*[1] * (ndim + 1 - len(reps)), *reps)
    )


def _batch_index(index):
    """One example's index with all examples before it. Index arrays with a slice between them would lead the result."""
    index = index if isinstance(index, tuple) else (index,)
    simple = (slice, type(None), type(...))
    arrays = [i for i, part in enumerate(index) if not isinstance(part, simple)]
    advanced = any(not isinstance(index[i], (int, np.integer)) for i in arrays)
    if _holds_batched(index) or (advanced and arrays[-1] - arrays[0] >= len(arrays)):
        raise NotImplementedError
    return (slice(None), *index)


@_first
def _getitem(rule, x, index):
    return rule(x, _batch_index(index))


@_first
def _scatter(rule, g, index, shape):
    return rule(g, _batch_index(index), (g.shape[0], *shape))


def _take_along_axis(rule, n: int, own, values, kwargs):
    x, indices = values[:2]
    axis = kwargs["axis"] if kwargs else values[2]
    if axis is None:
        raise NotImplementedError
    x, indices = (part if mine else np.expand_dims(part, 0) for part, mine in zip((x, indices), own))
    if x.shape[0] != indices.shape[0]:
        x, indices = (np.broadcast_to(part, (n, *part.shape[1:])) for part in (x, indices))
    return rule(x, indices, _axis(axis, x))


def _concatenate(rule, n: int, own, values, kwargs):
    stacks = [x if mine else np.broadcast_to(x, (n, *np.shape(x))) for x, mine in zip(values, own)]
    axis = kwargs["axis"]
    if axis is None:
        return rule(*map(_flat, stacks), **{**kwargs, "axis": 1})
    return rule(*stacks, **{**kwargs, "axis": _axis(axis, stacks[0])})


def _matmul(rule, n: int, own, values, kwargs):
    """One large product where only one factor is a stack; vectors become rows or columns where both are."""
    a, b = values
    ndims = [x.ndim - mine for x, mine in zip(values, own)]
    if 0 in ndims:
        raise NotImplementedError
    if not own[1] and b.ndim <= 2:
        rows = np.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return np.reshape(rule(rows, b), (*a.shape[:-1], *b.shape[1:]))
    if not own[0] and a.ndim <= 2 and ndims[1] == 1:
        return rule(b, np.transpose(a))
    if not own[0] and a.ndim <= 2 and ndims[1] == 2:
        return _by_columns(partial(rule, a), b)
    a, b = aligned(own, [np.expand_dims(a, -2) if ndims[0] == 1 else a, np.expand_dims(b, -1) if ndims[1] == 1 else b])
    product = rule(a, b)
    product = product[..., 0, :] if ndims[0] == 1 else product
    return product[..., 0] if ndims[1] == 1 else product


def _einsum(rule, n: int, own, arrays, kwargs):
    *terms, output = kwargs["axes"]
    fresh = max((index for term in terms for index in term), default=-1) + 1
    terms = [(fresh, *term) if mine else term for term, mine in zip(terms, own)]
    return rule(*arrays, **{**kwargs, "axes": (*terms, (fresh, *output))})


def _solve(rule, n: int, own, values, kwargs):
    """A X = B for many B: their columns side by side, so that A is factored once."""
    a, b = values
    shared = not own[0] and a.ndim == 2 and b.ndim == 3
    return _by_columns(partial(rule, a), b) if shared else together(rule, n, own, values, kwargs)


def _by_columns(fun: Callable, b):
    """A function of columns of all the matrices of a stack, which stand side by side for it."""
    n, rows, columns = b.shape
    result = fun(np.reshape(np.moveaxis(b, 0, 1), (rows, n * columns)))
    return np.moveaxis(np.reshape(result, (*result.shape[:-1], n, columns)), -2, 0)


def _searchsorted(fun, n: int, own, values, kwargs):
    if own[0] or len(values) != 2:
        raise NotImplementedError
    return fun(*values, **kwargs)


for form, functions in {
    _reduction: (np.sum, np.mean, np.max, np.min, np.any, np.all, np.count_nonzero),
    _reshaping: (np.reshape, np.ravel, np.squeeze, np.expand_dims, np.atleast_1d, np.atleast_2d, np.atleast_3d),
    together: (np.cross, np.where, np.absolute, np.conjugate, np.real, np.imag),
    _transform: (np.fft.fft, np.fft.ifft),
    _argument: (np.argmax, np.argmin),
    _one_axis: (np.cumsum, np.sort),
    _two_axes: (np.swapaxes, np.moveaxis),
    _as_it_is(0): (np.copy, np.ndarray.astype, np.round, np.around),
    _as_it_is(1): (np.prod,),
    _as_it_is(2): (
        np.triu, np.tril, la.inv, la.det, linalg.adjugate.key, la.slogdet, la.pinv, la.cholesky, la.eigh, la.eigvalsh, la.eig,
        la.eigvals, decompositions._qr.key, decompositions._svd.key, decompositions.svdvals.key,
    ),
}.items():  # fmt: skip
    BATCHES.update(dict.fromkeys(functions, form))
BATCHES.update(
    {
        la.norm: _norm,
        np.pad: _pad,
        np.take: _take,
        np.argsort: _sorting,
        np.transpose: _transpose,
        np.flip: _flip,
        np.roll: _roll,
        np.broadcast_to: _broadcast_to,
        np.diagonal: _diagonal,
        np.repeat: _repeat,
        np.tile: _tile,
        operator.getitem: _getitem,
        shapes.scatter.key: _scatter,
        np.take_along_axis: _take_along_axis,
        np.concatenate: _concatenate,
        np.matmul: _matmul,
        products.einsum.key: _einsum,
        la.solve: _solve,
        np.searchsorted: _searchsorted,
    }
)
