"""Elementwise functions: arithmetic, powers, exponentials, trigonometry, roundings; and functions of zero derivative.

A line states dy/dx given y and x; the rules are NumPy code that is itself recorded. Formulas: Abramowitz and Stegun,
"Handbook of Mathematical Functions" (1964), chapter 4.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from mytorch.autodiff.errors import in_place
from mytorch.autodiff.kinds import composite, constant, elementwise, explicit
from mytorch.autodiff.rules.tails import apart, length, logistic, logistic2, over_square, sech2
from mytorch.autodiff.traced import Traced, plain

LOG2, LOG10 = math.log(2), math.log(10)
DEGREE = math.pi / 180
EXACT = (0.5, 2048)  # exponents b for which b - 1 is a number of the same dtype, in half precision too
ONE_POINT = np.lib.NumpyVersion(np.__version__) < "2.0.0"  # where the sign of a complex number is that of its real part

# Arithmetic
# By their operators, which work on numbers in a tenth of a ufunc's time.
elementwise(np.add, 1, 1, call=operator.add)
elementwise(np.subtract, 1, -1, call=operator.sub)
elementwise(np.multiply, lambda y, a, b: b, lambda y, a, b: a, of=("b", "a"), call=operator.mul)
elementwise(
    np.true_divide, lambda y, a, b: 1 / b, lambda y, a, b: -y / b, of=("b", "yb"), call=operator.truediv, name="divide"
)
elementwise(np.negative, -1, call=operator.neg)
elementwise(np.positive, 1)


def _power_by_base(y, a, b):
    """b a**(b-1), and 0 where b is 0 even at a = 0; b y / a where b - 1 would be rounded and a**(b-1) show it.

    A power with a plain exponent stays one: NumPy is quick at a**2.
    """
    if type(b) is int or (type(b) is float and EXACT[0] <= b <= EXACT[1]):
        return b * a ** (b - 1) if b != 0 else 0 * a
    inexact = ((plain(b) < EXACT[0]) | (plain(b) > EXACT[1])) & (plain(a) != 0)
    exponent = np.where(inexact | (plain(b) == 0), 1, b - 1)
    return np.where(inexact, b * y / np.where(inexact, a, 1), b * np.where(inexact, 1, a) ** exponent)


# ** and not np.power: arrays have short cuts for the exponents 2, -1 and 0.5.
elementwise(
    np.power, _power_by_base, lambda y, a, b: y * np.log(np.where(a == 0, 1, a)), call=operator.pow, name="power"
)
composite(np.float_power, lambda a, b: _at_least_double(a) ** _at_least_double(b))
elementwise(np.sqrt, lambda y, x: 0.5 / y, of="y")
elementwise(np.square, lambda y, x: 2 * x, of="x")
elementwise(np.reciprocal, lambda y, x: -y * y, of="y")
elementwise(np.cbrt, lambda y, x: 1 / (3 * y) / y, of="y")

# Exponentials, logarithms
elementwise(np.exp, lambda y, x: y, of="y")
elementwise(np.exp2, lambda y, x: LOG2 * y, of="y")
elementwise(np.expm1, lambda y, x: np.exp(x), of="x")
elementwise(np.log, lambda y, x: 1 / x, of="x")
elementwise(np.log2, lambda y, x: (1 / LOG2) / x, of="x")
elementwise(np.log10, lambda y, x: (1 / LOG10) / x, of="x")
elementwise(np.log1p, lambda y, x: 1 / (1 + x), of="x")
elementwise(np.logaddexp, lambda y, a, b: logistic(apart(a, b)), lambda y, a, b: logistic(apart(b, a)), of="ab")
elementwise(np.logaddexp2, lambda y, a, b: logistic2(apart(a, b)), lambda y, a, b: logistic2(apart(b, a)), of="ab")

# Trigonometry
elementwise(np.sin, lambda y, x: np.cos(x), of="x")
elementwise(np.cos, lambda y, x: -np.sin(x), of="x")
elementwise(np.tan, lambda y, x: 1 + y * y, of="y")
# x - -1 and not x + 1: the imaginary part of a number on a branch cut keeps the sign of its zero, which tells the side.
elementwise(np.arcsin, lambda y, x: 1 / np.sqrt(-(x - 1) * (x - -1)), of="x")
elementwise(np.arccos, lambda y, x: -1 / np.sqrt(-(x - 1) * (x - -1)), of="x")
elementwise(np.arctan, lambda y, x: np.square(1 / length(x)), of="x")
elementwise(np.sinh, lambda y, x: np.cosh(x), of="x")
elementwise(np.cosh, lambda y, x: np.sinh(x), of="x")
elementwise(np.tanh, lambda y, x: sech2(x), of="x")
elementwise(np.arcsinh, lambda y, x: 1 / length(x), of="x")
elementwise(np.arccosh, lambda y, x: 1 / (np.sqrt(x - 1) * np.sqrt(x - -1)), of="x")
elementwise(np.arctanh, lambda y, x: 1 / ((1 - x) * (1 + x)), of="x")
elementwise(np.arctan2, lambda y, a, b: over_square(b, a, b), lambda y, a, b: -over_square(a, a, b), of="ab")
elementwise(np.hypot, lambda y, a, b: a / y, lambda y, a, b: b / y)
for to_radians in (np.deg2rad, np.radians):
    elementwise(to_radians, DEGREE)
for to_degrees in (np.rad2deg, np.degrees):
    elementwise(to_degrees, 1 / DEGREE)


def _unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    known = plain(p)
    whole = np.unwrap(known, discont, axis, period=period)
    return np.where(np.isfinite(known), p + (whole - np.where(np.isfinite(known), known, 0)), whole)


composite(np.unwrap, _unwrap)


def _sinc(x):
    """sin(pi x) / (pi x); near 0 by its series up to x**22, so that no order of derivative divides by 0 or cancels."""
    near = abs(plain(x)) < 0.5
    u = np.square(math.pi * np.where(near, x, 0))
    series = 1 - u / (22 * 23)
    for n in range(20, 0, -2):
        series = 1 - u / (n * (n + 1)) * series
    away = math.pi * np.where(near, 1, x)
    return np.where(near, series, np.sin(away) / away)


composite(np.sinc, _sinc)

# Size, sign, parts of complex numbers. As in JAX, a gradient with respect to z = x + iy of a real function is
# df/dx - i df/dy, and a cotangent passes a linear function by its transpose, not its adjoint.


def _direction(y, x):
    """conj(x) / |x|, with 0 at 0; for real x its sign."""
    return np.conj(x) / np.where(y == 0, 1, y) if x.dtype.kind == "c" else np.sign(x)


def _turning(t, y):
    """The part of t across y, which turns z / |z|. The part along y only makes z longer. 0 at 0."""
    return np.where(y == 0, 0, t - y * np.real(np.conj(y) * t))


explicit(np.absolute, [lambda g, y, x: g * _direction(y, x)], [lambda t, y, x: np.real(_direction(y, x) * t)])
_sign = explicit(np.sign, jvps=[lambda t, y, x: _turning(t, y) / np.where(x == 0, 1, np.abs(x))])
composite(np.sign, lambda x: _sign(x) if plain(x).dtype.kind == "c" and not ONE_POINT else np.sign(plain(x)))
elementwise(np.fabs, lambda y, x: np.sign(x), of="x")
explicit(np.conjugate, [lambda g, y, x: np.conj(g)], [lambda t, y, x: np.conj(t)])
explicit(np.real, [lambda g, y, x: g], [lambda t, y, x: np.real(t)])
explicit(np.imag, [lambda g, y, x: g * -1j if x.dtype.kind == "c" else 0 * g], [lambda t, y, x: np.imag(t)])
composite(np.angle, lambda z, deg=False: _angle(z) * (1 / DEGREE) if deg else _angle(z))
composite(np.real_if_close, lambda a, tol=100: np.real(a) if np.isrealobj(np.real_if_close(plain(a), tol)) else a)
elementwise(np.copysign, lambda y, a, b: np.sign(a) * np.copysign(1, plain(b)).astype(y.dtype), None)
elementwise(np.heaviside, None, lambda y, a, b: plain(a) == 0)


def _nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    if not copy:
        raise in_place("np.nan_to_num with copy=False", "x = np.nan_to_num(x).")
    return np.where(np.isfinite(plain(x)), x, np.nan_to_num(plain(x), nan=nan, posinf=posinf, neginf=neginf))


composite(np.nan_to_num, _nan_to_num)


def _extended(name: str):
    """A function of np.emath: where NumPy's result is complex, that of the arguments made complex."""
    fun, real = getattr(np.emath, name), getattr(np, name)

    def extended(*args):
        dtype = fun(*plain(args)).dtype
        return real(*[_array(x).astype(dtype) if dtype.kind == "c" else x for x in args])

    composite(fun, extended)


