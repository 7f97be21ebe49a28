"""Ufuncs of scipy.special: hypergeometric and elliptic functions, polynomials, Mathieu and spheroidal functions; refusals.

"DLMF" is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, whose section is given.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sc

from mytorch.autodiff.kinds import elementwise, explicit, primitive
from mytorch.autodiff.scipy.registering import Unknown, at, several, ufunc, without_derivative
from mytorch.autodiff.traced import plain

A, B, C, N = (Unknown(letter) for letter in "abcn")

# Hypergeometric functions: DLMF 15.5.1, 13.3.15, 13.3.22
ufunc("hyp0f1", Unknown("v"), lambda y, v, z: sc.hyp0f1(v + 1, z) / v)
ufunc("hyp1f1", A, B, lambda y, a, b, x: a / b * sc.hyp1f1(a + 1, b + 1, x))
ufunc("hyp2f1", A, B, C, lambda y, a, b, c, z: a * b / c * sc.hyp2f1(a + 1, b + 1, c + 1, z))
ufunc("hyperu", A, B, lambda y, a, b, x: -a * sc.hyperu(a + 1, b + 1, x))


# Orthogonal polynomials: DLMF 18.9.15 to 18.9.28
def _lower(f, n, *args):
    """f of degree n - 1, and 0 for n = 0."""
    n = np.asarray(plain(n))
    return np.where(n == 0, 0, f(np.where(n == 0, n, n - 1), *args))


def _sh_jacobi(n, p, q, x):
    return (n + p) / sc.binom(2 * n + p - 1, n) * _lower(sc.eval_jacobi, n, p - q + 1, q, 2 * x - 1)


ALPHA, BETA = Unknown("alpha"), Unknown("beta")
ufunc("eval_chebyt", N, lambda y, n, x: n * _lower(sc.eval_chebyu, n, x))
ufunc("eval_chebyu", N, lambda y, n, x: 2 * _lower(sc.eval_gegenbauer, n, 2, x))
ufunc("eval_chebyc", N, lambda y, n, x: n * _lower(sc.eval_chebys, n, x))
ufunc("eval_chebys", N, lambda y, n, x: _lower(sc.eval_gegenbauer, n, 2, x / 2))
ufunc("eval_sh_chebyt", N, lambda y, n, x: 2 * n * _lower(sc.eval_chebyu, n, 2 * x - 1))
ufunc("eval_sh_chebyu", N, lambda y, n, x: 4 * _lower(sc.eval_gegenbauer, n, 2, 2 * x - 1))
ufunc("eval_legendre", N, lambda y, n, x: (n + 1) / 2 * _lower(sc.eval_jacobi, n, 1, 1, x))
ufunc("eval_sh_legendre", N, lambda y, n, x: (n + 1) * _lower(sc.eval_jacobi, n, 1, 1, 2 * x - 1))
ufunc("eval_gegenbauer", N, ALPHA, lambda y, n, a, x: 2 * a * _lower(sc.eval_gegenbauer, n, a + 1, x))
ufunc("eval_laguerre", N, lambda y, n, x: -_lower(sc.eval_genlaguerre, n, 1, x))
ufunc("eval_genlaguerre", N, ALPHA, lambda y, n, a, x: -_lower(sc.eval_genlaguerre, n, a + 1, x))
ufunc("eval_hermite", N, lambda y, n, x: 2 * n * _lower(sc.eval_hermite, n, x))
ufunc("eval_hermitenorm", N, lambda y, n, x: n * _lower(sc.eval_hermitenorm, n, x))
ufunc(
    "eval_jacobi",
    N,
    ALPHA,
    BETA,
    lambda y, n, a, b, x: (n + a + b + 1) / 2 * _lower(sc.eval_jacobi, n, a + 1, b + 1, x),
)
ufunc("eval_sh_jacobi", N, Unknown("p"), Unknown("q"), lambda y, n, p, q, x: _sh_jacobi(n, p, q, x))
# DLMF 14.10.5
ufunc(
    "lpmv",
    Unknown("m"),
    Unknown("v"),
    lambda y, m, v, x: ((v + m) * sc.lpmv(m, v - 1, x) - v * x * y) / (1 - x * x),
)


# Complete elliptic integrals: DLMF 19.4.1, 19.4.2; near m = 0 by 19.5.1, 19.5.2
def _near_or_away(m, series, formula):
    near = np.abs(plain(m)) < 0.1
    return np.where(near, series(at(near, m, 0)), formula(at(~near, m, 0.5)))


def _ellipk_slope(m):
    return _near_or_away(
        m,
        lambda m: math.pi / 8 * sc.hyp2f1(1.5, 1.5, 2, m),
        lambda m: (sc.ellipe(m) / (1 - m) - sc.ellipk(m)) / (2 * m),
    )


@primitive
def _ellipem1(p):
    """E(1 - p) as a function of p: its slope has K(1 - p) to all digits."""
    return sc.ellipe(1 - p)


elementwise(_ellipem1, lambda y, p: (sc.ellipkm1(p) - y) / (2 * (1 - p)), name="scipy.special.ellipe")


def _ellipkm1_slope(p):
    near = plain(p) > 0.9
    q = at(~near, p, 0.5)
    away = (sc.ellipkm1(q) - _ellipem1(q) / q) / (2 * (1 - q))
    return np.where(near, -_ellipk_slope(1 - at(near, p, 1)), away)


def _ellipe_slope(m):
    return _near_or_away(
        m,
        lambda m: -math.pi / 8 * sc.hyp2f1(0.5, 1.5, 2, m),
        lambda m: (sc.ellipe(m) - sc.ellipk(m)) / (2 * m),
    )


def _agm(y, a, b):
    """agm(a, b) = pi/4 (a + b) / K(q**2) with q = (a - b) / (a + b), DLMF 19.8.5; the slope by a."""
    q = (a - b) / (a + b)
    return y / (a + b) - y * _ellipk_slope(q * q) / sc.ellipk(q * q) * 4 * q * b / (a + b) ** 2


ufunc("ellipk", lambda y, m: _ellipk_slope(m), of="x")
ufunc("ellipkm1", lambda y, p: _ellipkm1_slope(p), of="x")
ufunc("ellipe", lambda y, m: _ellipe_slope(m), of="x")
ufunc("agm", lambda y, a, b: _agm(y, a, b), lambda y, a, b: _agm(y, b, a))


# Incomplete elliptic integrals and Jacobi's functions: DLMF 19.4.5, 19.4.6, 22.13, 22.16.31
def _small_m(phi, m, power: int):
    """dF/dm (power 1) or dE/dm (-1) for small m: the binomial series of (1 - m sin^2)**(-power/2), integrated term by term."""
    sine, cosine = np.sin(phi), np.cos(phi)
    integral, coefficient, total = phi, 1.0, 0.0
    for k in range(1, 16):
        integral = ((2 * k - 1) * integral - sine ** (2 * k - 1) * cosine) / (2 * k)  # of sin**(2k)
        coefficient *= (2 * k - 2 + power) / (2 * k)
        total = total + k * coefficient * m ** (k - 1) * integral
    return total


def _by_m(phi, m, power: int):
    near = np.abs(plain(m)) < 0.1
    n = at(~near, m, 0.5)
    f, e = sc.ellipkinc(phi, n), sc.ellipeinc(phi, n)
    root = np.sqrt(1 - n * np.sin(phi) ** 2)
    by_f = e / (2 * n * (1 - n)) - f / (2 * n) - np.sin(2 * phi) / (4 * (1 - n) * root)
    return np.where(near, _small_m(phi, at(near, m, 0), power), by_f if power == 1 else (e - f) / (2 * n))


def _amplitude_by_m(y, m):
    """dph/dm at constant u, from u = F(ph, m)."""
    return -_by_m(y[3], m, 1) * y[2]


def _ellipj_by_m(y, u, m):
    (sn, cn, dn, _), turn = y, _amplitude_by_m(y, m)
    return cn * turn, -sn * turn, -(sn * sn + 2 * m * sn * cn * turn) / (2 * dn), turn


def _times(t, slopes):
    return tuple(t * slope for slope in slopes)


ufunc("ellipkinc", lambda y, phi, m: 1 / np.sqrt(1 - m * np.sin(phi) ** 2), lambda y, phi, m: _by_m(phi, m, 1))
ufunc("ellipeinc", lambda y, phi, m: np.sqrt(1 - m * np.sin(phi) ** 2), lambda y, phi, m: _by_m(phi, m, -1))
explicit(
    sc.ellipj,
    jvps=[
        lambda t, y, u, m: _times(t, (y[1] * y[2], -y[0] * y[2], -m * y[0] * y[1], y[2])),
        lambda t, y, u, m: _times(t, _ellipj_by_m(y, u, m)),
    ],
    name="scipy.special.ellipj",
)


# Carlson's symmetric integrals: DLMF 19.18.1, 19.18.8 and the Euler-Poisson equations 19.18.12; R_C: 19.2.17 and 15.5.1
def _elliprc_by_x(r, x, y):
    near = np.abs(plain(x) - plain(y)) < 0.1 * np.abs(plain(y))
    away = (r - 1 / np.sqrt(at(~near, x, 1))) / (2 * (at(~near, y, 2) - at(~near, x, 1)))
    base = at(near, y, 1)
    return np.where(near, -sc.hyp2f1(1.5, 1.5, 2.5, 1 - at(near, x, 1) / base) / (6 * base * np.sqrt(base)), away)


def _elliprc_by_y(r, x, y):
    return -(r / 2 + x * _elliprc_by_x(r, x, y)) / y  # R_C is homogeneous of degree -1/2


def _elliprj_by_first(r, x, y, z, p):
    """By x: 1 / ((t + x) (t + p)) under the integral is split into partial fractions, if x and p are apart."""
    near = np.abs(plain(x) - plain(p)) <= 0.1 * np.abs(plain(p))
    away = (sc.elliprd(y, z, at(~near, x, 1)) - r) / (2 * (at(~near, x, 1) - at(~near, p, 2)))
    return (
        np.where(near, _elliprj_integral(*(at(near, part, 1) for part in (x, y, z, p))), away) if np.any(near) else away
    )


def _elliprj_integral(x, y, z, p):
    """The derivative by x as an integral over t = |x| exp(s), by the trapezoidal rule: all terms have one sign."""
    x, y, z, p = (np.expand_dims(part, -1) for part in (x, y, z, p))
    t = np.abs(plain(x)) * np.exp(np.arange(-75, 25, 0.4))
    return -0.3 * np.sum(t / (np.sqrt(t + x) * np.sqrt(t + y) * np.sqrt(t + z) * (t + x) * (t + p)), axis=-1)


def _elliprj_by_last(r, x, y, z, p):
    """R_J is homogeneous of degree -3/2."""
    firsts = [(x, y, z), (y, x, z), (z, x, y)]
    return -(1.5 * r + sum(_weighted(others[0], _elliprj_by_first(r, *others, p)) for others in firsts)) / p


def _weighted(x, slope):
    """x times the slope by x, which is infinite at 0 as 1 / sqrt(x) is."""
    return x * np.where(plain(x) == 0, 0, slope)


def _elliprd_by_first(r, x, y, z):
    return _elliprj_by_first(r, x, y, z, z)  # R_D(x, y, z) = R_J(x, y, z, z)


def _elliprd_by_last(r, x, y, z):
    firsts = _weighted(x, _elliprd_by_first(r, x, y, z)) + _weighted(y, _elliprd_by_first(r, y, x, z))
    return -(1.5 * r + firsts) / z


def _elliprg(x, y, z):
    return sc.elliprf(x, y, z) / 4 - x * sc.elliprd(y, z, x) / 12


ufunc("elliprc", lambda r, x, y: _elliprc_by_x(r, x, y), lambda r, x, y: _elliprc_by_y(r, x, y))
ufunc(
    "elliprf",
    lambda r, x, y, z: -sc.elliprd(y, z, x) / 6,
    lambda r, x, y, z: -sc.elliprd(x, z, y) / 6,
    lambda r, x, y, z: -sc.elliprd(x, y, z) / 6,
)
ufunc(
    "elliprd",
    lambda r, x, y, z: _elliprd_by_first(r, x, y, z),
    lambda r, x, y, z: _elliprd_by_first(r, y, x, z),
    lambda r, x, y, z: _elliprd_by_last(r, x, y, z),
)
ufunc(
    "elliprj",
    lambda r, x, y, z, p: _elliprj_by_first(r, x, y, z, p),
    lambda r, x, y, z, p: _elliprj_by_first(r, y, x, z, p),
    lambda r, x, y, z, p: _elliprj_by_first(r, z, x, y, p),
    lambda r, x, y, z, p: _elliprj_by_last(r, x, y, z, p),
)
ufunc(
    "elliprg",
    lambda r, x, y, z: _elliprg(x, y, z),
    lambda r, x, y, z: _elliprg(y, x, z),
    lambda r, x, y, z: _elliprg(z, x, y),
)

# Mathieu functions, whose x is in degrees where they are not modified: DLMF 28.2.1, 28.20.1
DEGREE = math.pi / 180
for name, characteristic in (("cem", sc.mathieu_a), ("sem", sc.mathieu_b)):
    several(
        f"mathieu_{name}",
        lambda y, m, q, x, a=characteristic: (DEGREE * y[1], DEGREE * (2 * q * sc.cosdg(2 * x) - a(m, q)) * y[0]),
        "m",
        "q",
    )
    for i in (1, 2):
        several(
            f"mathieu_mod{name}{i}",
            lambda y, m, q, x, a=characteristic: (y[1], (a(m, q) - 2 * q * np.cosh(2 * x)) * y[0]),
            "m",
            "q",
        )


# Spheroidal functions: DLMF 30.2.1; oblate ones by c -> ic, radial ones on the other side of x = 1 or along x -> ix
def _spheroidal(kind: str, m, n, c, characteristic, x, y):
    squared = c * c if kind.startswith("pro") else -c * c
    level = getattr(sc, f"{kind[:3]}_cv")(m, n, c) if characteristic is None else characteristic
    if kind == "obl_rad":
        return y[1], ((level - c * c * x * x - m * m / (x * x + 1)) * y[0] - 2 * x * y[1]) / (x * x + 1)
    return y[1], (2 * x * y[1] - (level - squared * x * x - m * m / (1 - x * x)) * y[0]) / (1 - x * x)


for kind, numbers in (("pro_ang", "1"), ("obl_ang", "1"), ("pro_rad", "12"), ("obl_rad", "12")):
    for number in numbers:
        several(
            f"{kind}{number}",
            lambda y, m, n, c, x, kind=kind: _spheroidal(kind, m, n, c, None, x, y),
            *("m", "n", "c"),
        )
        several(
            f"{kind}{number}_cv",
            lambda y, m, n, c, cv, x, kind=kind: _spheroidal(kind, m, n, c, cv, x, y),
            *("m", "n", "c", "cv"),
        )

without_derivative(
    "bdtrik", "bdtrin", "btdtria", "btdtrib", "chdtriv", "chndtridf", "chndtrinc", "fdtridfd", "gdtrib", "kolmogi",
    "kolmogorov", "mathieu_a", "mathieu_b", "nbdtrik", "nbdtrin", "ncfdtr", "ncfdtri", "ncfdtridfd", "ncfdtridfn",
    "ncfdtrinc", "nctdtr", "nctdtridf", "nctdtrinc", "nctdtrit", "obl_cv", "pdtrik", "pro_cv", "smirnov", "smirnovi",
    "sph_harm", "stdtridf",
)  # fmt: skip
