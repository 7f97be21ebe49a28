"""scipy.linalg with derivatives: linear equations, inverses, functions of matrices, and the factors of factors.py.

``from mytorch.autodiff.scipy import linalg`` stands for ``from scipy import linalg``. What is not defined here is SciPy's.
What reads one triangle of a matrix (assume_a="pos", "sym" or "her"; cholesky, eigh) has the gradient of the symmetric or
Hermitian matrix that it stands for, as NumPy's rules have. Sources: Giles, "Collected matrix derivative results for forward
and reverse mode algorithmic differentiation" (2008); Higham, "Functions of Matrices" (2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.kinds import Explicit, primitive
from mytorch.autodiff.rules.decompositions import adjoint, turned
from mytorch.autodiff.scipy.factors import (
    cho_factor,
    cholesky,
    eigh,
    eigvalsh,
    lu_factor,
    qr,
    svd,
    svdvals,
    whole,
)
from mytorch.autodiff.scipy.registering import differentiable, opaque
from mytorch.autodiff.scipy.triangular import cho_solve, lu_solve, solve_triangular
from mytorch.autodiff.traced import TABLE, plain
from mytorch.utils import fit

__all__ = [
    "cho_factor", "cho_solve", "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "logm", "lu_factor", "lu_solve", "qr",
    "solve", "solve_banded", "solve_continuous_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svd", "svdvals",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    return getattr(sl, name)


# The part of a matrix that SciPy reads under assume_a
def _read(a, assume_a, lower: bool):
    if assume_a in (None, "gen", "general", "banded"):
        return a
    if assume_a in ("sym", "symmetric", "her", "hermitian", "pos", "positive definite"):
        return whole(a, lower=bool(lower), hermitian=not assume_a.startswith("sym"))
    parts = {"lower triangular": (None, 0), "upper triangular": (0, None), "diagonal": (0, 0), "tridiagonal": (-1, 1)}
    if assume_a not in parts:
        raise ValueError(f"{assume_a} is not a recognized matrix structure")
    first, last = parts[assume_a]
    a = a if first is None else np.triu(a, first)
    return a if last is None else np.tril(a, last)


@differentiable(sl.solve)
def solve(a, b, lower=False, assume_a=None, transposed=False):
    if transposed and plain(a).dtype.kind == "c":
        raise NotImplementedError(
            "scipy.linalg.solve takes no complex matrix with transposed=True. Give it a.T instead."
        )
    matrix = _read(a, assume_a, lower)
    matrix = turned(matrix) if transposed else matrix
    columns = b[..., np.newaxis] if np.ndim(b) == 1 else b
    if np.ndim(columns) < np.ndim(matrix):
        columns = np.reshape(columns, (1,) * (np.ndim(matrix) - np.ndim(columns)) + np.shape(columns))
    x = np.linalg.solve(matrix, columns)
    return x[..., 0] if np.ndim(b) == 1 else x


@differentiable(sl.inv)
def inv(a, assume_a=None, lower=False):
    return np.linalg.inv(_read(a, assume_a, lower))


@differentiable(sl.det)
def det(a):
    return np.linalg.det(a)


# Functions of matrices. That of [[A, E], [0, A]] has the derivative at A along E in its upper right corner: Higham, (3.16).
def _along(function):
    def derivative(a, e):
        n = np.shape(a)[-1]
        below = np.concatenate([np.zeros_like(plain(a)), a], axis=-1)
        return function(np.concatenate([np.concatenate([a, e], axis=-1), below], axis=-2))[..., :n, n:]

    return [lambda g, y, a: derivative(turned(a), g)], [lambda t, y, a: derivative(a, t)]


expm: Function = opaque(sl.expm, *_along(lambda a: expm(a)))
_logm: Function = opaque(sl.logm, *_along(lambda a: _logm(a)))
logm = differentiable(sl.logm)(lambda A: _logm(A))


class _Sylvester(Explicit):
    """A X + X B = Q: dX solves it for dQ - dA X - X dB, and W for the transposed matrices and G gives all three gradients."""

    def pull(self, g, y, args, kwargs, wanted):
        a, b, _ = args
        w = solve_sylvester(turned(a), turned(b), g)
        parts = (-(w @ turned(y)), -(turned(y) @ w), w)
        return [fit(part, x) if node else None for part, x, node in zip(parts, args, wanted)]


solve_sylvester = primitive(sl.solve_sylvester)
TABLE[solve_sylvester] = _Sylvester(
    solve_sylvester,
    "scipy.linalg.solve_sylvester",
    None,
    [
        lambda t, y, a, b, q: solve_sylvester(a, b, -(t @ y)),
        lambda t, y, a, b, q: solve_sylvester(a, b, -(y @ t)),
        lambda t, y, a, b, q: solve_sylvester(a, b, t),
    ],
)
solve_continuous_lyapunov = differentiable(sl.solve_continuous_lyapunov)(lambda a, q: solve_sylvester(a, adjoint(a), q))
_sqrtm = opaque(  # dY Y + Y dY = dA
    sl.sqrtm,
    [lambda g, y, a: solve_sylvester(turned(y), turned(y), g)],
    [lambda t, y, a: solve_sylvester(y, y, t)],
)
sqrtm = differentiable(sl.sqrtm)(lambda A: _sqrtm(A))


# Banded equations. Row r of ab holds the diagonal r - u: ab[r, j] = A[r - u + j, j].
def _diagonals(l_and_u, ab):
    """For each row: which entries of it the matrix has, and which rows of the matrix they stand in."""
    n = np.shape(ab)[-1]
    for r in range(np.shape(ab)[0]):
        k = r - l_and_u[1]
        yield slice(max(-k, 0), max(n - max(k, 0), 0)), slice(max(k, 0), max(n + min(k, 0), 0)), (max(k, 0), max(-k, 0))


def _padded(x, before: int, after: int):
    return np.pad(x, [(before, after)] + [(0, 0)] * (np.ndim(x) - 1))


def _times(l_and_u, ab, x):
    """A x for A in its banded form."""
    x = x if np.ndim(x) == 2 else x[:, np.newaxis]
    return sum(_padded(ab[r, j][:, np.newaxis] * x[j], *pads) for r, (j, _, pads) in enumerate(_diagonals(l_and_u, ab)))


def _turned_band(l_and_u, ab):
    """The transposed matrix in its banded form: the diagonals in opposite order, each shifted to its new columns."""
    rows = [_padded(ab[r, j], *pads) for r, (j, _, pads) in enumerate(_diagonals(l_and_u, ab))]
    return np.stack(rows[::-1])


class _Banded(Explicit):
    """A X = B: dX solves it for dB - dA X; back, A^T W = G gives dL/dB = W and dL/dA = -W X^T inside the band."""

    def pull(self, g, y, args, kwargs, wanted):
        l_and_u, ab, b = args
        w = _solve_banded(tuple(l_and_u)[::-1], _turned_band(l_and_u, ab), g)
        rows, columns = (x if np.ndim(x) == 2 else x[:, np.newaxis] for x in (w, y))
        inside = [
            _padded(np.sum(rows[i] * columns[j], axis=-1), pads[1], pads[0]) for j, i, pads in _diagonals(l_and_u, ab)
        ]
        return None, fit(-np.stack(inside), ab) if wanted[1] else None, fit(w, b) if wanted[2] else None


_solve_banded = primitive(sl.solve_banded)
TABLE[_solve_banded] = _Banded(
    _solve_banded,
    "scipy.linalg.solve_banded",
    None,
    [
        None,
        lambda t, y, l_and_u, ab, b: -_solve_banded(l_and_u, ab, np.reshape(_times(l_and_u, t, y), np.shape(y))),
        lambda t, y, l_and_u, ab, b: _solve_banded(l_and_u, ab, t),
    ],
)
solve_banded = differentiable(sl.solve_banded)(lambda l_and_u, ab, b: _solve_banded(l_and_u, ab, b))
