"""Activations: each keeps its last output in ``state`` and records one operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.nn.modules.module import Module


class Activation(Module):
    """A function of one array, element by element or along an axis: x (any shape) to an array of the same shape."""

    def __init__(self, autograd_engine: Any) -> None:
        super().__init__(autograd_engine)
        self.state: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Identity(Activation):
    """x, as an array of its own: recorded as its own output, it would be one variable and not two."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute, keep in self.state, record."""
        # TODO: The input as an array of its own.
        raise NotImplementedError("Identity.forward is not implemented yet")


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute, keep in self.state, record."""
        # TODO: From primitives or at once.
        raise NotImplementedError("Sigmoid.forward is not implemented yet")


class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute, keep in self.state, record."""
        # TODO: From primitives or at once.
        raise NotImplementedError("Tanh.forward is not implemented yet")


class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute, keep in self.state, record."""
        # TODO: The input itself must not change.
        raise NotImplementedError("ReLU.forward is not implemented yet")
