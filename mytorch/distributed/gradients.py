"""DataParallel: gradients of all processes summed in buckets, each sent as soon as the backward pass has filled it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mytorch.distributed.world import World
from mytorch.nn.modules.module import Parameter

BUCKET = 1 << 20


@dataclass
class Bucket:
    """Parameters whose gradients travel together.

    places: number of the parameter to its slice of ``flat``, a multiple of the number of processes long, which is there from
    the first gradient on. own: this process's share of the sum, in a sharded run. waiting: parameters without their last
    gradient. request: the exchange, once it has begun.
    """

    dtype: np.dtype
    size: int = 0
    places: dict[int, slice] = field(default_factory=dict)
    flat: np.ndarray | None = None
    own: np.ndarray | None = None
    waiting: set[int] = field(default_factory=set)
    request: Any = None


class DataParallel:
    """The gradients of a network that every process holds and trains with rows of its own.

    ``backward(loss, share)`` takes the place of ``engine.backward(loss)``: afterwards each gradient is the sum over all
    processes, weighted by their shares, as if one process had seen all rows. The last layer's gradients travel while those of
    the first are still computed (S. Li et al., PyTorch distributed, VLDB 2020).

    stage: 0 keeps whole gradients and optimiser state in every process; 1 shards the state, 2 the gradients too (S. Rajbhandari
    et al., ZeRO, 2020): for both use ``ShardedOptimizer``. overlap: False sends everything after the backward pass.
    bucket_bytes: size from which a bucket is full.
    """

    def __init__(
        self,
        world: World,
        parameters: Iterable[Parameter],
        engine: Any,
        stage: int = 0,
        bucket_bytes: int = BUCKET,
        overlap: bool = True,
    ) -> None:
        if stage not in (0, 1, 2):
            raise ValueError(f"stage is {stage}; expected 0 (nothing sharded), 1 (state) or 2 (state and gradients).")
        self.world, self.engine, self.stage, self.overlap = world, engine, stage, overlap
        self.parameters = list(parameters)
        world.check_same("network", ", ".join(f"{p.value.shape} {p.value.dtype}" for p in self.parameters))
        if stage == 2:
            for parameter in self.parameters:
                # Untouched memory of this kind takes no place; np.zeros_like would fill it.
                setattr(
                    parameter.owner, parameter.gradient_name, np.zeros(parameter.value.shape, parameter.value.dtype)
                )
        self.buckets = self._fill_buckets(bucket_bytes)
        self._bucket_of = {number: bucket for bucket in self.buckets for number in bucket.places}
        self._first_use: dict[int, tuple[int, int]] = {}
        self._share, self._is_last, self._started = 1.0, True, 0
        for parameter in self.parameters:
            value = np.ascontiguousarray(parameter.value)
            world.wait(world.comm.Ibcast(value, root=0), "the exchange of weights")
            parameter.value[...] = value

    def _fill_buckets(self, bucket_bytes: int) -> list[Bucket]:
        """Buckets in the order in which the backward pass fills them, as a rule: the last layers first."""
        buckets: list[Bucket] = []
        for number in reversed(range(len(self.parameters))):
            value = self.parameters[number].value
            if not buckets or buckets[-1].dtype != value.dtype or buckets[-1].size * value.itemsize >= bucket_bytes:
                buckets.append(Bucket(value.dtype))
            bucket = buckets[-1]
            bucket.places[number] = slice(bucket.size, bucket.size + value.size)
            bucket.size += value.size
        for bucket in buckets:
            bucket.size += -bucket.size % self.world.size
        return buckets

    def backward(self, loss: np.ndarray | None, share: float, last: bool = True) -> None:
        """Walk the list back and sum the gradients of all processes.

        loss: as for ``engine.backward``, the mean over this process's rows; None in a process without rows. share: these rows
        over the rows of all processes. last: False for all but the last part of a batch that is worked off in parts; nothing
        is sent before the last.

        Gradients are added to the slots of the layers; with stage 2 they go to the optimiser alone.
        """
        self._share, self._is_last = share, last
        self._started = 0
        self._first_use = {}
        for number, operation in enumerate(self.engine.operation_list):
            for slot in operation.gradients_to_update:
                if slot is not None and id(slot) not in self._first_use:
                    self._first_use[id(slot)] = number, -1
        used = set()
        for number, parameter in enumerate(self.parameters):
            first, _ = self._first_use.get(id(parameter.gradient), (-1, -1))
            self._first_use[id(parameter.gradient)] = first, number
            if first >= 0:
                used.add(number)
        for bucket in self.buckets:
            bucket.waiting = used & bucket.places.keys()  # an unused parameter keeps nobody waiting
        if loss is not None:
            self.engine.on_gradient = self._arrived
            try:
                self.engine.backward(loss)
            finally:
                self.engine.on_gradient = None
        if last:
            for bucket in self.buckets[self._started :]:
                self._begin(bucket)
            for bucket in self.buckets:
                self._finish(bucket)

    def _arrived(self, operation: int, slot: np.ndarray, gradient: np.ndarray) -> bool:
        """Enter a gradient into its bucket; begin to send what is complete. True if the slot is one of the network's."""
        first, number = self._first_use[id(slot)]
        if number < 0:
            return False
        bucket = self._bucket_of[number]
        if bucket.flat is None:
            bucket.flat = np.zeros(bucket.size, bucket.dtype)
        bucket.flat[bucket.places[number]] += np.multiply(gradient, self._share, dtype=bucket.dtype).reshape(-1)
        if operation == first:
            bucket.waiting.discard(number)
        if self.overlap and self._is_last:
            # In the same order in every process, or the exchanges would meet others.
            while self._started < len(self.buckets) and not self.buckets[self._started].waiting:
                self._begin(self.buckets[self._started])
                self._started += 1
            for other in self.buckets[: self._started]:
                other.request.Test()  # MPI moves data on while somebody asks
        return True

    def _begin(self, bucket: Bucket) -> None:
        comm, mpi = self.world.comm, self.world.mpi
        if bucket.flat is None:
            bucket.flat = np.zeros(bucket.size, bucket.dtype)
        if self.stage == 2:
            bucket.own = np.empty(bucket.size // self.world.size, bucket.dtype)
            bucket.request = comm.Ireduce_scatter_block(bucket.flat, bucket.own)
        else:
            bucket.request = comm.Iallreduce(mpi.IN_PLACE, bucket.flat)

    def _finish(self, bucket: Bucket) -> None:
        """Wait for a bucket's sum, hand it on and let go of the bucket's memory."""
        n, bytes_ = self.world.size, bucket.size * bucket.dtype.itemsize
        # What a ring sends, the least that is possible: R. Thakur, R. Rabenseifner and W. Gropp, 2005.
        sent = (1 if self.stage == 2 else 2) * (n - 1) * bytes_ // n
        self.world.wait(bucket.request, "the sum of the gradients", sent)
        assert bucket.flat is not None
        bucket.request = None
        if self.stage < 2:
            for number, place in bucket.places.items():
                gradient = self.parameters[number].gradient
                gradient += bucket.flat[place].reshape(gradient.shape)
        if self.stage == 1:
            size = bucket.size // n
            bucket.own = bucket.flat[self.world.rank * size : (self.world.rank + 1) * size].copy()
        bucket.flat = None
