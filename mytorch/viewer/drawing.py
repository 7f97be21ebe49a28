"""The graph of a list: operations and what was given to them as nodes, arrays as edges, in parts where the list is long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mytorch.viewer.layout import layered
from mytorch.viewer.variables import Variables

WHOLE, PART = 64, 40  # operations up to which there is one drawing, and operations in each part of a longer one
MANY, FEW = 12, 5  # improvements of the only drawing, and of each of many
HEIGHT, LETTER, PADDING, PICTURE = 46.0, 7.3, 26.0, 26.0
NARROWEST, WIDEST = 74.0, 190.0


Copy = tuple[int, int, int]


def drawings(names: list[str], variables: Variables, copies: Sequence[Copy] = ()) -> list[dict[str, Any]]:
    """The drawings of a list, each of some operations in a row. names: of the operations.

    copies: where debug mode has found one, the operation that reads it, its input, and the operation it was copied from.
    """
    count = len(names)
    size = count if count <= WHOLE else PART
    return [_drawing(names, variables, copies, start, min(start + size, count)) for start in range(0, count, size or 1)]


def _drawing(names: list[str], variables: Variables, copies: Sequence[Copy], first: int, last: int) -> dict[str, Any]:
    """The drawing of the operations from first to last - 1. What comes from before stands in it as if it had been given.

    In the drawing of a whole list an array that is read twice is one node. In a part of a long list it stands beside each of
    its readers, for otherwise a weight that is shared by a hundred operations would cover the drawing with its lines.
    """
    whole = last - first == len(names)
    nodes: list[dict[str, Any]] = [{"operation": number} for number in range(first, last)]
    place: dict[int, int] = {}
    for number in range(first, last):
        place.update((variable, number - first) for variable in variables.makes[number])
    edges: list[tuple[int, int]] = []
    about: list[dict[str, Any]] = []
    for number in range(first, last):
        for index, variable in enumerate(variables.reads[number]):
            if variable is None:
                continue
            start = place.get(variable)
            if start is None:
                start = len(nodes)
                nodes.append({"variable": variable})
                if whole:
                    place[variable] = start
            edges.append((start, number - first))
            about.append({"variable": variable, "to": number, "input": index})
    givens = ["variable" in node for node in nodes]
    for reader, index, origin in copies:
        if first <= reader < last and first <= origin < last:
            copied = next(e[0] for e, a in zip(edges, about) if a["to"] == reader and a.get("input") == index)
            edges.append((origin - first, copied))
            about.append({"cut": True, "to": reader})
            givens[copied] = False
    widths = [_width(node, names, variables) for node in nodes]
    sweeps = MANY if whole else FEW
    placed = layered(widths, HEIGHT, edges, givens, sweeps)
    for node, width, (x, y) in zip(nodes, widths, placed.nodes):
        node.update(x=x, y=y, width=round(width, 1))
    for edge, points in zip(about, placed.edges):
        edge["points"] = [[x, y] for x, y in points]
    return {
        "first": first, "last": last, "width": placed.width, "height": placed.height, "nodeHeight": HEIGHT,
        "nodes": nodes, "edges": about,
    }  # fmt: skip


def _width(node: dict[str, Any], names: list[str], variables: Variables) -> float:
    if "variable" in node:
        variable = variables.all[node["variable"]]
        made = [variable]
        letters = max(len(variable.name), len(_shape(variable.value)))
    else:
        made = [variables.all[index] for index in variables.makes[node["operation"]]]
        letters = max(len(names[node["operation"]]) + 3, *(len(v.name) + len(_shape(v.value)) + 1 for v in made), 0)
    picture = PICTURE if any(variable.value.size != 1 for variable in made) else 0
    return min(max(letters * LETTER + PADDING + picture, NARROWEST), WIDEST)


def _shape(value: Any) -> str:
    return "0.000000" if value.size == 1 else "×".join(map(str, value.shape))
