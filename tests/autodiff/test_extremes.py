"""Slopes of every elementwise function at extreme arguments, in three precisions and both modes, against mpmath.

The bound is in units in the last place (ulp) of the exact slope, rounded to the dtype. NumPy's own functions are allowed an
error of up to 4 ulp (SVML, which NumPy uses where the processor has AVX-512, states that much), so a slope that calls one of
them and rounds a few times more may be off by BOUND.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import grad, jvp
from mytorch.autodiff.kinds import Elementwise
from mytorch.autodiff.traced import TABLE

mpmath = pytest.importorskip("mpmath")
mp = mpmath.mp.clone()
mp.prec = 4000  # 1 + 1e-400 is not 1

BOUND = 4
DTYPES = [np.float64, np.float32, np.float16]
SIZES = [1e200, 1e35, 1e20, 6e4, 300.0, 40.0, 12.0, 4.0, 1.5, 1.0, 0.7, 0.3, 1e-3, 1e-7, 1e-20, 1e-35, 1e-200, 5e-324]
NEAR_ONE = [1 - 1e-7, 1 + 1e-7, 1 - 1e-3, 1 + 1e-3]
POINTS = [sign * size for size in SIZES + NEAR_ONE for sign in (1, -1)]


def logistic(x: Any, base: Any) -> Any:
    return 1 / (1 + base**-x)


# The derivative of each function of one argument, where it has one.
UNARY: dict[Any, Callable] = {
    np.negative: lambda x: -1, np.positive: lambda x: 1, np.square: lambda x: 2 * x, np.reciprocal: lambda x: -1 / x**2,
    np.sqrt: lambda x: 1 / (2 * mp.sqrt(x)), np.cbrt: lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2),
    np.exp: mp.exp, np.exp2: lambda x: mp.log(2) * mp.mpf(2) ** x, np.expm1: mp.exp,
    np.log: lambda x: 1 / x, np.log2: lambda x: 1 / (x * mp.log(2)), np.log10: lambda x: 1 / (x * mp.log(10)),
    np.log1p: lambda x: 1 / (1 + x),
    np.sin: mp.cos, np.cos: lambda x: -mp.sin(x), np.tan: lambda x: 1 + mp.tan(x) ** 2,
    np.arcsin: lambda x: 1 / mp.sqrt(1 - x**2), np.arccos: lambda x: -1 / mp.sqrt(1 - x**2),
    np.arctan: lambda x: 1 / (1 + x**2),
    np.sinh: mp.cosh, np.cosh: mp.sinh, np.tanh: lambda x: mp.sech(x) ** 2,
    np.arcsinh: lambda x: 1 / mp.sqrt(1 + x**2), np.arccosh: lambda x: 1 / mp.sqrt(x**2 - 1),
    np.arctanh: lambda x: 1 / (1 - x**2),
    np.deg2rad: lambda x: mp.pi / 180, np.radians: lambda x: mp.pi / 180,
    np.rad2deg: lambda x: 180 / mp.pi, np.degrees: lambda x: 180 / mp.pi, np.fabs: mp.sign,
}  # fmt: skip
# The two partial derivatives of each function of two arguments.
BINARY: dict[Any, tuple[Callable | None, Callable | None]] = {
    np.add: (lambda a, b: 1, lambda a, b: 1), np.subtract: (lambda a, b: 1, lambda a, b: -1),
    np.multiply: (lambda a, b: b, lambda a, b: a), np.true_divide: (lambda a, b: 1 / b, lambda a, b: -a / b**2),
    np.power: (lambda a, b: b * a ** (b - 1), lambda a, b: a**b * mp.log(a)),
    np.logaddexp: (lambda a, b: logistic(a - b, mp.e), lambda a, b: logistic(b - a, mp.e)),
    np.logaddexp2: (lambda a, b: logistic(a - b, mp.mpf(2)), lambda a, b: logistic(b - a, mp.mpf(2))),
    np.arctan2: (lambda a, b: b / (a**2 + b**2), lambda a, b: -a / (a**2 + b**2)),
    np.hypot: (lambda a, b: a / mp.hypot(a, b), lambda a, b: b / mp.hypot(a, b)),
    np.maximum: (lambda a, b: a > b, lambda a, b: b > a), np.minimum: (lambda a, b: a < b, lambda a, b: b < a),
    np.fmax: (lambda a, b: a > b, lambda a, b: b > a), np.fmin: (lambda a, b: a < b, lambda a, b: b < a),
    np.remainder: (lambda a, b: 1, lambda a, b: -mp.floor(a / b)),
    np.fmod: (lambda a, b: 1, lambda a, b: -mp.sign(a / b) * mp.floor(abs(a / b))),
    np.copysign: (lambda a, b: mp.sign(a) * mp.sign(b), None),
    np.nextafter: (lambda a, b: 1, None), np.heaviside: (None, None),
}  # fmt: skip


def wider(fun: Any, args: tuple, exact: Any, dtype: Any) -> float:
    """The factor by which a bound is wider, for the last digits that a function's definition loses before the slope does."""
    a, b = map(float, args)
    if fun in (np.logaddexp, np.logaddexp2):  # the slope is exp(a - b) in the tail, and the difference is rounded
        return 1 + abs(a - b) / 4
    if fun is np.power and abs(exact) < abs(b) * float(np.finfo(dtype).tiny):  # a**(b-1) is denormal, b times it is not
        return 1 + abs(b)
    return 1


