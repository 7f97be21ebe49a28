"""scipy.special: digits of the ufuncs against mpmath, edges, complex arguments, and the functions that are no ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

sc = pytest.importorskip("scipy.special")

from mytorch.autodiff import check_grads, grad, jvp  # noqa: E402
from mytorch.autodiff.scipy import special  # noqa: E402
from tests.autodiff.scipy.numerics import agrees  # noqa: E402

X = np.array([[0.3, -1.2, 2.0], [0.5, 0.1, 0.2]])
B = np.array([0.4, 1.5, 0.7])

EXACT = """
erf  mp.erf(x)  1e-9 0.3 -5.0; erfc  mp.erfc(x)  0.3 5.0 20.0; erfcx  mp.exp(x * x) * mp.erfc(x)  0.3 9.9 10.1 1e4 1e8
erfi  mp.erfi(x)  0.3 5.0; dawsn  mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)  0.3 9.9 10.1 -40.0
erfinv  mp.erfinv(x)  0.3 -0.999; ndtri  mp.sqrt(2) * mp.erfinv(2 * x - 1)  0.3 0.01
ndtr  mp.ncdf(x)  0.3 -20.0; log_ndtr  mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)  0.3 -1.0 -30.0 -1e4 8.0
gamma  mp.gamma(x)  0.3 7.5 -1.4; gammaln  mp.loggamma(x)  0.3 50.0 1e6; psi  mp.digamma(x)  0.3 1e3 -1.4
rgamma  mp.rgamma(x)  0.3 0.7 3.0 -1.0 -2.3; expit  1 / (1 + mp.exp(-x))  0.3 30.0 -30.0 100.0
log_expit  -mp.log1p(mp.exp(-x))  0.3 30.0 -30.0; logit  mp.log(x / (1 - x))  0.3 1e-12 1e-100
exp1  mp.e1(x)  0.3 30.0; expi  mp.ei(x)  0.3 30.0 -3.0; exprel  mp.expm1(x) / x  0.3 1e-6 -30.0
spence  mp.polylog(2, 1 - x)  0.3 0.999 1.05 5.0; entr  -x * mp.log(x)  0.3 1e-200
j0  mp.besselj(0, x)  0.3 20.0; j1  mp.besselj(1, x)  0.3 20.0 1e-9; y0  mp.bessely(0, x)  0.3 20.0; y1  mp.bessely(1, x)  0.3
i0  mp.besseli(0, x)  0.3 20.0; i1  mp.besseli(1, x)  0.3 20.0; k0  mp.besselk(0, x)  0.3 20.0; k1  mp.besselk(1, x)  0.3 20.0
i0e  mp.exp(-x) * mp.besseli(0, x)  0.3 49.0 51.0 1e4; i1e  mp.exp(-x) * mp.besseli(1, x)  0.3 49.0 53.0 1e4
k0e  mp.exp(x) * mp.besselk(0, x)  0.3 49.0 51.0 1e4; k1e  mp.exp(x) * mp.besselk(1, x)  0.3 49.0 53.0 1e4
ellipk  mp.ellipk(x)  0.3 0.05 1e-9 -5.0 0.99; ellipe  mp.ellipe(x)  0.3 0.05 1e-9 -5.0 0.99
ellipkm1  mp.ellipk(1 - x)  0.3 1e-9 0.99; cosm1  mp.cos(x) - 1  0.3 1e-9; log1p  mp.log1p(x)  0.3 1e-9
"""
POINTS = [
    pytest.param(name, formula, float(x), id=f"{name}-{x}")
    for name, formula, xs in (entry.split("  ") for line in EXACT.strip().splitlines() for entry in line.split("; "))
    for x in xs.split()
]


@pytest.mark.parametrize(("name", "formula", "x"), POINTS)
@pytest.mark.slow
def test_digits_of_the_first_and_second_derivative(name: str, formula: str, x: float) -> None:
    """Against mpmath, with 1e-12 for what SciPy's functions lose themselves, and cancellation at their far ends."""
    mp = pytest.importorskip("mpmath")
    f = eval(f"lambda x: {formula}", {"mp": mp})
    with mp.workdps(160):
        h = mp.mpf(10) ** -25 * min(mp.mpf(x) if x > 0 else 1, 1)
        below, here, above = (f(mp.mpf(x) + k * h) for k in (-1, 0, 1))
        first, second = float(mp.re(above - below) / (2 * h)), float(mp.re(above - 2 * here + below) / (h * h))
    function = getattr(sc, name)
    assert grad(function)(x) == pytest.approx(first, rel=1e-12)
    assert grad(grad(function))(x) == pytest.approx(second, rel=2e-11, abs=1e-13 * abs(first))


