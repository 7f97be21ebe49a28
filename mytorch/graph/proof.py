"""Proof: a step made by the plan beside the same step made eagerly, from the same state."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mytorch.graph.recorder import locate

# How far the two may lie apart, relative to the largest entry of an array: they sum in another order. Gradients are also
# compared with the largest gradient of all, as some are zero but for rounding.
TOLERANCE = {"f": 2e-4, "d": 1e-9}
UPDATE_TOLERANCE = {"f": 1e-5, "d": 1e-12}
# The same where gradients are not kept, so that both update from their own: Adam magnifies rounding where a gradient is zero.
LOOSE_TOLERANCE = {"f": 1e-2, "d": 1e-6}


class State:
    """Copies of arrays, of random generators' states and of the optimiser's count, to go back to."""

    def __init__(self, arrays: Iterable[np.ndarray], generators: Iterable[np.random.Generator], optimizer: Any) -> None:
        self.copies = [(array, array.copy()) for array in {locate(array): array for array in arrays}.values()]
        distinct = {id(generator): generator for generator in generators}.values()
        self.generators = [(generator, generator.bit_generator.state) for generator in distinct]
        self.optimizer = optimizer
        self.steps = getattr(optimizer, "steps", 0)

    def restore(self) -> None:
        """Write everything back, in place."""
        for array, copy in self.copies:
            if array.flags.writeable:
                np.copyto(array, copy)
        for generator, state in self.generators:
            generator.bit_generator.state = state
        if self.optimizer is not None:
            self.optimizer.steps = self.steps

    def positions(self) -> list[bytes]:
        """The present state of each random generator."""
        return [pickle.dumps(generator.bit_generator.state) for generator, _ in self.generators]

    def changed(self, but: set[int]) -> list[np.ndarray]:
        """The arrays whose values are others now, without those whose ids are in ``but``."""
        return [array for array, copy in self.copies if id(array) not in but and not _same_bits(array, copy)]


def _same_bits(array: np.ndarray, copy: np.ndarray) -> bool:
    """Equal entries, NaN equal to NaN."""
    if array.flags.c_contiguous and array.dtype.itemsize in (4, 8):
        whole = np.dtype(f"i{array.dtype.itemsize}")
        return bool((array.view(whole) == copy.view(whole)).all())
    return np.array_equal(array, copy, equal_nan=array.dtype.kind == "f")


def first_difference(
    found: Sequence[tuple[str, np.ndarray]],
    expected: Sequence[np.ndarray],
    tolerance: dict[str, float],
    together: bool = False,
) -> str | None:
    """A sentence about the first array that differs by more than rounding, or None.

    together: the largest entry of all arrays counts too, a millionth of it.
    """
    largest = max((n for n in map(_largest, expected) if np.isfinite(n)), default=0.0) if together else 0.0
    for (name, array), other in zip(found, expected):
        if array.shape != other.shape:
            return f"{name} has shape {array.shape} in the plan and {other.shape} in the eager step"
        if array.dtype.char not in tolerance:
            close = np.array_equal(array, other)
            difference = 0.0
        else:
            allowed = tolerance[array.dtype.char] * (_finite(_largest(other)) + 1e-3 * largest)
            with np.errstate(invalid="ignore", over="ignore"):
                difference = _largest(array - other)
            close = difference <= allowed
            if not close and not np.isfinite(other).all():
                # Infinities and NaN are the same where both have them.
                same = (array == other) | (np.isnan(array) & np.isnan(other))
                difference = _largest(np.where(same, 0, array - other))
                close = difference <= allowed
        if not close:
            return f"{name} differs by {difference:.3g} between the plan and the eager step"
    return None


def _largest(array: np.ndarray) -> float:
    """The largest absolute value; NaN if there is one."""
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    return float(np.maximum(np.max(array), -np.min(array)))


def _finite(number: float) -> float:
    return number if np.isfinite(number) else 0.0
