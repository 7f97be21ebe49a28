"""Training of the MLP on images: built from options, trained epoch by epoch."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import mytorch
from hw_bonus import runs
from hw_bonus.errors import BadInput
from hw_bonus.mlp import MLP, batches, class_indices, evaluate, train_batch
from hw_bonus.runs import Run, check_and_clip, check_finite
from mytorch import nn
from mytorch.autograd_engine import Autograd

HISTORY = ("train_loss", "train_error", "val_loss", "val_error", "lr")


def build(opts: Namespace, input_size: int, team: Any = None) -> Run:
    """A new run, with all its randomness from one generator. Raises BadInput if the network does not fit into memory.

    team: the processes of a run with --distributed.
    """
    # The state of this generator is two integers, which a checkpoint can hold.
    rng = np.random.Generator(np.random.PCG64(opts.seed))
    dropout_rng = team.generator(rng) if team else rng
    engine = Autograd()

    def activation() -> Any:
        function = runs.ACTIVATIONS[opts.activation](engine)
        return nn.Sequential(function, nn.Dropout(engine, opts.dropout, rng=dropout_rng)) if opts.dropout else function

    try:
        mlp = MLP(
            input_size,
            opts.classes,
            opts.hidden,
            [activation() for _ in opts.hidden],
            nn.SoftmaxCrossEntropy(engine),
            opts.lr,
            engine,
            optimizer=runs.optimizer(opts),
            rng=rng,
            dtype=np.dtype(opts.dtype),
        )
    except (MemoryError, ValueError, OverflowError) as error:
        sizes = [input_size, *opts.hidden, opts.classes]
        raise BadInput(f"a network of sizes {sizes} does not fit into memory; give smaller --hidden sizes") from error
    if team:
        team.join(mlp, opts)
    schedule = runs.schedule(opts, mlp.optimizer)
    compiled = None if opts.eager or team else compiled_step(mlp, opts.clip_norm)
    return Run(mlp, mlp.optimizer, schedule, rng, HISTORY, compiled=compiled, team=team)


def compiled_step(mlp: MLP, clip_norm: float) -> Any:
    """The training step of a network, compiled: (x, y) -> (mean loss, scores before the step)."""

    def loss_and_scores(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = mlp.forward(mlp.autograd_engine.data(x))
        return mlp.total_loss(y), scores

    return mytorch.compile(loss_and_scores, mlp.optimizer, clip_grad_norm=clip_norm or None)


def epochs(
    run: Run,
    opts: Namespace,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    on_step: Callable[[], None],
) -> Iterator[dict[str, float]]:
    """Trains until opts.epochs are done. Yields {train_loss, train_error, val_loss, val_error, lr} after each epoch.

    on_step: called after each mini-batch. Raises Diverged as soon as a loss is NaN or infinite.
    """
    (train_x, train_y), (val_x, val_y) = train, val
    while run.epoch < opts.epochs:
        run.net.train()
        lr, total_loss, total_errors = run.net.lr, 0.0, 0
        # The loss is checked, so NumPy's warnings about overflow would say the same a second time, less clearly.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for rows in batches(len(train_x), opts.batch_size, run.rng):
                loss, errors = train_step(run, opts, train_x[rows], train_y[rows])
                total_loss += loss * len(rows)
                total_errors += errors
                on_step()
            if run.schedule is not None:
                run.schedule.step()
            measure = run.team.evaluate if run.team else evaluate
            val_loss, val_errors = measure(run.net, val_x, val_y)
        check_finite(val_loss, "validation loss", run, opts)
        row = [total_loss / len(train_x), total_errors / len(train_x), val_loss, val_errors / len(val_x), lr]
        yield run.record(row, partial(is_best, n_val=len(val_x)))


def is_best(history: list[list[float]], n_val: int) -> bool:
    """True if the last epoch is within one standard error of the fewest validation errors: its weights are kept then.

    Among so few images, the epoch with the very fewest errors is often an early one that was lucky. Validation cannot tell
    these epochs apart. The latest of them has had the smallest learning rate, and it makes fewer errors on new images: a
    fifth fewer than the epoch of the lowest validation loss, measured on folds of the digits' training images.
    """
    errors = [round(row[3] * n_val) for row in history]
    return errors[-1] <= min(errors) + math.sqrt(max(min(errors), 1))


def train_step(run: Run, opts: Namespace, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    """Training step on one mini-batch with noise and dropped pixels. Returns (mean loss, number of errors) before it.

    x is changed in place. Raises Diverged where the loss or a gradient is not finite; an eager step has not moved the
    weights then, a compiled one may have.
    """
    if opts.noise:
        x += np.asarray(opts.noise * run.rng.standard_normal(x.shape, dtype=np.float32), x.dtype)
    if opts.input_dropout:
        kept = run.rng.random(x.shape, dtype=np.float32) >= opts.input_dropout
        x *= kept
        x /= 1 - opts.input_dropout
    if run.team:
        return run.team.step(run, opts, x, y)
    if run.compiled is None:
        return train_batch(run.net, x, y, partial(check_and_clip, run=run, opts=opts))
    loss, scores = runs.compiled_step(run, opts, x, y)
    return loss, int((scores.argmax(axis=-1) != class_indices(y)).sum())
