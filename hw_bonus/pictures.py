"""Pictures of a training: curves, confusion matrix, worst mistakes, the first layer's weights. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TRAIN, VALIDATION, BEST, INK, MUTED = "#2a6fbb", "#d9622b", "#4a4a4a", "#222222", "#767676"
STYLE: Any = {
    "figure.dpi": 130, "savefig.dpi": 130, "figure.facecolor": "white", "font.size": 10, "axes.titlesize": 11,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.grid": False, "grid.color": "#e4e4e4", "grid.linewidth": 0.8,
}  # fmt: skip


def draw_all(
    folder: Path,
    history: list[list[float]],
    best_epoch: int,
    labels: np.ndarray,
    probabilities: np.ndarray,
    images: np.ndarray,
    image_shape: tuple[int, int],
    first_weights: np.ndarray,
) -> list[Path]:
    """Draws the four pictures into a folder and returns their paths.

    history: one row per epoch, with the columns of training.HISTORY. labels (N,), probabilities (N, C), images (N, D): of
    the test split. first_weights: (units, D). Raises ImportError without matplotlib, OSError if a file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    drawings: list[tuple[str, Any]] = [
        ("curves.png", lambda: curves(Figure, history, best_epoch)),
        ("confusion.png", lambda: confusion(Figure, labels, probabilities)),
        ("mistakes.png", lambda: mistakes(Figure, labels, probabilities, images, image_shape)),
        ("weights.png", lambda: weights(Figure, first_weights, image_shape)),
    ]
    with matplotlib.rc_context(STYLE):
        for name, draw in drawings:
            # A Figure made directly is drawn by Agg. pyplot would choose a window system first.
            draw().savefig(folder / name)
    return [folder / name for name, _ in drawings]


def curves(figure: Any, history: list[list[float]], best_epoch: int) -> Any:
    """Loss (logarithmic) and error over the epochs, for training and validation."""
    rows = np.array(history)
    epochs = np.arange(1, len(rows) + 1)
    fig = figure(figsize=(10, 4.2), layout="constrained")
    panels = ((0, 2), "Loss", "cross-entropy (log scale)"), ((1, 3), "Error", "wrong predictions (%)")
    for ax, (columns, title, label) in zip(fig.subplots(1, 2), panels):
        scale = 100 if title == "Error" else 1
        marker = "o" if len(rows) < 3 else ""
        for column, colour, name in zip(columns, (TRAIN, VALIDATION), ("training", "validation")):
            ax.plot(epochs, rows[:, column] * scale, color=colour, label=name, linewidth=1.8, marker=marker)
        ax.axvline(best_epoch, color=BEST, linewidth=1, linestyle=":", label=f"kept epoch: {best_epoch}")
        if title == "Loss":
            ax.set_yscale("log", subs=(2, 5))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("{x:g}")
        else:
            # The first epochs are far from the rest, and the rest is what matters.
            ax.set_ylim(0, max(1.0, 1.15 * scale * float(np.quantile(rows[:, list(columns)], 0.95))))
        ax.set_title(title, loc="left", fontweight="bold")
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        whole_epochs(ax, len(rows))
        ax.grid(True, axis="y", which="both" if title == "Loss" else "major")
        ax.legend(frameon=False)
    note = (
        "Training values include dropout and noise and are measured before each step; validation may look better.\n"
        "Kept is the latest epoch within one standard error of the fewest validation errors."
    )
    fig.supxlabel(note, fontsize=8.5, color=MUTED)
    return fig


def whole_epochs(ax: Any, epochs: int) -> None:
    """Ticks at whole epochs; a single one stands in the middle."""
    if epochs == 1:
        ax.set_xticks([1])
    else:
        ax.xaxis.get_major_locator().set_params(integer=True)


