"""Training step (forward, loss, backward, SGD with momentum) beside NumPy by hand, PyTorch, JAX and HIPS autograd."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.networks import MAKERS
from benchmarks.processes import workers
from benchmarks.race import race
from benchmarks.settings import Settings
from benchmarks.stats import Spread, duration, ratio, table

TITLE = "Training step: forward, loss value, backward, SGD with momentum 0.9"

NETS = ("64-32-10", "784-32-32-32-10", "784-256-128-10", "784-1024-1024-10")
BATCHES = (1, 32, 128, 1024)
DTYPES = ("float32", "float64")
OTHERS = tuple(name for name in MAKERS if not name.startswith("mytorch"))
LABELS = {"numpy": "NumPy by hand", "torch": "PyTorch eager", "jax": "JAX jit", "autograd": "HIPS autograd"}
# Largest relative difference between the losses of the first steps.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


def target(other: str, net: str, batch: int, dtype: str) -> float | None:
    """Upper limit of mytorch's time over the other's; None where there is no target."""
    if dtype != "float32":
        return None
    if other == "numpy":
        return 1.15 if batch >= 128 else 1.4
    if other == "torch":
        return 0.3 if net == "64-32-10" and batch in (1, 32) else 1.0
    return 0.5 if other == "autograd" else None


def check(settings: Settings) -> None:
    """Raise BadRequest for a net, batch size, dtype or framework that is not among those above."""
    _chosen(settings)


def run(settings: Settings) -> dict[str, Any]:
    """Time every net, batch size and dtype that the settings keep."""
    nets, batches, dtypes, frameworks = _chosen(settings)
    rounds = settings.rounds or (5 if settings.quick else 15)
    order = random.Random(settings.seed)
    cases = []
    with workers(frameworks, "benchmarks.networks:version") as (running, versions, missing):
        for dtype in dtypes:
            for net in nets:
                for batch in batches:
                    sizes = [int(n) for n in net.split("-")]
                    timed = race(
                        running,
                        "benchmarks.networks:make_step",
                        {"sizes": sizes, "batch": batch, "dtype": dtype, "seed": settings.seed},
                        what=f"{net}, batch {batch}, {dtype}",
                        tolerance=TOLERANCE[dtype],
                        rounds=rounds,
                        round_seconds=0.01 if settings.quick else 0.025,
                        order=order,
                        least_loss=0.05,
                        say=settings.say,
                    )
                    case = {"net": net, "batch": batch, "dtype": dtype}
                    cases.append({**case, **timed, "ratios": ratios(timed["seconds"])})
    return {"versions": versions, "missing": missing, "rounds": rounds, "cases": cases}


def ratios(seconds: dict[str, list[float]]) -> dict[str, Spread]:
    """Ratios of mytorch's time to that of each other framework."""
    return {name: ratio(seconds["mytorch"], times) for name, times in seconds.items() if name != "mytorch"}


def lines(result: dict[str, Any]) -> list[str]:
    """Table of the ratios, with ``!`` at those that miss their target."""
    others = [name for name in OTHERS if any(name in case["ratios"] for case in result["cases"])]
    rows = []
    for case in result["cases"]:
        times = sorted(case["seconds"]["mytorch"])
        row = [f"{case['net']}  {case['dtype']}", str(case["batch"]), duration(times[len(times) // 2])]
        for other in others:
            spread = Spread(*case["ratios"][other])
            row.append(f"{spread}{'!' if _misses(case, other) else ' '}")
        rows.append(row)
    explanation = [
        f"mytorch's time in units of each other's: median of {result['rounds']} rounds, ± half the distance of the "
        "quartiles, ! where a target is missed.",
        "Targets (float32): NumPy 1.15 from 128 rows and 1.40 below; PyTorch 1.00, for 64-32-10 at 1 and 32 rows 0.30; "
        "HIPS autograd 0.50; JAX is reported.",
    ]
    absent = result["missing"].items()
    notes = [f"{LABELS[name]} is left out: it is not installed ({reason})." for name, reason in absent]
    header = ["net", "batch", "mytorch", *(f"/ {LABELS[name]} " for name in others)]
    return [*table(header, rows), "", *explanation, *notes]


def missed(result: dict[str, Any]) -> list[str]:
    """Sentences about the missed targets."""
    found = []
    for case in result["cases"]:
        for other in case["ratios"]:
            if _misses(case, other):
                spread = Spread(*case["ratios"][other])
                found.append(
                    f"{case['net']}, batch {case['batch']}, {case['dtype']}: {spread.median:.2f} times {LABELS[other]} "
                    f"(quartiles {spread.low:.2f} to {spread.high:.2f}), target "
                    f"{target(other, case['net'], case['batch'], case['dtype']):.2f}"
                )
    return found


def _chosen(settings: Settings) -> tuple[list[str], list[int], list[str], list[str]]:
    nets = settings.choose("net", NETS, quick=("64-32-10", "784-256-128-10"))
    batches = settings.choose("batch", tuple(map(str, BATCHES)), quick=("1", "128"))
    dtypes = settings.choose("dtype", DTYPES, quick=("float32",))
    return nets, [int(batch) for batch in batches], dtypes, [*settings.choose("framework", OTHERS), "mytorch"]


def _misses(case: dict[str, Any], other: str) -> bool:
    limit = target(other, case["net"], case["batch"], case["dtype"])
    return limit is not None and Spread(*case["ratios"][other]).median > limit
