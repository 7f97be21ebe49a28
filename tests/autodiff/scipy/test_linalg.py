"""scipy.linalg: every rule with its settings, real and complex, vectors, columns and stacks; and what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

sl = pytest.importorskip("scipy.linalg")

from mytorch.autodiff import grad, jacobian, jvp, vjp  # noqa: E402
from mytorch.autodiff.scipy import linalg  # noqa: E402
from tests.autodiff.scipy.numerics import agrees  # noqa: E402

G = np.random.default_rng(0)
A, B = G.standard_normal((4, 4)) + 3 * np.eye(4), G.standard_normal((4, 2))
C, D = A + 1j * G.standard_normal((4, 4)), B + 1j * G.standard_normal((4, 2))
PAIRS = [pytest.param(A, B, id="real"), pytest.param(A, B[:, 0], id="vector"), pytest.param(C, D, id="complex")]
MATRICES = [pytest.param(A, id="real"), pytest.param(C, id="complex")]


def hermitian(a: Any) -> Any:
    """Directions for the functions of one triangle: changes that keep the matrix Hermitian."""
    return (a + np.conj(np.swapaxes(a, -1, -2))) / 2


def positive(a: Any) -> Any:
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(len(a))


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize(
    "structure", [None, "gen", "upper triangular", "lower triangular", "tridiagonal", "diagonal", "banded"]
)
def test_solve(a: Any, b: Any, structure: str | None) -> None:
    settings = {} if structure is None else {"assume_a": structure}
    try:
        sl.solve(np.eye(2), np.ones(2), **settings)
    except ValueError:
        pytest.skip("this SciPy has no such structure")
    agrees(lambda a, b: linalg.solve(a, b, **settings), a if structure != "banded" else np.triu(a), b)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.slow
def test_what_reads_one_triangle(a: Any, b: Any, lower: bool) -> None:
    s, t = positive(a), positive(np.conj(a.T)) + np.diag([1.0, 2.0, 3.0, 4.0])
    agrees(lambda a, b: linalg.solve(hermitian(a), b, lower=lower, assume_a="pos"), s, b)
    agrees(lambda a, b: linalg.solve(hermitian(a), b, lower=lower, assume_a="her"), s, b)
    if "assume_a" in inspect.signature(sl.inv).parameters:
        agrees(lambda a: linalg.inv(hermitian(a), assume_a="pos", lower=lower), s)
    agrees(lambda a, b: linalg.solve(a + a.T, b, lower=lower, assume_a="sym"), a, b)
    agrees(lambda a: linalg.cholesky(hermitian(a), lower=lower), s)
    agrees(lambda a: linalg.cho_factor(hermitian(a), lower=lower)[0], s)
    agrees(lambda a, b: linalg.cho_solve(linalg.cho_factor(hermitian(a), lower=lower), b), s, b)
    agrees(lambda a: linalg.eigh(hermitian(a), lower=lower)[0], s)
    agrees(lambda a: np.abs(linalg.eigh(hermitian(a), lower=lower)[1]), s)
    agrees(lambda a, b: linalg.eigh(hermitian(a), hermitian(b), lower=lower)[0], s, t)
    agrees(lambda a, b: np.abs(linalg.eigh(hermitian(a), hermitian(b), lower=lower)[1]), s, t)
    agrees(lambda a, b: linalg.eigvalsh(hermitian(a), hermitian(b), lower=lower), s, t)
    agrees(lambda a: linalg.eigh(hermitian(a), lower=lower, eigvals_only=True), s)
    garbage = s + np.triu(np.full((4, 4), 9.0), 1) if lower else s + np.tril(np.full((4, 4), 9.0), -1)
    np.testing.assert_allclose(vjp(lambda a: linalg.cholesky(a, lower=lower), garbage)[0], sl.cholesky(s, lower=lower))
    gradient = grad(lambda a: np.sum(np.abs(linalg.solve(a, b, lower=lower, assume_a="pos"))))(garbage)
    np.testing.assert_allclose(gradient, np.conj(gradient.T))


@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("trans", [0, 1, 2, "C"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.slow
def test_solve_triangular(a: Any, b: Any, lower: bool, trans: Any, unit_diagonal: bool) -> None:
    agrees(lambda a, b: linalg.solve_triangular(a, b, trans, lower, unit_diagonal), a, b, order=1)
    triangle = grad(lambda a: np.real(np.sum(linalg.solve_triangular(a, b, trans, lower, unit_diagonal))))(a)
    assert not np.any(np.triu(triangle, 1) if lower else np.tril(triangle, -1))


def test_solve_triangular_to_second_order() -> None:
    agrees(lambda a, b: linalg.solve_triangular(a, b, trans=2, lower=True), C, D)


@pytest.mark.parametrize("trans", [0, 1, 2])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_lu(a: Any, b: Any, trans: int) -> None:
    a = a[[2, 0, 3, 1]]  # with rows to exchange
    agrees(lambda a: linalg.lu_factor(a)[0], a)
    agrees(lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b, trans), a, b)
    np.testing.assert_array_equal(vjp(lambda a: linalg.lu_factor(a)[1] + 0.0, a)[0], sl.lu_factor(a)[1])


@pytest.mark.parametrize("a", MATRICES)
@pytest.mark.slow
def test_functions_of_a_matrix(a: Any) -> None:
    for f, x in (
        (linalg.inv, a), (linalg.det, a), (linalg.expm, a / 4), (linalg.sqrtm, positive(a)), (linalg.logm, positive(a) / 4),
        (linalg.svdvals, a), (lambda a: linalg.svd(a)[1], a[:, :2]), (lambda a: linalg.svd(a, compute_uv=False), a),
        (lambda a: np.abs(linalg.svd(a, full_matrices=False)[0]), a[:, :2]), (lambda a: linalg.qr(a)[0], a),
        (lambda a: linalg.qr(a), a[:2]), (lambda a: linalg.qr(a, mode="economic"), a[:, :2]),
        (lambda a: linalg.qr(a, mode="r")[0], a), (lambda a: linalg.qr(a, pivoting=True)[:2], a),
        (lambda a: linalg.qr(a, mode="r", pivoting=True)[0], a),
    ):  # fmt: skip
        agrees(f, x)


def test_a_complex_root_of_a_real_matrix() -> None:
    agrees(lambda a: linalg.sqrtm(a)[0], np.array([[1.0, 0.3], [0.2, -2.0]]))


@pytest.mark.parametrize("complex_too", [False, True])
def test_sylvester_and_lyapunov_equations(complex_too: bool) -> None:
    a, b, q = (C, D[:2] + 9j, D) if complex_too else (A, B[:2], B)
    agrees(linalg.solve_sylvester, a, b, q)
    agrees(linalg.solve_continuous_lyapunov, a, 1.1 * a + 0.3)


@pytest.mark.parametrize("l_and_u", [(1, 1), (2, 1), (0, 2), (1, 0), (0, 0), (3, 3)])
def test_solve_banded(l_and_u: tuple) -> None:
    ab = G.standard_normal((sum(l_and_u) + 1, 5))
    ab[l_and_u[1]] += 4
    for factor in (1, 1 + 0.2j):
        for b in (G.standard_normal(5) * factor, G.standard_normal((5, 2)) * factor):
            agrees(lambda ab, b: linalg.solve_banded(l_and_u, ab, b), ab * factor, b)


def test_stacks_of_matrices() -> None:
    try:
        sl.solve_triangular(np.stack([A, A]), B)
    except ValueError:
        pytest.skip("this SciPy takes one matrix at a time")
    stack = np.stack([A, A.T])
    for b in (B, B[:, 0], np.stack([B, B])):
        agrees(linalg.solve, stack, b)
        agrees(linalg.solve_triangular, stack, b)
    agrees(linalg.expm, stack / 4)
    agrees(linalg.det, stack)
    agrees(lambda a: linalg.cholesky(a @ np.swapaxes(a, -1, -2), lower=True), stack)


def test_transposed_equations() -> None:
    agrees(lambda a, b: linalg.solve(a, b, transposed=True), A, B)
    with pytest.raises(NotImplementedError, match="transposed=True"):
        grad(lambda a: np.real(np.sum(linalg.solve(a, B, transposed=True))))(C)


@pytest.mark.slow
def test_against_jax(jax: Any) -> None:
    """Gradients of random functions of the results, to 1e-9 where factors of condition 10 to 100 are divided by."""
    s, w = positive(A), G.standard_normal((4, 2))

    def losses(m: Any, np: Any, a: Any) -> Any:
        level = (a + a.T) / 2
        return np.stack(
            [
                np.sum(m.solve(a, w) * w),
                np.sum(m.solve_triangular(a, w, trans=1, lower=True) * w),
                np.sum(m.cho_solve(m.cho_factor(level), w) * w),
                np.sum(m.lu_solve(m.lu_factor(a), w, 1) * w),
                np.sum(m.cholesky(level, lower=True) ** 3),
                np.sum(m.expm(a / 9) ** 2),
                np.sum(m.inv(a) ** 2) + m.det(a),
                np.sum(m.eigh(level)[0] ** 3) + np.sum(m.eigh(level)[1] ** 4),
                np.sum(m.svd(a)[1] ** 3) + np.sum(m.svd(a)[0] ** 4),
                np.sum(m.qr(a)[0] ** 4),
            ]
        )

    ours = jacobian(lambda a: losses(linalg, np, a))(s)
    theirs = jax.jit(jax.jacfwd(lambda a: losses(jax.scipy.linalg, jax.numpy, a)))(s)
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9 * np.max(np.abs(other)))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (
            lambda a: linalg.svd(a, lapack_driver="gesvd")[1],
            NotImplementedError,
            r"scipy\.linalg\.svd with lapack_driver=",
        ),
        (lambda a: linalg.svd(a[:, :2])[0], NotImplementedError, r"scipy\.linalg\.svd .* full_matrices=False"),
        (lambda a: linalg.qr(a[:, :2])[0], NotImplementedError, r"scipy\.linalg\.qr adds"),
        (lambda a: linalg.qr(a, mode="raw")[1], NotImplementedError, r"scipy\.linalg\.qr with mode='raw'"),
        (
            lambda a: linalg.eigh(a, subset_by_index=[0, 1])[0],
            NotImplementedError,
            r"scipy\.linalg\.eigh with subset_by_index",
        ),
        (lambda a: linalg.eigh(a, a, type=2)[0], NotImplementedError, r"scipy\.linalg\.eigh with type=2"),
        (lambda a: linalg.eigh(np.eye(4) + 0 * a)[1], np.linalg.LinAlgError, "coincide"),
        (lambda a: linalg.lu_factor(a[:, :2])[0], NotImplementedError, r"scipy\.linalg\.lu_factor .* square"),
        (lambda a: linalg.solve(a, B, assume_a="odd"), ValueError, "odd"),
        (lambda a: linalg.solve_triangular(a, B, trans=5), ValueError, "trans=5"),
        (lambda a: linalg.lu_solve(linalg.lu_factor(a), B, trans="T"), ValueError, "trans='T'"),
        (lambda a: linalg.solve(a * np.nan, B), ValueError, "infs or NaNs"),
        (lambda a: linalg.solve(0 * a, B), np.linalg.LinAlgError, "[Ss]ingular"),
        (lambda a: linalg.schur(a)[0], TypeError, r"scipy\.linalg\.schur copies"),
    ],
)
def test_refused(f: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        grad(lambda a: np.sum(f(a)))(A @ A.T)


def test_permissions_change_nothing() -> None:
    a = A.copy()
    value, tangent = jvp(
        lambda a: linalg.solve(a, B, overwrite_a=True, overwrite_b=True, check_finite=False), (a,), (np.ones((4, 4)),)
    )
    np.testing.assert_allclose(value, sl.solve(A, B))
    np.testing.assert_allclose(tangent, -sl.solve(A, np.ones((4, 4)) @ value))
    np.testing.assert_array_equal(a, A)
