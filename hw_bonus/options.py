"""Command line of mlp_runner.py: every option with its check and its default. Needs no NumPy."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from hw_bonus.command import (
    ACTIVATIONS,
    NOT_NEGATIVE,
    PER_CALL,
    POSITIVE,
    SEED,
    SHARE,
    TRAINING,
    Options,
    Parser,
    add_output,
    add_training,
    check_backend,
    check_momentum,
    layer_sizes,
    number,
)
from hw_bonus.errors import BadInput

DEFAULTS: dict[str, Any] = {
    **TRAINING,
    "data": None, "test_data": None, "classes": 10, "split_seed": 0,
    "hidden": [256, 128], "activation": "relu", "dropout": 0.4, "input_dropout": 0.1, "noise": 0.4,
    "lr": None, "weight_decay": 0.01, "batch_size": 32, "epochs": None,
    "distributed": False, "shard": 0, "patience": 60.0,
}  # fmt: skip

DESCRIPTION = """Trains a multi-layer perceptron on handwritten digits and shows what it learned.
Without options: on the 1,797 UCI digits that come with the program, in a few seconds.
With --data: on MNIST, Fashion-MNIST or anything in their form."""

EXAMPLES = """examples:
  python hw_bonus/mlp_runner.py
  python hw_bonus/mlp_runner.py --data path/to/mnist --epochs 10 --hidden 512,256
  python hw_bonus/mlp_runner.py --save run.npz         # Ctrl-C, then:
  python hw_bonus/mlp_runner.py --resume run.npz
  mpiexec -n 4 python hw_bonus/mlp_runner.py --distributed
"""


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
    option("--hidden", layer_sizes, text, "N,N,...", "256,128")
    option("--activation", ACTIVATIONS, "activation after each hidden layer")
    option("--dropout", SHARE, "share of hidden values left out in training", "P")
    option("--input-dropout", SHARE, "share of pixels left out in training", "P")
    option("--noise", NOT_NEGATIVE, "noise added to the pixels in training, in their standard deviations", "S")
    option("--dtype", ("float32", "float64"), "precision of all numbers")

    learning_rates = "0.003 for adam and adamw, 0.05 for sgd and nesterov"
    add_training(OPTIONS, parser, "images", learning_rates, "150 for the UCI digits, 20 with --data")
    add_output(OPTIONS, parser)
    group = parser.add_argument_group("many processes, started by mpiexec -n N")
    option = partial(OPTIONS.add, group)
    text = "share each batch among the processes; the result is that of one process, to rounding"
    group.add_argument("--distributed", action="store_true", help=f"{text} (default: one process)")
    text = "what is spread over the processes: 0 nothing, 1 the optimiser's state, 2 the gradients too"
    option("--shard", number(int, 0, 2), text, "STAGE")
    option("--patience", POSITIVE, "seconds that a process waits for the others before it ends them all", "SECONDS")
    return parser


OPTIONS = Options(DEFAULTS, (*PER_CALL, "distributed", "shard", "patience"), ("data", "test_data"), _build)


def complete(given: dict[str, Any]) -> argparse.Namespace:
    """Given options, completed by defaults. Raises BadInput for options that contradict each other."""
    options = argparse.Namespace(**{**DEFAULTS, **given})
    if options.lr is None:
        options.lr = 0.003 if options.optimizer in ("adam", "adamw") else 0.05
    if options.epochs is None:
        options.epochs = 150 if options.data is None else 20
    check_momentum(options)
    check_backend(options)
    if options.shard and not options.distributed:
        raise BadInput("--shard was given without --distributed; give both, and start with mpiexec -n N")
    return options
