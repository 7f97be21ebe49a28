"""One line per primitive: a function of a NumPy-like module and arrays, and arrays where it is differentiable.

The module is the first argument, so that the same line runs in NumPy and in jax.numpy.
"""

# ruff: noqa: E501, E741
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

# name: (function of the module and arrays, arrays)
CASES: dict[str, tuple[Any, tuple]] = {
    # ufuncs of one argument
    "negative": (lambda m, x: m.negative(x), (U,)), "positive": (lambda m, x: m.positive(x), (U,)),
    "exp": (lambda m, x: m.exp(x), (U,)), "log": (lambda m, x: m.log(x), (P,)), "sqrt": (lambda m, x: m.sqrt(x), (P,)),
    "square": (lambda m, x: m.square(x), (U,)), "reciprocal": (lambda m, x: m.reciprocal(x), (P,)), "cbrt": (lambda m, x: m.cbrt(x), (P,)),
    "exp2": (lambda m, x: m.exp2(x), (U,)), "expm1": (lambda m, x: m.expm1(x), (U,)), "log2": (lambda m, x: m.log2(x), (P,)),
    "log10": (lambda m, x: m.log10(x), (P,)), "log1p": (lambda m, x: m.log1p(x), (P,)),
    "sin": (lambda m, x: m.sin(x), (U,)), "cos": (lambda m, x: m.cos(x), (U,)), "tan": (lambda m, x: m.tan(x), (I,)),
    "arcsin": (lambda m, x: m.arcsin(x), (I,)), "arccos": (lambda m, x: m.arccos(x), (I,)), "arctan": (lambda m, x: m.arctan(x), (U,)),
    "sinh": (lambda m, x: m.sinh(x), (U,)), "cosh": (lambda m, x: m.cosh(x), (U,)), "tanh": (lambda m, x: m.tanh(x), (U,)),
    "arcsinh": (lambda m, x: m.arcsinh(x), (U,)), "arccosh": (lambda m, x: m.arccosh(x), (J,)), "arctanh": (lambda m, x: m.arctanh(x), (I,)),
    "deg2rad": (lambda m, x: m.deg2rad(x), (U,)), "radians": (lambda m, x: m.radians(x), (U,)), "rad2deg": (lambda m, x: m.rad2deg(x), (U,)),
    "degrees": (lambda m, x: m.degrees(x), (U,)), "sinc": (lambda m, x: m.sinc(x), (U,)), "sinc at 0": (lambda m, x: m.sinc(0.01 * x), (U,)),
    "absolute": (lambda m, x: m.absolute(x), (U,)), "fabs": (lambda m, x: m.fabs(x), (U,)), "unwrap": (lambda m, x: m.unwrap(5 * x), (V,)),
    "nan_to_num": (lambda m, x: m.nan_to_num(x), (U,)), "modf": (lambda m, x: m.modf(x)[0], (U,)), "frexp": (lambda m, x: m.frexp(x)[0], (U,)),
    "sign and the like": (lambda m, x: m.sign(x) * x + m.floor(x) + m.rint(x) * (x > 0), (U,)),
    # ufuncs of two arguments, broadcast
    "add": (lambda m, x, y: m.add(x, y), (U, V)), "subtract": (lambda m, x, y: m.subtract(x, y), (U, V)),
    "multiply": (lambda m, x, y: m.multiply(x, y), (U, V)), "true_divide": (lambda m, x, y: m.true_divide(x, y), (U, Q)),
    "power": (lambda m, x, y: m.power(x, y), (P, V)), "power 2": (lambda m, x: x**2 + x**-1 + 2.0**x, (P,)), "float_power": (lambda m, x, y: m.float_power(x, y), (P, V)),
    "maximum": (lambda m, x, y: m.maximum(x, y), (U, V)), "minimum": (lambda m, x, y: m.minimum(x, y), (U, V)),
    "fmax": (lambda m, x, y: m.fmax(x, y), (U, V)), "fmin": (lambda m, x, y: m.fmin(x, y), (U, V)),
    "logaddexp": (lambda m, x, y: m.logaddexp(x, y), (U, V)), "logaddexp2": (lambda m, x, y: m.logaddexp2(x, y), (U, V)),
    "arctan2": (lambda m, x, y: m.arctan2(x, y), (P, V)), "hypot": (lambda m, x, y: m.hypot(x, y), (P, V)),
    "copysign": (lambda m, x, y: m.copysign(x, y), (U, V)), "fmod": (lambda m, x, y: m.fmod(3 * x, y), (U, Q)), "remainder": (lambda m, x, y: m.remainder(3 * x, y), (U, Q)),
    "divmod": (lambda m, x, y: m.divmod(3 * x, y)[1], (U, Q)), "heaviside": (lambda m, x, y: m.heaviside(x, y) * x, (U, V)),
    "ldexp": (lambda m, x: m.ldexp(x, m.asarray([1, -2, 0, 3])), (U,)), "nextafter": (lambda m, x: m.nextafter(x, 3.0) * 1.0, (U,)),
    "where": (lambda m, x, y: m.where(MASK, x, y), (U, V)), "clip": (lambda m, x: m.clip(x, -0.5, 1.0), (U,)), "clip by arrays": (lambda m, x, y: m.clip(x, -y, y), (U, Q)),
    "select": (lambda m, x, y: m.select([MASK, ~MASK & (m.arange(4) > 1)], [x * x, y * x], 0.5), (U, V)),
    "piecewise": (lambda m, x: m.piecewise(x, [x < 0, x >= 0], [lambda v: v * v, lambda v: m.sin(v)]), (V,)), "choose": (lambda m, x, y: m.choose(m.asarray([0, 1, 1, 0]), [x, y]), (V, Q)),
    # complex numbers
    "complex mul": (lambda m, x, y: x * y, (Z, Y)), "complex div": (lambda m, x, y: x / y, (Z, Y)), "complex pow": (lambda m, x: x**3, (Z,)), "complex exp": (lambda m, x: m.exp(x), (Z,)),
    "complex log": (lambda m, x: m.log(x), (Z,)), "complex sqrt": (lambda m, x: m.sqrt(x), (Z,)), "complex sin": (lambda m, x: m.sin(x) * m.cosh(x), (Z,)), "complex tanh": (lambda m, x: m.tanh(x), (Z,)),
    "complex abs": (lambda m, x: m.abs(x), (Z,)), "conjugate": (lambda m, x: m.conjugate(x) * x, (Z,)), "real imag": (lambda m, x: m.real(x) * m.imag(x) ** 2, (Z,)), "angle": (lambda m, x: m.angle(x), (Z,)),
    "real_if_close": (lambda m, x: m.real_if_close(x), (U,)), "real and complex": (lambda m, x, y: x * y + m.exp(1j * x), (U, Y)), "complex sum mean": (lambda m, x: m.sum(x, axis=0) * m.mean(x), (Z,)),
    "complex matmul": (lambda m, x, y: x @ y, (Z, Y)), "complex prod": (lambda m, x: m.prod(x, axis=0), (Z,)), "complex var": (lambda m, x: m.var(x, axis=1), (Z,)), "complex norm": (lambda m, x: m.linalg.norm(x), (Z,)),
    "complex inv": (lambda m, x: m.linalg.inv(x), (X,)), "complex solve": (lambda m, a, b: m.linalg.solve(a, b), (X, X[0] + 0)), "complex det": (lambda m, x: m.linalg.det(x), (X,)),
    "complex slogdet": (lambda m, x: m.linalg.slogdet(x)[1], (X,)), "complex slogdet sign": (lambda m, x: m.linalg.slogdet(x)[0], (X,)), "complex cholesky": (lambda m, x: m.linalg.cholesky(x @ m.conj(x.T) + m.eye(3)), (X,)),
    "complex qr": (lambda m, x: tuple(m.linalg.qr(x)), (X,)), "complex eigh": (lambda m, x: m.linalg.eigh(x + m.conj(x.T))[0], (X,)), "complex svd": (lambda m, x: m.linalg.svd(x, compute_uv=False), (Z,)),
    "complex pinv": (lambda m, x: m.linalg.pinv(x), (Z,)), "complex eig": (lambda m, x: m.linalg.eig(x)[0], (X,)), "vdot complex": (lambda m, x, y: m.vdot(x, y), (Y, Y[::-1] + 1)),
    "complex svd projector": (lambda m, x: (lambda u, s, v: (u[:, :1] * s[0]) @ v[:1])(*m.linalg.svd(x, full_matrices=False)), (Z,)), "complex eigh projector": (lambda m, x: (lambda v: v[:, :1] @ m.conj(v[:, :1].T))(m.linalg.eigh(x + m.conj(x.T))[1]), (X,)),
    # reductions
    "sum": (lambda m, x: m.sum(x, axis=1), (W,)), "sum axes": (lambda m, x: m.sum(x, axis=(0, -1), keepdims=True), (W,)), "sum where": (lambda m, x: m.sum(x, where=MASK, initial=1.0), (U,)),
    "mean": (lambda m, x: m.mean(x, axis=-1), (W,)), "mean all": (lambda m, x: m.mean(x), (W,)), "average": (lambda m, x, w: m.average(x, axis=1, weights=w), (U, Q)),
    "var": (lambda m, x: m.var(x, axis=1, ddof=1), (W,)), "std": (lambda m, x: m.std(x, axis=(0, 2), keepdims=True), (W,)), "prod": (lambda m, x: m.prod(x, axis=1), (W,)), "prod all": (lambda m, x: m.prod(x), (V,)),
    "prod with zeros": (lambda m, x: m.prod(x * m.asarray([0.0, 1.0, 1.0, 2.0]) * 1.0, axis=1), (U,)), "max": (lambda m, x: m.max(x, axis=1), (W,)), "min": (lambda m, x: m.min(x, axis=(0, 1), keepdims=True), (W,)),
    "amax": (lambda m, x: m.amax(x), (U,)), "amin": (lambda m, x: m.amin(x, 0), (U,)), "ptp": (lambda m, x: m.ptp(x, axis=0), (U,)), "median": (lambda m, x: m.median(x, axis=1), (W,)), "median even": (lambda m, x: m.median(x, axis=-1, keepdims=True), (W,)),
    "quantile": (lambda m, x: m.quantile(x, m.asarray([0.2, 0.7]), axis=1), (W,)), "percentile": (lambda m, x: m.percentile(x, 30.0), (U,)),
    "cumsum": (lambda m, x: m.cumsum(x, axis=1), (W,)), "cumsum flat": (lambda m, x: m.cumsum(x), (U,)), "cumprod": (lambda m, x: m.cumprod(x, axis=-1), (W,)), "cumprod zero": (lambda m, x: m.cumprod(x * m.asarray([1.0, 0.0, 2.0, 1.0]), axis=-1), (U,)),
    "diff": (lambda m, x: m.diff(x, n=2, axis=1), (W,)), "ediff1d": (lambda m, x: m.ediff1d(x), (V,)), "trapezoid": (lambda m, x, y: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, y), (U, V)),
    "nansum": (lambda m, x: m.nansum(m.where(HOLES, m.nan, x), axis=0), (U,)), "nanprod": (lambda m, x: m.nanprod(m.where(HOLES, m.nan, x), axis=0), (U,)), "nanmean": (lambda m, x: m.nanmean(m.where(HOLES, m.nan, x), axis=1), (U,)), "nanvar": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nanstd": (lambda m, x: m.nanstd(m.where(HOLES, m.nan, x)), (U,)), "nanmax": (lambda m, x: m.nanmax(m.where(HOLES, m.nan, x), axis=0), (U,)), "nanmin": (lambda m, x: m.nanmin(m.where(HOLES, m.nan, x)), (U,)), "nanmedian": (lambda m, x: m.nanmedian(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "nancumsum": (lambda m, x: m.nancumsum(m.where(HOLES, m.nan, x), axis=1), (U,)), "nancumprod": (lambda m, x: m.nancumprod(m.where(HOLES, m.nan, x), axis=1), (U,)),
    "cumulative_sum": (lambda m, x: m.cumulative_sum(x, axis=1) * m.cumulative_prod(x, axis=0), (U,)),
    # shapes
    "reshape": (lambda m, x: m.reshape(x, (4, -1)), (W,)), "reshape F": (lambda m, x: m.reshape(x, (4, 6), order="F"), (W,)), "ravel": (lambda m, x: m.ravel(x), (W,)), "ravel F": (lambda m, x: m.ravel(x, order="F"), (W,)), "squeeze": (lambda m, x: m.squeeze(x[:, :1]), (W,)),
    "expand_dims": (lambda m, x: m.expand_dims(x, (0, 2)), (U,)), "transpose": (lambda m, x: m.transpose(x, (2, 0, 1)), (W,)), "moveaxis": (lambda m, x: m.moveaxis(x, 0, -1), (W,)), "swapaxes": (lambda m, x: m.swapaxes(x, 0, 2), (W,)), "rollaxis": (lambda m, x: m.rollaxis(x, 2), (W,)),
    "matrix_transpose": (lambda m, x: m.matrix_transpose(x), (W,)), "permute_dims": (lambda m, x: m.permute_dims(x, (1, 0, 2)), (W,)), "unstack": (lambda m, x: m.unstack(x, axis=1)[2], (W,)),
    "broadcast_to": (lambda m, x: m.broadcast_to(x, (3, 4)), (V,)), "broadcast_arrays": (lambda m, x, y: tuple(m.broadcast_arrays(x, y)), (U, V)), "meshgrid": (lambda m, x, y: tuple(m.meshgrid(x, y)), (V, F)), "atleast_1d": (lambda m, x: m.atleast_1d(x), (real(),)), "atleast_2d": (lambda m, x: m.atleast_2d(x), (V,)), "atleast_3d": (lambda m, x: m.atleast_3d(x), (U,)),
    "triu": (lambda m, x: m.triu(x, 1), (W,)), "tril": (lambda m, x: m.tril(x, -1), (M,)), "diag": (lambda m, x: m.diag(x, 1), (V,)), "diag of": (lambda m, x: m.diag(x, -1), (M,)), "diagflat": (lambda m, x: m.diagflat(x, 1), (V,)), "diagonal": (lambda m, x: m.diagonal(x, 1, 0, 2), (W,)), "trace": (lambda m, x: m.trace(x, 1, 1, 2), (W,)),
    "flip": (lambda m, x: m.flip(x, (0, 2)), (W,)), "flipud": (lambda m, x: m.flipud(x), (U,)), "fliplr": (lambda m, x: m.fliplr(x), (U,)), "roll": (lambda m, x: m.roll(x, 3), (U,)), "roll axes": (lambda m, x: m.roll(x, (1, -1), (0, 1)), (U,)), "rot90": (lambda m, x: m.rot90(x), (U,)),
    "repeat": (lambda m, x: m.repeat(x, 3, axis=1), (U,)), "repeat each": (lambda m, x: m.repeat(x, m.asarray([1, 0, 2]), axis=0), (U,)), "tile": (lambda m, x: m.tile(x, (2, 3)), (U,)), "resize": (lambda m, x: m.resize(x, (5, 3)), (U,)),
    "concatenate": (lambda m, x, y: m.concatenate([x, y, x], axis=0), (U, M)), "concatenate flat": (lambda m, x, y: m.concatenate([x, y], axis=None), (U, V)), "stack": (lambda m, x, y: m.stack([x, y * y], axis=1), (V, Q)), "vstack": (lambda m, x, y: m.vstack([x, y]), (U, V)), "hstack": (lambda m, x, y: m.hstack([x, y]), (V, F)),
    "dstack": (lambda m, x, y: m.dstack([x, y]), (U, P)), "column_stack": (lambda m, x, y: m.column_stack([x, y]), (V, Q)), "block": (lambda m, x, y: m.block([[x, y], [y, x]]), (U, P)), "append": (lambda m, x, y: m.append(x, y, axis=0), (U, M)),
    "split": (lambda m, x: m.split(x, 2, axis=1)[1], (U,)), "array_split": (lambda m, x: m.array_split(x, [1, 3])[1], (F,)), "hsplit": (lambda m, x: m.hsplit(x, 2)[0], (U,)), "vsplit": (lambda m, x: m.vsplit(x, 3)[2], (U,)), "dsplit": (lambda m, x: m.dsplit(x, 2)[1], (W,)),
    "pad": (lambda m, x: m.pad(x, ((1, 0), (2, 1)), constant_values=3.0), (U,)), "pad edge": (lambda m, x: m.pad(x, 2, mode="edge"), (U,)), "pad reflect": (lambda m, x: m.pad(x, ((0, 2), (1, 0)), mode="reflect"), (U,)), "pad wrap": (lambda m, x: m.pad(x, 1, mode="wrap"), (U,)), "pad symmetric": (lambda m, x: m.pad(x, 1, mode="symmetric"), (U,)),
    "take": (lambda m, x: m.take(x, m.asarray([2, 0, 2]), axis=1), (W,)), "take flat": (lambda m, x: m.take(x, m.asarray([[5, 1], [1, 11]])), (U,)), "take_along_axis": (lambda m, x: m.take_along_axis(x, m.argsort(U, axis=1), axis=1), (P,)), "compress": (lambda m, x: m.compress(m.asarray([True, False, True]), x, axis=0), (U,)),
    "delete": (lambda m, x: m.delete(x, 1, axis=0), (U,)), "extract": (lambda m, x: m.extract(MASK, x), (U,)), "sort": (lambda m, x: m.sort(x, axis=0), (U,)), "sort flat": (lambda m, x: m.sort(x, axis=None), (U,)), "partition": (lambda m, x: m.partition(x, 2, axis=1), (W,)), "argsort as index": (lambda m, x: x[m.argsort(x)[:2]] ** 2, (V,)), "unique": (lambda m, x: m.unique(x), (V,)),
    "full_like": (lambda m, x: m.full_like(x * m.ones(3), x) * x, (real(),)), "copy": (lambda m, x: m.copy(x), (U,)), "astype": (lambda m, x: x.astype(complex) * 2j, (U,)),
    "getitem": (lambda m, x: x[1:, ::2], (U,)), "getitem int": (lambda m, x: x[1, -1] * x[0, 0], (U,)), "getitem none": (lambda m, x: x[..., None, 1], (W,)), "getitem fancy": (lambda m, x: x[m.asarray([0, 2, 0]), m.asarray([1, 1, 1])], (U,)), "getitem mask": (lambda m, x: x[MASK], (U,)), "getitem mixed": (lambda m, x: x[:, m.asarray([[0, 2], [2, 1]]), 1:], (W,)), "getitem reversed": (lambda m, x: x[::-1, 2], (U,)),
    # products
    "matmul": (lambda m, x, y: m.matmul(x, y), (W, real(4, 5))), "matmul batches": (lambda m, x, y: x @ y, (real(2, 1, 3, 4), real(3, 4, 2))), "matmul vectors": (lambda m, x, y: x @ y, (V, Q)), "matmul row": (lambda m, x, y: x @ y, (V, real(2, 4, 3))), "matmul column": (lambda m, x, y: x @ y, (W, V)),
    "dot": (lambda m, x, y: m.dot(x, y), (U, M)), "dot nd": (lambda m, x, y: m.dot(x, y), (W, real(2, 4, 3))), "dot scalar": (lambda m, x, y: m.dot(x, y), (U, real())), "inner": (lambda m, x, y: m.inner(x, y), (W, U)), "outer": (lambda m, x, y: m.outer(x, y), (V, F)), "vdot": (lambda m, x, y: m.vdot(x, y), (U, P)), "vecdot": (lambda m, x, y: m.vecdot(x, y), (U, V)), "matvec": (lambda m, x, y: m.matvec(x, y), (U, V)), "vecmat": (lambda m, x, y: m.vecmat(x, y), (V, M)),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, axes=([1, 2], [0, 1])), (W, U)), "tensordot 1": (lambda m, x, y: m.tensordot(x, y, 1), (W, M)), "tensordot 0": (lambda m, x, y: m.tensordot(x, y, 0), (U, V)), "kron": (lambda m, x, y: m.kron(x, y), (U, real(2, 2))), "kron vector": (lambda m, x, y: m.kron(x, y), (V, U)),
    "cross": (lambda m, x, y: m.cross(x, y), (real(4, 3), real(3))), "cross axis": (lambda m, x, y: m.cross(x, y, axis=0), (real(3, 4), real(3, 4))),
    "einsum": (lambda m, x, y: m.einsum("ij,jk->ik", x, y), (U, M)), "einsum three": (lambda m, x, y, z: m.einsum("bij,ij,j->b", x, y, z), (W, U, V)), "einsum diagonal": (lambda m, x: m.einsum("bii->bi", x), (N,)), "einsum trace": (lambda m, x: m.einsum("ii", x), (M,)), "einsum sum": (lambda m, x, y: m.einsum("ij,k->i", x, y), (U, V)), "einsum dots": (lambda m, x, y: m.einsum("...ij,...j->...i", x, y), (real(2, 3, 4), V)), "einsum implicit": (lambda m, x, y: m.einsum("ji,jk", x, y), (U, P)), "einsum lists": (lambda m, x, y: m.einsum(x, [0, 1], y, [1], [0]), (U, V)), "einsum complex": (lambda m, x, y: m.einsum("ij,j->i", x, y), (Z, V)),
    "convolve": (lambda m, x, y: m.convolve(x, y), (F, V)), "convolve same": (lambda m, x, y: m.convolve(x, y, "same"), (F, V)), "convolve valid": (lambda m, x, y: m.convolve(x, y, "valid"), (V, F)), "correlate": (lambda m, x, y: m.correlate(x, y, "full"), (F, V)), "correlate same": (lambda m, x, y: m.correlate(x, y, "same"), (F, V)),
    "interp": (lambda m, x, y: m.interp(x, m.asarray([-2.5, -1.0, 0.5, 2.5]), y), (U, V)), "interp knots": (lambda m, x, y: m.interp(m.asarray([-3.0, 0.1, 0.9, 9.0]), m.cumsum(x), y), (P[0], V)), "linspace": (lambda m, x, y: m.linspace(x, y, 5), (V, Q)), "linspace open": (lambda m, x: m.linspace(x, 2.0, 4, endpoint=False), (real(),)), "logspace": (lambda m, x: m.logspace(x, 1.0, 4), (real(),)), "geomspace": (lambda m, x: m.geomspace(x, 9.0, 4), (real(low=1),)),
    "bincount": (lambda m, w: m.bincount(m.asarray([0, 2, 2, 1]), w), (V,)), "vander": (lambda m, x: m.vander(x, 3), (V,)), "polyval": (lambda m, p, x: m.polyval(p, x), (V, U)),
    # Fourier transforms
    "fft": (lambda m, x: m.fft.fft(x), (Z,)), "fft of real": (lambda m, x: m.fft.fft(x, axis=0), (U,)), "fft padded": (lambda m, x: m.fft.fft(x, 7), (Z,)), "fft cut": (lambda m, x: m.fft.fft(x, 3, norm="ortho"), (Z,)), "ifft": (lambda m, x: m.fft.ifft(x, axis=0), (Z,)), "ifft forward": (lambda m, x: m.fft.ifft(x, norm="forward"), (Z,)),
    "rfft": (lambda m, x: m.fft.rfft(x), (U,)), "rfft odd": (lambda m, x: m.fft.rfft(x, 5, axis=0, norm="ortho"), (U,)), "irfft": (lambda m, x: m.fft.irfft(x), (Z,)), "irfft odd": (lambda m, x: m.fft.irfft(x, 5), (Z,)), "irfft cut": (lambda m, x: m.fft.irfft(x, 4), (Z,)),
    "fft2": (lambda m, x: m.fft.fft2(x), (Z,)), "ifft2": (lambda m, x: m.fft.ifft2(x), (Z,)), "fftn": (lambda m, x: m.fft.fftn(x, axes=(0, 2)), (W,)), "ifftn": (lambda m, x: m.fft.ifftn(x, s=(2, 3), axes=(0, 1)), (Z,)), "rfft2": (lambda m, x: m.fft.rfft2(x), (U,)), "rfftn": (lambda m, x: m.fft.rfftn(x), (W,)), "irfft2": (lambda m, x: m.fft.irfft2(x), (Z,)), "irfftn": (lambda m, x: m.fft.irfftn(x), (Z,)), "fftshift": (lambda m, x: m.fft.fftshift(x), (V,)), "ifftshift": (lambda m, x: m.fft.ifftshift(x, axes=1), (U,)),
    # linear algebra
    "inv": (lambda m, x: m.linalg.inv(x), (T,)), "solve": (lambda m, a, b: m.linalg.solve(a, b), (S, real(3, 2))), "solve vector": (lambda m, a, b: m.linalg.solve(a, b), (S, real(3))), "solve batch": (lambda m, a, b: m.linalg.solve(a, b), (T, real(4, 2))), "det": (lambda m, x: m.linalg.det(x), (N,)), "slogdet": (lambda m, x: m.linalg.slogdet(x)[1], (N,)),
    "cholesky": (lambda m, x: m.linalg.cholesky(x @ m.swapaxes(x, -1, -2) + m.eye(4)), (T,)), "cholesky upper": (lambda m, x: m.linalg.cholesky((x + x.T) / 2, upper=True), (S,)), "qr": (lambda m, x: tuple(m.linalg.qr(x)), (real(5, 3),)), "qr wide": (lambda m, x: tuple(m.linalg.qr(x)), (U,)), "qr r": (lambda m, x: m.linalg.qr(x, mode="r"), (N,)),
    "svd": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (U,)), "svd tall": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (real(2, 4, 3),)), "svd values": (lambda m, x: m.linalg.svd(x, compute_uv=False), (W,)), "svdvals": (lambda m, x: m.linalg.svdvals(x), (U,)),
    "eigh": (lambda m, x: tuple(m.linalg.eigh((x + m.swapaxes(x, -1, -2)) / 2)), (T,)), "eigh upper": (lambda m, x: m.linalg.eigh(x @ x.T, UPLO="U")[0], (M,)), "eigvalsh": (lambda m, x: m.linalg.eigvalsh((x + x.T) / 2), (S,)), "eig": (lambda m, x: m.linalg.eig(x)[0], (M,)), "eig vectors": (lambda m, x: m.linalg.eig(x)[1], (np.diag([1.0, 2.5, 4.0]) + 0.3 * N[0],)), "eigvals": (lambda m, x: m.linalg.eigvals(x), (M,)),
    "pinv": (lambda m, x: m.linalg.pinv(x), (real(4, 3),)), "pinv wide": (lambda m, x: m.linalg.pinv(x), (U,)), "matrix_power": (lambda m, x: m.linalg.matrix_power(x, 5), (N,)), "matrix_power negative": (lambda m, x: m.linalg.matrix_power(x, -2), (S,)), "multi_dot": (lambda m, x, y, z: m.linalg.multi_dot([x, y, z]), (U, M, real(4, 2))), "multi_dot vectors": (lambda m, x, y, z: m.linalg.multi_dot([x, y, z]), (V, M, V + 1)),
    "lstsq": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (real(5, 3), real(5))), "lstsq residuals": (lambda m, a, b: m.linalg.lstsq(a, b)[1], (real(5, 3), real(5, 2))), "lstsq wide": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (U, real(3))),
    "norm": (lambda m, x: m.linalg.norm(x), (U,)), "norm axis": (lambda m, x: m.linalg.norm(x, axis=1), (W,)), "norm 1": (lambda m, x: m.linalg.norm(x, 1), (U,)), "norm inf": (lambda m, x: m.linalg.norm(x, m.inf), (U,)), "norm -inf": (lambda m, x: m.linalg.norm(x, -m.inf, axis=(0, 1), keepdims=True), (U,)), "norm 2": (lambda m, x: m.linalg.norm(x, 2), (U,)), "norm -2": (lambda m, x: m.linalg.norm(x, -2), (U,)), "norm nuc": (lambda m, x: m.linalg.norm(x, "nuc"), (U,)), "norm fro": (lambda m, x: m.linalg.norm(x, "fro", axis=(0, 2)), (W,)), "norm 3": (lambda m, x: m.linalg.norm(x, 3), (V,)), "norm vector inf": (lambda m, x: m.linalg.norm(x, m.inf, axis=0), (U,)), "norm vector 1": (lambda m, x: m.linalg.norm(x, 1, axis=0), (U,)),
    "vector_norm": (lambda m, x: m.linalg.vector_norm(x, axis=1), (U,)), "matrix_norm": (lambda m, x: m.linalg.matrix_norm(x), (W,)), "cond": (lambda m, x: m.linalg.cond(x), (S,)), "cond 1": (lambda m, x: m.linalg.cond(x, 1), (S,)),
    "linalg twins": (lambda m, x, y: m.linalg.matmul(x, y) * m.linalg.trace(x) + m.linalg.outer(x[0], m.linalg.diagonal(y)) + m.linalg.cross(x, y) + m.linalg.tensordot(x, y, axes=1) + m.linalg.matrix_transpose(x) * m.linalg.vecdot(x, y), (S, N[0])),
    # settings of functions above
    "angle deg": (lambda m, x: m.angle(x, deg=True), (Z,)), "vecdot complex": (lambda m, x, y: m.vecdot(x, y), (Z, Y)), "vecmat complex": (lambda m, x, y: m.vecmat(x, y), (Y, cplx(4, 2))), "choose wrap": (lambda m, x, y: m.choose(m.asarray([0, 3, -1, 6]), [x, y], mode="wrap"), (V, Q)), "choose clip": (lambda m, x, y: m.choose(m.asarray([0, 3, -1, 6]), [x, y], mode="clip"), (V, Q)),
    "interp period": (lambda m, x, y: m.interp(x, m.asarray([0.1, 1.3, 2.0, 0.7]), y, period=2.5), (U, V)), "interp ends": (lambda m, x, y: m.interp(x, m.asarray([-1.0, 0.0, 0.5, 1.0]), y, left=-3.0, right=4.0), (U, V)), "quantile kept": (lambda m, x: m.quantile(x, 0.35, axis=(0, 2), keepdims=True), (W,)), "average returned": (lambda m, x, w: m.average(x, weights=w, returned=True), (U, P)), "average plain": (lambda m, x: m.average(x, axis=0), (U,)),
    "nanmean kept": (lambda m, x: m.nanmean(m.where(HOLES, m.nan, x), axis=(0, 1), keepdims=True), (U,)), "nanvar ddof": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=0, ddof=1, keepdims=True), (U,)), "nanmedian kept": (lambda m, x: m.nanmedian(m.where(HOLES, m.nan, x), axis=0, keepdims=True), (U,)), "mean where": (lambda m, x: m.mean(x, axis=1, where=MASK), (U,)), "max where": (lambda m, x: m.max(x, axis=1, where=MASK, initial=-9.0), (U,)), "prod where": (lambda m, x: m.prod(x, axis=(0, 1), keepdims=True, where=MASK, initial=2.0), (U,)),
    "take wrap": (lambda m, x: m.take(x, m.asarray([-5, 7]), axis=0, mode="wrap"), (U,)), "take clip": (lambda m, x: m.take(x, m.asarray([-5, 7]), axis=-1, mode="clip"), (U,)), "trapezoid axis": (lambda m, x: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, dx=0.3, axis=0), (U,)), "trapezoid grid": (lambda m, x, y: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, y, axis=0), (U, P)), "linspace axis": (lambda m, x, y: m.linspace(x, y, 3, axis=-1), (U, V)), "linspace step": (lambda m, x, y: m.linspace(x, y, 3, retstep=True), (V, Q)),
    "diff ends": (lambda m, x, y: m.diff(x, prepend=0.5, append=y), (U, real(3, 1))), "ediff1d ends": (lambda m, x, y: m.ediff1d(x, to_end=y, to_begin=m.asarray([1.0])), (V, F)), "cross planes": (lambda m, x, y: m.cross(x, y), (real(4, 2), real(4, 2))), "cross mixed": (lambda m, x, y: m.cross(x, y), (real(4, 2), real(4, 3))), "cross axes": (lambda m, x, y: m.cross(x, y, axisa=0, axisb=1, axisc=0), (real(3, 4), real(4, 3))), "outer of matrices": (lambda m, x, y: m.outer(x, y), (U, real(2, 2))), "kron 3d": (lambda m, x, y: m.kron(x, y), (V, W)),
    "correlate complex": (lambda m, x, y: m.correlate(x, y, "full"), (cplx(5), Y)), "correlate longer": (lambda m, x, y: m.correlate(x, y, "valid"), (V, F)), "convolve same longer": (lambda m, x, y: m.convolve(x, y, "same"), (V, F)), "meshgrid ij": (lambda m, x, y: tuple(m.meshgrid(x, y, indexing="ij")), (V, F)), "vander increasing": (lambda m, x: m.vander(x, 4, increasing=True), (V,)), "repeat flat": (lambda m, x: m.repeat(x, 2), (U,)), "roll negative": (lambda m, x: m.roll(x, -1, axis=1), (U,)), "rot90 thrice": (lambda m, x: m.rot90(x, 3, (1, 2)), (W,)), "fftshift axes": (lambda m, x: m.fft.fftshift(x, axes=(0, 1)), (W,)), "ifftshift odd": (lambda m, x: m.fft.ifftshift(x), (U,)), "irfftn s": (lambda m, x: m.fft.irfftn(x, s=(4, 5), axes=(0, 1)), (Z,)), "rfft2 s": (lambda m, x: m.fft.rfft2(x, s=(2, 5)), (U,)),
    "norm keepdims": (lambda m, x: m.linalg.norm(x, 2, axis=(0, 2), keepdims=True), (W,)), "norm 1 kept": (lambda m, x: m.linalg.norm(x, 1, axis=(2, 0), keepdims=True), (W,)), "norm -1": (lambda m, x: m.linalg.norm(x, -1, axis=(-1, 0)), (W,)), "norm vector -inf": (lambda m, x: m.linalg.norm(x, -m.inf, axis=1, keepdims=True), (U,)), "norm 0": (lambda m, x: m.linalg.norm(x, 0, axis=1) * m.sum(x), (U,)), "complex norm 1": (lambda m, x: m.linalg.norm(x, 1), (Z,)), "vector_norm 3": (lambda m, x: m.linalg.vector_norm(x, ord=3), (U,)), "solve vector batch": (lambda m, a, b: m.linalg.solve(a, b[..., None])[..., 0], (T, real(2, 4))), "matrix_power 0": (lambda m, x: m.linalg.matrix_power(x, 0) @ x, (N,)), "complex lstsq": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (cplx(5, 3), cplx(5))), "lstsq values": (lambda m, a, b: m.linalg.lstsq(a, b)[3], (real(5, 3), real(5, 2))), "eigvalsh upper": (lambda m, x: m.linalg.eigvalsh(x @ x.T, UPLO="U"), (M,)), "complex eig vectors": (lambda m, x: m.linalg.eig(x)[1], (np.diag([1.0, 2.5j, -2.0]) + 0.2 * X,)), "qr tall complex": (lambda m, x: tuple(m.linalg.qr(x)), (cplx(4, 2),)), "svd tall complex": (lambda m, x: m.linalg.svd(x, full_matrices=False)[1], (cplx(4, 2),)), "svd wide": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (real(2, 3, 5),)), "prod negative axis": (lambda m, x: m.prod(x, axis=(-1, 0)), (W,)), "std complex": (lambda m, x: m.std(x, axis=0, ddof=1), (Z,)), "complex max of abs": (lambda m, x: m.max(m.abs(x), axis=0), (Z,)), "clip none": (lambda m, x: m.clip(x, None, 0.5) + m.clip(x, -0.3, None), (U,)), "sum of views": (lambda m, x: m.sum(m.broadcast_to(x, (2, 3, 4)) * 2.0, axis=0), (U,)), "where scalar": (lambda m, x: m.where(x > 0, 1.0, x) * m.where(x > 0, x, 2.0), (U,)),
    # methods and operators
    "operators": (lambda m, x, y: (x + y - x / y) * -x % 7 + 2 ** (x / 9) + abs(x) + (+y) + 1 / y + (3 - y), (U, Q)), "methods": (lambda m, x: x.sum(0) * x.mean(0) + x.T.reshape(4, -1).prod(1) + x.std(axis=0) * x.var(0) + x.max(0) + x.min(0) + x.ravel()[:4] + x.cumsum(0)[1] + x.flatten()[4:8] + x.transpose(1, 0).squeeze()[:, 0] + x.swapaxes(0, 1)[:, 1] + x.dot(M)[0] + x.clip(-1, 1)[0] + x.repeat(2, axis=0)[1] + x.diagonal()[0] + x.trace() + x.conj()[0] + x.real[1] + x.take(m.asarray([1, 2, 3, 0])) + x.copy()[2], (U,)),
    "iteration": (lambda m, x: sum(row * i for i, row in enumerate(x)), (U,)), "ufunc methods": (lambda m, x: np.add.reduce(x) + np.maximum.reduce(x, axis=0) + np.multiply.reduce(x) + np.add.accumulate(x)[1] if m is np else m.sum(x, 0) + m.max(x, 0) + m.prod(x, 0) + m.cumsum(x, 0)[1], (U,)), "ufunc outer": (lambda m, x, y: np.multiply.outer(x, y) if m is np else m.outer(x, y), (V, F)),
}  # fmt: skip
