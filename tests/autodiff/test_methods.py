"""Methods and attributes of arrays: each gives what NumPy gives, by position and by name, or is refused."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import check_grads, vjp
from tests.autodiff.helper import floats
from tests.autodiff.test_signatures import MASK, SQUARE, W, X

# Arguments in the order of the method's own documentation, with their names. A function's order may be another one.
CALLS: dict[str, list[list[tuple[str, Any]]]] = {
    "all": [[("axis", 0)]], "any": [[("axis", 1)]], "argmax": [[("axis", 0)]], "argmin": [[("axis", 1)]],
    "argpartition": [[("kth", 1), ("axis", 0)]], "argsort": [[("axis", 0), ("kind", "stable")]],
    "astype": [[("dtype", np.float32)], [("dtype", np.complex128), ("order", "F")], [("dtype", int)]],
    "choose": [[("choices", [X, X + 1])]],
    "clip": [[("min", -1.0), ("max", 1.0)], [("min", 0.0)], [("min", None), ("max", 0.5)]],
    "compress": [[("condition", [True, False, True])], [("condition", [False, True]), ("axis", 1)]],
    "conj": [[]], "conjugate": [[]], "copy": [[], [("order", "F")]], "cumprod": [[], [("axis", 1), ("dtype", np.float64)]],
    "cumsum": [[], [("axis", 0)]], "diagonal": [[("offset", 1), ("axis1", 1), ("axis2", 0)]], "dot": [[("b", SQUARE[0])]],
    "flatten": [[], [("order", "F")]], "max": [[("axis", 0)]], "min": [[("axis", 1)]],
    "mean": [[], [("axis", 0), ("dtype", float)]],
    "nonzero": [[]], "prod": [[("axis", 1)]], "ravel": [[], [("order", "F")]], "repeat": [[("repeats", 2), ("axis", 0)]],
    "reshape": [[("shape", (9,))], [("shape", -1)]], "round": [[("decimals", 1)]],
    "searchsorted": [[("v", 0.5), ("side", "right")]],
    "squeeze": [[]], "std": [[("axis", 0)]], "sum": [[], [("axis", 0), ("dtype", float)]],
    "swapaxes": [[("axis1", 0), ("axis2", 1)]],
    "take": [[("indices", [0, 2]), ("axis", 1)], [("indices", [5])]],
    "trace": [[("offset", 1)]], "transpose": [[("axes", (1, 0))], []],
    "var": [[("axis", 1)]], "to_device": [[("device", "cpu")]],
}  # fmt: skip
BASES = {"searchsorted": SQUARE[0]}
# Writing, or handing the memory to somebody else.
REFUSED = {
    "byteswap": (), "dump": ("file",), "dumps": (), "fill": (0,), "getfield": (np.float64,), "item": (0,), "partition": (1,),
    "put": ([0], [1.0]), "resize": ((2, 2),), "setfield": (1.0, float), "setflags": (), "sort": (), "tobytes": (),
    "tofile": ("file",), "tolist": (), "tostring": (), "view": (), "itemset": (0, 1.0), "newbyteorder": (),
}  # fmt: skip
ATTRIBUTES = {"T", "mT", "real", "imag", "shape", "dtype", "ndim", "size", "itemsize", "nbytes"}
REFUSED_ATTRIBUTES = {"base", "ctypes", "data", "flags", "flat", "strides", "device"}


def test_every_public_name_is_here() -> None:
    names = {name for name in dir(np.ndarray) if not name.startswith("_")} - {"ptp"}
    assert names <= {*CALLS, *REFUSED, *ATTRIBUTES, *REFUSED_ATTRIBUTES}, names - {
        *CALLS,
        *REFUSED,
        *ATTRIBUTES,
        *REFUSED_ATTRIBUTES,
    }


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_method(name: str, by_name: bool) -> None:
    base = BASES.get(name, SQUARE)
    for call in CALLS[name]:
        args = () if by_name else tuple(value for _, value in call)
        keywords = dict(call) if by_name else {}
        try:
            expected = getattr(base, name)(*args, **keywords)
        except (TypeError, AttributeError):
            continue  # not by name, or not in this NumPy
        if name == "to_device":
            with pytest.raises(NotImplementedError, match="to_device"):
                vjp(lambda x, a=args, k=keywords: getattr(x, name)(*a, **k), base)
            continue
        found: list[Any] = []

        def f(x: Any, args: tuple = args, keywords: dict = keywords, found: list = found) -> Any:
            result = getattr(x, name)(*args, **keywords)
            found.append(result)
            return floats(result) or x

        value = vjp(f, base)[0]
        results = (
            [np.asarray(r) for r in (found[0] if isinstance(found[0], tuple) else [found[0]])]
            if not floats(found[0])
            else value
        )
        for got, wanted in zip(results, expected if isinstance(expected, tuple) else (expected,)):
            np.testing.assert_allclose(got, wanted, rtol=1e-14)
            assert got.dtype == np.asarray(wanted).dtype
        if name != "astype" and floats(expected):
            check_grads(f, (base,), order=1)


@pytest.mark.parametrize("name", [name for name in REFUSED if hasattr(np.ndarray, name)])
def test_refused_method(name: str) -> None:
    with pytest.raises((TypeError, NotImplementedError), match=name):
        vjp(lambda x: getattr(x, name)(*REFUSED[name]), X)


@pytest.mark.parametrize("name", sorted(ATTRIBUTES | REFUSED_ATTRIBUTES))
def test_attribute(name: str) -> None:
    for base in (X, X + 1j, W):
        if not hasattr(base, name):
            continue
        if name in REFUSED_ATTRIBUTES:
            with pytest.raises(NotImplementedError, match=rf"\.{name} of an array has no rule"):
                vjp(lambda x: getattr(x, name), base)
            continue
        expected = getattr(base, name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(vjp(lambda x: getattr(x, name), base)[0], expected)
        else:
            assert vjp(lambda x: (x, getattr(x, name)), base, has_aux=True)[2] == expected


def test_methods_with_a_mask() -> None:
    for f in (lambda x: x.sum(where=MASK), lambda x: x.mean(0, where=MASK), lambda x: x.max(initial=-9.0, where=MASK)):
        np.testing.assert_allclose(vjp(f, X)[0], f(X))
        check_grads(f, (X,))


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow, operator.matmul,
    operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS)
def test_operator(op: Any) -> None:
    a, b = np.abs(SQUARE) + 0.3, np.abs(SQUARE.T) + 0.7
    for f in (lambda x, y: op(x, y), lambda x, y: op(x, b), lambda x, y: op(a, y)):
        aux = vjp(lambda x, y, f=f: (x + y, f(x, y)), a, b, has_aux=True)[2]
        np.testing.assert_allclose(aux, op(a, b), rtol=1e-14)
