"""np.linalg. Most derivatives are stated forward, as the tangent of the result; reverse mode transposes them.

cholesky, eigh and eigvalsh read one triangle; their gradients are those of the Hermitian matrix that it stands for, itself
Hermitian, as in JAX and PyTorch.

Sources: Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008); Golub
and Pereyra (1973) for the pseudoinverse; Townsend, "Differentiating the singular value decomposition" (2016); Walter and
Lehmann, "Algorithmic differentiation of linear algebra functions" (2010) for QR.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import numpy as np

from mytorch.autodiff.kinds import Explicit, composite, constant, explicit
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.tracer import plain
from mytorch.nn.rules import fit

la = np.linalg


def _t(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


def _h(a: Any) -> Any:
    return np.conj(_t(a)) if plain(a).dtype.kind == "c" else _t(a)


def _diagonals(a: Any) -> Any:
    return np.diagonal(a, axis1=-2, axis2=-1)


def _symmetric(a: Any) -> Any:
    return (a + _h(a)) / 2


def _eye(a: Any) -> Any:
    return np.eye(plain(a).shape[-1], dtype=plain(a).dtype)


# Inverse, solve, determinants
explicit(la.inv, [lambda g, y, a: -(_t(y) @ g @ _t(y))], [lambda t, y, a: -(y @ t @ y)])


class _Solve(Explicit):
    """A X = B: A dX = dB - dA X. Back: A^T W = G gives dL/dB = W and dL/dA = -W X^T. One solve each way, never an inverse."""

    def pull(self, g: Any, y: Any, args: Any, kwargs: Any, wanted: Any) -> Any:
        a, b = args
        w = la.solve(_t(a), g)
        return (fit(-(w @ _t(y)), a) if wanted[0] else None), (fit(w, b) if wanted[1] else None)


solve_columns = _Solve(
    la.solve, "linalg.solve", None, [lambda t, y, a, b: -la.solve(a, t @ y), lambda t, y, a, b: la.solve(a, t)]
)


def solve(a: Any, b: Any) -> Any:
    """np.linalg.solve: b is one column if it is 1-d, otherwise a stack of matrices (1.x: also a stack of columns)."""
    is_column = np.ndim(b) == 1 or (np.lib.NumpyVersion(np.__version__) < "2.0.0" and np.ndim(b) == np.ndim(a) - 1)
    return solve_columns(a, b[..., np.newaxis])[..., 0] if is_column else solve_columns(a, b)


composite(la.solve, solve)
explicit(
    la.det,
    [lambda g, y, a: (g * y)[..., np.newaxis, np.newaxis] * _t(la.inv(a))],
    [lambda t, y, a: y * np.trace(la.solve(a, t), axis1=-2, axis2=-1)],
)


def _slogdet_jvp(t: Any, y: Any, a: Any) -> Any:
    """d log det = tr(A^-1 dA); the sign of a complex determinant turns by its imaginary part."""
    change = np.trace(la.solve(a, t), axis1=-2, axis2=-1)
    return (y[0] * np.imag(change) * 1j, np.real(change)) if plain(a).dtype.kind == "c" else (None, change)


explicit(la.slogdet, jvps=[_slogdet_jvp])


# Decompositions
def _cholesky_jvp(t: Any, y: Any, a: Any, upper: bool = False) -> Any:
    """dL = L Phi(L^-1 dA L^-H), where Phi keeps the lower triangle and half of the diagonal."""
    inner = _h(la.solve(y, _h(la.solve(y, _symmetric(t)))))
    return y @ (np.tril(inner) - inner * (_eye(y) / 2))


_cholesky = explicit(la.cholesky, jvps=[_cholesky_jvp])
composite(la.cholesky, lambda a, *, upper=False: _h(_cholesky(_h(a))) if upper else _cholesky(a))


def _qr_jvp(t: Any, y: Any, a: Any) -> Any:
    """With dA R^-1 split by Q: the skew part turns Q, the upper triangle changes R."""
    q, r = y
    step = _t(la.solve(_t(r), _t(t)))
    inner = _h(q) @ step
    low = np.tril(inner, -1)
    turn = low - _h(low)
    if plain(a).dtype.kind == "c":  # the diagonal of R stays real
        turn = turn + 1j * np.imag(inner * _eye(inner))
    return q @ (turn - inner) + step, (inner - turn) @ r


def _qr_of(a: Any) -> Any:
    q, r = la.qr(a)
    return q, r


_qr = explicit(_qr_of, jvps=[_qr_jvp], name="linalg.qr")
QR = type(la.qr(np.ones((1, 1)))) if hasattr(la.qr(np.ones((1, 1))), "_fields") else None


def qr(a: Any, mode: str = "reduced") -> Any:
    """np.linalg.qr; of a wide matrix the square part is decomposed and the rest follows from Q."""
    rows, columns = np.shape(a)[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and rows <= columns):
        raise NotImplementedError(
            f"np.linalg.qr with mode={mode!r} of a {rows} x {columns} matrix has no derivative here: the added columns of Q "
            "are arbitrary. Use mode='reduced'."
        )
    q, r = _qr(a[..., :rows] if columns > rows else a)
    if columns > rows:
        r = np.concatenate([r, _h(q) @ a[..., rows:]], axis=-1)
    return r if mode == "r" else QR(q, r) if QR else (q, r)


composite(la.qr, qr)


def _gaps(values: Any, what: str) -> Any:
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


def _eigh_jvp(t: Any, y: Any, a: Any) -> Any:
    w, v = y
    inner = _h(v) @ _symmetric(t) @ v
    return np.real(_diagonals(inner)), v @ (_gaps(w, "eigenvalues") * inner)


def _eigvalsh_jvp(t: Any, y: Any, a: Any) -> Any:
    _, v = la.eigh(a)
    return np.real(_diagonals(_h(v) @ _symmetric(t) @ v))


def _lower(a: Any, uplo: str) -> Any:
    return _h(a) if uplo.upper() == "U" else a


_eigh = explicit(la.eigh, jvps=[_eigh_jvp])
_eigvalsh = explicit(la.eigvalsh, jvps=[_eigvalsh_jvp])
composite(la.eigh, lambda a, UPLO="L": _eigh(_lower(a, UPLO)))
composite(la.eigvalsh, lambda a, UPLO="L": _eigvalsh(_lower(a, UPLO)))


def _eig_jvp(t: Any, y: Any, a: Any) -> Any:
    """V^-1 dA V: its diagonal moves the eigenvalues, the rest turns the vectors. LAPACK's vectors have length 1 and their
    largest entry real, which fixes the multiple of itself that each one gets."""
    w, v = y
    inner = la.solve(v, t @ v)
    dv = v @ (_gaps(w, "eigenvalues") * inner)
    dv = dv - v * np.real(np.sum(np.conj(v) * dv, axis=-2, keepdims=True))
    if plain(v).dtype.kind == "c":
        largest = np.argmax(np.abs(plain(v)), axis=-2)[..., np.newaxis, :]
        dv = dv - v * (1j * np.imag(np.take_along_axis(dv, largest, -2) / np.take_along_axis(v, largest, -2)))
    return _diagonals(inner), dv


def _eigvals_jvp(t: Any, y: Any, a: Any) -> Any:
    _, v = la.eig(a)
    return _diagonals(la.solve(v, t @ v))


explicit(la.eig, jvps=[_eig_jvp])
explicit(la.eigvals, jvps=[_eigvals_jvp])


def _svd_jvp(t: Any, y: Any, a: Any) -> Any:
    """Townsend's formulas, with what lies outside of the columns of U and V added for matrices that are not square."""
    u, s, vh = y
    v = _h(vh)
    inner = _h(u) @ t @ v
    gaps = _gaps(s * s, "singular values")
    row, column = s[..., np.newaxis, :], s[..., :, np.newaxis]
    du = u @ (gaps * (inner * row + column * _h(inner)))
    dv = v @ (gaps * (column * inner + _h(inner) * row))
    if plain(a).dtype.kind == "c":  # a phase that u and v share is free; it is taken as u's
        du = du + u * (1j * np.imag(_diagonals(inner)) / s)[..., np.newaxis, :]
    rows, columns = plain(a).shape[-2:]
    if rows > columns:
        du = du + (t @ v - u @ (_h(u) @ (t @ v))) / row
    if columns > rows:
        dv = dv + (_h(t) @ u - v @ (vh @ (_h(t) @ u))) / row
    return du, np.real(_diagonals(inner)), _h(dv)


