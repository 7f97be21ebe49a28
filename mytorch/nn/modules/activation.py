"""Activations: each keeps its last output in ``state`` and records one operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mytorch.nn import functional, nonlinear
from mytorch.nn.modules.module import Module


class Activation(Module):
    """A function of one array, element by element or along an axis: x (any shape) to an array of the same shape."""

    def __init__(self, autograd_engine: Any) -> None:
        super().__init__(autograd_engine)
        self.state: np.ndarray | None = None

    def compute(self, x: np.ndarray) -> np.ndarray:
        """The output, always a new array."""
        raise NotImplementedError(f"{type(self).__name__} defines no compute")

    backward_operation: Callable[..., Any]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute, remember and record the output."""
        output = np.asarray(self.compute(x))
        self.state = output
        self.autograd_engine.add_operation([x], output, [None], self.backward_operation)
        return output

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Identity(Activation):
    """x, as an array of its own: recorded as its own output, it would be one variable and not two."""

    backward_operation = staticmethod(functional.identity_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.array(x)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    backward_operation = staticmethod(functional.sigmoid_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.sigmoid(x)


class Tanh(Activation):
    """The hyperbolic tangent."""

    backward_operation = staticmethod(functional.tanh_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)


class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0."""

    backward_operation = staticmethod(functional.max_backward)
    compute = staticmethod(partial(np.maximum, 0))


class GELU(Activation):
    """x times the normal distribution function of x."""

    backward_operation = staticmethod(functional.gelu_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.gelu(x)


class SiLU(Activation):
    """x * sigmoid(x)."""

    backward_operation = staticmethod(functional.silu_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.silu(x)


class Softplus(Activation):
    """ln(1 + exp(x))."""

    backward_operation = staticmethod(functional.softplus_backward)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.softplus(x)


class LeakyReLU(Activation):
    """x where x > 0, otherwise negative_slope * x."""

    def __init__(self, autograd_engine: Any, negative_slope: float = 0.01) -> None:
        super().__init__(autograd_engine)
        self.negative_slope = negative_slope
        self.backward_operation = partial(functional.leaky_relu_backward, negative_slope=negative_slope)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.leaky_relu(x, self.negative_slope)


class Softmax(Activation):
    """exp(x) / sum(exp(x)) along an axis."""

    def __init__(self, autograd_engine: Any, axis: int = -1) -> None:
        super().__init__(autograd_engine)
        self.axis = axis
        self.backward_operation = partial(functional.softmax_backward, axis=axis)

    def compute(self, x: np.ndarray) -> np.ndarray:
        return nonlinear.softmax(x, self.axis)
