"""Geometry of the charts: positions in per cent of the page's width, heights in pixels. The templates draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTHS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_BINS = 14
TALL = 150


@dataclass(frozen=True)
class Bar:
    """One bin of a histogram: its limits in marks, the count, and the rectangle (left and wide in per cent)."""

    start: float
    end: float
    count: int
    left: float
    wide: float
    tall: float


@dataclass(frozen=True)
class Histogram:
    """Bars, the median's position in per cent (None without one), the upper end in marks and the height in pixels."""

    bars: tuple[Bar, ...]
    median_at: float | None
    top: float
    tall: int = TALL


def bins_of(marks: Sequence[float], possible: float) -> list[tuple[float, float, int]]:
    """(from, to, how many) with round limits from 0 to the best possible; the last one includes its end."""
    top = max([possible, *marks, 1])
    width = next((w for w in WIDTHS if top / w <= MOST_BINS), top)
    count = max(1, -int(-top // width))
    found = [0] * count
    for mark in marks:
        found[min(max(int(mark // width), 0), count - 1)] += 1
    return [(i * width, min((i + 1) * width, top), n) for i, n in enumerate(found)]


def histogram(marks: Sequence[float], possible: float, median: float | None) -> Histogram:
    """The distribution of the marks."""
    bins = bins_of(marks, possible)
    top = bins[-1][1]
    most = max([n for _, _, n in bins] + [1])
    bars = tuple(
        # A single student among hundreds is still a line that can be seen.
        Bar(start, end, n, 100 * start / top, 100 * (end - start) / top, max(TALL * n / most, 2) if n else 0)
        for start, end, n in bins
    )
    return Histogram(bars, None if median is None else min(max(100 * median / top, 0), 100), top)


def width(share: float) -> str:
    """A share as the width of a bar, as in ``57.14%``; never less than nothing, never more than all."""
    return f"{100 * min(max(share, 0), 1):.2f}%"
