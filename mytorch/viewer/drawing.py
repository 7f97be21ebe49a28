"""The graph of a list: operations and what was given to them as nodes, arrays as edges, in parts where the list is long."""

from __future__ import annotations

from typing import Any

from mytorch.viewer.layout import layered
from mytorch.viewer.variables import Variables

WHOLE, PART = 64, 40  # operations up to which there is one drawing, and operations in each part of a longer one
MANY, FEW = 12, 5  # improvements of the only drawing, and of each of many
HEIGHT, LETTER, PADDING, PICTURE = 46.0, 7.3, 26.0, 26.0
NARROWEST, WIDEST = 74.0, 190.0


def drawings(names: list[str], variables: Variables) -> list[dict[str, Any]]:
    """The drawings of a list, each of some operations in a row. names: of the operations."""
    count = len(names)
    size = count if count <= WHOLE else PART
    return [_drawing(names, variables, start, min(start + size, count)) for start in range(0, count, size or 1)]


def _drawing(names: list[str], variables: Variables, first: int, last: int) -> dict[str, Any]:
    """The drawing of the operations from first to last - 1. What comes from before stands in it as if it had been given."""
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
            if variable not in place:
                place[variable] = len(nodes)
                nodes.append({"variable": variable})
            edges.append((place[variable], number - first))
            about.append({"variable": variable, "to": number, "input": index})
    widths = [_width(node, names, variables) for node in nodes]
    sweeps = FEW if len(names) > WHOLE else MANY
    placed = layered(widths, HEIGHT, edges, ["variable" in node for node in nodes], sweeps)
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
