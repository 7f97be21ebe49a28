"""Ready-made pages: the examples of the lecture, in forward and in reverse mode."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mytorch.autodiff import trace
from mytorch.viewer.page import write


def lecture() -> dict[str, tuple[Callable[..., Any], tuple[float, ...], str]]:
    """The lecture's functions by name, each with the point at which it is differentiated, and a title."""
    return runpy.run_path(str(Path(__file__).with_name("lecture.py")), run_name="lecture")["EXAMPLES"]


def write_examples(folder: Path) -> list[Path]:
    """Write a page for each example into a folder, which is made where it is missing. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write(trace(function)(*point), folder / f"{name}.html", title)
        for name, (function, point, title) in lecture().items()
    ]
