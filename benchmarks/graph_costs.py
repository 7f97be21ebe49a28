"""Costs and gains of compiling a training step, as a worker process measures them: time, memory, passes, whole training."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.networks import MAKERS, compiled
from benchmarks.stats import ratio


def arrays(sizes: list[int], batch: int, dtype: str = "float32") -> tuple[Any, Any, list[Any]]:
    """A batch, its classes, and the weights of a net of these sizes."""
    rng = np.random.default_rng(0)
    layers = [
        (rng.uniform(-(n**-0.5), n**-0.5, (m, n)).astype(dtype), rng.uniform(-(n**-0.5), n**-0.5, m).astype(dtype))
        for n, m in pairwise(sizes)
    ]
    return rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch), layers


def compiling(framework: str, sizes: list[int], batch: int = 32, times: int = 7) -> dict[str, float]:
    """Seconds of the first call beyond an eager step, and of it what making the plan takes: the least of some times.

    Both nets have made an eager step before. The rest of the first call is the proof: the plan's own step, and comparing what
    both have left.
    """
    from mytorch.graph import trial

    x, y, layers = arrays(sizes, batch)
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
            step, _ = compiled(layers, framework.removeprefix("mytorch_"))
            # An eager step as well is slower where it is the first to touch a new net's arrays.
            step.work.step((x, y))
            first.append(_seconds(step, x, y))
    finally:
        trial._entry = entry
    return {"extra": max(min(first) - min(eager), 0), "making": min(making)}


def library(folder: str) -> float:
    """Seconds until the C library is ready, with this folder for its cache (in a fresh worker). Raises ImportError."""
    os.environ["XDG_CACHE_HOME"] = folder
    import mytorch.graph  # noqa: F401
    from mytorch.graph.backends import c

    try:
        return _seconds(c.self_test)
    except c.Unavailable as reason:
        raise ImportError(str(reason)) from None


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin


def planned(sizes: list[int], batch: int) -> dict[str, int]:
    """Bytes of a plan's buffers as it says and as its arrays take (``tracemalloc``), without and with memory planning, and the
    most that a replayed step allocates on top.
    """
    from mytorch.graph import PASSES
    from mytorch.graph.binding import Binding

    x, y, layers = arrays(sizes, batch)
    found: dict[str, int] = {}
    for kind, passes in (("sum", PASSES[:-1]), ("arena", PASSES)):
        step: Any
        step, _ = compiled(layers, "numpy", passes=passes)
        for _ in range(4):
            step(x, y)
        found[kind] = step.plan.buffer_bytes
        tracemalloc.start()
        try:
            binding = Binding(step.plan)
            snapshot = tracemalloc.take_snapshot()
            of_arrays = [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)]
            found[f"{kind} measured"] = sum(one.size for one in snapshot.filter_traces(of_arrays).traces)
            del binding, snapshot
            step(x, y)
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            step(x, y)
            found["replayed"] = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    return found


def ablation(framework: str, sizes: list[int], rounds: int, batch: int = 32) -> dict[str, Any]:
    """The time of a step with each pass off in turn, in times of the step with all. Raises ImportError."""
    from mytorch.graph import PASSES

    x, y, layers = arrays(sizes, batch)
    steps: dict[str, Any] = {}
    for off in ("none", *PASSES):
        chosen = [one for one in PASSES if one != off]
        steps[off], _ = compiled(layers, framework.removeprefix("mytorch_"), passes=chosen)
    seconds: dict[str, list[float]] = {off: [] for off in steps}
    for step in steps.values():
        for _ in range(4):
            step(x, y)
    count = max(1, int(0.02 / max(_seconds(steps["none"], x, y), 1e-6)))
    for _ in range(rounds):
        for off, step in steps.items():
            begin = time.perf_counter()
            for _ in range(count):
                step(x, y)
            seconds[off].append(time.perf_counter() - begin)
    return {off: ratio(times, seconds["none"]) for off, times in seconds.items() if off != "none"}


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
