"""Layout of a graph in layers: every edge points down, few edges cross, and nodes stand close to what they are joined to.

The method is that of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981):
layers by longest paths, an invisible node where an edge crosses a layer, orders by the mean of the neighbours.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

GAP = 36.0  # between nodes of a layer
LEVEL = 34.0  # between layers
BEND = 12.0  # the room that an edge takes where it passes a layer

Edge = tuple[int, int]


class Placed(NamedTuple):
    """A drawing: the middle of each node, the points of each edge from its first node to its second, and its size."""

    nodes: list[tuple[float, float]]
    edges: list[list[tuple[float, float]]]
    width: float
    height: float


def layered(
    widths: Sequence[float], height: float, edges: Sequence[Edge], givens: Sequence[bool], sweeps: int = 12
) -> Placed:
    """Place nodes of these widths and one height. givens: nodes without an edge into them that stand just above their reader.

    The edges make no circle. sweeps: how often orders and places are improved.
    """
    layer = _layers(len(widths), edges, givens)
    widths, layer, chains = list(widths), list(layer), []
    for start, end in edges:
        chain = [start]
        for between in range(layer[start] + 1, layer[end]):
            widths.append(BEND)
            layer.append(between)
            chain.append(len(widths) - 1)
        chains.append([*chain, end])
    short = [pair for chain in chains for pair in pairwise(chain)]
    rows = _ordered(layer, short, sweeps)
    x = _across(rows, widths, short, sweeps)
    left = min((x[n] - widths[n] / 2 for n in range(len(widths))), default=0)
    right = max((x[n] + widths[n] / 2 for n in range(len(widths))), default=0)
    at = [(round(x[n] - left, 1), layer[n] * (height + LEVEL) + height / 2) for n in range(len(widths))]
    bottom = max(len(rows), 1) * (height + LEVEL) - LEVEL
    count = len(givens)
    return Placed(at[:count], [[at[n] for n in chain] for chain in chains], round(right - left, 1), bottom)


def _layers(count: int, edges: Sequence[Edge], givens: Sequence[bool]) -> list[int]:
    """The layer of each node: below all that leads to it, and for a given just above the first of its readers."""
    layer = [0] * count
    for _ in range(count):  # no path is longer, and with one more edge at a time all are reached
        before = list(layer)
        for start, end in edges:
            layer[end] = max(layer[end], 1 if givens[start] else layer[start] + 1)
        if layer == before:
            break
    for node in range(count):
        if givens[node]:
            layer[node] = min((layer[end] for start, end in edges if start == node), default=1) - 1
    return layer


def _ordered(layer: Sequence[int], edges: Sequence[Edge], sweeps: int) -> list[list[int]]:
    """The nodes of each layer from left to right, with as few crossings as the sweeps find."""
    above: list[list[int]] = [[] for _ in layer]
    below: list[list[int]] = [[] for _ in layer]
    for start, end in edges:
        above[end].append(start)
        below[start].append(end)
    best: list[list[int]] = []
    fewest = -1
    for backwards in (False, True):
        rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
        for node in sorted(range(len(layer)), reverse=backwards):
            rows[layer[node]].append(node)
        for sweep in range(sweeps):
            down = sweep % 2 == 0
            for row in rows if down else reversed(rows):
                _sort_by_neighbours(row, rows, above if down else below, layer, -1 if down else 1)
            for _ in range(sweep):  # from the orders of the first sweeps, which are rough, nothing is gained
                if not _swap_neighbours(rows, above, below):
                    break
            crossings = sum(_crossings(upper, lower, below) for upper, lower in pairwise(rows))
            if fewest < 0 or crossings < fewest:
                fewest, best = crossings, [list(row) for row in rows]
            if fewest == 0:
                return best
    return best


def _sort_by_neighbours(
    row: list[int], rows: list[list[int]], joined: list[list[int]], layer: Sequence[int], side: int
) -> None:
    """Order a row by the mean place of each node's neighbours in the row above (side -1) or below (side 1)."""
    if not row or not 0 <= layer[row[0]] + side < len(rows):
        return
    place = {node: i for i, node in enumerate(rows[layer[row[0]] + side])}
    scale = len(place) / max(len(row), 1)
    mean = {
        node: sum(place[other] for other in joined[node]) / len(joined[node])
        if joined[node]
        else (i + 0.5) * scale - 0.5
        for i, node in enumerate(row)
    }
    row.sort(key=mean.__getitem__)


def _swap_neighbours(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> bool:
    """Swap nodes that stand side by side, where fewer of their edges cross then. Returns True if any were."""
    swapped = False
    for number, row in enumerate(rows):
        places = [
            {node: i for i, node in enumerate(rows[other])} if 0 <= other < len(rows) else {}
            for other in (number - 1, number + 1)
        ]
        for i in range(len(row) - 1):
            one, two = row[i], row[i + 1]
            change = 0
            for joined, place in zip((above, below), places):
                for a in joined[one]:
                    for b in joined[two]:
                        change += (place[a] < place[b]) - (place[a] > place[b])
            if change < 0:
                row[i], row[i + 1] = two, one
                swapped = True
    return swapped


def _crossings(upper: list[int], lower: list[int], below: list[list[int]]) -> int:
    place = {node: i for i, node in enumerate(lower)}
    seen: list[int] = []
    crossings = 0
    for node in upper:
        ends = sorted(place[end] for end in below[node])
        crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return crossings


def _across(rows: list[list[int]], widths: Sequence[float], edges: Sequence[Edge], sweeps: int) -> list[float]:
    """The x of each node: as close to the mean of its neighbours as the others in its row leave room for."""
    joined: list[list[int]] = [[] for _ in widths]
    for start, end in edges:
        joined[start].append(end)
        joined[end].append(start)
    x = [0.0] * len(widths)
    for row in rows:
        _place(row, [0.0] * len(row), widths, x)
    for sweep in range(sweeps):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [sum(x[o] for o in joined[n]) / len(joined[n]) if joined[n] else x[n] for n in row]
            _place(row, wanted, widths, x)
    return x


def _place(row: list[int], wanted: Sequence[float], widths: Sequence[float], x: list[float]) -> None:
    """Move a row's nodes to where they are wanted, in their order and without overlaps: least squares, by pooling.

    With the room that the nodes to the left take subtracted, the places have to be ascending. Neighbours that are not are
    pooled at their mean.
    """
    offset, offsets = 0.0, []
    for i, node in enumerate(row):
        if i:
            offset += (widths[row[i - 1]] + widths[node]) / 2 + GAP
        offsets.append(offset)
    blocks: list[list[float]] = []  # the sum and the number of what is pooled
    for want, off in zip(wanted, offsets):
        blocks.append([want - off, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, number = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += number
    means = [total / number for total, number in blocks for _ in range(int(number))]
    for node, mean, off in zip(row, means, offsets):
        x[node] = mean + off
