"""Ready-made pages: the examples of the lecture, in forward and in reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mytorch.autodiff import trace
from mytorch.viewer.page import write


class Example(NamedTuple):
    """A function of numbers, the point at which it is differentiated, and a title."""

    function: Callable[..., Any]
    point: tuple[float, ...]
    title: str


def two_paths(x1, x2):
    product = x1 * x2
    return np.log(x1) + product - np.sin(x2)


def exponential(x1, x2):
    exponent = 1.5 * x1 + 2 * x2
    return x1 + np.exp(exponent)


def used_twice(w1, w2):
    u = w2 * np.log(w1)
    return u + np.sqrt(u)


def used_again_later(x):
    y = np.exp(x)
    return y * np.sin(x) + y


EXAMPLES = {
    "two-paths": Example(two_paths, (2.0, 5.0), "ln x₁ + x₁ x₂ − sin x₂ at (2, 5)"),
    "exponential": Example(exponential, (3.0, 0.5), "x₁ + exp(1.5 x₁ + 2 x₂) at (3, 0.5)"),
    "used-twice": Example(used_twice, (4.0, 2.0), "w₂ ln w₁ + √(w₂ ln w₁) at (4, 2)"),
    "used-again": Example(used_again_later, (1.0,), "y sin x + y with y = exp x, at x = 1"),
}


def write_examples(folder: Path) -> list[Path]:
    """Write a page for each example into a folder, which is made where it is missing. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write(trace(example.function)(*example.point), folder / f"{name}.html", example.title)
        for name, example in EXAMPLES.items()
    ]
