"""scipy.sparse: its ``linalg`` with derivatives; everything else is SciPy's."""

from __future__ import annotations

from typing import Any

import scipy.sparse

from mytorch.autodiff.scipy.sparse import linalg

__all__ = ["linalg"]


def __getattr__(name: str) -> Any:
    return getattr(scipy.sparse, name)
