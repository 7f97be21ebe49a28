"""Matcher: the C library's test if a plan still serves a call, which takes a fraction of the time of Python's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mytorch.graph.backends.c import library
from mytorch.graph.guards import ABSENT, Guard


def matcher(arguments: Sequence[np.ndarray], direct: Sequence[Guard]) -> Callable[..., int]:
    """A function of arrays that returns 1 if they have the dtypes and shapes of these, and all guards hold, else 0.

    direct: see ``guards.is_direct``. The caller keeps them and the dtypes alive, of which the table has the addresses.
    """
    shapes = [n for argument in arguments for n in argument.shape]
    size = 3 * (len(arguments) + len(direct) + 1)
    table = np.zeros(size + len(shapes), np.int64)
    table[size:] = shapes
    rows = table[:size].reshape(-1, 3)
    shape = table.__array_interface__["data"][0] + size * table.itemsize
    for row, argument in zip(rows, arguments):
        row[:] = id(argument.dtype), argument.ndim, shape
        shape += argument.ndim * table.itemsize
    for row, one in zip(rows[len(arguments) :], direct):
        key = 0 if one.attribute else id(one.key)
        row[:] = id(one.holder), key, 0 if one.expected is ABSENT else id(one.expected)
    return library.load().matcher(table)
