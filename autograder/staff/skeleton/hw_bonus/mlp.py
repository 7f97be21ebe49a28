"""The multi-layer perceptron of the homework, and the loop that trains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.nn import Linear, Module


class MLP(Module):
    """Linear layers with an activation after each: x -> Linear -> activation -> ... -> Linear -> activation -> output.

    input_size, output_size: numbers of features.
    hiddens: sizes of the hidden layers, for example [64, 32]; [] makes a linear classifier.
    activations: one instance per layer, the last for the output (an Identity as a rule).
    criterion: a loss, called as criterion(labels, output).
    lr, momentum: learning rate and momentum of stochastic gradient descent.
    autograd_engine: the engine that records the forward pass.

    The list linear_layers holds the Linear layers, the list activations their activations.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hiddens: Sequence[int],
        activations: Sequence[Any],
        criterion: Any,
        lr: float,
        autograd_engine: Autograd,
        momentum: float = 0.0,
    ) -> None:
        """Makes the layers. The class describes the arguments."""
        # TODO: Call super().__init__(autograd_engine) first. Keep criterion, lr, momentum and activations in self, and None
        # in self.output. Make self.linear_layers, one Linear for each pair of neighbouring sizes.
        raise NotImplementedError("MLP.__init__ is not implemented yet")

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, input_size) -> output (N, output_size), which is kept in self.output too."""
        # TODO: Pass x through each layer and its activation. Keep the result in self.output and return it.
        raise NotImplementedError("MLP.forward is not implemented yet")

    def zero_grads(self) -> None:
        """Empties the engine and sets all gradients to zero. Call it before the forward pass of each training step."""
        # TODO: Call zero_grad() of the engine and of each layer.
        raise NotImplementedError("MLP.zero_grads is not implemented yet")

    def total_loss(self, labels: np.ndarray) -> np.ndarray:
        """Loss of the last output, shape (1,): the mean over the batch. labels: one-hot or class numbers."""
        return self.criterion(labels, self.output)

    def error(self, labels: np.ndarray) -> int:
        """Number of wrong predictions in the last output. Raises RuntimeError before the first forward pass."""
        if self.output is None:
            raise RuntimeError("error() was called before forward(); there is no output yet")
        return int((self.output.argmax(axis=-1) != class_indices(labels)).sum())

    def backward(self) -> None:
        """Backward pass from the last total_loss: adds gradients to dW and db of every layer."""
        self.criterion.backward()

    def step(self) -> None:
        """Moves all weights against their gradients."""
        # TODO: velocity = momentum * velocity - lr * gradient. Then move the weights by it, in place.
        raise NotImplementedError("MLP.step is not implemented yet")


def class_indices(labels: np.ndarray) -> np.ndarray:
    """Class numbers (N,) of one-hot labels (N, C). Class numbers (N,) stay as they are."""
    return labels.argmax(axis=-1) if labels.ndim == 2 else labels


def batches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Mini-batches of the numbers 0 to n-1 in random order. The last batch may be smaller."""
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def get_training_stats(
    mlp: MLP, dset: Sequence[tuple[np.ndarray, np.ndarray]], nepochs: int, batch_size: int, seed: int | None = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Trains on dset[0] and validates on dset[1] after each epoch.

    dset: (train, val, test), each a pair of x (N, features) and y, one-hot (N, classes) or class numbers (N,). Its arrays
    are not changed. seed: for the order of the mini-batches.

    Returns (training losses, training errors, validation losses, validation errors), each of shape (nepochs,). A loss is
    the mean over the images, an error the share of wrong predictions. Training values are measured just before each step.
    """
    # TODO: In each epoch, train on all batches. Then validate inside `with mlp.autograd_engine.paused():`.
    raise NotImplementedError("get_training_stats is not implemented yet")
