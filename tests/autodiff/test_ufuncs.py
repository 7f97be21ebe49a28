"""Ufuncs called in every way: with each keyword, and through reduce, accumulate, reduceat, outer and at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.autodiff.helper import differentiable
from tests.autodiff.test_signatures import MASK, SQUARE, compare

P = np.array([[0.31, 1.23, 2.57, 0.94], [1.71, 0.43, 0.62, 2.13], [0.85, 1.17, 1.96, 2.28]])
INSIDE = {np.arcsin, np.arccos, np.arctanh}  # defined between -1 and 1
MATRICES: dict[str, tuple] = {
    "matmul": (SQUARE, SQUARE + 1),
    "matvec": (SQUARE, P[0, :3]),
    "vecmat": (P[0, :3], SQUARE),
}
UFUNCS = {
    fun.__name__: fun for fun in sorted(differentiable(), key=lambda fun: fun.__name__) if isinstance(fun, np.ufunc)
}
BINARY = [
    name for name, fun in UFUNCS.items() if fun.nin == 2 and fun.nout == 1 and fun.signature is None and name != "ldexp"
]
KEYWORDS: dict[str, Any] = {
    "where": MASK, "dtype": np.float32, "casting": "unsafe", "order": "F", "subok": False, "axis": 0, "axes": [0, 0, ()],
    "keepdims": True,
}  # fmt: skip
REDUCTION: dict[str, Any] = {"axis": 1, "keepdims": True, "initial": 0.5, "where": MASK, "dtype": np.float32}


def arguments(fun: np.ufunc) -> tuple:
    if fun is np.arccosh:
        return (P + 1,)
    if fun is np.ldexp:
        return P, np.array([1, 0, 2, -1])
    if fun in INSIDE:
        return (P / 3,)
    return MATRICES.get(fun.__name__, (P, P[::-1] + 0.1)[: fun.nin])


@pytest.mark.parametrize("keyword", [*KEYWORDS, "signature", "out"])
@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.filterwarnings("ignore")
def test_keyword(name: str, keyword: str) -> None:
    fun = UFUNCS[name]
    args = arguments(fun)
    value = KEYWORDS.get(keyword)
    if keyword == "signature":
        value = "d" * fun.nin + "->" + "d" * fun.nout
    elif keyword == "out":
        result = fun(*args)
        value = tuple(map(np.zeros_like, result)) if fun.nout > 1 else np.zeros_like(result)
    outcome = compare(fun, keyword, args, {keyword: value})
    if keyword in ("out", "where"):
        assert outcome in ("refused", "no")


@pytest.mark.parametrize("method", ["reduce", "accumulate"])
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.filterwarnings("ignore")
def test_method(name: str, method: str) -> None:
    fun = UFUNCS[name]
    call = getattr(fun, method)

    def named(*args: Any, **keywords: Any) -> Any:
        return call(*args, **keywords)

    named.__name__ = name
    compare(named, method, (P,), {})
    for keyword, value in REDUCTION.items():
        compare(named, f"(?:{method}|{keyword})", (P,), {keyword: value})
    assert compare(named, "out", (P,), {"axis": 1, "out": np.zeros_like(call(P, axis=1))}) == "refused"


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.filterwarnings("ignore")
def test_outer_reduceat_and_at(name: str) -> None:
    fun = UFUNCS[name]
    for method, args in (("outer", (P[0], P[1])), ("reduceat", (P[0], [0, 2]))):

        def named(*args: Any, method: str = method) -> Any:
            return getattr(fun, method)(*args)

        named.__name__ = name
        compare(named, method, args, {})

    def at(x: Any) -> Any:
        y = +x
        fun.at(y, [0], 1.0)
        return y

    at.__name__ = name
    assert compare(at, "at", (P[0],), {}) in ("refused", "no")
