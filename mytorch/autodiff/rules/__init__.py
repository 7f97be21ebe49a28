"""The rules of NumPy's functions: importing this fills the table."""

from mytorch.autodiff.rules import (
    choices,
    decompositions,
    elementary,
    fourier,
    linalg,
    padding,
    products,
    reductions,
    shapes,
    statistics,
    tails,
)

__all__ = [
    "choices",
    "decompositions",
    "elementary",
    "fourier",
    "linalg",
    "padding",
    "products",
    "reductions",
    "shapes",
    "statistics",
    "tails",
]
