"""The multi-layer perceptron of the homework, and the loop that trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.nn import Identity, Linear, Module
from mytorch.optim import SGD


class MLP(Module):
    """Linear layers with an activation after each: x -> Linear -> activation -> ... -> Linear -> activation -> output.

    input_size, output_size: numbers of features.
    hiddens: sizes of the hidden layers, for example [64, 32]; [] makes a linear classifier.
    activations: one per layer, the last for the output (an Identity as a rule), or one per hidden layer;
        instances, or classes that are called with the engine.
    criterion: a loss (instance or class), called as criterion(labels, output).
    lr, momentum: learning rate and momentum of stochastic gradient descent.
    autograd_engine: the engine that records the forward pass.
    optimizer: another optimiser, as a function of (parameters, lr); momentum is unused then.
    rng: a seed or np.random.Generator for the initial weights.  dtype: dtype of all weights.

    Raises ValueError for sizes below 1 and for a wrong number of activations.
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
        *,
        optimizer: Callable[..., Any] | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: Any = np.float64,
    ) -> None:
        sizes = [input_size, *hiddens, output_size]
        if min(sizes) < 1:
            raise ValueError(f"layer sizes are {sizes}; expected positive numbers")
        if len(activations) == len(hiddens):
            activations = [*activations, Identity]
        if len(activations) != len(sizes) - 1:
            raise ValueError(
                f"got {len(activations)} activations for {len(hiddens)} hidden layers; "
                f"expected one per layer ({len(sizes) - 1}) or one per hidden layer ({len(hiddens)})"
            )
        super().__init__(autograd_engine)
        self.momentum = momentum
        self.nlayers = len(sizes) - 1
        self.output: np.ndarray | None = None

        rng = np.random.default_rng(rng)
        self.linear_layers = [
            Linear(n_in, n_out, autograd_engine, rng=rng, dtype=dtype) for n_in, n_out in pairwise(sizes)
        ]
        self.activations = [a(autograd_engine) if isinstance(a, type) else a for a in activations]
        self.criterion = criterion(autograd_engine) if isinstance(criterion, type) else criterion
        # Module finds the parameters of all layers held in these lists, and switches them between train() and eval().
        parameters = self.parameters()
        self.optimizer = optimizer(parameters, lr) if optimizer else SGD(parameters, lr, momentum=momentum)

    @property
    def lr(self) -> float:
        """Learning rate. The optimiser keeps it, so that a schedule can change it."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.optimizer.lr = value

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, input_size) -> output (N, output_size), which is kept in self.output too."""
        for linear, activation in zip(self.linear_layers, self.activations):
            x = activation(linear(x))
        self.output = x
        return x

    def zero_grads(self) -> None:
        """Empties the engine and sets all gradients to zero. Call it before the forward pass of each training step."""
        self.autograd_engine.zero_grad()
        self.optimizer.zero_grad()

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
        self.optimizer.step()


def class_indices(labels: np.ndarray) -> np.ndarray:
    """Class numbers (N,) of one-hot labels (N, C). Class numbers (N,) stay as they are."""
    return labels.argmax(axis=-1) if labels.ndim == 2 else labels


def batches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Mini-batches of the numbers 0 to n-1 in random order. The last batch may be smaller."""
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def train_batch(
    mlp: MLP, x: np.ndarray, y: np.ndarray, before_step: Callable[[float], object] = lambda loss: None
) -> tuple[float, int]:
    """Training step on one batch. Returns (mean loss, number of errors), measured before the weights move.

    before_step: called with the loss after the backward pass, to check values or to clip gradients.
    """
    mlp.zero_grads()
    mlp.forward(mlp.autograd_engine.data(x))  # nobody reads the gradient of the images, so none is computed
    loss = float(mlp.total_loss(y)[0])
    mlp.backward()
    before_step(loss)
    mlp.step()
    return loss, mlp.error(y)


def evaluate(mlp: MLP, x: np.ndarray, y: np.ndarray, batch_size: int = 1024) -> tuple[float, int]:
    """Mean loss and number of errors over x and y. Nothing is recorded; all layers are in evaluation mode."""
    was_training = mlp.training
    mlp.eval()
    loss, errors = 0.0, 0
    with mlp.autograd_engine.paused():
        for start in range(0, len(x), batch_size):
            labels = y[start : start + batch_size]
            mlp.forward(x[start : start + batch_size])
            loss += float(mlp.total_loss(labels)[0]) * len(labels)
            errors += mlp.error(labels)
    if was_training:
        mlp.train()
    return loss / len(x), errors


def get_training_stats(
    mlp: MLP, dset: Sequence[tuple[np.ndarray, np.ndarray]], nepochs: int, batch_size: int, seed: int | None = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Trains on dset[0] and validates on dset[1] after each epoch.

    dset: (train, val, test), each a pair of x (N, features) and y, one-hot (N, classes) or class numbers (N,). Its arrays
    are not changed. seed: for the order of the mini-batches.

    Returns (training losses, training errors, validation losses, validation errors), each of shape (nepochs,). A loss is
    the mean over the images, an error the share of wrong predictions. Training values are measured just before each step.
    """
    (train_x, train_y), (val_x, val_y) = dset[0], dset[1]
    rng = np.random.default_rng(seed)
    stats = np.zeros((4, nepochs))
    mlp.train()
    for epoch in range(nepochs):
        for rows in batches(len(train_x), batch_size, rng):
            loss, errors = train_batch(mlp, train_x[rows], train_y[rows])
            stats[:2, epoch] += loss * len(rows), errors
        stats[:2, epoch] /= len(train_x)
        loss, errors = evaluate(mlp, val_x, val_y)
        stats[2:, epoch] = loss, errors / len(val_x)
    training_losses, training_errors, validation_losses, validation_errors = stats
    return training_losses, training_errors, validation_losses, validation_errors
