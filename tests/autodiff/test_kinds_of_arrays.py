"""Every function on arrays of every kind, NaN and infinities among them: the value is NumPy's, or a refusal as NumPy's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import jvp, vjp
from tests.autodiff.helper import floats
from tests.autodiff.test_signatures import FUNCTIONS, X, first_float, flat, needed
from tests.autodiff.test_ufuncs import UFUNCS, arguments

CALLS = {
    **{name: (fun, needed(name)) for name, fun in FUNCTIONS.items()},
    **{name: (fun, arguments(fun)) for name, fun in UFUNCS.items()},
}
CALLS["clip"] = (np.clip, (X, -0.5, 0.5))
ONE_POINT = np.lib.NumpyVersion(np.__version__) < "2.0.0"  # which chooses dtypes by values
# NumPy goes another way, and says so by another dtype or in the last digits.
OTHERWISE = {
    ("fft.irfft", "half precision"), ("geomspace", "single complex"), ("geomspace", "negative"), ("choose", "number"),
    ("choose", "0-d"), ("linalg.multi_dot", "number"), ("linalg.multi_dot", "0-d"),
    ("linalg.qr", "infinite"),
}  # fmt: skip
BY_VALUE = {"half precision", "single precision", "extended precision", "single complex", "number", "0-d"}


def kinds(a: Any) -> Iterator[tuple[str, Any]]:
    number = np.arange(a.size).reshape(a.shape)
    yield "with NaN", np.where(number % 5 == 2, np.nan, a)
    yield "infinite", np.where(number % 5 == 1, np.inf, np.where(number % 5 == 3, -np.inf, a))
    yield "negative zero", -0.0 * np.abs(a)
    yield "half precision", a.astype(np.float16)
    yield "single precision", a.astype(np.float32)
    yield "extended precision", a.astype(np.longdouble)
    yield "single complex", (a * (1 + 0.3j)).astype(np.complex64)
    yield "complex", a * (1 - 0.7j)
    yield "number", a.ravel()[0]
    yield "0-d", np.array(a.ravel()[0])
    yield "stack", np.stack([a, a + 1])
    yield "transposed", a.T
    yield "ties", np.round(a)
    yield "read-only", np.broadcast_to(a, a.shape)
    yield "strided", np.repeat(a, 2, -1)[..., ::2]
    yield "negative", -np.abs(a)


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_value(name: str, capfd: pytest.CaptureFixture) -> None:
    fun, args = CALLS[name]
    i = first_float(args)
    is_list = isinstance(args[i], list)
    tried = 0
    for kind, array in kinds(np.asarray(args[i][0] if is_list else args[i])):
        x = [array, *args[i][1:]] if is_list else array

        def f(x: Any) -> tuple:
            return floats(flat(fun(*args[:i], x, *args[i + 1 :])))

        try:
            expected = f(x)
        except (ValueError, TypeError, IndexError, ZeroDivisionError, np.linalg.LinAlgError):
            with pytest.raises(Exception):  # noqa: B017  (refused, in whatever words)
                vjp(f, x)
            continue
        if (name, kind) in OTHERWISE or not expected or (ONE_POINT and kind in BY_VALUE):
            continue
        for mode in (lambda: vjp(f, x)[0], lambda: jvp(f, (x,), (x,))[0]):  # noqa: B023
            try:
                found = mode()
            except (NotImplementedError, np.linalg.LinAlgError):
                continue
            assert len(found) == len(expected)
            for got, wanted in zip(found, expected):
                assert (np.shape(got), np.asarray(got).dtype) == (np.shape(wanted), np.asarray(wanted).dtype), kind
                eps = float(np.finfo(np.asarray(wanted).dtype).eps)
                np.testing.assert_allclose(got, wanted, rtol=1e4 * eps, atol=1e3 * eps, err_msg=kind)
            tried += 1
    assert tried
    capfd.readouterr()  # LAPACK writes to the terminal where NaN arrives
