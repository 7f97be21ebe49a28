"""Training run: built from options, trained epoch by epoch, saved and restored bit for bit."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mytorch
from hw_bonus import checkpoint, options
from hw_bonus.errors import BadInput, Diverged
from hw_bonus.mlp import MLP, batches, class_indices, evaluate, train_batch
from mytorch import nn, optim
from mytorch.autograd_engine import Autograd

ACTIVATIONS = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU, "silu": nn.SiLU,
    "softplus": nn.Softplus, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
}  # fmt: skip
HISTORY = ("train_loss", "train_error", "val_loss", "val_error", "lr")


@dataclass
class Run:
    """State of a training: everything that the next epoch depends on, and the best weights so far."""

    mlp: MLP
    schedule: Any
    rng: np.random.Generator
    epoch: int = 0
    history: list[list[float]] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)
    best_epoch: int = 0
    # (x, y) -> (mean loss, scores) of one step; None for the eager one.
    compiled: Any = None


def build(opts: Namespace, input_size: int) -> Run:
    """A new run, with all its randomness from one generator. Raises BadInput if the network does not fit into memory."""
    # The state of this generator is two integers, which a checkpoint can hold.
    rng = np.random.Generator(np.random.PCG64(opts.seed))
    engine = Autograd()

    def activation() -> Any:
        function = ACTIVATIONS[opts.activation](engine)
        return nn.Sequential(function, nn.Dropout(engine, opts.dropout, rng=rng)) if opts.dropout else function

    optimizers: dict[str, Callable[..., Any]] = {
        "sgd": partial(optim.SGD, momentum=opts.momentum),
        "nesterov": partial(optim.SGD, momentum=opts.momentum, nesterov=True),
        "adam": optim.Adam,
        "adamw": optim.AdamW,
    }
    try:
        mlp = MLP(
            input_size,
            opts.classes,
            opts.hidden,
            [activation() for _ in opts.hidden],
            nn.SoftmaxCrossEntropy(engine),
            opts.lr,
            engine,
            optimizer=partial(optimizers[opts.optimizer], weight_decay=opts.weight_decay),
            rng=rng,
            dtype=np.dtype(opts.dtype),
        )
    except (MemoryError, ValueError, OverflowError) as error:
        sizes = [input_size, *opts.hidden, opts.classes]
        raise BadInput(f"a network of sizes {sizes} does not fit into memory; give smaller --hidden sizes") from error
    schedule = {
        "none": lambda: None,
        "cosine": lambda: optim.CosineLR(mlp.optimizer, opts.epochs),
        "step": lambda: optim.StepLR(mlp.optimizer, opts.step_size, opts.gamma),
    }[opts.schedule]()
    return Run(mlp, schedule, rng, compiled=None if opts.eager else compiled_step(mlp, opts.clip_norm))


def compiled_step(mlp: MLP, clip_norm: float) -> Any:
    """The training step of a network, compiled: (x, y) -> (mean loss, scores before the step)."""

    def loss_and_scores(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = mlp.forward(mlp.autograd_engine.data(x))
        return mlp.total_loss(y), scores

    return mytorch.compile(loss_and_scores, mlp.optimizer, clip_grad_norm=clip_norm or None)


def backend(run: Run) -> str:
    """The backend of the last step, for people; for an eager one also the reason."""
    if run.compiled is None:
        return "eager"
    plan = run.compiled.plan
    return f"eager, because {run.compiled.reason}" if plan is None else plan.backend


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
        run.mlp.train()
        lr, total_loss, total_errors = run.mlp.lr, 0.0, 0
        # The loss is checked, so NumPy's warnings about overflow would say the same a second time, less clearly.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for rows in batches(len(train_x), opts.batch_size, run.rng):
                loss, errors = train_step(run, opts, train_x[rows], train_y[rows])
                total_loss += loss * len(rows)
                total_errors += errors
                on_step()
            if run.schedule is not None:
                run.schedule.step()
            val_loss, val_errors = evaluate(run.mlp, val_x, val_y)
        _check_finite(val_loss, "validation loss", run, opts)
        run.epoch += 1
        row = [total_loss / len(train_x), total_errors / len(train_x), val_loss, val_errors / len(val_x), lr]
        run.history.append(row)
        if is_best(run.history, len(val_x)):
            run.best, run.best_epoch = run.mlp.state_dict(), run.epoch
        yield dict(zip(HISTORY, row))


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
    if run.compiled is not None:
        return _compiled_train_step(run, opts, x, y)

    def check_and_clip(loss: float) -> None:
        _check_finite(loss, "loss", run, opts)
        if opts.clip_norm:
            try:
                optim.clip_grad_norm(run.mlp.optimizer.parameters, opts.clip_norm)
            except ValueError:
                _check_finite(math.nan, "gradient", run, opts)

    return train_batch(run.mlp, x, y, check_and_clip)


def _compiled_train_step(run: Run, opts: Namespace, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    try:
        loss, scores = run.compiled(x, y)
    except ValueError:
        if opts.clip_norm:
            _check_finite(math.nan, "gradient", run, opts)
        raise
    _check_finite(loss, "loss", run, opts)
    return loss, int((scores.argmax(axis=-1) != class_indices(y)).sum())


def _check_finite(value: float, what: str, run: Run, opts: Namespace) -> None:
    if not math.isfinite(value):
        advice = [f"a smaller --lr (for example {min(opts.lr / 10, 0.01):.2g})"]
        if not opts.clip_norm:
            advice.append("--clip-norm 1")
        if opts.dtype == "float32":
            advice.append("--dtype float64")
        where = f"in epoch {run.epoch + 1} with --lr {opts.lr:g}"
        raise Diverged(f"the {what} became {value} {where}; try {' or '.join(advice)}")


def snapshot(run: Run, opts: Namespace, fingerprint: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Copies of everything that restore needs, as the (meta, arrays) of checkpoint.save."""
    meta = {
        "options": options.to_text(opts),
        "data": fingerprint,
        "epoch": run.epoch,
        "best_epoch": run.best_epoch,
        "history": [list(row) for row in run.history],
        "random": run.rng.bit_generator.state,
        "schedule": run.schedule.state_dict() if run.schedule is not None else None,
    }
    # run.best needs no copy: a better epoch binds other arrays and changes none.
    return meta, {"model": run.mlp.state_dict(), "best": run.best, "optimizer": run.mlp.optimizer.state_dict()}


