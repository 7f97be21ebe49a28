"""Text: the next letter beside a trigram model, and sentences beside scikit-learn's logistic regression on the same words."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.processes import Missing, worker
from benchmarks.settings import Settings
from benchmarks.stats import table

TITLE = "Text: held-out loss of names, accuracy on sentences"

FOLDS = 5
# Loss in nats by which the network has to be below the trigram model; accuracy by which it may be below the regression.
BELOW_TRIGRAM, BELOW_REGRESSION = 0.0, 0.01


def check(settings: Settings) -> None:
    """Any settings will do."""


def run(settings: Settings) -> dict[str, Any]:
    """Train on names, and on the sentences that MYTORCH_BENCH_SENTENCES names, in five folds."""
    here = "benchmarks.comparisons.text"
    found: dict[str, Any] = {}
    with worker("mytorch") as one:
        settings.say("text: names")
        found["names"] = one.call(f"{here}:names", epochs=3 if settings.quick else None)
        folder = os.environ.get("MYTORCH_BENCH_SENTENCES")
        if folder:
            settings.say("text: sentences")
            found["sentences"] = one.call(f"{here}:sentences", path=os.path.abspath(folder))
    if folder:
        with worker("sklearn") as other:
            settings.say("text: logistic regression")
            try:
                found["regression"] = other.call(f"{here}:regression", path=os.path.abspath(folder))
            except Missing as reason:
                found["missing"] = str(reason)
    return found


def names(epochs: int | None = None) -> dict[str, Any]:
    """Held-out loss of the names' default network and of the trigram model (in the worker)."""
    from hw_bonus.text import names as data
    from hw_bonus.text import options, training

    opts = options.complete({} if epochs is None else {"epochs": epochs})
    task, _ = data.load(None, opts.context)
    run = training.build(task, opts)
    list(training.epochs(run, opts, task, lambda: None))
    run.net.load_state_dict(run.best)
    return {"epochs": opts.epochs, "loss": training.evaluate(run.net, task.test)[0], "trigram": data.trigram_loss(task)}


def folds(path: str) -> tuple[list[tuple[str, str]], list[tuple[np.ndarray, np.ndarray]]]:
    """The sentences, and for each fold the numbers of those to train on and of those to test on."""
    from hw_bonus.text import sentences as data

    pairs, _ = data.read(Path(path))
    pairs = list(dict.fromkeys(pairs))
    fold = np.random.default_rng(0).permutation(len(pairs)) % FOLDS
    return pairs, [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]


def sentences(path: str) -> list[float]:
    """Accuracy of the default network in each fold (in the worker). A tenth of the training part chooses the epoch."""
    from hw_bonus.text import options, training
    from hw_bonus.text import sentences as data

    pairs, parts = folds(path)
    opts = options.complete({"data": path})
    found = []
    for train, test in parts:
        order = np.random.default_rng(1).permutation(train)
        cut = len(order) // 10
        task = data.task_of("fold", pairs, (order[cut:], order[:cut], test), opts.min_count, [])
        run = training.build(task, opts)
        list(training.epochs(run, opts, task, lambda: None))
        run.net.load_state_dict(run.best)
        found.append(1 - training.evaluate(run.net, task.test)[1])
    return found


def regression(path: str) -> list[float]:
    """Accuracy of logistic regression on the counts of the same words in each fold (in the worker)."""
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise Missing(str(error)) from None
    from hw_bonus.text.sentences import words_of

    pairs, parts = folds(path)
    texts, labels = zip(*pairs)
    found = []
    for train, test in parts:
        counts = CountVectorizer(analyzer=words_of)
        known = counts.fit_transform([texts[i] for i in train])
        model = LogisticRegression(max_iter=1000).fit(known, [labels[i] for i in train])
        found.append(float(model.score(counts.transform([texts[i] for i in test]), [labels[i] for i in test])))
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Two tables."""
    one = found["names"]
    told = [
        f"Names, {one['epochs']} epochs: held-out loss {one['loss']:.4f} nats per letter, a smoothed trigram model "
        f"{one['trigram']:.4f}."
    ]
    if "sentences" not in found:
        return [
            *told,
            "Sentences were left out; MYTORCH_BENCH_SENTENCES=PATH names some, as for text_runner.py --data.",
        ]
    rows = [["mytorch", *(f"{share:.1%}" for share in found["sentences"]), f"{mean(found['sentences']):.2%}"]]
    if "regression" in found:
        shares = found["regression"]
        rows.append(["logistic regression", *(f"{share:.1%}" for share in shares), f"{mean(shares):.2%}"])
    else:
        told.append(f"scikit-learn was left out: {found['missing']}")
    return [*told, "", *table(["sentences", *(f"fold {k + 1}" for k in range(FOLDS)), "mean"], rows)]


def missed(found: dict[str, Any]) -> list[str]:
    """The targets that were not reached."""
    told = []
    one = found["names"]
    if one["loss"] >= one["trigram"] - BELOW_TRIGRAM:
        told.append(f"names: loss {one['loss']:.4f}, the trigram model has {one['trigram']:.4f}")
    if "regression" in found:
        ours, theirs = mean(found["sentences"]), mean(found["regression"])
        if ours < theirs - BELOW_REGRESSION:
            told.append(f"sentences: accuracy {ours:.2%}, logistic regression {theirs:.2%}")
    return told
