"""Delicate derivatives: singular matrices, columns that are arbitrary, all the ways to pad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import check_grads, grad, hessian, jvp, vjp

R = np.random.default_rng(11)
X = R.standard_normal((3, 4))


def of_rank(n: int, rank: int, is_complex: bool) -> Any:
    left, right = R.standard_normal((2, n, rank)) + 1j * is_complex * R.standard_normal((2, n, rank))
    return left @ right.T if is_complex else (left @ right.T).real


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("n", range(1, 6))
def test_det_of_any_rank_to_second_order(n: int, is_complex: bool) -> None:
    for rank in range(n + 1):
        check_grads(np.linalg.det, (of_rank(n, rank, is_complex),))
    batch = np.stack([of_rank(n, n - 1, is_complex), of_rank(n, n, is_complex)])
    check_grads(np.linalg.det, (batch,))


def test_det_of_singular_matrices_in_closed_form() -> None:
    a = np.arange(9.0).reshape(3, 3)
    cofactors = np.array([[-3.0, 6, -3], [6, -12, 6], [-3, 6, -3]])
    np.testing.assert_allclose(grad(np.linalg.det)(a), cofactors, atol=1e-13)
    np.testing.assert_array_equal(grad(np.linalg.det)(np.diag([1.0, 2, 0])), np.diag([0.0, 0, 2]))
    np.testing.assert_allclose(grad(np.linalg.det)(np.diag([1e-9, 2, 3])), np.diag([6, 3e-9, 2e-9]), rtol=1e-12)
    assert grad(np.linalg.det)(a.astype(np.float32)).dtype == np.float32
    swap = hessian(np.linalg.det)(np.zeros((2, 2)))
    assert swap[0, 0, 1, 1] == swap[1, 1, 0, 0] == -swap[0, 1, 1, 0] == 1
    check_grads(np.linalg.det, (np.eye(3) + 0.1 * X[:, :3],), order=3)
    with pytest.raises(np.linalg.LinAlgError, match="third derivative of the determinant"):
        hessian(grad(np.linalg.det))(a)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 5, 3), (2, 3, 5)])
def test_full_svd_and_complete_qr_where_only_the_matrixs_own_columns_are_used(shape: Any, is_complex: bool) -> None:
    x = R.standard_normal(shape) + (1j * R.standard_normal(shape) if is_complex else 0)
    k = min(shape[-2:])

    def product(x: Any) -> Any:
        u, s, vh = np.linalg.svd(x)
        return (u[..., :k] * np.sqrt(s)[..., None, :]) @ vh[..., :k, :]

    def triangle(x: Any) -> Any:
        q, r = np.linalg.qr(x, "complete")
        return q[..., :k], r

    check_grads(product, (x,))
    check_grads(lambda x: np.linalg.svd(x)[1], (x,))
    check_grads(triangle, (x,))
    for ours, theirs in zip(vjp(lambda x: tuple(np.linalg.svd(x)), x)[0], np.linalg.svd(x)):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(vjp(lambda x: tuple(np.linalg.qr(x, "complete")), x)[0], np.linalg.qr(x, "complete")):
        np.testing.assert_allclose(ours, theirs, atol=1e-14)
    tangent = jvp(lambda x: np.linalg.svd(x)[0], (x,), (x * 0.5 + 1,))[1]
    assert np.isfinite(tangent[..., :k]).all()
    assert np.isnan(tangent[..., k:]).all()


MODES: list[tuple[str, dict]] = [
    ("constant", {}), ("constant", {"constant_values": ((1, 2), (3, 4))}), ("edge", {}), ("linear_ramp", {}),
    ("linear_ramp", {"end_values": ((1, 2), (3.5, 4))}), ("mean", {}), ("mean", {"stat_length": ((1, 2), (2, 3))}),
    ("median", {}), ("maximum", {}), ("minimum", {"stat_length": 2}), ("reflect", {}), ("symmetric", {}), ("wrap", {}),
    ("reflect", {"reflect_type": "odd"}), ("symmetric", {"reflect_type": "odd"}),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "settings"), MODES)
def test_every_padding(mode: str, settings: dict) -> None:
    for width in (0, 1, (2, 1), ((0, 2), (3, 1)), ((1,), (0,)), ((7, 8), (9, 2))):
        f = lambda x, width=width: np.pad(x, width, mode=mode, **settings)  # noqa: E731
        np.testing.assert_allclose(vjp(f, X)[0], f(X), rtol=1e-12)
        assert vjp(f, X.astype(np.float32))[0].dtype == np.float32
        check_grads(f, (X,))


def test_padding_by_traced_values() -> None:
    c = np.array([0.3, 1.7])
    check_grads(lambda x, c: np.pad(x, 1, constant_values=(c[0], 1.0)), (X, c))
    check_grads(lambda x, c: np.pad(x, 2, mode="linear_ramp", end_values=c), (X, c))