def confusion(
    figure: Any, labels: np.ndarray, probabilities: np.ndarray, names: list[str] | None = None, things: str = "images"
) -> Any:
    """Confusion matrix with true classes as rows and predictions as columns. Mistakes have a colour of their own.

    names: of the classes, for the axes; without them their numbers. things: what is classified.
    """
    from matplotlib.colors import LinearSegmentedColormap

    classes = probabilities.shape[1]
    counts = confusion_matrix(labels, probabilities.argmax(axis=1), classes)
    right = int(np.trace(counts))
    size = min(14.0, max(4.2, 2.2 + 0.5 * classes))
    fig = figure(figsize=(size, size), layout="constrained")
    ax = fig.subplots()
    diagonal = np.eye(classes, dtype=bool)
    blues = LinearSegmentedColormap.from_list("right", ["#dce9f7", TRAIN])
    reds = LinearSegmentedColormap.from_list("wrong", ["#fbd9c6", "#b3361b"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(np.ma.masked_where(~diagonal, shares), cmap=blues, vmin=0, vmax=1)
    wrong = np.ma.masked_where(diagonal | (counts == 0), counts)
    ax.imshow(wrong, cmap=reds, vmin=1, vmax=max(2, int(wrong.max()) if wrong.count() else 2))
    if classes <= 30:
        size_of_text = 10 if counts.max() < 1000 else 8
        for i, j in zip(*np.nonzero(counts)):
            strong = (i == j and shares[i, j] > 0.5) or (i != j and counts[i, j] > 0.6 * wrong.max())
            ax.text(
                j,
                i,
                f"{counts[i, j]}",
                ha="center",
                va="center",
                fontsize=size_of_text,
                color="white" if strong else INK,
            )
        shown = names or [str(number) for number in range(classes)]
        ax.set_xticks(range(classes), shown, rotation=90 if max(map(len, shown)) > 3 else 0)
        ax.set_yticks(range(classes), shown)
    ax.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.grid(True, which="minor")
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.set_title(
        f"Test {things}: {right} of {len(labels)} right ({right / len(labels):.2%})", loc="left", fontweight="bold"
    )
    return fig


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts of shape (classes, classes): the row is the true class, the column the predicted one."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def mistakes(
    figure: Any,
    labels: np.ndarray,
    probabilities: np.ndarray,
    images: np.ndarray,
    image_shape: tuple[int, int],
    most: int = 20,
) -> Any:
    """Test images that were read wrongly, the surest first, with the true class and the prediction."""
    predictions = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    chosen = wrong[np.argsort(-probabilities[wrong, predictions[wrong]], kind="stable")][:most]
    columns = min(5, max(3, len(chosen)))
    rows = max(1, -(-len(chosen) // columns))
    fig = figure(figsize=(1.75 * columns, 2.1 * rows + 0.6), layout="constrained")
    title = (
        f"The {len(chosen)} most confident mistakes"
        if len(wrong) > most
        else f"All {len(wrong)} mistakes, surest first"
    )
    if not len(wrong):
        title = "No mistake on the test images"
    fig.suptitle(f"{title} ({len(labels)} test images)", fontweight="bold", fontsize=11)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(chosen) :]:
        ax.axis("off")
    for ax, k in zip(axes, chosen):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="#cccccc")
        ax.imshow(images[k].reshape(image_shape), cmap="gray_r", aspect="equal" if image_shape[0] > 1 else "auto")
        sure = probabilities[k, predictions[k]]
        ax.set_title(f"true {labels[k]}", fontsize=10, color=TRAIN, loc="left", pad=4)
        ax.set_xlabel(f"read as {predictions[k]} ({sure:.0%})", fontsize=10, color="#b3361b", loc="left")
    return fig


def weights(figure: Any, first_weights: np.ndarray, image_shape: tuple[int, int], most: int = 40) -> Any:
    """Weights of the first layer as images, on one colour scale. The units with the largest weights are shown."""
    norms = np.sqrt((first_weights.astype(np.float64) ** 2).sum(axis=1))
    chosen = np.argsort(-norms, kind="stable")[:most]
    columns = min(8, len(chosen))
    rows = -(-len(chosen) // columns)
    fig = figure(figsize=(max(4.6, 0.95 * columns + 1.2), 0.95 * rows + 1.1), layout="constrained")
    shown = f"{len(chosen)} of {len(first_weights)}" if len(chosen) < len(first_weights) else f"all {len(chosen)}"
    fig.suptitle(f"What the first layer looks for ({shown} units)", fontweight="bold", fontsize=11)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    limit = float(np.quantile(np.abs(first_weights[chosen]), 0.995)) or 1.0
    picture = None
    for ax in axes:
        ax.axis("off")
    for ax, k in zip(axes, chosen):
        picture = ax.imshow(first_weights[k].reshape(image_shape), cmap="RdBu_r", vmin=-limit, vmax=limit,
                            aspect="equal" if image_shape[0] > 1 else "auto")  # fmt: skip
    bar = fig.colorbar(picture, ax=list(axes), shrink=0.6, aspect=30, pad=0.02)
    bar.set_label("weight")
    fig.supxlabel("Red: ink here speaks for the unit. Blue: against it.", fontsize=8.5, color=MUTED)
    bar.outline.set_visible(False)
    return fig
