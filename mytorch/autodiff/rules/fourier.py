"""Discrete Fourier transforms. The matrix of a transform is symmetric, so its transpose is the transform itself."""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import composite, linear
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.rules.shapes import laid_out_as, scatter
from mytorch.autodiff.traced import plain


def _transform_vjp(transform):
    """The same transform of g, cut or padded to the length of x: entries that NumPy cut off had no influence."""

    def vjp(g, y, x, n=None, axis: int = -1, norm=None):
        return _fit_length(transform(g, axis=axis, norm=norm), x.shape[axis], axis)

    return vjp


def _fit_length(x, n: int, axis: int):
    axis = place(axis, x.ndim)
    have, before = x.shape[axis], (slice(None),) * axis
    if have > n:
        return x[before + (slice(0, n),)]
    shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
    return x if have == n else scatter(x, before + (slice(0, have),), shape)


_fft = linear(np.fft.fft, _transform_vjp(np.fft.fft), name="fft")
_ifft = linear(np.fft.ifft, _transform_vjp(np.fft.ifft), name="ifft")


def _rfft(a, n=None, axis: int = -1, norm=None):
    if plain(a).dtype.kind == "c":
        np.fft.rfft(np.ones(1, plain(a).dtype))  # raises what NumPy raises: NumPy 1 drops the imaginary part
        a = np.real(a)
    n = np.shape(a)[axis] if n is None else n
    half = np.fft.fft(a, n, axis, norm)[(slice(None),) * place(axis, np.ndim(a)) + (slice(0, n // 2 + 1),)]
    return laid_out_as(half, a)


def _irfft(a, n=None, axis: int = -1, norm=None):
    """The other half of the spectrum is the conjugate of the first; of entries 0 and n/2 only the real part counts."""
    axis = place(axis, np.ndim(a))
    n = 2 * (np.shape(a)[axis] - 1) if n is None else n
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    half = np.moveaxis(_fit_length(a, n // 2 + 1, axis), axis, -1)
    mirrored = np.conj(np.flip(half[..., 1 : (n + 1) // 2], -1))
    first = np.real(half[..., :1]).astype(plain(half).dtype)
    middle = (
        half[..., 1:]
        if n % 2
        else np.concatenate([half[..., 1:-1], np.real(half[..., -1:]).astype(half.dtype)], axis=-1)
    )
    whole = np.concatenate([first, middle, mirrored] if n > 1 else [first], axis=-1)
    result = np.moveaxis(np.real(np.fft.ifft(whole, norm=norm)), -1, axis)
    if plain(a).dtype == np.float16:  # the result of NumPy 2 is as narrow again
        result = result.astype(np.fft.irfft(np.zeros(2, np.float16)).dtype)
    return laid_out_as(result, a)


def _over_axes(one, last=None):
    """A transform over several axes: one after the other, real transforms (``last``) over the last axis first."""

    def transform(a, s=None, axes=None, norm=None):
        axes = list(range(np.ndim(a)) if s is None else range(-len(s), 0)) if axes is None else list(axes)
        lengths = [None] * len(axes) if s is None else list(s)
        if len(lengths) != len(axes):
            raise ValueError("Shape and axes have different lengths.")
        steps = list(zip(axes, lengths))
        if last is _irfft:
            for axis, n in steps[:-1]:
                a = one(a, n, axis, norm)
            return last(a, lengths[-1], axes[-1], norm)
        if last is not None:
            a = last(a, lengths[-1], axes[-1], norm)
            steps = steps[:-1]
        for axis, n in reversed(steps):
            a = one(a, n, axis, norm)
        return a

    return transform


def _over_two_axes(transform):
    return lambda a, s=None, axes=(-2, -1), norm=None: transform(a, s, axes, norm)


composite(np.fft.fft, lambda a, n=None, axis=-1, norm=None: _fft(a, n, axis, norm))
composite(np.fft.ifft, lambda a, n=None, axis=-1, norm=None: _ifft(a, n, axis, norm))
composite(np.fft.rfft, _rfft)
composite(np.fft.irfft, _irfft)
for _name, _one, _last in (
    ("fft", _fft, None), ("ifft", _ifft, None), ("rfft", _fft, _rfft), ("irfft", _ifft, _irfft),
):  # fmt: skip
    _transform = _over_axes(_one, _last)
    composite(getattr(np.fft, f"{_name}n"), _transform)
    composite(getattr(np.fft, f"{_name}2"), _over_two_axes(_transform))
REVERSED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
composite(np.fft.hfft, lambda a, n=None, axis=-1, norm=None: np.fft.irfft(np.conj(a), n, axis, _reversed(norm)))
composite(np.fft.ihfft, lambda a, n=None, axis=-1, norm=None: np.conj(np.fft.rfft(a, n, axis, _reversed(norm))))
composite(np.fft.fftshift, lambda x, axes=None: _shift(x, axes, 1))
composite(np.fft.ifftshift, lambda x, axes=None: _shift(x, axes, -1))


def _reversed(norm):
    """The scaling of the transform in the other direction."""
    return REVERSED.get(norm, norm)


def _shift(x, axes, sign: int):
    axes = tuple(range(np.ndim(x))) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return np.roll(x, [sign * (np.shape(x)[axis] // 2) for axis in axes], axes)
