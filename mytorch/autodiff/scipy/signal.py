"""scipy.signal with derivatives: convolve, fftconvolve and correlate, which are linear in each of their two arrays.

``from mytorch.autodiff.scipy import signal`` stands for ``from scipy import signal``. What is not defined here is SciPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal as ss

from mytorch.autodiff.aliases import Array
from mytorch.autodiff.kinds import linear, primitive
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
    kept = [slice(None)] * np.ndim(full)
    lengths = [(axis, np.shape(in1)[axis], np.shape(in2)[axis]) for axis in axes]
    if mode == "valid" and any(n > m for _, n, m in lengths) and any(n < m for _, n, m in lengths):
        raise ValueError(
            f"scipy.signal with mode='valid' got arrays of shapes {np.shape(in1)} and {np.shape(in2)}. One of them has to be "
            "at least as long as the other along each axis."
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
def convolve(in1, in2, mode="full", method="auto"):
    return _convolved(_array(in1), _array(in2), mode, tuple(range(np.ndim(in1))), method)


@differentiable(ss.correlate)
def correlate(in1, in2, mode="full", method="auto"):
    return _convolved(_array(in1), _turned(in2), mode, tuple(range(np.ndim(in1))), method)


@differentiable(ss.fftconvolve)
def fftconvolve(in1, in2, mode="full", axes=None):
    chosen = range(np.ndim(in1)) if axes is None else np.atleast_1d(axes)
    return _convolved(_array(in1), _array(in2), mode, tuple(int(axis) % np.ndim(in1) for axis in chosen), "fft")
