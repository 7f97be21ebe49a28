"""Training of a network on text: built from options, trained epoch by epoch, measured."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import mytorch
from hw_bonus import runs
from hw_bonus.errors import BadInput
from hw_bonus.mlp import batches
from hw_bonus.runs import Run, check_and_clip, check_finite
from hw_bonus.text.networks import MeanOfWords, NextLetter
from hw_bonus.text.task import PADDING, UNKNOWN, Part, Rows, Task
from hw_bonus.training import is_best as within_one_error
from mytorch import nn
from mytorch.autograd_engine import Autograd
from mytorch.nn.nonlinear import softmax

HISTORY = ("train_loss", "train_error", "val_loss", "val_error", "lr")


def network(about: dict[str, Any], opts: Namespace, rng: np.random.Generator) -> NextLetter | MeanOfWords:
    """A new network for a task's letters or words. Raises BadInput if it does not fit into memory."""
    engine = Autograd()
    try:
        if about["kind"] == "names":
            return NextLetter(len(about["letters"]) + 1, opts, engine, rng)
        return MeanOfWords(len(about["vocabulary"]) + 2, len(about["classes"]), opts, engine, rng)
    except (MemoryError, ValueError, OverflowError) as error:
        raise BadInput("this network does not fit into memory; give smaller --hidden and --embedding") from error


def build(task: Task, opts: Namespace) -> Run:
    """A new run, with all its randomness from one generator."""
    # The state of this generator is two integers, which a checkpoint can hold.
    rng = np.random.Generator(np.random.PCG64(opts.seed))
    net = network(task.about, opts, rng)
    optimizer = runs.optimizer(opts)(net.parameters(), opts.lr)
    run = Run(net, optimizer, runs.schedule(opts, optimizer), rng, HISTORY, about=task.about)
    if not opts.eager:
        criterion = nn.SoftmaxCrossEntropy(net.autograd_engine)

        def loss_and_scores(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scores = net.forward(x)
            return criterion(y, scores), scores

        run.compiled = mytorch.compile(loss_and_scores, optimizer, clip_grad_norm=opts.clip_norm or None)
    return run


def epochs(run: Run, opts: Namespace, task: Task, on_step: Callable[[], None]) -> Iterator[dict[str, float]]:
    """Trains until opts.epochs are done and yields the numbers of HISTORY after each epoch.

    on_step: called after each mini-batch. Raises Diverged as soon as a loss is NaN or infinite.
    """
    inputs, labels = task.train
    best = partial(is_best, kind=task.about["kind"], n_val=len(task.val[1]))
    while run.epoch < opts.epochs:
        run.net.train()
        lr, total, errors = run.optimizer.lr, 0.0, 0
        # The loss is checked, so NumPy's warnings about overflow would say the same a second time, less clearly.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for rows in batches(len(labels), opts.batch_size, run.rng):
                x, y = inputs[rows], labels[rows]
                if isinstance(inputs, Rows) and opts.word_dropout:
                    x[(run.rng.random(x.shape) < opts.word_dropout) & (x != PADDING)] = UNKNOWN
                loss, scores = _step(run, opts, x, y)
                total += loss * len(rows)
                errors += int((scores.argmax(axis=1) != y).sum())
                on_step()
            if run.schedule is not None:
                run.schedule.step()
            val_loss, val_error = evaluate(run.net, task.val)
        check_finite(val_loss, "validation loss", run, opts)
        yield run.record([total / len(labels), errors / len(labels), val_loss, val_error, lr], best)


def is_best(history: list[list[float]], kind: str, n_val: int) -> bool:
    """True if the last epoch is the best: of names by the validation loss, of sentences by the errors, as for images.

    A classifier of words grows too sure of itself long before it makes more errors: on five folds of 3,000 sentences, the
    epoch of the lowest validation loss has one percent more errors on the test sentences.
    """
    if kind == "sentences":
        return within_one_error(history, n_val)
    return history[-1][2] == min(row[2] for row in history)


def _step(run: Run, opts: Namespace, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    if run.compiled is not None:
        return runs.compiled_step(run, opts, x, y)
    engine = run.net.autograd_engine
    criterion = nn.SoftmaxCrossEntropy(engine)
    engine.zero_grad()
    run.optimizer.zero_grad()
    scores = run.net.forward(x)
    loss = float(criterion(y, scores)[0])
    criterion.backward()
    check_and_clip(loss, run, opts)
    run.optimizer.step()
    return loss, scores


def scores_of(net: Any, inputs: Any, batch_size: int = 1024) -> np.ndarray:
    """Scores (N, classes) in evaluation mode; nothing is recorded."""
    was_training = net.training
    net.eval()
    with net.autograd_engine.paused():
        found = [
            net.forward(inputs[np.arange(i, min(i + batch_size, len(inputs)))])
            for i in range(0, len(inputs), batch_size)
        ]
    if was_training:
        net.train()
    return np.concatenate(found)


def probabilities(net: Any, inputs: Any) -> np.ndarray:
    """Probabilities (N, classes), in float64."""
    return softmax(scores_of(net, inputs).astype(np.float64))


def evaluate(net: Any, part: Part) -> tuple[float, float]:
    """Mean cross-entropy in nats and share of wrong answers."""
    inputs, labels = part
    scores = scores_of(net, inputs).astype(np.float64)
    shifted = scores - scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return float(losses.mean()), float((scores.argmax(axis=1) != labels).mean())
