"""Sums, means, products, extremes and differences, along axes."""

from __future__ import annotations

import math

import numpy as np

from mytorch.autodiff.aliases import Settings
from mytorch.autodiff.kinds import composite, explicit, linear
from mytorch.autodiff.rules.axes import place, places
from mytorch.autodiff.signatures import like_signature
from mytorch.autodiff.traced import TABLE, Traced, plain


# Sums and means
def _sum_vjp(g, y, x, axis=None, keepdims: bool = False, **_):
    """g again for every entry that was summed: a view, so that along a chain no array of equal entries is made."""
    if axis is None and type(g) is np.ndarray and g.ndim == 0:  # as np.broadcast_to does it, quicker
        view = np.ndarray(x.shape, g.dtype, g, 0, (0,) * x.ndim)
        view.flags.writeable = False
        return view
    return np.broadcast_to(g if axis is None or keepdims else np.expand_dims(g, axis), x.shape)


_sum = linear(
    np.sum,
    _sum_vjp,
    call=lambda x, axis=None, keepdims=False, dtype=None: x.sum(axis=axis, keepdims=keepdims, dtype=dtype),
)
_mean = linear(
    np.mean,
    lambda g, y, x, **settings: _sum_vjp(in_dtype(g / np.float64(x.size / max(y.size, 1)), g.dtype), y, x, **settings),
    call=lambda x, axis=None, keepdims=False, dtype=None: x.mean(axis=axis, keepdims=keepdims, dtype=dtype),
)


ONE = np.ones(1)


def no_value(value) -> bool:
    return value is None or value is np._NoValue


def settings_of(axis, keepdims, dtype=None) -> Settings:
    """axis, keepdims and, if it was given, dtype, as the rules take them."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    if keepdims is not True and keepdims is not False:
        keepdims = (
            not no_value(keepdims) and np.ndim(np.sum(ONE, axis=0, keepdims=keepdims)) == 1
        )  # raises what NumPy raises
    settings = {"axis": axis, "keepdims": keepdims}
    return settings if dtype is None else {**settings, "dtype": dtype}


def masked(x, where, neutral):
    return x if no_value(where) or where is True else np.where(where, x, neutral)


def in_dtype(x, dtype):
    """x in a dtype. NumPy 1.x makes a double of a scalar in single precision and a Python number; the rules do not."""
    return x if x.dtype == dtype else x.astype(dtype)


def squares(x):
    """|x|**2, without the root that the absolute value of a complex number takes."""
    return np.square(np.real(x)) + np.square(np.imag(x)) if plain(x).dtype.kind == "c" else np.square(x)


def _reduction(fun, rule, neutral: float, join) -> None:
    """Register np.sum or np.prod: entries outside of where= become neutral, and initial= joins at the end."""

    def reduction(a, axis=None, dtype=None, keepdims=False, initial=None, where=None):
        result = rule(masked(a, where, neutral), **settings_of(axis, keepdims, dtype))
        return result if no_value(initial) else in_dtype(join(result, initial), result.dtype)

    composite(fun, reduction)


def mean(a, axis=None, dtype=None, keepdims=False, *, where=None):
    """np.mean."""
    settings = settings_of(axis, keepdims, dtype)
    if no_value(where):
        return _mean(a, **settings)
    counts = np.broadcast_to(plain(where), np.shape(a)).sum(axis=settings["axis"], keepdims=settings["keepdims"])
    total = np.sum(wide(masked(a, where, 0), dtype), **settings)
    return in_dtype(total / counts, plain(a).dtype if dtype is None else dtype)


def wide(x, dtype=None):
    """x in single precision if it is in half precision, in which NumPy's means and variances do not add up their entries."""
    return x.astype(np.float32) if dtype is None and x.dtype == np.float16 else x


_reduction(np.sum, _sum, 0, np.add)
composite(np.mean, mean)


