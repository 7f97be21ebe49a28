"""Arrays joined and cut. Both are linear."""

from __future__ import annotations

import numpy as np

from mytorch.autodiff.kinds import composite, explicit
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.traced import plain


# Joining: the arrays of the list become arguments of one operation
def _concatenate_vjp(i: int, g, y, *arrays, axis: int | None = 0, **_):
    lengths = [np.size(plain(a)) if axis is None else np.shape(plain(a))[axis] for a in arrays[: i + 1]]
    piece = slice(sum(lengths[:-1]), sum(lengths))
    return g[piece].reshape(arrays[i].shape) if axis is None else g[(slice(None),) * place(axis, g.ndim) + (piece,)]


def _concatenate_jvp(i: int, t, y, *arrays, axis: int | None = 0, **_):
    parts = [t if j == i else np.zeros(np.shape(array), y.dtype) for j, array in enumerate(arrays)]
    return np.concatenate(parts, axis=axis)


_concatenate = explicit(
    np.concatenate, _concatenate_vjp, _concatenate_jvp, call=lambda *arrays, **kwargs: np.concatenate(arrays, **kwargs)
)
_concatenate.reads = False
composite(
    np.concatenate,
    lambda arrays, /, axis=0, *, dtype=None, casting="same_kind": _concatenate(
        *arrays, axis=axis, dtype=dtype, casting=casting
    ),
)


def _stack(arrays, axis: int = 0, *, dtype=None, casting="same_kind"):
    arrays = list(arrays)
    if len({np.shape(array) for array in arrays}) > 1:
        raise ValueError("all input arrays must have the same shape")
    return np.concatenate([np.expand_dims(array, axis) for array in arrays], axis=axis, dtype=dtype, casting=casting)


def _column_stack(tup):
    return np.concatenate([np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in tup], axis=1)


def _hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = [np.atleast_1d(array) for array in tup]
    axis = 0 if arrays and np.ndim(arrays[0]) == 1 else 1
    return np.concatenate(arrays, axis=axis, dtype=dtype, casting=casting)


def _vstack(tup, *, dtype=None, casting="same_kind"):
    return np.concatenate([np.atleast_2d(a) for a in tup], axis=0, dtype=dtype, casting=casting)


def _block(arrays):
    """Nested lists joined from the inside out along the last axes, as NumPy documents it."""

    def depth(part) -> int:
        return 1 + max(map(depth, part)) if isinstance(part, list) else 0

    def leaves(part):
        return (leaf for inner in part for leaf in leaves(inner)) if isinstance(part, list) else (part,)

    ndim = max([depth(arrays), *(np.ndim(leaf) for leaf in leaves(arrays))])

    def join(part, axis: int):
        if not isinstance(part, list):
            return np.reshape(part, (1,) * (ndim - np.ndim(part)) + np.shape(part))
        return np.concatenate([join(inner, axis + 1) for inner in part], axis=axis)

    return join(arrays, -depth(arrays))


composite(np.stack, _stack)
composite(np.vstack, _vstack)
composite(np.hstack, _hstack)
composite(np.dstack, lambda tup: np.concatenate([np.atleast_3d(a) for a in tup], axis=2))
composite(np.column_stack, _column_stack)
composite(np.block, _block)
composite(
    np.append,
    lambda arr, values, axis=None: np.concatenate(
        [np.ravel(part) if axis is None else part for part in (arr, values)], axis=axis or 0
    ),
)


# Cutting
def _array_split(ary, indices_or_sections, axis: int = 0):
    axis = place(axis, np.ndim(ary))
    numbers = np.array_split(np.arange(np.shape(ary)[axis]), indices_or_sections)
    before = (slice(None),) * axis
    begin = 0
    pieces = []
    for piece in numbers:
        begin = int(piece[0]) if len(piece) else begin
        pieces.append(ary[before + (slice(begin, begin + len(piece)),)])
    return pieces


def _split(ary, indices_or_sections, axis: int = 0):
    np.split(np.arange(np.shape(ary)[axis]), indices_or_sections)  # raises what NumPy raises
    return _array_split(ary, indices_or_sections, axis)


composite(np.array_split, _array_split)
composite(np.split, _split)
composite(np.vsplit, lambda ary, indices_or_sections: _split(ary, indices_or_sections, 0))
composite(np.hsplit, lambda ary, indices_or_sections: _split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1))
composite(np.dsplit, lambda ary, indices_or_sections: _split(ary, indices_or_sections, 2))
if hasattr(np, "unstack"):
    composite(np.unstack, lambda x, axis=0: tuple(np.moveaxis(x, axis, 0)))
