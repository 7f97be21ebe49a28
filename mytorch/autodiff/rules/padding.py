"""np.pad: one axis after the other, as NumPy does it, so that the corners come out the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.kinds import Explicit, composite
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.rules.reductions import in_dtype
from mytorch.autodiff.rules.shapes import laid_out_as
from mytorch.autodiff.traced import Traced, plain
from mytorch.autodiff.tracing import innermost
from mytorch.autodiff.tree import flatten

STATISTICS: dict[str, Function] = {"mean": np.mean, "median": np.median, "maximum": np.max, "minimum": np.min}
COPIES = ("reflect", "symmetric", "wrap")


def pad(array, pad_width, mode="constant", **kwargs):
    """np.pad in all of its modes but 'empty' and functions. constant_values and end_values may be traced beside the array."""
    return laid_out_as(_pad(array, pad_width, mode, **kwargs), array, order="A")


def _pad(array, pad_width, mode, **kwargs):
    shape = np.shape(array)
    if isinstance(pad_width, dict):  # by axis, which may be counted from the end
        np.pad(np.ones((1,) * len(shape)), pad_width)  # raises what NumPy raises: older ones take no dict
        by_axis = {place(axis, len(shape)): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(by_axis.get(i, 0), 2) for i in range(len(shape))]
    if callable(mode) or mode == "empty":
        raise NotImplementedError(
            f"np.pad with mode={mode!r} has no rule of differentiation. All other modes have; np.concatenate joins anything."
        )
    if mode in COPIES and kwargs.get("reflect_type", "even") == "even":  # every entry is a copy of one
        numbers = np.pad(np.arange(np.size(plain(array))).reshape(shape), pad_width, mode=mode, **kwargs)
        return np.ravel(array)[numbers]
    np.pad(np.ones([min(n, 1) for n in shape]), pad_width, mode, **plain(kwargs))  # raises what NumPy raises
    widths = np.broadcast_to(pad_width, (len(shape), 2)).tolist()
    if mode == "constant" and widths and innermost(flatten(list(kwargs.values()))[0]) is None:
        return _constant(array, widths, **kwargs)
    for axis, (before, after) in enumerate(widths):
        if mode in COPIES:
            array = _matrix(array, axis, np.pad(np.eye(shape[axis]), ((before, after), (0, 0)), mode, **kwargs))
        elif before or after:
            left, right = _flanks(array, axis, (before, after), mode, **kwargs)
            array = np.concatenate([left, array, right], axis=axis)
    return array


_constant: Any = Explicit(
    np.pad,
    "pad",
    [lambda g, y, x, widths, **_: g[tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape))]],
    [lambda t, y, x, widths, **_: _constant(t, widths)],
    reads=False,
)


def _flanks(x, axis: int, widths, mode: str, constant_values=0, end_values=0, stat_length=None):
    """The entries added before and after an axis."""
    n, ndim = x.shape[axis], x.ndim
    for side, width in enumerate(widths):
        shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        here = (slice(None),) * axis
        if mode == "constant":
            value = _pairs(constant_values, ndim)[axis, side]
        elif mode == "linear_ramp":
            end, edge = _pairs(end_values, ndim)[axis, side], x[here + (-side,)]
            value = np.linspace(end, edge, width, endpoint=False, axis=axis)
            value = np.flip(value, axis) if side else value
        elif mode == "edge":
            value = x[here + (slice(n - 1, n) if side else slice(0, 1),)]
        else:
            length = n if stat_length is None else min(int(_pairs(stat_length, ndim)[axis, side]), n)
            chunk = x[here + (slice(n - length, n) if side else slice(0, length),)]
            value = STATISTICS[mode](chunk, axis=axis, keepdims=True)
        yield in_dtype(np.broadcast_to(value, shape), x.dtype)


def _matrix(x, axis: int, matrix):
    """Each line along the axis times a matrix: a padding that mirrors about its ends is linear."""
    return np.moveaxis(np.tensordot(matrix.astype(x.dtype), x, (1, axis)), 0, axis)


def _pairs(value, ndim: int):
    """A setting for the two sides of every axis."""
    return np.broadcast_to(_joined(value), (ndim, 2))


def _joined(value):
    if isinstance(value, (tuple, list)):
        return np.stack(np.broadcast_arrays(*[_joined(part) for part in value]))
    return value if isinstance(value, Traced) else np.asarray(value)


composite(np.pad, pad)
