"""Losses: called with (y, y_hat), the truth and the prediction; mean over the batch, as an array of shape (1,)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.nn.functional import SoftmaxCrossEntropy_backward
from mytorch.nn.modules.module import Module


class Loss(Module):
    """A loss keeps its last value in ``loss_val``, the very array that it recorded."""

    def __init__(self, autograd_engine: Any) -> None:
        super().__init__(autograd_engine)
        self.loss_val: np.ndarray | None = None

    def backward(self) -> None:
        """Run the backward pass from the last loss value."""
        if self.loss_val is None:
            raise RuntimeError(
                f"{type(self).__name__}: there is no loss value yet. Call the loss with (y, y_hat) first."
            )
        operations = self.autograd_engine.operation_list
        is_last = bool(operations) and operations[-1].output is self.loss_val
        if not is_last and not any(operation.output is self.loss_val for operation in operations):
            raise RuntimeError(
                f"{type(self).__name__}: the last loss value is not on the list of operations. It was computed inside "
                "paused(), or zero_grad() has emptied the list since. Compute the loss again first."
            )
        self.autograd_engine.backward(self.loss_val)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class MSELoss(Loss):
    """The mean of (y - y_hat)**2 over all entries; y and y_hat are arrays of one shape."""

    def forward(self, y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
        """Returns shape (1,). Raises ValueError where the shapes differ, which NumPy would broadcast without a word."""
        # TODO: Practice. Refuse arrays of different shapes. Compute the mean, shape (1,), keep it in self.loss_val, record it
        # and return it.
        raise NotImplementedError("MSELoss.forward is not implemented yet")


class SoftmaxCrossEntropy(Loss):
    """The mean over the batch of -ln(softmax(y_hat)) at the true class. y: one-hot, y_hat: scores."""

    def forward(self, y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
        """Returns shape (1,), kept in self.loss_val."""
        # TODO: Compute the mean, record it with SoftmaxCrossEntropy_backward, and return it. Mind large scores.
        raise NotImplementedError("SoftmaxCrossEntropy.forward is not implemented yet")
