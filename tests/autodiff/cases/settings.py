"""Settings of functions that another file shows plainly; operators and methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.autodiff.cases.arrays import HOLES, MASK, F, M, N, P, Q, T, U, V, W, X, Y, Z, cplx, real

CASES: dict[str, tuple[Any, tuple]] = {
    # settings of functions above
    "angle deg": (lambda m, x: m.angle(x, deg=True), (Z,)),
    "vecdot complex": (lambda m, x, y: m.vecdot(x, y), (Z, Y)),
    "vecmat complex": (lambda m, x, y: m.vecmat(x, y), (Y, cplx(4, 2))),
    "choose wrap": (lambda m, x, y: m.choose(m.asarray([0, 3, -1, 6]), [x, y], mode="wrap"), (V, Q)),
    "choose clip": (lambda m, x, y: m.choose(m.asarray([0, 3, -1, 6]), [x, y], mode="clip"), (V, Q)),
    "interp period": (lambda m, x, y: m.interp(x, m.asarray([0.1, 1.3, 2.0, 0.7]), y, period=2.5), (U, V)),
    "interp ends": (lambda m, x, y: m.interp(x, m.asarray([-1.0, 0.0, 0.5, 1.0]), y, left=-3.0, right=4.0), (U, V)),
    "quantile kept": (lambda m, x: m.quantile(x, 0.35, axis=(0, 2), keepdims=True), (W,)),
    "var all": (lambda m, x: m.var(x) + m.std(x, ddof=1), (U,)),
    "var where": (lambda m, x: m.var(x, axis=1, where=~MASK, ddof=1), (U,)),
    "max initial": (lambda m, x: m.max(x, initial=-9.0) * m.min(x, initial=9.0) * m.prod(x, initial=0.5), (U,)),
    "nanvar all": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x)), (U,)),
    "nanvar where": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=0, where=~MASK), (real(6, 4)[:3] + U,)),
    "nanmean where": (lambda m, x: m.nanmean(m.where(HOLES, m.nan, x), axis=1, where=~MASK), (U,)),
    "nanvar complex": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=0), (Z,)),
    "median all": (lambda m, x: m.median(x) * m.nanmedian(m.where(HOLES, m.nan, x)), (U,)),
    "quantile list": (lambda m, x: m.quantile(x, m.asarray([0.3, 0.9]), axis=0, keepdims=True), (U,)),
    "quantile by q": (lambda m, x, q: m.quantile(x, q, axis=1), (U, np.array([0.35, 0.9]))),
    "quantile lower": (lambda m, x: m.quantile(x, 0.4, axis=1, method="lower"), (U,)),
    "quantile higher": (lambda m, x: m.quantile(x, 0.4, axis=1, method="higher"), (U,)),
    "quantile nearest": (lambda m, x: m.quantile(x, 0.4, axis=1, method="nearest"), (U,)),
    "quantile midpoint": (lambda m, x: m.quantile(x, 0.4, axis=1, method="midpoint"), (U,)),
    "pad values": (lambda m, x: m.pad(x, ((1, 0), (2, 1)), constant_values=((1.0, 2.0), (3.0, 4.0))), (U,)),
    "pad mean": (lambda m, x: m.pad(x, ((1, 0), (2, 1)), mode="mean"), (U,)),
    "pad mean of two": (lambda m, x: m.pad(x, 2, mode="mean", stat_length=2), (U,)),
    "pad median": (lambda m, x: m.pad(x, 1, mode="median"), (U,)),
    "pad maximum": (lambda m, x: m.pad(x, ((1, 0), (2, 1)), mode="maximum"), (U,)),
    "pad minimum": (lambda m, x: m.pad(x, 1, mode="minimum", stat_length=((2, 1), (3, 2))), (U,)),
    "pad ramp": (
        lambda m, x: m.pad(x, ((1, 3), (2, 0)), mode="linear_ramp", end_values=((1.0, 0.5), (0.0, 2.0))),
        (U,),
    ),
    "pad reflect odd": (lambda m, x: m.pad(x, ((0, 5), (4, 1)), mode="reflect", reflect_type="odd"), (U,)),
    "pad symmetric odd": (lambda m, x: m.pad(x, ((0, 2), (4, 1)), mode="symmetric", reflect_type="odd"), (U,)),
    "det singular": (lambda m, x: m.linalg.det(x - x[:, :1] * m.eye(3)[:1]), (N,)),
    "power 0": (lambda m, x: x**0 * x + x**1 + x**0.5 * 2.0, (P,)),
    "imag of real": (lambda m, x: m.imag(x) * x + m.real(x), (U,)),
    "complex eigvalsh": (lambda m, x: m.linalg.eigvalsh(x + m.conj(x.T)), (X,)),
    "complex eigh upper": (lambda m, x: m.linalg.eigh(x + m.conj(x.T), UPLO="U")[0], (X,)),
    "complex qr wide": (lambda m, x: tuple(m.linalg.qr(x)), (Z,)),
    "complex matrix_power 0": (lambda m, x: m.linalg.matrix_power(x, 0) @ x, (X,)),
    "complex rfft of rows": (lambda m, x: m.fft.irfft(x, axis=0), (Z,)),
    "fft of three axes": (
        lambda m, x: m.fft.fft(x) + m.fft.ifft(x) + m.fft.rfft(x, 4)[..., :1] + m.fft.irfft(x, 4),
        (W,),
    ),
    "trapezoid of three axes": (lambda m, x: getattr(m, "trapezoid", getattr(m, "trapz", None))(x), (W,)),
    "diff of three axes": (lambda m, x: m.diff(x), (W,)),
    "average returned": (lambda m, x, w: m.average(x, weights=w, returned=True), (U, P)),
    "average plain": (lambda m, x: m.average(x, axis=0), (U,)),
    "nanmean kept": (lambda m, x: m.nanmean(m.where(HOLES, m.nan, x), axis=(0, 1), keepdims=True), (U,)),
    "nanvar ddof": (lambda m, x: m.nanvar(m.where(HOLES, m.nan, x), axis=0, ddof=1, keepdims=True), (U,)),
    "nanmedian kept": (lambda m, x: m.nanmedian(m.where(HOLES, m.nan, x), axis=0, keepdims=True), (U,)),
    "mean where": (lambda m, x: m.mean(x, axis=1, where=MASK), (U,)),
    "max where": (lambda m, x: m.max(x, axis=1, where=MASK, initial=-9.0), (U,)),
    "prod where": (lambda m, x: m.prod(x, axis=(0, 1), keepdims=True, where=MASK, initial=2.0), (U,)),
    "take wrap": (lambda m, x: m.take(x, m.asarray([-5, 7]), axis=0, mode="wrap"), (U,)),
    "take clip": (lambda m, x: m.take(x, m.asarray([-5, 7]), axis=-1, mode="clip"), (U,)),
    "trapezoid axis": (lambda m, x: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, dx=0.3, axis=0), (U,)),
    "trapezoid grid": (lambda m, x, y: getattr(m, "trapezoid", getattr(m, "trapz", None))(x, y, axis=0), (U, P)),
    "linspace axis": (lambda m, x, y: m.linspace(x, y, 3, axis=-1), (U, V)),
    "linspace step": (lambda m, x, y: m.linspace(x, y, 3, retstep=True), (V, Q)),
    "diff ends": (lambda m, x, y: m.diff(x, prepend=0.5, append=y), (U, real(3, 1))),
    "ediff1d ends": (lambda m, x, y: m.ediff1d(x, to_end=y, to_begin=m.asarray([1.0])), (V, F)),
    "cross planes": (lambda m, x, y: m.cross(x, y), (real(4, 2), real(4, 2))),
    "cross mixed": (lambda m, x, y: m.cross(x, y), (real(4, 2), real(4, 3))),
    "cross axes": (lambda m, x, y: m.cross(x, y, axisa=0, axisb=1, axisc=0), (real(3, 4), real(4, 3))),
    "outer of matrices": (lambda m, x, y: m.outer(x, y), (U, real(2, 2))),
    "kron 3d": (lambda m, x, y: m.kron(x, y), (V, W)),
    "correlate complex": (lambda m, x, y: m.correlate(x, y, "full"), (cplx(5), Y)),
    "correlate longer": (lambda m, x, y: m.correlate(x, y, "valid"), (V, F)),
    "convolve same longer": (lambda m, x, y: m.convolve(x, y, "same"), (V, F)),
    "meshgrid ij": (lambda m, x, y: tuple(m.meshgrid(x, y, indexing="ij")), (V, F)),
    "vander increasing": (lambda m, x: m.vander(x, 4, increasing=True), (V,)),
    "repeat flat": (lambda m, x: m.repeat(x, 2), (U,)),
    "roll negative": (lambda m, x: m.roll(x, -1, axis=1), (U,)),
    "rot90 thrice": (lambda m, x: m.rot90(x, 3, (1, 2)), (W,)),
    "fftshift axes": (lambda m, x: m.fft.fftshift(x, axes=(0, 1)), (W,)),
    "ifftshift odd": (lambda m, x: m.fft.ifftshift(x), (U,)),
    "irfftn s": (lambda m, x: m.fft.irfftn(x, s=(4, 5), axes=(0, 1)), (Z,)),
    "rfft2 s": (lambda m, x: m.fft.rfft2(x, s=(2, 5)), (U,)),
    "norm keepdims": (lambda m, x: m.linalg.norm(x, 2, axis=(0, 2), keepdims=True), (W,)),
    "norm 1 kept": (lambda m, x: m.linalg.norm(x, 1, axis=(2, 0), keepdims=True), (W,)),
    "norm -1": (lambda m, x: m.linalg.norm(x, -1, axis=(-1, 0)), (W,)),
    "norm vector -inf": (lambda m, x: m.linalg.norm(x, -m.inf, axis=1, keepdims=True), (U,)),
    "norm 0": (lambda m, x: m.linalg.norm(x, 0, axis=1) * m.sum(x), (U,)),
    "complex norm 1": (lambda m, x: m.linalg.norm(x, 1), (Z,)),
    "vector_norm 3": (lambda m, x: m.linalg.vector_norm(x, ord=3), (U,)),
    "solve vector batch": (lambda m, a, b: m.linalg.solve(a, b[..., None])[..., 0], (T, real(2, 4))),
    "matrix_power 0": (lambda m, x: m.linalg.matrix_power(x, 0) @ x, (N,)),
    "complex lstsq": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (cplx(5, 3), cplx(5))),
    "lstsq values": (lambda m, a, b: m.linalg.lstsq(a, b)[3], (real(5, 3), real(5, 2))),
    "eigvalsh upper": (lambda m, x: m.linalg.eigvalsh(x @ x.T, UPLO="U"), (M,)),
    "complex eig vectors": (lambda m, x: m.linalg.eig(x)[1], (np.diag([1.0, 2.5j, -2.0]) + 0.2 * X,)),
    "qr tall complex": (lambda m, x: tuple(m.linalg.qr(x)), (cplx(4, 2),)),
    "svd tall complex": (lambda m, x: m.linalg.svd(x, full_matrices=False)[1], (cplx(4, 2),)),
    "svd wide": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (real(2, 3, 5),)),
    "prod negative axis": (lambda m, x: m.prod(x, axis=(-1, 0)), (W,)),
    "std complex": (lambda m, x: m.std(x, axis=0, ddof=1), (Z,)),
    "complex max of abs": (lambda m, x: m.max(m.abs(x), axis=0), (Z,)),
    "clip none": (lambda m, x: m.clip(x, None, 0.5) + m.clip(x, -0.3, None), (U,)),
    "sum of views": (lambda m, x: m.sum(m.broadcast_to(x, (2, 3, 4)) * 2.0, axis=0), (U,)),
    "where scalar": (lambda m, x: m.where(x > 0, 1.0, x) * m.where(x > 0, x, 2.0), (U,)),
    # methods and operators
    "operators": (lambda m, x, y: (x + y - x / y) * -x % 7 + 2 ** (x / 9) + abs(x) + (+y) + 1 / y + (3 - y), (U, Q)),
    "methods": (
        lambda m, x: (
            x.sum(0) * x.mean(0)
            + x.T.reshape(4, -1).prod(1)
            + x.std(axis=0) * x.var(0)
            + x.max(0)
            + x.min(0)
            + x.ravel()[:4]
            + x.cumsum(0)[1]
            + x.flatten()[4:8]
            + x.transpose(1, 0).squeeze()[:, 0]
            + x.swapaxes(0, 1)[:, 1]
            + x.dot(M)[0]
            + x.clip(-1, 1)[0]
            + x.repeat(2, axis=0)[1]
            + x.diagonal()[0]
            + x.trace()
            + x.conj()[0]
            + x.real[1]
            + x.take(m.asarray([1, 2, 3, 0]))
            + x.copy()[2]
        ),
        (U,),
    ),
    "iteration": (lambda m, x: sum(row * i for i, row in enumerate(x)), (U,)),
    "ufunc methods": (
        lambda m, x: (
            np.add.reduce(x) + np.maximum.reduce(x, axis=0) + np.multiply.reduce(x) + np.add.accumulate(x)[1]
            if m is np
            else m.sum(x, 0) + m.max(x, 0) + m.prod(x, 0) + m.cumsum(x, 0)[1]
        ),
        (U,),
    ),
    "ufunc outer": (lambda m, x, y: np.multiply.outer(x, y) if m is np else m.outer(x, y), (V, F)),
}
