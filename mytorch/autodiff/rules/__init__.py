"""The rules of NumPy's functions: importing this fills the table."""

from mytorch.autodiff.rules import (
    batches,
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
    "batches",
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
