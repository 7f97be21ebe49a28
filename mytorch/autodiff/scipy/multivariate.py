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
    """A distribution of vectors: logpdf for traced arguments by ``density``, pdf by that, all else SciPy's own."""

    def __init__(self, original: Any, name: str, density: Any) -> None:
        self.original, self.name, self.density = original, f"scipy.stats.{name}", density

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        value = self.original.logpdf(plain(x), *plain(args), **plain(kwargs))  # raises what SciPy raises
        if not is_traced((x, args, kwargs)):
            return value
        return np.reshape(self.density(x, *args, **kwargs), np.shape(value))

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        traced = is_traced((x, args, kwargs))
        return np.exp(self.logpdf(x, *args, **kwargs)) if traced else self.original.pdf(x, *args, **kwargs)

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
        if name in ("logpdf", "pdf") or is_traced((self.args, self.kwargs)):
            return lambda x: getattr(distribution, name)(x, *self.args, **self.kwargs)
        return getattr(distribution.original(*self.args, **self.kwargs), name)


def _normal(x, mean=None, cov=1, allow_singular=False):
    """-(n log 2 pi + log det C + |L^-1 (x - mean)|^2) / 2 with C = L L^T; the vectors are the rows of x."""
    if allow_singular:
        raise NotImplementedError(
            "scipy.stats.multivariate_normal with allow_singular=True has no rule of differentiation. Leave it out, and add "
            "something small to the diagonal of cov."
        )
    mean = mean if isinstance(mean, Traced) else np.asarray(0.0 if mean is None else mean, float)
    cov = cov if isinstance(cov, Traced) else np.asarray(cov, float)
    x = x if isinstance(x, Traced) else np.asarray(x, float)
    n = max(np.shape(cov)[-1] if np.ndim(cov) else 1, np.size(mean))
    rows = np.reshape(x, (*np.shape(x)[:-1], n)) if np.ndim(x) and np.shape(x)[-1] == n else np.reshape(x, (-1, n))
    matrix = cov if np.ndim(cov) == 2 else np.eye(n) * cov
    factor = cholesky(whole(matrix, lower=True, hermitian=True), lower=True)
    z = solve_lower(factor, np.reshape(rows - mean, (-1, n)).T)
    log_det = 2 * np.sum(np.log(np.diagonal(factor)))
    return -(n * math.log(2 * math.pi) + log_det + np.sum(z * z, axis=0)) / 2


def _dirichlet(x, alpha):
    """sum of (alpha - 1) log x - log B(alpha): Johnson, Kotz and Balakrishnan, chapter 49. The vectors are the columns of x."""
    alpha = alpha if isinstance(alpha, Traced) else np.asarray(alpha, float)
    x = x if isinstance(x, Traced) else np.asarray(x, float)
    if np.shape(x)[0] != np.shape(alpha)[0]:  # the last entry is what is missing to 1
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    log_beta = np.sum(sc.gammaln(alpha)) - sc.gammaln(np.sum(alpha))
    return np.sum(sc.xlogy((alpha - 1)[(slice(None),) + (np.newaxis,) * (np.ndim(x) - 1)], x), axis=0) - log_beta


multivariate_normal = _Multivariate(ss.multivariate_normal, "multivariate_normal", _normal)
dirichlet = _Multivariate(ss.dirichlet, "dirichlet", _dirichlet)
