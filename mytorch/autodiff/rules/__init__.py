"""The rules of NumPy's functions: importing this fills the table."""

from mytorch.autodiff.rules import (
    batches,
    choices,
    decompositions,
    elementary,
    fourier,
    linalg,
    methods,
    padding,
    pieces,
    polynomials,
    products,
    reductions,
    samples,
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
    "methods",
    "padding",
    "pieces",
    "polynomials",
    "products",
    "reductions",
    "samples",
    "shapes",
    "statistics",
    "tails",
]
