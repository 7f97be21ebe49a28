"""One call of the program: train on names or sentences and show what was learned, or let a saved model say what it thinks."""

from __future__ import annotations

import json
import math
import platform
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus import checkpoint, progress, runs
from hw_bonus.errors import BadInput
from hw_bonus.pictures import confusion_matrix
from hw_bonus.text import explain, names, pictures, sentences, training
from hw_bonus.text.options import OPTIONS, complete
from hw_bonus.text.task import Task

# Epochs after which names are invented, as shares of all.
SHOWN = (0.0, 0.5, 1.0)


def run(given: dict[str, Any]) -> int:
    """Runs the program with these options and returns its exit code. Raises BadInput and Diverged."""
    if "say" in given:
        return _say(given)
    resume = given.get("resume")
    opts = complete(runs.options_to_resume(OPTIONS, resume, given) if resume else given)
    out, target = runs.places(opts, resume)
    known: list[str] = []
    if opts.data is None:
        task, known = names.load(opts.names, opts.context)
    else:
        task = sentences.load(opts.data, opts.min_count)
    state = training.build(task, opts)
    fingerprint = task.fingerprint()
    if resume:
        runs.restore(state, resume, fingerprint)
    _introduce(task, state, opts, resume)

    keeping = runs.Keeping(
        target, lambda: runs.snapshot(state, OPTIONS, opts, fingerprint), always=bool(opts.save or resume)
    )
    steps = math.ceil(len(task.train[1]) / opts.batch_size)
    describe = _describe_names if opts.data is None else progress.loss_and_accuracy
    rows = partial(_rows, state, opts, task, known)
    seconds, stopped = runs.train(state, opts, rows, steps, keeping, describe)
    if stopped:
        return stopped if stopped > 0 else 0
    if not state.history:
        raise BadInput("the run has no finished epoch to show; give more --epochs")
    state.net.load_state_dict(state.best)
    conclude = _conclude_names if opts.data is None else _conclude_sentences
    metrics, drawings, told = conclude(state, opts, task, known)
    metrics = {**metrics, **_common(state, opts, task, seconds)}
    checkpoint.write_atomically(out / "metrics.json", lambda file: file.write(json.dumps(metrics, indent=1).encode()))
    print(
        f"\n{told}; trained for {seconds:.1f} s\nPictures: {runs.draw(opts, out, lambda: pictures.save_all(out, drawings))}\n"
        f"Numbers:  {out / 'metrics.json'}\nModel:    {target}",
        flush=True,
    )
    if opts.data is not None:
        place = "" if target == Path(OPTIONS.defaults["out"]) / "checkpoint.npz" else f" --model {target}"
        print(f'Ask it:   python hw_bonus/text_runner.py --say "It is a good movie"{place}', flush=True)
    return 0


def _rows(
    state: runs.Run, opts: Namespace, task: Task, known: list[str], on_step: Callable[[], None]
) -> Iterator[dict[str, float]]:
    """The epochs; after some of them names are printed that the network invents."""
    shown = {max(1, round(share * opts.epochs)) for share in SHOWN}
    for row in training.epochs(state, opts, task, on_step):
        yield row
        if known and state.epoch in shown:
            print("      " + _marked(_invent(state, opts, task), known), flush=True)


def _invent(state: runs.Run, opts: Namespace, task: Task, count: int = 10) -> list[str]:
    """Names from the network as it is. Their randomness is their own, so that a resumed run draws the same."""
    rng = np.random.default_rng([opts.seed, state.epoch])
    scores = partial(training.scores_of, state.net)
    return names.invent(scores, task.about["letters"], opts.context, count, rng)


def _marked(invented: list[str], known: list[str]) -> str:
    """Names in a line; one that is among the training names stands in brackets."""
    old = set(known)
    return ", ".join(f"({name})" if name.lower() in old else name or "-" for name in invented)


def _introduce(task: Task, state: runs.Run, opts: Namespace, resume: str | None) -> None:
    print(f"Data: {task.name}")
    for note in task.notes:
        print(f"      {note}")
    count = sum(parameter.value.size for parameter in state.net.parameters())
    if task.about["kind"] == "names":
        inputs = f"{opts.context} letters x {opts.embedding}"
    else:
        inputs = f"mean of words ({task.size - 2:,} known) x {opts.embedding}"
    print(
        f"Net:  {'-'.join([inputs, *map(str, opts.hidden), str(task.classes)])}, {opts.activation}, {count:,} weights, "
        f"{opts.dtype}; {opts.optimizer}, lr {opts.lr:g}, batches of {opts.batch_size}, {opts.epochs} epochs, seed {opts.seed}"
    )
    if resume:
        print(f"Resumed from {resume} after epoch {state.epoch}")
    sys.stdout.flush()


