"""Measurements in many processes, started by ``mpiexec -n N python -m benchmarks.distributed_worker REQUEST``.

REQUEST is JSON: the name of one of the functions in ``ANSWERS`` and its arguments. Process 0 prints the answer as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.comparisons.memory import forget_peak, peak, resident
from mytorch import Autograd, distributed, nn, optim
from mytorch.distributed.gradients import Bucket

SIZES = (784, 512, 512, 512, 512, 10)
PARAMETERS = sum(a * b + b for a, b in pairwise(SIZES))
BATCH = 256  # rows of all processes together
PARTS = ("forward", "backward", "update", "waited", "total")
# Steps of each visit; the first only brings the data back to the cache.
VISIT = 3
COLLECTIVES = ("all-reduce", "reduce-scatter", "all-gather")


class TimedWorld(distributed.World):
    """A World that adds up the seconds which its process waits."""

    waited = 0.0

    def wait(self, request: Any, what: str, sent: int = 0) -> None:
        began = time.perf_counter()
        super().wait(request, what, sent)
        self.waited += time.perf_counter() - began

    def barrier(self) -> None:
        """Wait for all; unlike MPI's own barrier, this leaves the core to others."""
        self.wait(self.comm.Ibarrier(), "a barrier")


class Done:
    """An exchange that is over."""

    def Test(self) -> bool:
        return True


class Silent:
    """Stand-in for a communicator. It moves nothing between processes, so that a step takes as long as its computing."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.size

    def Ibcast(self, value: np.ndarray, root: int) -> Done:
        return Done()

    def Iallreduce(self, in_place: Any, flat: np.ndarray) -> Done:
        return Done()

    def Ireduce_scatter_block(self, flat: np.ndarray, own: np.ndarray) -> Done:
        own[...] = flat[self.rank * own.size : (self.rank + 1) * own.size]
        return Done()

    def Iallgather(self, own: np.ndarray, every: np.ndarray) -> Done:
        every.reshape(self.size, -1)[...] = own.reshape(-1)
        return Done()


class Watched(distributed.DataParallel):
    """DataParallel that notes when each bucket is sent."""

    def backward(self, loss: np.ndarray | None, share: float, last: bool = True) -> None:
        self.begun: list[float] = []
        super().backward(loss, share, last)

    def _begin(self, bucket: Bucket) -> None:
        self.begun.append(time.perf_counter())
        super()._begin(bucket)


class Training:
    """The network of this benchmark, its batch, and Adam, in one of all processes."""

    def __init__(self, world: TimedWorld, stage: int, overlap: bool) -> None:
        self.world, self.engine = world, Autograd()
        rng = np.random.default_rng(0)
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(SIZES):
            layers += [nn.Linear(wide, narrow, self.engine, rng=rng, dtype=np.float32), nn.ReLU(self.engine)]
        self.net, self.criterion = nn.Sequential(*layers[:-1]), nn.SoftmaxCrossEntropy(self.engine)
        self.parallel = Watched(world, self.net.parameters(), self.engine, stage=stage, overlap=overlap)
        self.optimizer: Any
        if stage:
            self.optimizer = distributed.ShardedOptimizer(self.parallel, lambda parts: optim.Adam(parts, lr=1e-5))
        else:
            self.optimizer = optim.Adam(self.net.parameters(), lr=1e-5)
        own = world.rows(BATCH)
        self.x = rng.standard_normal((BATCH, SIZES[0])).astype(np.float32)[own]
        self.y = rng.integers(0, SIZES[-1], BATCH)[own]

    def step(self) -> list[float]:
        """Seconds of PARTS in one step, then those from the backward pass's begin until each bucket was sent."""
        world, began = self.world, time.perf_counter()
        world.waited = 0.0
        self.engine.zero_grad()
        self.optimizer.zero_grad()
        loss = self.criterion(self.y, self.net(self.engine.data(self.x)))
        forward = time.perf_counter()
        self.parallel.backward(loss, len(self.x) / BATCH)
        backward, waited = time.perf_counter(), world.waited
        self.optimizer.step()
        end = time.perf_counter()
        update = end - backward - (world.waited - waited)
        parts = [forward - began, backward - forward - waited, update, world.waited, end - began]
        return parts + [begun - forward for begun in self.parallel.begun]


