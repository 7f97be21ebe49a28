"""Variables of a list: which array is which, who made it, who reads it, and its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mytorch.viewer.names import Name, numbered
from mytorch.viewer.recording import Recording, locate


@dataclass
class Variable:
    """An array of the list. An operation that writes over an array makes another variable at the same place.

    producer: the number of the operation that made it, None for what was given. readers: the operations that read it, one
    entry per input. slot: the layer's gradient array, where it has one, and place: an operation and input that have it.
    """

    array: np.ndarray
    value: Any
    producer: int | None
    readers: list[int] = field(default_factory=list)
    slot: np.ndarray | None = None
    place: tuple[int, int] = (-1, -1)
    name: str = ""
    path: str = ""

    @property
    def address(self) -> str:
        """The place of the array's first entry in memory."""
        return hex(self.array.__array_interface__["data"][0]) if isinstance(self.array, np.ndarray) else "none"


@dataclass
class Variables:
    """All variables of a list. reads, makes: for each operation the numbers of its inputs (None for constants) and outputs."""

    all: list[Variable]
    reads: list[list[int | None]]
    makes: list[list[int]]


def variables_of(recording: Recording) -> Variables:
    """The variables of a recorded list, with their names."""
    found = Variables([], [], [])
    current: dict[Any, int] = {}

    def new(array: Any, value: Any, producer: int | None) -> int:
        current[locate(array)] = len(found.all)
        found.all.append(Variable(array, value, producer))
        return current[locate(array)]

    for number, record in enumerate(recording.records):
        operation = record.operation
        reads: list[int | None] = []
        given = zip(operation.inputs, record.inputs, operation.gradients_to_update)
        for position, (array, value, slot) in enumerate(given):
            if not isinstance(array, np.ndarray):
                reads.append(None)
                continue
            index = current[locate(array)] if locate(array) in current else new(array, value, None)
            found.all[index].readers.append(number)
            if slot is not None:
                found.all[index].slot, found.all[index].place = slot, (number, position)
            reads.append(index)
        found.reads.append(reads)
        found.makes.append([new(array, value, number) for array, value in zip(operation.outputs, record.outputs)])
    _give_names(found, recording.names.found)
    return found


def _give_names(found: Variables, names: dict[Any, Name]) -> None:
    given = 0
    for variable in found.all:
        name = names.get(locate(variable.array))
        if name is not None:
            variable.name, variable.path = name.short, name.path
        elif variable.producer is not None:
            several = found.makes[variable.producer]
            part = f".{len([i for i in several if found.all[i].name])}" if len(several) > 1 else ""
            variable.name = f"v{variable.producer}{part}"
        else:
            given += 1
            variable.name = f"given{given}"
    for variable, unique in zip(found.all, numbered([variable.name for variable in found.all])):
        variable.name = unique
