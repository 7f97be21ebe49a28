"""Dropout: leave values out at random while training."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mytorch.nn.functional import dropout_backward
from mytorch.nn.modules.module import Module
from mytorch.nn.nonlinear import as_float


class Dropout(Module):
    """Training: each value is zero with probability p, the others are divided by 1 - p (Srivastava et al., 2014).

    Evaluation: the input as it is. rng: a seed or a NumPy Generator, so that runs repeat; it is kept as ``rng``.
    """

    def __init__(self, autograd_engine: Any, p: float = 0.5, rng: Any = None) -> None:
        super().__init__(autograd_engine)
        if not 0 <= p < 1:
            raise ValueError(f"Dropout leaves out a share p of the values, 0 <= p < 1; p is {p}.")
        self.p = p
        self.rng = np.random.default_rng(rng)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x: any shape. Returns a new array of that shape."""
        scale = None
        if self.training and self.p > 0:
            kept = self.rng.random(x.shape) >= self.p
            scale = kept.astype(as_float(x).dtype) / (1 - self.p)
        y = np.array(x) if scale is None else np.asarray(x * scale)
        self.autograd_engine.add_operation([x], y, [None], partial(dropout_backward, scale=scale))
        return y

    def __repr__(self) -> str:
        return f"Dropout({self.p})"
