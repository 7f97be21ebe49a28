"""A traced value as a Python object: right as its array is, or refused with the reason. And what may come in and go out."""

from __future__ import annotations

import copy
import decimal
import functools
import math
import numbers
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import elementwise_grad, grad, hessian, jacobian, jacobian_forward, jvp, value_and_grad, vjp
from mytorch.autodiff.traced import Traced

X = np.array([0.5, 1.5, 2.0])
MODES: dict[str, Callable] = {
    "reverse": lambda f, x: grad(f)(x), "forward": lambda f, x: jvp(f, (x,), (np.ones_like(x),))[1],
}  # fmt: skip


def everywhere(f: Callable, x: Any) -> list[Any]:
    """The aux of a function in both modes, and nested."""
    seen: list[Any] = []

    def g(x: Any) -> Any:
        seen.append(f(x))
        return np.sum(x)

    grad(g)(x)
    jvp(g, (x,), (np.ones_like(x),))
    grad(lambda y: np.sum(grad(g)(y)))(x)
    return seen


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: isinstance(x, np.ndarray), X, True),
        (lambda x: isinstance(x, Traced), X, True),
        (lambda x: isinstance(x, (list, tuple, float)), X, False),
        (lambda x: x.__class__ is np.ndarray, X, True),
        (lambda x: np.isscalar(x), X, False),
        (lambda x: isinstance(x, float), 2.0, True),
        (lambda x: isinstance(x, np.floating), 2.0, True),
        (lambda x: isinstance(x, numbers.Real), 2.0, True),
        (lambda x: isinstance(x, np.ndarray), 2.0, False),
        (lambda x: isinstance(x, float), np.float32(2), False),
        (lambda x: isinstance(x[0], float), X, True),
        (lambda x: isinstance(np.sum(x), float), X, True),
        (lambda x: isinstance(x, np.ndarray), np.array(2.0), True),
        (lambda x: np.isscalar(x), 2.0, True),
        (lambda x: np.iterable(x), X, True),
        (lambda x: callable(x), X, False),
        (lambda x: int(x), 2.7, 2),
        (lambda x: round(x), 2.7, 3),
        (lambda x: round(x, 1), 2.74, 2.7),
        (lambda x: (math.floor(x), math.ceil(x), math.trunc(x)), 2.7, (2, 3, 2)),
        (lambda x: f"{x:.2f}|{x!s}|{x}", 2.5, "2.50|2.5|2.5"),
        (lambda x: format(x[1], "6.1f"), X, "   1.5"),
        (lambda x: [bool(entry > 1) for entry in x], X, [False, True, True]),
        (lambda x: 1.5 in x, X, True),
        (lambda x: len(x), X, 3),
        (lambda x: [float(str(v)) for v in reversed(x)], X, [2.0, 1.5, 0.5]),
        (lambda x: bool(x) and x != 3, 2.0, True),
        (lambda x: range(5)[int(x)], 2.0, 2),
    ],
)  # fmt: skip
def test_as_of_the_array(f: Callable, x: Any, expected: Any) -> None:
    assert all(seen == expected for seen in everywhere(f, x))


