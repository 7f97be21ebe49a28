"""Forward mode on a recorded list: tangents carried along from what was given, one direction after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mytorch.utils import gradient_dtype
from mytorch.viewer.recording import Recording
from mytorch.viewer.values import Values
from mytorch.viewer.variables import Variables

MOST = 4  # entries of what was given, up to which each of them is a direction of its own


def forward_mode(recording: Recording, variables: Variables, values: Values) -> list[dict[str, Any]]:
    """The tangent of each variable along each direction; nothing for a list whose rules have no forward mode.

    The rules of ``mytorch.autodiff.trace`` have one. A direction is one entry of one argument, or, where there are many, all
    entries at once.
    """
    rules = [record.operation.backward_operation for record in recording.records]
    if not rules or not all(hasattr(rule, "push") for rule in rules):
        return []
    givens = [i for i, v in enumerate(variables.all) if v.producer is None and v.value.dtype.kind in "fc"]
    # A number that stands in the function itself is a constant, and has no tangent.
    named = [i for i in givens if variables.all[i].path]
    givens = named or givens
    entries = sum(math.prod(variables.all[i].value.shape) for i in givens)
    return [
        {
            "label": label,
            "tangents": [None if t is None else values.put(t) for t in _carried(recording, variables, start)],
        }
        for label, start in (
            _unit_directions(variables, givens) if entries <= MOST else _all_at_once(variables, givens)
        )
    ]


def _unit_directions(variables: Variables, givens: list[int]) -> list[tuple[str, dict[int, Any]]]:
    directions = []
    for index in givens:
        variable = variables.all[index]
        for entry in np.ndindex(variable.value.shape):
            start = {i: np.zeros_like(variables.all[i].value) for i in givens}
            start[index][entry] = 1
            place = f"[{', '.join(map(str, entry))}]" if variable.value.ndim else ""
            directions.append((f"{variable.name}{place}", start))
    return directions


def _all_at_once(variables: Variables, givens: list[int]) -> list[tuple[str, dict[int, Any]]]:
    return [("every entry", {i: np.ones_like(variables.all[i].value) for i in givens})]


def _carried(recording: Recording, variables: Variables, start: dict[int, Any]) -> list[Any]:
    """The tangent of every variable, None where it is zero because nothing depends on the direction."""
    tangents: list[Any] = [start.get(i) for i in range(len(variables.all))]
    for record, reads, makes in zip(recording.records, variables.reads, variables.makes):
        given = [None if i is None else tangents[i] for i in reads]
        if all(t is None for t in given):
            continue
        rule: Any = record.operation.backward_operation
        result = rule.push(given, record.inputs)
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        for index, part in zip(makes, parts):
            value = variables.all[index].value
            if part is not None:
                tangents[index] = np.array(np.broadcast_to(part, value.shape), dtype=gradient_dtype(value))
    return tangents
