"""Pictures of the class page, as SVG that stretches with the page: positions in per cent, letters in their own size."""

from __future__ import annotations

import html
from collections.abc import Sequence

from autograder.staff.pages.markup import number

WIDTHS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_BINS = 14
TALL = 150


def bins_of(marks: Sequence[float], possible: float) -> list[tuple[float, float, int]]:
    """(from, to, how many) with round limits from 0 to the best possible; the last one includes its end."""
    top = max([possible, *marks, 1])
    width = next((w for w in WIDTHS if top / w <= MOST_BINS), top)
    count = max(1, -int(-top // width))
    found = [0] * count
    for mark in marks:
        found[min(max(int(mark // width), 0), count - 1)] += 1
    return [(i * width, min((i + 1) * width, top), n) for i, n in enumerate(found)]


def histogram(marks: Sequence[float], possible: float, median: float | None) -> str:
    """How the marks are distributed; the dashed line is the median."""
    bins = bins_of(marks, possible)
    most = max([n for _, _, n in bins] + [1])
    top = bins[-1][1]
    words = ", ".join(f"{number(a)} to {number(b)} marks: {n}" for a, b, n in bins if n) or "nobody yet"
    parts = []
    for start, end, n in bins:
        left, wide = 100 * start / top, 100 * (end - start) / top
        tall = max(TALL * n / most, 2) if n else 0
        title = f"<title>{number(start)} to {number(end)} marks: {n}</title>"
        if n:
            parts.append(
                f'<g>{title}<rect class="bar" x="{left + 0.06 * wide:.2f}%" y="{22 + TALL - tall:.1f}" '
                f'width="{0.88 * wide:.2f}%" height="{tall:.1f}" rx="2"></rect>'
                f'<text x="{left + wide / 2:.2f}%" y="{17 + TALL - tall:.1f}" text-anchor="middle">{n}</text></g>'
            )
        parts.append(_tick(left, start, "start" if start == 0 else "middle"))
    parts.append(_tick(100, top, "end"))
    if median is not None:
        at = min(max(100 * median / top, 0), 100)
        parts.append(
            f'<line class="marker" x1="{at:.2f}%" x2="{at:.2f}%" y1="22" y2="{22 + TALL}">'
            f"<title>median {number(median)}</title></line>"
        )
    parts.append(f'<line class="axis" x1="0" x2="100%" y1="{22 + TALL}" y2="{22 + TALL}"></line>')
    label = html.escape(f"Histogram of marks. {words}.", quote=True)
    title = "<title>Distribution of marks</title>"
    return f'<svg role="img" aria-label="{label}" height="{TALL + 48}">{title}{"".join(parts)}</svg>'


def _tick(at: float, value: float, anchor: str) -> str:
    return f'<text class="tick" x="{at:.2f}%" y="{TALL + 38}" text-anchor="{anchor}">{number(value)}</text>'


def bars(shares: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars of shares between 0 and 1, one below the other, each with the words that name it."""
    words = html.escape("; ".join(f"{label} {100 * share:.0f} %" for label, share in shares), quote=True)
    tall = 9 if len(shares) > 1 else 12
    parts = []
    for row, (label, share) in enumerate(shares):
        wide = 100 * min(max(share, 0), 1)
        y = 3 + row * (tall + 2)
        parts.append(
            f'<rect class="track" x="0" y="{y}" width="100%" height="{tall}" rx="2"></rect>'
            f'<rect class="bar{"2" if row else ""}" x="0" y="{y}" width="{wide:.2f}%" height="{tall}" rx="2">'
            f"<title>{html.escape(label)} {wide:.0f} %</title></rect>"
        )
    return f'<svg role="img" aria-label="{words}" height="{4 + len(shares) * (tall + 2)}">{"".join(parts)}</svg>'
