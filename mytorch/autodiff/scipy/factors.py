"""scipy.linalg: the factors of a matrix, cholesky, lu, qr, eigh, svd, by the tangents that NumPy's rules have for them.

The values are SciPy's own: which sign a column has, and which triangle is read, is settled by the routine of LAPACK that is
called. Sources: see mytorch.autodiff.rules.decompositions; de Hoog, Anderssen and Lukas, "Differentiation of matrix
functionals using triangular factorization" (2011) for LU; Magnus and Neudecker, "Matrix Differential Calculus" (1988),
chapter 8, for eigenvalues.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.linalg as sl

from mytorch.autodiff.kinds import primitive
from mytorch.autodiff.rules.decompositions import (
    Decomposition,
    adjoint,
    diagonals,
    eye,
    inverse_gaps,
    qr_jvp,
    svd_added,
    svd_jvp,
    turned,
)
from mytorch.autodiff.scipy.registering import differentiable, named, opaque
from mytorch.autodiff.scipy.triangular import exchanged, solve_triangular
from mytorch.autodiff.traced import TABLE, plain

solve_lower = partial(solve_triangular, lower=True, check_finite=False)


# The matrix that one triangle stands for
def _whole(a, lower: bool, hermitian: bool):
    kept, other = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
    if not hermitian or a.dtype.kind != "c":
        return kept + turned(other)
    return kept + adjoint(other) - 1j * np.imag(eye(a) * a)


def _levelled(t, y, a, lower: bool, hermitian: bool):
    return (t + (adjoint(t) if hermitian else turned(t))) / 2


whole = opaque(_whole, jvps=[_levelled], name="scipy.linalg.solve")


# Cholesky: A = L L^H or U^H U. dL = L Phi(L^-1 dA L^-H), where Phi keeps the lower triangle and half of the diagonal.
def _cholesky_jvp(t, y, a, lower: bool):
    factor = y if lower else adjoint(y)
    inner = solve_lower(factor, adjoint(solve_lower(factor, (t + adjoint(t)) / 2)))
    change = factor @ (np.tril(inner) - inner * (eye(inner) / 2))
    return change if lower else adjoint(change)


_cholesky = opaque(lambda a, lower: sl.cholesky(a, lower=lower), jvps=[_cholesky_jvp], name="scipy.linalg.cholesky")
cholesky = differentiable(sl.cholesky)(lambda a, lower=False: _cholesky(a, lower=bool(lower)))


@differentiable(sl.cho_factor)
def cho_factor(a, lower=False):
    """The factor, and in the triangle that it leaves free the entries of a, as SciPy leaves them."""
    return cholesky(a, lower=lower, check_finite=False) + (np.triu(a, 1) if lower else np.tril(a, -1)), lower


# LU: with F = L^-1 P dA U^-1, dL = L times the part of F below the diagonal, and dU = the rest of F times U.
def _lu_jvp(t, y, a):
    """One square matrix holds both: U, and L without its diagonal of ones."""
    lu, piv = y
    if lu.shape[-2] != lu.shape[-1]:
        raise NotImplementedError(
            f"scipy.linalg.lu_factor of a matrix of shape {lu.shape} has no derivative here: it takes square ones."
        )
    left = solve_lower(lu, t[exchanged(piv)], unit_diagonal=True)
    inner = turned(solve_triangular(lu, turned(left), trans=1, check_finite=False))
    below = np.tril(lu, -1) + eye(lu)
    return below @ np.tril(inner, -1) + np.triu(inner) @ np.triu(lu), None


_lu_factor = opaque(lambda a: sl.lu_factor(a), jvps=[_lu_jvp], name="scipy.linalg.lu_factor")
lu_factor = differentiable(sl.lu_factor)(lambda a: _lu_factor(a))


# QR
def _decomposition(fun, name: str, jvp, added):
    function = named(primitive(fun), name)
    TABLE[function] = Decomposition(function, name, jvp, added)
    return function


_qr = _decomposition(
    lambda a, mode: sl.qr(a, mode=mode),
    "scipy.linalg.qr",
    qr_jvp,
    lambda g, a: [None if g[0] is None else g[0][..., a.shape[-1] :]],
)


@differentiable(sl.qr)
def qr(a, mode="full", pivoting=False):
    """Of a wide matrix the square part is decomposed and the rest follows from Q; pivoting exchanges columns before that."""
    if mode not in ("full", "r", "economic"):
        raise NotImplementedError(
            f"scipy.linalg.qr with mode={mode!r} has no derivative here. Use mode='full', 'economic' or 'r'."
        )
    order = sl.qr(plain(a), mode="r", pivoting=True)[-1] if pivoting else None
    a = a[:, order] if pivoting else a
    rows, columns = np.shape(a)[-2:]
    q, r = _qr(a[..., :rows], mode="economic" if mode == "economic" else "full")
    r = np.concatenate([r, adjoint(q) @ a[..., rows:]], axis=-1) if columns > rows else r
    result = (r,) if mode == "r" else (q, r)
    return (*result, order) if pivoting else result


# Eigenvalues of A V = B V diag(w), with V^H B V = 1
def _eigh_jvp(i: int, t, y, a, b, lower: bool):
    """Along dA and dB: V^H (dA - w dB) V moves w by its diagonal and turns V by the rest; dB also changes their length."""
    w, v = y
    t = (t + adjoint(t)) / 2
    inner = adjoint(v) @ t @ v
    change = inner if i == 0 else -inner * w
    turn = inverse_gaps(w, "eigenvalues") * change
    return np.real(diagonals(change)), v @ (turn if i == 0 else turn - eye(inner) * inner / 2)


def _eigvalsh_jvp(i: int, t, y, a, b, lower: bool):
    w, v = _eigh(a, b, lower=lower)
    inner = np.real(diagonals(adjoint(v) @ ((t + adjoint(t)) / 2) @ v))
    return inner if i == 0 else -inner * w


_eigh = opaque(lambda a, b, lower: sl.eigh(a, b, lower=lower), jvps=_eigh_jvp, name="scipy.linalg.eigh")
_eigvalsh = opaque(
    lambda a, b, lower: sl.eigh(a, b, lower=lower, eigvals_only=True), jvps=_eigvalsh_jvp, name="scipy.linalg.eigvalsh"
)


@differentiable(sl.eigh)
def eigh(a, b=None, lower=True, eigvals_only=False):
    return (_eigvalsh if eigvals_only else _eigh)(a, b, lower=bool(lower))


@differentiable(sl.eigvalsh)
def eigvalsh(a, b=None, lower=True):
    return _eigvalsh(a, b, lower=bool(lower))


# Singular values
_svd = _decomposition(lambda a, full_matrices: sl.svd(a, full_matrices), "scipy.linalg.svd", svd_jvp, svd_added)


def _svdvals_jvp(t, y, a):
    u, _, vh = _svd(a, full_matrices=False)
    return np.real(diagonals(adjoint(u) @ t @ adjoint(vh)))


_svdvals = opaque(lambda a: sl.svdvals(a), jvps=[_svdvals_jvp], name="scipy.linalg.svdvals")


@differentiable(sl.svd)
def svd(a, full_matrices=True, compute_uv=True):
    return _svd(a, full_matrices=bool(full_matrices)) if compute_uv else _svdvals(a)


svdvals = differentiable(sl.svdvals)(lambda a: _svdvals(a))
