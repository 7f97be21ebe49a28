"""Command line of text_runner.py: every option with its check and its default. Needs no NumPy."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from hw_bonus.command import (
    ACTIVATIONS,
    COUNT,
    PER_CALL,
    SHARE,
    TRAINING,
    Options,
    Parser,
    add_output,
    add_training,
    check_backend,
    check_momentum,
    layer_sizes,
)
from hw_bonus.errors import BadInput

DEFAULTS: dict[str, Any] = {
    **TRAINING,
    "names": None, "data": None, "say": None, "model": None,
    "context": 5, "embedding": None, "hidden": None, "activation": "relu", "dropout": None, "word_dropout": 0.2,
    "min_count": 1, "lr": None, "weight_decay": None, "batch_size": None, "epochs": None, "out": "results_text",
}  # fmt: skip

# Defaults that differ: of letters in names, and of words in sentences.
OF_NAMES = {
    "embedding": 16, "hidden": [256], "dropout": 0.3, "lr": 0.004, "weight_decay": 0.05, "batch_size": 128, "epochs": 20,
}  # fmt: skip
OF_SENTENCES = {
    "embedding": 16, "hidden": [16], "dropout": 0.5, "lr": 0.003, "weight_decay": 0.01, "batch_size": 32, "epochs": 10,
}  # fmt: skip

DESCRIPTION = """Trains a small network on text and shows what it learned.
Without options: the next letter of 5,163 first names; it invents names as it learns.
With --data: sentences that have labels. With --say: a sentence is given to the saved model."""

EXAMPLES = """examples:
  python hw_bonus/text_runner.py
  python hw_bonus/text_runner.py --data reviews.txt
  python hw_bonus/text_runner.py --say "It is a good movie"
"""


def _build() -> Parser:
    parser = Parser(prog="text_runner.py", description=DESCRIPTION, epilog=EXAMPLES)

    def default(name: str) -> str:
        first, second = (
            ",".join(map(str, value)) if isinstance(value, list) else str(value)
            for value in (OF_NAMES[name], OF_SENTENCES[name])
        )
        return f"{first} for names, {second} for sentences"

    group = parser.add_argument_group("data")
    option = partial(OPTIONS.add, group)
    option("--names", str, "text file with one name on each line", "FILE", "5,163 first names")
    text = (
        "sentences to classify: a text file of 'sentence<TAB>label' lines, a CSV with the columns text and label, a folder "
        "of such files, or a folder with one folder of text files for each class"
    )
    option("--data", str, text, "PATH", "names")
    option("--min-count", COUNT, "training sentences that a word has to be in to be known", "N")

    group = parser.add_argument_group("use of a saved model")
    option = partial(OPTIONS.add, group)
    option("--say", str, "sentence to classify; shows what each of its words speaks for", "TEXT", "train")
    option("--model", str, "checkpoint of a training with --data", "FILE", "OUT/checkpoint.npz")

    group = parser.add_argument_group("network")
    option = partial(OPTIONS.add, group)
    option("--context", COUNT, "letters that the network sees before the one that it guesses", "N")
    option("--embedding", COUNT, "numbers for each letter or word", "N", default("embedding"))
    text = "sizes of the hidden layers, separated by commas; 'none' for a linear classifier"
    option("--hidden", layer_sizes, text, "N,N,...", default("hidden"))
    option("--activation", ACTIVATIONS, "activation after each hidden layer")
    option("--dropout", SHARE, "share of hidden values left out in training", "P", default("dropout"))
    option("--word-dropout", SHARE, "share of words that training takes for unknown ones", "P")
    option("--dtype", ("float32", "float64"), "precision of all numbers")

    units = "letters or sentences"
    add_training(OPTIONS, parser, units, default("lr"), default("epochs"))
    add_output(OPTIONS, parser)
    return parser


OPTIONS = Options(DEFAULTS, (*PER_CALL, "say", "model"), ("names", "data"), _build)


def complete(given: dict[str, Any]) -> argparse.Namespace:
    """Given options, completed by defaults. Raises BadInput for options that contradict each other."""
    own = OF_SENTENCES if given.get("data") is not None else OF_NAMES
    options = argparse.Namespace(**{**DEFAULTS, **own, **given})
    if options.data is not None and options.names is not None:
        raise BadInput("--names and --data were both given; expected one of them")
    if options.model is not None and options.say is None:
        raise BadInput("--model was given without --say; give --say 'a sentence', or --resume to go on with a training")
    of_other = ("word_dropout", "min_count") if options.data is None else ("context",)
    for name in of_other:
        if options.say is None and getattr(options, name) != DEFAULTS[name]:
            kind = "sentences (--data)" if options.data is None else "names"
            raise BadInput(f"--{name.replace('_', '-')} was given, but it is for {kind}; leave it out")
    check_momentum(options)
    check_backend(options)
    return options
