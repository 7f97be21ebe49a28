"""Rules where a line of the cases cannot say it: ties, arguments by name, users' own rules, what NumPy's functions mean."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import (
    check_grads,
    composite,
    elementwise,
    explicit,
    grad,
    hessian,
    jacobian_forward,
    jvp,
    linear,
    primitive,
    trace,
    vjp,
)  # fmt: skip
from mytorch.autodiff.rules.statistics import STEEPNESS
from mytorch.autodiff.traced import TABLE

X = np.array([0.5, -1.2, 2.0])
A = np.array([[2.0, 1.0, 0.5], [0.3, 1.5, -1.0], [0.1, 0.2, 3.0]])


def test_ties_as_in_jax() -> None:
    assert grad(np.maximum, (0, 1))(1.0, 1.0) == (0.5, 0.5)
    np.testing.assert_array_equal(grad(np.max)(np.array([1.0, 3.0, 3.0])), [0, 0.5, 0.5])
    assert grad(np.abs)(0.0) == 0
    assert grad(lambda x: np.clip(x, 0.0, 1.0))(1.0) == 0.5
    assert grad(np.prod)(np.zeros(2))[0] == 0
    np.testing.assert_array_equal(hessian(np.prod)(np.zeros(2)), [[0, 1], [1, 0]])
    assert grad(grad(np.sinc))(0.0) == pytest.approx(-(np.pi**2) / 3)
    assert grad(grad(grad(np.tanh)))(0.0) == -2


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty_arrays(shape: tuple) -> None:
    x = np.zeros(shape)
    for f in (
        np.sin,
        np.sum,
        np.cumsum,
        np.ravel,
        np.prod,
        lambda x: x * 2 + x,
        lambda x: np.concatenate([x, x]),
        lambda x: x[:0],
    ):
        value, pull = vjp(f, x)
        assert np.shape(value) == np.shape(f(x))
        assert pull(np.ones(np.shape(value)))[0].shape == shape
        assert np.shape(jvp(f, (x,), (x,))[1]) == np.shape(value)


def test_an_argument_without_a_partial_derivative_is_refused() -> None:
    @primitive
    def scaled(x: Any, c: Any) -> Any:
        return np.asarray(x) * np.asarray(c)

    elementwise(scaled, lambda y, x, c: c)
    assert grad(lambda x: scaled(x, 3.0))(2.0) == 3
    for transform in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))):
        with pytest.raises(
            TypeError, match=r"scaled: argument 1 is traced, but the rule has a partial derivative for 1"
        ):
            transform(lambda x: scaled(x, x))(2.0)


def test_users_own_primitives() -> None:
    @primitive
    def softplus(x: Any) -> Any:
        return np.logaddexp(np.asarray(x), 0)  # asarray: a primitive sees plain arrays

    with pytest.raises(NotImplementedError, match="softplus has no rule"):
        grad(softplus)(1.0)
    elementwise(softplus, lambda y, x: 1 / (1 + np.exp(-x)))
    check_grads(lambda x: softplus(x) * x, (X,))

    @primitive
    def scaled(x: Any, k: int) -> Any:
        return np.asarray(x) * k

    linear(scaled, lambda g, y, x, k: scaled(g, k))
    check_grads(lambda x: np.sin(scaled(x, 3)), (X,))

    @primitive
    def cube_sum(x: Any) -> Any:
        return np.sum(np.asarray(x) ** 3)

    explicit(cube_sum, jvps=[lambda t, y, x: np.sum(3 * x**2 * t)])  # reverse mode by transposing
    check_grads(cube_sum, (X,))
    explicit(cube_sum, vjps=[lambda g, y, x: g * 3 * x**2])
    np.testing.assert_allclose(grad(cube_sum)(X), 3 * X**2)
    with pytest.raises(NotImplementedError, match="no jvp rule"):
        jvp(cube_sum, (X,), (X,))
    with pytest.raises(ValueError, match="neither vjps nor jvps"):
        explicit(cube_sum)

    @primitive
    def hidden(x: Any) -> Any:
        return np.asarray(x) ** 2

    composite(hidden, lambda x: x * x)
    check_grads(hidden, (X,))
    for fun in (softplus, scaled, cube_sum, hidden):
        del TABLE[fun]


def test_check_grads_finds_a_wrong_rule() -> None:
    @primitive
    def wrong(x: Any) -> Any:
        return np.sin(np.asarray(x))

    elementwise(wrong, lambda y, x: np.cos(x) + 0.01 * (x > 1))
    with pytest.raises(AssertionError, match=r"forward mode of f disagrees.*\(2,\)"):
        check_grads(wrong, (X,))
    with pytest.raises(AssertionError, match="reverse mode of f"):
        check_grads(wrong, (X,), modes=("rev",))
    elementwise(wrong, lambda y, x: np.cos(np.asarray(getattr(x, "value", x))))  # right once, cut at second order
    check_grads(wrong, (X,), order=1)
    with pytest.raises(AssertionError, match="the jvp of f"):
        check_grads(wrong, (X,), order=2)
    del TABLE[wrong]


def test_a_plain_dot_of_the_table_with_numpy_arrays_on_the_left() -> None:
    for f in (
        lambda x: A @ x,
        lambda x: A[0] * x,
        lambda x: 2.0 - x,
        lambda x: A[0] ** (x / 9),
        lambda x: np.float64(3) * x,
    ):
        check_grads(f, (X,))


def test_one_triangle_is_read_and_the_gradient_is_symmetric() -> None:
    for uplo, other in (("U", np.triu), ("L", np.tril)):
        half = other(A)
        values, pull = vjp(lambda a, uplo=uplo: np.linalg.eigh(a, UPLO=uplo)[0], half)
        np.testing.assert_allclose(values, np.linalg.eigh(half, UPLO=uplo)[0])
        np.testing.assert_allclose(vjp(lambda a, uplo=uplo: np.linalg.eigvalsh(a, uplo), half)[0], values)
        _, v = np.linalg.eigh(half, UPLO=uplo)
        np.testing.assert_allclose(pull(np.array([1.0, 0, 0]))[0], np.outer(v[:, 0], v[:, 0]), atol=1e-12)


def test_blocks_of_mixed_depth() -> None:
    f = lambda x: np.block([[np.eye(2) * x[0], np.ones((2, 1)) * x[1]], [x[:2], x[2:]]])  # noqa: E731
    np.testing.assert_array_equal(vjp(f, X)[0], f(X))
    check_grads(f, (X,))
    g = lambda x: np.block([x, x * 2])  # noqa: E731
    np.testing.assert_array_equal(vjp(g, X)[0], g(X))


def test_multi_dot_takes_the_cheap_order() -> None:
    """Column times row times column: from the right it is all vectors, from the left a matrix of 200 x 200."""
    column, row = np.linspace(0, 1, 200)[:, None], np.linspace(1, 2, 200)[None, :]
    engine = trace(lambda a, b, c: np.sum(np.linalg.multi_dot([a, b, c])))(column, row, column + 1)
    assert max(op.output.size for op in engine.operation_list) == 200


@pytest.mark.parametrize("small", [1.0, 1e-9, 1e-38, 0.0])
def test_products_with_small_factors_to_second_order(small: float) -> None:
    x = np.array([small, 3.0, -2.0])
    np.testing.assert_allclose(grad(np.prod)(x), [-6, -2 * small, 3 * small], rtol=1e-15)
    np.testing.assert_allclose(hessian(np.prod)(x), [[0, -2, 3], [-2, 0, small], [3, small, 0]], rtol=1e-15)
    np.testing.assert_allclose(jacobian_forward(jacobian_forward(np.prod))(x), hessian(np.prod)(x), rtol=1e-15)


def test_indices_default_to_what_numpy_does() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for f in (np.cumsum, np.sort, np.median, np.flip, np.roll, np.repeat, np.take, np.std, np.ptp, np.diff, np.argsort):
        arguments = {np.roll: (1,), np.repeat: (2,), np.take: (np.array([4, -1]),)}.get(f, ())
        np.testing.assert_allclose(vjp(lambda x, f=f, a=arguments: f(x, *a), x)[0], f(x, *arguments))


def test_arrays_given_by_name() -> None:
    for f in (
        lambda x: np.transpose(a=x), lambda x: np.sum(a=x, axis=0), lambda x: np.convolve(x[0], v=x[1]),
        lambda x: np.clip(x, a_min=x * 0.5, a_max=9.0), lambda x: np.linalg.solve(x, b=x[0]),
        lambda x: np.take_along_axis(x, axis=0, indices=np.zeros((1, 3), int)),
    ):  # fmt: skip
        np.testing.assert_array_equal(vjp(f, A)[0], f(A))
        check_grads(f, (A,))


METHODS = (
    "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull linear median_unbiased "
    "normal_unbiased lower higher midpoint nearest"
)


@pytest.mark.parametrize("method", METHODS.split())
def test_every_method_of_quantile(method: str) -> None:
    x = np.array([[0.3, 2.0, -1.0, 0.7, 1.1], [1.0, -0.2, 4.0, 2.2, 0.1]])
    for q in (0.0, 0.13, 0.5, 0.87, 1.0, np.array([0.35, 0.61])):
        f = lambda x, q=q: np.quantile(x, q, axis=1, method=method)  # noqa: E731
        np.testing.assert_allclose(vjp(f, x)[0], f(x), rtol=1e-14)
        check_grads(f, (x,))
    if method in STEEPNESS:
        check_grads(lambda q: np.quantile(x, q, axis=1, method=method), (np.array([0.35, 0.62]),))
        check_grads(lambda q: np.nanpercentile(x, q, axis=0, method=method), (np.float64(44.0),))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_deviation_of_one_entry_is_zero_everywhere() -> None:
    for f in (np.std, np.nanstd, lambda x: np.std(x[:, None], axis=1)[0], lambda x: np.std(x, where=x > 0)):
        x = np.array([0.7])
        assert [f(x), grad(f)(x), hessian(f)(x), jvp(f, (x,), (x,))[1]] == [0, 0, 0, 0]
    assert np.isnan(grad(lambda x: np.std(x, ddof=1))(np.array([0.7])))


def test_nan_in_medians_and_quantiles_is_numpys() -> None:
    x = np.array([[0.3, np.nan, -1.0, 0.7], [1.0, -0.2, 4.0, 2.2], [np.nan] * 4])
    for f in (np.median, np.nanmedian, lambda x, axis: np.quantile(x, 0.3, axis), np.nanmean, np.nanstd, np.nanvar):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, pull = vjp(lambda x, f=f: f(x, axis=1), x)
            np.testing.assert_array_equal(np.isnan(value), np.isnan(f(x, axis=1)))
            np.testing.assert_allclose(value, f(x, axis=1))
        assert np.isfinite(pull(np.array([0.0, 1.0, 0.0]))[0][1]).all()
    inf = np.array([np.inf, np.inf, 1.0, np.inf])
    assert vjp(np.median, inf)[0] == np.inf
    with pytest.raises((NotImplementedError, TypeError), match="weights"):  # NumPy 1.x has no weights
        grad(lambda x: np.quantile(x, 0.5, weights=np.ones(3)))(X)


def test_solve_reads_b_as_this_numpy_does() -> None:
    a = np.broadcast_to(A, (2, 3, 3))
    for shape in ((3,), (3, 2), (2, 3), (1, 3, 2), (2, 3, 1)):
        b = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
        try:
            expected = np.linalg.solve(a, b)
        except ValueError:
            with pytest.raises(ValueError, match="solve"):
                vjp(np.linalg.solve, a, b)
            continue
        np.testing.assert_allclose(vjp(np.linalg.solve, a, b)[0], expected)
        check_grads(np.linalg.solve, (a, b))
