"""Decompositions of matrices: cholesky, qr, eigh, eig, svd. The tangents of the factors; reverse mode transposes them.

cholesky, eigh and eigvalsh read one triangle; their gradients are those of the Hermitian matrix that it stands for, itself
Hermitian, as in JAX and PyTorch.

Sources: Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008);
Townsend, "Differentiating the singular value decomposition" (2016); Walter and Lehmann, "Algorithmic differentiation of
linear algebra functions" (2010) for QR.
"""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import Explicit, composite, explicit, register
from mytorch.autodiff.traced import plain

la = np.linalg


def turned(a):
    return np.swapaxes(a, -1, -2)


def adjoint(a):
    return np.conj(turned(a)) if plain(a).dtype.kind == "c" else turned(a)


def diagonals(a):
    return np.diagonal(a, axis1=-2, axis2=-1)


def _symmetric(a):
    return (a + adjoint(a)) / 2


def eye(a):
    return np.eye(plain(a).shape[-1], dtype=plain(a).dtype)


class Decomposition(Explicit):
    """A decomposition whose added columns any rotation among themselves leaves valid, so that they have no derivative.

    ``added``: the parts of the outputs, or of their gradients, that these columns are. They get NaN for their tangents, and a
    gradient that arrives there is refused.
    """

    def __init__(self, fun, name: str, jvp, added) -> None:
        super().__init__(fun, name, None, [jvp])
        self.added = added

    def pull(self, g, y, args, kwargs, wanted):
        if any(part is not None and np.any(plain(part) != 0) for part in self.added(g, args[0])):
            raise NotImplementedError(
                f"The result depends on columns that {self.name} adds to a matrix of shape {args[0].shape[-2:]} to make a "
                "square one. Every rotation of them would do as well, so they have no derivative. Use those that belong to "
                "the matrix alone: full_matrices=False in svd, mode='reduced' in qr."
            )
        return super().pull(g, y, args, kwargs, wanted)


def _with_unknown(part, whole, axis: int):
    """The tangent of some columns (axis -1) or rows (-2), and NaN for the others."""
    shape = list(part.shape)
    shape[axis] = plain(whole).shape[axis] - shape[axis]
    return np.concatenate([part, np.full(shape, np.nan, part.dtype)], axis=axis) if shape[axis] else part


def _cholesky_jvp(t, y, a, upper: bool = False):
    """dL = L Phi(L^-1 dA L^-H), where Phi keeps the lower triangle and half of the diagonal."""
    if upper:
        return adjoint(_cholesky_jvp(t, adjoint(y), a))
    inner = adjoint(la.solve(y, adjoint(la.solve(y, _symmetric(t)))))
    return y @ (np.tril(inner) - inner * (eye(y) / 2))


class _Cholesky(Explicit):
    """Of a real matrix, with G the gradient of L: L^-T Phi(L^T G) L^-1, made symmetric; the transposed tangent by hand."""

    def pull(self, g, y, args, kwargs, wanted):
        if plain(y).dtype.kind == "c" or kwargs.get("upper"):
            return super().pull(g, y, args, kwargs, wanted)
        inner = turned(y) @ g
        inner = np.tril(inner) - inner * (eye(y) / 2)
        return [_symmetric(turned(la.solve(turned(y), turned(la.solve(turned(y), inner)))))]


register(la.cholesky, _Cholesky(la.cholesky, "linalg.cholesky", None, [_cholesky_jvp]))


def qr_jvp(t, y, a, mode: str = "reduced"):
    """With dA R^-1 split by Q: the skew part turns Q, the upper triangle changes R."""
    k = plain(a).shape[-1]
    q, r = y[0][..., :k], y[1][..., :k, :]
    step = turned(la.solve(turned(r), turned(t)))
    inner = adjoint(q) @ step
    low = np.tril(inner, -1)
    turn = low - adjoint(low)
    if plain(a).dtype.kind == "c":  # the diagonal of R stays real
        turn = turn + 1j * np.imag(inner * eye(inner))
    below = plain(y[1]).shape[-2] - k
    dr = (inner - turn) @ r
    dr = np.concatenate([dr, np.zeros((*r.shape[:-2], below, k), dr.dtype)], axis=-2) if below else dr
    return _with_unknown(q @ (turn - inner) + step, y[0], -1), dr


_qr = Decomposition(
    lambda a, mode: tuple(la.qr(a, mode)),
    "linalg.qr",
    qr_jvp,
    lambda y, a: [None if y[0] is None else y[0][..., a.shape[-1] :]],
)
QR = type(la.qr(np.ones((1, 1)))) if hasattr(la.qr(np.ones((1, 1))), "_fields") else None


def qr(a, mode: str = "reduced"):
    """np.linalg.qr; of a wide matrix the square part is decomposed and the rest follows from Q."""
    rows, columns = np.shape(a)[-2:]
    if mode not in ("reduced", "r", "complete"):
        raise NotImplementedError(
            f"np.linalg.qr with mode={mode!r} has no derivative here. Use mode='reduced', 'complete' or 'r'."
        )
    q, r = _qr(a[..., :rows] if columns > rows else a, mode="complete" if mode == "complete" else "reduced")
    if columns > rows:
        r = np.concatenate([r, adjoint(q) @ a[..., rows:]], axis=-1)
    return r if mode == "r" else QR(q, r) if QR else (q, r)


