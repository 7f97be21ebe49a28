"""Command line of mlp_runner.py: every option with its check and its default. Needs no NumPy."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from hw_bonus.command import COUNT, NOT_NEGATIVE, POSITIVE, SEED, SHARE, Options, Parser, number
from hw_bonus.errors import BadInput

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "softplus", "tanh", "sigmoid")
OPTIMIZERS = ("sgd", "nesterov", "adam", "adamw")
SCHEDULES = ("none", "cosine", "step")

DEFAULTS: dict[str, Any] = {
    "data": None, "test_data": None, "classes": 10, "split_seed": 0,
    "hidden": [256, 128], "activation": "relu", "dropout": 0.4, "input_dropout": 0.1, "noise": 0.4,
    "optimizer": "adamw", "lr": None, "momentum": 0.9, "weight_decay": 0.01,
    "schedule": "cosine", "step_size": 10, "gamma": 0.1, "clip_norm": 0.0,
    "batch_size": 32, "epochs": None, "seed": 0, "dtype": "float32",
    "out": "results", "save": None, "resume": None, "stop_after": 0, "threads": 1, "no_plots": False,
    "eager": False,
}  # fmt: skip

# These belong to one call of the program, so a checkpoint does not hold them.
PER_CALL = ("out", "save", "resume", "stop_after", "threads", "no_plots", "eager")

DESCRIPTION = """Trains a multi-layer perceptron on handwritten digits and shows what it learned.
Without options: on the 1,797 UCI digits that come with the program, in a few seconds.
With --data: on MNIST, Fashion-MNIST or anything in their form."""

EXAMPLES = """examples:
  python hw_bonus/mlp_runner.py
  python hw_bonus/mlp_runner.py --data path/to/mnist --epochs 10 --hidden 512,256
  python hw_bonus/mlp_runner.py --save run.npz         # Ctrl-C, then:
  python hw_bonus/mlp_runner.py --resume run.npz
"""


def _sizes(text: str) -> list[int]:
    """Layer sizes: '256,128' -> [256, 128]; 'none' -> []."""
    if text.strip().lower() == "none":
        return []
    return [COUNT(part.strip()) for part in text.split(",")]


def _build() -> Parser:
    parser = Parser(prog="mlp_runner.py", description=DESCRIPTION, epilog=EXAMPLES)

    group = parser.add_argument_group("data")
    option = partial(OPTIONS.add, group)
    text = (
        "folder with MNIST-like data: IDX files (train-images-idx3-ubyte and so on, .gz or not) or train_data.npy, "
        "train_labels.npy and so on for val and test; missing splits are made from what is there"
    )
    option("--data", str, text, "PATH", "the UCI digits")
    text = "another folder to test on; --data is then used for training and validation only"
    option("--test-data", str, text, "PATH", "the test split of --data")
    option("--classes", number(int, 2), "number of classes; labels go from 0 to one less", "N")
    option("--split-seed", SEED, "seed of the random splits; not --seed, so that runs with other seeds compare", "N")

    group = parser.add_argument_group("network")
    option = partial(OPTIONS.add, group)
    text = "sizes of the hidden layers, separated by commas; 'none' for a linear classifier"
    option("--hidden", _sizes, text, "N,N,...", "256,128")
    option("--activation", ACTIVATIONS, "activation after each hidden layer")
    option("--dropout", SHARE, "share of hidden values left out in training", "P")
    option("--input-dropout", SHARE, "share of pixels left out in training", "P")
    option("--noise", NOT_NEGATIVE, "noise added to the pixels in training, in their standard deviations", "S")
    option("--dtype", ("float32", "float64"), "precision of all numbers")

    group = parser.add_argument_group("training")
    option = partial(OPTIONS.add, group)
    option("--optimizer", OPTIMIZERS, "optimiser")
    option("--lr", POSITIVE, "learning rate", "LR", "0.003 for adam and adamw, 0.05 for sgd and nesterov")
    option("--momentum", SHARE, "momentum, for sgd and nesterov", "M")
    option("--weight-decay", NOT_NEGATIVE, "weight decay", "W")
    option("--schedule", SCHEDULES, "learning rate over the epochs: constant, half a cosine down to 0, or steps")
    option("--step-size", COUNT, "epochs between the steps of --schedule step", "N")
    option("--gamma", number(float, 0, 1, open_low=True), "factor of each step of --schedule step", "G")
    option("--clip-norm", NOT_NEGATIVE, "largest norm of all gradients together; 0 for no limit", "NORM")
    option("--batch-size", COUNT, "images per step", "N")
    option("--epochs", COUNT, "passes over the training data", "N", "150 for the UCI digits, 20 with --data")
    option("--seed", SEED, "seed of weights, order and dropout; same seed, same result", "N")
    option("--threads", COUNT, "threads for matrix products", "N")
    text = "record and walk every step anew instead of replaying a compiled one; slower, the same up to rounding"
    group.add_argument("--eager", action="store_true", help=f"{text} (default: compiled)")

    group = parser.add_argument_group("output")
    option = partial(OPTIONS.add, group)
    option("--out", str, "folder for the pictures, metrics.json and the checkpoint", "PATH")
    text = "write a checkpoint here after every epoch"
    option("--save", str, text, "FILE", "OUT/checkpoint.npz, written at the end and on Ctrl-C")
    text = "go on from this checkpoint with its options; saves to it again unless --save is given"
    option("--resume", str, text, "FILE", "start anew")
    text = "stop as if interrupted when this many epochs are done, to --resume later"
    option("--stop-after", COUNT, text, "N", "never")
    group.add_argument("--no-plots", action="store_true", help="draw no pictures (default: draw them)")
    return parser


OPTIONS = Options(DEFAULTS, PER_CALL, ("data", "test_data"), _build)


def complete(given: dict[str, Any]) -> argparse.Namespace:
    """Given options, completed by defaults. Raises BadInput for options that contradict each other."""
    options = argparse.Namespace(**{**DEFAULTS, **given})
    if options.lr is None:
        options.lr = 0.003 if options.optimizer in ("adam", "adamw") else 0.05
    if options.epochs is None:
        options.epochs = 150 if options.data is None else 20
    if options.optimizer == "nesterov" and options.momentum == 0:
        raise BadInput("--optimizer nesterov was given with --momentum 0; give a momentum above 0, or --optimizer sgd")
    return options
