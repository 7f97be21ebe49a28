"""Choices between entries: maximum, minimum, where, clip, select, piecewise. At a tie both sides get half, as in JAX."""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import composite, elementwise, explicit
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.rules.shapes import scatter
from mytorch.autodiff.traced import plain
from mytorch.autodiff.tracing import innermost


def _share(a, b, y):
    """1 where a > b, 1/2 where they are equal, in y's dtype; also 1 where only b is NaN, which fmax and fmin pass over."""
    a, b = plain(a), plain(b)
    wins = (a > b) | (np.isnan(b) & ~np.isnan(a))
    return np.add(wins, wins | (a == b), dtype=y.dtype) / 2


def _larger(a, b, y):
    a, b = plain(a), plain(b)
    return np.add(a > b, a >= b, dtype=y.dtype) / 2


elementwise(np.maximum, lambda y, a, b: _larger(a, b, y), lambda y, a, b: _larger(b, a, y))
elementwise(np.minimum, lambda y, a, b: _larger(b, a, y), lambda y, a, b: _larger(a, b, y))
elementwise(np.fmax, lambda y, a, b: _share(a, b, y), lambda y, a, b: _share(b, a, y))
elementwise(np.fmin, lambda y, a, b: _share(-plain(a), -plain(b), y), lambda y, a, b: _share(-plain(b), -plain(a), y))


def _where_vjp(i: int, g, y, condition, *args):
    return None if i == 0 else np.where(condition, g, 0) if i == 1 else np.where(condition, 0, g)


def _where_jvp(i: int, t, y, condition, *args):
    return None if i == 0 else np.where(condition, t, 0) if i == 1 else np.where(condition, 0, t)


where = explicit(np.where, _where_vjp, _where_jvp)
where.reads = where.arrays_only = True
composite(np.where, lambda condition, *args: where(plain(condition), *args) if args else np.where(plain(condition)))


def _clip(a, a_min=np._NoValue, a_max=np._NoValue, *, min=np._NoValue, max=np._NoValue):
    if a_min is np._NoValue and a_max is np._NoValue:
        a_min, a_max = min, max
    elif min is not np._NoValue or max is not np._NoValue:
        raise ValueError("np.clip takes either a_min and a_max or min and max, and it was given some of both.")
    low, high = (None if bound is np._NoValue else bound for bound in (a_min, a_max))
    if low is None and high is None:
        return np.positive(a)
    if innermost([low, high]) is None:
        return _clip_between(a, low, high)
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _inside(y, a, low, high):
    """1 between the bounds, 1/2 on one of them, 1/4 on two that are equal."""
    a, inside = plain(a), 1
    if low is not None and high is not None and not np.any((a == low) | (a == high)):
        return (a > low) & (a < high)
    if low is not None:
        inside = np.add(a > low, a >= low, dtype=a.dtype) / 2
    return inside if high is None else inside * (np.add(a < high, a <= high, dtype=a.dtype) / 2)


_clip_between = elementwise(np.clip, _inside, None, None, call=np.clip, of=("a", "", ""))


composite(np.clip, _clip)


def _select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"np.select got {len(condlist)} conditions and {len(choicelist)} choices. Give one choice each."
        )
    if any(plain(condition).dtype != bool for condition in map(np.asarray, map(plain, condlist))):
        raise TypeError("np.select takes conditions of booleans.")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        result = np.where(condition, choice, result)
    return result


composite(np.select, _select)


def _piecewise(x, condlist, funclist, *args, **kw):
    """Each function gets the entries of its own condition. Where several conditions hold, the last one counts."""
    condlist = plain(condlist)
    if np.isscalar(condlist) or (not isinstance(condlist[0], (list, np.ndarray)) and x.ndim != 0):
        condlist = [condlist]
    conditions = list(np.asarray(condlist, dtype=bool))
    if len(conditions) == len(funclist) - 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(conditions) != len(funclist):
        raise ValueError(
            f"np.piecewise got {len(conditions)} conditions and {len(funclist)} functions. Give as many, or one more."
        )
    result = np.zeros(x.shape, x.dtype)
    for condition, choice in zip(conditions, funclist):
        if callable(choice):
            entries = x[condition]
            if not entries.size:
                continue
            values = choice(entries, *args, **kw)
            choice = scatter(in_dtype(np.broadcast_to(values, entries.shape), x.dtype), condition, x.shape)
        result = np.where(condition, choice, result)
    return in_dtype(result, x.dtype)


composite(np.piecewise, _piecewise)