for name in ("sqrt", "log", "log2", "log10", "arccos", "arcsin", "arctanh", "power"):
    _extended(name)
composite(np.emath.logn, lambda n, x: np.emath.log(x) / np.emath.log(n))

# Half of the circle by the midpoint rule, which has an error of exp(x) / n! here: DLMF 10.32.3
_COSINES = np.cos((np.arange(256) + 0.5) * (math.pi / 512))
elementwise(np.i0, lambda y, x: np.mean(np.sinh(x[..., np.newaxis] * _COSINES) * _COSINES, -1).astype(y.dtype), of="x")


# Roundings and remainders: a - b * q, where q is the quotient that NumPy has found, not a / b rounded once more
elementwise(np.fmod, 1, lambda y, a, b: -np.rint((plain(a) - plain(y)) / plain(b)))
elementwise(np.remainder, 1, lambda y, a, b: -np.floor_divide(a, b))
composite(np.divmod, lambda a, b: (np.floor_divide(a, b), np.remainder(a, b)))
composite(np.modf, lambda x: (np.where(np.isinf(plain(x)), np.zeros((), plain(x).dtype), x - np.trunc(x)), np.trunc(x)))
composite(np.frexp, lambda x: (np.ldexp(x, -np.frexp(plain(x))[1]), np.frexp(plain(x))[1]))
elementwise(np.ldexp, lambda y, x, n: np.ldexp(np.ones((), y.dtype), plain(n)), None)
elementwise(np.nextafter, 1, None)


