"""One line per primitive: a function of a NumPy-like module and arrays, and arrays where it is differentiable.

The module is the first argument, so that the same line runs in NumPy and in jax.numpy.
"""

from __future__ import annotations

from typing import Any

from tests.autodiff.cases import elementwise, linalg, products, reductions, settings, shapes

# name: (function of the module and arrays, arrays)
CASES: dict[str, tuple[Any, tuple]] = {
    name: case
    for file in (elementwise, reductions, shapes, products, linalg, settings)
    for name, case in file.CASES.items()
}
