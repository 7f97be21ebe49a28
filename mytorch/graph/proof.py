"""Proof: a step made by the plan beside the same step made eagerly, from the same state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mytorch.graph.recorder import locate

# How far the two may lie apart, relative to the largest entry of an array: they sum in another order. Gradients are also
# compared with the largest gradient of all, as some are zero but for rounding.
TOLERANCE = {"f": 2e-4, "d": 1e-9}
UPDATE_TOLERANCE = {"f": 1e-5, "d": 1e-12}


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

    def holds(self, array: np.ndarray) -> bool:
        """True where the array is among the copies."""
        return any(array is other for other, _ in self.copies)

    def changed(self) -> list[np.ndarray]:
        """The arrays whose values are others now."""
        return [
            array for array, copy in self.copies if not np.array_equal(array, copy, equal_nan=array.dtype.kind == "f")
        ]


def first_difference(
    found: Sequence[tuple[str, np.ndarray]],
    expected: Sequence[np.ndarray],
    tolerance: dict[str, float],
    together: bool = False,
) -> str | None:
    """A sentence about the first array that differs by more than rounding, or None.

    together: the largest entry of all arrays counts too, a millionth of it.
    """
    largest = max((_largest(array) for array in expected), default=0.0) if together else 0.0
    for (name, array), other in zip(found, expected):
        if array.shape != other.shape:
            return f"{name} has shape {array.shape} in the plan and {other.shape} in the eager step"
        if array.dtype.char not in tolerance:
            close = np.array_equal(array, other)
            difference = 0.0
        else:
            allowed = tolerance[array.dtype.char] * (_largest(other) + 1e-3 * largest)
            with np.errstate(invalid="ignore"):
                distance = np.abs(array - other)
            same = (array == other) | (np.isnan(array) & np.isnan(other))
            difference = float(np.max(distance, where=~same, initial=0.0))
            close = difference <= allowed
        if not close:
            return f"{name} differs by {difference:.3g} between the plan and the eager step"
    return None


def _largest(array: np.ndarray) -> float:
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    return float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0))
