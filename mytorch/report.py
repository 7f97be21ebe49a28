"""Report: the operation list as a table or a page for people, and the line of their code that an operation comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from mytorch.tables import Table, shortened

LONGEST = 40


class Readable:
    """An engine that people can read: ``print(engine)`` shows its list as a table, ``engine.show()`` as a page."""

    operation_list: list[Any]
    gradient_buffer: Any

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_operations(len(self.operation_list))}>"

    def __str__(self) -> str:
        if not self.operation_list:
            return f"Autograd: {_operations(0)}"
        return str(operations_as_table(self.operation_list, self.gradient_buffer.get_memory_loc))

    def _repr_html_(self) -> str:
        """The same table in a notebook."""
        return operations_as_table(self.operation_list, self.gradient_buffer.get_memory_loc)._repr_html_()

    def show(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write a page to step through the list, say where it lies, and open it where there is a browser.

        path: of the file to write; without it, a file in a new folder for temporary files. Returns the path.
        """
        # By its name, and only when it is asked for: the engine imports nothing that is built on it.
        return import_module("mytorch.viewer").show(self, path)


class ReadableOperation:
    """An operation that people can read: in one line, and in a notebook as a table of its arrays."""

    __slots__ = ()

    def __repr__(self: Any) -> str:
        shapes = ", ".join(str(getattr(array, "shape", array)) for array in self.inputs)
        return f"Operation({self.name}: {shapes} -> {', '.join(str(array.shape) for array in self.outputs)})"

    def _repr_html_(self: Any) -> str:
        """One row per array: its shape, its dtype, and whether a layer's gradient is updated."""
        rows = [("array", "shape", "dtype", "gradient")]
        for number, (value, slot) in enumerate(zip(self.inputs, self.gradients_to_update)):
            dtype = str(value.dtype) if isinstance(value, np.ndarray) else ""
            rows.append((f"input {number}", _shape(value), dtype, "-" if slot is None else "updates a layer's"))
        rows += [("output", _shape(output), str(output.dtype), "") for output in self.outputs]
        return Table(rows, f"Operation: {self.name}")._repr_html_()


def operations_as_table(operations: Sequence[Any], locate: Callable[[np.ndarray], Any]) -> Table:
    """The list as a table: number, operation, shapes, which gradients are updated, who produced each input.

    A long list is shown by its beginning and its end.
    """
    producer: dict[Any, str] = {}
    rows = [("#", "operation", "inputs", "from", "output", "updates")]
    for number, operation in enumerate(operations):
        come_from = [
            producer.get(locate(a), "given") if isinstance(a, np.ndarray) else "constant" for a in operation.inputs
        ]
        rows.append(
            (
                str(number),
                operation.name,
                "  ".join(_shape(a) for a in operation.inputs) or "-",
                "  ".join(come_from) or "-",
                "  ".join(_shape(a) for a in operation.outputs),
                "  ".join(f"input {i}" for i, slot in enumerate(operation.gradients_to_update) if slot is not None)
                or "-",
            )
        )
        producer.update({locate(output): f"#{number}" for output in operation.outputs})
    return Table(shortened(rows, LONGEST, "... {} more operations ..."), f"Autograd: {_operations(len(operations))}")


def _operations(count: int) -> str:
    return f"{count or 'no'} operation{'s' if count != 1 else ''}{'' if count else ' recorded'}"


def _shape(value: Any) -> str:
    return str(value.shape).replace(" ", "") if isinstance(value, np.ndarray) else repr(value)[:20]


def calling_frame(frame: FrameType | None = None) -> FrameType | None:
    """The nearest frame, from the caller's or the given one outwards, that runs neither MyTorch's code nor NumPy's.

    None where there is no such frame.
    """
    frame = sys._getframe(1) if frame is None else frame
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("mytorch", "numpy"):
        frame = frame.f_back
    return frame
