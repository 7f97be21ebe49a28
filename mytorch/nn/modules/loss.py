"""Losses: called with (y, y_hat), the truth and the prediction; mean over the batch, as an array of shape (1,)."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

import numpy as np

from mytorch.nn.functional import SoftmaxCrossEntropy_backward, mse_backward, true_entries
from mytorch.nn.modules.module import Module
from mytorch.nn.nonlinear import as_float
from mytorch.utils import gradient_dtype


def _order(y: np.ndarray) -> str:
    """The warning for a y that looks like a prediction."""
    if (y < 0).any():
        reason = "has negative entries"
    elif np.allclose(np.add.reduce(y, axis=-1), 1, atol=1e-3):
        reason = "is the output of a recorded operation"
    else:
        reason = "has rows that do not sum to one"
    return (
        f"A loss is called with (y, y_hat), the truth first. The first argument {reason}, so it looks like a prediction, "
        "and the two may be swapped. Then no gradient reaches the network. Call loss(y, y_hat)."
    )


class Loss(Module):
    """A loss keeps its last value in ``loss_val``, the very array that it recorded."""

    def __init__(self, autograd_engine: Any) -> None:
        super().__init__(autograd_engine)
        self.loss_val: np.ndarray | None = None

    def _no_arrays(self, y: Any, y_hat: Any) -> TypeError:
        name, given = ("y_hat", y_hat) if isinstance(y, np.ndarray) else ("y", y)
        return TypeError(
            f"{type(self).__name__} compares arrays; {name} is a {type(given).__name__}. Pass np.array({name}), and as y_hat "
            "the very array that the network returned."
        )

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
        if not (isinstance(y, np.ndarray) and isinstance(y_hat, np.ndarray)):
            raise self._no_arrays(y, y_hat)
        if y.shape != y_hat.shape:
            raise ValueError(f"MSELoss compares arrays of one shape; y has {y.shape} and y_hat {y_hat.shape}.")
        difference = as_float(y) - y_hat
        total = np.add.reduce(np.square(difference), axis=None, keepdims=True).reshape(1)
        loss_val = total / max(difference.size, 1)
        if y_hat.dtype.kind == "f":
            loss_val = loss_val.astype(y_hat.dtype, copy=False)
        self.loss_val = loss_val
        self.autograd_engine.add_operation([y, y_hat], loss_val, [None, None], mse_backward)
        return loss_val


class SoftmaxCrossEntropy(Loss):
    """The mean over the batch of -ln(softmax(y_hat)) at the true class.

    y: one-hot (or any weights) in the shape of y_hat, or the classes' indices as integers, one axis fewer.
    y_hat: scores (..., classes), before any softmax.
    """

    def forward(self, y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
        """Returns shape (1,). Raises ValueError for shapes that don't belong together and classes out of range.

        A score of minus infinity rules its class out: it adds nothing to the loss, unless the class is the true one. Warns of
        a y that looks like a prediction: the two are swapped, and then no gradient reaches the network.
        """
        if not (isinstance(y, np.ndarray) and isinstance(y_hat, np.ndarray)):
            raise self._no_arrays(y, y_hat)
        dtype, entries = gradient_dtype(y_hat), None if y.shape == y_hat.shape else true_entries(y, y_hat)
        samples, classes = math.prod(y_hat.shape[:-1]), y_hat.shape[-1]
        # One row per class, whole in memory where the rows are long: NumPy reduces and broadcasts along those much faster.
        scores = y_hat.reshape(samples, classes).T.astype(dtype, order="C" if samples > classes else "K")
        largest = np.maximum.reduce(scores, axis=0, initial=-np.inf)
        scores -= largest
        probabilities = np.exp(scores)
        total = np.add.reduce(probabilities, axis=0)
        probabilities /= total
        if entries is None:
            weights, losses = y.reshape(samples, classes).T, np.log(total) - scores
            sums = np.add.reduce(weights, axis=0)
            # A row of zeros leaves its sample out.
            odd = (np.abs(sums - 1) > 1e-3) & (sums != 0) | (np.minimum.reduce(weights, axis=0, initial=0) < 0)
            if odd.any() or [one for one in self.autograd_engine.operation_list if one.output is y]:
                warnings.warn(_order(y), stacklevel=3)
            with np.errstate(invalid="ignore"):
                weighted = weights * losses
            if np.isnan(np.add.reduce(weighted, axis=None)):  # 0 times the infinite loss of a class that is ruled out
                weighted = weights * np.where(weights == 0, 0, losses)
            losses = weighted.ravel()
        else:
            losses = np.log(total)
            losses -= y_hat.take(entries) - largest
        loss_val = np.add.reduce(losses, keepdims=True)
        loss_val /= max(samples, 1)
        loss_val = loss_val.astype(dtype, copy=False)
        probabilities = probabilities.T.reshape(y_hat.shape)
        self.loss_val = loss_val
        rule = partial(SoftmaxCrossEntropy_backward, probabilities=probabilities, entries=entries)
        self.autograd_engine.add_operation([y_hat, y], loss_val, [None, None], rule)
        return loss_val
