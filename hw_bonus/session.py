"""One call of the program, from data to pictures: load, train, keep the best weights, test, show."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus import checkpoint, datasets, options, pictures, progress, training
from hw_bonus.errors import BadInput, Diverged
from hw_bonus.mlp import evaluate
from mytorch.nn.nonlinear import softmax

State = tuple[dict[str, Any], dict[str, dict[str, Any]]]


def run(given: dict[str, Any]) -> int:
    """Runs the program with these options and returns its exit code. Raises BadInput and Diverged."""
    resume = given.get("resume")
    opts = options.complete(training.options_to_resume(resume, given) if resume else given)
    out = _writable_folder(Path(opts.out), "--out")
    target = Path(opts.save or resume or out / "checkpoint.npz")
    _writable_folder(target.parent, "--save")
    if target.is_dir():
        raise BadInput(f"--save {target} is a folder; give a file name such as {target / 'checkpoint.npz'}")

    dataset = datasets.load(opts.data, opts.test_data, opts.classes, opts.split_seed)
    train, val, test = datasets.normalise(dataset, opts.dtype)
    state = training.build(opts, train[0].shape[1])
    fingerprint = dataset.fingerprint()
    if resume:
        training.restore(state, resume, fingerprint)
    _introduce(dataset, state, opts, resume)

    seconds, stopped = _train(state, opts, train, val, fingerprint, target, keep=bool(opts.save or resume))
    if stopped:
        return stopped if stopped > 0 else 0
    if not state.history:
        raise BadInput("the run has no finished epoch to show; give more --epochs")
    state.mlp.load_state_dict(state.best)
    metrics, probabilities = _measure(state, opts, dataset, test, seconds)
    checkpoint.write_atomically(out / "metrics.json", lambda file: file.write(json.dumps(metrics, indent=1).encode()))
    drawn = _draw(state, opts, out, dataset, probabilities)
    _conclude(metrics, dataset, state, out, target, drawn)
    return 0


def _writable_folder(folder: Path, flag: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot write into {folder} ({reason}); give another folder with {flag}") from error
    return folder


def _introduce(dataset: datasets.Dataset, run: training.Run, opts: Namespace, resume: str | None) -> None:
    n_train, n_val, n_test = dataset.sizes()
    height, width = dataset.image_shape
    print(f"Data: {dataset.name}, {height}x{width} pixels: {n_train} to train, {n_val} to validate, {n_test} to test")
    for note in dataset.notes:
        print(f"      {note}")
    sizes = [height * width, *opts.hidden, opts.classes]
    count = sum(parameter.value.size for parameter in run.mlp.parameters())
    print(
        f"Net:  {'-'.join(map(str, sizes))}, {opts.activation}, {count:,} weights, {opts.dtype}; "
        f"{opts.optimizer}, lr {opts.lr:g}, batches of {opts.batch_size}, {opts.epochs} epochs, seed {opts.seed}"
    )
    if resume:
        print(f"Resumed from {resume} after epoch {run.epoch}")
    sys.stdout.flush()


def _train(
    run: training.Run,
    opts: Namespace,
    train: datasets.Pair,
    val: datasets.Pair,
    fingerprint: int,
    target: Path,
    keep: bool,
) -> tuple[float, int]:
    """Trains to the end and returns (seconds, 0); the second is 130 for Ctrl-C and -1 for --stop-after."""
    begin, start = run.epoch, time.perf_counter()
    last: State | None = training.snapshot(run, opts, fingerprint) if run.epoch else None
    bar = progress.start(opts.epochs, math.ceil(len(train[0]) / opts.batch_size), run.epoch)
    stopped = 0
    try:
        for row in training.epochs(run, opts, train, val, bar.step):
            last = training.snapshot(run, opts, fingerprint)
            if keep:
                _save(target, last)
            bar.epoch(run.epoch, row)
            if opts.stop_after and run.epoch - begin >= opts.stop_after and run.epoch < opts.epochs:
                stopped = -1
                break
    except KeyboardInterrupt:
        stopped = 130
    except BrokenPipeError:
        if last:
            _save(target, last)
        raise
    except Diverged as error:
        if last:
            _save(target, last)
            raise Diverged(f"{error}; the best model so far (epoch {last[0]['best_epoch']}) is in {target}") from None
        raise
    finally:
        bar.close()
    seconds = time.perf_counter() - start
    if last and (stopped or not keep):
        _save(target, last)
    if stopped:
        _explain_stop(last, opts, target)
    return seconds, stopped


def _save(target: Path, state: State) -> None:
    try:
        checkpoint.save(target, *state)
    except OSError as error:
        raise BadInput(
            f"cannot write checkpoint {target} ({error.strerror or error}); a previous one there is as it was; "
            "give another --save"
        ) from error


def _explain_stop(last: State | None, opts: Namespace, target: Path) -> None:
    if last is None:
        print("Stopped in the first epoch: there is no model to keep yet.", flush=True)
        return
    meta = last[0]
    accuracy = 1 - meta["history"][meta["best_epoch"] - 1][3]
    print(
        f"Stopped after epoch {meta['epoch']} of {opts.epochs}. The best model so far (epoch {meta['best_epoch']}, "
        f"validation accuracy {accuracy:.2%}) is in {target}\nGo on with: --resume {target}",
        flush=True,
    )


def _measure(
    run: training.Run, opts: Namespace, dataset: datasets.Dataset, test: datasets.Pair, seconds: float
) -> tuple[dict[str, Any], np.ndarray]:
    """Contents of metrics.json, and the probabilities (N, C) of the test images."""
    # Named before the evaluation, as the last training step has left it.
    backend = training.backend(run)
    loss, errors = evaluate(run.mlp, *test)
    probabilities = _probabilities(run, test[0])
    labels, predictions = test[1], probabilities.argmax(axis=1)
    table = pictures.confusion_matrix(labels, predictions, opts.classes)
    totals = table.sum(axis=1)
    columns = zip(*run.history)
    metrics = {
        "test_accuracy": 1 - errors / len(labels),
        "test_errors": errors,
        "test_loss": loss,
        "best_epoch": run.best_epoch,
        "val_accuracy": 1 - run.history[run.best_epoch - 1][3],
        "epochs": run.epoch,
        "training_seconds": round(seconds, 3),
        "backend": backend,
        "data": {
            "name": dataset.name,
            **dict(zip(("train", "val", "test"), dataset.sizes())),
            "notes": dataset.notes,
        },
        "options": {name: value for name, value in vars(opts).items() if name not in options.PER_CALL},
        "weights": sum(parameter.value.size for parameter in run.mlp.parameters()),
        "accuracy_per_class": [int(table[k, k]) / int(totals[k]) if totals[k] else None for k in range(opts.classes)],
        "confusion_matrix": table.tolist(),
        "history": {name: list(column) for name, column in zip(training.HISTORY, columns)},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    return metrics, probabilities


def _probabilities(run: training.Run, images: np.ndarray) -> np.ndarray:
    run.mlp.eval()
    with run.mlp.autograd_engine.paused():
        scores = np.concatenate([run.mlp.forward(images[i : i + 1024]) for i in range(0, len(images), 1024)])
    return softmax(scores.astype(np.float64))


def _draw(run: training.Run, opts: Namespace, out: Path, dataset: datasets.Dataset, probabilities: np.ndarray) -> str:
    """Draws the pictures and returns a line that says where they are, or why there are none."""
    if opts.no_plots:
        return "no pictures (--no-plots)"
    first = run.mlp.linear_layers[0].W
    images, labels = dataset.test
    try:
        drawn = pictures.draw_all(
            out, run.history, run.best_epoch, labels, probabilities, images, dataset.image_shape, first
        )
    except ImportError:
        return "none, because matplotlib is not installed; to get them: pip install '.[plots]'"
    except OSError as error:
        raise BadInput(
            f"cannot write the pictures into {out} ({error.strerror or error}); give another --out"
        ) from error
    return ", ".join(os.fspath(path) for path in drawn)


def _conclude(
    metrics: dict[str, Any], dataset: datasets.Dataset, run: training.Run, out: Path, target: Path, drawn: str
) -> None:
    errors, n_test = metrics["test_errors"], dataset.sizes()[2]
    print(
        f"\nTest accuracy: {metrics['test_accuracy']:.2%} ({n_test - errors} of {n_test} right), "
        f"with the weights of epoch {run.best_epoch}; trained for {metrics['training_seconds']:.1f} s\n"
        f"Pictures: {drawn}\n"
        f"Numbers:  {out / 'metrics.json'}\n"
        f"Model:    {target}",
        flush=True,
    )