@pytest.mark.parametrize(
    "f",
    [
        sc.erf, sc.erfc, sc.erfcx, sc.erfi, sc.dawsn, sc.wofz, sc.ndtr, sc.log_ndtr, sc.exp1, sc.spence,
        lambda z: sc.jv(1.3, z), lambda z: sc.yv(0.4, z), lambda z: sc.iv(1.3, z), lambda z: sc.kv(1.3, z),
        lambda z: sc.kve(1.3, z), lambda z: sc.hankel1(1.3, z), lambda z: sc.hankel2e(1.3, z), lambda z: sc.airy(z)[2],
        lambda z: sc.fresnel(z)[0], lambda z: sc.sici(z)[1], lambda z: sc.shichi(z)[0], lambda z: sc.hyp1f1(1.2, 2.3, z),
        lambda z: sc.hyp0f1(1.3, z), lambda z: sc.hyp2f1(0.3, 1.2, 2.3, z / 4), lambda z: sc.lambertw(z),
        lambda z: sc.wrightomega(z), lambda z: sc.xlogy(z, z + 1), lambda z: sc.xlog1py(z, z), lambda z: sc.elliprf(z, 1.3, 2),
        lambda z: sc.elliprc(z, 1.3 + 0j), lambda z: sc.eval_legendre(3, z),
    ],
)  # fmt: skip
def test_complex_arguments(f: Any) -> None:
    check_grads(f, (np.array([0.7 + 0.4j, 1.3 - 0.6j]),), rtol=1e-4)


