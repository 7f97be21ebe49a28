"""The multi-layer perceptron of the homework, and the loop that trains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.nn import Module


class MLP(Module):
    """Linear layers with an activation after each: x -> Linear -> activation -> ... -> output.

    input_size, output_size: numbers of features in and out. hiddens: sizes of the hidden layers.
    activations: one instance per layer; the last is for the output, an Identity as a rule.
    criterion: a loss, called as criterion(labels, output). lr, momentum: for stochastic gradient descent.
    autograd_engine: the engine that records what forward does.

    The layers are kept in the list linear_layers, the activations in the list activations.
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
        super().__init__(autograd_engine)
        self.criterion, self.lr, self.momentum = criterion, lr, momentum
        self.output: np.ndarray | None = None
        # TODO: Make self.linear_layers, one Linear per pair of neighbouring sizes; keep self.activations.
        raise NotImplementedError("MLP.__init__ is not implemented yet")

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, input_size) -> output (N, output_size), also kept in self.output."""
        # TODO: Through each layer and its activation; keep the result in self.output.
        raise NotImplementedError("MLP.forward is not implemented yet")

    def zero_grads(self) -> None:
        """Forgets what was recorded and sets all gradients to zero: call it before each forward of a training step."""
        # TODO: Empty the engine and set the gradients of all layers to zero.
        raise NotImplementedError("MLP.zero_grads is not implemented yet")

    def total_loss(self, labels: np.ndarray) -> np.ndarray:
        """The criterion of the last output, shape (1,): the mean over the batch. labels: one-hot or classes."""
        return self.criterion(labels, self.output)

    def error(self, labels: np.ndarray) -> int:
        """The number of wrong predictions in the last output."""
        if self.output is None:
            raise RuntimeError("error() was called before forward(); there is no output yet")
        return int((self.output.argmax(axis=-1) != class_indices(labels)).sum())

    def backward(self) -> None:
        """The gradients of the last total_loss, added to dW and db of every layer."""
        self.criterion.backward()

    def step(self) -> None:
        """Moves the weights against their gradients."""
        # TODO: Velocity = momentum * velocity - lr * gradient, then move by it, in place.
        raise NotImplementedError("MLP.step is not implemented yet")


def class_indices(labels: np.ndarray) -> np.ndarray:
    """(N, C) one-hot -> (N,) class numbers; (N,) stays as it is."""
    return labels.argmax(axis=-1) if labels.ndim == 2 else labels


def batches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The numbers 0 to n-1 in random order, batch_size at a time (the last batch may be smaller)."""
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def get_training_stats(
    mlp: MLP, dset: Sequence[tuple[np.ndarray, np.ndarray]], nepochs: int, batch_size: int, seed: int | None = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Trains on dset[0] and validates on dset[1] after each epoch.

    dset: (train, val, test), each a pair of x (N, features) and y (N, classes) one-hot or (N,) class numbers.
    The order of the mini-batches comes from seed. The arrays of dset are not changed.
    Returns (training losses, training errors, validation losses, validation errors), each (nepochs,);
    losses are means over the images, errors shares of wrong predictions. Training values are means over the epoch's
    batches, each measured just before its step.
    """
    # TODO: Each epoch, train on all batches, then validate, paused().
    raise NotImplementedError("get_training_stats is not implemented yet")
