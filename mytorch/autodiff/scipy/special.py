"""scipy.special with derivatives: its ufuncs work as they are once this is imported, its other functions are defined here.

``from mytorch.autodiff.scipy import special`` stands for ``from scipy import special``. What is not defined here is SciPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sc

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.scipy import bessels, gammas, others
from mytorch.autodiff.scipy.registering import Unknown, differentiable, no_derivative, opaque, opaque_elementwise
from mytorch.autodiff.traced import Traced, plain

N = Unknown("n")


def __getattr__(name: str) -> Any:
    return getattr(sc, name)


# Sums of exponentials. The tangent of log sum b exp(a) is the mean of a's tangent with the weights b exp(a - y).
def _weights(y, a, b, axis, keepdims):
    y = y if keepdims or axis == () else np.expand_dims(y, _axes(a, axis))
    same = plain(a) == plain(y)  # also two infinities of one sign, whose difference is NaN
    share = np.exp(np.where(same, 0, a - np.where(same, 0, y)))
    return np.where(np.isneginf(np.real(plain(a))), 0, share) if plain(a).dtype.kind == "f" else share


def _axes(a, axis) -> tuple:
    return tuple(range(np.ndim(a))) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def _logsumexp_jvp(i: int, t, y, a, b, axis, keepdims):
    weights = _weights(y, a, b, axis, keepdims) * t
    return np.sum(weights * b if i == 0 else weights, axis=_axes(a, axis), keepdims=keepdims)


_logsumexp = opaque(
    lambda a, b, axis, keepdims: sc.logsumexp(a, axis, b, keepdims), jvps=_logsumexp_jvp, name="scipy.special.logsumexp"
)


@differentiable(sc.logsumexp)
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """With return_sign, log |S| and the sign of S = sum b exp(a) are those of the sum with the sign taken into b."""
    a, b = (x if isinstance(x, Traced) else np.asarray(x) for x in (a, 1.0 if b is None else b))
    if np.shape(a) != np.broadcast_shapes(np.shape(a), np.shape(b)):
        a = np.broadcast_to(a, np.broadcast_shapes(np.shape(a), np.shape(b)))
    if not np.ndim(a):
        a, axis = a[np.newaxis], None
    a, b = (a if a.dtype.kind in "fc" else a.astype(float)), b.astype(np.result_type(plain(a), plain(b), np.float16))
    if not return_sign:
        return _logsumexp(a, b.astype(a.dtype) if b.dtype.kind == "f" else b, axis=axis, keepdims=bool(keepdims))
    if plain(a).dtype.kind == "c" or plain(b).dtype.kind == "c":
        raise no_derivative("scipy.special.logsumexp", "complex numbers with return_sign=True")
    sign = sc.logsumexp(plain(a), axis, plain(b), True, True)[1]
    value = _logsumexp(a, b.astype(a.dtype) * sign, axis=axis, keepdims=bool(keepdims))
    return value, sign if keepdims else np.squeeze(sign, _axes(a, axis))


softmax = opaque(sc.softmax, jvps=[lambda t, y, x, axis=None: y * (t - np.sum(y * t, axis=axis, keepdims=True))])
log_softmax = opaque(
    sc.log_softmax, jvps=[lambda t, y, x, axis=None: t - np.sum(np.exp(y) * t, axis=axis, keepdims=True)]
)

# Polygamma functions: DLMF 5.15; the multivariate gamma function: 35.3.4
polygamma: Function = opaque_elementwise(sc.polygamma, N, lambda y, n, x: polygamma(n + 1, x))
multigammaln = opaque_elementwise(
    sc.multigammaln, lambda y, a, d: sum(sc.psi(a - j / 2) for j in range(int(d))), Unknown("d")
)


@differentiable(sc.comb)
def comb(N, k):
    return _within(N, k, sc.binom(N, k))


@differentiable(sc.perm)
def perm(N, k):
    return _within(N, k, sc.poch(N - k + 1, k))


@differentiable(sc.factorial)
def factorial(n):
    return np.where(plain(n) < 0, 0, sc.gamma(np.where(plain(n) < 0, 0, n) + 1))


def _within(n, k, value):
    n, k = plain(n), plain(k)
    return np.where((k <= n) & (n >= 0) & (k >= 0), value, 0)


# Spherical Bessel functions: DLMF 10.51.2, 10.51.5
def _spherical(original, sign: int, below: int):
    def slope(n, z):
        lower, upper = (function(np.maximum(plain(n) - 1, 0), z), function(plain(n) + 1, z))
        return (below * n * lower + sign * (n + 1) * upper) / (2 * n + 1)

    rule = opaque_elementwise(original, N, lambda y, n, z: slope(n, z))

    @differentiable(original)
    def function(n, z, derivative=False):
        return slope(n, z) if derivative and not isinstance(n, Traced) else rule(n, z)

    return function


spherical_jn = _spherical(sc.spherical_jn, -1, 1)
spherical_yn = _spherical(sc.spherical_yn, -1, 1)
spherical_in = _spherical(sc.spherical_in, 1, 1)
spherical_kn = _spherical(sc.spherical_kn, -1, -1)

RULES = (bessels, gammas, others)
