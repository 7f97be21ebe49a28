"""The table that the C library walks: a row for each instruction, in the library's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.graph.plan import Plan

# The instructions of the table, and the elementwise operations of a run; the library is compiled with these numbers.
INSTRUCTIONS = (
    "run", "gemm", "product", "matvec", "vecmat", "outer", "sum_rows", "sum_columns", "max_rows", "max_columns", "pick", "put",
    "accumulate", "sgd", "adam", "copy", "entries", "check_index",
)  # fmt: skip
OPERATIONS = (
    "add", "subtract", "multiply", "divide", "maximum", "greater", "greater_equal", "equal", "copy", "cast", "negative",
    "absolute", "square", "sqrt", "sign", "positive", "logical_not", "exp", "tanh", "log", "log1p", "erfc", "power", "where",
)  # fmt: skip
# The most arguments of a plan.
ARGUMENTS = 4
ROW = np.dtype([("op", "i8"), ("i", "i8", 10), ("p", "u8", 10)])

# An instruction's number, its numbers and its places.
Row = tuple[int, list[int], list[int]]


def enums() -> str:
    """The C source of both lists. The lowest bit of an instruction says float64."""
    first = ", ".join(f"I_{name} = {2 * number}" for number, name in enumerate(INSTRUCTIONS))
    second = ", ".join(f"E_{name} = {number}" for number, name in enumerate(OPERATIONS))
    return f"enum {{ {first} }};\nenum {{ {second} }};"


def table_of(rows: list[Row], may_wait: bool) -> np.ndarray:
    """The rows behind a first one that counts them and says if other threads of Python may run meanwhile."""
    first: Row = 0, [len(rows), may_wait], []
    numbers = [
        [op, *(i + [0] * 9)[:9], len(places), *places, *[0] * (10 - len(places))] for op, i, places in (first, *rows)
    ]
    return np.array(numbers, np.int64).view(ROW)[:, 0]


def watch(table: np.ndarray, plan: Plan, kept: list[Any]) -> None:
    """Let the table name the memory that the step changes: an argument that lies there has to be copied first."""
    found: list[list[int]] = []
    for begin, end in sorted(map(_bounds, plan.changed())):
        if found and begin <= found[-1][1]:
            found[-1][1] = max(end, found[-1][1])
        else:
            found.append([begin, end])
    ranges = np.array(found, np.uint64).reshape(-1)
    kept.append(ranges)
    table[0]["i"][2] = len(found)
    table[0]["i"][3 : 3 + len(plan.arguments)] = [value.nbytes for value in plan.arguments]
    table[0]["p"][1] = ranges.__array_interface__["data"][0]


def _bounds(array: np.ndarray) -> tuple[int, int]:
    """The first address of an array's memory and the one behind its end."""
    begin = end = array.__array_interface__["data"][0]
    for n, stride in zip(array.shape, array.strides):
        way = max(n - 1, 0) * stride
        begin, end = begin + min(way, 0), end + max(way, 0)
    return begin, end + array.itemsize
