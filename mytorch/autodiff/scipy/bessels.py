"""Ufuncs of scipy.special: Bessel, Hankel, Kelvin, Struve and Airy functions, their integrals, and relatives.

Derivatives with respect to the order are Unknown. "DLMF" is the NIST Digital Library of Mathematical Functions,
https://dlmf.nist.gov, whose section is given.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sc

from mytorch.autodiff.scipy.registering import Unknown, at, no_derivative, several, ufunc
from mytorch.autodiff.traced import plain

V, N = Unknown("v"), Unknown("n")


def _neighbours(f, v, z, sign: int):
    """(f(v-1) + sign f(v+1)) / 2, the slope of most of them: DLMF 10.6.1, 10.29.1."""
    return (f(v - 1, z) + sign * f(v + 1, z)) / 2


def _only_real(name: str, x):
    if plain(x).dtype.kind == "c":
        raise no_derivative(f"scipy.special.{name}", "a complex z, because it is not analytic")
    return x


ufunc("j0", lambda y, x: -sc.j1(x), of="x")
ufunc("j1", lambda y, x: (sc.j0(x) - sc.jv(2, x)) / 2, of="x")
ufunc("y0", lambda y, x: -sc.y1(x), of="x")
ufunc("y1", lambda y, x: (sc.y0(x) - sc.yn(2, x)) / 2, of="x")
ufunc("i0", lambda y, x: sc.i1(x), of="x")
ufunc("i1", lambda y, x: (sc.i0(x) + sc.iv(2, x)) / 2, of="x")
ufunc("k0", lambda y, x: -sc.k1(x), of="x")
ufunc("k1", lambda y, x: -(sc.k0(x) + sc.kn(2, x)) / 2, of="x")
ufunc("jv", V, lambda y, v, z: _neighbours(sc.jv, v, z, -1))
ufunc("jve", V, lambda y, v, z: _neighbours(sc.jve, v, _only_real("jve", z), -1))
ufunc("yv", V, lambda y, v, z: _neighbours(sc.yv, v, z, -1))
ufunc("yve", V, lambda y, v, z: _neighbours(sc.yve, v, _only_real("yve", z), -1))
ufunc("yn", N, lambda y, n, x: _neighbours(sc.yn, n, x, -1))
ufunc("iv", V, lambda y, v, z: _neighbours(sc.iv, v, z, 1))
ufunc("kv", V, lambda y, v, z: -_neighbours(sc.kv, v, z, 1))
ufunc("kn", N, lambda y, n, x: -(sc.kn(abs(n - 1), x) + sc.kn(n + 1, x)) / 2)
ufunc("hankel1", V, lambda y, v, z: _neighbours(sc.hankel1, v, z, -1))
ufunc("hankel2", V, lambda y, v, z: _neighbours(sc.hankel2, v, z, -1))
ufunc("hankel1e", V, lambda y, v, z: _neighbours(sc.hankel1e, v, z, -1) - 1j * y)
ufunc("hankel2e", V, lambda y, v, z: _neighbours(sc.hankel2e, v, z, -1) + 1j * y)


def _scaled(near, y, v, x, alternating: int):
    """The slope ``near(x)`` of a scaled function y, for large x by the logarithmic derivative of its series: DLMF 10.40.

    y ~ |x|**-0.5 sum of a_k s**k / |x|**k with s = -1 for I and 1 for K. Far out, the terms of ``near`` agree in most digits.
    """
    size, limit = np.abs(plain(x)), 50.0 + 2 * np.square(v)
    far = size > limit if plain(x).dtype.kind != "c" else np.zeros(size.shape, bool)
    if not np.any(far):
        return near(x)
    inverse = 1 / np.where(far, np.abs(x), limit)
    value, slope, term = 1.0, 0.5, 1.0
    for k in range(1, 13):
        term = term * (alternating * (4 * np.square(v) - (2 * k - 1) ** 2) / (8 * k)) * inverse
        value, slope = value + term, slope + (k + 0.5) * term
    return np.where(far, -np.sign(plain(x)) * y * inverse * slope / value, near(at(~far, x, 1)))


def _ive(y, v, x):
    sign = np.sign(plain(_only_real("ive", x)))
    return _scaled(lambda x: _neighbours(sc.ive, v, x, 1) - sign * y, y, v, x, -1)


def _kve(y, v, z):
    return _scaled(lambda z: y - _neighbours(sc.kve, v, z, 1), y, v, z, 1)


ufunc("i0e", lambda y, x: _ive(y, 0, x))
ufunc("i1e", lambda y, x: _ive(y, 1, x))
ufunc("ive", V, lambda y, v, x: _ive(y, v, x))
ufunc("k0e", lambda y, x: _kve(y, 0, x))
ufunc("k1e", lambda y, x: _kve(y, 1, x))
ufunc("kve", V, lambda y, v, z: _kve(y, v, z))

# Wright's generalised Bessel function: DLMF 10.46.1, term by term
ufunc("wright_bessel", Unknown("a"), Unknown("b"), lambda y, a, b, x: sc.wright_bessel(a, a + b, x))
ufunc("log_wright_bessel", Unknown("a"), Unknown("b"), lambda y, a, b, x: np.exp(sc.log_wright_bessel(a, a + b, x) - y))

# The integral of x**l J_v(2 a x) from 0 to 1, by parts
ufunc("besselpoly", lambda y, a, lmb, nu: (sc.jv(nu, 2 * a) - (lmb + 1) * y) / a, Unknown("lmb"), Unknown("nu"))

# Integrals: DLMF 10.22, 10.43, 9.10, 11.7
several("itj0y0", lambda y, x: (sc.j0(x), sc.y0(x)))
several("it2j0y0", lambda y, x: ((1 - sc.j0(x)) / x, -sc.y0(x) / x))
several("iti0k0", lambda y, x: (sc.i0(x), sc.k0(x)))
several("it2i0k0", lambda y, x: ((sc.i0(x) - 1) / x, -sc.k0(x) / x))
several("itairy", lambda y, x: (sc.airy(x)[0], sc.airy(x)[2], sc.airy(-x)[0], sc.airy(-x)[2]))
ufunc("itstruve0", lambda y, x: sc.struve(0, x), of="x")
ufunc("it2struve0", lambda y, x: -sc.struve(0, x) / x, of="x")
ufunc("itmodstruve0", lambda y, x: sc.modstruve(0, x), of="x")


# Struve functions: DLMF 11.4.23 to 11.4.30
def _power(v, x):
    return (x / 2) ** v / (math.sqrt(math.pi) * sc.gamma(v + 1.5))


ufunc("struve", V, lambda y, v, x: _neighbours(sc.struve, v, x, -1) + _power(v, x) / 2)
ufunc("modstruve", V, lambda y, v, x: _neighbours(sc.modstruve, v, x, 1) + _power(v, x) / 2)


# Airy functions: w'' = z w, DLMF 9.2.1; scaled by exp(+-2/3 z**(3/2)), which for x < 0 has size 1
def _airye(y, x):
    root = np.sqrt(np.maximum(_only_real("airye", x), 0))
    return y[1] + root * y[0], x * y[0] + root * y[1], y[3] - root * y[2], x * y[2] - root * y[3]


several("airy", lambda y, z: (y[1], z * y[0], y[3], z * y[2]))
several("airye", _airye)

# Kelvin functions: with w = ber + i bei or ker + i kei, x w'' + w' = i x w, DLMF 10.61.3
ufunc("ber", lambda y, x: sc.berp(x), of="x")
ufunc("bei", lambda y, x: sc.beip(x), of="x")
ufunc("ker", lambda y, x: sc.kerp(x), of="x")
ufunc("kei", lambda y, x: sc.keip(x), of="x")
ufunc("berp", lambda y, x: -sc.bei(x) - y / x)
ufunc("beip", lambda y, x: sc.ber(x) - y / x)
ufunc("kerp", lambda y, x: -sc.kei(x) - y / x)
ufunc("keip", lambda y, x: sc.ker(x) - y / x)
several("kelvin", lambda y, x: (y[2], y[3], 1j * y[0] - y[2] / x, 1j * y[1] - y[3] / x))

# Parabolic cylinder functions: DLMF 12.2.2, 12.2.3
several("pbdv", lambda y, v, x: (y[1], (x * x / 4 - v - 0.5) * y[0]), "v")
several("pbvv", lambda y, v, x: (y[1], (x * x / 4 - v - 0.5) * y[0]), "v")
several("pbwa", lambda y, a, x: (y[1], (a - x * x / 4) * y[0]), "a")
