"""Derivatives of SciPy's functions: an extra for those who have SciPy, ``pip install mytorch[scipy]``.

With this imported, the ufuncs of scipy.special have rules and work as they are. SciPy's other functions copy their arguments
into plain arrays, so they are offered here under the same names, in the modules ``special``, ``linalg``, ``stats``,
``integrate``, ``signal`` and ``sparse.linalg``: for a traced argument they apply a rule, for any other they call SciPy's own
function. What these modules do not define, and the other modules of SciPy, are SciPy's.
"""

from __future__ import annotations

import importlib
from typing import Any

try:
    import scipy
except ImportError as error:
    raise ImportError("mytorch.autodiff.scipy needs SciPy. Install it with: pip install 'mytorch[scipy]'") from error

from mytorch.autodiff.scipy import special

__all__ = ["special"]


def __getattr__(name: str) -> Any:
    """The other modules when they are first asked for, as in SciPy: importing scipy.stats takes a while."""
    if name in ("integrate", "linalg", "signal", "sparse", "stats"):
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(scipy, name)
