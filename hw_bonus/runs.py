"""Training run of any network: optimiser and schedule, state saved and restored bit for bit, the loop that keeps it."""

from __future__ import annotations

import math
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus import checkpoint, progress
from hw_bonus.command import Options, shown
from hw_bonus.errors import BadInput, Diverged, Terminated
from mytorch import nn, optim

ACTIVATIONS = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU, "silu": nn.SiLU,
    "softplus": nn.Softplus, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
}  # fmt: skip
# The (meta, arrays) of checkpoint.save.
State = tuple[dict[str, Any], dict[str, dict[str, Any]]]


@dataclass
class Run:
    """State of a training: everything that the next epoch depends on, and the best weights so far.

    columns: names of the numbers that history holds for each epoch. about: what the saved model needs beside its weights, as
    JSON can hold it. compiled: the compiled training step; None for the eager one. team: the processes of a run in many.
    """

    net: Any
    optimizer: Any
    schedule: Any
    rng: np.random.Generator
    columns: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    history: list[list[float]] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)
    best_epoch: int = 0
    compiled: Any = None
    team: Any = None

    def record(self, row: list[float], is_best: Callable[[list[list[float]]], bool]) -> dict[str, float]:
        """Enter a finished epoch, keep its weights if it is the best, and return the row with its names."""
        self.epoch += 1
        self.history.append(row)
        if is_best(self.history):
            self.best, self.best_epoch = self.net.state_dict(), self.epoch
        return self.row(self.epoch)

    def row(self, epoch: int) -> dict[str, float]:
        """The numbers of an epoch, by their names."""
        return dict(zip(self.columns, self.history[epoch - 1]))


def optimizer(opts: Namespace) -> Callable[..., Any]:
    """The optimiser of the options, as a function of (parameters, lr)."""
    kinds: dict[str, Callable[..., Any]] = {
        "sgd": partial(optim.SGD, momentum=opts.momentum),
        "nesterov": partial(optim.SGD, momentum=opts.momentum, nesterov=True),
        "adam": optim.Adam,
        "adamw": optim.AdamW,
    }
    return partial(kinds[opts.optimizer], weight_decay=opts.weight_decay)


def schedule(opts: Namespace, moved: Any) -> Any:
    """The schedule of the options for an optimiser; None for a constant learning rate."""
    kinds: dict[str, Callable[[], Any]] = {
        "none": lambda: None,
        "cosine": lambda: optim.CosineLR(moved, opts.epochs),
        "step": lambda: optim.StepLR(moved, opts.step_size, opts.gamma),
    }
    return kinds[opts.schedule]()


def backend(run: Run) -> str:
    """The backend of the last step, for people; for an eager one also the reason."""
    if run.team:
        return f"eager, in {run.team.world.size} processes"
    if run.compiled is None:
        return "eager"
    plan = run.compiled.plan
    return f"eager, because {run.compiled.reason}" if plan is None else plan.backend


def check_finite(value: float, what: str, run: Run, opts: Namespace) -> None:
    """Raises Diverged with advice where a number is NaN or infinite."""
    if not math.isfinite(value):
        advice = [f"a smaller --lr (for example {min(opts.lr / 10, 0.01):.2g})"]
        if not opts.clip_norm:
            advice.append("--clip-norm 1")
        if opts.dtype == "float32":
            advice.append("--dtype float64")
        where = f"in epoch {run.epoch + 1} with --lr {opts.lr:g}"
        raise Diverged(f"the {what} became {value} {where}; try {' or '.join(advice)}")


def check_and_clip(loss: float, run: Run, opts: Namespace) -> None:
    """Part of an eager step between backward and update. Raises Diverged where the loss or a gradient is not finite."""
    check_finite(loss, "loss", run, opts)
    if opts.clip_norm:
        try:
            optim.clip_grad_norm(run.optimizer.parameters, opts.clip_norm)
        except ValueError:
            check_finite(math.nan, "gradient", run, opts)


def compiled_step(run: Run, opts: Namespace, *arrays: np.ndarray) -> tuple[float, np.ndarray]:
    """One compiled step: (loss, scores). Raises Diverged where the loss or a gradient is not finite."""
    try:
        loss, scores = run.compiled(*arrays)
    except ValueError:
        if opts.clip_norm:
            check_finite(math.nan, "gradient", run, opts)
        raise
    check_finite(loss, "loss", run, opts)
    return loss, scores


# Saved and restored


def snapshot(run: Run, options: Options, opts: Namespace, fingerprint: int) -> State:
    """Copies of everything that restore needs."""
    meta = {
        "options": options.to_text(opts),
        "about": run.about,
        "data": fingerprint,
        "epoch": run.epoch,
        "best_epoch": run.best_epoch,
        "history": [list(row) for row in run.history],
        "random": run.rng.bit_generator.state,
        "schedule": run.schedule.state_dict() if run.schedule is not None else None,
    }
    # run.best needs no copy: a better epoch binds other arrays and changes none.
    return meta, {"model": run.net.state_dict(), "best": run.best, "optimizer": run.optimizer.state_dict()}


def options_to_resume(options: Options, path: str | Path, given: dict[str, Any]) -> dict[str, Any]:
    """Options of a checkpoint, completed by those given now. Raises BadInput where the two contradict each other."""
    meta, _ = checkpoint.load(path)
    saved = options_of(options, path, meta)
    for name, value in given.items():
        # Other data is recognised by its contents, wherever it lies.
        free = name in options.per_call or name == "epochs" or name in options.paths
        if not free and saved.get(name, options.defaults[name]) != value:
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(
                f"checkpoint {path} is of another run: made with {flag} {meta['options'].get(name)}, but {flag} "
                f"{shown(value)} was given; leave the option out, or start anew without --resume"
            )
    return {**saved, **given}


