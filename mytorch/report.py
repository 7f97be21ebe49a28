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

from mytorch.operation import Operation

LONGEST = 40


class Readable:
    """An engine that people can read: ``print(engine)`` shows its list as a table, ``engine.show()`` as a page."""

    operation_list: list[Operation]
    gradient_buffer: Any

    def __str__(self) -> str:
        return operations_as_table(self.operation_list, self.gradient_buffer.get_memory_loc)

    def show(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write a page to step through the list, say where it lies, and open it where there is a browser.

        path: of the file to write; without it, a file in a new folder for temporary files. Returns the path.
        """
        # By its name, and only when it is asked for: the engine imports nothing that is built on it.
        return import_module("mytorch.viewer").show(self, path)


def operations_as_table(operations: Sequence[Operation], locate: Callable[[np.ndarray], Any]) -> str:
    """The list as a table: number, operation, shapes, which gradients are updated, who produced each input.

    A long list is shown by its beginning and its end.
    """
    if not operations:
        return "Autograd: no operations recorded"
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
    count = len(operations)
    shown = rows if count <= LONGEST else rows[: LONGEST // 2 + 1] + rows[-LONGEST // 2 :]
    widths = [max(len(row[column]) for row in shown) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in shown]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if shown is not rows:
        lines.insert(LONGEST // 2 + 2, f"... {count - LONGEST} more operations ...")
    return f"Autograd: {count} operation{'s' if count > 1 else ''}\n" + "\n".join(lines)


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
