"""np.linalg: inverse, solve, determinants, least squares, norms, powers, chains.

Most derivatives are stated forward, as the tangent of the result; reverse mode transposes them. Sources: Giles, "Collected
matrix derivative results for forward and reverse mode algorithmic differentiation" (2008); Golub and Pereyra (1973) for the
pseudoinverse.
"""

from __future__ import annotations

import math
import operator
from functools import reduce

import numpy as np

from mytorch.autodiff.aliases import Function, Settings
from mytorch.autodiff.kinds import Explicit, composite, constant, explicit, register
from mytorch.autodiff.rules.axes import places
from mytorch.autodiff.rules.decompositions import adjoint, diagonals, eye, svdvals, turned
from mytorch.autodiff.rules.reductions import axes_last, in_dtype, keep, no_value, others, squares
from mytorch.autodiff.traced import TABLE, Traced, plain
from mytorch.utils import fit

la = np.linalg


# Inverse, solve, determinants
explicit(la.inv, [lambda g, y, a: -(turned(y) @ g @ turned(y))], [lambda t, y, a: -(y @ t @ y)])


class _Solve(Explicit):
    """A X = B: A dX = dB - dA X. Back: A^T W = G gives dL/dB = W and dL/dA = -W X^T. One solve each way, never an inverse."""

    def pull(self, g, y, args, kwargs, wanted):
        a, b = args
        w = la.solve(turned(a), g)
        return (fit(-(w @ turned(y)), a) if wanted[0] else None), (fit(w, b) if wanted[1] else None)


solve_columns = _Solve(
    la.solve, "linalg.solve", None, [lambda t, y, a, b: -la.solve(a, t @ y), lambda t, y, a, b: la.solve(a, t)]
)


def solve(a, b):
    """np.linalg.solve: b is one column if it is 1-d, otherwise a stack of matrices (1.x: also a stack of columns)."""
    is_column = np.ndim(b) == 1 or (np.lib.NumpyVersion(np.__version__) < "2.0.0" and np.ndim(b) == np.ndim(a) - 1)
    return solve_columns(a, b[..., np.newaxis])[..., 0] if is_column else solve_columns(a, b)


composite(la.solve, solve)


# Arrays as matrices whose rows are several axes together
def _tensorinv(a, ind=2):
    la.tensorinv(plain(a), ind)  # raises what NumPy raises
    rows, columns = np.shape(a)[:ind], np.shape(a)[ind:]
    return np.reshape(la.inv(np.reshape(a, (-1, math.prod(columns)))), columns + rows)


def _tensorsolve(a, b, axes=None):
    la.tensorsolve(plain(a), plain(b), axes)  # raises what NumPy raises
    last = [] if axes is None else list(places(axes, np.ndim(a)))
    a = np.transpose(a, [i for i in range(np.ndim(a)) if i not in last] + last)
    shape = np.shape(a)[np.ndim(b) :]
    return np.reshape(solve(np.reshape(a, (-1, math.prod(shape))), np.ravel(b)), shape)


composite(la.tensorinv, _tensorinv)
composite(la.tensorsolve, _tensorsolve)


# d det A = tr(adj(A) dA). The adjugate is det(A) A^-1, and exists for singular matrices too: with A = U S V^H it is
# det(U V^H) V diag(products of all the other singular values) U^H.
def _ill_conditioned(a) -> bool:
    try:
        size = np.abs(a).sum(axis=-1).max(axis=-1) * np.abs(la.inv(a)).sum(axis=-1).max(axis=-1)
    except (la.LinAlgError, ValueError):
        return bool(a.size)
    return not bool(np.all(size * np.finfo(a.dtype).eps < 1e-8))


def _adjugate_of(a):
    if isinstance(a, Traced):
        return adjugate(a)
    if not _ill_conditioned(a):
        return la.det(a)[..., np.newaxis, np.newaxis] * la.inv(a)
    u, s, vh = la.svd(a)
    return (
        (la.det(u) * la.det(vh))[..., np.newaxis, np.newaxis]
        * (adjoint(vh) * others(s)[..., np.newaxis, :])
        @ adjoint(u)
    )


def _adjugate_jvp(t, y, a):
    """tr(adj(A) T) A^-1 - adj(A) T A^-1; where A is singular the same by the products of all but two singular values."""
    known = plain(a)
    if not _ill_conditioned(known):
        inverse = la.inv(a)
        return np.trace(y @ t, axis1=-2, axis2=-1)[..., np.newaxis, np.newaxis] * inverse - y @ t @ inverse
    if a is not known:
        raise la.LinAlgError(
            "The third derivative of the determinant of a matrix that is singular (to rounding) is not available. Two "
            "derivatives are; or move the matrix a little, as in a + 1e-6 * np.eye(n)."
        )
    u, s, vh = la.svd(known)
    own = np.eye(s.shape[-1], dtype=bool)
    pairs = np.where(own, 0, others(np.where(own, 1, s[..., np.newaxis, :])))
    inner = adjoint(u) @ t @ adjoint(vh)
    change = eye(known) * (pairs @ diagonals(inner)[..., np.newaxis]) - pairs * inner
    return (la.det(u) * la.det(vh))[..., np.newaxis, np.newaxis] * (adjoint(vh) @ change @ adjoint(u))


