"""Compiled training steps beside eager ones, NumPy by hand and other frameworks; the cost of compiling, the gain of passes."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from benchmarks.processes import Missing, Worker, worker, workers
from benchmarks.race import race
from benchmarks.settings import Settings
from benchmarks.stats import Spread, duration, markdown, ratio

TITLE = "Static graph: compiled training steps"

NETS = {
    "64-32-10": [64, 32, 10],
    "784-32-32-32-10": [784, 32, 32, 32, 10],
    "784-256-128-10": [784, 256, 128, 10],
    "784-1024-1024-10": [784, 1024, 1024, 10],
    "32 layers of 32": [32] * 32 + [10],
}
BATCHES = (1, 32, 128, 1024)
DTYPES = ("float32", "float64")
OURS = {"mytorch_numpy": "NumPy", "mytorch_c": "C"}
OTHERS = {
    "numpy": "NumPy by hand",
    "mytorch": "eager",
    "torch": "PyTorch eager",
    "jax": "JAX jit",
    "autograd": "HIPS autograd",
}
# The most that a compiled step may take in units of NumPy by hand (float32): 1, 32, 128 and 1024 rows.
TARGETS = {
    "mytorch_numpy": {
        "64-32-10": (0.32, 0.52, 0.55, 0.60),
        "784-32-32-32-10": (0.42, 0.67, 0.93, 1.05),
        "784-256-128-10": (0.66, 0.86, 0.95, 1.08),
        "784-1024-1024-10": (0.76, 0.86, 0.92, 1.02),
    },
    "mytorch_c": {
        "64-32-10": (0.08, 0.15, 0.28, 0.42),
        "784-32-32-32-10": (0.15, 0.38, 0.70, 0.92),
        "784-256-128-10": (0.42, 0.62, 0.80, 0.97),
        "784-1024-1024-10": (0.45, 0.70, 0.82, 0.97),
    },
}
TOLERANCE = {"float32": 2e-4, "float64": 1e-9}
# Seconds of the first call beyond an eager step; seconds until the C library is ready, built and from the cache.
COMPILE_SECONDS = 0.005
LIBRARY_SECONDS = {"cold": 1.0, "warm": 0.005}
COSTS = "benchmarks.graph_costs"


def check(settings: Settings) -> None:
    """Raise BadRequest for a net, batch size or dtype that is none of those above."""
    _chosen(settings)


def run(settings: Settings) -> dict[str, Any]:
    """All parts; a quick run has two nets, no ablation and no whole training."""
    nets, batches, dtypes = _chosen(settings)
    names = ["numpy", "mytorch", *OURS, "torch", "jax", "autograd"]
    cases = []
    with workers(names, "benchmarks.networks:version") as (running, versions, missing):
        for dtype in dtypes:
            # HIPS autograd is slow enough to be raced in one precision.
            racing = {name: one for name, one in running.items() if name != "autograd" or dtype == dtypes[0]}
            for net in nets:
                cases += [_case(settings, racing, net, batch, dtype, "sgd") for batch in batches]
        adam = {name: one for name, one in running.items() if name in ("mytorch", *OURS, "torch")}
        cases += [_case(settings, adam, net, 32, "float32", "adam") for net in nets]
    result: dict[str, Any] = {"versions": versions, "missing": missing, "cases": cases}
    settings.say("static_graph: compiling")
    result["compiling"] = _each(nets, f"{COSTS}:compiling")
    result["library"] = _library()
    settings.say("static_graph: memory")
    result["planned"] = []
    with worker("mytorch") as one:
        for net in nets:
            result["planned"].append({"net": net, **one.call(f"{COSTS}:planned", sizes=NETS[net], batch=128)})
    result["memory"] = [] if settings.quick else [_peaks(net, batch) for net in nets[:4] for batch in (128, 1024)]
    settings.say("static_graph: passes")
    result["ablation"] = [] if settings.quick else _each(nets, f"{COSTS}:ablation", rounds=settings.rounds or 9)
    result["training"] = [] if settings.quick else _whole_training(settings)
    return result


def _chosen(settings: Settings) -> tuple[list[str], list[int], list[str]]:
    nets = settings.choose("net", tuple(NETS), quick=("64-32-10", "784-256-128-10"))
    batches = settings.choose("batch", tuple(map(str, BATCHES)), quick=("1", "128"))
    return nets, [int(batch) for batch in batches], settings.choose("dtype", DTYPES, quick=("float32",))


def _case(
    settings: Settings, running: dict[str, Worker], net: str, batch: int, dtype: str, optimizer: str
) -> dict[str, Any]:
    timed = race(
        running,
        "benchmarks.networks:make_step",
        {"sizes": NETS[net], "batch": batch, "dtype": dtype, "seed": settings.seed, "optimizer": optimizer},
        what=f"{net}, batch {batch}, {dtype}, {optimizer}",
        tolerance=TOLERANCE[dtype],
        rounds=settings.rounds or (5 if settings.quick else 15 if dtype == "float32" else 7),
        round_seconds=0.01 if settings.quick else 0.025,
        order=random.Random(settings.seed),
        say=settings.say,
    )
    return {"net": net, "batch": batch, "dtype": dtype, "optimizer": optimizer, "seconds": timed["seconds"]}


def _each(nets: list[str], function: str, **keywords: Any) -> list[dict[str, Any]]:
    """The values of a function for each backend that is to be had and each net."""
    found = []
    for framework in OURS:
        with worker(framework) as one:
            for net in nets:
                try:
                    values = one.call(function, framework=framework, sizes=NETS[net], **keywords)
                except Missing:
                    break
                found.append({"framework": framework, "net": net, "values": values})
    return found


def _library() -> dict[str, float]:
    """Seconds until the C library is ready: built, and from the cache. Empty where it cannot be built."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in LIBRARY_SECONDS:
            # As on a user's machine, where the compiler has all cores.
            with worker("mytorch_c", pinned=False) as one:
                try:
                    found[kind] = one.call(f"{COSTS}:library", folder=folder)
                except Missing:
                    return {}
    return found


