"""SyncBatchNorm1d: batch normalisation over the rows of all processes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mytorch.distributed.world import World
from mytorch.nn.modules.normalization import BatchNorm1d
from mytorch.nn.nonlinear import as_float
from mytorch.utils import fit


class SyncBatchNorm1d(BatchNorm1d):
    """BatchNorm1d whose mean and variance are those of all processes' rows, x (N, C).

    Every process has to come to it forward and backward, so each needs at least one row. What a process leaves for gamma and
    beta is the part of its own rows; DataParallel sums them.
    """

    def __init__(self, num_features: int, autograd_engine: Any, world: World, **settings: Any) -> None:
        super().__init__(num_features, autograd_engine, **settings)
        self.world = world

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Raises ValueError for another shape, and in training where all processes together have one row."""
        if not self.training or x.ndim != 2 or x.shape[1] != self.gamma.size:
            return super().forward(x)
        wide = as_float(x)
        count, *sums = np.split(self.world.sum([len(x), *wide.sum(axis=0, dtype=np.float64)]), [1])
        n = count[0]
        if n < 2:
            raise ValueError("SyncBatchNorm1d needs at least two rows in all processes together to train.")
        mean = (sums[0] / n).astype(wide.dtype)
        # In a second exchange, because the mean of squares minus the square of the mean cancels.
        var = (self.world.sum(np.square(wide - mean).sum(axis=0, dtype=np.float64)) / n).astype(wide.dtype)
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * (n / (n - 1)) - self.running_var)
        inverse_std = 1 / np.sqrt(var + self.eps)
        y = self.gamma * ((x - mean) * inverse_std) + self.beta
        rule = partial(sync_normalize_backward, mean=mean, inverse_std=inverse_std, world=self.world)
        self.autograd_engine.add_operation([x, self.gamma, self.beta], y, [None, self.dgamma, self.dbeta], rule)
        return y


def sync_normalize_backward(
    grad_output: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    inverse_std: np.ndarray,
    world: World,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The formula of ``normalize_backward``, its two means taken over the rows of all processes.

    The gradients of the processes' rows are those of one loss only when each is weighted by its process's share of the rows.
    """
    x_hat = (x - mean) * inverse_std
    g = grad_output * gamma
    own = [len(x), *(g * len(x)).sum(axis=0, dtype=np.float64), *(g * x_hat * len(x)).sum(axis=0, dtype=np.float64)]
    total = world.sum(own)
    n, width = total[0], gamma.size
    first, second = total[1 : 1 + width] / n, total[1 + width :] / n
    share = len(x) / n
    grad_x = inverse_std * (g - (first / n + x_hat * (second / n)) / share)
    return fit(grad_x, x), fit((grad_output * x_hat).sum(axis=0), gamma), fit(grad_output.sum(axis=0), beta)