def _describe_names(row: dict[str, float]) -> str:
    return (
        f"loss {row['train_loss']:.4f}  perplexity {math.exp(row['train_loss']):5.2f}"
        f"  |  held-out loss {row['val_loss']:.4f}  perplexity {math.exp(row['val_loss']):5.2f}"
    )


Conclusion = tuple[dict[str, Any], dict[str, Callable[[Any], Any]], str]


def _conclude_names(state: runs.Run, opts: Namespace, task: Task, known: list[str]) -> Conclusion:
    """Numbers, pictures and the sentence about a network of letters."""
    loss, error = training.evaluate(state.net, task.test)
    trigram = names.trigram_loss(task)
    metrics = {
        "test_loss": loss,
        "test_perplexity": math.exp(loss),
        "test_error": error,
        "trigram_test_loss": trigram if math.isfinite(trigram) else None,
        "invented": _invent(state, opts, task),
    }
    drawings = {
        "loss.png": lambda figure: pictures.loss(figure, state.history, state.best_epoch, trigram),
        "letters.png": lambda figure: pictures.letters(figure, state.net.embedding.W, task.about["letters"]),
    }
    told = (
        f"Test names: loss {loss:.4f}, perplexity {math.exp(loss):.2f} (a smoothed trigram model: {trigram:.4f}, "
        f"{math.exp(trigram):.2f}), with the weights of epoch {state.best_epoch}"
    )
    return metrics, drawings, told


def _conclude_sentences(state: runs.Run, opts: Namespace, task: Task, known: list[str]) -> Conclusion:
    """Numbers, pictures and the sentence about a network of words."""
    inputs, labels = task.test
    loss, error = training.evaluate(state.net, task.test)
    chances = training.probabilities(state.net, inputs)
    table = confusion_matrix(labels, chances.argmax(axis=1), task.classes)
    numbers, speaks = pictures.telling_words(state.net, task.about)
    vocabulary, classes = task.about["vocabulary"], task.about["classes"]
    metrics = {
        "test_accuracy": 1 - error,
        "test_loss": loss,
        "classes": classes,
        "confusion_matrix": table.tolist(),
        "telling_words": {
            classes[k]: [vocabulary[n - 2] for n, other in zip(numbers, speaks) if other == k]
            for k in sorted(set(speaks))
        },
    }
    drawings = {
        "loss.png": lambda figure: pictures.loss(figure, state.history, state.best_epoch),
        "words.png": lambda figure: pictures.words(figure, state.net, task.about),
        "confusion.png": pictures.confusion_of(labels, chances, classes),
    }
    right = int(np.trace(table))
    told = (
        f"Test accuracy: {1 - error:.2%} ({right} of {len(labels)} right), with the weights of epoch {state.best_epoch}"
    )
    return metrics, drawings, told


def _common(state: runs.Run, opts: Namespace, task: Task, seconds: float) -> dict[str, Any]:
    return {
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "training_seconds": round(seconds, 3),
        "backend": runs.backend(state),
        "data": {
            "name": task.name,
            **{name: len(part[1]) for name, part in (("train", task.train), ("val", task.val), ("test", task.test))},
            "notes": task.notes,
        },
        "options": {name: value for name, value in vars(opts).items() if name not in OPTIONS.per_call},
        "weights": sum(parameter.value.size for parameter in state.net.parameters()),
        "history": {name: list(column) for name, column in zip(training.HISTORY, zip(*state.history))},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


def _say(given: dict[str, Any]) -> int:
    """The answer of a saved model to a sentence, on the terminal and as a picture."""
    if not given["say"].split():
        raise BadInput("--say was given no words; give a sentence in quotes")
    opts = complete(given)
    path = Path(opts.model or Path(opts.out) / "checkpoint.npz")
    if not path.is_file():
        raise BadInput(f"there is no model {path}; train one with --data, or name one with --model")
    meta, arrays = checkpoint.load(path)
    about = meta.get("about") or {}
    if about.get("kind") != "sentences":
        raise BadInput(f"{path} is no model of sentences; train one with --data, or name one with --model")
    trained = complete(runs.options_of(OPTIONS, path, meta))
    net = training.network(about, trained, np.random.default_rng(0))
    try:
        net.load_state_dict(arrays["best"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is damaged ({error}); train it anew") from error
    assert not isinstance(net, training.NextLetter)
    answer = explain.explain(net, about, given["say"])
    print("\n".join(explain.lines(answer, explain.wants_colour())))
    out = runs.writable_folder(Path(opts.out), "--out")
    drawings = {"say.png": lambda figure: pictures.sentence(figure, answer)}
    drawn = runs.draw(opts, out, lambda: pictures.save_all(out, drawings))
    print(f"Picture: {drawn}", flush=True)
    return 0
