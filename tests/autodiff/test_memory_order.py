"""Orders of memory: what is read in the order "A" or "K" depends on how an array lies, and is NumPy's order all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import grad, jvp, vjp
from mytorch.autodiff.traced import plain
from tests.autodiff.cases import CASES
from tests.autodiff.helper import floats

B = np.arange(24.0).reshape(2, 3, 4) ** 1.5
LAYOUTS: dict[str, Any] = {
    "C": B, "F": np.asfortranarray(B), "transposed": B.transpose(1, 2, 0),
    "swapped": np.swapaxes(B, 0, 1).copy().swapaxes(0, 1),
    "sliced": B[:, ::2, 1:], "reversed": B[::-1, :, ::-1], "matrix.T": B[0].T, "column": B[:, :1, 2], "scalar": np.array(2.0),
}  # fmt: skip
READERS: dict[str, Callable] = {
    "ravel": lambda x, order: np.ravel(x, order=order), ".ravel": lambda x, order: x.ravel(order),
    ".flatten": lambda x, order: x.flatten(order), "reshape": lambda x, order: np.reshape(x, (-1,), order=order),
    ".reshape": lambda x, order: x.reshape(x.size, order=order),
    "copy": lambda x, order: np.ravel(np.copy(x, order=order), "A"), ".copy": lambda x, order: x.copy(order).ravel("K"),
    "astype": lambda x, order: x.astype(np.complex128, order=order).ravel("K"),
}  # fmt: skip


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_order(layout: str, reader: str, order: str) -> None:
    x, f = LAYOUTS[layout], READERS[reader]
    if order == "K" and "reshape" in reader:
        with pytest.raises(ValueError, match="order 'K' is not permitted"):
            vjp(lambda x: f(x, order), x)
        return
    np.testing.assert_array_equal(vjp(lambda x: f(x, order), x)[0], f(x, order))
    np.testing.assert_array_equal(
        vjp(lambda x: f(x * 2, order), x)[0], f(x * 2, order)
    )  # of a result as of an argument
    np.testing.assert_array_equal(jvp(lambda x: f(x, order), (x,), (x,))[1], f(x, order))
    g = np.arange(x.size) + 1.0
    back = vjp(lambda x: np.real(f(x, order)), x)[1](g)[0]
    assert back.shape == x.shape
    assert np.sum(back * x) == pytest.approx(np.sum(np.real(f(x, order)) * g), rel=1e-12)


def test_a_transposed_matrix_read_as_it_lies() -> None:
    assert grad(lambda a: np.ravel(a.T, order="A") @ np.arange(6.0))(np.ones((2, 3))).tolist() == [[0, 1, 2], [3, 4, 5]]


# Cases of functions whose result lies in another order of memory than NumPy's for an argument in Fortran's order.
OTHERWISE: set[str] = set()
if np.lib.NumpyVersion(np.__version__) < "2.0.0":  # whose transforms lie otherwise than those of NumPy 2
    OTHERWISE |= {name for name in CASES if "fft" in name}


@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHERWISE])
@pytest.mark.filterwarnings("ignore")
def test_results_lie_as_numpys_do(name: str) -> None:
    f, args = CASES[name]
    for arrange in (np.ascontiguousarray, np.asfortranarray):
        arranged = tuple(arrange(x) for x in args)
        found: list[Any] = []
        try:
            expected = floats(f(np, *arranged))
        except (AttributeError, TypeError, ValueError):
            pytest.skip(f"this NumPy ({np.__version__}) has no {name}")

        def traced(*x: Any, found: list = found) -> Any:
            found[:] = floats(f(np, *x))
            return tuple(found)

        vjp(traced, *arranged)
        for result, wanted in zip(found, expected):
            lying = np.asarray(plain(result))
            np.testing.assert_allclose(np.ravel(lying, "K"), np.ravel(wanted, "K"), rtol=1e-9, atol=1e-12)