PAIRS = [(a, b) for a in POINTS for b in POINTS if a != b][::5]


def test_every_elementwise_function_of_numpy_is_here() -> None:
    numpys = {fun for fun in TABLE if isinstance(fun, np.ufunc) and getattr(np, fun.__name__, None) is fun}
    elementwise = {fun for fun in numpys if isinstance(TABLE[fun], Elementwise)}
    assert elementwise - {np.ldexp} == {*UNARY, *BINARY}


def ulps(found: Any, exact: Any, dtype: Any) -> float:
    """The error of a slope. An exact slope beyond the largest number has to be infinite, or that number."""
    largest = np.finfo(dtype).max
    if abs(exact) > mp.mpf(float(largest)):
        return 0.0 if abs(found) >= largest and np.sign(found) == mp.sign(exact) else np.inf
    rounded = dtype(float(exact)) if dtype is not np.float64 else float(exact)
    spacing = float(np.spacing(np.abs(dtype(rounded))))
    return float(abs(mp.mpf(float(found)) - exact) / mp.mpf(spacing)) if np.isfinite(found) else np.inf


def usable(fun: Any, args: tuple, dtype: Any) -> tuple | None:
    """The arguments in a dtype; None outside of the function's domain, or where its value overflows."""
    given = tuple(dtype(x) for x in args)
    if not all(np.isfinite(x) and (x != 0 or y == 0) for x, y in zip(given, args)) or not np.isfinite(fun(*given)):
        return None
    return given


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fun", UNARY, ids=lambda fun: fun.__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
def test_slope(fun: Any, dtype: Any) -> None:
    worst = (0.0, None)
    for point in POINTS:
        args = usable(fun, (point,), dtype)
        if args is None:
            continue
        try:
            exact = mp.mpf(UNARY[fun](mp.mpf(float(args[0]))))
        except ZeroDivisionError:
            continue  # the slope is infinite
        for found in (grad(fun)(args[0]), jvp(fun, args, (dtype(1),))[1]):
            assert found.dtype == dtype
            worst = max(worst, (ulps(found, exact, dtype), args[0]), key=lambda pair: pair[0])
    assert worst[0] <= BOUND, worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_slope_of_sinc(dtype: Any) -> None:
    """cos(pi x) and sin(pi x) of a rounded pi x: off by pi |x| more."""
    for point in (0.0, 1e-20, 1e-7, 0.01, 0.09, 0.11, 0.3, 0.49, 0.51, 0.7, 1.0, 2.0, 12.3, 40.0):
        x = dtype(point)
        u = mp.pi * mp.mpf(float(x))
        exact = (mp.cos(u) - mp.sin(u) / u) * mp.pi / u if u else mp.mpf(0)
        for sign in (1, -1):
            for found in (grad(np.sinc)(dtype(sign * x)), jvp(np.sinc, (dtype(sign * x),), (dtype(1),))[1]):
                assert ulps(found, sign * exact, dtype) <= BOUND + 4 * point


@pytest.mark.parametrize("n", [-1000, -3, 0, 5, 900])
def test_slope_of_ldexp(n: int) -> None:
    assert grad(lambda x: np.ldexp(x, n))(1.5) == jvp(lambda x: np.ldexp(x, n), (1.5,), (1.0,))[1] == 2.0**n


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fun", BINARY, ids=lambda fun: fun.__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
def test_partial_slopes(fun: Any, dtype: Any) -> None:
    worst = (0.0, None, None)
    for pair in PAIRS:
        args = usable(fun, pair, dtype)
        if args is None or args[0] == args[1]:
            continue
        for i, partial in enumerate(BINARY[fun]):
            if partial is None:
                continue
            try:
                exact = mp.mpf(partial(*(mp.mpf(float(x)) for x in args)))
            except (ZeroDivisionError, TypeError, ValueError):
                continue
            alone = lambda x, i=i, args=args: fun(*args[:i], x, *args[i + 1 :])  # noqa: E731
            for found in (grad(fun, i)(*args), jvp(alone, (args[i],), (dtype(1),))[1]):
                assert found.dtype == dtype
                error = ulps(found, exact, dtype) / wider(fun, args, exact, dtype)
                worst = max(worst, (error, args, (i, found)), key=lambda entry: entry[0])
    assert worst[0] <= BOUND, worst
