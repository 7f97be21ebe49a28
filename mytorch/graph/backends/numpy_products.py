"""Products of two matrices in the NumPy backend: whole, in strips, or with a factor turned round, as its BLAS likes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mytorch.graph.backends import blas
from mytorch.graph.backends.source import Source
from mytorch.graph.plan import Instruction, Value

# On these processors OpenBLAS reads the factors of a product as they lie, up to MOST multiplications; the factors of a larger
# one it copies first, which takes a fifth of the time where one side is short. A left factor by rows and a right one by
# columns make scalar products: up to MOST_DOTS of them, of LEAST_TERMS or more, are read as they lie.
CORES = ("SkylakeX", "Cooperlake", "SapphireRapids")
MOST, MOST_DOTS, LEAST_TERMS = 10**6, 1200, 32
# Strips of fewer rows or multiplications are not worth their calls. A strip has a multiple of ROWS.
LEAST_ROWS, LEAST, ROWS = 16, 1 << 18, 8
# A factor is turned round where each of its entries is used so often.
OFTEN = 128
# From this many entries on, outer products are left to einsum.
LARGE = 1 << 18


class Factor(NamedTuple):
    """A matrix: the source of its array, its shape, and True where it lies by rows, False by columns."""

    text: str
    shape: tuple[int, ...]
    by_rows: bool


def multiply(s: Source, i: Instruction) -> None:
    """Append the lines of a product of matrices. They follow from shapes and layouts, so that a product rounds alike in all
    runs on a machine.
    """
    (a, b), y = i.inputs, i.output
    if max(len(value.shape) for value in (a, b, y)) > 2:
        s.line(f"matmul({s(a)}, {s(b)}, {s(y)})")
        return
    if a.shape[1] == 1 and y.size >= LARGE and y not in s.binding.plan.transposed:
        # A single row is no work for a matrix product; einsum writes a large result in one sweep.
        column, row = (f"{s(value)}.reshape(-1)" for value in (a, b))
        s.line(f"einsum('i,j->ij', {column}, {row}, out={s(y)})")
        return
    if y in s.binding.plan.transposed:
        left, right, out = _factor(s, b, True), _factor(s, a, True), s.transposed(y)
    else:
        left, right, out = _factor(s, a), _factor(s, b), s(y)
    rows, height = left.shape[0], 0
    if min(*left.shape, *right.shape) > 1 and blas.core() in CORES:
        left, right = _turned(s, left, right, i.output.dtype)
        height = strip(left, right)
    if not 0 < height < rows:
        s.line(f"dot({left.text}, {right.text}, {out})")
        return
    for begin in range(0, rows, height):
        piece = slice(begin, begin + height)
        s.line(f"dot({_part(s, left.text, piece)}, {right.text}, {_part(s, out, piece)})")


def reads_in_place(left: Factor, right: Factor) -> bool:
    """True where this process's BLAS multiplies two matrices without copying them first."""
    return blas.core() in CORES and strip(left, right) == left.shape[0]


def strip(left: Factor, right: Factor) -> int:
    """The rows of the left factor that BLAS multiplies at a time without copying; 0 where it copies or that does not pay."""
    (rows, terms), columns = left.shape, right.shape[1]
    if not left.by_rows:
        return rows if rows * terms * columns <= MOST else 0
    most = MOST // (terms * columns)
    if not right.by_rows:
        most = min(most, MOST_DOTS // columns) if terms >= LEAST_TERMS else 0
    if rows <= most:
        return rows
    most -= most % ROWS
    if most < LEAST_ROWS or most * terms * columns < LEAST:
        return 0
    # All strips but the last are of one height, and that is not much lower.
    return -(-rows // -(-rows // most) // ROWS) * ROWS


def _turned(s: Source, left: Factor, right: Factor, dtype: np.dtype) -> tuple[Factor, Factor]:
    """The factors, one of them copied to lie the other way where only that spares BLAS its copies."""
    if strip(left, right):
        return left, right
    rows, columns = left.shape[0], right.shape[1]
    choices = []
    if rows >= OFTEN and strip(left, right._replace(by_rows=True)):
        choices.append((rows, right))
    if columns >= OFTEN and strip(left._replace(by_rows=False), right):
        choices.append((columns, left))
    if not choices:
        return left, right
    _, chosen = max(choices, key=lambda choice: choice[0])
    height, width = chosen.shape
    scratch = s.scratch(dtype, height * width)
    copy = scratch.reshape(width, height).T if chosen.by_rows else scratch.reshape(height, width)
    name = s.bind(copy, "turned")
    s.line(f"copyto({name}, {chosen.text})")
    turned = Factor(name, chosen.shape, not chosen.by_rows)
    return (turned, right) if chosen is left else (left, turned)


def _factor(s: Source, value: Value, transposed: bool = False) -> Factor:
    text = s.transposed(value) if transposed else s(value)
    array = s.names.get(text)
    if isinstance(array, np.ndarray):
        return Factor(text, array.shape, bool(array.flags.c_contiguous))
    # Arguments lie by rows, as a rule; what follows is right for all.
    shape = value.shape[::-1] if transposed else value.shape
    return Factor(text, shape, text.count(".T") % 2 == 0)


def _part(s: Source, text: str, rows: slice) -> str:
    array = s.names.get(text)
    if isinstance(array, np.ndarray):
        return s.bind(array[rows], "part")
    return f"{text}[{rows.start}:{rows.stop}]"
