"""Proof: a step made by the plan beside the same step made eagerly, from the same state."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mytorch import optim
from mytorch.graph.copies import copies
from mytorch.graph.plan import Plan
from mytorch.graph.recorder import locate

# How far the two may lie apart, relative to the largest entry of an array: they sum in another order. Gradients are also
# compared with the largest gradient of all, as some are zero but for rounding.
TOLERANCE = {"f": 2e-4, "d": 1e-9}
UPDATE_TOLERANCE = {"f": 1e-5, "d": 1e-12}
# The same where gradients are not kept, so that both update from their own: Adam magnifies rounding where a gradient is zero.
LOOSE_TOLERANCE = {"f": 1e-2, "d": 1e-6}
# Entries that are compared at a time: all that is computed of them stays in the cache.
PIECE = 1 << 15


class State:
    """Copies of arrays, of random generators' states and of the optimiser's count, to go back to."""

    def __init__(self, arrays: Iterable[np.ndarray], generators: Iterable[Any], optimizer: Any) -> None:
        distinct = {locate(array): array for array in arrays}
        self.copies = dict(zip(distinct, zip(distinct.values(), copies(list(distinct.values())))))
        once = {id(generator): generator for generator in generators}.values()
        self.generators = [(generator, _position(generator)) for generator in once]
        self.optimizer = optimizer
        self.steps = getattr(optimizer, "steps", 0)

    def restore(self, but: Collection[Any] = ()) -> None:
        """Write everything back, in place, except the arrays at the locations ``but``."""
        for place, (array, copy) in self.copies.items():
            if array.flags.writeable and place not in but:
                np.copyto(array, copy)
        for generator, state in self.generators:
            if isinstance(generator, np.random.Generator):
                generator.bit_generator.state = state
            elif isinstance(generator, random.Random):
                generator.setstate(state)
            else:
                generator.set_state(state)
        if self.optimizer is not None:
            self.optimizer.steps = self.steps

    def positions(self) -> list[bytes]:
        """The present state of each random generator."""
        return [pickle.dumps(_position(generator)) for generator, _ in self.generators]

    def changed(self, but: Collection[Any]) -> list[np.ndarray]:
        """The arrays whose values are others now, without those at the locations ``but``."""
        copies = [pair for place, pair in self.copies.items() if place not in but]
        return [array for array, copy in copies if not _same_bits(array, copy)]


def _position(generator: Any) -> Any:
    """The state of a random generator of NumPy's (of either kind) or Python's."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _same_bits(array: np.ndarray, copy: np.ndarray) -> bool:
    """Equal entries, NaN equal to NaN."""
    if array.flags.c_contiguous and array.dtype.kind in "fiub" and array.dtype.itemsize in (4, 8):
        whole = np.dtype(f"i{array.dtype.itemsize}")
        return bool((array.view(whole) == copy.view(whole)).all())
    return np.array_equal(array, copy, equal_nan=array.dtype.kind == "f")


class Gap(NamedTuple):
    """The distance of what was found from what was expected of an array, and the largest finite entry that was expected.

    Where the two are clearly close, the distance is an upper bound and the largest entry a lower bound.
    """

    name: str
    dtype: str
    largest: float
    distance: float

    @classmethod
    def between(cls, name: str, found: np.ndarray, expected: np.ndarray, tolerance: dict[str, float]) -> Gap:
        """The gap of two arrays of one shape. Infinities and NaN are the same where both have them."""
        kind = expected.dtype.char
        if kind not in tolerance:
            return cls(name, kind, 0.0, 0.0 if np.array_equal(found, expected) else np.inf)
        largest = distance = 0.0
        scratch = np.empty(min(expected.size, PIECE), expected.dtype)
        for a, b in _pieces(found, expected):
            apart = np.subtract(a, b, scratch[: a.size])
            # Euclidean norms take half the time: they bound the largest distance from above, the largest entry from below.
            most, least = math.sqrt(np.dot(apart, apart)), math.sqrt(np.dot(b, b) / b.size)
            if not most <= tolerance[kind] * least < math.inf:
                most, least = _exact(a, b)
            # In this order NaN stays.
            distance = most if not most <= distance else distance
            largest = max(largest, least)
        return cls(name, kind, largest, distance)