composite(la.qr, qr)


def inverse_gaps(values, what: str):
    """1 / (values[j] - values[i]) and 0 on the diagonal; refuses values that coincide."""
    difference = values[..., np.newaxis, :] - values[..., :, np.newaxis]
    own = np.eye(values.shape[-1], dtype=bool)
    known = plain(values)
    scale = np.max(np.abs(known), axis=-1, initial=0)[..., np.newaxis, np.newaxis]
    if np.any((np.abs(plain(difference)) <= 8 * np.finfo(known.dtype).eps * scale) & ~own):
        raise la.LinAlgError(
            f"Two {what} coincide (to rounding), so the vectors that belong to them have no derivative. The {what} alone "
            "have: take them from eigvalsh, eigvals or svd(compute_uv=False), or perturb the matrix."
        )
    return np.where(own, 0, 1 / np.where(own, 1, difference))


def _eigh_jvp(t, y, a, UPLO="L"):
    w, v = y
    inner = adjoint(v) @ _symmetric(t) @ v
    return np.real(diagonals(inner)), v @ (inverse_gaps(w, "eigenvalues") * inner)


def _eigvalsh_jvp(t, y, a, UPLO="L"):
    _, v = la.eigh(a, UPLO)
    return np.real(diagonals(adjoint(v) @ _symmetric(t) @ v))


explicit(la.eigh, jvps=[_eigh_jvp])
explicit(la.eigvalsh, jvps=[_eigvalsh_jvp])


def _eig_jvp(t, y, a):
    """V^-1 dA V: its diagonal moves the eigenvalues, the rest turns the vectors. LAPACK's vectors have length 1 and their
    largest entry real, which fixes the multiple of itself that each one gets."""
    w, v = y
    inner = la.solve(v, t @ v)
    dv = v @ (inverse_gaps(w, "eigenvalues") * inner)
    dv = dv - v * np.real(np.sum(np.conj(v) * dv, axis=-2, keepdims=True))
    if plain(v).dtype.kind == "c" and plain(v).size:
        largest = np.argmax(np.abs(plain(v)), axis=-2)[..., np.newaxis, :]
        dv = dv - v * (1j * np.imag(np.take_along_axis(dv, largest, -2) / np.take_along_axis(v, largest, -2)))
    return diagonals(inner), dv


def _eigvals_jvp(t, y, a):
    _, v = la.eig(a)
    return diagonals(la.solve(v, t @ v))


explicit(la.eig, jvps=[_eig_jvp])
explicit(la.eigvals, jvps=[_eigvals_jvp])


def svd_jvp(t, y, a, full_matrices: bool = False):
    """Townsend's formulas. Of a matrix that is not square, the part outside of the columns of U and V is added."""
    s = y[1]
    u, vh = y[0][..., : s.shape[-1]], y[2][..., : s.shape[-1], :]
    v = adjoint(vh)
    inner = adjoint(u) @ t @ v
    gaps = inverse_gaps(s * s, "singular values")
    row, column = s[..., np.newaxis, :], s[..., :, np.newaxis]
    du = u @ (gaps * (inner * row + column * adjoint(inner)))
    dv = v @ (gaps * (column * inner + adjoint(inner) * row))
    if plain(a).dtype.kind == "c":  # a phase that u and v share is free; it is taken as u's
        du = du + u * (1j * np.imag(diagonals(inner)) / s)[..., np.newaxis, :]
    rows, columns = plain(a).shape[-2:]
    if rows > columns:
        du = du + (t @ v - u @ (adjoint(u) @ (t @ v))) / row
    if columns > rows:
        dv = dv + (adjoint(t) @ u - v @ (vh @ (adjoint(t) @ u))) / row
    return _with_unknown(du, y[0], -1), np.real(diagonals(inner)), _with_unknown(adjoint(dv), y[2], -2)


def _svdvals_jvp(t, y, a):
    u, _, vh = la.svd(a, full_matrices=False)
    return np.real(diagonals(adjoint(u) @ t @ adjoint(vh)))


def svd_added(y, a):
    k = min(a.shape[-2:])
    return [None if y[0] is None else y[0][..., k:], None if y[2] is None else y[2][..., k:, :]]


_svd = Decomposition(
    lambda a, full_matrices: tuple(la.svd(a, full_matrices=full_matrices)), "linalg.svd", svd_jvp, svd_added
)
svdvals = explicit(lambda a: la.svd(a, compute_uv=False), jvps=[_svdvals_jvp], name="singular values")
SVD = type(la.svd(np.ones((1, 1)))) if hasattr(la.svd(np.ones((1, 1))), "_fields") else None


def svd(a, full_matrices: bool = True, compute_uv: bool = True):
    """np.linalg.svd. The columns that full_matrices adds to u and vh may be read, but not differentiated."""
    if not compute_uv:
        return svdvals(a)
    parts = _svd(a, full_matrices=full_matrices)
    return SVD(*parts) if SVD else parts


composite(la.svd, svd)
if hasattr(la, "svdvals"):
    composite(la.svdvals, lambda x, /: svdvals(x))
