"""Costs that must not grow: forward mode's memory, the work per operation, the stack, checkpoint's memory."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import checkpoint, core, grad, jvp, tracing, vjp
from tests.autodiff.cases import CASES, elementwise
from tests.autodiff.helper import floats


def chain(n: int, step: Callable = np.sin) -> Callable:
    def f(x: Any) -> Any:
        for _ in range(n):
            x = step(x)
        return np.sum(x)

    return f


def peak(call: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_forward_mode_keeps_nothing() -> None:
    x = np.linspace(0.1, 0.2, 1000)
    few, many = (peak(lambda n=n: jvp(chain(n), (x,), (x,))) for n in (100, 20_000))  # type: ignore[misc]
    assert many < few + 4 * x.nbytes
    assert few < 12 * x.nbytes


@pytest.mark.slow
def test_a_long_chain_needs_no_recursion() -> None:
    slope = grad(chain(200_000, lambda x: x * 1.0000001))(1.0)
    assert slope == pytest.approx(1.0000001**200_000, rel=1e-9)


@pytest.mark.slow
def test_an_operation_costs_the_same_in_a_longer_chain() -> None:
    calls = []
    for n in (1000, 10_000):
        count = itertools.count()
        sys.setprofile(lambda frame, event, argument, count=count: next(count))
        try:
            grad(chain(n, lambda x: x * 1.0000001))(1.0)
        finally:
            sys.setprofile(None)
        calls.append(next(count) / n)
    assert calls[1] <= calls[0]


@pytest.mark.slow
def test_checkpoints_hold_two_square_roots() -> None:
    x = np.linspace(0.1, 0.2, 10_000)

    def segment(x: Any) -> Any:
        for _ in range(16):
            x = np.sin(x)
        return x

    kept = peak(lambda: grad(chain(16, segment))(x)) / x.nbytes
    recomputed = peak(lambda: grad(chain(16, checkpoint(segment)))(x)) / x.nbytes
    assert 256 < kept < 270
    assert recomputed < 45
    np.testing.assert_array_equal(grad(chain(16, segment))(x), grad(chain(16, checkpoint(segment)))(x))


def test_a_backward_pass_touches_only_what_has_a_gradient() -> None:
    """A dead branch costs its recording and no more, and an unused argument gets zeros."""

    def f(x: Any, unused: Any) -> Any:
        np.linalg.inv(np.zeros((2, 2)) + np.eye(2) * x[0])  # nobody uses it
        return x[1]

    a, b = grad(f, (0, 1))(np.array([1.0, 2.0]), np.ones(3))
    np.testing.assert_array_equal(a, [0, 1])
    np.testing.assert_array_equal(b, np.zeros(3))


def test_solve_is_solved_once_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from mytorch.autodiff.rules import linalg

    calls: list[str] = []
    original = {name: getattr(np.linalg, name) for name in ("solve", "inv")}

    class Counting:
        def __getattr__(self, name: str) -> Any:
            if name in original:
                calls.append(name)
            return getattr(np.linalg, name)

    monkeypatch.setattr(linalg, "la", Counting())
    a, b = np.eye(3) * 2 + 0.1, np.ones((3, 2))
    grad(lambda a, b: np.sum(np.linalg.solve(a, b) ** 2), (0, 1))(a, b)
    assert calls == ["solve"]  # the one on the way back; the forward one is the function's own


ELEMENTWISE = [*elementwise.CASES, "operators", "where scalar", "clip none", "sum of views"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_large_arrays_forget_is_not_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every size counts as large: outlines instead of arrays, lists that are taken apart. Both orders are unchanged."""
    ours, args = CASES[name]

    def f(*x: Any) -> Any:
        return floats(ours(np, *x))

    def loss(*x: Any) -> Any:
        return sum(np.sum(np.abs(part) ** 2) for part in f(*x))

    def both() -> list[Any]:
        first = grad(loss, tuple(range(len(args))))(*args)
        _, pull = vjp(lambda *x: grad(loss, tuple(range(len(args))))(*x), *args)
        return [*first, *pull(first), *pull(first), *jvp(lambda *x: vjp(f, *x)[1](f(*args)), args, args)[1]]

    expected = both()
    for module in (tracing, core):
        monkeypatch.setattr(module, "LARGE", 0)
    for a, b in zip(both(), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_arrays_that_no_rule_reads_are_not_kept() -> None:
    x = np.linspace(0.1, 0.2, 20_000)
    for step, arrays in ((lambda x: x * 1.01, 5), (lambda x: x + 1.0, 5), (lambda x: np.exp(x * 0.01), 56)):
        assert peak(lambda step=step: grad(chain(50, step))(x)) / x.nbytes < arrays  # type: ignore[misc]
    kept = peak(lambda: grad(chain(50, lambda x: x * x * 0.5))(x)) / x.nbytes
    assert 50 < kept < 56
    slope = grad(lambda x: np.sum(np.exp(x) / x))(x)
    np.testing.assert_allclose(slope, np.exp(x) / x - np.exp(x) / x**2)


def test_shared_arrays_among_large_ones() -> None:
    """The same array as both factors, as an argument twice, as its own view, as output and input, and kept by the caller."""
    x = np.linspace(0.5, 1.5, 20_000)
    before = x.copy()

    def f(x: Any, y: Any) -> Any:
        z = x * x + (+x) * y
        view = np.reshape(z, (2, -1))
        return np.sum(view * view / (view + 1.0)) + np.sum(z[::-1] * x)

    big = grad(f, (0, 1))(x, x)
    v = np.cos(x)
    h = 1e-6
    slope = (f(x + h * v, x - h * v) - f(x - h * v, x + h * v)) / (2 * h)
    assert np.sum(big[0] * v) - np.sum(big[1] * v) == pytest.approx(slope, rel=1e-7)
    assert not np.shares_memory(*big)
    np.testing.assert_array_equal(x, before)
    a, pull = vjp(lambda x: (np.exp(x), +x, x), x)
    first, second = pull(a)[0], pull(a)[0]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(a[0], np.exp(before))
    np.testing.assert_allclose(first, np.exp(2 * x) + 2 * x)
