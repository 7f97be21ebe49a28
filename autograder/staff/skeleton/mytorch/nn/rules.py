"""Tools for backward functions: undo a broadcast, fit shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.utils import gradient_dtype


def unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes along which NumPy had broadcast ``shape``.

    A value that was read n times gets the sum of n gradients.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    stretched = [added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1]
    axes = (*range(added), *stretched)
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient


def fit(gradient: Any, array: Any) -> Any:
    """Give a gradient the shape and dtype of the array it belongs to; None for a constant, such as a Python number."""
    shape = getattr(array, "shape", None)
    if shape is None:
        return None
    if not shape and isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)
    if gradient.shape != shape:
        gradient = unbroadcast(gradient, shape)
    if gradient.dtype is not array.dtype:
        dtype = gradient_dtype(array)
        if gradient.dtype.kind == "c" and dtype.kind == "f":
            gradient = gradient.real
        if gradient.dtype != dtype:
            gradient = gradient.astype(dtype)
    return gradient
