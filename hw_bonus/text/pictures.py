"""Pictures of a training on text: loss, letters or words in two dimensions, confusion, one answer. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus.pictures import BEST, INK, MUTED, STYLE, TRAIN, VALIDATION, confusion, whole_epochs
from hw_bonus.text.explain import Answer
from hw_bonus.text.task import UNKNOWN
from hw_bonus.text.training import scores_of

FOR, AGAINST = "#1f7a3a", "#b3361b"
COLOURS = (TRAIN, VALIDATION, FOR, "#7b4fa3", "#a07a1c", "#3a8f93", "#a3406f", "#555555")


def save_all(folder: Path, drawings: dict[str, Callable[[Any], Any]]) -> list[Path]:
    """Draws pictures into a folder and returns their paths. drawings: file name to a function of the Figure class.

    Raises ImportError without matplotlib, OSError if a file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        for name, draw in drawings.items():
            # A Figure made directly is drawn by Agg. pyplot would choose a window system first.
            draw(Figure).savefig(folder / name)
    return [folder / name for name in drawings]


def loss(figure: Any, history: list[list[float]], best_epoch: int, trigram: float | None = None) -> Any:
    """Loss of training and validation over the epochs. trigram: the loss of that model, as a line."""
    rows = np.array(history)
    epochs = np.arange(1, len(rows) + 1)
    fig = figure(figsize=(7, 4.2), layout="constrained")
    ax = fig.subplots()
    marker = "o" if len(rows) < 3 else ""
    for column, colour, name in ((0, TRAIN, "training"), (2, VALIDATION, "validation")):
        ax.plot(epochs, rows[:, column], color=colour, label=name, linewidth=1.8, marker=marker)
    if trigram is not None and np.isfinite(trigram):
        ax.axhline(trigram, color=MUTED, linewidth=1.2, linestyle="--", label="smoothed trigram model")
    ax.axvline(best_epoch, color=BEST, linewidth=1, linestyle=":", label=f"kept epoch: {best_epoch}")
    ax.set_title("Loss", loc="left", fontweight="bold")
    ax.set_xlabel("epoch")
    ax.set_ylabel("cross-entropy (nats)")
    whole_epochs(ax, len(rows))
    ax.grid(True, axis="y")
    ax.legend(frameon=False)
    fig.supxlabel("Training values include dropout and are measured before each step.", fontsize=8.5, color=MUTED)
    return fig


def two_dimensions(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) in the two directions in which they differ most, (N, 2): their first two principal components."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(vectors), 2))
    found[:, : min(2, len(directions))] = centred @ directions[:2].T
    return found


def letters(figure: Any, vectors: np.ndarray, names: str) -> Any:
    """Vectors of the letters, (1 + len(names), D), in two dimensions; the first is the end of a name."""
    labels = ["end", *names]
    colours = [MUTED, *(VALIDATION if letter in "aeiouy" else TRAIN for letter in names)]
    fig = _scatter(figure, two_dimensions(vectors), labels, colours, 13)
    ax = fig.axes[0]
    ax.set_title("The letters, as the network sees them", loc="left", fontweight="bold")
    if set(names) & set("aeiouy"):
        _legend(ax, {"vowels": VALIDATION, "others": TRAIN})
    return fig


