"""Command line of mlp_runner.py: every option with its check and its default. Needs no NumPy."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from typing import Any, NoReturn

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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; --help explains every option")


def _number(
    kind: type, low: float, high: float = math.inf, open_low: bool = False, open_high: bool = False
) -> Callable[[str], Any]:
    """Check for argparse: a finite number in a range."""
    below = f" and {'below' if open_high else 'at most'} {high:g}" if high < math.inf else ""
    words = f"a {'whole ' if kind is int else ''}number {'above' if open_low else 'of at least'} {low:g}{below}"

    def check(text: str) -> Any:
        try:
            value = kind(text)
            fits = math.isfinite(value) and low <= value <= high
        except (ValueError, OverflowError):
            fits = False
        if not fits or (open_low and value == low) or (open_high and value == high):
            raise argparse.ArgumentTypeError(f"{text!r} was given, {words} is expected")
        return value

    return check


def _sizes(text: str) -> list[int]:
    """Layer sizes: '256,128' -> [256, 128]; 'none' -> []."""
    if text.strip().lower() == "none":
        return []
    return [_number(int, 1)(part.strip()) for part in text.split(",")]


def _build() -> _Parser:
    parser = _Parser(
        prog="mlp_runner.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # the result holds what was given; complete() adds the defaults
        allow_abbrev=False,
    )
    group: Any = parser

    def option(name: str, check: Any, text: str, metavar: str | None = None, default: str | None = None) -> None:
        shown = DEFAULTS[name[2:].replace("-", "_")] if default is None else default
        if isinstance(check, tuple):
            group.add_argument(name, choices=check, help=f"{text} (default: {shown})")
        else:
            group.add_argument(name, type=check, metavar=metavar, help=f"{text} (default: {shown})")

    count, positive, share = _number(int, 1), _number(float, 0, open_low=True), _number(float, 0, 1, open_high=True)
    seed, not_negative = _number(int, 0), _number(float, 0)

    group = parser.add_argument_group("data")
    text = (
        "folder with MNIST-like data: IDX files (train-images-idx3-ubyte and so on, .gz or not) or train_data.npy, "
        "train_labels.npy and so on for val and test; missing splits are made from what is there"
    )
    option("--data", str, text, "PATH", "the UCI digits")
    text = "another folder to test on; --data is then used for training and validation only"
    option("--test-data", str, text, "PATH", "the test split of --data")
    option("--classes", _number(int, 2), "number of classes; labels go from 0 to one less", "N")
    option("--split-seed", seed, "seed of the random splits; not --seed, so that runs with other seeds compare", "N")

    group = parser.add_argument_group("network")
    text = "sizes of the hidden layers, separated by commas; 'none' for a linear classifier"
    option("--hidden", _sizes, text, "N,N,...", "256,128")
    option("--activation", ACTIVATIONS, "activation after each hidden layer")
    option("--dropout", share, "share of hidden values left out in training", "P")
    option("--input-dropout", share, "share of pixels left out in training", "P")
    option("--noise", not_negative, "noise added to the pixels in training, in their standard deviations", "S")
    option("--dtype", ("float32", "float64"), "precision of all numbers")

    group = parser.add_argument_group("training")
    option("--optimizer", OPTIMIZERS, "optimiser")
    option("--lr", positive, "learning rate", "LR", "0.003 for adam and adamw, 0.05 for sgd and nesterov")
    option("--momentum", share, "momentum, for sgd and nesterov", "M")
    option("--weight-decay", not_negative, "weight decay", "W")
    option("--schedule", SCHEDULES, "learning rate over the epochs: constant, half a cosine down to 0, or steps")
    option("--step-size", count, "epochs between the steps of --schedule step", "N")
    option("--gamma", _number(float, 0, 1, open_low=True), "factor of each step of --schedule step", "G")
    option("--clip-norm", not_negative, "largest norm of all gradients together; 0 for no limit", "NORM")
    option("--batch-size", count, "images per step", "N")
    option("--epochs", count, "passes over the training data", "N", "150 for the UCI digits, 20 with --data")
    option("--seed", seed, "seed of weights, order and dropout; same seed, same result", "N")
    option("--threads", count, "threads for matrix products", "N")
    text = "record and walk every step anew instead of replaying a compiled one; slower, the same up to rounding"
    group.add_argument("--eager", action="store_true", help=f"{text} (default: compiled)")

    group = parser.add_argument_group("output")
    option("--out", str, "folder for the pictures, metrics.json and the checkpoint", "PATH")
    text = "write a checkpoint here after every epoch"
    option("--save", str, text, "FILE", "OUT/checkpoint.npz, written at the end and on Ctrl-C")
    text = "go on from this checkpoint with its options; saves to it again unless --save is given"
    option("--resume", str, text, "FILE", "start anew")
    text = "stop as if interrupted when this many epochs are done, to --resume later"
    option("--stop-after", count, text, "N", "never")
    group.add_argument("--no-plots", action="store_true", help="draw no pictures (default: draw them)")
    return parser


def parse(argv: list[str] | None = None) -> dict[str, Any]:
    """Options that were given on the command line, checked; no defaults. Raises BadInput."""
    return vars(_build().parse_args(argv))


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


def to_text(options: argparse.Namespace) -> dict[str, str]:
    """Options for a checkpoint, as texts of a command line."""
    values = {name: value for name, value in vars(options).items() if name not in PER_CALL and value is not None}
    for name in ("data", "test_data"):
        if name in values:  # a run may be resumed from another folder
            values[name] = os.path.abspath(values[name])
    return {name: (",".join(map(str, v)) or "none") if isinstance(v, list) else str(v) for name, v in values.items()}


def from_text(texts: dict[str, str]) -> dict[str, Any]:
    """Inverse of to_text, with the checks of the command line. Raises BadInput."""
    return parse([f"--{name.replace('_', '-')}={text}" for name, text in texts.items()])