class Steps:
    """Steps of every stage, with and without overlap and with nothing sent (``silent``).

    found: by name, the seconds of ``Training.step`` for each step. sent: bytes per step.
    """

    def __init__(self, world: TimedWorld) -> None:
        self.world = world
        silent = TimedWorld(world.mpi, Silent(world.rank, world.size))
        self.runs: dict[str, Training] = {}
        for stage in (0, 1, 2):
            self.runs[f"{stage} silent"] = Training(silent, stage, True)
            for overlap in (True, False):
                self.runs[f"{stage} {'overlap' if overlap else 'in turn'}"] = Training(world, stage, overlap)
        self.found: dict[str, list[list[float]]] = {name: [] for name in self.runs}
        self.sent = dict.fromkeys(self.runs, 0)
        self.order = random.Random(0)  # the same in all processes

    def round(self) -> None:
        """Some steps of each, in random order."""
        for name in self.order.sample(list(self.runs), len(self.runs)):
            for repetition in range(VISIT):
                self.world.barrier()
                before = self.world.sent
                seconds = self.runs[name].step()
                self.sent[name] = self.world.sent - before
                if repetition:
                    self.found[name].append(seconds)


def exchange(world: TimedWorld, collective: str, whole: np.ndarray, own: np.ndarray) -> Any:
    """Begin an exchange of an array of which ``own`` is one process's part."""
    if collective == "all-reduce":
        return world.comm.Iallreduce(world.mpi.IN_PLACE, whole)
    if collective == "reduce-scatter":
        return world.comm.Ireduce_scatter_block(whole, own)
    return world.comm.Iallgather(own, whole)


class Exchanges:
    """Exchanges of several sizes, alone and while the process computes.

    alone: seconds by kind and bytes. together: seconds of computing alone, with an exchange, and of that exchange alone. The
    computing is that of one layer's backward pass again and again, with a look after the exchange in between, as in the walk
    along the list.
    """

    def __init__(self, world: TimedWorld, sizes: list[int]) -> None:
        self.world, self.sizes = world, sizes
        self.alone: dict[str, list[float]] = {f"{name} {size}": [] for name in COLLECTIVES for size in sizes}
        self.together: dict[str, list[list[float]]] = {name: [] for name in COLLECTIVES[:2]}
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((max(1, BATCH // world.size), 512)).astype(np.float32)
        self.W = rng.standard_normal((512, 512)).astype(np.float32)

    def round(self) -> None:
        """Each of them once."""
        for name in COLLECTIVES:
            for size in self.sizes:
                self.alone[f"{name} {size}"].append(self._seconds(name, size))
        for name, found in self.together.items():
            self._seconds(None, 1 << 20, computing=True)
            found.append([
                self._seconds(None, 1 << 20, computing=True),
                self._seconds(name, 1 << 20, computing=True),
                self._seconds(name, 1 << 20),
            ])  # fmt: skip

    def _seconds(self, collective: str | None, size: int, computing: bool = False) -> float:
        whole = np.empty(size // 4 // self.world.size * self.world.size, np.float32)
        whole.fill(1)  # so that the memory is there
        own = np.ones(whole.size // self.world.size, np.float32)
        self.world.barrier()
        began = time.perf_counter()
        request = exchange(self.world, collective, whole, own) if collective else Done()
        if computing:
            for _ in range(4):
                self.x @ self.W
                self.x.T @ self.x
                request.Test()
        self.world.wait(request, "an exchange")
        return time.perf_counter() - began


def measure(world: TimedWorld, sizes: list[int], rounds: int) -> dict[str, Any]:
    """Steps and exchanges in turn, so that both meet the same machine. For exchanges the time of the slowest process."""
    steps, exchanges = Steps(world), Exchanges(world, sizes)
    for _ in range(rounds):
        exchanges.round()
        steps.round()
    every = world.comm.gather((steps.found, exchanges.alone, exchanges.together))
    if world.rank:
        return {}

    def slowest(of: int) -> dict[str, Any]:
        return {name: np.max([one[of][name] for one in every], axis=0).tolist() for name in every[0][of]}

    return {
        "steps": {name: [list(step) for step in zip(*(one[0][name] for one in every))] for name in steps.runs},
        "sent": steps.sent,
        "buckets": [bucket.size * bucket.dtype.itemsize for bucket in steps.runs["0 silent"].parallel.buckets],
        "alone": slowest(1),
        "together": slowest(2),
    }


def memory(world: TimedWorld, stage: int) -> dict[str, Any]:
    """Bytes of the optimiser's state in a process, and the most by which its resident memory grows in training."""
    before = resident()
    forget_peak()
    run = Training(world, stage, True)
    for _ in range(3):
        run.step()
    grown = peak() - before
    state = run.optimizer.state_bytes if stage else sum(a.nbytes for s in run.optimizer.state.values() for a in s)
    return {"state": state, "peak": float(world.gather(grown).max())}


ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {"measure": measure, "memory": memory}


def main() -> None:
    """Answer the request of the command line."""
    started = distributed.start()
    world = TimedWorld(started.mpi, started.comm)
    name, arguments = json.loads(sys.argv[1])
    answer = ANSWERS[name](world, **arguments)
    if world.rank == 0:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
