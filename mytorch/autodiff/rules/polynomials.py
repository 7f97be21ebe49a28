"""Polynomials as arrays of coefficients, the highest power first."""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import composite
from mytorch.autodiff.rules.linalg import refuse_cut
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.traced import Traced, dtype_of, plain


def _array(p):
    return np.atleast_1d(p if isinstance(p, Traced) else np.asarray(p))


def _longer(p, n: int):
    """p with leading zeros, as long as n."""
    return np.concatenate([np.zeros(n - len(p), p.dtype), p]) if len(p) < n else p


def _without_leading_zeros(p):
    nonzero = np.flatnonzero(plain(p))
    return p[nonzero[0] :] if len(nonzero) else np.zeros(1, p.dtype)


def _sum(sign: int):
    def added(a1, a2):
        a, b = _array(a1), _array(a2)
        n = max(len(a), len(b))
        return _longer(a, n) + sign * _longer(b, n)

    return added


def _polymul(a1, a2):
    return np.convolve(_without_leading_zeros(_array(a1)), _without_leading_zeros(_array(a2)))


def _polydiv(u, v):
    """Long division. Of the remainder, leading zeros are left out."""
    u, v = (_array(part) + 0.0 for part in (u, v))
    quotient, rest = [], u + 0 * v[0]
    for k in range(len(u) - len(v) + 1):
        quotient.append(rest[k] / v[0])
        steps = quotient[-1] * v
        rest = np.concatenate([rest[:k], rest[k : k + len(v)] - steps, rest[k + len(v) :]])
    zeros = len(plain(np.polydiv(plain(u), plain(v))[1]))
    return np.stack(quotient) if quotient else np.zeros(1, plain(rest).dtype), rest[len(rest) - zeros :]


def _polyder(p, m=1):
    np.polyder(plain(p), m)  # raises what NumPy raises
    p = _array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def _polyint(p, m=1, k=None):
    np.polyint(plain(p), m, plain(k))  # raises what NumPy raises
    p = _array(p)
    constants = np.zeros(m) if k is None else _array(k)
    constants = np.broadcast_to(constants, (m,)) if len(constants) == 1 else constants
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


def _polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """Least squares with columns of unit length; w multiplies the residuals."""
    known = np.polyfit(plain(x), plain(y), deg, rcond, full, plain(w), cov)  # raises what NumPy raises
    x, y = (_array(part) + 0.0 for part in (x, y))
    columns, right = np.vander(x, int(deg) + 1), y
    if w is not None:
        columns = columns * w[:, np.newaxis]
        right = y * (w if np.ndim(y) == 1 else w[:, np.newaxis])
    length = np.sqrt(np.sum(np.square(columns), axis=0))
    columns = columns / length
    rcond = len(x) * np.finfo(plain(x).dtype).eps if rcond is None else rcond
    refuse_cut("np.polyfit", "rcond", columns, rcond)
    scaled, residual, rank, singular = np.linalg.lstsq(columns, right, rcond)
    fit = scaled / (length if np.ndim(y) == 1 else length[:, np.newaxis])
    if full:
        return fit, residual, rank, singular, rcond
    if cov is False:
        return fit
    base = np.linalg.inv(columns.T @ columns) / (length[:, np.newaxis] * length)
    base = base if np.ndim(y) == 1 else base[:, :, np.newaxis]
    factor = 1.0 if cov == "unscaled" else residual / (len(x) - int(deg) - 1)
    return fit, in_dtype(base * factor, known[1].dtype)


def _poly(seq_of_zeros):
    """The product of all x - zero; of a matrix, its characteristic polynomial."""
    is_real = dtype_of(np.poly(plain(seq_of_zeros))).kind == "f"  # raises what NumPy raises
    zeros = np.linalg.eigvals(seq_of_zeros) if np.ndim(seq_of_zeros) == 2 else seq_of_zeros
    kind = np.mintypecode(plain(zeros).dtype.char)  # float64 for halves and integers, as NumPy has it
    product = np.ones(1, kind)
    for zero in zeros:
        product = np.convolve(product, np.stack([np.ones((), kind), -zero]))
    return np.real(product) if is_real and plain(product).dtype.kind == "c" else product


def _roots(p):
    """The eigenvalues of the companion matrix; trailing zeros of p are roots that stay 0."""
    value = np.roots(plain(p))  # raises what NumPy raises
    p = _array(p)
    nonzero = np.flatnonzero(plain(p))
    if not len(nonzero):
        return value
    inner = p[nonzero[0] : nonzero[-1] + 1]
    n = len(inner) - 1
    first = -inner[1:] / inner[0]
    found = np.linalg.eigvals(np.concatenate([first[np.newaxis], np.eye(n, dtype=plain(p).dtype)[:-1]])) if n else first
    return np.concatenate([found.astype(value.dtype), np.zeros(len(value) - n, value.dtype)])


composite(np.polyadd, _sum(1))
composite(np.polysub, _sum(-1))
composite(np.polymul, _polymul)
composite(np.polydiv, _polydiv)
composite(np.polyder, _polyder)
composite(np.polyint, _polyint)
composite(np.polyfit, _polyfit)
composite(np.poly, _poly)
composite(np.roots, _roots)