def _svdvals_jvp(t: Any, y: Any, a: Any) -> Any:
    u, _, vh = la.svd(a, full_matrices=False)
    return np.real(_diagonals(_h(u) @ t @ _h(vh)))


def _svd_of(a: Any) -> Any:
    return tuple(la.svd(a, full_matrices=False))


_svd = explicit(_svd_of, jvps=[_svd_jvp], name="linalg.svd")
_svdvals = explicit(lambda a: la.svd(a, compute_uv=False), jvps=[_svdvals_jvp], name="singular values")
SVD = type(la.svd(np.ones((1, 1)))) if hasattr(la.svd(np.ones((1, 1))), "_fields") else None


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """np.linalg.svd; the columns that full_matrices adds are arbitrary and are refused."""
    if not compute_uv:
        return _svdvals(a)
    if full_matrices and np.shape(a)[-1] != np.shape(a)[-2]:
        raise NotImplementedError(
            "np.linalg.svd(full_matrices=True) of a matrix that is not square adds arbitrary vectors, which have no "
            "derivative. Pass full_matrices=False."
        )
    return SVD(*_svd(a)) if SVD else _svd(a)


composite(la.svd, svd)
if hasattr(la, "svdvals"):
    composite(la.svdvals, lambda x, /: _svdvals(x))


