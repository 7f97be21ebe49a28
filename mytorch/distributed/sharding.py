"""ShardedOptimizer: each process updates its part of the weights, and holds the state of that part alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mytorch.distributed.gradients import Bucket, DataParallel
from mytorch.nn.modules.module import Parameter
from mytorch.optim import Optimizer


class Part:
    """This process's part of a bucket, in the form that an optimiser takes: weights W and their gradient dW."""

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self.W, self.dW = np.zeros(size, dtype), np.zeros(size, dtype)


class ShardedOptimizer:
    """An optimiser whose state is spread over the processes (stages 1 and 2 of ZeRO, S. Rajbhandari et al., 2020).

    make: the optimiser, as a function of the parameters, for example ``partial(optim.Adam, lr=0.001)``. It has to treat every
    entry by itself, as all of ``mytorch.optim`` do. parallel: the gradients, with stage 1 or 2.

    ``state_dict`` is that of the optimiser in one process, so that a run goes on with another number of processes.
    """

    def __init__(self, parallel: DataParallel, make: Callable[[Iterable[Parameter]], Optimizer]) -> None:
        if parallel.stage == 0:
            raise ValueError("A ShardedOptimizer takes gradients of stage 1 or 2; DataParallel(..., stage=1).")
        self.parallel, self.world, self.parameters = parallel, parallel.world, parallel.parameters
        n = self.world.size
        self.parts = [Part(bucket.size // n, bucket.dtype) for bucket in parallel.buckets]
        self.inner = make([Parameter(part, "W") for part in self.parts])
        for parameter in self.parameters:
            if parameter.momentum is not None:  # of the layers, which this optimiser does not use
                setattr(
                    parameter.owner,
                    str(parameter.momentum_name),
                    np.zeros(parameter.value.shape, parameter.value.dtype),
                )

    @property
    def lr(self) -> float:
        """Learning rate, so that a schedule can change it."""
        return self.inner.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.inner.lr = value

    @property
    def state_bytes(self) -> int:
        """Bytes of the optimiser's state in this process."""
        return sum(array.nbytes for arrays in self.inner.state.values() for array in arrays)

    def zero_grad(self) -> None:
        """Fill the gradients of the layers with zeros; with stage 2 there is nothing in them."""
        if self.parallel.stage == 1:
            for parameter in self.parameters:
                parameter.gradient.fill(0)

    def clip_grad_norm(self, max_norm: float) -> float:
        """The same as ``optim.clip_grad_norm`` for the gradients of all processes together. Returns the norm from before.

        Raises ValueError on every process for a norm that is not finite.
        """
        squares = [float(np.sum(np.square(self._own(b), dtype=np.float64))) for b in self.parallel.buckets]
        norm = math.sqrt(float(self.world.sum(sum(squares))[0]))
        if not math.isfinite(norm):
            raise ValueError(f"The gradients' norm is {norm}: some gradient is not finite.")
        if norm > max_norm:
            for bucket in self.parallel.buckets:
                self._own(bucket)[...] *= max_norm / norm
        return norm

    def step(self) -> None:
        """Update this process's part of every parameter and give the others theirs."""
        begin = self.world.rank
        for bucket, part in zip(self.parallel.buckets, self.parts):
            size = part.W.size
            self._copy(bucket, part.W, slice(begin * size, (begin + 1) * size))
            part.dW[...] = self._own(bucket)
            bucket.own = None
        self.inner.step()
        for bucket, part in zip(self.parallel.buckets, self.parts):
            every = np.empty(bucket.size, bucket.dtype)
            request = self.world.comm.Iallgather(part.W, every)
            self.world.wait(request, "the exchange of weights", (self.world.size - 1) * part.W.nbytes)
            for number, place in bucket.places.items():
                value = self.parameters[number].value
                value[...] = every[place].reshape(value.shape)

    def _own(self, bucket: Bucket) -> np.ndarray:
        if bucket.own is None:
            raise RuntimeError("There is no gradient to step with; call DataParallel.backward first.")
        return bucket.own

    def _copy(self, bucket: Bucket, target: np.ndarray, window: slice) -> None:
        """Copy the window of a bucket's weights, which lie in the layers, into target."""
        for number, place in bucket.places.items():
            first, last = max(place.start, window.start), min(place.stop, window.stop)
            if first < last:
                flat = self.parameters[number].value.reshape(-1)
                target[first - window.start : last - window.start] = flat[first - place.start : last - place.start]

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimiser in one process, gathered; every process has to call it."""
        saved: dict[str, Any] = {"lr": self.inner.lr, "steps": self.inner.steps}
        for name in self.inner.state_names:
            found: dict[int, np.ndarray] = {}
            for bucket, own in zip(self.parallel.buckets, self.inner.state[name]):
                every = np.empty(bucket.size, own.dtype)
                self.world.wait(self.world.comm.Iallgather(own, every), "the saving of the state")
                for number, place in bucket.places.items():
                    found[number] = every[place].reshape(self.parameters[number].value.shape).copy()
            saved.update({f"{name}.{number}": found[number] for number in sorted(found)})
        return saved

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up the state of one process or of any number. Raises ValueError if it is another optimiser's."""
        names = {f"{name}.{number}" for name in self.inner.state_names for number in range(len(self.parameters))}
        shapes = all(
            np.shape(saved.get(f"{name}.{number}", 0.0)) == parameter.value.shape
            for name in self.inner.state_names
            for number, parameter in enumerate(self.parameters)
        )
        if saved.keys() != names | {"lr", "steps"} or not shapes:
            raise ValueError(f"This state was not saved by {type(self.inner).__name__} for a network of these sizes.")
        self.inner.lr, self.inner.steps = float(saved["lr"]), int(saved["steps"])
        for name in self.inner.state_names:
            for bucket, own in zip(self.parallel.buckets, self.inner.state[name]):
                whole = np.zeros(bucket.size, own.dtype)
                for number, place in bucket.places.items():
                    whole[place] = np.asarray(saved[f"{name}.{number}"]).reshape(-1)
                own[...] = whole[self.world.rank * own.size : (self.world.rank + 1) * own.size]
