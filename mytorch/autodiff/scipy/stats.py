"""scipy.stats with derivatives: densities and distribution functions, with respect to their arguments and parameters.

``from mytorch.autodiff.scipy import stats`` stands for ``from scipy import stats``. What is not defined here is SciPy's. The
values are SciPy's too. A line states how the logarithm of a density moves with z = (x - loc) / scale and with each parameter;
formulas: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions" (1994).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc
import scipy.stats as ss

from mytorch.autodiff.scipy.distributions import Continuous, Discrete, Unknown
from mytorch.autodiff.scipy.gammas import beta_density, falling, ratio
from mytorch.autodiff.scipy.multivariate import dirichlet, multivariate_normal

__all__ = [
    "bernoulli", "beta", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma", "laplace", "logistic", "lognorm",
    "multivariate_normal", "norm", "poisson", "t", "uniform",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    return getattr(ss, name)


A, B, DF, N, S = (Unknown(name) for name in ("a", "b", "df", "n", "s"))


def _student_by_df(z, v):
    u = z * z / v
    return (sc.psi((v + 1) / 2) - sc.psi(v / 2) - 1 / v - np.log1p(u) + (1 + 1 / v) * u / (1 + u)) / 2


# Name: the slope along z; the slopes by the parameters; those of the distribution function, Unknown if nobody has a formula.
norm = Continuous(ss.norm, lambda z: -z, falling=lambda z: falling(sc.log_ndtr(z), z))
t = Continuous(ss.t, lambda z, v: -(1 + 1 / v) * z / (1 + z * z / v), [_student_by_df], [DF])
gamma = Continuous(ss.gamma, lambda z, a: ratio(a - 1, z) - 1, [lambda z, a: np.log(z) - sc.psi(a)], [A])
beta = Continuous(
    ss.beta,
    lambda z, a, b: ratio(a - 1, z) - ratio(b - 1, 1 - z),
    [lambda z, a, b: np.log(z) - sc.psi(a) + sc.psi(a + b), lambda z, a, b: np.log1p(-z) - sc.psi(b) + sc.psi(a + b)],
    [A, B],
)
chi2 = Continuous(
    ss.chi2, lambda z, v: ratio(v / 2 - 1, z) - 0.5, [lambda z, v: (np.log(z / 2) - sc.psi(v / 2)) / 2], [DF]
)
expon = Continuous(ss.expon, lambda z: -1 + 0 * z)
uniform = Continuous(ss.uniform, lambda z: 0 * z)
laplace = Continuous(ss.laplace, lambda z: -np.sign(z))
logistic = Continuous(ss.logistic, lambda z: -np.tanh(z / 2))
cauchy = Continuous(ss.cauchy, lambda z: -2 * z / (1 + z * z))
lognorm = Continuous(
    ss.lognorm,
    lambda z, s: -(1 + np.log(z) / (s * s)) / z,
    [lambda z, s: ((np.log(z) / s) ** 2 - 1) / s],
    [lambda z, s: -np.exp(-((np.log(z) / s) ** 2) / 2) / math.sqrt(2 * math.pi) * np.log(z) / (s * s)],
)

# The slopes of the logarithm of the probabilities by the parameters, and those of the distribution function
poisson = Discrete(
    ss.poisson,
    [lambda k, mu: ratio(k, mu) - 1],
    [lambda k, mu: -np.exp(sc.xlogy(k, mu) - mu - sc.gammaln(k + 1))],
)
binom = Discrete(
    ss.binom,
    [N, lambda k, n, p: ratio(k, p) - ratio(n - k, 1 - p)],
    [N, lambda k, n, p: -beta_density(k + 1, n - k, p)],
)
bernoulli = Discrete(
    ss.bernoulli, [lambda k, p: ratio(k, p) - ratio(1 - k, 1 - p)], [lambda k, p: np.where(k < 1, -1, 0)]
)
