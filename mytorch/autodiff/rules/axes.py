"""Axes counted from either end, as numbers from 0 on. One that the array does not have raises what NumPy raises."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np


def place(axis, ndim: int) -> int:
    """The number of an axis. Raises AxisError outside of -ndim to ndim - 1."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


def places(axis, ndim: int) -> tuple[int, ...]:
    """The numbers of one axis, of several or, for None, of all. Raises AxisError, and ValueError for one named twice."""
    if axis is None:
        return tuple(range(ndim))
    found = tuple(place(i, ndim) for i in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(set(found)) < len(found):
        raise ValueError("duplicate value in 'axis'")
    return found
