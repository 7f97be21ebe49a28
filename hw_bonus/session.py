"""One call of the program, from data to pictures: load, train, keep the best weights, test, show."""

from __future__ import annotations

import json
import math
import platform
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mytorch
from hw_bonus import checkpoint, datasets, draw_page, model, options, parallel, pictures, progress, runs, training
from hw_bonus.errors import BadInput
from hw_bonus.mlp import evaluate
from hw_bonus.options import OPTIONS
from mytorch.nn.nonlinear import softmax

MODEL, DRAWING = "model.npz", "draw.html"


def run(given: dict[str, Any]) -> int:
    """Runs the program with these options and returns its exit code. Raises BadInput and Diverged."""
    return parallel.run(given, _run)


def _run(given: dict[str, Any], team: parallel.Team | None) -> int:
    resume = given.get("resume")
    opts = options.complete(runs.options_to_resume(OPTIONS, resume, given) if resume else given)
    is_first = team is None or team.world.rank == 0
    out, target = runs.places(opts, resume) if is_first else (Path(opts.out), Path(opts.out))
    dataset = datasets.load(opts.data, opts.test_data, opts.classes, opts.split_seed)
    train, val, test = datasets.normalise(dataset, opts.dtype)
    fingerprint = dataset.fingerprint()
    if team:
        team.check_same(fingerprint, OPTIONS.to_text(opts))
    state = training.build(opts, train[0].shape[1], team)
    state.about = model.describe(dataset, opts.hidden, opts.activation, opts.dtype)
    if resume:
        runs.restore(state, resume, fingerprint)
    _introduce(dataset, state, opts, resume)

    keeping = runs.Keeping(
        target,
        lambda: runs.snapshot(state, OPTIONS, opts, fingerprint),
        always=bool(opts.save or resume),
        writes=is_first,
    )
    steps = math.ceil(len(train[0]) / opts.batch_size)
    rows = partial(training.epochs, state, opts, train, val)
    seconds, stopped = runs.train(state, opts, rows, steps, keeping, progress.loss_and_accuracy)
    if stopped:
        return stopped if stopped > 0 else 0
    if not is_first:
        return 0
    if not state.history:
        raise BadInput("the run has no finished epoch to show; give more --epochs")
    state.net.load_state_dict(state.best)
    metrics, probabilities = _measure(state, opts, dataset, test, seconds)
    _write_model(out, state, dataset)
    checkpoint.write_atomically(out / "metrics.json", lambda file: file.write(json.dumps(metrics, indent=1).encode()))
    drawn = _draw(state, opts, out, dataset, probabilities)
    _conclude(metrics, dataset, state, out, target, drawn)
    return 0


def _introduce(dataset: datasets.Dataset, run: runs.Run, opts: Namespace, resume: str | None) -> None:
    n_train, n_val, n_test = dataset.sizes()
    height, width = dataset.image_shape
    print(f"Data: {dataset.name}, {height}x{width} pixels: {n_train} to train, {n_val} to validate, {n_test} to test")
    for note in dataset.notes:
        print(f"      {note}")
    sizes = [height * width, *opts.hidden, opts.classes]
    count = sum(parameter.value.size for parameter in run.net.parameters())
    print(
        f"Net:  {'-'.join(map(str, sizes))}, {opts.activation}, {count:,} weights, {opts.dtype}; "
        f"{opts.optimizer}, lr {opts.lr:g}, batches of {opts.batch_size}, {opts.epochs} epochs, seed {opts.seed}"
    )
    if resume:
        print(f"Resumed from {resume} after epoch {run.epoch}")
    sys.stdout.flush()


def _measure(
    run: runs.Run, opts: Namespace, dataset: datasets.Dataset, test: datasets.Pair, seconds: float
) -> tuple[dict[str, Any], np.ndarray]:
    """Contents of metrics.json, and the probabilities (N, C) of the test images."""
    # Named before the evaluation, as the last training step has left it.
    backend = runs.backend(run)
    loss, errors = evaluate(run.net, *test)
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
        "options": {name: value for name, value in vars(opts).items() if name not in OPTIONS.per_call},
        "weights": sum(parameter.value.size for parameter in run.net.parameters()),
        "accuracy_per_class": [int(table[k, k]) / int(totals[k]) if totals[k] else None for k in range(opts.classes)],
        "confusion_matrix": table.tolist(),
        "history": {name: list(column) for name, column in zip(training.HISTORY, columns)},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    return metrics, probabilities


def _probabilities(run: runs.Run, images: np.ndarray) -> np.ndarray:
    run.net.eval()
    with run.net.autograd_engine.paused():
        scores = np.concatenate([run.net.forward(images[i : i + 1024]) for i in range(0, len(images), 1024)])
    return softmax(scores.astype(np.float64))


def _write_model(out: Path, run: runs.Run, dataset: datasets.Dataset) -> None:
    """Writes the best weights with all that it takes to use them, and the page on which one draws for them."""
    try:
        mytorch.save(out / MODEL, run.best, run.about)
        page = draw_page.page(model.load(out / MODEL), dataset.test[0])
        checkpoint.write_atomically(out / DRAWING, lambda file: file.write(page.encode()))
    except OSError as error:
        raise BadInput(f"cannot write the model into {out} ({error.strerror or error}); give another --out") from error


def _draw(run: runs.Run, opts: Namespace, out: Path, dataset: datasets.Dataset, probabilities: np.ndarray) -> str:
    """Draws the pictures and returns the line about them."""
    first = run.net.linear_layers[0].W
    images, labels = dataset.test
    shape = dataset.image_shape
    return runs.draw(
        opts,
        out,
        lambda: pictures.draw_all(out, run.history, run.best_epoch, labels, probabilities, images, shape, first),
    )


def _conclude(
    metrics: dict[str, Any], dataset: datasets.Dataset, run: runs.Run, out: Path, target: Path, drawn: str
) -> None:
    errors, n_test = metrics["test_errors"], dataset.sizes()[2]
    print(
        f"\nTest accuracy: {metrics['test_accuracy']:.2%} ({n_test - errors} of {n_test} right), "
        f"with the weights of epoch {run.best_epoch}; trained for {metrics['training_seconds']:.1f} s\n"
        f"Pictures: {drawn}\n"
        f"Numbers:  {out / 'metrics.json'}\n"
        f"Model:    {out / MODEL} (to read images: python hw_bonus/predict.py {out / MODEL} IMAGE); {target} to resume\n"
        f"Draw:     open {out / DRAWING} in a browser, and draw for the network",
        flush=True,
    )
