"""Compiled training steps beside eager ones, NumPy by hand and other frameworks; the cost of compiling, the gain of passes."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.networks import MAKERS, compiled
from benchmarks.processes import worker, workers
from benchmarks.race import race
from benchmarks.settings import Settings
from benchmarks.stats import Spread, duration, ratio, table

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
OURS = {"mytorch_numpy": "compiled, NumPy", "mytorch_c": "compiled, C"}
OTHERS = ("torch", "jax", "autograd")
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
# Seconds of the first call beyond an eager step.
COMPILE_SECONDS = 0.005


def check(settings: Settings) -> None:
    """Raise BadRequest for a net, batch size or dtype that is none of those above."""
    _chosen(settings)


def run(settings: Settings) -> dict[str, Any]:
    """All parts; a quick run has two nets, no ablation and no whole training."""
    nets, batches, dtypes = _chosen(settings)
    names = ["numpy", "mytorch", *OURS, *OTHERS]
    cases = []
    with workers(names, "benchmarks.networks:version") as (running, versions, missing):
        for dtype in dtypes:
            for net in nets:
                for batch in batches:
                    cases.append(_case(settings, running, net, batch, dtype, "sgd"))
        adam = {name: one for name, one in running.items() if name in ("mytorch", *OURS, "torch")}
        for net in nets[:2]:
            cases.append(_case(settings, adam, net, 32, "float32", "adam"))
    result: dict[str, Any] = {"versions": versions, "missing": missing, "cases": cases}
    here = "benchmarks.comparisons.static_graph"
    with worker("mytorch") as one:
        settings.say("static_graph: compiling and memory")
        result["compiling"] = one.call(f"{here}:compiling", nets=nets)
        result["memory"] = one.call(f"{here}:memory", nets=nets)
        if not settings.quick:
            settings.say("static_graph: passes")
            result["ablation"] = one.call(f"{here}:ablation", nets=nets[:3], rounds=settings.rounds or 9)
    result["training"] = [] if settings.quick else _whole_training(settings)
    return result


def _chosen(settings: Settings) -> tuple[list[str], list[int], list[str]]:
    nets = settings.choose("net", tuple(NETS), quick=("64-32-10", "784-256-128-10"))
    batches = settings.choose("batch", tuple(map(str, BATCHES)), quick=("1", "128"))
    return nets, [int(batch) for batch in batches], settings.choose("dtype", DTYPES, quick=("float32",))


def _case(
    settings: Settings, running: dict[str, Any], net: str, batch: int, dtype: str, optimizer: str
) -> dict[str, Any]:
    timed = race(
        running,
        "benchmarks.networks:make_step",
        {"sizes": NETS[net], "batch": batch, "dtype": dtype, "seed": settings.seed, "optimizer": optimizer},
        what=f"{net}, batch {batch}, {dtype}, {optimizer}",
        tolerance=TOLERANCE[dtype],
        rounds=settings.rounds or (5 if settings.quick else 15),
        round_seconds=0.01 if settings.quick else 0.025,
        order=random.Random(settings.seed),
        say=settings.say,
    )
    return {"net": net, "batch": batch, "dtype": dtype, "optimizer": optimizer, "seconds": timed["seconds"]}


def _arrays(net: str, batch: int, dtype: str = "float32") -> tuple[Any, Any, list[Any]]:
    import numpy as np

    sizes, rng = NETS[net], np.random.default_rng(0)
    layers = [
        (rng.uniform(-(n**-0.5), n**-0.5, (m, n)).astype(dtype), rng.uniform(-(n**-0.5), n**-0.5, m).astype(dtype))
        for n, m in pairwise(sizes)
    ]
    return rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch), layers


def compiling(nets: list[str], batch: int = 32, times: int = 7) -> list[dict[str, Any]]:
    """The first call beyond an eager step, and of it what making the plan takes (in the worker); the least of some times.

    The rest of the first call is the proof: the plan's own step, and comparing what both have left.
    """
    return [found for name in OURS for net in nets for found in _compiling(name, net, batch, times)]


def _compiling(name: str, net: str, batch: int, times: int) -> list[dict[str, Any]]:
    from mytorch.graph import trial

    x, y, layers = _arrays(net, batch)
    first, making, eager = [], [], []
    entry = trial._entry

    def timed(*given: Any) -> Any:
        begin = time.perf_counter()
        made = entry(*given)
        making.append(time.perf_counter() - begin)
        return made

    try:
        trial._entry = timed  # type: ignore[assignment]
        for _ in range(times):
            step: Any
            plain, _ = MAKERS["mytorch"](layers)
            plain(x, y)
            eager.append(_seconds(plain, x, y))
            step, _ = compiled(layers, name.removeprefix("mytorch_"))
            first.append(_seconds(step, x, y))
    except ImportError:
        return []
    finally:
        trial._entry = entry
    extra = min(first) - min(eager)
    return [{"framework": name, "net": net, "batch": batch, "extra": extra, "making": min(making)}]


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin


def memory(nets: list[str], batch: int = 128) -> list[dict[str, Any]]:
    """The plan's bytes before and after planning, and the peak of a replayed and of an eager step as traced (in the worker)."""
    found = []
    for net in nets:
        x, y, layers = _arrays(net, batch)
        plain, _ = MAKERS["mytorch"](layers)
        step: Any
        tracemalloc.start()
        try:
            step, _ = compiled(layers, "numpy")
            for _ in range(3):
                step(x, y)
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            step(x, y)
            replayed = tracemalloc.get_traced_memory()[1] - before
            plain(x, y)
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            plain(x, y)
            eager = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        last = step.plan.passes[-1]
        found.append({"net": net, "batch": batch, "planned": list(last.nbytes), "replayed": replayed, "eager": eager})
    return found


