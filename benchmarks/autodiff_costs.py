"""What differentiation costs: time per operation beside HIPS autograd, gradients beside their functions, memory.

    python benchmarks/autodiff_costs.py

Every comparison alternates the two sides in rounds and takes medians, so that a busy machine slows down both.
"""

# ruff: noqa: B008, E402, E501
# mypy: disable-error-code="misc, unused-ignore"
from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.autodiff import checkpoint, grad, jvp

TITLE = "Automatic differentiation of NumPy functions"

Row = tuple[str, float, str]  # what, the number, the target in words


def chain(steps: list[Callable], n: int, total: Callable = np.sum) -> Callable:
    """x -> the sum of n steps applied one after the other, taken in turn from a list."""

    def f(x: Any) -> Any:
        for i in range(n):
            x = steps[i % len(steps)](x)
        return total(x)

    return f


def race(calls: list[Callable[[], Any]], rounds: int = 15) -> list[float]:
    """The median time of each call in seconds, all calls in turn in every round."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found[2:]) for found in times]


SMALL: dict[str, Callable[[Any], Callable]] = {
    "sin": lambda m: m.sin, "exp, scaled": lambda m: lambda x: m.exp(x * 0.1), "tanh": lambda m: m.tanh, "x + 1": lambda m: lambda x: x + 1.0,
    "x * x": lambda m: lambda x: x * x, "x * constant": lambda m: lambda x, w=np.linspace(0.5, 1.5, 10): x * w,
    "x / constant": lambda m: lambda x: x / 1.01, "matrix @ x": lambda m: lambda x, w=np.eye(10): m.dot(w, x), "x[1:] and pad": lambda m: lambda x: m.concatenate([x[1:], x[:1]]),
}  # fmt: skip


def per_operation(n: int = 500) -> list[Row]:
    """Forward and backward on arrays of ten numbers, per operation, as a ratio to HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    rows: list[Row] = []
    ratios = []
    for name, make in SMALL.items():
        x = np.linspace(0.1, 0.9, 10)
        mine, theirs = grad(chain([make(np)], n)), autograd.grad(chain([make(anp)], n, anp.sum))
        np.testing.assert_allclose(mine(x), theirs(x), rtol=1e-9)
        a, b = race([lambda f=mine, x=x: f(x), lambda f=theirs, x=x: f(x)])
        ratios.append(a / b)
        rows.append((f"{name}: {a / n * 1e6:.1f} us against {b / n * 1e6:.1f} us, ratio", a / b, ""))
    rows.append(("per operation, median of these ratios to HIPS autograd", statistics.median(ratios), "at most 0.6"))
    return rows


def cheap_gradients() -> list[Row]:
    """A gradient's time in times of its function."""
    x, w = np.linspace(-1, 1, 200_000), [np.random.default_rng(i).standard_normal((400, 400)) / 20 for i in range(4)]
    steps: list[Any] = [np.sin, lambda x: x * 1.5, np.exp, np.tanh, lambda x: x + 0.5, lambda x: x * x]
    functions: list[Any] = [
        ("elementwise chain of 12 on 200000 numbers", chain(steps, 12), x, "at most 4"),
        (
            "chain of 8 products with 400 x 400 matrices",
            chain([lambda x, m=m: x @ m for m in w], 8),
            w[0] + 0.0,
            "at most 3",
        ),
    ]
    rows = []
    for name, f, start, target in functions:
        alone, both = race([lambda f=f, x=start: f(x), lambda f=grad(f), x=start: f(x)])
        rows.append((f"grad / function, {name}", both / alone, target))
    a, b = np.random.default_rng(0).standard_normal((2, 400, 400))
    alone, both = race([lambda: np.linalg.solve(a, b), lambda: grad(lambda a: np.sum(np.linalg.solve(a, b)))(a)])
    rows.append(("grad / function, solve 400 x 400", both / alone, "about 3: a solve and a product back"))
    return rows


def peak(call: Callable[[], Any]) -> int:
    """The most bytes that a call has allocated at once."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def memory(numbers: int = 5_000) -> list[Row]:
    """Forward mode along 1e2 and 1e5 operations; reverse mode with and without checkpoints, in sizes of one array."""
    x = np.linspace(0.1, 0.2, numbers)
    v = np.ones_like(x)
    rows: list[Row] = []
    for n in (100, 100_000):
        rows.append(
            (
                f"forward mode, chain of {n}: arrays at the peak",
                peak(lambda n=n: jvp(chain([np.sin], n), (x,), (v,))) / x.nbytes,
                "flat",
            )
        )
    for n in (16, 64, 256):
        root = round(n**0.5)
        segment = chain([np.sin], root, lambda x: x)
        rows.append(
            (f"reverse mode, chain of {n}: arrays", peak(lambda n=n: grad(chain([np.sin], n))(x)) / x.nbytes, "n")
        )
        rows.append(
            (
                f"  in {root} checkpointed segments",
                peak(lambda s=segment, r=root: grad(chain([checkpoint(s)], r))(x)) / x.nbytes,
                "2 sqrt(n)",
            )
        )
    return rows


def long_chains() -> list[Row]:
    """Reverse mode along 1e4, 1e5 and 1e6 operations: microseconds per operation."""
    rows: list[Row] = []
    for n in (10_000, 100_000, 1_000_000):
        start = time.perf_counter()
        grad(chain([np.sin], n))(1.0)
        rows.append((f"chain of {n}: us per operation", (time.perf_counter() - start) / n * 1e6, "flat"))
    return rows


PARTS = {
    "Per operation": per_operation,
    "Cheap gradients": cheap_gradients,
    "Memory": memory,
    "Long chains": long_chains,
}


def check(settings: Any) -> None:
    """There is nothing to set."""


def run(settings: Any = None) -> dict[str, list[Row]]:
    """All measurements, as plain data."""
    return {title: measure() for title, measure in PARTS.items()}


def lines(result: dict[str, list[Row]]) -> list[str]:
    """The measurements as a table."""
    found = []
    for title, rows in result.items():
        found.append(title)
        found += [f"  {name:75s} {number:8.2f}  {target}" for name, number, target in rows]
    return found


def missed(result: dict[str, list[Row]]) -> list[str]:
    """One sentence for each target that was missed."""
    return [
        f"{name} is {number:.2f}, {target}."
        for rows in result.values()
        for name, number, target in rows
        if target.startswith("at most ") and number > float(target.split()[2])
    ]


if __name__ == "__main__":
    measured = run()
    print("\n".join(lines(measured) + missed(measured)))