def _peaks(net: str, batch: int) -> dict[str, Any]:
    """The peak of resident memory of training steps, each framework in a fresh process."""
    peaks = {}
    for framework in ("mytorch", *OURS, "torch", "numpy"):
        with worker(framework) as one:
            try:
                found = one.call(
                    "benchmarks.comparisons.memory:measure",
                    framework=framework, batch=batch, sizes=NETS[net], first_steps=3,
                )  # fmt: skip
            except Missing:
                continue
            peaks[framework] = found["peak"]
    return {"net": net, "batch": batch, "peaks": peaks}


def _whole_training(settings: Settings) -> list[dict[str, Any]]:
    """Epochs per second of the training program, eager and compiled, and of the same net in PyTorch."""
    found = []
    for name in ("mytorch", *OURS, "torch"):
        settings.say(f"static_graph: whole training, {name}")
        with worker(name) as one:
            try:
                found.append({"framework": name, **one.call(f"{COSTS}:train", framework=name)})
            except Exception as error:
                found.append({"framework": name, "failed": str(error)})
    return found


def target(framework: str, net: str, batch: int, dtype: str) -> float | None:
    """The most that a compiled step may take in units of NumPy by hand; None where it is only reported."""
    targets = TARGETS[framework].get(net)
    return None if targets is None or dtype != "float32" else targets[BATCHES.index(batch)]


def _ratio(case: dict[str, Any], one: str, other: str) -> Spread | None:
    seconds = case["seconds"]
    return ratio(seconds[one], seconds[other]) if one in seconds and other in seconds else None


def lines(result: dict[str, Any]) -> list[str]:
    """The tables of all parts, in Markdown."""
    found: list[str] = []
    sgd = [case for case in result["cases"] if case["optimizer"] == "sgd"]
    for dtype in dict.fromkeys(case["dtype"] for case in sgd):
        mine = [case for case in sgd if case["dtype"] == dtype]
        for other, shown in OTHERS.items():
            if any(other in case["seconds"] for case in mine):
                title = (
                    f"Time of a compiled step / {shown}, {dtype}: NumPy backend / C backend, ! where a target is missed"
                )
                found += [title, "", *_by_rows(mine, partial(_both, other=other)), ""]
        found += [f"Time of a step, {dtype}: NumPy backend / C backend", "", *_by_rows(mine, _times), ""]
    adam = [case for case in result["cases"] if case["optimizer"] == "adam"]
    if adam:
        rows = [[case["net"], _times(case), _both(case, "mytorch"), _both(case, "torch")] for case in adam]
        found += ["Adam, 32 rows, float32", "", *markdown(["net", "time", "/ eager", "/ PyTorch"], rows), ""]
    return found + _costs(result)


def _by_rows(cases: list[dict[str, Any]], cell: Callable[[dict[str, Any]], str]) -> list[str]:
    """A table of nets by batch sizes."""
    cells = {(case["net"], case["batch"]): cell(case) for case in cases}
    batches = list(dict.fromkeys(batch for _, batch in cells))
    header = ["net", *(f"{batch} rows" if batch > 1 else "1 row" for batch in batches)]
    nets = dict.fromkeys(net for net, _ in cells)
    return markdown(header, [[net, *(cells.get((net, batch), "") for batch in batches)] for net in nets])


