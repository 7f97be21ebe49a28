"""Every primitive, one line each in cases.py: both modes, to second order, in double and single precision."""

from __future__ import annotations

import numpy as np
import pytest

from tests.autodiff.cases import CASES
from tests.autodiff.helper import check, floats

RECENT = {"matrix_transpose", "permute_dims", "unstack", "vecdot", "matvec", "vecmat", "cumulative_sum", "svdvals"}
RECENT |= {
    "vector_norm",
    "matrix_norm",
    "cholesky upper",
    "linalg twins",
    "vecdot complex",
    "vecmat complex",
    "vector_norm 3",
}


@pytest.mark.parametrize("name", CASES)
def test_primitive(name: str) -> None:
    f, args = CASES[name]
    try:
        f(np, *args)
    except (AttributeError, TypeError):
        assert name in RECENT
        pytest.skip(f"this NumPy ({np.__version__}) has no {name}")
    check(lambda *x: floats(f(np, *x)), args)
