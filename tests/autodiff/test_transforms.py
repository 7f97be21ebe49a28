"""grad, vjp, jvp, Jacobians, Hessians, checkpoint, trace, primitive: what they return and how they nest."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from mytorch.autodiff import (
    check_grads,
    checkpoint,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jacobian_forward,
    jvp,
    trace,
    value_and_grad,
    vjp,
)  # fmt: skip

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


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_grad_of_an_array_with_one_entry(shape: tuple) -> None:
    value, gradient = value_and_grad(lambda x: np.reshape(cubic(x), shape))(X)
    assert value.shape == shape
    np.testing.assert_array_equal(gradient, grad(cubic)(X))
    np.testing.assert_allclose(hessian(lambda x: np.reshape(cubic(x), shape))(X).reshape(3, 3), CUBIC_HESSIAN)
    with pytest.raises(TypeError, match=r"shape \(0,\)"):
        grad(lambda x: x[:0])(X)


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


def test_inputs_keep_their_dtype() -> None:
    x = X.astype(np.float32)
    assert grad(lambda x: np.sum(np.tanh(x) * 2.5 / 3))(x).dtype == np.float32
    assert grad(lambda x, y: np.sum(x * y), (0, 1))(x, X)[0].dtype == np.float32
    assert type(grad(np.sin)(np.float32(1.0))) is np.float32
    assert type(grad(np.sin)(1.0)) is np.float64
    assert type(value_and_grad(lambda x: np.reshape(np.sum(x), ()))(X)[0]) is np.float64
    assert jvp(np.sin, (x,), (X,))[1].dtype == np.float32
    assert grad(lambda x: np.sum(np.sin(x)))(X.astype(np.float16)).dtype == np.float16


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
