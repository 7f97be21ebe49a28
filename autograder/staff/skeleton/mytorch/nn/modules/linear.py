"""Linear: y = x W^T + b^T."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.nn.functional import add_backward, matmul_backward
from mytorch.nn.modules.module import Module


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
        """x: (..., in_features). Returns (..., out_features). NumPy's product raises ValueError for another width."""
        # TODO: Record two operations: x times W transposed (matmul_backward), and plus b transposed (add_backward).
        # Record the very arrays that you computed with.
        raise NotImplementedError("Linear.forward is not implemented yet")

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features})"