COPIES: dict[str, Callable] = {
    "copy.copy": copy.copy, "copy.deepcopy": copy.deepcopy, "deepcopy of a list": lambda x: copy.deepcopy([x])[0],
    "deepcopy of a dict": lambda x: copy.deepcopy({"a": (x, x)})["a"][1], "x.copy()": lambda x: x.copy(),
    "np.copy": np.copy, "x[...]": lambda x: x[...], "sum": lambda x: sum([x, 0]), "list": lambda x: np.stack(list(x)),
    "np.array of one": lambda x: x.astype(float), "x[:]": lambda x: x[:], "broadcast": lambda x: np.broadcast_arrays(x, x)[0],
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", COPIES)
def test_copies_keep_their_path(name: str, mode: str) -> None:
    found = MODES[mode](lambda x: np.sum(COPIES[name](x) ** 2), X)
    assert np.allclose(found, 2 * X if mode == "reverse" else np.sum(2 * X))


CUTS: dict[str, tuple[Callable, str]] = {
    "pickle": (lambda x: pickle.loads(pickle.dumps(x)), r"pickle\.dumps\(x\)"),
    "pickle of a list": (lambda x: pickle.loads(pickle.dumps([x]))[0], r"pickle\.dumps\(x\)"),
    "np.asarray": (np.asarray, r"np\.asarray\(x\)"),
    "np.array": (lambda x: np.array(x), r"np\.asarray\(x\)"),
    "np.array of entries": (lambda x: np.array([x[0], x[1]]), r"np\.stack"),
    "np.asanyarray": (np.asanyarray, r"np\.asarray\(x\)"),
    "np.float64": (lambda x: np.float64(x[0]), r"float\(x\)|np\.asarray\(x\)"),
    "float": (lambda x: float(x[0]), r"float\(x\)"),
    "complex": (lambda x: complex(x[0]), r"complex\(x\)"), "math.sin": (lambda x: math.sin(x[0]), r"np\.sin\(x\)"),
    "math.fsum": (lambda x: math.fsum(x), r"float\(x\)"), "math.isnan": (lambda x: math.isnan(x[0]), r"float\(x\)"),
    "math.sqrt": (lambda x: math.sqrt(x[0]), r"float\(x\)"),
    "np.nditer": (lambda x: list(np.nditer(x)), r"np\.nditer\(x\)"),
    "ndenumerate": (lambda x: list(np.ndenumerate(x)), r"np\.asarray\(x\)"),
    "np.vectorize": (lambda x: np.vectorize(abs)(x), r"np\.asarray"),
    "np.fromiter": (lambda x: np.fromiter(x, float), r"float\(x\)|np\.asarray\(x\)|stored in"),
    "hash": (lambda x: hash(x[0]), r"hash\(x\)"),
    "set": (lambda x: {x[0]}, r"hash\(x\)"), "dict": (lambda x: {x[0]: 1}, r"hash\(x\)"),
    "lru_cache": (lambda x: functools.lru_cache(lambda v: v)(x[0]), r"hash\(x\)"),
    "%f": (lambda x: "%f" % x[0], r"float\(x\)"), "item": (lambda x: x[0].item(), r"x\.item\(\)"),  # noqa: UP031
    "tolist": (lambda x: x.tolist(), r"x\.tolist\(\)"), "tobytes": (lambda x: x.tobytes(), r"x\.tobytes\(\)"),
    "memoryview": (lambda x: memoryview(x),
    "memoryview|bytes-like"),
    "bytes": (lambda x: bytes(memoryview(x)),
    "memoryview|bytes-like"),
    "Decimal": (lambda x: decimal.Decimal(x[0]), r"float\(x\)|Decimal|conversion"),
    "slice of plain": (lambda x: X[int(x[0]) : x[1]], "slice indices"),
    "np.save": (lambda x: np.save("/dev/null", x), r"np\.asarray\(x\)|has no rule"),
    "nan_to_num": (lambda x: np.nan_to_num(x, copy=False),
    "copy=False"),
    "np.put": (lambda x: np.put(x, [0], [1.0]),
    "np.put"),
    "x += into plain": (lambda x: np.add(X, x, out=X.copy()),
    "out=y"),
    "masked": (lambda x: np.ma.masked_array(x, [0, 1, 0]), r"np\.asarray\(x\)"),
    "np.matrix": (lambda x: np.matrix(x), r"\.view of an array|np\.asarray\(x\)"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CUTS)
def test_what_would_cut_the_path_is_refused(name: str, mode: str) -> None:
    f, message = CUTS[name]
    with pytest.raises((TypeError, NotImplementedError, ValueError), match=message):
        MODES[mode](lambda x: np.sum(f(x)), X)


RESULTS = [None, True, np.bool_(True), 3, np.int64(3), "text", np.array([1, 2]), (), [None], {1, 2}]
TRANSFORMS = [grad, value_and_grad, elementwise_grad, jacobian, jacobian_forward, hessian]


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_without_derivative_is_refused(result: Any, transform: Any) -> None:
    with pytest.raises(TypeError, match=r"returned|returns"):
        transform(lambda x: result)(X)


def test_results_of_numpy_without_derivative_are_refused() -> None:
    for f in (
        lambda x: np.allclose(x, 1.0),
        np.argmax,
        lambda x: x[0] > 1,
        lambda x: int(x[0]),
        lambda x: str(x),
        lambda x: print(end=""),
    ):
        with pytest.raises(TypeError, match="What is differentiated returns floats"):
            grad(f)(X)
    for call in (lambda: vjp(lambda x: None, X), lambda: jvp(lambda x: None, (X,), (X,))):
        with pytest.raises(TypeError, match="returned None"):
            call()
    assert grad(lambda x: 2.0)(1.0) == 0  # a constant is a number, and its derivative is zero


def test_a_value_of_a_function_that_has_ended_is_refused_as_a_result() -> None:
    kept: list[Any] = []
    grad(lambda x: (kept.append(x * 2), x * 1.0)[1])(3.0)
    for transform in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))):
        with pytest.raises(RuntimeError, match="after its transformation had ended"):
            transform(lambda x: kept[0])(1.0)
    assert grad(lambda x: x * grad(lambda y: x)(2.0))(3.0) == 0  # an outer value is a constant of the inner function


class Meters(np.ndarray):
    pass


SUBCLASSES = [np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), X[None].view(np.matrix), X.view(Meters), X.view(np.recarray)]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("array", SUBCLASSES, ids=lambda a: type(a).__name__)
def test_subclasses_are_refused(array: Any) -> None:
    for call in (
        lambda: value_and_grad(np.sum)(array),
        lambda: jvp(np.sum, (array,), (X,)),
        lambda: jacobian(np.sum)({"a": array}),
    ):
        with pytest.raises(TypeError, match=r"subclass of np\.ndarray"):
            call()
    for f in (
        lambda x: x * array,
        lambda x: np.add(x, array),
        lambda x: np.concatenate([x, array], axis=None),
        lambda x: np.where(x > 1, x, array),
        lambda x: x @ array.T,
    ):
        for mode in MODES.values():
            with pytest.raises(TypeError, match=r"subclass of np\.ndarray"):
                mode(lambda x, f=f: np.sum(f(x)), X)
    for f in (lambda x: array * x, lambda x: array + x):
        with pytest.raises(
            (TypeError, NotImplementedError), match=r"subclass of np.ndarray|np\.asarray\(x\)|\.view of"
        ):
            grad(lambda x, f=f: np.sum(f(x)))(X)


def test_a_memory_map_is_an_array(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "x", float, "w+", shape=3)
    mapped[:] = X
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * x))(mapped), 2 * X)
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * mapped))(X), X)


def test_lists_as_operands() -> None:
    for f in (
        lambda x: x * [1.0, 2, 3],
        lambda x: x ** [2, 2, 2],
        lambda x: [1, 2, 3] / x,
        lambda x: x @ [1, 2, 3],
        lambda x: np.maximum(x, [1, 1, 3]),
        lambda x: np.where([True, False, True], x, [1.0, 2, 3]),
    ):
        np.testing.assert_allclose(vjp(f, X)[0], f(X))
        expected = [(f(X + h) - f(X - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
        np.testing.assert_allclose(jacobian(f)(X), np.transpose(expected), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(jacobian_forward(f)(X), jacobian(f)(X), rtol=1e-14)
