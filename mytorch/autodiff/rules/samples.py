"""Samples: slopes between them (np.gradient), covariances, correlations and histograms."""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import composite
from mytorch.autodiff.rules.axes import places
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.rules.shapes import laid_out_as, scatter
from mytorch.autodiff.traced import Traced, plain


# np.gradient: the parabola through three neighbours inside; at the two ends a line, or with edge_order=2 the parabola there
def _gradient(f, *varargs, axis=None, edge_order=1):
    f = f if isinstance(f, Traced) else np.asarray(f)
    wanted = np.gradient(plain(f), *plain(varargs), axis=plain(axis), edge_order=edge_order)  # raises what NumPy raises
    axes = places(axis, np.ndim(f))
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    values = wanted if isinstance(wanted, (tuple, list)) else [wanted]
    slopes = [in_dtype(_slope(f, h, i, edge_order), v.dtype) for i, h, v in zip(axes, spacings, values)]
    return type(wanted)(slopes) if isinstance(wanted, (tuple, list)) else slopes[0]


def _slope(f, spacing, axis: int, edge_order: int):
    whole, f = f, np.moveaxis(f, axis, 0)
    shape = (-1,) + (1,) * (np.ndim(f) - 1)
    if np.ndim(spacing) == 0:
        steps = np.broadcast_to(spacing, (len(f) - 1,))
        inside = (f[2:] - f[:-2]) / (2.0 * spacing)
    else:
        steps = np.diff(spacing)
        before, after = np.reshape(steps[:-1], shape), np.reshape(steps[1:], shape)
        rising, falling = (f[2:] - f[1:-1]) / after, (f[1:-1] - f[:-2]) / before
        inside = (before * rising + after * falling) / (before + after)
    first, last = (f[1:2] - f[:1]) / steps[0], (f[-1:] - f[-2:-1]) / steps[-1]
    if edge_order == 2:
        first = _at_the_end(first, (f[2:3] - f[1:2]) / steps[1], steps[0], steps[1])
        last = _at_the_end(last, (f[-2:-1] - f[-3:-2]) / steps[-2], steps[-1], steps[-2])
    return laid_out_as(np.moveaxis(np.concatenate([first, inside, last], axis=0), 0, axis), whole)


def _at_the_end(near, next_one, h, next_h):
    """The parabola's slope in its outer point, from the slopes of the two chords."""
    return near + (near - next_one) * h / (h + next_h)


composite(np.gradient, _gradient)


# Covariances: rows are variables, columns are observations
def _rows(m, rowvar: bool, dtype):
    m = np.atleast_2d(m if isinstance(m, Traced) else np.asarray(m))
    return in_dtype(m if rowvar or np.shape(m)[0] == 1 else m.T, dtype)


def _cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    settings = {"rowvar": rowvar, "bias": bias, "ddof": ddof, "fweights": fweights, "aweights": plain(aweights)}
    value = np.cov(plain(m), plain(y), **settings, dtype=dtype)  # raises what NumPy raises
    if not value.size:
        return value
    x = _rows(m, rowvar, value.dtype)
    x = x if y is None else np.concatenate([x, _rows(y, rowvar, value.dtype)], axis=0)
    n = np.shape(x)[-1]
    counts = np.ones(n) if fweights is None else np.asarray(plain(fweights), float)
    weights = counts if aweights is None else counts * aweights
    total = np.sum(weights)
    deviations = x - np.sum(x * weights, axis=1, keepdims=True) / total
    ddof = (0 if bias else 1) if ddof is None else ddof
    lost = ddof if aweights is None else ddof * np.sum(weights * aweights) / total
    degrees = np.maximum(total - lost, 0)
    return np.reshape(in_dtype(deviations * weights @ np.conj(deviations.T) / degrees, value.dtype), value.shape)


def _corrcoef(x, y=None, rowvar=True, *, dtype=None):
    c = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviations = np.sqrt(np.real(np.diagonal(c)))
    return _at_most_one(c / deviations[:, np.newaxis] / deviations)


def _at_most_one(c):
    """Numbers that rounding has made larger than 1 are 1: a constant."""
    if plain(c).dtype.kind == "c":
        return _at_most_one(np.real(c)) + 1j * _at_most_one(np.imag(c))
    return np.where(np.abs(plain(c)) > 1, np.sign(plain(c)), c)


composite(np.cov, _cov)
composite(np.corrcoef, _corrcoef)


# Histograms, as functions of the weights: an entry that crosses an edge is a jump
def _histogram(a, bins=10, range=None, density=None, weights=None):
    if isinstance(a, Traced) or not isinstance(weights, Traced):
        raise NotImplementedError(
            "np.histogram has a derivative with respect to weights alone: a count jumps where an entry crosses an edge. Pass a "
            "and bins as plain arrays, or sum smooth steps such as 1 / (1 + np.exp(-(x - edge) / width))."
        )
    zeros = np.zeros(np.shape(weights), plain(weights).dtype)
    value, edges = np.histogram(a, plain(bins), range, weights=zeros)  # raises what NumPy raises
    a, n = np.ravel(a), len(edges) - 1
    inside = np.flatnonzero((a >= edges[0]) & (a <= edges[-1]))
    bin_of = np.minimum(np.searchsorted(edges, a[inside], side="right") - 1, n - 1)
    counts = in_dtype(scatter(np.ravel(weights)[inside], (bin_of,), (n,)), value.dtype)
    return (counts / np.diff(edges) / np.sum(counts) if density else counts), edges


composite(np.histogram, _histogram)
