"""scipy.sparse.linalg with derivatives: spsolve, with respect to the right-hand side; a sparse matrix is a constant.

``from mytorch.autodiff.scipy.sparse import linalg`` stands for ``from scipy.sparse import linalg``. What is not defined here
is SciPy's.
"""

from __future__ import annotations

from typing import Any

import scipy.sparse.linalg as sl

from mytorch.autodiff.kinds import linear, primitive
from mytorch.autodiff.scipy.registering import differentiable

__all__ = ["spsolve"]


def __getattr__(name: str) -> Any:
    return getattr(sl, name)


@primitive
def _solve(b, a):
    return sl.spsolve(a, b)


linear(_solve, lambda g, y, b, a: _solve(g, a.T.tocsc()), name="scipy.sparse.linalg.spsolve")


@differentiable(sl.spsolve)
def spsolve(A, b):
    """A b of one column, of shape (n, 1), gives a result of shape (n,), as in SciPy."""
    return _solve(b[:, 0] if b.ndim == 2 and b.shape[1] == 1 else b, A)
