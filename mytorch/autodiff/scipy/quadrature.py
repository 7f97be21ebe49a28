"""scipy.integrate: integrals of functions (quad) and of samples (trapezoid, cumulative_trapezoid)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.integrate as si

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.kinds import Explicit, primitive
from mytorch.autodiff.scipy.parameters import Parameters, as_array, plain_result
from mytorch.autodiff.scipy.registering import differentiable
from mytorch.autodiff.traced import TABLE, plain
from mytorch.utils import fit


@primitive
def _integral(a: Array, b: Array, theta: Array, integrand: Function, settings: Settings) -> Array:
    f = plain_result(lambda x: integrand(x, theta), "quad")
    return np.float64(si.quad(f, float(a), float(b), **settings)[0])


class _Integral(Explicit):
    """By Leibniz: f(b) db - f(a) da, and the integral of the derivative of f along theta."""

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        a, b, theta = args
        f, m, total = kwargs["integrand"], len(theta), np.zeros(())
        for sign, limit, d in ((-1, a, tangents[0]), (1, b, tangents[1])):
            total = total if d is None else total + sign * d * f(limit, theta)
        if tangents[2] is None:
            return total

        def change(x: Array, phi: Array) -> Array:
            return jvp(lambda p: f(x, p), (phi[:m],), (phi[m:],))[1]

        both = np.concatenate([theta, tangents[2]])
        return total + _integral(a, b, both, integrand=change, settings=kwargs["settings"])

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        a, b, theta = args
        f, settings = kwargs["integrand"], kwargs["settings"]
        parts = [
            _integral(
                a, b, theta, integrand=lambda x, p, k=k: vjp(lambda p: f(x, p), p)[1](1.0)[0][k], settings=settings
            )
            for k in range(len(theta) if wanted[2] else 0)
        ]
        return (
            fit(-g * f(a, theta), a) if wanted[0] else None,
            fit(g * f(b, theta), b) if wanted[1] else None,
            g * np.stack(parts) if parts else None,
        )


TABLE[_integral] = _Integral(_integral, "scipy.integrate.quad", None, None)


@differentiable(si.quad)
def quad(func, a, b, args=(), epsabs=1.49e-08, epsrel=1.49e-08, limit=50):
    """Returns the integral and SciPy's estimate of its error, a plain number."""
    parameters = Parameters(args)
    settings = {"epsabs": epsabs, "epsrel": epsrel, "limit": limit}

    def integrand(x: Array, theta: Array) -> Array:
        return np.reshape(as_array(func(x, *parameters.arguments(theta))), ())

    error = si.quad(lambda x: plain(integrand(x, plain(parameters.vector))), plain(a), plain(b), **settings)[1]
    limits = as_array(a), as_array(b)
    return _integral(*limits, parameters.vector, integrand=integrand, settings=settings), error


# Samples: the means of neighbours, times the steps between them
def _areas(y: Array, x: Any, dx: Any, axis: int) -> Array:
    y = np.moveaxis(as_array(y), axis, -1)
    steps = (
        as_array(dx) if x is None else np.diff(as_array(x) if np.ndim(x) == 1 else np.moveaxis(as_array(x), axis, -1))
    )
    return steps * (y[..., 1:] + y[..., :-1]) / 2


@differentiable(si.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    return np.sum(_areas(y, x, dx, axis), axis=-1)


@differentiable(si.cumulative_trapezoid)
def cumulative_trapezoid(y, x=None, dx=1.0, axis=-1, initial=None):
    total = np.cumsum(_areas(y, x, dx, axis), axis=-1)
    if initial is not None:
        total = np.concatenate([np.full((*np.shape(total)[:-1], 1), initial), total], axis=-1)
    return np.moveaxis(total, -1, axis)
