"""Parameters side by side: the arrays of an optimiser moved into one piece of memory."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mytorch.graph.binding import ALIGNMENT


def side_by_side(optimizer: Any) -> None:
    """Rebind the parameters, gradients and momenta of an optimiser to neighbouring parts of flat arrays, the largest first.

    One call then updates all small ones. Large ones gain as well: they begin where a cache line does, which the system's memory
    for a single large array does not, and together they lie in large pages.

    Only arrays that nobody but their layer (and the optimiser's state) refers to are moved: whoever holds a parameter keeps
    holding the right one. A weight that two layers share stays where it is for the same reason. Values stay the same.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    if getattr(optimizer, "_plans", None) is not None:
        # The optimiser's own views of the arrays; it makes them anew.
        optimizer._plans = [None] * len(optimizer.parameters)
    state = optimizer.state
    groups: dict[np.dtype, list[int]] = {}
    for index, parameter in enumerate(optimizer.parameters):
        if not {parameter.name, parameter.gradient_name} <= getattr(parameter.owner, "__dict__", {}).keys():
            continue
        places = _places(parameter, state, index)
        arrays = [place[0][0][place[0][1]] for place in places]
        first = arrays[0]
        if first.dtype.kind == "f" and all(
            a.base is None and a.dtype == first.dtype and a.shape == first.shape for a in arrays
        ):
            del arrays, first
            if all(_is_ours(place) for place in places):
                value = getattr(parameter.owner, parameter.name)
                groups.setdefault(value.dtype, []).append(index)
    for indices in groups.values():
        if len(indices) > 1:
            indices.sort(key=lambda index: -optimizer.parameters[index].value.size)
            _move([_places(optimizer.parameters[index], state, index) for index in indices])


Place = list[tuple[Any, Any]]


def _places(parameter: Any, state: dict[str, list[np.ndarray]], index: int) -> list[Place]:
    """The holders of a parameter's arrays (value, gradient and each state array), as (container, key) pairs."""
    owner = vars(parameter.owner)
    places = [[(owner, parameter.name)], [(owner, parameter.gradient_name)]]
    own = parameter.momentum_name
    for arrays in state.values():
        places.append([(arrays, index)])
        if own is not None and owner.get(own) is arrays[index]:
            places[-1].append((owner, own))
    return places


def _is_ours(place: Place) -> bool:
    """True where an array has no other references than those of its place."""
    probe = {"array": np.empty(0)}
    (container, key), expected = place[0], sys.getrefcount(probe["array"]) + len(place) - 1
    return sys.getrefcount(container[key]) == expected


def _move(parameters: list[list[Place]]) -> None:
    for kind in zip(*parameters):
        arrays = [place[0][0][place[0][1]] for place in kind]
        flat = _aligned(sum(array.size for array in arrays), arrays[0].dtype)
        at = 0
        for place, array in zip(kind, arrays):
            view = flat[at : at + array.size].reshape(array.shape)
            np.copyto(view, array)
            for container, key in place:
                container[key] = view
            at += array.size


def _aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """An uninitialised flat array that begins at a multiple of ALIGNMENT; its base is of the same dtype."""
    memory = np.empty(size + ALIGNMENT // dtype.itemsize, dtype)
    begin = -memory.__array_interface__["data"][0] % ALIGNMENT // dtype.itemsize
    return memory[begin : begin + size]
