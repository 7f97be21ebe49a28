"""scipy.linalg: triangular equations, and those that a Cholesky or LU factorisation has made triangular."""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl

from mytorch.autodiff.kinds import Explicit, primitive
from mytorch.autodiff.rules.decompositions import eye, turned
from mytorch.autodiff.scipy.registering import differentiable
from mytorch.autodiff.traced import TABLE, plain
from mytorch.utils import fit


class _Triangular(Explicit):
    """T X = B: dX = T^-1 (dB - dT X). Back: T^T W = G gives dL/dB = W and dL/dT = -W X^T."""

    def pull(self, g, y, args, kwargs, wanted):
        t, b = args
        w = _triangular(turned(t), g, lower=not kwargs["lower"])
        return fit(-(w @ turned(y)), t) if wanted[0] else None, fit(w, b) if wanted[1] else None


@primitive
def _triangular(t, b, lower):
    return sl.solve_triangular(t, b, lower=lower, check_finite=False)


TABLE[_triangular] = _Triangular(
    _triangular,
    "scipy.linalg.solve_triangular",
    None,
    [
        lambda t, y, a, b, lower: -_triangular(a, t @ y, lower=lower),
        lambda t, y, a, b, lower: _triangular(a, t, lower=lower),
    ],
)


@differentiable(sl.solve_triangular)
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    """The transposed matrix is a triangular one of the other kind; a unit diagonal takes the place of that of a."""
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"scipy.linalg.solve_triangular got trans={trans!r}. It takes 0, 1, 2, 'N', 'T' or 'C'.")
    lower = bool(lower)
    matrix = (np.tril if lower else np.triu)(a, (-1 if lower else 1) if unit_diagonal else 0)
    matrix = matrix + eye(matrix) if unit_diagonal else matrix
    if trans not in (0, "N"):
        matrix, lower = turned(np.conj(matrix) if trans in (2, "C") else matrix), not lower
    x = _triangular(matrix, b[..., np.newaxis] if np.ndim(b) == 1 else b, lower=lower)
    return x[..., 0] if np.ndim(b) == 1 else x


@differentiable(sl.cho_solve)
def cho_solve(c_and_lower, b):
    """A = L L^H or U^H U: the two triangular systems, one after the other."""
    c, lower = c_and_lower
    first = solve_triangular(c, b, trans=0 if lower else 2, lower=lower, check_finite=False)
    return solve_triangular(c, first, trans=2 if lower else 0, lower=lower, check_finite=False)


@differentiable(sl.lu_solve)
def lu_solve(lu_and_piv, b, trans=0):
    """A is L U with its rows exchanged as piv says: row i with row piv[i], one after the other."""
    lu, piv = lu_and_piv
    rows = exchanged(plain(piv))
    unit = {"lower": True, "unit_diagonal": True, "check_finite": False}
    if trans == 0:
        return solve_triangular(lu, solve_triangular(lu, b[rows], **unit), check_finite=False)
    if trans not in (1, 2):
        raise ValueError(f"scipy.linalg.lu_solve got trans={trans!r}. It takes 0, 1 or 2.")
    return solve_triangular(lu, solve_triangular(lu, b, trans, check_finite=False), trans, **unit)[np.argsort(rows)]


def exchanged(piv) -> np.ndarray:
    """The order of the rows after LAPACK's exchanges."""
    rows = np.arange(len(piv))
    for i, j in enumerate(piv):
        rows[[i, j]] = rows[[j, i]]
    return rows
