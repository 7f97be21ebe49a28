"""The one check that every primitive passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.autodiff import check_grads, jvp, vjp


def floats(result: Any) -> tuple:
    """A result as a tuple of its floating arrays."""
    parts = result if isinstance(result, tuple) else (result,)
    return tuple(part for part in parts if np.asarray(part_value(part)).dtype.kind in "fc")


def part_value(part: Any) -> Any:
    from mytorch.autodiff.tracer import plain

    return plain(part)


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
    plain = f(*args)
    value, pull = vjp(f, *args)
    for got, expected in zip(value, plain):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
        assert np.asarray(got).dtype == np.asarray(expected).dtype
        assert np.shape(got) == np.shape(expected)
    v = tuple(random_like(generator, x) for x in args)
    u = tuple(random_like(generator, y) for y in plain)
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
