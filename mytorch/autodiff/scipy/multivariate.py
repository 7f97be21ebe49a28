"""scipy.stats: the multivariate normal distribution and the Dirichlet distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc
import scipy.stats as ss

from mytorch.autodiff.scipy.distributions import Frozen
from mytorch.autodiff.scipy.factors import cholesky, solve_lower, whole
from mytorch.autodiff.scipy.registering import is_traced, no_derivative
from mytorch.autodiff.traced import Traced, plain


class _Multivariate:
    """A distribution of vectors: for traced arguments logpdf by ``density``, pdf by that, entropy; all else SciPy's own."""

    def __init__(self, original: Any, name: str, density: Any, entropy: Any) -> None:
        self.original, self.name, self.density, self._entropy = original, f"scipy.stats.{name}", density, entropy

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        value = self.original.logpdf(plain(x), *plain(args), **plain(kwargs))  # raises what SciPy raises
        if not is_traced((x, args, kwargs)):
            return value
        density = np.reshape(self.density(x, *args, **kwargs), np.shape(value))
        return np.where(np.isneginf(value), value, density) if np.any(np.isneginf(value)) else density

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        traced = is_traced((x, args, kwargs))
        return np.exp(self.logpdf(x, *args, **kwargs)) if traced else self.original.pdf(x, *args, **kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        return (self._entropy if is_traced((args, kwargs)) else self.original.entropy)(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _Given(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.__dict__["original"], name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            if is_traced((args, kwargs)):
                raise no_derivative(f"{self.name}.{name}", "its arguments")
            return method(*args, **kwargs)

        return call


class _Given(Frozen):
    """A distribution of vectors with given parameters, which may be traced."""

    def __getattr__(self, name: str) -> Any:
        distribution = self.__dict__["distribution"]
        if name in ("logpdf", "pdf", "entropy") or is_traced((self.args, self.kwargs)):
            return lambda *x: getattr(distribution, name)(*x, *self.args, **self.kwargs)
        return getattr(distribution.original(*self.args, **self.kwargs), name)


def _spread(cov, n: int, allow_singular: bool):
    """A function that turns columns of deviations into independent ones of variance 1; the log of C's determinant; its rank.

    Of a singular C both are those of the subspace in which its distribution lies, if it is a constant.
    """
    matrix = cov if np.ndim(cov) == 2 else np.eye(n) * cov
    if allow_singular:
        values, vectors = np.linalg.eigh(plain(matrix))
        kept = values > 1e6 * np.finfo(float).eps * np.max(np.abs(values))  # SciPy's limit
        if not np.all(kept):
            if isinstance(cov, Traced):
                raise NotImplementedError(
                    "scipy.stats.multivariate_normal has no derivative with respect to a cov that is singular. Pass cov as a "
                    "plain array, or add something small to its diagonal."
                )
            values, inverse_root = values[kept], vectors[:, kept] / np.sqrt(values[kept])
            return lambda columns: inverse_root.T @ columns, np.sum(np.log(values)), len(values)
    factor = cholesky(whole(matrix, lower=True, hermitian=True), lower=True)
    return lambda columns: solve_lower(factor, columns), 2 * np.sum(np.log(np.diagonal(factor))), n


def _normal_entropy(mean=None, cov=1):
    """(n (1 + log 2 pi) + log det C) / 2."""
    cov = cov if isinstance(cov, Traced) else np.asarray(cov, float)
    n = np.shape(cov)[-1] if np.ndim(cov) else np.size(0.0 if mean is None else plain(mean))
    _, log_det, rank = _spread(cov, n, allow_singular=True)
    return (rank * (1 + math.log(2 * math.pi)) + log_det) / 2


def _normal(x, mean=None, cov=1, allow_singular=False):
    """-(n log 2 pi + log det C + |L^-1 (x - mean)|^2) / 2 with C = L L^T; the vectors are the rows of x."""
    mean = mean if isinstance(mean, Traced) else np.asarray(0.0 if mean is None else mean, float)
    cov = cov if isinstance(cov, Traced) else np.asarray(cov, float)
    x = x if isinstance(x, Traced) else np.asarray(x, float)
    n = max(np.shape(cov)[-1] if np.ndim(cov) else 1, np.size(mean))
    rows = np.reshape(x, (*np.shape(x)[:-1], n)) if np.ndim(x) and np.shape(x)[-1] == n else np.reshape(x, (-1, n))
    independent, log_det, rank = _spread(cov, n, allow_singular)
    z = independent(np.reshape(rows - mean, (-1, n)).T)
    return -(rank * math.log(2 * math.pi) + log_det + np.sum(z * z, axis=0)) / 2


def _dirichlet(x, alpha):
    """sum of (alpha - 1) log x - log B(alpha): Johnson, Kotz and Balakrishnan, chapter 49. The vectors are the columns of x."""
    alpha = alpha if isinstance(alpha, Traced) else np.asarray(alpha, float)
    x = x if isinstance(x, Traced) else np.asarray(x, float)
    if np.shape(x)[0] != np.shape(alpha)[0]:  # the last entry is what is missing to 1
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    log_beta = np.sum(sc.gammaln(alpha)) - sc.gammaln(np.sum(alpha))
    return np.sum(sc.xlogy((alpha - 1)[(slice(None),) + (np.newaxis,) * (np.ndim(x) - 1)], x), axis=0) - log_beta


def _dirichlet_entropy(alpha):
    """log B(alpha) + (a - n) psi(a) - sum of (alpha - 1) psi(alpha), with a the sum of the n entries of alpha."""
    total, n = np.sum(alpha), np.size(alpha)
    log_beta = np.sum(sc.gammaln(alpha)) - sc.gammaln(total)
    return log_beta + (total - n) * sc.psi(total) - np.sum((alpha - 1) * sc.psi(alpha))


multivariate_normal = _Multivariate(ss.multivariate_normal, "multivariate_normal", _normal, _normal_entropy)
dirichlet = _Multivariate(ss.dirichlet, "dirichlet", _dirichlet, _dirichlet_entropy)
