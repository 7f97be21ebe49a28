"""scipy.integrate: sensitivities of odeint and solve_ivp against closed forms and differences; integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

si = pytest.importorskip("scipy.integrate")

from mytorch.autodiff import grad, hessian, jacobian, jvp, vjp  # noqa: E402
from mytorch.autodiff.scipy import integrate  # noqa: E402
from tests.autodiff.scipy.numerics import agrees  # noqa: E402

Y0, T = np.array([1.0, 0.5]), np.array([0.0, 0.4, 1.0])
SHARP = {"rtol": 1e-10, "atol": 1e-11}


def prey(y: Any, t: Any, a: Any, b: Any) -> list:
    """Lotka and Volterra's equations, with a season."""
    return [a * y[0] - b * y[0] * y[1], -y[1] + 0.3 * y[0] * y[1] + 0.1 * np.sin(t)]


def prey_after(t: Any, y: Any, *args: Any) -> list:
    return prey(y, t, *args)


@pytest.mark.parametrize(
    "solve",
    [
        lambda y0, t, a, b: integrate.odeint(prey, y0, t, args=(a, b), **SHARP),
        lambda y0, t, a, b: integrate.solve_ivp(prey_after, (t[0], 1.2), y0, t_eval=t[1:], args=(a, b), **SHARP).y,
    ],
)
@pytest.mark.slow
def test_start_times_and_arguments(solve: Any) -> None:
    agrees(lambda y0, a: solve(y0, T, a, 0.4), Y0, 1.1)
    agrees(lambda t, b: solve(Y0, t, 1.1, b), T, 0.4, order=1)


@pytest.mark.parametrize("method", ["RK23", "DOP853", "Radau", "BDF", "LSODA"])
def test_methods(method: str) -> None:
    settings = SHARP if method in ("DOP853", "LSODA") else {"rtol": 1e-6, "atol": 1e-7}

    def f(a: Any) -> Any:
        return integrate.solve_ivp(prey_after, (0.0, 1.0), Y0, method, T, args=(a, 0.4), **settings).y

    agrees(f, 1.1, order=1, rtol=1e-3)


def test_linear_equations_in_closed_form() -> None:
    """y = y0 exp(-c t): all derivatives are known. The solvers are asked for 1e-10."""

    def f(c: Any, y0: Any = 2.0, t: Any = 0.7) -> Any:
        return integrate.odeint(lambda y, t, c: -c * y, y0, np.stack([0 * t, t]), (c,), **SHARP)[-1, 0]

    value = 2 * np.exp(-1.3 * 0.7)
    gradient = grad(f, (0, 1, 2))(1.3, 2.0, 0.7)
    np.testing.assert_allclose(gradient, [-0.7 * value, value / 2, -1.3 * value], rtol=1e-8)
    second = hessian(lambda p: f(p[0], p[1], p[2]))(np.array([1.3, 2.0, 0.7]))
    expected = np.array([[0.49, -0.35, -1 + 0.91], [-0.35, 0, -0.65], [-1 + 0.91, -0.65, 1.69]]) * value
    np.testing.assert_allclose(second, expected, rtol=1e-6, atol=1e-7)
    assert grad(grad(grad(f)))(1.3) == pytest.approx(-(0.7**3) * value, rel=1e-5)


def test_trees_of_arguments() -> None:
    """Layers of a network as the right-hand side: their gradients are those of the same numbers one by one."""

    def net(y: Any, t: Any, layers: Any, scale: float) -> Any:
        for layer in layers:
            y = np.tanh(layer["W"] @ y) + layer["b"]
        return scale * y

    W, b = np.array([[0.3, -0.8], [0.5, 0.2]]), np.array([0.1, -0.2])
    solve = lambda W, b: integrate.odeint(net, Y0, T, args=([{"W": W, "b": b}, {"W": W.T, "b": 0.5}], 0.7), **SHARP)  # noqa: E731
    agrees(solve, W, b, order=1)
    g = grad(lambda layers: np.sum(integrate.odeint(net, Y0, T, args=(layers, 1.0), **SHARP)[-1]))([{"W": W, "b": b}])
    assert g[0]["W"].shape == (2, 2)


