"""Variances, averages, medians and quantiles, with NaN and aside from it."""

from __future__ import annotations

from functools import partial

import numpy as np

from mytorch.autodiff.kinds import composite
from mytorch.autodiff.rules.axes import places
from mytorch.autodiff.rules.reductions import axes_last, in_dtype, keep, masked, no_value, settings_of, squares
from mytorch.autodiff.rules.shapes import laid_out_as
from mytorch.autodiff.signatures import like_signature
from mytorch.autodiff.traced import plain


def var(
    a, axis=None, dtype=None, ddof: float = 0, keepdims=False, *,
    where=None, mean=None, correction=None,
):  # fmt: skip
    """np.var: the sum of |x - mean|**2 over n - ddof."""
    settings = settings_of(axis, keepdims, dtype)
    axis, ddof = settings["axis"], ddof if no_value(correction) else correction
    if no_value(mean):
        mean = np.mean(a, axis, keepdims=True, where=where)
    total = np.sum(squares(masked(a - mean, where, 0)), **settings)
    if no_value(where):
        count = np.size(a) // max(np.size(total), 1)
    else:
        count = np.sum(np.broadcast_to(plain(where), np.shape(a)), axis=axis, keepdims=settings["keepdims"])
    return in_dtype(total / np.maximum(count - ddof, 0), total.dtype)


def nanmean(a, axis=None, dtype=None, keepdims=False, *, where=None):
    """np.nanmean: the sum of the entries that are numbers over their count."""
    a, settings = masked(a, where, np.nan), settings_of(axis, keepdims, dtype)
    total = np.nansum(a, **settings)
    return in_dtype(total / np.sum(~np.isnan(plain(a)), settings["axis"], keepdims=settings["keepdims"]), total.dtype)


def nanvar(
    a, axis=None, dtype=None, ddof: float = 0, keepdims=False, *,
    where=None, mean=None, correction=None,
):  # fmt: skip
    """np.nanvar; NaN where no degree of freedom is left."""
    a, settings = masked(a, where, np.nan), settings_of(axis, keepdims, dtype)
    hole = np.isnan(plain(a))
    about = nanmean(a, settings["axis"], keepdims=True) if no_value(mean) else mean
    total = np.sum(squares(np.where(hole, 0, a - about)), **settings)
    degrees = np.sum(~hole, settings["axis"], keepdims=settings["keepdims"])
    degrees = degrees - (ddof if no_value(correction) else correction)
    return in_dtype(total / np.where(degrees > 0, degrees, np.nan), total.dtype)


def _average(a, axis=None, weights=None, returned: bool = False, *, keepdims=False):
    settings = settings_of(axis, keepdims)
    if weights is None:
        average = np.mean(a, **settings)
        total = np.full(average.shape, np.size(plain(a)) / max(average.size, 1), average.dtype)
        return (average, total) if returned else average
    if np.shape(weights) != np.shape(a):
        axes = places(axis, np.ndim(a))
        weights = np.transpose(weights, np.argsort(axes))
        weights = np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(np.shape(a))])
        weights = np.broadcast_to(weights, np.shape(a))
    total = np.sum(weights, **settings)
    average = np.sum(a * weights, **settings) / total
    return (average, total) if returned else average


def _deviation(variance):
    """The root of a variance. That of a single entry is 0 wherever the entry lies, so its slope is 0 and no root's."""

    def deviation(a, *args, **kwargs):
        result = variance(a, *args, **kwargs)
        return np.sqrt(result) if result.size < np.size(a) else result

    return like_signature(deviation, variance)


composite(np.var, var)
composite(np.std, _deviation(var))
composite(np.average, _average)
composite(np.nanmean, nanmean)
composite(np.nanvar, nanvar)
composite(np.nanstd, _deviation(nanvar))


