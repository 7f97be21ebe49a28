"""Embedding and EmbeddingBag: a table of vectors, looked up by index one by one or as the sum or mean of a bag."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mytorch.nn.functional import bag_weights, embedding_backward, embedding_bag_backward
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
        _check_indices(indices, self.W)
        y = np.asarray(self.W[indices])
        self.autograd_engine.add_operation([self.W, indices], y, [self.dW, None], embedding_backward)
        return y


class EmbeddingBag(Module):
    """Bags of indices to the mean or the sum of their vectors, shape (N, embedding_dim).

    W is (num_embeddings, embedding_dim), begins standard normal. mode: "mean" or "sum". padding_idx: an index that only fills
    up short bags and counts for nothing. An empty bag gives zeros. The averaged words as input of a classifier are from
    M. Iyyer et al., Deep unordered composition rivals syntactic methods for text classification, ACL 2015.
    """

    parameter_names = ("W",)

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        autograd_engine: Any,
        mode: str = "mean",
        padding_idx: int | None = None,
        rng: Any = None,
        dtype: Any = np.float64,
    ) -> None:
        super().__init__(autograd_engine)
        if mode not in ("mean", "sum"):
            raise ValueError(f"The mode of an EmbeddingBag is {mode!r}; expected 'mean' or 'sum'.")
        if padding_idx is not None and not 0 <= padding_idx < num_embeddings:
            raise ValueError(f"padding_idx is {padding_idx}; the table has rows 0 to {num_embeddings - 1}.")
        self.mode = mode
        self.padding_idx = padding_idx
        self.W = np.random.default_rng(rng).standard_normal((num_embeddings, embedding_dim)).astype(dtype)
        self.dW = np.zeros_like(self.W)

    def __call__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.forward(*args, **kwargs)

    def forward(
        self, indices: np.ndarray, offsets: np.ndarray | None = None, mask: np.ndarray | None = None
    ) -> np.ndarray:
        """One vector for each bag.

        indices: (N, L), one bag in each row; or (K,), all bags one after the other, with offsets (N,), the place where each
        begins. mask: booleans in the shape of (N, L) indices, False where an index does not count.

        Raises TypeError for indices that are no integers, IndexError for one that is out of range, ValueError for another
        shape, and for offsets that do not begin at 0 or that fall.
        """
        _check_indices(indices, self.W)
        if offsets is not None:
            if mask is not None:
                raise ValueError("An EmbeddingBag was given offsets and a mask; expected one of them.")
            indices, mask = padded(indices, offsets)
        if indices.ndim != 2:
            raise ValueError(f"The indices have shape {indices.shape}; expected (N, L), or (K,) together with offsets.")
        if mask is not None and (not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != indices.shape):
            given = f"{mask.dtype}, shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise ValueError(f"The mask is {given}; expected an array of booleans, shape {indices.shape}.")
        weights = bag_weights(indices, mask, self.mode, self.padding_idx, self.W.dtype)
        y = (self.W[indices] * weights[:, :, None]).sum(axis=1)
        inputs = [self.W, indices] if mask is None else [self.W, indices, mask]
        rule = partial(embedding_bag_backward, mode=self.mode, padding_idx=self.padding_idx)
        self.autograd_engine.add_operation(inputs, y, [self.dW, *(None for _ in inputs[1:])], rule)
        return y


def padded(indices: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bags that lie one after the other, as rows: indices (N, L) with zeros behind short bags, and the mask that says so.

    Raises TypeError and ValueError for offsets (N,) that are no whole numbers, begin elsewhere than at 0, fall, or end
    behind the indices.
    """
    offsets = np.asarray(offsets)
    if indices.ndim != 1 or offsets.ndim != 1:
        raise ValueError(f"With offsets both are one row of numbers; got shapes {indices.shape} and {offsets.shape}.")
    if offsets.dtype.kind not in "iu" and offsets.size:
        raise TypeError(f"The offsets have dtype {offsets.dtype}; expected integers, the place where each bag begins.")
    offsets = offsets.astype(np.int64)
    lengths = np.diff(offsets, append=len(indices))
    if (len(offsets) and offsets[0] != 0) or (lengths < 0).any() or (len(indices) and not len(offsets)):
        raise ValueError(
            f"The offsets of {len(indices)} indices have to begin at 0, never fall and end inside; got {offsets}."
        )
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    rows = np.zeros(mask.shape, indices.dtype)
    rows[mask] = indices
    return rows, mask


def _check_indices(indices: Any, W: np.ndarray) -> None:
    if not isinstance(indices, np.ndarray):
        raise TypeError(
            f"An Embedding is looked up by an array of integers; the indices are a {type(indices).__name__}. Pass "
            "np.array(indices)."
        )
    if indices.dtype.kind not in "iu":
        raise TypeError(f"An Embedding is looked up by integers; the indices have dtype {indices.dtype}.")
    if indices.size and (indices.min() < 0 or indices.max() >= len(W)):
        raise IndexError(
            f"The indices run from {indices.min()} to {indices.max()}; the table has rows 0 to {len(W) - 1}."
        )