def telling_words(net: Any, about: dict[str, Any], each: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the words that alone speak most clearly for each class, and their classes.

    Rare words are left out as far as the vocabulary allows: its first half holds the more frequent ones.
    """
    words = np.arange(UNKNOWN + 1, UNKNOWN + 1 + max(1, len(about["vocabulary"]) // 2))
    scores = scores_of(net, words[:, None]).astype(np.float64)
    classes = scores.shape[1]
    lead = scores - (scores.sum(axis=1, keepdims=True) - scores) / max(classes - 1, 1)
    each = max(2, min(each, 60 // classes))
    chosen, speaks = [], []
    for k in range(min(classes, len(COLOURS))):
        best = np.argsort(-lead[:, k], kind="stable")[:each]
        chosen += list(words[best])
        speaks += [k] * len(best)
    return np.array(chosen), np.array(speaks)


def words(figure: Any, net: Any, about: dict[str, Any]) -> Any:
    """The most telling words in two dimensions, in the colour of the class that they speak for."""
    numbers, speaks = telling_words(net, about)
    labels = [about["vocabulary"][n - UNKNOWN - 1] for n in numbers]
    fig = _scatter(figure, two_dimensions(net.bag.W[numbers]), labels, [COLOURS[k] for k in speaks], 9)
    ax = fig.axes[0]
    ax.set_title("The most telling words, as the network sees them", loc="left", fontweight="bold")
    shown = sorted(set(speaks.tolist()))
    _legend(ax, {f"speaks for {about['classes'][k]}": COLOURS[k] for k in shown})
    return fig


def sentence(figure: Any, answer: Answer) -> Any:
    """The words of an answer in their order, each with a bar: to the right for the class, to the left against it."""
    n = len(answer.words)
    fig = figure(figsize=(7, max(1.8, 0.9 + 0.27 * n)), layout="constrained")
    ax = fig.subplots()
    places = np.arange(n)
    ax.barh(places, 100 * answer.shares, color=[FOR if share >= 0 else AGAINST for share in answer.shares])
    ax.set_yticks(places, [w if known else f"{w} (unknown)" for w, known in zip(answer.words, answer.known)])
    ax.invert_yaxis()
    ax.axvline(0, color=INK, linewidth=0.8)
    limit = max(10.0, 115 * float(np.abs(answer.shares).max(initial=0)))
    ax.set_xlim(-limit, limit)
    ax.set_xlabel(f"share of the word (%): right speaks for {answer.label}, left against it")
    ax.set_title(f"{answer.label}, with probability {answer.probability:.1%}", loc="left", fontweight="bold")
    ax.grid(True, axis="x")
    ax.set_axisbelow(True)
    return fig


def confusion_of(labels: np.ndarray, chances: np.ndarray, classes: list[str]) -> Callable[[Any], Any]:
    """The confusion matrix of test sentences, to be drawn."""
    return lambda figure: confusion(figure, labels, chances, classes, "sentences")


def _scatter(figure: Any, places: np.ndarray, labels: list[str], colours: list[str], size: float) -> Any:
    fig = figure(figsize=(8, 6), layout="constrained")
    ax = fig.subplots()
    places = apart(
        places, np.array([max(len(label), 2) * size * 0.62 / 72 for label in labels]), 1.25 * size / 72, (7, 5.2)
    )
    ax.scatter(*places.T, s=0)
    for (x, y), label, colour in zip(places, labels, colours):
        ax.text(x, y, label, color=colour, fontsize=size, ha="center", va="center", parse_math=False)
    ax.margins(0.1)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel("first principal component")
    ax.set_ylabel("second principal component")
    return fig


def apart(places: np.ndarray, widths: np.ndarray, height: float, inches: tuple[float, float]) -> np.ndarray:
    """Places (N, 2), moved so far up or down that words of these widths and this height, in inches, do not overlap."""
    span = np.ptp(places, axis=0)
    scale = np.array(inches) / np.where(span > 0, span, 1)
    moved = (places - places.min(axis=0)) * scale
    for _ in range(200):
        dx = np.abs(moved[:, None, 0] - moved[None, :, 0])
        dy = moved[:, None, 1] - moved[None, :, 1]
        # Equal places are taken apart in the order of their numbers.
        dy = np.where(dy == 0, np.sign(np.arange(len(moved))[:, None] - np.arange(len(moved))) * 1e-6, dy)
        wide = (widths[:, None] + widths) / 2
        overlap = np.where((dx < wide) & (np.abs(dy) < height), height - np.abs(dy), 0)
        np.fill_diagonal(overlap, 0)
        if not (overlap > 1e-3).any():
            break
        moved[:, 1] += 0.3 * (np.sign(dy) * overlap).sum(axis=1)
    return moved


def _legend(ax: Any, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours.values()]
    ax.legend(handles, list(colours), frameon=False)
