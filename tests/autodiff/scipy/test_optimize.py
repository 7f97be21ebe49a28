"""scipy.optimize with derivatives from here, as one writes it: jac=, hess=, hessp=, args=."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

so = pytest.importorskip("scipy.optimize")

from mytorch.autodiff import grad, hessian, hvp, jacobian, jacobian_forward, value_and_grad  # noqa: E402
from mytorch.autodiff.scipy import integrate, special  # noqa: E402

X0 = np.array([-1.2, 1.0, 0.7])


def valley(x: Any, a: Any = 1.0, b: Any = 100.0) -> Any:
    """Rosenbrock's function, least at (a, a, a) for a = 1."""
    return np.sum(b * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "BFGS", "jac": grad(valley)},
        {"method": "Newton-CG", "jac": grad(valley), "hessp": lambda x, v, *args: hvp(valley)(x, *args, v)},
        {"method": "trust-exact", "jac": grad(valley), "hess": hessian(valley)},
        {"method": "trust-ncg", "jac": grad(valley), "hess": hessian(valley)},
        {"method": "SLSQP", "jac": grad(valley)},
    ],
    ids=lambda settings: settings["method"],
)
@pytest.mark.parametrize("args", [(), (1.0,), (1.0, 50.0)])
def test_minimize(settings: dict, args: tuple) -> None:
    result = so.minimize(valley, X0, args=args, **settings)
    np.testing.assert_allclose(result.x, 1, atol=1e-3)  # SLSQP stops early


def test_minimize_with_value_and_gradient_at_once() -> None:
    result = so.minimize(value_and_grad(valley), X0, jac=True, args=(1.0, 20.0), method="L-BFGS-B")
    np.testing.assert_allclose(result.x, 1, atol=1e-4)


def test_minimize_under_a_constraint() -> None:
    circle = {"type": "eq", "fun": lambda x: x @ x - 2, "jac": grad(lambda x: x @ x - 2)}
    result = so.minimize(lambda x: np.sum(x), X0, jac=grad(np.sum), constraints=[circle], method="SLSQP")
    np.testing.assert_allclose(result.x, -np.sqrt(2 / 3), atol=1e-6)


T = np.linspace(0, 3, 40)


def decay(p: Any, t: Any, y: Any) -> Any:
    return p[0] * np.exp(-p[1] * t) + p[2] - y


def test_least_squares_and_curve_fit() -> None:
    wanted = np.array([2.0, 1.3, 0.5])
    y = decay(wanted, T, 0.0)
    result = so.least_squares(decay, np.ones(3), jac=jacobian(decay), args=(T, y))
    np.testing.assert_allclose(result.x, wanted, rtol=1e-8)
    model = lambda t, *p: decay(np.stack(p), t, 0.0)  # noqa: E731
    slopes = lambda t, *p: jacobian(decay)(np.array(p), t, 0.0)  # noqa: E731
    np.testing.assert_allclose(so.curve_fit(model, T, y, np.ones(3), jac=slopes)[0], wanted, rtol=1e-8)


def test_root_and_root_scalar() -> None:
    f = lambda x, c: np.stack([x[0] ** 2 + x[1] ** 2 - c, x[0] - x[1]])  # noqa: E731
    result = so.root(f, np.array([1.0, 2.0]), jac=jacobian(f), args=(2.0,))
    np.testing.assert_allclose(result.x, [1, 1])
    g = lambda x: special.erf(x) - 0.3  # noqa: E731
    found = so.root_scalar(g, x0=0.1, fprime=grad(g), fprime2=grad(grad(g)), method="halley")
    assert found.root == pytest.approx(special.erfinv(0.3), rel=1e-12)


def test_a_stiff_equation_with_its_jacobian() -> None:
    f = lambda t, y, k: np.stack([-k * y[0] + y[1] ** 2, k * y[0] - y[1]])  # noqa: E731
    given = {"method": "Radau", "args": (1e3,), "rtol": 1e-8, "atol": 1e-10}
    exact = integrate.solve_ivp(f, (0, 1), [1.0, 0.0], jac=jacobian(f, 1), **given)
    np.testing.assert_allclose(exact.y[:, -1], integrate.solve_ivp(f, (0, 1), [1.0, 0.0], **given).y[:, -1], rtol=1e-6)
    assert exact.nfev < integrate.solve_ivp(f, (0, 1), [1.0, 0.0], **given).nfev


def test_fitting_an_equation_through_its_sensitivities() -> None:
    def residuals(p: Any, y: Any) -> Any:
        return integrate.odeint(lambda y, t, a, b: -a * y**2 + b, 1.5, T[::8], args=(p[0], p[1]))[:, 0] - y

    wanted = np.array([0.8, 0.3])
    result = so.least_squares(residuals, np.ones(2), jac=jacobian_forward(residuals), args=(residuals(wanted, 0.0),))
    np.testing.assert_allclose(result.x, wanted, rtol=1e-5)
