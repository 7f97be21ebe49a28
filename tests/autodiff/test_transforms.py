"""grad, vjp, jvp, Jacobians, Hessians, checkpoint, trace, primitive: what they return and how they nest."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from mytorch.autodiff import (
    check_grads,
    checkpoint,
    composite,
    elementwise,
    elementwise_grad,
    explicit,
    grad,
    hessian,
    hvp,
    jacobian,
    jacobian_forward,
    jvp,
    linear,
    primitive,
    trace,
    value_and_grad,
    vjp,
)  # fmt: skip
from mytorch.autodiff.rules.statistics import STEEPNESS
from mytorch.autodiff.traced import TABLE

X = np.array([0.5, -1.2, 2.0])
A = np.array([[2.0, 1.0, 0.5], [0.3, 1.5, -1.0], [0.1, 0.2, 3.0]])


def cubic(x: Any) -> Any:
    return np.sum(x**3) + x[0] * x[1] * x[2]


CUBIC_HESSIAN = np.diag(6 * X) + np.array([[0, X[2], X[1]], [X[2], 0, X[0]], [X[1], X[0], 0]])


def test_grad_by_number_and_tuple_and_keyword() -> None:
    def f(a: Any, b: Any, *, scale: float = 1.0) -> Any:
        return scale * np.sum(a * b**2)

    np.testing.assert_allclose(grad(f)(X, 2 * X), 4 * X**2)
    np.testing.assert_allclose(grad(f, 1)(X, 2 * X, scale=3.0), 12 * X**2)
    np.testing.assert_allclose(grad(f, -1)(X, 2 * X), 4 * X**2)
    both = grad(f, (1, 0))(X, 2 * X)
    assert isinstance(both, tuple)
    np.testing.assert_allclose(both[0], 4 * X**2)
    np.testing.assert_allclose(both[1], 4 * X**2)
    value, gradient = value_and_grad(f)(X, X)
    assert value == f(X, X)
    np.testing.assert_allclose(gradient, X**2)


def test_trees() -> None:
    class Layer(NamedTuple):
        W: Any
        b: Any

    params = {"first": Layer(A, X), "rest": [(np.float64(2.0),), None, {"s": 3.0}]}

    def f(p: Any, x: Any) -> Any:
        return np.sum(p["first"].W @ x + p["first"].b) * p["rest"][0][0] * p["rest"][2]["s"]

    g = grad(f)(params, X)
    assert isinstance(g["first"], Layer)
    np.testing.assert_allclose(g["first"].W, 6 * np.broadcast_to(X, (3, 3)))
    np.testing.assert_allclose(g["first"].b, np.full(3, 6.0))
    assert g["rest"][1] is None
    assert g["rest"][2]["s"] == pytest.approx(2 * np.sum(A @ X + X))


def test_aux_and_pull_called_twice() -> None:
    (value, aux), g = value_and_grad(lambda x: (np.sum(x * x), {"x": x, "n": 3}), has_aux=True)(X)
    assert type(aux["x"]) is np.ndarray
    assert aux["n"] == 3
    np.testing.assert_allclose(g, 2 * X)
    assert grad(lambda x: (x * x, "aux"), has_aux=True)(3.0) == (6.0, "aux")
    out, pull = vjp(lambda x: {"a": x * 2, "b": np.sum(x)}, X)
    first, second = pull({"a": np.ones(3), "b": 1.0}), pull({"a": np.ones(3), "b": 1.0})
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_allclose(first[0], np.full(3, 3.0))
    assert value == np.sum(X * X)
    assert out["b"] == np.sum(X)


def test_results_are_the_callers_own() -> None:
    g = np.ones(3)
    a, b = vjp(lambda x, y: x + y, X, X + 1)[1](g)
    a[0] = 99
    assert b[0] == 1
    assert g[0] == 1
    total = grad(np.sum)(X)
    total += 1  # not a read-only broadcast view
    assert total[0] == 2


@pytest.mark.parametrize("order", range(1, 6))
def test_nested_grad_to_any_order(order: int) -> None:
    f: Any = np.exp
    g: Any = lambda x: np.sin(x) * x**4  # noqa: E731
    for _ in range(order):
        f, g = grad(f), grad(g)
    assert f(0.7) == pytest.approx(np.exp(0.7), rel=1e-12)
    h = 1e-2  # against a polynomial of sin's series, differentiated exactly
    x = np.polynomial.Polynomial([0, 1, 0, -1 / 6, 0, 1 / 120, 0, -1 / 5040, 0, 1 / 362880]) * np.polynomial.Polynomial(
        [0] * 4 + [1]
    )
    assert g(h) == pytest.approx(x.deriv(order)(h), rel=1e-9)


@pytest.mark.parametrize("forward_inside", [False, True])
@pytest.mark.parametrize("forward_outside", [False, True])
def test_no_perturbation_confusion(forward_inside: bool, forward_outside: bool) -> None:
    def d(f: Any, x: Any, forward: bool) -> Any:
        return jvp(f, (x,), (1.0,))[1] if forward else grad(f)(x)

    assert d(lambda x: x * d(lambda y: x + y, 1.0, forward_inside), 1.0, forward_outside) == 1
    assert d(lambda x: x * d(lambda y: x * y, x, forward_inside), 3.0, forward_outside) == 6
    assert d(lambda x: d(lambda y: x, 2.0, forward_inside), 3.0, forward_outside) == 0
    assert d(lambda x: d(lambda y: y * y * x, x * x, forward_inside), 2.0, forward_outside) == 3 * 2 * 2**2


def test_hessian_every_way() -> None:
    for h in (
        hessian(cubic), jacobian(grad(cubic)), jacobian_forward(grad(cubic)), jacobian(jacobian_forward(cubic)),
        jacobian_forward(jacobian_forward(cubic)),
    ):  # fmt: skip
        np.testing.assert_allclose(h(X), CUBIC_HESSIAN, rtol=1e-12)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(hvp(cubic)(X, v), CUBIC_HESSIAN @ v, rtol=1e-12)
    np.testing.assert_allclose(grad(lambda x: np.dot(grad(cubic)(x), v))(X), CUBIC_HESSIAN @ v, rtol=1e-12)
    np.testing.assert_allclose(grad(lambda x: jvp(cubic, (x,), (v,))[1])(X), CUBIC_HESSIAN @ v, rtol=1e-12)


def test_jacobian_shapes_and_trees() -> None:
    f = lambda x, y: (x @ y, {"s": np.sum(y)})  # noqa: E731
    y = np.arange(6.0).reshape(3, 2)
    for j in (jacobian, jacobian_forward):
        first, rest = j(f, (0, 1))(A, y)
        assert [part.shape for part in first] == [(3, 2, 3, 3), (3, 2, 3, 2)]
        np.testing.assert_allclose(first[0], np.einsum("ik,lj->ijkl", np.eye(3), y))
        assert [part.shape for part in rest["s"]] == [(3, 3), (3, 2)]
        np.testing.assert_array_equal(rest["s"][0], np.zeros((3, 3)))
        assert j(lambda x: x[:0])(X).shape == (0, 3)
        assert j(lambda x: np.append(x, 1.0))(X[:0]).shape == (1, 0)
        assert j(lambda x: x * 2)(X.astype(np.float32)).dtype == np.float32


def test_elementwise_grad() -> None:
    np.testing.assert_allclose(elementwise_grad(np.tanh)(X), 1 - np.tanh(X) ** 2)
    np.testing.assert_allclose(elementwise_grad(elementwise_grad(np.sin))(X), -np.sin(X))


def test_complex_conventions_of_jax() -> None:
    z = 1.0 + 2.0j
    assert grad(np.abs)(z) == pytest.approx(np.conj(z) / abs(z))
    assert grad(lambda z: np.real(z * z))(z) == pytest.approx(2 * z)
    assert grad(lambda z: np.imag(z))(z) == pytest.approx(-1j)
    assert grad(np.sin, holomorphic=True)(z) == pytest.approx(np.cos(z))
    assert vjp(np.conj, z)[1](1j)[0] == pytest.approx(-1j)
    assert jacobian(np.exp, holomorphic=True)(z) == pytest.approx(np.exp(z))
    assert grad(lambda x: np.abs(np.exp(1j * x) + 1) ** 2)(0.3) == pytest.approx(-2 * np.sin(0.3))
    with pytest.raises(TypeError, match="holomorphic=True"):
        grad(np.sin)(z)
    with pytest.raises(TypeError, match="takes complex arguments"):
        grad(np.sin, holomorphic=True)(1.0)
    for j in (jacobian, jacobian_forward):
        with pytest.raises(TypeError, match="holomorphic"):
            j(np.sin)(z)


def test_branches_and_loops_on_values() -> None:
    def f(x: Any) -> Any:
        while np.sum(x) < 10:
            x = x * 2 if (x > 0).all() else x + 1
        return np.sum(x * x)

    check_grads(f, (np.array([0.3, 0.9]),))


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


def test_checkpoint_same_bits_and_every_mode() -> None:
    def segment(x: Any, p: Any) -> Any:
        for _ in range(5):
            x = np.sin(x) @ p["W"] + x
        return x

    def loss(run: Any, x: Any, p: Any) -> Any:
        return np.sum(run(run(x, p), p) ** 2)

    p = {"W": A}
    plain = grad(lambda x, p: loss(segment, x, p), (0, 1))(X, p)
    again = grad(lambda x, p: loss(checkpoint(segment), x, p), (0, 1))(X, p)
    np.testing.assert_array_equal(plain[0], again[0])
    np.testing.assert_array_equal(plain[1]["W"], again[1]["W"])
    f = lambda x: np.tanh(checkpoint(lambda x: np.sum(np.exp(x) * x))(x))  # noqa: E731
    check_grads(f, (X / 5,))
    with pytest.raises(ValueError, match="Pass that value as an argument"):
        grad(lambda x: checkpoint(lambda y: np.sum(x * y))(x * 2))(X)
    outer = lambda s: s * grad(lambda x: checkpoint(lambda y: np.sum(s * y * y))(x))(X)[0]  # noqa: E731
    assert grad(outer)(2.0) == pytest.approx(4 * 2.0 * X[0])


def test_trace_is_the_homeworks_list() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])

    def f(x: Any, s: Any) -> Any:
        return np.sum(np.exp(x.T / 10)[:] @ x) * s

    engine = trace(f)(x, 2.0)
    table = str(engine)
    for name in ("transpose", "divide", "exp", "getitem", "matmul", "sum", "multiply"):
        assert name in table
    engine.backward(engine.operation_list[-1].output)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), grad(f)(x, 2.0), rtol=1e-14)


def test_trace_of_several_outputs() -> None:
    x = A @ A.T + np.eye(3)

    def f(x: Any) -> Any:
        w, v = np.linalg.eigh(x)
        return np.sum(w * np.abs(v[0]))

    engine = trace(f)(x)
    engine.backward(engine.operation_list[-1].output)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), grad(f)(x), rtol=1e-12)


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


def test_inputs_keep_their_dtype() -> None:
    x = X.astype(np.float32)
    assert grad(lambda x: np.sum(np.tanh(x) * 2.5 / 3))(x).dtype == np.float32
    assert grad(lambda x, y: np.sum(x * y), (0, 1))(x, X)[0].dtype == np.float32
    assert type(grad(np.sin)(np.float32(1.0))) is np.float32
    assert type(grad(np.sin)(1.0)) is np.float64
    assert type(value_and_grad(lambda x: np.reshape(np.sum(x), ()))(X)[0]) is np.float64
    assert jvp(np.sin, (x,), (X,))[1].dtype == np.float32
    assert grad(lambda x: np.sum(np.sin(x)))(X.astype(np.float16)).dtype == np.float16


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


def test_trees_of_hessians_and_zero_derivatives_by_argument() -> None:
    f = lambda x, y: np.sum(x**2 * y) + np.sign(y)  # noqa: E731
    (xx, xy), (yx, yy) = hessian(f, (0, 1))(X, 2.0)
    np.testing.assert_allclose(xx, 4 * np.eye(3))
    np.testing.assert_allclose(xy, 2 * X)
    np.testing.assert_allclose(yx, 2 * X)
    assert yy == 0


def test_complex_tangents_and_gradients_of_real_values_lose_their_imaginary_part_quietly() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(vjp(np.positive, X)[1](X + 1j)[0], X)
        np.testing.assert_array_equal(jvp(np.positive, (X,), (X + 1j,))[1], X)
        np.testing.assert_allclose(jvp(lambda z: np.abs(z) * X, (X + 1j,), (X * 1j,))[1], X / np.abs(X + 1j) * X)


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
