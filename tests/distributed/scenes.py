"""Scenes for the tests: ``mpiexec -n N python -m tests.distributed.scenes NAME``. Process 0 prints its result as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mytorch import distributed, nn, optim
from mytorch.autograd_engine import Autograd

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.1, momentum=0.9),
    "adam": partial(optim.Adam, lr=0.01),
    "adamw": partial(optim.AdamW, lr=0.01, weight_decay=0.1),
}
STEPS, FEATURES, CLASSES = 50, 12, 5
# Batches of these sizes in turn: shares are unequal, and with more than two processes one has no row at all.
SIZES = (7, 13, 2)


def network(engine: Autograd, between: Callable[[int], list[nn.Module]] = lambda width: []) -> nn.Sequential:
    """A network whose two wide layers are used; a third one never is."""
    rng = np.random.default_rng(0)
    first, second = nn.Linear(FEATURES, 40, engine, rng=rng), nn.Linear(40, 30, engine, rng=rng)
    net = nn.Sequential(
        first, *between(40), nn.Tanh(engine), second, nn.ReLU(engine), nn.Linear(30, CLASSES, engine, rng=rng)
    )
    net.spare = nn.Linear(3, 2, engine, rng=rng)  # type: ignore[attr-defined]
    return net


def batches(sizes: tuple[int, ...] = SIZES) -> Any:
    rng = np.random.default_rng(1)
    for step in range(STEPS):
        n = sizes[step % len(sizes)]
        yield rng.standard_normal((n, FEATURES)), rng.integers(0, CLASSES, n)


def in_one(
    make: Callable[..., Any],
    clip: float | None = None,
    between: Callable[[Autograd], Callable[[int], list[nn.Module]]] = lambda engine: lambda width: [],
    sizes: tuple[int, ...] = SIZES,
) -> dict[str, np.ndarray]:
    """The training in one process: losses, weights and optimiser state at its end."""
    engine = Autograd()
    net = network(engine, between(engine))
    criterion, optimizer = nn.SoftmaxCrossEntropy(engine), make(net.parameters())
    losses = []
    for x, y in batches(sizes):
        engine.zero_grad()
        optimizer.zero_grad()
        losses.append(float(criterion(y, net(x))[0]))
        criterion.backward()
        if clip:
            optim.clip_grad_norm(optimizer.parameters, clip)
        optimizer.step()
    return {"losses": np.array(losses), **net.state_dict(), **optimizer.state_dict()}


def in_many(
    world: distributed.World,
    make: Callable[..., Any],
    stage: int,
    clip: float | None = None,
    parts: int = 1,
    between: Callable[[Autograd], Callable[[int], list[nn.Module]]] = lambda engine: lambda width: [],
    sizes: tuple[int, ...] = SIZES,
    before_step: Callable[[int], None] = lambda n: None,
    **settings: Any,
) -> tuple[dict[str, np.ndarray], Any]:
    """The same training by all processes. parts: pieces in which each process works off its rows."""
    engine = Autograd()
    net = network(engine, between(engine))
    criterion = nn.SoftmaxCrossEntropy(engine)
    parallel = distributed.DataParallel(world, net.parameters(), engine, stage=stage, bucket_bytes=1000, **settings)
    optimizer = distributed.ShardedOptimizer(parallel, make) if stage else make(net.parameters())
    losses = []
    for x, y in batches(sizes):
        n, own = len(x), world.rows(len(x))
        before_step(n)
        optimizer.zero_grad()
        loss = 0.0
        for part, rows in enumerate(np.array_split(np.arange(own.start, own.stop), parts)):
            engine.zero_grad()
            value = criterion(y[rows], net(x[rows])) if len(rows) else None
            loss += 0.0 if value is None else float(value[0]) * len(rows) / n
            parallel.backward(value, len(rows) / n, last=part == parts - 1)
        losses.append(float(world.sum(loss)[0]))
        if clip:
            clipped = optimizer.clip_grad_norm if stage else partial(optim.clip_grad_norm, optimizer.parameters)
            clipped(clip)
        optimizer.step()
    return {"losses": np.array(losses), **net.state_dict(), **optimizer.state_dict()}, optimizer


def difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """The largest difference of two results, in parts of the largest entry of each array, or of 0.01.

    An array whose entries are zero but for rounding has no digits to compare.
    """
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    found = []
    for name, array in one.items():
        scale = max(float(np.max(np.abs(array), initial=0)), 0.01)
        found.append(float(np.max(np.abs(np.asarray(array) - other[name]), initial=0)) / scale)
    return max(found)


def equal_everywhere(world: distributed.World, found: dict[str, np.ndarray]) -> bool:
    """True if all processes have the same bits."""
    return len(set(world.comm.allgather(b"".join(np.asarray(a).tobytes() for a in found.values())))) == 1


def equal(world: distributed.World) -> dict[str, Any]:
    """Every optimiser and stage, with and without clipping, against one process."""
    told = {}
    for name, make in OPTIMIZERS.items():
        for clip in (None, 0.05):
            one = in_one(make, clip)
            for stage in (0, 1, 2):
                many, _ = in_many(world, make, stage, clip)
                told[f"{name}, stage {stage}, clip {clip}"] = [difference(one, many), equal_everywhere(world, many)]
    return told


def variants(world: distributed.World) -> dict[str, Any]:
    """Without overlap, in parts, with Dropout of shared draws, with synchronised batch normalisation."""
    make, told = OPTIMIZERS["adam"], {}
    many, _ = in_many(world, make, 2, overlap=False)
    told["no overlap"] = difference(in_one(make), many)
    even = (8 * world.size,)
    many, _ = in_many(world, make, 1, parts=4, sizes=even)
    told["in parts"] = difference(in_one(make, sizes=even), many)

    def dropped(rng: np.random.Generator) -> Any:
        return lambda engine: lambda width: [nn.Dropout(engine, 0.3, rng=rng)]

    own = distributed.OwnRows(np.random.Generator(np.random.PCG64(3)), world)
    sizes = (7, 13, 4)
    many, _ = in_many(world, make, 0, between=dropped(own), sizes=sizes, before_step=lambda n: setattr(own, "n", n))
    one = in_one(make, between=dropped(np.random.Generator(np.random.PCG64(3))), sizes=sizes)
    told["dropout"] = difference(one, many)

    # Not with Adam, which would blow up a gradient that is zero but for rounding, as that of the bias before this layer.
    make = OPTIMIZERS["sgd"]
    many, _ = in_many(
        world, make, 0, between=lambda e: lambda w: [distributed.SyncBatchNorm1d(w, e, world)], sizes=sizes
    )
    one = in_one(make, between=lambda engine: lambda width: [nn.BatchNorm1d(width, engine)], sizes=sizes)
    told["synchronised batch norm"] = difference(one, many)
    return told


def overlap(world: distributed.World) -> dict[str, Any]:
    """Buckets that are on their way while the first layer's gradient is still to be computed, with and without overlap."""
    told = {}
    for name in ("overlap", "no overlap"):
        engine = Autograd()
        net = network(engine)
        parallel = distributed.DataParallel(
            world, net.parameters(), engine, bucket_bytes=1000, overlap=name == "overlap"
        )
        x, y = next(batches())
        criterion = nn.SoftmaxCrossEntropy(engine)
        loss = criterion(y, net(x))
        first = engine.operation_list[0]
        rule, on_the_way = first.backward_operation, []

        def last_rule(*given: Any, rule: Any = rule, counts: list[int] = on_the_way, all_of: Any = parallel) -> Any:
            counts.append(sum(bucket.request is not None for bucket in all_of.buckets))
            return rule(*given)

        first.backward_operation = last_rule
        parallel.backward(loss, 1 / world.size)
        told[name] = on_the_way
    return told


