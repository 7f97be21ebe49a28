"""Updates of parameters in the NumPy backend: the lines of SGD and Adam, block by block where arrays are large."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mytorch.graph.backends.source import Source
from mytorch.graph.plan import Instruction
from mytorch.graph.updates import SCALARS, adam_scalars

# Arrays of more than LARGE entries are updated in blocks of BLOCK.
LARGE, BLOCK = 1 << 18, 1 << 17


def sgd(s: Source, i: Instruction) -> None:
    """Append the lines of an update by SGD."""
    numbers = scalars(s, i)
    for piece in _update_pieces(s, i):
        _sgd_piece(s, i, numbers, piece)


def _sgd_piece(s: Source, i: Instruction, numbers: list[str], piece: list[str]) -> None:
    lr, momentum, weight_decay = numbers
    g, w, scratch = piece[0], piece[1], piece[-1]
    if i.attrs["weight_decay"]:
        s.line(f"multiply({w}, {weight_decay}, {scratch})")
        s.line(f"add({scratch}, {g}, {scratch})")
        g = scratch
    if not i.attrs["momentum"]:
        s.line(f"multiply({g}, {lr}, {scratch})")
    else:
        v = piece[2]
        s.line(f"multiply({v}, {momentum}, {v})")
        s.line(f"add({v}, {g}, {v})")
        if i.attrs["nesterov"]:
            look = s.bind(np.empty_like(s.names[v]), "u")
            s.line(f"multiply({v}, {momentum}, {look})")
            s.line(f"add({g}, {look}, {scratch})")
            s.line(f"multiply({scratch}, {lr}, {scratch})")
        else:
            s.line(f"multiply({v}, {lr}, {scratch})")
    s.line(f"subtract({w}, {scratch}, {w})")


def adam(s: Source, i: Instruction) -> None:
    """Append the lines of an update by Adam or AdamW."""
    rate, correction, decay, eps, weight_decay, beta1, beta2, rest1, rest2 = scalars(s, i)
    for g, w, m, v, scratch in _update_pieces(s, i):
        if i.attrs["decay"] and i.attrs["apart"]:
            s.line(f"multiply({w}, {decay}, {w})")
        elif i.attrs["decay"]:
            kept = s.bind(np.empty_like(s.names[g]), "u")
            s.line(f"multiply({w}, {weight_decay}, {kept})")
            s.line(f"add({kept}, {g}, {kept})")
            g = kept
        s.line(f"multiply({m}, {beta1}, {m})")
        s.line(f"multiply({g}, {rest1}, {scratch})")
        s.line(f"add({m}, {scratch}, {m})")
        s.line(f"multiply({v}, {beta2}, {v})")
        s.line(f"square({g}, {scratch})")
        s.line(f"multiply({scratch}, {rest2}, {scratch})")
        s.line(f"add({v}, {scratch}, {v})")
        s.line(f"sqrt({v}, {scratch})")
        s.line(f"divide({scratch}, {correction}, {scratch})")
        s.line(f"add({scratch}, {eps}, {scratch})")
        s.line(f"divide({m}, {scratch}, {scratch})")
        s.line(f"multiply({scratch}, {rate}, {scratch})")
        s.line(f"subtract({w}, {scratch}, {w})")


def pieces(arrays: list[np.ndarray], scratch: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Arrays of one size with scratch memory, whole if they are small or lie scattered, else block by block."""
    size = arrays[0].size
    flags = [array.flags for array in arrays]
    if all(f.c_contiguous for f in flags):
        arrays = [array.reshape(-1) for array in arrays]
    elif all(f.f_contiguous for f in flags):
        arrays = [array.T.reshape(-1) for array in arrays]
    else:
        yield [*arrays, np.empty(arrays[0].shape, arrays[0].dtype)]
        return
    step = BLOCK if size > LARGE else max(size, 1)
    for begin in range(0, size, step):
        piece = [array[begin : begin + step] for array in arrays]
        yield [*piece, scratch[: piece[0].size]]


def _update_pieces(s: Source, i: Instruction) -> Iterator[list[str]]:
    dtype = i.writes[0].dtype
    entries = i.writes[0].size if i.writes[0].size <= LARGE else BLOCK
    scratch = s.scratch(dtype, entries)
    arrays = [np.asarray(s.binding.arrays[value]) for value in (i.inputs[0], *i.writes)]
    for piece in pieces(arrays, scratch):
        yield [s.bind(array, "u") for array in piece]


def scalars(s: Source, i: Instruction) -> list[str]:
    """The names of the numbers that an update reads, as arrays of one entry, which NumPy uses faster than floats.

    The first update of a step counts it and reads the numbers from the optimiser.
    """
    optimizer, kind = s.bind(i.attrs["optimizer"]), "adam" if i.op == "adam" else "sgd"
    dtype = i.writes[0].dtype
    names = [f"{name}_{dtype.char}" for name in SCALARS[kind]]
    if not s.counted:
        s.counted = True
        s.line(f"{optimizer}.steps += 1")
    if names[0] not in s.names:
        s.names.update((name, np.zeros((), dtype)) for name in names)
        if kind == "sgd":
            for name, attribute in zip(names, SCALARS["sgd"]):
                if i.attrs.get(attribute, True):
                    s.line(f"{name}[()] = {optimizer}.{attribute}")
        else:
            s.names["adam_scalars"] = adam_scalars
            s.line(f"{', '.join(f'{name}[()]' for name in names)} = adam_scalars({optimizer})")
    return names