adjugate = explicit(_adjugate_of, jvps=[_adjugate_jvp], name="adjugate")
explicit(
    la.det,
    [lambda g, y, a: g[..., np.newaxis, np.newaxis] * turned(adjugate(a))],
    [lambda t, y, a: np.trace(adjugate(a) @ t, axis1=-2, axis2=-1)],
)


def _slogdet_jvp(t, y, a):
    """d log det = tr(A^-1 dA); the sign of a complex determinant turns by its imaginary part."""
    change = np.trace(la.solve(a, t), axis1=-2, axis2=-1)
    return (y[0] * np.imag(change) * 1j, np.real(change)) if plain(a).dtype.kind == "c" else (None, change)


class _Slogdet(Explicit):
    """Of a real matrix d log det = A^-T: one inverse, where transposing the tangent would solve twice."""

    def pull(self, g, y, args, kwargs, wanted):
        if plain(args[0]).dtype.kind == "c" or g[1] is None:
            return super().pull(g, y, args, kwargs, wanted)
        return [fit(g[1][..., np.newaxis, np.newaxis] * turned(la.inv(args[0])), args[0])]


register(la.slogdet, _Slogdet(la.slogdet, "linalg.slogdet", None, [_slogdet_jvp]))


# Least squares. With P = pinv(A): dP = -P dA P + P P^H dA^H (1 - A P) + (1 - P A) dA^H P^H P, for constant rank.
def _pinv_jvp(t, y, a, **_):
    yh, th = adjoint(y), adjoint(t)
    return -(y @ t @ y) + y @ yh @ (th - th @ a @ y) + (th - y @ (a @ th)) @ yh @ y


_pinv = explicit(la.pinv, jvps=[_pinv_jvp])


def pinv(a, rcond=None, *, rtol=None):
    """np.linalg.pinv, for a cutoff that leaves out only singular values that are zero to rounding."""
    settings = {key: value for key, value in (("rcond", rcond), ("rtol", rtol)) if not no_value(value)}
    for key, cutoff in settings.items():
        refuse_cut("np.linalg.pinv", key, a, cutoff)
    return _pinv(a, **plain(settings))


def refuse_cut(name: str, key: str, a, cutoff) -> None:
    """Raise if a cutoff leaves out a singular value that is not zero: the result is then that of another matrix."""
    s = la.svd(plain(a), compute_uv=False)
    largest = s.max(axis=-1, keepdims=True, initial=0)
    left_out = s <= np.asarray(plain(cutoff))[..., np.newaxis] * largest
    if np.any(left_out & (s > np.finfo(s.dtype).eps * max(np.shape(a)[-2:]) * largest)):
        raise NotImplementedError(
            f"{name} with {key}={cutoff!r} leaves out singular values that are not zero, and has no rule for that. "
            f"Leave {key} out, or build the result from np.linalg.svd and np.where."
        )


composite(la.pinv, pinv)


def _lstsq_a(t, x, a, b, rcond):
    p = pinv(a, rcond)
    th, residual = adjoint(t), b - a @ x
    return (
        -(p @ (t @ x))
        + p @ (adjoint(p) @ (th @ residual))
        + (th @ (adjoint(p) @ x) - p @ (a @ (th @ (adjoint(p) @ x))))
    )


_lstsq = explicit(
    lambda a, b, rcond: la.lstsq(a, b, rcond=rcond)[0],
    jvps=[_lstsq_a, lambda t, x, a, b, rcond: pinv(a, rcond) @ t],
    name="linalg.lstsq",
)


def lstsq(a, b, rcond=None):
    """np.linalg.lstsq: the solution, the residuals and the singular values are differentiated, the rank is a number."""
    rcond = np.finfo(plain(a).dtype).eps * max(np.shape(a)) if rcond is None or rcond == "warn" else rcond
    refuse_cut("np.linalg.lstsq", "rcond", a, rcond)
    _, residuals, rank, _ = la.lstsq(plain(a), plain(b), rcond=rcond)
    dtype = np.result_type(plain(a), plain(b))
    a, b = (part.astype(dtype) if hasattr(part, "astype") else np.asarray(part, dtype) for part in (a, b))
    x = _lstsq(a, b, rcond)
    rest = np.abs(b - a @ x)
    squares = np.atleast_1d(np.sum(rest * rest, axis=0)) if residuals.size else residuals
    return x, squares, rank, svdvals(a)


composite(la.lstsq, lstsq)


# Norms, powers, chains
_length = Explicit(
    la.norm, "linalg.norm", [lambda g, y, x: (g / y) * x], [lambda t, y, x: np.sum((x / y) * t)]
)  # fmt: skip


