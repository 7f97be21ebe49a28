"""One line per primitive: a function of a NumPy-like module and arrays, and arrays where it is differentiable.

The module is the first argument, so that the same line runs in NumPy and in jax.numpy.
"""

from __future__ import annotations

from typing import Any

from tests.autodiff.cases import elementwise, linalg, products, reductions, samples, settings, shapes

# name: (function of the module and arrays, arrays)
CASES: dict[str, tuple[Any, tuple]] = {
    name: case
    for file in (elementwise, reductions, shapes, products, linalg, samples, settings)
    for name, case in file.CASES.items()
}
# Cases of functions that NumPy 1.26 does not have.
RECENT = {
    "matrix_transpose", "permute_dims", "unstack", "vecdot", "vecdot complex", "matvec", "vecmat", "vecmat complex",
    "cumulative_sum", "svdvals", "vector_norm", "vector_norm 3", "matrix_norm", "cholesky upper",
    "astype function", "unique_values", "unique_counts", "unique_inverse", "unique_all",
}  # fmt: skip
# Cases that NumPy refuses from 2.5 on: a cross product of vectors in the plane.
BYGONE = {"cross planes", "cross mixed"}