# Least squares. With P = pinv(A): dP = -P dA P + P P^H dA^H (1 - A P) + (1 - P A) dA^H P^H P, for constant rank.
def _pinv_jvp(t: Any, y: Any, a: Any, *_: Any, **__: Any) -> Any:
    yh, th = _h(y), _h(t)
    return -(y @ t @ y) + y @ yh @ (th - th @ a @ y) + (th - y @ (a @ th)) @ yh @ y


explicit(la.pinv, jvps=[_pinv_jvp])


def _lstsq_a(t: Any, x: Any, a: Any, b: Any, rcond: Any) -> Any:
    p = la.pinv(a)
    th, residual = _h(t), b - a @ x
    return -(p @ (t @ x)) + p @ (_h(p) @ (th @ residual)) + (th @ (_h(p) @ x) - p @ (a @ (th @ (_h(p) @ x))))


_lstsq = explicit(
    lambda a, b, rcond: la.lstsq(a, b, rcond=rcond)[0],
    jvps=[_lstsq_a, lambda t, x, a, b, rcond: la.pinv(a) @ t],
    name="linalg.lstsq",
)


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """np.linalg.lstsq: the solution, the residuals and the singular values are differentiated, the rank is a number."""
    rcond = None if rcond == "warn" else rcond
    _, residuals, rank, _ = la.lstsq(plain(a), plain(b), rcond=rcond)
    x = _lstsq(a, b, rcond)
    rest = np.abs(b - a @ x)
    squares = np.atleast_1d(np.sum(rest * rest, axis=0)) if residuals.size else residuals
    return x, squares, rank, _svdvals(a)


composite(la.lstsq, lstsq)