def tolerance_of(plan: Plan) -> dict[str, float]:
    """The tolerance of what a plan computes: single precision anywhere in it is passed on to arrays of double precision."""
    values = (value for instruction in plan.instructions for value in (*instruction.inputs, *instruction.outputs))
    if any(value.dtype.char == "f" for value in values):
        return dict.fromkeys(TOLERANCE, TOLERANCE["f"])
    return TOLERANCE


def first_difference(gaps: Sequence[Gap], tolerance: dict[str, float], together: bool = False) -> str | None:
    """A sentence about the first array that differs by more than rounding, or None.

    together: the largest entry of all arrays counts too, a thousandth of it.
    """
    common = 1e-3 * max((gap.largest for gap in gaps), default=0.0) if together else 0.0
    for gap in gaps:
        if not gap.distance <= tolerance.get(gap.dtype, 0.0) * (gap.largest + common):
            return f"{gap.name} differs by {gap.distance:.3g} between the plan and the eager step"
    return None


def update_gaps(
    optimizer: Any,
    before: State,
    names: dict[Any, str],
    gradients: Sequence[np.ndarray],
    tolerance: dict[str, float],
) -> Iterator[Gap]:
    """The gaps between the optimiser's arrays as the plan has updated them and the same updated eagerly from the state before.

    names: those of the arrays to compare, by location. gradients: one for each parameter. Block by block, as the eager update
    works, so that each array is read once. An array that was changed before the update shows here too.
    """
    sharing: dict[Any, list[int]] = {}
    for index, parameter in enumerate(optimizer.parameters):
        sharing.setdefault(locate(parameter.value), []).append(index)
    for indices in sharing.values():
        arrays = {index: [optimizer.parameters[index].value, *optimizer._state_of(index)] for index in indices}
        places = {index: list(map(locate, mine)) for index, mine in arrays.items()}
        found = {p: array.reshape(-1) for index in indices for p, array in zip(places[index], arrays[index])}
        expected = {place: before.copies[place][1].reshape(-1) for place in found}
        slopes = {index: gradients[index].reshape(-1) for index in indices}
        size = arrays[indices[0]][0].size
        # Each piece is updated in the same few buffers, which stay in the cache.
        again = {place: np.empty(min(size, PIECE), array.dtype) for place, array in expected.items()}
        constants, scratch = optim.Constants(arrays[indices[0]][0].dtype), np.empty_like(again[places[indices[0]][-1]])
        for begin in range(0, size, PIECE):
            piece = slice(begin, min(begin + PIECE, size))
            own = {place: buffer[: piece.stop - begin] for place, buffer in again.items()}
            for place, buffer in own.items():
                np.copyto(buffer, expected[place][piece])
            for index in indices:
                value, *state = (own[place] for place in places[index])
                optimizer._update(constants, value, slopes[index][piece], *state, scratch[: value.size])
            for place, buffer in own.items():
                if place in names:
                    yield Gap.between(names[place], found[place][piece], buffer, tolerance)


def _pieces(*arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The arrays piece by piece, entry beside entry."""
    flat = [array.reshape(-1) for array in arrays]
    for begin in range(0, flat[0].size, PIECE):
        yield [array[begin : begin + PIECE] for array in flat]


def _exact(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The largest distance of two rows that counts, and the largest finite entry of what was expected."""
    distance = np.abs(found - expected)
    if not np.isfinite(distance).all():
        distance[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    finite = expected[np.isfinite(expected)]
    return float(distance.max()), float(np.abs(finite).max(initial=0.0))
