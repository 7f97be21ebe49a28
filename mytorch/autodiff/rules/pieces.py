"""Entries put in, windows, functions applied to each line of an array, and arrays as sets."""

from __future__ import annotations

import math

import numpy as np

from mytorch.autodiff.kinds import composite
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.rules.shapes import astype, laid_out_as, rearrangement
from mytorch.autodiff.traced import Traced, plain

rearrangement(np.lib.stride_tricks.sliding_window_view)
if hasattr(np, "astype"):
    composite(np.astype, lambda x, dtype, /, *, copy=True: astype(x, dtype))


def _array(x):
    return x if isinstance(x, Traced) else np.asarray(x)


def _insert(arr, obj, values, axis=None):
    """Both arrays end to end, and NumPy's own insertion of the numbers of their entries tells the order."""
    arr, values = _array(arr), _array(values)
    n = np.size(plain(arr))
    numbers = (
        np.reshape(np.arange(n), np.shape(arr)),
        np.reshape(n + np.arange(np.size(plain(values))), np.shape(values)),
    )
    order = np.insert(numbers[0], plain(obj), numbers[1], axis)
    whole = np.concatenate([np.ravel(arr), in_dtype(np.ravel(values), plain(arr).dtype)])[order]
    return whole if axis is None else laid_out_as(whole, arr, order="A")


def _apply_along_axis(func1d, axis, arr, *args, **kwargs):
    axis, shape = place(axis, np.ndim(arr)), np.shape(arr)
    rest = [n for i, n in enumerate(shape) if i != axis]
    if 0 in rest:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    lines = np.reshape(np.moveaxis(arr, axis, -1), (math.prod(rest), shape[axis]))
    results = np.stack([_array(func1d(line, *args, **kwargs)) for line in lines])
    inner = np.ndim(results) - 1
    whole = np.reshape(results, (*rest, *np.shape(results)[1:]))
    return np.moveaxis(whole, range(len(rest), len(rest) + inner), range(axis, axis + inner))


def _apply_over_axes(func, a, axes):
    for axis in np.atleast_1d(axes):
        axis = place(axis, max(np.ndim(a), 1))  # a single number has the axes 0 and -1 for a reduction
        result = func(a, axis)
        a = result if np.ndim(result) == np.ndim(a) else np.expand_dims(result, axis)
        if np.ndim(a) != np.ndim(result) and np.ndim(a) != np.ndim(result) + 1:
            raise ValueError("function is not returning an array of the correct shape")
    return a


composite(np.insert, _insert)
composite(np.apply_along_axis, _apply_along_axis)
composite(np.apply_over_axes, _apply_over_axes)


# Sets: each entry of a result is differentiated through the first entry that equals it, as in np.unique
def _intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    found, i, j = np.intersect1d(plain(ar1), plain(ar2), assume_unique, return_indices=True)
    common = in_dtype(np.ravel(ar1)[i], found.dtype)
    return (common, i, j) if return_indices else common


def _setdiff1d(ar1, ar2, assume_unique=False):
    ar1 = np.ravel(ar1) if assume_unique else np.unique(ar1)
    return ar1[np.isin(plain(ar1), plain(ar2), invert=True)]


def _setxor1d(ar1, ar2, assume_unique=False):
    parts = [np.ravel(ar) if assume_unique else np.unique(ar) for ar in (ar1, ar2)]
    both = np.sort(np.concatenate(parts))
    same = plain(both)[1:] == plain(both)[:-1]
    return both[~(np.append(same, False) | np.append(False, same))[: len(both)]]


composite(np.union1d, lambda ar1, ar2: np.unique(np.concatenate([np.ravel(ar1), np.ravel(ar2)])))
composite(np.intersect1d, _intersect1d)
composite(np.setdiff1d, _setdiff1d)
composite(np.setxor1d, _setxor1d)
composite(np.sort_complex, lambda a: astype(np.sort(a), np.sort_complex(plain(a)[..., :0]).dtype))


def _unique(fun):
    """np.unique_all and its relatives, in each of which a NaN is another value than the next one."""

    def unique(x):
        result = fun(plain(x))
        values = result if isinstance(result, np.ndarray) else result.values
        order = np.argsort(np.ravel(plain(x)), kind="stable")
        x = np.ravel(x)[order]
        chosen = x[np.searchsorted(plain(x), values)]
        return chosen if values is result else result._replace(values=chosen)

    return unique


for name in ("unique_values", "unique_counts", "unique_inverse", "unique_all"):
    if hasattr(np, name):
        composite(getattr(np, name), _unique(getattr(np, name)))
