"""Peak memory of a training step beside PyTorch's and that of NumPy by hand, each in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import make_step
from benchmarks.processes import Missing, worker
from benchmarks.settings import Settings
from benchmarks.stats import table

TITLE = "Peak memory of a training step: 784-1024-1024-10, float32"

SIZES = (784, 1024, 1024, 10)
BATCHES = (128, 1024)
FRAMEWORKS = ("mytorch", "torch", "numpy")
STEPS = 5
MIB = 2**20


def check(settings: Settings) -> None:
    """Any settings will do."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure each framework and batch size in a fresh process, because a process keeps its peak."""
    cases: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for batch in BATCHES[:1] if settings.quick else BATCHES:
        for framework in FRAMEWORKS:
            settings.say(f"memory: {framework}, batch {batch}")
            with worker(framework) as one:
                try:
                    one.call("benchmarks.networks:version", framework=framework)
                    found = one.call("benchmarks.comparisons.memory:measure", framework=framework, batch=batch)
                except Missing as reason:
                    missing[framework] = str(reason)
                    continue
            cases.append({"framework": framework, "batch": batch, **found})
    parameters = sum(n * m + m for n, m in pairwise(SIZES)) * 4
    return {"cases": cases, "missing": missing, "parameter_bytes": parameters}


def measure(framework: str, batch: int, sizes: Sequence[int] = SIZES, first_steps: int = 0) -> dict[str, Any]:
    """Bytes that a fresh worker has gained when the net is made, and at its peak while training.

    A small net trains first, so that code which a framework loads or compiles at its first step is not counted.
    first_steps: made before the peak is looked for.
    """
    warm_up = make_step(framework, [8, 8, 10], 4, "float32")
    for _ in range(STEPS):
        warm_up()
    del warm_up
    before = resident()
    resets = _forget_peak()
    step = make_step(framework, list(sizes), batch, "float32")
    made = resident()
    for _ in range(first_steps):
        step()
    if resets:
        resets = _forget_peak()
    for _ in range(STEPS):
        step()
    # The pool of batches is data. Every framework holds the same.
    data = max(8, 256 // batch) * batch * (sizes[0] * np.dtype("float32").itemsize + np.dtype("int64").itemsize)
    net, most = (value - before - data for value in (made, peak()))
    return {"before": before, "net": net, "peak": most, "data": data, "resets": resets}


def resident() -> int:
    """Resident memory of this process in bytes; its peak where the system does not tell."""
    return _status("VmRSS") or peak()


def peak() -> int:
    """Peak of this process's resident memory in bytes."""
    found = _status("VmHWM")
    if found is not None:
        return found
    import resource

    # Bytes on macOS, kibibytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def lines(result: dict[str, Any]) -> list[str]:
    """Table with one row per batch size and framework."""
    peaks = {(case["framework"], case["batch"]): case["peak"] for case in result["cases"]}
    rows = []
    for case in result["cases"]:
        ours = peaks.get(("mytorch", case["batch"]))
        rows.append([
            f"{case['framework']}, batch {case['batch']}",
            f"{case['net'] / MIB:.1f} MiB",
            f"{case['peak'] / MIB:.1f} MiB",
            f"{ours / case['peak']:.2f}" if ours and case["framework"] != "mytorch" else "",
        ])  # fmt: skip
    return [
        *table(["", "net made", "peak in training", "mytorch / this"], rows),
        "",
        "Above what the process held after imports and a small net's first steps; without the pool of batches.",
        "Compare the peaks: mytorch makes gradients and momentum with the net, PyTorch in its first step. One set of",
        f"parameters takes {result['parameter_bytes'] / MIB:.1f} MiB; weights, gradients and momentum are three. On top "
        "come activations,",
        "their gradients, and what the heap keeps from drawing the weights, which NumPy does in float64.",
        *(f"{name} is left out: it is not installed ({reason})." for name, reason in result["missing"].items()),
    ]


def missed(result: dict[str, Any]) -> list[str]:
    """No sentences: memory has no target."""
    return []


def _status(field: str) -> int | None:
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _forget_peak() -> bool:
    """Reset the peak to the present memory. Returns False where the system does not permit it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True
