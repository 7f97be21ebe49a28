"""Values: an array as plain data for the page, every number of a small one and a sample of a large one."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

SMALL, WIDE = 48, 10  # entries, and entries in a row, up to which an array is shown as numbers
CELLS = 4096  # cells of a heat map, where the page has room
PAGE = 2_400_000  # bytes of a page that heat maps may take together
SIDES = {64: 8, 784: 28}  # rows of so many entries may be images of this side


class Values:
    """A pool of values: what looks the same is put in once, and is known to the page by its number.

    cells: the most cells of one heat map. small: the most entries of an array that is shown as numbers. ``sampled``: how
    many of the arrays are shown by a sample of their entries.
    """

    def __init__(self, cells: int = CELLS, small: int = SMALL) -> None:
        self.cells = cells
        self.small = small
        self.sampled = 0
        self.pool: list[dict[str, Any]] = []
        self._known: dict[str, int] = {}

    def put(self, value: Any, images: bool = False) -> int:
        """The number of a value: an array, or what NumPy makes an array of. images: its rows may be images."""
        array = np.asarray(value)
        described = self._described(array, _image_side(array) if images else 0)
        key = repr(described)
        if key not in self._known:
            self._known[key] = len(self.pool)
            self.pool.append(described)
        return self._known[key]

    def _described(self, array: np.ndarray, side: int) -> dict[str, Any]:
        about: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
        if array.dtype.kind not in "fciub":
            return about | {"kind": "other", "text": f"values of dtype {array.dtype} are not shown"}
        if array.size == 0:
            return about | {"kind": "empty"}
        if array.size <= self.small and (array.ndim < 2 or array.shape[-1] <= WIDE):
            return about | {"kind": "numbers", "numbers": [_number(x) for x in array.ravel().tolist()]}
        return about | {"kind": "cells"} | self._as_cells(array, side)

    def _as_cells(self, array: np.ndarray, side: int) -> dict[str, Any]:
        """Numbers for a heat map: a grid of cells, and the range of the whole array."""
        magnitude = array.dtype.kind == "c"
        real = np.abs(array) if magnitude else array
        grid = real.reshape(-1, real.shape[-1]) if real.ndim > 1 else real.reshape(1, -1)
        if side and array.ndim > 2:
            grid = real.reshape(-1, side * side)
        row_step, column_step = self._steps(grid.shape[0], grid.shape[1], side)
        cells = grid[::row_step, ::column_step]
        if side and cells.size > self.cells:
            cells = cells[: max(self.cells // cells.shape[1], 1)]
        if cells.size < array.size:
            self.sampled += 1
        odd = 0 if grid.dtype.kind != "f" else int(np.count_nonzero(~np.isfinite(grid)))
        finite = grid[np.isfinite(grid)] if odd else grid
        if not finite.size:
            finite = np.zeros(1)
        with np.errstate(over="ignore"):  # a double beyond the range of floats is shown as infinite
            data = np.ascontiguousarray(cells, dtype="<f4")
        return {
            "rows": int(cells.shape[0]), "columns": int(cells.shape[1]), "of": [int(n) for n in grid.shape],
            "steps": [row_step, column_step], "image": side, "magnitude": magnitude,
            "low": _number(finite.min().item()), "high": _number(finite.max().item()),
            "mean": _number(float(finite.mean(dtype=np.float64))), "not_finite": odd,
            "data": base64.b64encode(data.tobytes()).decode("ascii"),
        }  # fmt: skip

    def _steps(self, rows: int, columns: int, side: int) -> tuple[int, int]:
        """Every so-many-th row and column that makes a grid of at most ``cells`` cells. Images keep whole rows."""
        if side and columns == side * side and columns <= self.cells:
            return 1, 1
        shown_columns = min(columns, max(math.isqrt(self.cells), self.cells // rows))
        shown_rows = min(rows, max(self.cells // shown_columns, 1))
        return math.ceil(rows / shown_rows), math.ceil(columns / shown_columns)


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
