"""GradientBuffer: from an array to its gradient, found by where the array lies in memory; and how a gradient fits."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

Location = Hashable


class GradientBuffer:
    """The gradients of arrays without a slot of their own.

    ``memory`` maps a location to a gradient, or to ``None`` while the spot is still empty: no zeros are allocated only
    to be added to. ``held`` keeps the owner of every such array's memory, by its id, so that the memory cannot be given to
    another array, which would then inherit the gradient.
    """

    def __init__(self) -> None:
        self.memory: dict[Location, np.ndarray | None] = {}
        self.held: dict[int, Any] = {}

    @staticmethod
    def get_memory_loc(np_array: np.ndarray) -> Location:
        """The key of an array by where it lies: two arrays share it if and only if they are the same variable.

        Address alone is not enough: ``W``, ``W.T``, ``W.reshape(-1)`` and ``W[:2]`` begin at one address. So a view is
        known by its address and its layout (shape, strides, dtype). An array that owns its memory is known by the
        address of the array object itself: as long as it lives, nothing else can own that memory, and asking NumPy for
        the address of the data takes longer than a small matrix product. A view that shows all of its owner in the
        owner's layout, as ``x[:]`` does, is the same variable as its owner.
        """
        if np_array.base is None:
            return id(np_array)
        base = owner(np_array)
        layout = _layout(np_array)
        if isinstance(base, np.ndarray) and base.shape == np_array.shape and layout == _layout(base):
            return id(base)
        return layout

    def is_in_memory(self, np_array: np.ndarray) -> bool:
        """True if this array has a spot, empty or not."""
        return self.get_memory_loc(np_array) in self.memory

    def add_spot(self, np_array: np.ndarray) -> None:
        """Give the array a spot; one that it already has keeps its gradient."""
        location = self.get_memory_loc(np_array)
        if location not in self.memory:
            self.memory[location] = None
            self.hold(np_array)

    def hold(self, np_array: np.ndarray) -> None:
        """Keep the array's memory from being given to another array, without a spot for a gradient."""
        memory = np_array if np_array.base is None else owner(np_array)
        self.held[id(memory)] = memory

    def update_param(self, np_array: np.ndarray, gradient: np.ndarray) -> None:
        """Add a contribution to the array's gradient. The first one is kept as it is, the others are summed."""
        so_far = self.memory[self._location(np_array)]
        self.set_param(np_array, gradient if so_far is None else so_far + gradient)

    def get_param(self, np_array: np.ndarray) -> np.ndarray:
        """The gradient of the array, in its shape; zeros where nothing has arrived, which the spot then keeps.

        An array that was recorded with a gradient to update has its gradient there, not here. What is returned may also
        be the gradient of another array (a sum hands on one gradient to both sides): copy it before changing it.

        Raises KeyError for an array that has no spot: most often it is a copy of the one that was recorded.
        """
        location = self._location(np_array)
        gradient = self.memory[location]
        if gradient is None:
            gradient = self.memory[location] = np.zeros(np_array.shape, gradient_dtype(np_array))
        return gradient

    def set_param(self, np_array: np.ndarray, gradient: np.ndarray) -> None:
        """Replace the array's gradient. Raises ValueError if the gradient has another shape than the array."""
        location = self._location(np_array)
        gradient = np.asarray(gradient)
        if gradient.shape != np_array.shape:
            raise ValueError(f"This gradient has shape {gradient.shape}; give it its array's shape, {np_array.shape}.")
        self.memory[location] = gradient

    def clear(self) -> None:
        """Forget every gradient and let go of the arrays."""
        self.memory.clear()
        self.held.clear()

    def _location(self, np_array: np.ndarray) -> Location:
        location = self.get_memory_loc(np_array)
        if location not in self.memory:
            raise KeyError(
                f"This array of shape {np_array.shape} has no spot in the gradient buffer. Ask for the very array that "
                "was recorded as an input (a copy is another variable, and what was declared to be data has no gradient)."
            )
        return location


# Other generations of the homework know the buffer by this name.
MemoryBuffer = GradientBuffer


def gradient_dtype(array: np.ndarray) -> np.dtype:
    """The dtype of an array's gradient: its own, or float64 for integers and booleans."""
    dtype = array.dtype
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


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
    if not shape and issubclass(type(gradient), np.generic):
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


def owner(array: np.ndarray) -> Any:
    """The object whose memory an array shows: itself, another array, or what NumPy was given (bytes, a file)."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def _layout(array: np.ndarray) -> Location:
    # Nothing is ever reached by the stride of an axis with one entry, so x[None] and x.reshape(1, -1) lie alike.
    strides = tuple(stride if n != 1 else 0 for n, stride in zip(array.shape, array.strides))
    return array.__array_interface__["data"][0], array.shape, strides, array.dtype
