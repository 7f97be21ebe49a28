"""np.linalg."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.autodiff.cases.arrays import M, N, Q, S, T, U, V, W, real

CASES: dict[str, tuple[Any, tuple]] = {
    # linear algebra
    "inv": (lambda m, x: m.linalg.inv(x), (T,)),
    "solve": (lambda m, a, b: m.linalg.solve(a, b), (S, real(3, 2))),
    "solve vector": (lambda m, a, b: m.linalg.solve(a, b), (S, real(3))),
    "solve batch": (lambda m, a, b: m.linalg.solve(a, b), (T, real(1, 4, 2))),
    "det": (lambda m, x: m.linalg.det(x), (N,)),
    "slogdet": (lambda m, x: m.linalg.slogdet(x)[1], (N,)),
    "cholesky": (lambda m, x: m.linalg.cholesky(x @ m.swapaxes(x, -1, -2) + m.eye(4)), (T,)),
    "cholesky upper": (lambda m, x: m.linalg.cholesky((x + x.T) / 2, upper=True), (S,)),
    "qr": (lambda m, x: tuple(m.linalg.qr(x)), (real(5, 3),)),
    "qr wide": (lambda m, x: tuple(m.linalg.qr(x)), (U,)),
    "qr r": (lambda m, x: m.linalg.qr(x, mode="r"), (N,)),
    "svd": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (U,)),
    "svd tall": (lambda m, x: tuple(m.linalg.svd(x, full_matrices=False)), (real(2, 4, 3),)),
    "svd values": (lambda m, x: m.linalg.svd(x, compute_uv=False), (W,)),
    "svdvals": (lambda m, x: m.linalg.svdvals(x), (U,)),
    "eigh": (lambda m, x: tuple(m.linalg.eigh((x + m.swapaxes(x, -1, -2)) / 2)), (T,)),
    "eigh upper": (lambda m, x: m.linalg.eigh(x @ x.T, UPLO="U")[0], (M,)),
    "eigvalsh": (lambda m, x: m.linalg.eigvalsh((x + x.T) / 2), (S,)),
    "eig": (lambda m, x: m.linalg.eig(x)[0], (M,)),
    "eig vectors": (lambda m, x: m.linalg.eig(x)[1], (np.diag([1.0, 2.5, 4.0]) + 0.3 * N[0],)),
    "eigvals": (lambda m, x: m.linalg.eigvals(x), (M,)),
    "pinv": (lambda m, x: m.linalg.pinv(x), (real(4, 3),)),
    "pinv wide": (lambda m, x: m.linalg.pinv(x), (U,)),
    "matrix_power": (lambda m, x: m.linalg.matrix_power(x, 5), (N,)),
    "matrix_power negative": (lambda m, x: m.linalg.matrix_power(x, -2), (S,)),
    "multi_dot": (lambda m, x, y, z: m.linalg.multi_dot([x, y, z]), (U, M, real(4, 2))),
    "multi_dot vectors": (lambda m, x, y, z: m.linalg.multi_dot([x, y, z]), (V, M, V + 1)),
    "lstsq": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (real(5, 3), real(5))),
    "lstsq residuals": (lambda m, a, b: m.linalg.lstsq(a, b)[1], (real(5, 3), real(5, 2))),
    "lstsq wide": (lambda m, a, b: m.linalg.lstsq(a, b)[0], (U, real(3))),
    "norm": (lambda m, x: m.linalg.norm(x), (U,)),
    "norm axis": (lambda m, x: m.linalg.norm(x, axis=1), (W,)),
    "norm 1": (lambda m, x: m.linalg.norm(x, 1), (U,)),
    "norm inf": (lambda m, x: m.linalg.norm(x, m.inf), (U,)),
    "norm -inf": (lambda m, x: m.linalg.norm(x, -m.inf, axis=(0, 1), keepdims=True), (U,)),
    "norm 2": (lambda m, x: m.linalg.norm(x, 2), (U,)),
    "norm -2": (lambda m, x: m.linalg.norm(x, -2), (U,)),
    "norm nuc": (lambda m, x: m.linalg.norm(x, "nuc"), (U,)),
    "norm fro": (lambda m, x: m.linalg.norm(x, "fro", axis=(0, 2)), (W,)),
    "norm 3": (lambda m, x: m.linalg.norm(x, 3), (V,)),
    "norm vector inf": (lambda m, x: m.linalg.norm(x, m.inf, axis=0), (U,)),
    "norm vector 1": (lambda m, x: m.linalg.norm(x, 1, axis=0), (U,)),
    "vector_norm": (lambda m, x: m.linalg.vector_norm(x, axis=1), (U,)),
    "matrix_norm": (lambda m, x: m.linalg.matrix_norm(x), (W,)),
    "cond": (lambda m, x: m.linalg.cond(x), (S,)),
    "cond 1": (lambda m, x: m.linalg.cond(x, 1), (S,)),
    "linalg matmul": (lambda m, x, y: m.linalg.matmul(x, y), (S, N)),
    "linalg outer": (lambda m, x, y: m.linalg.outer(x, y), (V, Q)),
    "linalg cross": (lambda m, x, y: m.linalg.cross(x, y), (S, N[0])),
    "linalg tensordot": (lambda m, x, y: m.linalg.tensordot(x, y, axes=1), (S, N[0])),
    "linalg diagonal": (lambda m, x: m.linalg.diagonal(x, offset=1), (W,)),
    "linalg trace": (lambda m, x: m.linalg.trace(x, offset=-1), (W,)),
    "linalg matrix_transpose": (lambda m, x: m.linalg.matrix_transpose(x), (W,)),
    "linalg vecdot": (lambda m, x, y: m.linalg.vecdot(x, y), (U, V)),
}