# Medians and quantiles: one or two of the sorted entries
def _median(a, axis=None, *, overwrite_input=False, keepdims=False, skip: bool = False):
    """The mean of the middle two. NaN is sorted to the end; skip: count the entries before it."""
    settings = settings_of(axis, keepdims)
    axis = settings["axis"]
    flat = np.sort(axes_last(a, axis), axis=-1)
    holes = np.isnan(plain(flat))
    n = flat.shape[-1]
    count = n - np.sum(holes, axis=-1, keepdims=True) if skip else np.full(flat.shape[:-1] + (1,), n)
    if n == 0:
        return keep(np.sum(flat, axis=-1) + np.nan, a, **settings)
    pair = [np.take_along_axis(flat, place, -1)[..., 0] for place in (np.maximum(count - 1, 0) // 2, count // 2 % n)]
    middle = in_dtype(pair[0] / 2 + pair[1] / 2, flat.dtype)
    hole = holes.all(axis=-1) if skip else holes[..., -1]
    middle = np.where(hole, np.asarray(np.nan, flat.dtype), middle) if np.any(hole) else middle
    if axis is not None and not isinstance(axis, tuple):
        middle = laid_out_as(middle, np.moveaxis(plain(a), axis, 0)[0])
    return keep(middle, a, **settings)


# How far the place among n sorted entries moves with q, less n; for the methods of Hyndman and Fan (1996) that interpolate.
STEEPNESS = {
    "interpolated_inverted_cdf": 0, "hazen": 0, "weibull": 1, "linear": -1, "median_unbiased": 1 / 3, "normal_unbiased": 1 / 4,
}  # fmt: skip


def _quantile(
    a, q, axis=None, *, overwrite_input=False, method: str = "linear",
    keepdims=False, interpolation=None, fun=np.quantile,
):  # fmt: skip
    """Every method reads the sorted entries at a place between two of them. NumPy's quantile of 0, 1, ... is that place."""
    settings, method = settings_of(axis, keepdims), interpolation or method
    if not np.size(plain(a)) and fun is np.nanquantile:  # NumPy forgets q's shape here
        return nanmean(a, **settings)
    flat = np.sort(axes_last(a, settings["axis"]), axis=-1)
    n, known = flat.shape[-1], np.asarray(plain(q))
    ranks = np.where(np.isnan(plain(flat)), np.nan, np.arange(n))
    place = np.moveaxis(
        np.reshape(fun(ranks, known.ravel(), axis=-1, method=method), (known.size, *flat.shape[:-1])), 0, -1
    )
    low = np.clip(np.nan_to_num(np.floor(place)).astype(int), 0, max(n - 2, 0))
    share = place - low
    if known is not q and method in STEEPNESS:
        moves = (place > 0) & (place < n - 1) | (method == "linear")
        share = share + moves * (n + STEEPNESS[method]) * np.ravel(q - known)
    dtype = fun(np.zeros(1, flat.dtype), plain(q), method=method).dtype
    below, above = (np.take_along_axis(flat, i, -1) for i in (low, np.minimum(low + 1, n - 1)))
    mixed = np.moveaxis(in_dtype(below + (above - below) * share, dtype), -1, 0)
    kept = np.shape(keep(np.empty(flat.shape[:-1]), a, **settings))
    return np.reshape(mixed, known.shape + kept)


def _percentile(quantile):
    def percentile(a, q, *args, **kwargs):
        return quantile(a, np.true_divide(q, 100) if isinstance(q, (list, tuple)) else q / 100, *args, **kwargs)

    return like_signature(percentile, quantile)


composite(np.median, _median)
composite(np.nanmedian, partial(_median, skip=True))
composite(np.quantile, _quantile)
composite(np.nanquantile, partial(_quantile, fun=np.nanquantile))
composite(np.percentile, _percentile(_quantile))
composite(np.nanpercentile, _percentile(partial(_quantile, fun=np.nanquantile)))
composite(
    np.ptp,
    lambda a, axis=None, *, keepdims=False: np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims),
)
