"""Linear: y = x W^T + b^T."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mytorch.nn.functional import linear_backward
from mytorch.nn.modules.module import Module

linear_of_data_backward = partial(linear_backward, needs_x=False)


class Linear(Module):
    """A fully connected layer: x (..., in_features) to y (..., out_features).

    W is (out_features, in_features), b is (out_features, 1); dW and db are their gradients, momentum_W and momentum_b
    the velocity of SGD. W and b begin uniform in +-1/sqrt(in_features), the bound that PyTorch's Linear uses too.

    rng: a seed or a NumPy Generator, so that runs repeat. dtype: of all its arrays.
    """

    parameter_names = ("W", "b")

    def __init__(
        self, in_features: int, out_features: int, autograd_engine: Any, rng: Any = None, dtype: Any = np.float64
    ) -> None:
        super().__init__(autograd_engine)
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"A Linear layer has at least one input and one output, not {in_features} and {out_features}."
            )
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / np.sqrt(in_features)
        generator = np.random.default_rng(rng)
        self.W = generator.uniform(-bound, bound, (out_features, in_features)).astype(dtype)
        self.b = generator.uniform(-bound, bound, (out_features, 1)).astype(dtype)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.momentum_W, self.momentum_b = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x: (..., in_features). Returns (..., out_features). Raises ValueError for another width."""
        if not isinstance(x, np.ndarray):
            raise TypeError(f"Linear was given a {type(x).__name__}; give it a NumPy array, which can have a gradient.")
        if x.ndim == 0 or x.shape[-1] != self.W.shape[1]:
            raise ValueError(
                f"Linear({self.W.shape[1]}, {self.W.shape[0]}) was given an input of shape {x.shape}; its last axis "
                f"should have {self.W.shape[1]} entries."
            )
        W, b = self.W, self.b
        if x.ndim == 2 and 1 < len(x) <= 128 and W.size >= 1 << 16:
            # The same numbers, the other way round: BLAS would otherwise copy all of W to read it transposed.
            y = np.add(np.dot(W, x.T).T, b[:, 0], order="C")
        else:
            y = np.dot(x, W.T)
            y += b[:, 0]
        rule = linear_of_data_backward if self.autograd_engine.is_data(x) else linear_backward
        self.autograd_engine.add_operation([x, W, b], y, [None, self.dW, self.db], rule)
        return y

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features})"
