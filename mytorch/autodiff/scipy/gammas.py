"""Ufuncs of scipy.special: elementary, error, gamma and beta functions, exponential integrals, distribution functions.

A line states dy/dx given y and x; arguments without a formula are Unknown. "DLMF" is the NIST Digital Library of Mathematical
Functions, https://dlmf.nist.gov, whose section is given.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sc

from mytorch.autodiff.kinds import constant
from mytorch.autodiff.scipy.registering import SpecialFunction, Unknown, at, no_derivative, several, ufunc
from mytorch.autodiff.traced import TABLE, plain

DEGREE = math.pi / 180
SQRT_PI, SQRT_2PI = math.sqrt(math.pi), math.sqrt(2 * math.pi)

# Elementary
ufunc("expit", lambda y, x: sc.expit(x) * sc.expit(-x), of="x")
ufunc("log_expit", lambda y, x: sc.expit(-x), of="x")
ufunc("logit", lambda y, x: 1 / (x * (1 - x)), of="x")
ufunc("cbrt", lambda y, x: 1 / (3 * y * y), of="y")
ufunc("exp2", lambda y, x: math.log(2) * y, of="y")
ufunc("exp10", lambda y, x: math.log(10) * y, of="y")
ufunc("expm1", lambda y, x: np.exp(x), of="x")
ufunc("log1p", lambda y, x: 1 / (1 + x), of="x")
ufunc("cosm1", lambda y, x: -np.sin(x), of="x")
ufunc("powm1", lambda y, a, b: b * a ** (b - 1), lambda y, a, b: (1 + y) * np.log(a))
ufunc("sindg", lambda y, x: DEGREE * sc.cosdg(x), of="x")
ufunc("cosdg", lambda y, x: -DEGREE * sc.sindg(x), of="x")
ufunc("tandg", lambda y, x: DEGREE * (1 + y * y), of="y")
ufunc("cotdg", lambda y, x: -DEGREE * (1 + y * y), of="y")
ufunc("radian", DEGREE, DEGREE / 60, DEGREE / 3600)
ufunc("exprel", lambda y, x: sc.hyp1f1(2, 3, x) / 2, of="x")  # exprel(x) = 1F1(1; 2; x), DLMF 13.6.2
ufunc("xlogy", lambda y, a, b: np.log(b), lambda y, a, b: ratio(a, b))
ufunc("xlog1py", lambda y, a, b: np.log1p(b), lambda y, a, b: ratio(a, 1 + b))
ufunc("entr", lambda y, x: -np.log(x) - 1, of="x")
ufunc("rel_entr", lambda y, a, b: np.log(a / b) + 1, lambda y, a, b: -ratio(a, b))
ufunc("kl_div", lambda y, a, b: np.log(a / b), lambda y, a, b: 1 - ratio(a, b))
ufunc("huber", lambda y, d, r: np.maximum(np.abs(r) - d, 0), lambda y, d, r: np.clip(r, -d, d))
ufunc("pseudo_huber", lambda y, d, r: _by_delta(d, r / d), lambda y, d, r: r / np.sqrt(1 + (r / d) ** 2))
constant(sc.round, sc.gammasgn)


def ratio(a, b):
    """a / b, and 0 where a is 0: the function is constant in b there."""
    return np.where(plain(a) == 0, 0, a / at(plain(a) != 0, b, 1))


def _by_delta(d, q):
    """d (s - 1)^2 / s with s = sqrt(1 + q^2), where s - 1 = q^2 / (s + 1) keeps its digits."""
    s = np.sqrt(1 + q * q)
    return d * (q * q / (s + 1)) ** 2 / s


# Box and Cox, "An analysis of transformations" (1964). With u = log x the transform is u exprel(lambda u).
def _by_lambda(u, lmbda):
    return u * u * sc.hyp1f1(2, 3, lmbda * u) / 2


ufunc("boxcox", lambda y, x, k: x ** (k - 1), lambda y, x, k: _by_lambda(np.log(x), k))
ufunc("boxcox1p", lambda y, x, k: (1 + x) ** (k - 1), lambda y, x, k: _by_lambda(np.log1p(x), k))
ufunc("inv_boxcox", lambda x, y, k: x ** (1 - k), lambda x, y, k: -_by_lambda(np.log(x), k) * x ** (1 - k))
ufunc(
    "inv_boxcox1p",
    lambda x, y, k: (1 + x) ** (1 - k),
    lambda x, y, k: -_by_lambda(np.log1p(x), k) * (1 + x) ** (1 - k),
)

# Error functions: DLMF 7.2, 7.10; Owen, "Tables for computing bivariate normal probabilities" (1956); Voigt profile: 7.19
ufunc("erf", lambda y, x: 2 / SQRT_PI * np.exp(-x * x), of="x")
ufunc("erfc", lambda y, x: -2 / SQRT_PI * np.exp(-x * x), of="x")
ufunc("erfcx", lambda y, x: _tail_slope(y, x, 1), of="yx")
ufunc("erfi", lambda y, x: 2 / SQRT_PI * np.exp(x * x), of="x")
ufunc("dawsn", lambda y, x: _tail_slope(y, x, -1), of="yx")
ufunc("wofz", lambda y, z: 2j / SQRT_PI - 2 * z * y, of="yx")
ufunc("erfinv", lambda y, x: SQRT_PI / 2 * np.exp(y * y), of="y")
ufunc("erfcinv", lambda y, x: -SQRT_PI / 2 * np.exp(y * y), of="y")
ufunc("ndtr", lambda y, x: np.exp(-x * x / 2) / SQRT_2PI, of="x")
ufunc("log_ndtr", lambda y, x: falling(y, x))
ufunc("ndtri", lambda y, x: SQRT_2PI * np.exp(y * y / 2), of="y")
ufunc("ndtri_exp", lambda y, x: math.sqrt(math.pi / 2) * sc.erfcx(y / -math.sqrt(2)), of="y")
ufunc(
    "owens_t",
    lambda y, h, a: -np.exp(-h * h / 2) * sc.erf(a * h / math.sqrt(2)) / (2 * SQRT_2PI),
    lambda y, h, a: np.exp(-h * h * (1 + a * a) / 2) / (2 * math.pi * (1 + a * a)),
)
several("fresnel", lambda y, z: (np.sin(math.pi / 2 * z * z), np.cos(math.pi / 2 * z * z)))
# Zhang and Jin, "Computation of Special Functions" (1996), section 16.4
_TURN = np.exp(0.25j * math.pi) / SQRT_PI
several("modfresnelp", lambda y, x: (-np.exp(1j * x * x), -2j * x * y[1] - np.conj(_TURN)))
several("modfresnelm", lambda y, x: (-np.exp(-1j * x * x), 2j * x * y[1] - _TURN))


def _tail_slope(y, x, sign: int):
    """The slope of erfcx (sign 1) or of Dawson's integral (-1), for large x by its asymptotic series: DLMF 7.12.1.

    2 x erfcx(x) - 2/sqrt(pi) subtracts numbers that agree in ever more digits, and so does 1 - 2 x dawsn(x).
    """
    top = 2 / SQRT_PI if sign > 0 else 1
    plainly = sign * (2 * x * y - top)
    if plain(x).dtype.kind == "c":
        return plainly
    far = plain(x) > 10 if sign > 0 else np.abs(plain(x)) > 10
    if not np.any(far):
        return plainly
    inverse = 1 / at(far, x, 10)
    u = inverse * inverse / 2 * -sign
    series = 1.0
    for k in range(27, 1, -2):
        series = 1 + k * u * series
    return np.where(far, -top / 2 * inverse * inverse * series, plainly)


def falling(y, x):
    """The density over the distribution function: where that is small, by erfcx, of which both are a multiple."""
    low = np.real(plain(x)) < 0
    small = math.sqrt(2 / math.pi) / sc.erfcx(at(low, x, 0) / -math.sqrt(2))
    return np.where(low, small, np.exp(-(at(~low, x, 0) ** 2) / 2 - at(~low, y, 0)) / SQRT_2PI)


def _voigt(x, sigma, gamma):
    """D and z D, where D = dV/dz along x; the profile V is Re w(z) / (sigma sqrt(2 pi)): DLMF 7.19.1."""
    z = (x + 1j * gamma) / (sigma * math.sqrt(2))
    slope = (2j / SQRT_PI - 2 * z * sc.wofz(z)) / (2 * SQRT_PI * sigma * sigma)
    return slope, z * slope


ufunc(
    "voigt_profile",
    lambda y, *args: np.real(_voigt(*args)[0]),
    lambda y, *args: -(y / args[1] + math.sqrt(2) * np.real(_voigt(*args)[1])),
    lambda y, *args: -np.imag(_voigt(*args)[0]),
)

# Gamma and beta functions: DLMF 5.2, 5.9, 5.12; Hurwitz zeta function: 25.11.17
ufunc("gamma", lambda y, x: y * sc.psi(x), of="yx")
ufunc("gammaln", lambda y, x: sc.psi(x), of="x")
ufunc("loggamma", lambda y, x: sc.psi(x), of="x")
ufunc("rgamma", lambda y, x: _rgamma_slope(y, x), of="yx")
ufunc("psi", lambda y, x: trigamma(x), of="x")
ufunc("beta", lambda y, a, b: y * (sc.psi(a) - sc.psi(a + b)), lambda y, a, b: y * (sc.psi(b) - sc.psi(a + b)))
ufunc("betaln", lambda y, a, b: sc.psi(a) - sc.psi(a + b), lambda y, a, b: sc.psi(b) - sc.psi(a + b), of="ab")
ufunc("poch", lambda y, z, m: y * (sc.psi(z + m) - sc.psi(z)), lambda y, z, m: y * sc.psi(z + m))
ufunc(
    "binom",
    lambda y, n, k: y * (sc.psi(n + 1) - sc.psi(n - k + 1)),
    lambda y, n, k: y * (sc.psi(n - k + 1) - sc.psi(k + 1)),
)


def trigamma(x):
    if plain(x).dtype.kind == "c":
        raise no_derivative("scipy.special.psi", "a complex z")
    return sc.zeta(2, x)


def _rgamma_slope(y, x):
    """-psi(x) / Gamma(x); for x < 1/2 by the reflection 1/Gamma(x) = Gamma(1-x) sin(pi x) / pi, which has no poles."""
    left = np.real(plain(x)) < 0.5
    low, angle = at(left, x, 0), math.pi * at(left, x, 0)
    reflected = sc.gamma(1 - low) * (np.cos(angle) - sc.psi(1 - low) * np.sin(angle) / math.pi)
    return np.where(left, reflected, -y * sc.psi(at(~left, x, 1)))


# What scipy.special.zeta and scipy.special.lambertw call. W' = exp(-W) / (1 + W): DLMF 4.13.4.
for private, public, partials in (
    ("_zeta", "zeta", (Unknown("x"), lambda y, s, q: -s * sc.zeta(s + 1, q))),
    ("_riemann_zeta", "zeta", (Unknown("x"),)),
    ("_lambertw", "lambertw", (lambda y, z, k, tol: np.exp(-y) / (1 + y), Unknown("k"), Unknown("tol"))),
):
    if hasattr(sc._ufuncs, private):
        fun = getattr(sc._ufuncs, private)
        TABLE[fun] = SpecialFunction(fun, f"scipy.special.{public}", partials)
ufunc("zetac", Unknown("x"))
ufunc("wrightomega", lambda y, z: y / (1 + y), of="y")  # Corless and Jeffrey, "The Wright omega function" (2002)


# Incomplete gamma and beta functions, by their densities: DLMF 8.8.13, 8.17.1
def gamma_density(a, x):
    return np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a))


def beta_density(a, b, x):
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


A, B = Unknown("a"), Unknown("b")
ufunc("gammainc", A, lambda y, a, x: gamma_density(a, x))
ufunc("gammaincc", A, lambda y, a, x: -gamma_density(a, x))
ufunc("gammaincinv", A, lambda x, a, y: 1 / gamma_density(a, x))
ufunc("gammainccinv", A, lambda x, a, y: -1 / gamma_density(a, x))
ufunc("betainc", A, B, lambda y, a, b, x: beta_density(a, b, x))
ufunc("betaincc", A, B, lambda y, a, b, x: -beta_density(a, b, x))
ufunc("betaincinv", A, B, lambda x, a, b, y: 1 / beta_density(a, b, x))
ufunc("betainccinv", A, B, lambda x, a, b, y: -1 / beta_density(a, b, x))
ufunc("btdtr", A, B, lambda y, a, b, x: beta_density(a, b, x))
ufunc("btdtri", A, B, lambda x, a, b, y: 1 / beta_density(a, b, x))

# Exponential, sine and cosine integrals, dilogarithm: DLMF 6.2, 8.19.13, 25.12
ufunc("exp1", lambda y, x: -np.exp(-x) / x, of="x")
ufunc("expi", lambda y, x: np.exp(x) / x, of="x")
ufunc("expn", Unknown("n"), lambda y, n, x: _expn_slope(y, plain(n), x))
ufunc("spence", lambda y, z: _spence_slope(z), of="x")
several("sici", lambda y, x: (np.sinc(x / math.pi), np.cos(x) / x))
several("shichi", lambda y, x: (_sinhc(x), np.cosh(x) / x))


def _expn_slope(y, n, x):
    """-E_{n-1}(x); E_0(x) = exp(-x) / x."""
    return np.where(n == 0, -(1 + 1 / at(n == 0, x, 1)) * y, -sc.expn(np.maximum(n - 1, 0), x))


def _spence_slope(z):
    """log(z) / (1 - z), near z = 1 by 2F1(1, 1; 2; 1 - z): DLMF 15.4.1."""
    near = np.abs(plain(z) - 1) < 0.1
    away = at(~near, z, 2)
    return np.where(near, -sc.hyp2f1(1, 1, 2, 1 - at(near, z, 1)), np.log(away) / (1 - away))


def _sinhc(x):
    near = np.abs(plain(x)) < 1
    away = at(~near, x, 1)
    return np.where(near, sc.hyp0f1(1.5, at(near, x, 0) ** 2 / 4), np.sinh(away) / away)  # DLMF 10.16.9 and 10.49.12


# Distribution functions and their inverses
K = None  # SciPy rounds k down, so the functions are constant in it


def _poisson(k, m):
    return np.exp(sc.xlogy(np.floor(plain(k)), m) - m - sc.gammaln(np.floor(plain(k)) + 1))


def _binomial(k, n, p):
    k = np.floor(plain(k))
    return beta_density(k + 1, n - k, p)


def _chi2(v, x):
    return gamma_density(v / 2, x / 2) / 2


def _noncentral(x, v, nc):
    """The density of the noncentral chi-squared distribution: Johnson, Kotz and Balakrishnan (1995), (29.4)."""
    scale = np.exp(-((np.sqrt(x) - np.sqrt(nc)) ** 2) / 2) / 2
    return scale * (x / nc) ** ((v - 2) / 4) * sc.ive(v / 2 - 1, np.sqrt(nc * x))


def _by_noncentrality(y, x, v, nc):
    return (sc.chndtr(x, v + 2, nc) - y) / 2


def _f(m, n, x):
    return m / n * np.exp(sc.xlogy(m / 2 - 1, m * x / n) - (m + n) / 2 * np.log1p(m * x / n) - sc.betaln(m / 2, n / 2))


def student(v, t):
    return np.exp(-(v + 1) / 2 * np.log1p(t * t / v) - sc.betaln(v / 2, 0.5)) / np.sqrt(v)


def _normal(p):
    """The derivative of ndtri."""
    return SQRT_2PI * np.exp(sc.ndtri(p) ** 2 / 2)


def _tukey_slope(y, lmbda):
    inside = (plain(y) > 0) & (plain(y) < 1)
    p = at(inside, y, 0.5)
    return np.where(inside, 1 / (p ** (lmbda - 1) + (1 - p) ** (lmbda - 1)), 0)


N, V = Unknown("n"), Unknown("v")
ufunc("bdtr", K, N, lambda y, k, n, p: -_binomial(k, n, p))
ufunc("bdtrc", K, N, lambda y, k, n, p: _binomial(k, n, p))
ufunc("bdtri", K, N, lambda p, k, n, y: -1 / _binomial(k, n, p))
ufunc("nbdtr", Unknown("k"), N, lambda y, k, n, p: beta_density(n, k + 1.0, p))
ufunc("nbdtrc", Unknown("k"), N, lambda y, k, n, p: -beta_density(n, k + 1.0, p))
ufunc("nbdtri", Unknown("k"), N, lambda p, k, n, y: 1 / beta_density(n, k + 1.0, p))
ufunc("pdtr", K, lambda y, k, m: -_poisson(k, m))
ufunc("pdtrc", K, lambda y, k, m: _poisson(k, m))
ufunc("pdtri", K, lambda m, k, y: -1 / _poisson(k, m))
ufunc("chdtr", V, lambda y, v, x: _chi2(v, x))
ufunc("chdtrc", V, lambda y, v, x: -_chi2(v, x))
ufunc("chdtri", V, lambda x, v, p: -1 / _chi2(v, x))
ufunc("chndtr", lambda y, *args: _noncentral(*args), Unknown("df"), lambda y, *args: _by_noncentrality(y, *args))
ufunc(
    "chndtrix",
    lambda x, p, v, nc: 1 / _noncentral(x, v, nc),
    Unknown("df"),
    lambda x, p, v, nc: -_by_noncentrality(sc.chndtr(x, v, nc), x, v, nc) / _noncentral(x, v, nc),
)
ufunc("fdtr", Unknown("dfn"), Unknown("dfd"), lambda y, m, n, x: _f(m, n, x))
ufunc("fdtrc", Unknown("dfn"), Unknown("dfd"), lambda y, m, n, x: -_f(m, n, x))
ufunc("fdtri", Unknown("dfn"), Unknown("dfd"), lambda x, m, n, p: 1 / _f(m, n, x))
ufunc("gdtr", lambda y, a, b, x: x * gamma_density(b, a * x), B, lambda y, a, b, x: a * gamma_density(b, a * x))
ufunc("gdtrc", lambda y, a, b, x: -x * gamma_density(b, a * x), B, lambda y, a, b, x: -a * gamma_density(b, a * x))
ufunc("gdtrix", lambda x, a, b, p: -x / a, B, lambda x, a, b, p: 1 / (a * gamma_density(b, a * x)))
ufunc("gdtria", lambda a, p, b, x: 1 / (x * gamma_density(b, a * x)), B, lambda a, p, b, x: -a / x)
ufunc("stdtr", Unknown("df"), lambda y, v, t: student(v, t))
ufunc("stdtrit", Unknown("df"), lambda t, v, p: 1 / student(v, t))
ufunc("nrdtrimn", lambda y, p, std, x: -std * _normal(p), lambda y, p, std, x: -sc.ndtri(p), 1)
ufunc(
    "nrdtrisd",
    lambda y, mn, p, x: -1 / sc.ndtri(p),
    lambda y, mn, p, x: -y / sc.ndtri(p) * _normal(p),
    lambda y, mn, p, x: 1 / sc.ndtri(p),
)
ufunc("tklmbda", lambda y, x, lmbda: _tukey_slope(y, lmbda), Unknown("lmbda"))