def sizes(world: distributed.World) -> dict[str, Any]:
    """Bytes of state and bytes sent, for each stage."""
    told = {}
    for stage in (0, 1, 2):
        before = world.sent
        _, optimizer = in_many(world, OPTIMIZERS["adam"], stage)
        told[str(stage)] = {
            "sent": (world.sent - before) / STEPS,
            "state": optimizer.state_bytes if stage else sum(a.nbytes for s in optimizer.state.values() for a in s),
            "weights": sum(p.value.nbytes for p in optimizer.parameters),
        }
    return told


def trouble(kind: str) -> Callable[[distributed.World], Any]:
    """One process that does what it should not."""

    def happen(world: distributed.World) -> Any:
        bad = world.rank == 1
        if kind == "other network":
            engine = Autograd()
            distributed.DataParallel(world, nn.Linear(3, 4 + bad, engine).parameters(), engine)
        if kind == "stopped" and bad:
            import signal

            os.kill(os.getpid(), signal.SIGSTOP)
        if kind == "left" and bad:
            sys.exit(0)
        in_many(world, OPTIMIZERS["sgd"], 0)
        return "went on"

    return happen


SCENES: dict[str, Callable[[distributed.World], Any]] = {
    "equal": equal,
    "variants": variants,
    "overlap": overlap,
    "sizes": sizes,
    **{name: trouble(name) for name in ("other network", "stopped", "left")},
}


def main() -> None:
    world = distributed.start(timeout=float(os.environ.get("SCENE_PATIENCE", "60")))
    try:
        found = SCENES[sys.argv[1]](world)
    except distributed.Mismatch as error:
        sys.exit(str(error) if world.rank == 0 else 1)
    if world.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