# Norms, powers, chains
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None:
        x = np.ravel(x) if ord is None else x
        axes = tuple(range(np.ndim(x)))
    else:
        axes = (axis,) if isinstance(axis, int) else tuple(axis)
    settings: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    if ord is None or (ord in ("fro", "f") and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return np.sqrt(np.sum(_squares(x), **settings))
    if len(axes) == 1:
        return _vector_norm(x, ord, settings)
    if ord in (2, -2, "nuc"):
        s = _svdvals(np.moveaxis(x, axes, (-2, -1)))
        value = s[..., 0] if ord == 2 else s[..., -1] if ord == -2 else np.sum(s, axis=-1)
        return np.expand_dims(value, tuple(i % np.ndim(x) for i in axes)) if keepdims else value
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError(f"Invalid norm order {ord!r} for matrices.")
    summed, over = axes if abs(ord) == 1 else axes[::-1]
    extreme = np.max if ord > 0 else np.min
    return (
        extreme(np.sum(np.abs(x), axis=summed, keepdims=True), **settings)
        if keepdims
        else _squeeze_extreme(x, summed, over, extreme)
    )


def _squeeze_extreme(x: Any, summed: int, over: int, extreme: Any) -> Any:
    summed, over = summed % np.ndim(x), over % np.ndim(x)
    return extreme(np.sum(np.abs(x), axis=summed), axis=over - (over > summed))


def _vector_norm(x: Any, ord: Any, settings: Any) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors.")
    if ord == 0:
        return np.sum(plain(x) != 0, **settings).astype(np.abs(plain(x)).dtype)
    size = np.abs(x)
    if np.isinf(ord):
        return np.max(size, **settings) if ord > 0 else np.min(size, **settings)
    return np.sum(size, **settings) if ord == 1 else in_dtype(np.sum(size**ord, **settings) ** (1 / ord), size.dtype)


def _squares(x: Any) -> Any:
    return np.square(np.real(x)) + np.square(np.imag(x)) if plain(x).dtype.kind == "c" else np.square(x)


composite(la.norm, _norm)
if hasattr(la, "vector_norm"):
    composite(
        la.vector_norm,
        lambda x, /, *, axis=None, keepdims=False, ord=2: _norm(
            np.ravel(x) if axis is None and not keepdims else x,
            ord if (axis is None and not keepdims) or isinstance(axis, int) else None,
            axis,
            keepdims,
        ),
    )
    composite(la.matrix_norm, lambda x, /, *, keepdims=False, ord="fro": _norm(x, ord, (-2, -1), keepdims))


def _matrix_power(a: Any, n: int) -> Any:
    n = operator.index(n)
    base, power, result = (la.inv(a) if n < 0 else a), abs(n), None
    while power:
        if power & 1:
            result = base if result is None else result @ base
        power >>= 1
        base = base @ base if power else base
    return np.broadcast_to(_eye(a), np.shape(a)) + 0 * a if result is None else result


def _multi_dot(arrays: Any, out: Any = None) -> Any:
    """Multiplied in the order that costs least, found as in Cormen et al., "Introduction to Algorithms", section 15.2."""
    arrays = list(arrays)
    n = len(arrays)
    sizes = [1 if np.ndim(arrays[0]) == 1 else np.shape(arrays[0])[0]] + [
        np.shape(a)[0] if np.ndim(a) == 1 else np.shape(a)[-1] for a in arrays
    ]
    if np.ndim(arrays[-1]) == 1:
        sizes[-1] = 1
    if n < 3:
        return reduce(np.matmul, arrays)
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = (
                (best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
            best[i, j] = min(costs)

    def product(i: int, j: int) -> Any:
        return arrays[i] if i == j else np.matmul(product(i, best[i, j][1]), product(best[i, j][1] + 1, j))

    return product(0, n - 1)


composite(la.matrix_power, _matrix_power)
composite(la.multi_dot, _multi_dot)
composite(
    la.cond,
    lambda x, p=None: (
        la.norm(x, 2, (-2, -1)) / la.norm(x, -2, (-2, -1))
        if p in (None, 2)
        else la.norm(x, p, (-2, -1)) * la.norm(la.inv(x), p, (-2, -1))
    ),
)
# NumPy 2 has some functions a second time under linalg, over the last two axes.
_TWINS: dict[str, Any] = {
    "matmul": np.matmul,
    "outer": np.outer,
    "tensordot": np.tensordot,
    "cross": np.cross,
    "diagonal": lambda x, offset=0: np.diagonal(x, offset, -2, -1),
    "trace": lambda x, offset=0: np.trace(x, offset, -2, -1),
    "matrix_transpose": _t,
    "vecdot": lambda a, b, axis=-1: np.sum(np.conj(np.moveaxis(a, axis, -1)) * np.moveaxis(b, axis, -1), axis=-1),
}
for _name, _twin in _TWINS.items():
    if hasattr(la, _name) and getattr(la, _name) is not getattr(np, _name, None):
        composite(getattr(la, _name), _twin)
constant(la.matrix_rank)