def ablation(nets: list[str], rounds: int, batch: int = 32) -> list[dict[str, Any]]:
    """The time of a step with each pass off in turn, in times of the step with all (in the worker)."""
    from mytorch.graph import PASSES

    found = []
    for name in OURS:
        for net in nets:
            x, y, layers = _arrays(net, batch)
            steps: dict[str, Any] = {}
            try:
                for off in ("none", *PASSES):
                    chosen = [one for one in PASSES if one != off]
                    steps[off], _ = compiled(layers, name.removeprefix("mytorch_"), passes=chosen)
            except ImportError:
                continue
            seconds: dict[str, list[float]] = {off: [] for off in steps}
            for step in steps.values():
                for _ in range(4):
                    step(x, y)
            count = max(1, int(0.01 / max(_seconds(steps["none"], x, y), 1e-6)))
            for _ in range(rounds):
                for off, step in steps.items():
                    begin = time.perf_counter()
                    for _ in range(count):
                        step(x, y)
                    seconds[off].append(time.perf_counter() - begin)
            ratios = {off: ratio(times, seconds["none"]) for off, times in seconds.items() if off != "none"}
            found.append({"framework": name, "net": net, "batch": batch, "ratios": ratios})
    return found


def _whole_training(settings: Settings) -> list[dict[str, Any]]:
    """Epochs per second of the training program, eager and compiled, and of the same net in PyTorch."""
    here, found = "benchmarks.comparisons.static_graph", []
    for name in ("mytorch", *OURS, "torch"):
        settings.say(f"static_graph: whole training, {name}")
        with worker(name) as one:
            try:
                found.append({"framework": name, **one.call(f"{here}:train", framework=name)})
            except Exception as error:
                found.append({"framework": name, "failed": str(error)})
    return found


def train(framework: str, epochs: int = 3) -> dict[str, Any]:
    """Train on the images that MYTORCH_BENCH_DATA names, else on the UCI digits (in the worker)."""
    from hw_bonus import datasets, options, runs, training

    if framework != "mytorch":
        os.environ["MYTORCH_BACKEND"] = framework.removeprefix("mytorch_").replace("torch", "numpy")
    data = os.environ.get("MYTORCH_BENCH_DATA")
    opts = options.complete({"data": data, "epochs": epochs, "eager": framework == "mytorch"})
    dataset = datasets.load(opts.data, opts.test_data, opts.classes, opts.split_seed)
    sets = datasets.normalise(dataset, opts.dtype)
    if framework == "torch":
        return {"data": dataset.name, "epochs_per_second": epochs / _train_torch(opts, sets[0])}
    state = training.build(opts, sets[0][0].shape[1])
    seconds = _seconds(lambda: list(training.epochs(state, opts, sets[0], sets[1], lambda: None)))
    return {"data": dataset.name, "epochs_per_second": epochs / seconds, "backend": runs.backend(state)}


