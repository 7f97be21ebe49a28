"""One check for the functions of SciPy that have rules: value, both modes to second order, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.autodiff import check_grads, vjp


def agrees(f: Callable[..., Any], *args: Any, order: int = 2, rtol: float = 1e-4, digits: float = 1e-11) -> None:
    """Check that f, which calls functions of ``mytorch.autodiff.scipy``, has SciPy's value when its arguments are traced.

    On plain arguments these functions are SciPy's own. Both modes are compared with differences to the given order; rtol
    leaves room for those, digits for another order of summation.
    """
    args = tuple(
        arg if isinstance(arg, np.ndarray) else np.asarray(arg, complex if np.iscomplexobj(arg) else float)
        for arg in args
    )
    expected, (value, pull) = f(*args), vjp(f, *args)
    for got, wanted in zip(*(part if isinstance(part, tuple) else (part,) for part in (value, expected))):
        assert np.shape(got) == np.shape(wanted)
        assert got.dtype == np.asarray(wanted).dtype
        np.testing.assert_allclose(got, wanted, rtol=digits, atol=digits)
    if not isinstance(value, tuple):
        assert [g.shape for g in pull(np.ones_like(value))] == [arg.shape for arg in args]
    check_grads(f, args, order=order, rtol=rtol, atol=rtol / 10)