def options_of(options: Options, path: str | Path, meta: dict[str, Any]) -> dict[str, Any]:
    """The options that a checkpoint was made with. Raises BadInput for those of another program."""
    try:
        return options.from_text(meta["options"])
    except Exception as error:
        raise BadInput(f"checkpoint {path} holds options that this program does not know; start anew") from error


def restore(run: Run, path: str | Path, fingerprint: int) -> None:
    """Brings a new run to the state of a checkpoint. Raises BadInput for one of another network or other data."""
    meta, arrays = checkpoint.load(path)
    if meta.get("data") != fingerprint:
        raise BadInput(f"checkpoint {path} was made with other data; give the same --data, or start anew")
    try:
        # The best weights go through the network so that they are checked like the current ones.
        run.net.load_state_dict(arrays["best"])
        run.best = run.net.state_dict()
        run.net.load_state_dict(arrays["model"])
        run.optimizer.load_state_dict(arrays["optimizer"])
        if run.schedule is not None:
            run.schedule.load_state_dict(meta["schedule"])
        run.rng.bit_generator.state = meta["random"]
        run.history = [[float(value) for value in row] for row in meta["history"]]
        run.epoch, run.best_epoch = int(meta["epoch"]), int(meta["best_epoch"])
        if len(run.history) != run.epoch or any(len(row) != len(run.columns) for row in run.history):
            raise ValueError("history and epoch differ")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"checkpoint {path} is of another network or damaged ({error}); start anew") from error


# The loop around the epochs


@dataclass(frozen=True)
class Keeping:
    """Place and time of saving a run. state: makes the snapshot. always: after every epoch, not only at its end.

    writes: False in all but one of many processes.
    """

    target: Path
    state: Callable[[], State]
    always: bool
    writes: bool = True


def train(
    run: Run,
    opts: Namespace,
    rows: Callable[[Callable[[], None]], Iterator[dict[str, float]]],
    steps_per_epoch: int,
    keeping: Keeping,
    describe: Callable[[dict[str, float]], str],
) -> tuple[float, int]:
    """Trains to the end and returns (seconds, 0); the second is 130 for Ctrl-C, 143 for SIGTERM, -1 for --stop-after.

    rows: the epochs, as a function of what is called after each mini-batch. describe: the words about an epoch's row.
    """
    begin, start = run.epoch, time.perf_counter()
    last: State | None = keeping.state() if run.epoch else None
    bar = progress.start(opts.epochs, steps_per_epoch, run.epoch, describe)
    stopped = 0
    try:
        for row in rows(bar.step):
            last = keeping.state()
            if keeping.always:
                _save(keeping, last)
            bar.epoch(run.epoch, row)
            if opts.stop_after and run.epoch - begin >= opts.stop_after and run.epoch < opts.epochs:
                stopped = -1
                break
    except KeyboardInterrupt as signalled:
        stopped = 143 if isinstance(signalled, Terminated) else 130
    except BrokenPipeError:
        if last:
            _save(keeping, last)
        raise
    except Diverged as error:
        if last:
            _save(keeping, last)
            best = last[0]["best_epoch"]
            raise Diverged(f"{error}; the best model so far (epoch {best}) is in {keeping.target}") from None
        raise
    finally:
        bar.close()
    seconds = time.perf_counter() - start
    if last and (stopped or not keeping.always):
        _save(keeping, last)
    if stopped:
        print(_stop(run, last, opts, keeping.target, describe), flush=True)
    return seconds, stopped


def _save(keeping: Keeping, state: State) -> None:
    if not keeping.writes:
        return
    try:
        checkpoint.save(keeping.target, *state)
    except OSError as error:
        raise BadInput(
            f"cannot write checkpoint {keeping.target} ({error.strerror or error}); a previous one there is as it was; "
            "give another --save"
        ) from error


def _stop(
    run: Run, last: State | None, opts: Namespace, target: Path, describe: Callable[[dict[str, float]], str]
) -> str:
    if last is None:
        return "Stopped in the first epoch: there is no model to keep yet."
    epoch, best = last[0]["epoch"], last[0]["best_epoch"]
    return (
        f"Stopped after epoch {epoch} of {opts.epochs}. The best model so far is in {target}, of epoch {best}: "
        f"{describe(run.row(best))}\nGo on with: --resume {target}"
    )


def draw(opts: Namespace, out: Path, drawing: Callable[[], list[Path]]) -> str:
    """Draws pictures into a folder, and returns a line that says where they are, or why there are none. Raises BadInput."""
    if opts.no_plots:
        return "no pictures (--no-plots)"
    try:
        return ", ".join(map(str, drawing()))
    except ImportError:
        return "none, because matplotlib is not installed; to get them: pip install '.[plots]'"
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"cannot write the pictures into {out} ({reason}); give another --out") from error


def writable_folder(folder: Path, flag: str) -> Path:
    """A folder that exists and can be written into. Raises BadInput that names the option."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot write into {folder} ({reason}); give another folder with {flag}") from error
    return folder


def places(opts: Namespace, resume: str | None) -> tuple[Path, Path]:
    """The folder of the results and the file of the checkpoint, both writable. Raises BadInput."""
    out = writable_folder(Path(opts.out), "--out")
    target = Path(opts.save or resume or out / "checkpoint.npz")
    writable_folder(target.parent, "--save")
    if target.is_dir():
        raise BadInput(f"--save {target} is a folder; give a file name such as {target / 'checkpoint.npz'}")
    if (out / "metrics.json").exists() and not resume:
        print(
            f"{out} holds the results of an earlier run, which this one replaces at its end; --out names another folder"
        )
    return out, target
