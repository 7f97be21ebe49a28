"""Embedding: a table of vectors, looked up by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.nn.functional import embedding_backward
from mytorch.nn.modules.module import Module


class Embedding(Module):
    """indices (any shape, integers) to vectors (..., embedding_dim).

    W is (num_embeddings, embedding_dim), begins standard normal; a row that is looked up several times sums its gradients.
    """

    parameter_names = ("W",)

    def __init__(
        self, num_embeddings: int, embedding_dim: int, autograd_engine: Any, rng: Any = None, dtype: Any = np.float64
    ) -> None:
        super().__init__(autograd_engine)
        self.W = np.random.default_rng(rng).standard_normal((num_embeddings, embedding_dim)).astype(dtype)
        self.dW = np.zeros_like(self.W)

    def forward(self, indices: np.ndarray) -> np.ndarray:
        """Raises TypeError for indices that are no integers, IndexError for one that is out of range."""
        if not isinstance(indices, np.ndarray):
            raise TypeError(
                f"An Embedding is looked up by an array of integers; the indices are a {type(indices).__name__}. Pass "
                "np.array(indices)."
            )
        if indices.dtype.kind not in "iu":
            raise TypeError(f"An Embedding is looked up by integers; the indices have dtype {indices.dtype}.")
        if indices.size and (indices.min() < 0 or indices.max() >= len(self.W)):
            raise IndexError(
                f"The indices run from {indices.min()} to {indices.max()}; the table has rows 0 to {len(self.W) - 1}."
            )
        y = np.asarray(self.W[indices])
        self.autograd_engine.add_operation([self.W, indices], y, [self.dW, None], embedding_backward)
        return y