@pytest.mark.parametrize("f", [sc.gamma, sc.rgamma, sc.loggamma])
def test_complex_gamma_functions_have_one_derivative(f: Any) -> None:
    """SciPy has no trigamma function of complex numbers."""
    z = np.array([0.7 + 0.4j, 1.3 - 0.6j, -1.4 + 0.2j])
    check_grads(f, (z,), order=1)
    with pytest.raises(NotImplementedError, match=r"scipy\.special\.psi .* complex z"):
        check_grads(f, (z,), order=2)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda z: sc.jve(1.3, z), "scipy.special.jve .* not analytic"),
        (lambda z: sc.ive(1.3, z), "scipy.special.ive .* not analytic"),
        (lambda z: sc.airye(z)[0], "scipy.special.airye .* not analytic"),
        (lambda z: grad(lambda w: np.real(sc.psi(w)))(z), "scipy.special.psi .* complex z"),
        (lambda z: special.logsumexp(np.stack([z, z]), return_sign=True)[0], "scipy.special.logsumexp .* complex"),
    ],
)
def test_complex_arguments_refused(f: Any, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        grad(lambda z: np.real(f(z)))(0.7 + 0.4j)


def test_edges() -> None:
    assert grad(lambda y: sc.xlogy(0.0, y))(0.0) == 0
    assert grad(sc.xlogy, 1)(0.0, 2.0) == 0
    assert grad(sc.entr)(1.0) == -1
    assert grad(sc.rel_entr, (0, 1))(1.0, 1.0) == (1, -1)
    assert grad(sc.log_ndtr)(60.0) == grad(grad(sc.log_ndtr))(1e10) == 0
    assert grad(sc.rgamma)(-2.0) == pytest.approx(2, rel=1e-15)
    assert grad(lambda x: sc.pdtr(x, 2.0))(2.5) == 0
    assert np.isnan(grad(sc.gammaln)(np.nan))
    np.testing.assert_array_equal(grad(special.logsumexp)(np.array([-np.inf, 0.0])), [0, 1])
    np.testing.assert_array_equal(grad(special.logsumexp)(np.array([-np.inf, -np.inf])), [0, 0])


def test_single_precision_stays_single() -> None:
    x = np.array([0.3, 0.6], np.float32)
    for f in (sc.erf, sc.gammaln, sc.expit, sc.log_ndtr, sc.i0e, sc.ellipk, lambda x: sc.jv(1, x), special.softmax):
        value, tangent = jvp(f, (x,), (x,))
        assert value.dtype == tangent.dtype == grad(lambda x, f=f: np.sum(f(x)))(x).dtype == np.float32


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x, b: special.logsumexp(x, b=b), (X, B)),
        (lambda x, b: special.logsumexp(x, axis=1, b=b), (X, B)),
        (lambda x, b: special.logsumexp(x, 1, b, True), (X, B)),
        (lambda x: special.logsumexp(x, axis=(0, 1)), (X,)),
        (lambda x: special.logsumexp(x, axis=-1), (X,)),
        (lambda x: special.logsumexp(x + 700, keepdims=True), (X,)),
        (lambda x, b: special.logsumexp(x, 1, -b, False, True)[0], (X, B)),
        (lambda x, b: special.logsumexp(x, b=-b, return_sign=True)[0], (X, B)),
        (lambda b: special.logsumexp(np.ones(3), b=b), (B,)),
        (lambda x: special.logsumexp(x), (1.3,)),
        (lambda z: special.logsumexp(z), (X + 1j * X[::-1],)),
        (lambda x: special.softmax(x), (X,)),
        (lambda x: special.softmax(x, axis=1), (X,)),
        (lambda x: special.log_softmax(x), (X,)),
        (lambda x: special.log_softmax(x, 0), (X,)),
        (lambda x: special.polygamma(0, x), (B,)),
        (lambda x: special.polygamma(2, x), (B,)),
        (lambda x: special.polygamma(np.array([0, 1, 3]), x), (B,)),
        (lambda x: special.multigammaln(x + 2, 3), (B,)),
        (lambda x: special.comb(x + 3, x), (B,)),
        (lambda x: special.perm(x + 3, x), (B,)),
        (lambda x: special.factorial(x), (B,)),
        (lambda x: sc.zeta(2.5, x), (B,)),
        (lambda x: sc.lambertw(x), (B + 0j,)),
        (lambda x: special.jvp(1.3, x, 2), (B,)),
        (lambda x: special.kvp(1.3, x), (B,)),
        (lambda x: special.sinc(x), (X,)),
    ],
)
def test_functions_that_are_no_ufuncs(f: Any, args: tuple) -> None:
    agrees(f, *args)


def test_a_sum_with_its_sign() -> None:
    value, sign = jvp(lambda x: special.logsumexp(x, 1, -B, return_sign=True), (X,), (X,))[0]
    expected, expected_sign = sc.logsumexp(X, 1, -B, return_sign=True)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_array_equal(sign, expected_sign)


@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("name", ["spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"])
def test_spherical_bessel_functions(name: str, n: int, derivative: bool) -> None:
    agrees(lambda x: getattr(special, name)(n, x, derivative), B)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: special.polygamma(x, 1.0), r"scipy\.special\.polygamma .* respect to n"),
        (lambda x: special.zeta(x), r"scipy\.special\.zeta .* respect to x"),
        (lambda x: special.zeta(x, 2.0), r"scipy\.special\.zeta .* respect to x"),
        (lambda x: special.spherical_jn(x, 1.0), r"scipy\.special\.spherical_jn .* respect to n"),
        (lambda x: special.comb(x, 2, exact=True), r"scipy\.special\.comb with exact=True"),
        (lambda x: sc.jv(x, 1.0), r"scipy\.special\.jv .* respect to v .* plain number"),
        (lambda x: sc.kolmogorov(x), r"scipy\.special\.kolmogorov has no derivative"),
    ],
)
def test_refused(f: Any, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        grad(f)(1.5)
