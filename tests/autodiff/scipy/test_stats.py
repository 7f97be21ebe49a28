"""scipy.stats: every method with a rule by every parameter, SciPy's own values, edges, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

ss = pytest.importorskip("scipy.stats")

from mytorch.autodiff import check_grads, grad, vjp  # noqa: E402
from mytorch.autodiff.scipy import stats  # noqa: E402
from tests.autodiff.scipy.numerics import agrees  # noqa: E402

X = np.array([0.3, 0.6, 0.75])
CONTINUOUS: dict[str, list[float]] = {
    "norm": [], "t": [3.5], "gamma": [2.2], "beta": [1.7, 2.5], "chi2": [3.3], "expon": [], "uniform": [], "laplace": [],
    "logistic": [], "cauchy": [], "lognorm": [0.7],
}  # fmt: skip
TOTALS = ["cdf", "sf", "logcdf", "logsf"]
UNKNOWN = {"t": "df", "gamma": "a", "beta": "a", "chi2": "df"}  # in which nobody has the derivative of these


@pytest.mark.parametrize("method", ["logpdf", "pdf", *TOTALS])
@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.slow
def test_continuous(name: str, method: str) -> None:
    shapes, f = CONTINUOUS[name], getattr(getattr(stats, name), method)
    original = getattr(getattr(ss, name), method)
    np.testing.assert_array_equal(vjp(lambda x: f(x, *shapes), X)[0], original(X, *shapes))
    agrees(lambda x: getattr(getattr(stats, name)(*shapes, scale=1.4), method)(x), X)
    if method in TOTALS and name in UNKNOWN:
        agrees(lambda x, loc, scale: f(x, *shapes, loc=loc, scale=scale), X, -0.2, 1.4)
        with pytest.raises(NotImplementedError, match=rf"scipy\.stats\.{name}\.{method} .* respect to {UNKNOWN[name]}"):
            grad(lambda s: f(0.3, s, *shapes[1:]))(shapes[0])
    else:
        agrees(f, X, *shapes, -0.2, 1.4)


@pytest.mark.parametrize("method", ["logpmf", "pmf", *TOTALS])
def test_discrete(method: str) -> None:
    k = np.array([1, 2, 4])
    agrees(lambda mu: getattr(stats.poisson, method)(k, mu), 1.7)
    agrees(lambda mu: getattr(stats.poisson, method)(k, mu, 1), 1.7)
    agrees(lambda p: getattr(stats.binom, method)(k, 5, p), 0.3)
    agrees(lambda p: getattr(stats.binom(5, p, loc=-1), method)(k[:2]), 0.3)
    agrees(lambda p: getattr(stats.bernoulli, method)(0, p), 0.3)
    with pytest.raises(NotImplementedError, match=rf"scipy\.stats\.poisson\.{method} .* respect to k"):
        grad(lambda x: getattr(stats.poisson, method)(x, 2.0))(1.0)
    with pytest.raises(NotImplementedError, match=rf"scipy\.stats\.binom\.{method} .* respect to n"):
        grad(lambda n: getattr(stats.binom, method)(1, n, 0.3))(3.0)


def test_edges_of_the_support() -> None:
    """The logarithm of a density of 0 does not move; an impossible parameter gives NaN everywhere, as in SciPy."""
    for f in (stats.expon.logpdf, stats.expon.pdf, stats.expon.cdf, stats.expon.logcdf, stats.uniform.logpdf):
        assert grad(f)(-1.0) == 0
    assert grad(lambda a: stats.gamma.logpdf(-1.0, a))(2.0) == 0
    assert grad(lambda x: stats.beta.logpdf(x, 1.0, 3.0))(0.0) == -2
    assert grad(lambda mu: stats.poisson.logpmf(0, mu))(2.0) == -1
    assert grad(lambda mu: stats.poisson.pmf(0.5, mu))(2.0) == 0
    assert grad(lambda p: stats.binom.cdf(5, 5, p))(0.3) == grad(lambda p: stats.binom.cdf(-1, 5, p))(0.3) == 0
    assert np.isnan(grad(lambda s: stats.norm.logpdf(0.3, 0, s))(-1.0))
    assert grad(stats.norm.logcdf)(-1e4) == pytest.approx(1e4 + 1e-4, rel=1e-15)
    assert grad(stats.norm.logsf)(1e4) == pytest.approx(-1e4 - 1e-4, rel=1e-15)
    assert grad(lambda v: stats.t.logpdf(0.3, v))(1e8) == pytest.approx(0, abs=1e-8)


G = np.random.default_rng(0)
MEAN, COV = G.standard_normal(3), (lambda a: a @ a.T + np.eye(3))(G.standard_normal((3, 3)))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3)])
def test_multivariate_normal(shape: tuple) -> None:
    x = G.standard_normal(shape)
    agrees(lambda x, m, c: stats.multivariate_normal.logpdf(x, m, (c + c.T) / 2), x, MEAN, COV)
    agrees(lambda x, m, c: stats.multivariate_normal(m, (c + c.T) / 2).pdf(x), x, MEAN, COV)
    agrees(lambda x, m, c: stats.multivariate_normal.logpdf(x, m, cov=c), x, MEAN, MEAN**2)
    agrees(lambda x, m, c: stats.multivariate_normal.logpdf(x, m, c * np.eye(3)), x, MEAN, 2.0)


def test_multivariate_normal_in_one_dimension() -> None:
    agrees(lambda x, c: stats.multivariate_normal.logpdf(x, cov=c), X, 2.0)
    agrees(lambda x, c: stats.multivariate_normal.logpdf(x, 1.0, cov=c), 0.3, 2.0)


def test_singular_covariances() -> None:
    """The distribution lies in a plane; the derivative is that of moves within it, and -inf stays beside it."""
    basis = np.array([[1.0, 0.0], [1.0, 2.0], [0.0, -1.0]])
    cov = basis @ basis.T
    normal = lambda x, m: stats.multivariate_normal.logpdf(basis @ x, basis @ m, cov, allow_singular=True)  # noqa: E731
    agrees(normal, X[:2], MEAN[:2])
    agrees(lambda x: np.exp(normal(x, MEAN[:2])), X[:2])
    assert vjp(lambda x: stats.multivariate_normal.logpdf(x, cov=cov, allow_singular=True), np.ones(3))[0] == -np.inf


def test_entropies() -> None:
    agrees(lambda m, c: stats.multivariate_normal.entropy(m, (c + c.T) / 2), MEAN, COV)
    agrees(
        lambda c: stats.multivariate_normal(cov=c * np.eye(2)).entropy() + stats.multivariate_normal.entropy(cov=c), 2.0
    )
    agrees(lambda a: stats.dirichlet.entropy(a) + stats.dirichlet(a).entropy(), np.array([0.7, 2.0, 1.3]))


def test_dirichlet() -> None:
    alpha, x = np.array([1.5, 2.0, 0.7]), np.array([0.2, 0.5, 0.3])
    agrees(lambda x, a: stats.dirichlet.logpdf(x[:2], a), x, alpha)
    agrees(lambda x, a: stats.dirichlet(a).pdf(x[:2]), x, alpha)
    agrees(lambda x: stats.dirichlet.logpdf(x / np.sum(x), alpha), x)
    agrees(lambda a: stats.dirichlet.logpdf(np.stack([x, x[::-1]], axis=1), a), alpha)


@pytest.mark.slow
def test_against_jax(jax: Any) -> None:
    """Gradients by all arguments at once, to rounding and the digits that JAX's digamma function has."""
    theirs = jax.scipy.stats
    shapes = {name: CONTINUOUS[name] for name in ("norm", "t", "gamma", "beta", "chi2", "expon", "laplace", "logistic")}
    for name, given in shapes.items():
        args = [0.4, *given, -0.2, 1.4]
        mine = grad(getattr(stats, name).logpdf, tuple(range(len(args))))(*args)
        other = jax.grad(getattr(theirs, name).logpdf, tuple(range(len(args))))(*args)
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    for f in (
        lambda s, a: s.poisson.logpmf(3, a[0]) + s.bernoulli.logpmf(1, a[1]),
        lambda s, a: s.norm.logcdf(a[0]) + s.norm.cdf(-a[0]) + s.norm.logsf(a[1]) + s.expon.cdf(a[0]),
        lambda s, a: s.dirichlet.logpdf(a / a.sum(), a),
        lambda s, a: s.multivariate_normal.logpdf(a, 2 * a, np.diag([1.0, 2, 3]) + a[:, None] * a),
    ):
        a = np.array([0.7, 0.4, 1.3])
        np.testing.assert_allclose(
            grad(lambda a, f=f: f(stats, a))(a), jax.grad(lambda a, f=f: f(theirs, a))(a), rtol=1e-11
        )


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (
            lambda m: stats.multivariate_normal.cdf(X, m),
            NotImplementedError,
            r"scipy\.stats\.multivariate_normal\.cdf has no",
        ),
        (
            lambda m: stats.multivariate_normal(m).cdf(X),
            NotImplementedError,
            r"scipy\.stats\.multivariate_normal\.cdf has no",
        ),
        (
            lambda m: stats.multivariate_normal.logpdf(np.zeros(3), cov=np.outer(m, m), allow_singular=True),
            NotImplementedError,
            "cov that is singular",
        ),
        (lambda m: stats.dirichlet.mean(m), NotImplementedError, r"scipy\.stats\.dirichlet\.mean has no"),
        (lambda m: stats.norm.ppf(m), TypeError, r"scipy\.stats\.ppf copies"),
        (lambda m: stats.norm.logpdf(m, mu=1.0), TypeError, r"scipy\.stats\.norm\.logpdf .*mu.* loc, scale"),
        (lambda m: stats.norm.logpdf(m, 1.0, loc=1.0), TypeError, "one of them twice"),
        (lambda m: stats.gamma.logpdf(m), TypeError, r"scipy\.stats\.gamma\.logpdf .*\(a\).* a, loc, scale"),
        (lambda m: stats.dirichlet.logpdf(m, X), ValueError, "simplex"),
    ],
)
def test_refused(f: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        grad(lambda m: np.sum(f(m)))(X)


def test_everything_else_is_scipys_own() -> None:
    assert stats.norm.rvs(random_state=0) == ss.norm.rvs(random_state=0)
    assert stats.norm(2.0, 3.0).mean() == 2
    assert stats.gamma(2.0).ppf(0.3) == ss.gamma(2.0).ppf(0.3)
    assert stats.multivariate_normal([0, 1]).cdf([1, 1]) == pytest.approx(ss.multivariate_normal([0, 1]).cdf([1, 1]))
    assert stats.weibull_min is ss.weibull_min
    check_grads(lambda x: stats.norm.logpdf(x, scale=np.array([1, 2, 3])), (X,))
