"""Trains your MLP on handwritten digits with your own engine: ``python hw_bonus/mlp_runner.py``. Try --help."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hw_bonus.datasets import load, normalise
from hw_bonus.mlp import MLP, get_training_stats
from mytorch.autograd_engine import Autograd
from mytorch.nn import Identity, ReLU, Sigmoid, SoftmaxCrossEntropy, Tanh

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains your MLP on 8x8 pictures of handwritten digits.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64], metavar="N", help="sizes of the hidden layers")
    parser.add_argument("--activation", choices=sorted(ACTIVATIONS), default="tanh")
    given = parser.parse_args()
    try:
        train(given)
    except NotImplementedError as error:
        print(f"{error}. Fill it in, and run this again.")
        return 1
    return 0


def train(given: argparse.Namespace) -> None:
    dataset = normalise(load())
    engine = Autograd()
    activations = [ACTIVATIONS[given.activation](engine) for _ in given.hidden] + [Identity(engine)]
    features = dataset[0][0].shape[1]
    mlp = MLP(
        features, 10, given.hidden, activations, SoftmaxCrossEntropy(engine), given.lr, engine, momentum=given.momentum
    )
    train_set, validation_set, test_set = ((x, np.eye(10)[y]) for x, y in dataset)
    started = time.perf_counter()
    stats = get_training_stats(mlp, (train_set, validation_set, test_set), given.epochs, given.batch_size)
    print("epoch   loss    errors   validation loss   validation errors")
    for epoch, (loss, errors, val_loss, val_errors) in enumerate(zip(*stats), 1):
        print(f"{epoch:>5}  {loss:6.4f}  {errors:7.2%}  {val_loss:16.4f}  {val_errors:18.2%}")
    print(f"{time.perf_counter() - started:.1f} seconds")
    mlp.zero_grads()
    mlp.forward(test_set[0])
    print(f"test errors: {mlp.error(test_set[1])} of {len(test_set[0])}")


if __name__ == "__main__":
    sys.exit(main())
