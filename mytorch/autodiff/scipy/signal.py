"""scipy.signal with derivatives: convolve, fftconvolve and correlate, which are linear in each of their two arrays.

``from mytorch.autodiff.scipy import signal`` stands for ``from scipy import signal``. What is not defined here is SciPy's.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.signal as ss
from numpy.lib.stride_tricks import sliding_window_view

from mytorch.autodiff.aliases import Array
from mytorch.autodiff.kinds import linear, primitive
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.scipy.registering import differentiable
from mytorch.autodiff.traced import Traced, plain

__all__ = ["convolve", "correlate", "fftconvolve"]


def __getattr__(name: str) -> Any:
    return getattr(ss, name)


@primitive
def _full(a: Array, b: Array, axes: tuple, method: str) -> Array:
    """The whole convolution along the axes; along the others, of equal length or 1, entry by entry."""
    if len(axes) == a.ndim and method != "fft":
        return ss.convolve(a, b, "full", method)
    return ss.fftconvolve(a, b, "full", axes).astype(np.result_type(a, b))


def _transposed(i: int, g: Array, y: Array, a: Array, b: Array, axes: tuple, method: str) -> Array:
    """The gradient of one array: the convolution of g with the other one turned round, from where the two overlap wholly."""
    wanted, other = (a, b) if i == 0 else (b, a)
    kept = [slice(None)] * np.ndim(g)
    for axis in axes:
        kept[axis] = slice(np.shape(other)[axis] - 1, np.shape(other)[axis] - 1 + np.shape(wanted)[axis])
    return _full(g, np.flip(other, axes), axes=axes, method=method)[tuple(kept)]


linear(
    _full,
    lambda g, y, a, b, **settings: _transposed(0, g, y, a, b, **settings),
    lambda g, y, a, b, **settings: _transposed(1, g, y, a, b, **settings),
    name="scipy.signal.convolve",
)


def _convolved(in1: Array, in2: Array, mode: str, axes: tuple, method: str) -> Array:
    """The part of the whole convolution that a mode asks for: as long as in1 ("same"), or where the two overlap ("valid")."""
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"mode={mode!r} is unknown to scipy.signal. Acceptable modes are 'valid', 'same' and 'full'.")
    if not np.ndim(in1) and not np.ndim(in2):
        return in1 * in2
    full = _full(in1, in2, axes=axes, method=method)  # raises what SciPy raises
    return _part(full, mode, [(axis, np.shape(in1)[axis], np.shape(in2)[axis]) for axis in axes])


def _part(full: Array, mode: str, lengths: list) -> Array:
    """The part of a whole convolution that a mode keeps. lengths: for each of its axes the lengths of the two arrays."""
    kept = [slice(None)] * np.ndim(full)
    if mode == "valid" and any(n > m for _, n, m in lengths) and any(n < m for _, n, m in lengths):
        raise ValueError(
            f"scipy.signal with mode='valid' got arrays of lengths {[(n, m) for _, n, m in lengths]} along the axes. One of "
            "them has to be at least as long as the other along each axis."
        )
    for axis, n, m in lengths if mode != "full" else ():
        length = n if mode == "same" else abs(n - m) + 1
        start = (n + m - 1 - length) // 2
        kept[axis] = slice(start, start + length)
    return full[tuple(kept)]


def _array(x: Any) -> Array:
    return x if isinstance(x, Traced) else np.asarray(x)


def _turned(x: Any) -> Array:
    """The array turned round along all axes and conjugated: a convolution with it is a correlation."""
    x = np.flip(_array(x))
    return np.conj(x) if plain(x).dtype.kind == "c" else x


@differentiable(ss.convolve)
def _convolve(in1, in2, mode="full", method="auto"):
    return _convolved(_array(in1), _array(in2), mode, tuple(range(np.ndim(in1))), method)


@functools.wraps(ss.convolve)
def convolve(in1, in2, mode="full", method="auto", *, axes=None, dot_axes=((), ())):
    return _convolve(in1, in2, mode, method) if axes is None else _convolve_along(in1, in2, mode, axes, dot_axes)


def _convolve_along(in1, in2, mode: str, axes, dot_axes):
    """Convolution along pairs of axes as in autograd: ``axes[0]`` of in1, each with its own of ``axes[1]`` of in2.

    dot_axes: pairs of axes in the same way, over which the products are summed, as over the channels of a convolutional
    network. The result has the axes of in1 that are in neither, then those of in2, then those of the convolution.
    """
    if any(len(first) != len(second) for first, second in (axes, dot_axes)):
        raise ValueError(f"convolve got axes={axes} and dot_axes={dot_axes}. Give as many axes of in1 as of in2.")
    in1, in2 = _array(in1), _array(in2)
    (over1, dot1), (over2, dot2) = (
        [[place(axis, np.ndim(x)) for axis in pairs[i]] for pairs in (axes, dot_axes)] for i, x in enumerate((in1, in2))
    )
    lengths = [(np.shape(in1)[i], np.shape(in2)[j]) for i, j in zip(over1, over2)]
    border = [(0, 0)] * np.ndim(in1)
    for axis, (_, m) in zip(over1, lengths):
        border[axis] = (m - 1, m - 1)
    windows = sliding_window_view(np.pad(in1, border), tuple(m for _, m in lengths), tuple(over1))
    inside = list(range(np.ndim(in1), np.ndim(windows)))
    whole = np.tensordot(windows, np.flip(in2, tuple(over2)), (dot1 + inside, dot2 + over2))
    kept = [i for i in range(np.ndim(in1)) if i not in dot1]  # these lead in the result
    apart = np.ndim(whole) - len(over1)
    whole = np.moveaxis(whole, [kept.index(i) for i in over1], range(apart, np.ndim(whole)))
    return _part(whole, mode, [(apart + k, n, m) for k, (n, m) in enumerate(lengths)])


@differentiable(ss.correlate)
def correlate(in1, in2, mode="full", method="auto"):
    return _convolved(_array(in1), _turned(in2), mode, tuple(range(np.ndim(in1))), method)


@differentiable(ss.fftconvolve)
def fftconvolve(in1, in2, mode="full", axes=None):
    chosen = range(np.ndim(in1)) if axes is None else np.atleast_1d(axes)
    return _convolved(_array(in1), _array(in2), mode, tuple(int(axis) % np.ndim(in1) for axis in chosen), "fft")