def _norm(x, ord=None, axis=None, keepdims: bool = False):
    if not np.size(plain(x)):  # a constant, or nothing at all
        return la.norm(plain(x), ord, axis, keepdims)
    if axis is None and ord is None and not keepdims and plain(x).dtype.kind == "f":
        return _length(x)
    if axis is None:
        x = np.ravel(x) if ord is None and not keepdims else x
        axes = tuple(range(np.ndim(x)))
    else:
        axes = places(axis, np.ndim(x))
    settings: Settings = {"axis": axes, "keepdims": keepdims}
    if ord is None or (ord in ("fro", "f") and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return np.sqrt(np.sum(squares(x), **settings))
    if len(axes) == 1:
        return _vector_norm(x, ord, settings)
    if ord in (2, -2, "nuc"):
        s = svdvals(np.moveaxis(x, axes, (-2, -1)))
        value = s[..., 0] if ord == 2 else s[..., -1] if ord == -2 else np.sum(s, axis=-1)
        return np.expand_dims(value, axes) if keepdims else value
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError(f"Invalid norm order {ord!r} for matrices.")
    summed, over = axes if abs(ord) == 1 else axes[::-1]
    extreme = np.max if ord > 0 else np.min
    return (
        extreme(np.sum(np.abs(x), axis=summed, keepdims=True), **settings)
        if keepdims
        else _squeeze_extreme(x, summed, over, extreme)
    )


def _squeeze_extreme(x, summed: int, over: int, extreme):
    return extreme(np.sum(np.abs(x), axis=summed), axis=over - (over > summed))


def _vector_norm(x, ord, settings):
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors.")
    if ord == 0:
        return np.sum(plain(x) != 0, **settings).astype(np.abs(plain(x)).dtype)
    size = np.abs(x)
    if np.isinf(ord):
        return np.max(size, **settings) if ord > 0 else np.min(size, **settings)
    return np.sum(size, **settings) if ord == 1 else in_dtype(np.sum(size**ord, **settings) ** (1 / ord), size.dtype)


def _norm_over_axes(x, /, *, axis=None, keepdims=False, ord=2):
    """np.linalg.vector_norm: the entries along all the axes as one vector."""
    return keep(_norm(axes_last(x, axis), ord, -1), x, axis, keepdims)


composite(la.norm, _norm)
if hasattr(la, "vector_norm"):
    composite(la.vector_norm, _norm_over_axes)
    composite(la.matrix_norm, lambda x, /, *, keepdims=False, ord="fro": _norm(x, ord, (-2, -1), keepdims))


def _matrix_power(a, n: int):
    n = operator.index(n)
    base, power, result = (la.inv(a) if n < 0 else a), abs(n), None
    while power:
        if power & 1:
            result = base if result is None else result @ base
        power >>= 1
        base = base @ base if power else base
    return np.broadcast_to(eye(a), np.shape(a)) + 0 * a if result is None else result


def _multi_dot(arrays):
    """Multiplied in the order that costs least, found as in Cormen et al., "Introduction to Algorithms", section 15.2."""
    arrays = list(arrays)
    n = len(arrays)
    if any(np.ndim(a) != 2 for a in arrays[1:-1]) or any(np.ndim(a) not in (1, 2) for a in (arrays[0], arrays[-1])):
        raise la.LinAlgError("multi_dot takes matrices; the first and the last array may be vectors.")
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

    def product(i: int, j: int):
        return arrays[i] if i == j else np.matmul(product(i, best[i, j][1]), product(best[i, j][1] + 1, j))

    return product(0, n - 1)


composite(la.matrix_power, _matrix_power)
composite(la.multi_dot, _multi_dot)


def _cond(x, p=None):
    """np.linalg.cond: infinite where 0 / 0 would say so of a matrix of numbers."""
    if p in (None, 2):
        ratio = la.norm(x, 2, (-2, -1)) / la.norm(x, -2, (-2, -1))
    else:
        ratio = la.norm(x, p, (-2, -1)) * la.norm(la.inv(x), p, (-2, -1))
    infinite = np.isnan(plain(ratio)) & ~np.isnan(plain(x)).any(axis=(-2, -1))
    return np.where(infinite, np.asarray(np.inf, ratio.dtype), ratio) if np.any(infinite) else ratio


composite(la.cond, _cond)


# NumPy 2 has some functions a second time under linalg, over the last two axes.
def _outer(x1, x2):
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError("Input arrays must be one-dimensional; np.outer takes others.")
    return np.outer(x1, x2)


def _cross(x1, x2, axis: int | None):
    axis = -1 if axis is None else axis
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors.")
    return np.cross(x1, x2, axis=axis)


_TWINS: dict[str, Function] = {
    "matmul": lambda x1, x2, /: np.matmul(x1, x2),
    "outer": lambda x1, x2, /: _outer(x1, x2),
    "tensordot": lambda x1, x2, /, *, axes=2: np.tensordot(x1, x2, axes),
    "cross": lambda x1, x2, /, *, axis=-1: _cross(x1, x2, axis),
    "diagonal": lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1),
    "trace": lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype),
    "matrix_transpose": lambda x, /: turned(x),
    "vecdot": lambda x1, x2, /, *, axis=-1: TABLE[np.vecdot](x1, x2, axis),
}
for _name, _twin in _TWINS.items():
    if hasattr(la, _name) and getattr(la, _name) is not getattr(np, _name, None):
        composite(getattr(la, _name), _twin)
constant(la.matrix_rank)
