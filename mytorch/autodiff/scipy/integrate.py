"""scipy.integrate with derivatives: odeint, solve_ivp and quad, with respect to start, times, limits and arguments.

``from mytorch.autodiff.scipy import integrate`` stands for ``from scipy import integrate``. What is not defined here is
SciPy's. What the derivatives are taken of has to go through y0, t and args: a traced value that the right-hand side takes from
around it is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate as si

from mytorch.autodiff.aliases import Array, Function
from mytorch.autodiff.scipy.flow import flow
from mytorch.autodiff.scipy.parameters import Parameters, as_array, plain_result
from mytorch.autodiff.scipy.quadrature import cumulative_trapezoid, quad, trapezoid
from mytorch.autodiff.scipy.registering import differentiable, is_traced
from mytorch.autodiff.traced import plain

__all__ = ["cumulative_trapezoid", "odeint", "quad", "solve_ivp", "trapezoid"]


def __getattr__(name: str) -> Any:
    return getattr(si, name)


@differentiable(si.odeint)
def odeint(
    func, y0, t, args=(), rtol=None, atol=None, tcrit=None, hmax=0.0, hmin=0.0, ixpr=0, mxstep=0, mxhnil=0, mxordn=12,
    mxords=5, printmessg=0, tfirst=False,
):  # fmt: skip
    """Returns the values at the times t, a row for each."""
    settings = {
        "rtol": _for_all("odeint", rtol=rtol), "atol": _for_all("odeint", atol=atol), "tcrit": tcrit, "hmax": hmax,
        "hmin": hmin, "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn, "mxords": mxords,
        "printmessg": printmessg,
    }  # fmt: skip
    parameters = Parameters(args)

    def slope(y: Array, time: Array, theta: Array) -> Array:
        given = parameters.arguments(theta)
        return _like(func(time, y, *given) if tfirst else func(y, time, *given), y)

    def solve(f: Function, start: Array, times: Array) -> Array:
        return si.odeint(plain_result(f, "odeint"), start, times, **settings)

    return flow(np.ravel(as_array(y0)), as_array(t), parameters.vector, slope=slope, solve=solve)


@differentiable(si.solve_ivp)
def solve_ivp(
    fun, t_span, y0, method="RK45", t_eval=None, vectorized=False, args=(), rtol=1e-3, atol=1e-6, max_step=np.inf
):  # fmt: skip
    """Returns SciPy's result, whose y at the times t_eval, or at those that the solver chose, is differentiated."""
    if t_eval is None and is_traced(tuple(t_span)):
        raise NotImplementedError(
            "scipy.integrate.solve_ivp chooses other times whenever t_span changes, so it has no derivative with respect to "
            "t_span where t_eval is left out. Name the times that you need in t_eval."
        )
    settings = {
        "method": method, "rtol": _for_all("solve_ivp", rtol=rtol), "atol": _for_all("solve_ivp", atol=atol),
        "max_step": max_step,
    }  # fmt: skip
    parameters = Parameters(args or ())
    begin, end = (float(plain(time)) for time in t_span)

    def slope(y: Array, time: Array, theta: Array) -> Array:
        return _like(fun(time, y[:, np.newaxis] if vectorized else y, *parameters.arguments(theta)), y)

    def run(f: Function, start: Array, times: Array, last: float, t_eval: Any) -> Any:
        checked = plain_result(f, "solve_ivp")
        return si.solve_ivp(lambda time, y: checked(y, time), (times[0], last), start, t_eval=t_eval, **settings)

    def solve(f: Function, start: Array, times: Array) -> Array:
        if times[-1] == times[0]:
            return np.repeat(start[np.newaxis], len(times), axis=0)
        forward = (times[-1] - times[0]) * (end - begin) > 0
        result = run(f, start, times, end if forward else times[-1], times[1:])
        if not result.success:
            raise RuntimeError(f"scipy.integrate.solve_ivp did not reach the end of the interval: {result.message}")
        return np.concatenate([start[np.newaxis], result.y.T])

    y0, theta = np.ravel(as_array(y0)), plain(parameters.vector)
    result = run(lambda y, time: slope(y, time, theta), plain(y0), (begin,), end, plain(t_eval))
    times = result.t if t_eval is None else as_array(t_eval)
    if result.success:
        all_times = np.concatenate([np.reshape(as_array(t_span[0]), (1,)), times])
        result.t, result.y = times, flow(y0, all_times, parameters.vector, slope=slope, solve=solve)[1:].T
    return result


def _like(value: Any, y: Array) -> Array:
    """The slope as an array of the shape of y: functions return lists, columns and numbers too."""
    return np.reshape(as_array(value), np.shape(y))


def _for_all(function: str, **tolerance: Any) -> Any:
    """A tolerance, which is one number: the systems of the derivatives have other entries than y."""
    ((name, value),) = tolerance.items()
    if np.ndim(value):
        raise NotImplementedError(
            f"scipy.integrate.{function} with one {name} for each entry of y has no derivative here. Give one number for all."
        )
    return value
