"""BatchNorm1d and LayerNorm: zero mean and unit variance, then a learned scale and shift."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mytorch.nn.functional import normalize_backward
from mytorch.nn.modules.module import Module
from mytorch.nn.nonlinear import as_float


class Normalization(Module):
    """The part that both share. gamma (scale, begins at 1) and beta (shift, begins at 0) are learned."""

    parameter_names = ("gamma", "beta")

    def __init__(self, shape: tuple[int, ...], autograd_engine: Any, eps: float, dtype: Any) -> None:
        super().__init__(autograd_engine)
        self.eps = eps
        self.gamma, self.beta = np.ones(shape, dtype), np.zeros(shape, dtype)
        self.dgamma, self.dbeta = np.zeros(shape, dtype), np.zeros(shape, dtype)

    def _apply(
        self,
        x: np.ndarray,
        axes: tuple[int, ...],
        shape: tuple[int, ...],
        mean: np.ndarray,
        var: np.ndarray,
        fixed: bool,
    ) -> np.ndarray:
        inverse_std = 1 / np.sqrt(var + self.eps)
        y = self.gamma.reshape(shape) * ((x - mean) * inverse_std) + self.beta.reshape(shape)
        rule = partial(normalize_backward, axes=axes, shape=shape, mean=mean, inverse_std=inverse_std, fixed=fixed)
        self.autograd_engine.add_operation([x, self.gamma, self.beta], y, [None, self.dgamma, self.dbeta], rule)
        return y


class BatchNorm1d(Normalization):
    """Normalises each feature over the batch (Ioffe and Szegedy, 2015): x (N, C) or (N, C, L).

    Training uses the batch's own mean and variance and moves running_mean and running_var by ``momentum`` towards them
    (the running variance is the unbiased one); evaluation uses the running ones.
    """

    buffer_names = ("running_mean", "running_var")

    def __init__(
        self, num_features: int, autograd_engine: Any, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float64
    ) -> None:
        super().__init__((num_features,), autograd_engine, eps, dtype)
        self.momentum = momentum
        self.running_mean, self.running_var = np.zeros(num_features, dtype), np.ones(num_features, dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Raises ValueError for another shape, and in training for a batch with a single value per feature."""
        features = self.gamma.size
        if x.ndim not in (2, 3) or x.shape[1] != features:
            raise ValueError(
                f"BatchNorm1d({features}) was given shape {x.shape}; it takes (N, {features}) or (N, {features}, L)."
            )
        axes, shape = ((0,), (1, features)) if x.ndim == 2 else ((0, 2), (1, features, 1))
        if not self.training:
            # A copy, because the running mean may move on before the backward pass.
            mean = self.running_mean.reshape(shape).copy()
            return self._apply(x, axes, shape, mean, self.running_var.reshape(shape), fixed=True)
        count = x.size // features
        if count < 2:
            raise ValueError(
                f"BatchNorm1d needs at least two values per feature to train; shape {x.shape} has {count}. Use a larger "
                "batch, or eval()."
            )
        mean, var = as_float(x).mean(axis=axes, keepdims=True), as_float(x).var(axis=axes, keepdims=True)
        self.running_mean += self.momentum * (mean.reshape(-1) - self.running_mean)
        self.running_var += self.momentum * (var.reshape(-1) * (count / (count - 1)) - self.running_var)
        return self._apply(x, axes, shape, mean, var, fixed=False)


class LayerNorm(Normalization):
    """Normalises each sample over its last axes (Ba, Kiros and Hinton, 2016): x (..., *normalized_shape)."""

    def __init__(
        self, normalized_shape: int | tuple[int, ...], autograd_engine: Any, eps: float = 1e-5, dtype: Any = np.float64
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else tuple(normalized_shape)
        super().__init__(shape, autograd_engine, eps, dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Raises ValueError where the last axes are not normalized_shape."""
        shape = self.gamma.shape
        if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
            raise ValueError(f"LayerNorm({shape}) was given shape {x.shape}, whose last axes are not {shape}.")
        axes = tuple(range(x.ndim - len(shape), x.ndim))
        mean, var = as_float(x).mean(axis=axes, keepdims=True), as_float(x).var(axis=axes, keepdims=True)
        return self._apply(x, axes, (1,) * (x.ndim - len(shape)) + shape, mean, var, fixed=False)
