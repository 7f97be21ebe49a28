"""Reductions and statistics along axes."""

from __future__ import annotations

from typing import Any

from tests.autodiff.cases.arrays import HOLES, MASK, Q, U, V, W

CASES: dict[str, tuple[Any, tuple]] = {
    # reductions
    "sum": (lambda m, x: m.sum(x, axis=1), (W,)),
    "sum axes": (lambda m, x: m.sum(x, axis=(0, -1), keepdims=True), (W,)),
    "sum where": (lambda m, x: m.sum(x, where=MASK, initial=1.0), (U,)),
    "mean": (lambda m, x: m.mean(x, axis=-1), (W,)),
    "mean all": (lambda m, x: m.mean(x), (W,)),
    "average": (lambda m, x, w: m.average(x, axis=1, weights=w), (U, Q)),
    "var": (lambda m, x: m.var(x, axis=1, ddof=1), (W,)),
    "std": (lambda m, x: m.std(x, axis=(0, 2), keepdims=True), (W,)),
    "prod": (lambda m, x: m.prod(x, axis=1), (W,)),
    "prod all": (lambda m, x: m.prod(x), (V,)),
    "prod with zeros": (lambda m, x: m.prod(x * m.asarray([0.0, 1.0, 1.0, 2.0]) * 1.0, axis=1), (U,)),
    "max": (lambda m, x: m.max(x, axis=1), (W,)),
    "min": (lambda m, x: m.min(x, axis=(0, 1), keepdims=True), (W,)),
    "amax": (lambda m, x: m.amax(x), (U,)),
    "amax axis": (lambda m, x: m.amax(x, axis=-1), (U,)),
    "amin": (lambda m, x: m.amin(x, 0), (U,)),
    "ptp": (lambda m, x: m.ptp(x, axis=0), (U,)),
    "median": (lambda m, x: m.median(x, axis=1), (W,)),
    "median even": (lambda m, x: m.median(x, axis=-1, keepdims=True), (W,)),
    "quantile": (lambda m, x: m.quantile(x, m.asarray([0.2, 0.7]), axis=1), (W,)),
    "percentile": (lambda m, x: m.percentile(x, 30.0), (U,)),
    "percentile axis": (lambda m, x: m.percentile(x, 30.0, axis=-1), (U,)),
    "cumsum": (lambda m, x: m.cumsum(x, axis=1), (W,)),
    "cumsum flat": (lambda m, x: m.cumsum(x), (U,)),
    "cumprod": (lambda m, x: m.cumprod(x, axis=-1), (W,)),
    "cumprod zero": (lambda m, x: m.cumprod(x * m.asarray([1.0, 0.0, 2.0, 1.0]), axis=-1), (U,)),
    "diff": (lambda m, x: m.diff(x, n=2, axis=1), (W,)),
    "ediff1d": (lambda m, x: m.ediff1d(x), (V,)),
    "trapezoid": (lambda m, x, y: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, y), (U, V)),
    "nansum": (lambda m, x: m.nansum(m.where(HOLES, m.nan, x), axis=0), (U,)),
    "nanprod": (lambda m, x: m.nanprod(m.where(HOLES, m.nan, x), axis=0), (U,)),
    "nanmean": (lambda m, x: m.nanmean(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nanvar": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nanstd": (lambda m, x: m.nanstd(m.where(HOLES, m.nan, x)), (U,)),
    "nanmax": (lambda m, x: m.nanmax(m.where(HOLES, m.nan, x), axis=-1), (U,)),
    "nanmin": (lambda m, x: m.nanmin(m.where(HOLES, m.nan, x)), (U,)),
    "nanmin axis": (lambda m, x: m.nanmin(m.where(HOLES, m.nan, x), axis=-1), (U,)),
    "nanmedian": (lambda m, x: m.nanmedian(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nanquantile": (lambda m, x: m.nanquantile(m.where(HOLES, m.nan, x), m.asarray([0.2, 0.7]), axis=1), (U,)),
    "nanpercentile": (lambda m, x: m.nanpercentile(m.where(HOLES, m.nan, x), 30.0, axis=0), (U,)),
    "nancumsum": (lambda m, x: m.nancumsum(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nancumprod": (lambda m, x: m.nancumprod(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "cumulative_sum": (lambda m, x: m.cumulative_sum(x, axis=1) * m.cumulative_prod(x, axis=0), (U,)),
}
