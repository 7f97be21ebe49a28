"""Activations: each keeps its last output in ``state`` and records how it was computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.nn import functional
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
        """Compute the output, keep it in self.state, record it and return it."""
        # TODO: Return the values of the input in an array of its own.
        raise NotImplementedError("Identity.forward is not implemented yet")


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute the output, keep it in self.state, record it and return it."""
        # TODO: From primitives (functional.exp_backward and others), or at once with a rule of your own.
        raise NotImplementedError("Sigmoid.forward is not implemented yet")


class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute the output, keep it in self.state, record it and return it."""
        # TODO: From primitives (functional.exp_backward and others), or at once with a rule of your own.
        raise NotImplementedError("Tanh.forward is not implemented yet")


class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute the output, keep it in self.state, record it and return it."""
        # TODO: Do not change the input itself.
        raise NotImplementedError("ReLU.forward is not implemented yet")