# Products. Where a division would lose digits, or meet a zero, the others' product is computed from its factors alone.
def _scan(x, axis: int):
    """All products of the first entries, by doubling: after step k each entry holds a product of 2**k (Hillis, Steele 1986)."""
    if not issubclass(type(x), Traced):
        return np.cumprod(x, axis)
    y, shift = np.moveaxis(x, axis, 0), 1
    while shift < y.shape[0]:
        y = np.concatenate([y[:shift], y[shift:] * y[:-shift]], axis=0)
        shift *= 2
    return np.moveaxis(y, 0, axis)


def others(x):
    """Along the last axis, the product of all the other entries: of those before times those after."""
    if x.shape[-1] == 0:
        return x
    one = np.ones(x.shape[:-1] + (1,), x.dtype)
    before = np.concatenate([one, x[..., :-1]], axis=-1)
    after = np.concatenate([one, x[..., :0:-1]], axis=-1)
    return _scan(before, -1) * np.flip(_scan(after, -1), -1)


def _others(y, x):
    """The products of all other entries, given that of all.

    Products of 0, inf or NaN, or near them, are not divided; nor is anything that is differentiated once more, because the
    slope of y / x by x is a difference of large numbers where x is small.
    """
    size = np.abs(plain(y))
    if not isinstance(x, Traced) and np.all((size > np.finfo(size.dtype).tiny) & (size < np.inf)):
        return np.expand_dims(y, -1) / x
    return others(x)


_prod = explicit(
    np.prod,
    [lambda g, y, x: np.expand_dims(g, -1) * _others(y, x)],
    [lambda t, y, x: np.sum(t * _others(y, x), axis=-1)],
    call=lambda x: np.prod(x, axis=-1),
)


def _product(x, axis=None, keepdims: bool = False, dtype=None):
    product = _prod(axes_last(x if dtype is None else x.astype(dtype), axis))
    return keep(product, x, axis, keepdims)


def axes_last(a, axis):
    """The axes of a reduction as one axis, the last."""
    if axis is None:
        return np.ravel(a)
    axes = list(places(axis, np.ndim(a)))
    rest = [i for i in range(np.ndim(a)) if i not in axes]
    moved = np.transpose(a, rest + axes) if rest + axes != list(range(np.ndim(a))) else a
    return (
        moved
        if len(axes) == 1
        else np.reshape(moved, [np.shape(a)[i] for i in rest] + [math.prod(np.shape(a)[i] for i in axes)])
    )


def keep(result, a, axis=None, keepdims: bool = False, **_):
    if not keepdims:
        return result
    axes = places(axis, np.ndim(a))
    return np.reshape(result, [1 if i in axes else n for i, n in enumerate(np.shape(a))])


def _cumulative(fun, step):
    def cumulative(a, axis=None, dtype=None):
        a = a if dtype is None else a.astype(dtype)
        return step(np.ravel(a), 0) if axis is None else step(a, axis)

    return composite(fun, cumulative)


_cumsum = linear(np.cumsum, lambda g, y, x, axis: np.flip(np.cumsum(np.flip(g, axis), axis), axis))
_cumulative(np.cumsum, lambda a, axis: _cumsum(a, axis))
_cumulative(np.cumprod, _scan)
_reduction(np.prod, _product, 1, np.multiply)


# Extremes. Entries that tie for the maximum share its gradient equally, as in JAX.
def _weights(y, x, axis, keepdims: bool):
    x, y = plain(x), plain(y)
    chosen = x == (y if keepdims or axis is None else np.expand_dims(y, axis))
    return chosen / np.maximum(chosen.sum(axis=axis, keepdims=True), 1).astype(x.dtype)


def _extreme_vjp(g, y, x, axis=None, keepdims: bool = False):
    return (g if keepdims or axis is None else np.expand_dims(g, axis)) * _weights(y, x, axis, keepdims)


def _extreme_jvp(t, y, x, axis=None, keepdims: bool = False):
    return np.sum(t * _weights(y, x, axis, keepdims), axis=axis, keepdims=keepdims)


def _extreme(fun, neutral: float, pair):
    rule = explicit(fun, [_extreme_vjp], [_extreme_jvp])

    def extreme(a, axis=None, keepdims=False, initial=None, where=None):
        settings = settings_of(axis, keepdims)
        if not np.size(plain(a)) and not no_value(initial):  # the largest of nothing but initial
            return in_dtype(np.broadcast_to(initial, fun(plain(a), initial=0, **settings).shape), a.dtype)
        result = rule(masked(a, where, neutral), **settings)
        return result if no_value(initial) else in_dtype(pair(result, initial), result.dtype)

    return composite(fun, extreme)


