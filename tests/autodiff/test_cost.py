"""What must not grow: forward mode's memory, the time per operation, the stack; and checkpoint's memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import checkpoint, grad, jvp


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


def test_forward_mode_keeps_nothing() -> None:
    x = np.linspace(0.1, 0.2, 1000)
    few, many = (peak(lambda n=n: jvp(chain(n), (x,), (x,))) for n in (100, 100_000))  # type: ignore[misc]
    assert many < few + 4 * x.nbytes
    assert few < 12 * x.nbytes


@pytest.mark.slow
def test_a_million_operations_without_recursion_and_flat() -> None:
    seconds = []
    for n in (100_000, 1_000_000):
        start = time.perf_counter()
        slope = grad(chain(n, lambda x: x * 1.0000001))(1.0)
        seconds.append((time.perf_counter() - start) / n)
        assert slope == pytest.approx(1.0000001**n, rel=1e-9)
    assert seconds[1] < 3 * seconds[0]


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


def test_a_walk_back_touches_only_what_has_a_gradient() -> None:
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
