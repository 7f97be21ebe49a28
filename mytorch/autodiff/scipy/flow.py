"""The flow of an ordinary differential equation y' = f(y, t, theta): the values at given times as a differentiable function.

Forward mode integrates the tangents beside y (forward sensitivities: s' = df/dy s + df/dtheta dtheta). Reverse mode integrates
the adjoint equation a' = -a df/dy back from each time to the one before, where the gradient of that value is added, and
restarts y from its value there. Both are flows themselves, so there is a derivative of every order. Sources: Cao, Li, Petzold
and Serban, "Adjoint sensitivity analysis for differential-algebraic equations" (2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.kinds import Explicit, primitive
from mytorch.autodiff.traced import TABLE, Traced, plain
from mytorch.utils import fit


@primitive
def flow(y0: Array, t: Array, theta: Array, slope: Function, solve: Function) -> Array:
    """The values at the times t, a row for each, of y' = slope(y, time, theta) with y = y0 at t[0].

    solve: a function ``solve(f, y0, t)`` that does this for plain arrays and y' = f(y, time).
    """
    return solve(lambda y, time: slope(y, time, theta), y0, t)


class Flow(Explicit):
    """The derivatives of ``flow`` with respect to y0, t and theta."""

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        y0, t, theta = args
        slope, solve = kwargs["slope"], kwargs["solve"]
        n, m = len(y0), len(theta)
        dy0, dt, dtheta = (np.zeros(x.shape) if d is None else d for d, x in zip(tangents, args))
        moved = tangents[1] is not None

        def both(z: Array, time: Array, phi: Array) -> Array:
            value, change = jvp(lambda y, p: slope(y, time, p), (z[:n], phi[:m]), (z[n:], phi[m:]))
            return np.concatenate([value, change])

        start = dy0 - slope(y0, t[0], theta) * dt[0] if moved else dy0
        joined = np.concatenate([y0, start]), t, np.concatenate([theta, dtheta])
        tangent = flow(*joined, slope=both, solve=solve)[:, n:]
        return tangent + _rates(slope, y, t, theta) * dt[:, np.newaxis] if moved else tangent

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        y0, t, theta = args
        slope, solve = kwargs["slope"], kwargs["solve"]
        n, m = len(y0), len(theta)

        def back(z: Array, time: Array, p: Array) -> Array:
            value, pull = vjp(lambda y, p: slope(y, time, p), z[:n], p)
            return np.concatenate([value, *[-part for part in pull(z[n : 2 * n])]])

        adjoint, by_theta = g[-1], np.zeros(m)
        for i in range(len(t) - 1, 0, -1):
            if plain(t[i]) != plain(t[i - 1]) or isinstance(t, Traced):
                joined = np.concatenate([y[i], adjoint, by_theta])
                end = flow(joined, np.stack([t[i], t[i - 1]]), theta, slope=back, solve=solve)[-1]
                adjoint, by_theta = end[n : 2 * n], end[2 * n :]
            adjoint = adjoint + g[i - 1]
        by_t = None
        if wanted[1]:
            rates = _rates(slope, y, t, theta)
            by_t = np.sum(np.concatenate([(g[0] - adjoint)[np.newaxis], g[1:]]) * rates, axis=1)
        return fit(adjoint, y0), by_t, fit(by_theta, theta)


def _rates(slope: Function, y: Array, t: Array, theta: Array) -> Array:
    return np.stack([slope(y[i], t[i], theta) for i in range(len(t))])


TABLE[flow] = Flow(flow, "scipy.integrate", None, None)
