"""The checks that every primitive passes, on its arrays and on empty ones; and which functions were called."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mytorch.autodiff import check_grads, jvp, vjp
from mytorch.autodiff.traced import TABLE, dtype_of


def floats(result: Any) -> tuple:
    """A result as a tuple of its floating arrays."""
    parts = result if isinstance(result, tuple) else (result,)
    return tuple(part for part in parts if dtype_of(part).kind in "fc")


def random_like(generator: np.random.Generator, x: Any) -> Any:
    x = np.asarray(x)
    values = generator.standard_normal(x.shape)
    return (values + 1j * generator.standard_normal(x.shape) if x.dtype.kind == "c" else values).astype(x.dtype)


def inner(a: Any, b: Any) -> float:
    return float(sum(np.real(np.sum(np.asarray(x) * np.asarray(y))) for x, y in zip(a, b)))


def narrow(x: Any) -> Any:
    return x.astype({"f": np.float32, "c": np.complex64}[x.dtype.kind])


def check(f: Any, args: tuple, order: int = 2) -> None:
    """Value; both modes against differences to the given order; their inner products; float32 in, float32 out."""
    generator = np.random.default_rng(1)
    wanted = f(*args)
    value, pull = vjp(f, *args)
    for got, expected in zip(value, wanted):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
        assert np.asarray(got).dtype == np.asarray(expected).dtype
        assert np.shape(got) == np.shape(expected)
    v = tuple(random_like(generator, x) for x in args)
    u = tuple(random_like(generator, y) for y in wanted)
    tangent, pulled = jvp(f, args, v)[1], pull(u)
    forward, reverse = inner(u, tangent), inner(pulled, v)
    assert abs(forward - reverse) <= 1e-9 * (1 + abs(forward)), (forward, reverse)
    for x, g in zip(args, pulled):
        assert g.shape == x.shape
        assert g.dtype == x.dtype
    check_grads(f, args, order, rtol=2e-5, atol=2e-5)
    small = tuple(narrow(x) for x in args)
    expected32 = f(*small)
    value32, pull32 = vjp(f, *small)
    tangent32 = jvp(f, small, tuple(narrow(t) for t in v))[1]
    for got, t, expected in zip(value32, tangent32, expected32):
        assert np.asarray(got).dtype == np.asarray(expected).dtype, "the value's dtype differs from NumPy's"
        assert np.asarray(t).dtype == np.asarray(expected).dtype, "the tangent's dtype differs from the value's"
    for x, g in zip(small, pull32(tuple(random_like(generator, y) for y in expected32))):
        assert g.dtype == x.dtype


def empty_variants(f: Any, args: tuple) -> tuple[list[tuple], list[str]]:
    """The arguments with axes of length 0, wherever NumPy takes them; and what NumPy says where it does not.

    Tried are: one axis, counted from the left or from the right, of all arguments at once; one axis of one argument; all axes;
    a new first axis of all arguments or of one.
    """
    found: dict[tuple, tuple] = {}
    refusals = []
    widest = max(x.ndim for x in args)
    trials = [tuple(cut(x, k) for x in args) for k in range(-widest, widest)]
    trials += [
        tuple(cut(x, k) if i == j else x for i, x in enumerate(args)) for j, y in enumerate(args) for k in range(y.ndim)
    ]
    trials += [tuple(np.empty((0,) * x.ndim, x.dtype) for x in args)]
    trials += [tuple(np.empty((0, *x.shape), x.dtype) for x in args)]
    trials += [
        tuple(np.empty((0, *x.shape), x.dtype) if i == j else x for i, x in enumerate(args)) for j in range(len(args))
    ]
    for trial in trials:
        shapes = tuple(x.shape for x in trial)
        if all(x.size for x in trial) or shapes in found:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("error", "Out of bound index", DeprecationWarning)  # newer NumPys raise
                f(*trial)
            found[shapes] = trial
        except (ValueError, IndexError, TypeError, ArithmeticError, RuntimeError, DeprecationWarning) as error:
            refusals.append(f"{', '.join(map(str, shapes))}: {error}")
    return list(found.values()), refusals


def cut(x: Any, axis: int) -> Any:
    """The array with an axis of length 0; as it is if it has no such axis."""
    return x.take([], axis) if -x.ndim <= axis < x.ndim else x


def check_empty(f: Any, args: tuple) -> None:
    """Values, shapes and dtypes as NumPy's, both modes related by their inner products, differentiable once more."""
    generator = np.random.default_rng(2)
    wanted = f(*args)
    value, pull = vjp(f, *args)
    v, u = (tuple(random_like(generator, x) for x in part) for part in (args, wanted))
    tangent, pulled = jvp(f, args, v)[1], pull(u)
    for got, slope, expected in zip(value, tangent, wanted):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
        assert np.asarray(got).dtype == np.asarray(slope).dtype == np.asarray(expected).dtype
        assert np.shape(got) == np.shape(slope) == np.shape(expected)
    for x, g in zip(args, pulled):
        assert g.shape == x.shape
        assert g.dtype == x.dtype
    if all(np.isfinite(y).all() for y in wanted):  # not the mean of nothing
        forward, reverse = inner(u, tangent), inner(pulled, v)
        assert abs(forward - reverse) <= 1e-9 * (1 + abs(forward)), (forward, reverse)
        check_grads(f, args, order=2, rtol=2e-5, atol=2e-5)


@contextmanager
def watched_calls() -> Iterator[set]:
    """The functions of the table that are called inside the block."""
    called: set[Any] = set()
    originals = dict(TABLE)
    for fun, rule in originals.items():
        TABLE[fun] = lambda *args, fun=fun, rule=rule, **kwargs: (called.add(fun), rule(*args, **kwargs))[1]
    try:
        yield called
    finally:
        TABLE.update(originals)


def numpys() -> set:
    """NumPy's functions in the table."""
    return {
        fun
        for fun in TABLE
        if getattr(np, getattr(fun, "__name__", ""), None) is fun  # a ufunc does not know its module
        or (getattr(fun, "__module__", None) or "").startswith("numpy")
    }


def differentiable() -> set:
    """Those of them whose derivative is not zero everywhere."""
    return {fun for fun in numpys() if getattr(TABLE[fun], "__name__", "") != "call"}