_extreme(np.max, -math.inf, np.maximum)
_extreme(np.min, math.inf, np.minimum)


for old, new in ((np.amax, np.max), (np.amin, np.min)):
    if old is not new:  # in NumPy 1.x they are functions of their own
        composite(old, TABLE[new])


def _cumulative_along(scan, neutral: float):
    """np.cumulative_sum and np.cumulative_prod: as np.cumsum and np.cumprod along an axis that only a 1-d array may omit."""

    def cumulative(x, /, *, axis=None, dtype=None, include_initial=False):
        if axis is None and np.ndim(x) > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        y = scan(x, axis, dtype)
        if not include_initial:
            return y
        first = [1 if i == place(axis or 0, y.ndim) else n for i, n in enumerate(y.shape)]
        return np.concatenate([np.full(first, neutral, y.dtype), y], axis=axis or 0)

    return cumulative


if hasattr(np, "cumulative_sum"):
    composite(np.cumulative_sum, _cumulative_along(np.cumsum, 0))
    composite(np.cumulative_prod, _cumulative_along(np.cumprod, 1))


# NaN aside: reductions over the other entries
def _nan_as(fun, neutral: float):
    def reduction(a, *args, **kwargs):
        return TABLE[fun](np.where(np.isnan(plain(a)), neutral, a), *args, **kwargs)

    return like_signature(reduction, TABLE[fun])


def _nan_extreme(fun, neutral: float):
    """The largest or smallest of the numbers; NaN where there is none."""

    def extreme(a, axis=None, keepdims=False, initial=None, where=None):
        holes = np.isnan(plain(a))
        result = fun(np.where(holes, neutral, a), axis=axis, keepdims=keepdims, initial=initial, where=where)
        settings = settings_of(axis, keepdims)
        none = masked(holes, where, True).all(**settings) if no_value(initial) and holes.any() else False
        return np.where(none, np.asarray(np.nan, result.dtype), result) if np.any(none) else result

    return extreme


composite(np.nansum, _nan_as(np.sum, 0))
composite(np.nanprod, _nan_as(np.prod, 1))
composite(np.nanmax, _nan_extreme(np.max, -math.inf))
composite(np.nanmin, _nan_extreme(np.min, math.inf))
composite(np.nancumsum, _nan_as(np.cumsum, 0))
composite(np.nancumprod, _nan_as(np.cumprod, 1))


# Differences
def _diff(a, n: int = 1, axis: int = -1, prepend=None, append=None):
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    axis = place(axis, np.ndim(a))
    ends = []
    for end in (prepend, append):
        shape = [1 if i == axis else k for i, k in enumerate(np.shape(a))]
        ends.append([] if no_value(end) else [np.broadcast_to(end, shape) if np.ndim(end) == 0 else end])
    if ends[0] or ends[1]:
        a = np.concatenate([*ends[0], a, *ends[1]], axis=axis)
    before = (slice(None),) * axis
    for _ in range(n):
        a = a[before + (slice(1, None),)] - a[before + (slice(None, -1),)]
    return a


composite(np.diff, _diff)
composite(np.ediff1d, lambda ary, to_end=None, to_begin=None: _ediff1d(np.diff(np.ravel(ary)), to_end, to_begin))


def _ediff1d(difference, to_end, to_begin):
    ends = [[] if end is None else [np.ravel(end).astype(difference.dtype)] for end in (to_begin, to_end)]
    return np.concatenate([*ends[0], difference, *ends[1]])


def _trapezoid(y, x=None, dx=1.0, axis: int = -1):
    width = dx if x is None else np.diff(x) if np.ndim(x) == 1 else np.moveaxis(np.diff(x, axis=axis), axis, -1)
    y = np.moveaxis(y, axis, -1)
    return np.sum(width * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)


composite(getattr(np, "trapezoid" if hasattr(np, "trapezoid") else "trapz"), _trapezoid)