def _train_torch(opts: Any, pair: Any) -> float:
    import numpy as np
    import torch

    torch.set_num_threads(1)
    x, y = (torch.from_numpy(np.ascontiguousarray(array)) for array in pair)
    sizes = [x.shape[1], *opts.hidden, opts.classes]
    modules: list[Any] = []
    for n_in, n_out in pairwise(sizes):
        modules += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU(), torch.nn.Dropout(opts.dropout)]
    net, criterion = torch.nn.Sequential(*modules[:-2]), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=opts.lr, weight_decay=opts.weight_decay)

    def run() -> None:
        for _ in range(opts.epochs):
            for rows in torch.randperm(len(x)).split(opts.batch_size):
                batch = x[rows] + opts.noise * torch.randn(len(rows), x.shape[1])
                batch = torch.nn.functional.dropout(batch, opts.input_dropout)
                optimizer.zero_grad()
                loss = criterion(net(batch), y[rows])
                loss.backward()
                optimizer.step()
                loss.item()

    return _seconds(run)


def target(framework: str, net: str, batch: int, dtype: str) -> float | None:
    """The most that a compiled step may take in units of NumPy by hand; None where it is only reported."""
    targets = TARGETS[framework].get(net)
    return None if targets is None or dtype != "float32" else targets[BATCHES.index(batch)]


def _ratio(case: dict[str, Any], one: str, other: str) -> Spread | None:
    seconds = case["seconds"]
    return ratio(seconds[one], seconds[other]) if one in seconds and other in seconds else None


def lines(result: dict[str, Any]) -> list[str]:
    """The tables of all parts."""
    rows = []
    for case in result["cases"]:
        row = [f"{case['net']}  {case['dtype']} {case['optimizer']}", str(case["batch"])]
        for name in OURS:
            times = case["seconds"].get(name)
            row.append(duration(median(times)) if times else "")
            for other in ("numpy", "mytorch", "torch", "jax"):
                spread = _ratio(case, name, other)
                row.append("" if spread is None else f"{spread.median:.2f}{'!' if _misses(case, name, other) else ''}")
        rows.append(row)
    columns = ["time", "/ hand", "/ eager", "/ torch", "/ jax"]
    found = table(["net", "rows", *columns, *(f"C {column}" for column in columns)], rows)
    found += [
        "",
        "Ratios of medians round by round, first with the NumPy backend, then with C; ! where a target is missed.",
        "",
    ]
    compile_rows = [
        [f"{one['net']}, {OURS[one['framework']]}", duration(max(one["extra"], 0)), duration(one["making"])]
        for one in result["compiling"]
    ]
    found += table(["first call of 32 rows", "beyond an eager step", "of it making the plan"], compile_rows) + [""]
    memory_rows = [
        [f"{one['net']}, {one['batch']} rows", *(f"{n:,}" for n in (*one["planned"], one["replayed"], one["eager"]))]
        for one in result["memory"]
    ]
    found += table(["bytes", "planned: sum", "planned: arena", "replay's peak", "eager step's peak"], memory_rows) + [
        ""
    ]
    if result.get("ablation"):
        passes = list(result["ablation"][0]["ratios"])
        ablation_rows = [
            [
                f"{one['net']}, {OURS[one['framework']]}",
                *(f"{Spread(*one['ratios'][name]).median:.2f}" for name in passes),
            ]
            for one in result["ablation"]
        ]
        found += table(["time without, 32 rows", *passes], ablation_rows) + [""]
    if result["training"]:
        training_rows = [
            [one["framework"], one.get("failed") or f"{one['epochs_per_second']:.2f}", one.get("backend", "")]
            for one in result["training"]
        ]
        found += table(["whole training", "epochs per second", "backend"], training_rows)
    found += [f"{name} is left out: {reason}." for name, reason in result["missing"].items()]
    return found


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
                        f"{case['net']}, {case['batch']} rows, {OURS[name]}: {spread.median:.2f} times {other} "
                        f"(quartiles {spread.low:.2f} to {spread.high:.2f}), target {_limit(case, name, other):.2f}"
                    )
    for one in result["compiling"]:
        if one["extra"] > COMPILE_SECONDS:
            what = f"{one['net']}, {OURS[one['framework']]}: compiling took {duration(one['extra'])}"
            found.append(f"{what}, target {duration(COMPILE_SECONDS)}")
    return found
