"""Long chain of small operations: cost per operation, recorded and walked back, up to a million."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.processes import worker
from benchmarks.settings import Settings
from benchmarks.stats import duration, table

TITLE = "Chain: time per operation, recorded and walked back"

LENGTHS = (10**3, 10**4, 10**5, 10**6)
# Limit for the longest chain's time per operation over the shortest's. It is above 1, because its arrays leave the caches.
FLAT = 2.0
COLUMNS = ("numpy", "forward", "backward", "free", "total", "total, no gc")


def check(settings: Settings) -> None:
    """Any settings will do."""


def run(settings: Settings) -> dict[str, Any]:
    """Time every length in rounds, in random order. Short chains run several times in a turn."""
    lengths = LENGTHS[:2] if settings.quick else LENGTHS
    rounds = settings.rounds or (3 if settings.quick else 7)
    measured: dict[tuple[int, bool], list[dict[str, float]]] = {(n, on): [] for n in lengths for on in (True, False)}
    turns = list(measured)
    order = random.Random(settings.seed)
    with worker("mytorch") as one:
        one.call("benchmarks.comparisons.chain:measure", operations=100, collect=True)
        for number in range(rounds):
            settings.say(f"chain: round {number + 1} of {rounds}")
            order.shuffle(turns)
            for operations, collect in turns:
                # A few rounds are enough for a chain that takes seconds.
                if operations < 10**6 or number < 3:
                    keywords = {"operations": operations, "collect": collect, "times": max(1, 30_000 // operations)}
                    measured[operations, collect].append(one.call("benchmarks.comparisons.chain:measure", **keywords))
    cases = []
    for operations in lengths:
        with_gc, without = measured[operations, True], measured[operations, False]
        seconds = {part: median(found[part] for found in with_gc) for part in with_gc[0]}
        seconds["total, no gc"] = median(found["total"] for found in without)
        cases.append({"operations": operations, "rounds": len(with_gc), "seconds_per_operation": seconds})
    return {"cases": cases, "growth": _growth(cases, "total"), "growth_no_gc": _growth(cases, "total, no gc")}


def measure(operations: int, collect: bool, times: int = 1) -> dict[str, float]:
    """Seconds per operation of a chain (in the worker), each the median of ``times`` runs.

    The parts are the arithmetic alone, forward, backward, letting go, and the total of the last three. collect: True
    leaves Python's garbage collector on, as it is by default. It looks through the growing list from time to time.
    """
    gc.collect()
    if not collect:
        gc.disable()
    try:
        found = [_one_chain(operations) for _ in range(times)]
    finally:
        gc.enable()
    return {part: median(one[part] for one in found) / operations for part in found[0]}


def _one_chain(operations: int) -> dict[str, float]:
    """Seconds for ``x * c`` and ``x + c`` by turns, on eight numbers."""
    from mytorch import Autograd
    from mytorch.nn.functional import add_backward, mul_backward

    engine = Autograd()
    start, factor, term = np.linspace(-1, 1, 8), np.full(8, 0.999), np.full(8, 0.001)

    def arithmetic() -> list[np.ndarray]:
        kept = [start]
        for _ in range(operations // 2):
            kept.append(kept[-1] * factor)
            kept.append(kept[-1] + term)
        return kept

    def forward() -> np.ndarray:
        x = start
        for _ in range(operations // 2):
            y = x * factor
            engine.add_operation([x, factor], y, [None, None], mul_backward)
            x = y + term
            engine.add_operation([y, term], x, [None, None], add_backward)
        return x

    alone, kept = _timed(arithmetic)
    del kept
    there, end = _timed(forward)
    back, _ = _timed(lambda: engine.backward(end))
    gradient = engine.gradient_buffer.get_param(start)
    free, _ = _timed(engine.zero_grad)
    if not np.allclose(gradient, 0.999 ** (operations // 2), rtol=1e-6, atol=0):
        raise ArithmeticError(f"A chain of {operations} operations has the gradient {gradient[0]!r}.")
    return {"numpy": alone, "forward": there, "backward": back, "free": free, "total": there + back + free}


def lines(result: dict[str, Any]) -> list[str]:
    """Table with one row per length."""
    rows = [
        [f"{case['operations']:,}", *(duration(case["seconds_per_operation"][part]) for part in COLUMNS)]
        for case in result["cases"]
    ]
    return [
        *table(["operations", *COLUMNS], rows),
        "",
        "Per operation, medians of rounds. numpy: the same arithmetic, nothing recorded. free: zero_grad(). no gc:",
        f"with Python's garbage collector off. The longest chain costs {result['growth']:.2f} times the shortest, per",
        f"operation, {result['growth_no_gc']:.2f} without gc; flat means at most {FLAT:.1f}.",
    ]


def missed(result: dict[str, Any]) -> list[str]:
    """Sentence about a time per operation that grows with the chain."""
    if result["growth"] <= FLAT:
        return []
    return [f"chain: the time per operation grows {result['growth']:.2f} times (target {FLAT:.1f})"]


def _growth(cases: list[dict[str, Any]], part: str) -> float:
    return cases[-1]["seconds_per_operation"][part] / cases[0]["seconds_per_operation"][part]


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result
