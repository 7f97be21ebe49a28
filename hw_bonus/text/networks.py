"""Networks for text: the next letter from those before, and the class of a sentence from the mean of its words."""

from __future__ import annotations

from argparse import Namespace
from itertools import pairwise
from typing import Any

import numpy as np

from hw_bonus.runs import ACTIVATIONS
from hw_bonus.text.task import PADDING
from mytorch import nn
from mytorch.autograd_engine import Autograd
from mytorch.nn.functional import reshape_backward

# Embeddings begin this much smaller than standard normal, so that what they learn outweighs what they were.
SCALE = 0.1


def head(inputs: int, classes: int, opts: Namespace, engine: Autograd, rng: np.random.Generator) -> nn.Sequential:
    """Linear layers with activation and dropout between them, from a vector to a score for each class."""
    layers: list[Any] = []
    for n_in, n_out in pairwise([inputs, *opts.hidden, classes]):
        if layers:
            layers.append(ACTIVATIONS[opts.activation](engine))
            if opts.dropout:
                layers.append(nn.Dropout(engine, opts.dropout, rng=rng))
        layers.append(nn.Linear(n_in, n_out, engine, rng=rng, dtype=np.dtype(opts.dtype)))
    return nn.Sequential(*layers)


class NextLetter(nn.Module):
    """The letters before, (N, context), to a score for each letter that may follow, (N, size).

    The vectors of the letters stand side by side in one row, as in Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, A neural
    probabilistic language model, JMLR 3 (2003); the direct connections of that network are left out.
    """

    def __init__(self, size: int, opts: Namespace, engine: Autograd, rng: np.random.Generator) -> None:
        super().__init__(engine)
        self.embedding = nn.Embedding(size, opts.embedding, engine, rng=rng, dtype=np.dtype(opts.dtype))
        self.embedding.W *= SCALE
        self.head = head(opts.context * opts.embedding, size, opts, engine, rng)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, context), integers -> scores (N, size)."""
        vectors = self.embedding(x)
        row = vectors.reshape(len(x), -1)
        self.autograd_engine.add_operation([vectors], row, [None], reshape_backward)
        return self.head(row)


class MeanOfWords(nn.Module):
    """Sentences as rows of word numbers, (N, L), filled up with PADDING, to a score for each class, (N, classes)."""

    def __init__(self, size: int, classes: int, opts: Namespace, engine: Autograd, rng: np.random.Generator) -> None:
        super().__init__(engine)
        self.bag = nn.EmbeddingBag(
            size, opts.embedding, engine, padding_idx=PADDING, rng=rng, dtype=np.dtype(opts.dtype)
        )
        self.bag.W *= SCALE
        self.head = head(opts.embedding, classes, opts, engine, rng)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, L), integers -> scores (N, classes)."""
        return self.head(self.bag(x))
