"""Derivatives that other formulas would lose in the tails: sech**2, the logistic function, quotients of large squares.

1 - tanh(x)**2 is 0 for x = 20 and x / (x*x + y*y) is 0 for x = 1e200. Here every step stays in the range of the numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mytorch.autodiff.kinds import elementwise
from mytorch.autodiff.traced import Traced, plain

sech2: Any
logistic: Any
logistic2: Any


def _sech2(x):
    """1 / cosh(x)**2 by e = exp(-2|x|), which does not overflow as cosh does."""
    if isinstance(x, Traced):
        return sech2(x)
    if x.dtype.kind == "c":
        return 1 - np.square(np.tanh(x))
    e = np.exp(-2 * np.abs(x))
    total = 1 + e
    total *= total
    e *= 4
    e /= total
    return e


def _logistic(x):
    """1 / (1 + exp(-x))."""
    return logistic(x) if isinstance(x, Traced) else _share(x, np.exp(-np.abs(x)))


def _logistic2(x):
    """1 / (1 + 2**-x)."""
    return logistic2(x) if isinstance(x, Traced) else _share(x, np.exp2(-np.abs(x)))


def _share(x, e):
    """1 / (1 + e) for x >= 0, and e / (1 + e) for x < 0."""
    return np.where(x >= 0, np.ones((), e.dtype), e) / (1 + e)


HALF_LOG2 = math.log(2) / 2
sech2 = elementwise(_sech2, lambda y, x: -2 * np.tanh(x) * y)
logistic = elementwise(_logistic, lambda y, x: sech2(x / 2) / 4, of="x")
logistic2 = elementwise(_logistic2, lambda y, x: sech2(HALF_LOG2 * x) * (HALF_LOG2 / 2), of="x")


def apart(a, b):
    """a - b, and 0 where both are the same infinity."""
    both = np.isinf(plain(a)) & (plain(a) == plain(b))
    return np.where(both, 0, a) - np.where(both, 0, b) if np.any(both) else a - b


def length(x):
    """sqrt(1 + x**2), where x**2 may overflow; x**2 - -1 keeps the sign of a zero, the side of a branch cut."""
    return np.sqrt(x * x - -1) if x.dtype.kind == "c" else np.hypot(1, x)


def over_square(x, a, b):
    """x / (a**2 + b**2), where the squares may overflow or vanish."""
    with np.errstate(over="ignore"):
        squares = a * a + b * b
    known = plain(squares)
    if not isinstance(known, Traced):
        limits = np.finfo(known.dtype)
        if np.all((known > limits.tiny / limits.eps**2) & (known < np.inf)):
            return x / squares
    size = np.hypot(a, b)
    return x / size / size