def _array(x):
    return x if isinstance(x, Traced) else np.asarray(x)


def _at_least_double(x):
    x = _array(x)
    return x.astype(np.result_type(x.dtype, np.float64))


def _angle(z):
    return np.arctan2(np.imag(z), np.real(z))


constant(
    np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.around, np.floor_divide, np.spacing, np.signbit,
    np.isnan, np.isinf, np.isfinite, np.isnat, np.isneginf, np.isposinf, np.isreal, np.iscomplex, np.isrealobj,
    np.iscomplexobj, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.less, np.less_equal, np.greater,
    np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.gcd, np.lcm, np.all,
    np.any, np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.argwhere, np.lexsort,
    np.nonzero, np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.shape,
    np.ndim, np.size, np.result_type, np.min_scalar_type, np.can_cast, np.zeros_like, np.ones_like, np.empty_like,
    np.array_repr, np.array_str, np.array2string, np.isin, np.unravel_index, np.shares_memory, np.may_share_memory,
    np.linalg.matrix_rank, np.common_type, np.einsum_path, np.packbits, np.unpackbits, np.ravel_multi_index,
    np.busday_count, np.busday_offset, np.is_busday, np.datetime_as_string,
)  # fmt: skip
if hasattr(np, "bitwise_count"):
    constant(np.bitwise_count)