def test_values_are_scipys_own_where_the_solver_is_rough() -> None:
    given = {"t_eval": T, "args": (1.1, 0.4)}
    for span in ((0.0, 1.0), (0.0, 3.0)):
        value = vjp(lambda y0, span=span: integrate.solve_ivp(prey_after, span, y0, **given).y, Y0)[0]
        np.testing.assert_allclose(value, si.solve_ivp(prey_after, span, Y0, **given).y, rtol=1e-14)
    result = jvp(lambda y0: integrate.solve_ivp(prey_after, (1.0, 0.0), y0, args=(1.1, 0.4)).y, (Y0,), (Y0,))
    np.testing.assert_allclose(result[0], si.solve_ivp(prey_after, (1.0, 0.0), Y0, args=(1.1, 0.4)).y, rtol=1e-14)
    assert result[1].shape == result[0].shape


def test_the_whole_result_and_other_signatures() -> None:
    def f(y0: Any) -> Any:
        result = integrate.solve_ivp(
            lambda t, y: -(y**2), (0.0, 1.0), [y0, 2 * y0], t_eval=[0.5, 1.0], vectorized=True, max_step=0.5, **SHARP
        )
        assert result.success
        assert list(result.t) == [0.5, 1.0]
        return result.y[0, -1] + integrate.odeint(lambda t, y: -(y**2), y0, [0.0, 1.0], tfirst=True, **SHARP)[-1, 0]

    assert grad(f)(1.5) == pytest.approx(2 / 2.5**2, rel=1e-8)
    assert jacobian(lambda y0: integrate.odeint(lambda y, t: -y, y0, [0.0]))(Y0).shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda a, b, c: integrate.quad(lambda x, c, d: np.exp(-c[0] * x * x) * np.sin(c[1] * x) + d, a, b, args=(c, 0.2))[0],
         (0.2, 1.4, [0.7, 1.3])),
        (lambda c: integrate.quad(lambda x, c: np.exp(-c * x * x), -np.inf, np.inf, args=(c,))[0], (0.7,)),
        (lambda y, x: integrate.trapezoid(y, x), (np.ones((3, 4)), [0.0, 1.0, 1.5, 4.0])),
        (lambda y, x: integrate.trapezoid(y, x, axis=0), (np.eye(3), np.arange(9.0).reshape(3, 3))),
        (lambda y: integrate.trapezoid(y, dx=0.2, axis=0), (np.eye(3),)),
        (lambda y, x: integrate.cumulative_trapezoid(y, x, initial=0), (np.ones((3, 4)), [0.0, 1.0, 1.5, 4.0])),
        (lambda y: integrate.cumulative_trapezoid(y, axis=0), (np.eye(3),)),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_integrals(f: Any, args: tuple) -> None:
    agrees(f, *args)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda c: integrate.odeint(lambda y, t: -c * y, Y0 * c, T), TypeError, r"odeint uses a traced .*args="),
        (lambda c: integrate.odeint(lambda y, t: -c * y, Y0, T), TypeError, r"scipy\.integrate\.odeint .*"),
        (lambda c: integrate.solve_ivp(lambda t, y: c * y, (0, 1), Y0 * c).y, TypeError, r"solve_ivp uses a traced .*args="),
        (lambda c: integrate.quad(lambda x: c * x, c, 1)[0], TypeError, r"scipy\.integrate\.quad uses a traced .*args="),
        (lambda c: integrate.quad(lambda x: c * x, 0, 1)[0], TypeError, r"scipy\.integrate\.quad .*"),
        (lambda c: integrate.odeint(lambda y, t: y, c * Y0, T, full_output=1)[0], NotImplementedError, "full_output=1"),
        (lambda c: integrate.odeint(lambda y, t: y, c * Y0, T, atol=[1, 2]), NotImplementedError, "odeint with one atol"),
        (lambda c: integrate.solve_ivp(lambda t, y: y, (0, c), Y0).y, NotImplementedError, r"t_span .*t_eval"),
        (lambda c: integrate.solve_ivp(lambda t, y: y, (0, 1), c * Y0, dense_output=True).y, NotImplementedError, "dense_o"),
        (lambda c: integrate.solve_ivp(lambda t, y: y, (0, 1), c * Y0, first_step=0.1).y, NotImplementedError, "first_"),
        (lambda c: integrate.solve_ivp(lambda t, y: y, (0, 1), c * Y0, t_eval=[2.0]).y, ValueError, "t_eval"),
        (lambda c: integrate.simpson(c * Y0), TypeError, r"scipy\.integrate\.simpson copies"),
    ],
)  # fmt: skip
def test_refused(f: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        grad(lambda c: np.sum(f(c)))(0.7)