def options_to_resume(path: str | Path, given: dict[str, Any]) -> dict[str, Any]:
    """Options of a checkpoint, completed by those given now. Raises BadInput where the two contradict each other."""
    meta, _ = checkpoint.load(path)
    try:
        saved = options.from_text(meta["options"])
    except Exception as error:
        raise BadInput(f"checkpoint {path} holds options that this program does not know; start anew") from error
    for name, value in given.items():
        # Other data is recognised by its contents, wherever it lies.
        free = name in options.PER_CALL or name in ("epochs", "data", "test_data")
        if not free and saved.get(name, options.DEFAULTS[name]) != value:
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(
                f"checkpoint {path} is of another run: made with {flag} {meta['options'].get(name)}, but {flag} "
                f"{_shown(value)} was given; leave the option out, or start anew without --resume"
            )
    return {**saved, **given}


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def restore(run: Run, path: str | Path, fingerprint: int) -> None:
    """Brings a new run to the state of a checkpoint. Raises BadInput for one of another network or other data."""
    meta, arrays = checkpoint.load(path)
    if meta.get("data") != fingerprint:
        raise BadInput(f"checkpoint {path} was made with other data; give the same --data, or start anew")
    try:
        # The best weights go through the network so that they are checked like the current ones.
        run.mlp.load_state_dict(arrays["best"])
        run.best = run.mlp.state_dict()
        run.mlp.load_state_dict(arrays["model"])
        run.mlp.optimizer.load_state_dict(arrays["optimizer"])
        if run.schedule is not None:
            run.schedule.load_state_dict(meta["schedule"])
        run.rng.bit_generator.state = meta["random"]
        run.history = [[float(value) for value in row] for row in meta["history"]]
        run.epoch, run.best_epoch = int(meta["epoch"]), int(meta["best_epoch"])
        if len(run.history) != run.epoch or any(len(row) != len(HISTORY) for row in run.history):
            raise ValueError("history and epoch differ")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"checkpoint {path} is of another network or damaged ({error}); start anew") from error