def _both(case: dict[str, Any], other: str) -> str:
    found = [(_ratio(case, name, other), _misses(case, name, other)) for name in OURS]
    return " / ".join("-" if one is None else f"{one.median:.2f}{'!' if missed else ''}" for one, missed in found)


def _times(case: dict[str, Any]) -> str:
    times = [case["seconds"].get(name) for name in OURS]
    return " / ".join(duration(median(seconds)) if seconds else "-" for seconds in times)


def _costs(result: dict[str, Any]) -> list[str]:
    rows = [
        [f"{one['net']}, {OURS[one['framework']]}", duration(one["values"]["extra"]), duration(one["values"]["making"])]
        for one in result["compiling"]
    ]
    found = markdown(["first call, 32 rows", "beyond an eager step", "of it making the plan"], rows)
    found += [""] + [f"The C library is ready after {duration(n)} ({kind})." for kind, n in result["library"].items()]
    kinds = ("sum", "sum measured", "arena", "arena measured", "replayed")
    rows = [[one["net"], *(f"{one[kind]:,}" for kind in kinds)] for one in result["planned"]]
    header = [
        "bytes, 128 rows",
        "plan without memory planning",
        "measured",
        "plan",
        "measured",
        "allocated in a replay",
    ]
    found += ["", *markdown(header, rows), ""]
    if result["memory"]:
        names = ["mytorch", *OURS, "torch", "numpy"]
        rows = [
            [f"{one['net']}, {one['batch']} rows", *(_mebibytes(one["peaks"].get(name)) for name in names)]
            for one in result["memory"]
        ]
        shown = ["eager", *(f"compiled, {name}" for name in OURS.values()), "PyTorch", "NumPy by hand"]
        found += markdown(["peak memory of training, MiB", *shown], rows) + [""]
    if result["ablation"]:
        passes = list(result["ablation"][0]["values"])
        rows = [
            [f"{one['net']}, {OURS[one['framework']]}", *(f"{one['values'][name][0]:.2f}" for name in passes)]
            for one in result["ablation"]
        ]
        found += markdown(["time without, 32 rows", *passes], rows) + [""]
    if result["training"]:
        names_shown = {**OTHERS, **{name: f"compiled, {shown}" for name, shown in OURS.items()}}
        rows = [
            [names_shown[one["framework"]], one.get("failed") or f"{one['epochs_per_second']:.2f}", one.get("data", "")]
            for one in result["training"]
        ]
        found += markdown(["whole training", "epochs per second", "data"], rows)
    found += [f"{name} is left out: {reason}." for name, reason in result["missing"].items()]
    return found


def _mebibytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:.1f}"


def _limit(case: dict[str, Any], name: str, other: str) -> float | None:
    if case["optimizer"] != "sgd" or case["dtype"] != "float32":
        return None
    if other == "numpy":
        return target(name, case["net"], case["batch"], case["dtype"])
    if other == "torch" or (other == "jax" and name == "mytorch_c"):
        return 1.0 if case["net"] in TARGETS[name] else None
    return None


def _misses(case: dict[str, Any], name: str, other: str) -> bool:
    limit, found = _limit(case, name, other), _ratio(case, name, other)
    return limit is not None and found is not None and found.median > limit


def missed(result: dict[str, Any]) -> list[str]:
    """One line per missed target."""
    found = []
    for case in result["cases"]:
        for name in OURS:
            for other in ("numpy", "torch", "jax"):
                if _misses(case, name, other):
                    spread = Spread(*(_ratio(case, name, other) or (0, 0, 0)))
                    found.append(
                        f"{case['net']}, {case['batch']} rows, {OURS[name]}: {spread.median:.2f} times {OTHERS[other]} "
                        f"(quartiles {spread.low:.2f} to {spread.high:.2f}), target {_limit(case, name, other):.2f}"
                    )
    for one in result["compiling"]:
        extra = one["values"]["extra"]
        if one["net"] in TARGETS[one["framework"]] and extra > COMPILE_SECONDS:
            what = f"{one['net']}, {OURS[one['framework']]}: compiling took {duration(extra)}"
            found.append(f"{what}, target {duration(COMPILE_SECONDS)}")
    for kind, seconds in result["library"].items():
        if seconds > LIBRARY_SECONDS[kind]:
            found.append(f"the C library, {kind}: {duration(seconds)}, target {duration(LIBRARY_SECONDS[kind])}")
    return found
