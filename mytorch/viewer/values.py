"""Values: an array as plain data for the page, every number of a small one and a sample of a large one."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

import numpy as np

SMALL, WIDE = 48, 10  # entries, and entries in a row, up to which an array is shown as numbers
CELLS = 4096  # cells of a heat map, where the page has room
PAGE = 2_400_000  # bytes of a page that heat maps may take together
SIDES = {64: 8, 784: 28, 256: 16, 1024: 32}  # rows of so many entries may be images


class Values:
    """A pool of values: equal arrays are put in once, and are known to the page by their number.

    cells: the most cells of one heat map. small: the most entries of an array that is shown as numbers. ``sampled``: how
    many of the arrays are shown by a sample of their entries.
    """

    def __init__(self, cells: int = CELLS, small: int = SMALL) -> None:
        self.cells = cells
        self.small = small
        self.sampled = 0
        self.pool: list[dict[str, Any]] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def put(self, value: Any) -> int:
        """The number of a value: an array, or what NumPy makes an array of."""
        array = np.asarray(value)
        numeric = array.dtype.kind in "fciub"
        memory = np.ascontiguousarray(array).data if numeric and array.size else repr(array.shape).encode()
        key = array.shape, array.dtype, hashlib.blake2b(memory, digest_size=16).digest()
        if key not in self._known:
            self._known[key] = len(self.pool)
            self.pool.append(self._described(array))
        return self._known[key]

    def _described(self, array: np.ndarray) -> dict[str, Any]:
        about: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
        if array.dtype.kind not in "fciub":
            return about | {"kind": "other", "text": f"values of dtype {array.dtype} are not shown"}
        if array.size == 0:
            return about | {"kind": "empty"}
        if array.size <= self.small and (array.ndim < 2 or array.shape[-1] <= WIDE):
            return about | {"kind": "numbers", "numbers": [_number(x) for x in array.ravel().tolist()]}
        return about | {"kind": "cells"} | self._as_cells(array)

    def _as_cells(self, array: np.ndarray) -> dict[str, Any]:
        """Numbers for a heat map: a grid of cells, and the range of the whole array."""
        magnitude = array.dtype.kind == "c"
        real = np.abs(array) if magnitude else array
        grid = real.reshape(-1, real.shape[-1]) if real.ndim > 1 else real.reshape(1, -1)
        side = _image_side(array)
        if side and array.ndim > 2:
            grid = real.reshape(-1, side * side)
        row_step, column_step = self._steps(*grid.shape, side)
        cells = grid[::row_step, ::column_step]
        if side and cells.size > self.cells:
            cells = cells[: max(self.cells // cells.shape[1], 1)]
        if cells.size < array.size:
            self.sampled += 1
        finite = grid if grid.dtype.kind != "f" or np.isfinite(grid).all() else grid[np.isfinite(grid)]
        low, high, mean = (finite.min(), finite.max(), finite.mean(dtype=np.float64)) if finite.size else (0, 0, 0)
        with np.errstate(over="ignore"):  # a double beyond the range of floats is shown as infinite
            data = np.ascontiguousarray(cells, dtype="<f4")
        return {
            "rows": int(cells.shape[0]), "columns": int(cells.shape[1]), "of": [int(n) for n in grid.shape],
            "steps": [row_step, column_step], "image": side, "magnitude": magnitude,
            "low": _number(low.item() if finite.size else 0), "high": _number(high.item() if finite.size else 0),
            "mean": _number(float(mean)), "not_finite": int(grid.size - finite.size),
            "data": base64.b64encode(data.tobytes()).decode("ascii"),
        }  # fmt: skip

    def _steps(self, rows: int, columns: int, side: int) -> tuple[int, int]:
        """Every so-many-th row and column that makes a grid of at most ``cells`` cells. Images keep whole rows."""
        if side and columns == side * side and columns <= self.cells:
            return 1, 1
        column_step = row_step = 1
        while math.ceil(rows / row_step) * math.ceil(columns / column_step) > self.cells:
            if math.ceil(columns / column_step) >= math.ceil(rows / row_step):
                column_step += max(column_step // 8, 1)
            else:
                row_step += max(row_step // 8, 1)
        return row_step, column_step


def cells_for(arrays: int) -> int:
    """The most cells of one heat map on a page with so many arrays, each of which takes 16/3 bytes per cell."""
    return max(16, min(CELLS, PAGE * 3 // 16 // max(arrays, 1)))


def _image_side(array: np.ndarray) -> int:
    """The side of the square images in an array's rows or last two axes; 0 where there are none."""
    if array.ndim >= 2 and array.shape[-1] in SIDES:
        return SIDES[array.shape[-1]] if array.ndim == 2 else 0
    if array.ndim == 1 and array.size in SIDES:
        return SIDES[array.size]
    if array.ndim >= 2 and array.shape[-1] == array.shape[-2] and array.shape[-1] in SIDES.values():
        return array.shape[-1]
    return 0


def _number(x: Any) -> Any:
    """A number as JSON has it; a text for what it has no word for, and for what JavaScript would round."""
    if isinstance(x, complex):
        return f"{x.real:.6g}{x.imag:+.6g}i"
    if isinstance(x, bool):
        return int(x)
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if x != x else "∞" if x > 0 else "-∞"
    if isinstance(x, int) and abs(x) > 1 << 53:
        return str(x)
    return x
