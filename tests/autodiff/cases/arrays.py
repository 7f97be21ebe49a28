"""The arrays that the cases are tried on."""

# ruff: noqa: E741
from __future__ import annotations

from typing import Any

import numpy as np

R = np.random.default_rng(7)


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    return np.asarray(R.uniform(low, high, shape))


def cplx(*shape: int) -> Any:
    return np.asarray(R.uniform(-1, 1, shape) + 1j * R.uniform(-1, 1, shape))


def spd(*shape: int) -> Any:
    a = R.uniform(-1, 1, shape)
    return a @ np.swapaxes(a, -1, -2) + 2 * np.eye(shape[-1])


U, V, W = real(3, 4), real(4), real(2, 3, 4)
P, Q = real(3, 4, low=0.3, high=2.5), real(4, low=0.3, high=2.5)
I, J = real(3, 4, low=-0.9, high=0.9), real(4, low=1.2, high=3.0)
M, N = real(4, 4), real(2, 3, 3)
Z, Y, X = cplx(3, 4), cplx(4), cplx(3, 3)
S, T = spd(3, 3), spd(2, 4, 4)
F = real(6)
HOLES = np.arange(12).reshape(3, 4) % 5 == 2
MASK = np.arange(12).reshape(3, 4) % 3 == 0
B = np.array([2, 0, 3])
