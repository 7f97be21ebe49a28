"""Pictures of docs/autodiff.md, measured and drawn into docs/images: ``python -m benchmarks.autodiff_plots``."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from mytorch.autodiff import checkpoint, grad

matplotlib.use("Agg")
from matplotlib import pyplot as plt

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BLUE, ORANGE, GREY = "#1f5fa8", "#d1641a", "#777777"


def differences() -> None:
    """Error of one-sided and central differences over the step."""

    def f(x: Any) -> Any:
        return np.exp(x) * np.sin(3 * x)

    x = 0.7
    exact = np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x))
    steps = np.logspace(-15, -0.5, 120)
    one_sided = [abs((f(x + h) - f(x)) / h - exact) / abs(exact) for h in steps]
    central = [abs((f(x + h) - f(x - h)) / (2 * h) - exact) / abs(exact) for h in steps]
    own = max(abs(grad(f)(x) - exact) / abs(exact), 1e-16)
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.loglog(steps, one_sided, color=ORANGE, label="one-sided difference")
    axes.loglog(steps, central, color=BLUE, label="central difference")
    axes.axhline(own, color=GREY, linestyle="--", label="grad")
    axes.set_xlabel("step h")
    axes.set_ylabel("relative error of the derivative")
    axes.set_title("exp(x) sin(3x) at 0.7: rounding to the left, curvature to the right", fontsize=11)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.06))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(IMAGES / "autodiff-differences.png", dpi=120)


def memory_and_time() -> None:
    """Peak memory and time of one gradient of a chain of 256 sines, cut into checkpointed segments."""
    n, x = 256, np.linspace(0.1, 0.2, 50_000)
    counts = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    arrays, seconds = [], []
    for segments in [0, *counts]:

        def segment(x: Any, length: int = n // max(segments, 1)) -> Any:
            for _ in range(length):
                x = np.sin(x)
            return x

        part = checkpoint(segment) if segments else segment

        def f(x: Any, part: Any = part, times: int = max(segments, 1)) -> Any:
            for _ in range(times):
                x = part(x)
            return np.sum(x)

        tracemalloc.start()
        grad(f)(x)
        arrays.append(tracemalloc.get_traced_memory()[1] / x.nbytes)
        tracemalloc.stop()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            grad(f)(x)
            times.append(time.perf_counter() - start)
        seconds.append(sorted(times)[2])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axes, values, what in (
        (left, arrays, "peak memory, in arrays"),
        (right, np.array(seconds) * 1e3, "time, in ms"),
    ):
        axes.plot(counts, values[1:], "o-", color=BLUE, label="checkpointed")
        axes.axhline(values[0], color=ORANGE, linestyle="--", label="everything kept")
        axes.set_xscale("log", base=2)
        axes.set_xlabel("segments of a chain of 256 operations")
        axes.set_ylabel(what)
        axes.set_ylim(0, max(values) * 1.15)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, loc="center", bbox_to_anchor=(0.5, 0.7))
    figure.savefig(IMAGES / "autodiff-checkpoint.png", dpi=120)


if __name__ == "__main__":
    differences()
    memory_and_time()
