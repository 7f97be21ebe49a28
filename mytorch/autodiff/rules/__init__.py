"""The rules of NumPy's functions: importing this fills the table."""

from mytorch.autodiff.rules import (
    decompositions,
    elementary,
    fourier,
    linalg,
    padding,
    products,
    reductions,
    shapes,
    statistics,
)

__all__ = [
    "decompositions",
    "elementary",
    "fourier",
    "linalg",
    "padding",
    "products",
    "reductions",
    "shapes",
    "statistics",
]
