"""Arithmetic of the benchmarks: medians, ratios round by round, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import NamedTuple


class Spread(NamedTuple):
    """Median and the quartiles around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ±{(self.high - self.low) / 2:.2f}"


def spread(values: Iterable[float]) -> Spread:
    """Median and quartiles. Raises ValueError for no values."""
    values = list(values)
    if not values:
        raise ValueError("There is no median of nothing; give at least one value.")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(median(values), low, high)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Median and quartiles of the ratios ours / theirs, one ratio per round.

    The two times of a round meet the same machine, whose speed may change between rounds. Raises ValueError where the
    numbers of rounds differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(
            f"Rounds are compared one by one; there are {len(ours)} of one and {len(theirs)} of the other."
        )
    return spread(one / other for one, other in zip(ours, theirs))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table. The first column is aligned to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths)))
        return "  ".join((first, *others)).rstrip()

    return [line(header), "  ".join("-" * width for width in widths), *map(line, rows)]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table that a page in Markdown takes as it is."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def duration(seconds: float) -> str:
    """Time with a fitting unit: 12.3 µs, 4.56 ms, 1.23 s."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            value = seconds / scale
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return f"{seconds * 1e9:.0f} ns"
