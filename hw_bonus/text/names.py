"""Names as a task: the letters before and the one that follows; a smoothed trigram model to compare with; inventing names."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus.errors import BadInput
from hw_bonus.text.files import read_text
from hw_bonus.text.task import Part, Task

NAMES = Path(__file__).parents[1] / "data" / "names.txt"
# The number of what stands before a name and behind it; letters count from 1.
END = 0
SPLIT_SEED, VAL_SHARE, TEST_SHARE = 0, 0.1, 0.1
# A trigram model counts the cube of the letters.
MOST_LETTERS = 200


def load(path: str | None, context: int) -> tuple[Task, list[str]]:
    """The task of a file with one name on each line, and the training names. Raises BadInput for fewer than 30 names."""
    text = read_text(Path(path) if path else NAMES)
    names = sorted({" ".join(line.split()).lower() for line in text.split("\n")} - {""})
    if len(names) < 30:
        raise BadInput(f"{path} has {len(names)} different names; expected at least 30, one on each line")
    letters = sorted(set("".join(names)))
    if len(letters) > 2000:
        raise BadInput(f"{path} has {len(letters)} different letters; expected names, one on each line")
    order = np.random.default_rng(SPLIT_SEED).permutation(len(names))
    cuts = np.cumsum([round(len(names) * TEST_SHARE), round(len(names) * VAL_SHARE)])
    test, val, train = ([names[i] for i in part] for part in np.split(order, cuts))
    numbers = {letter: number for number, letter in enumerate(letters, start=END + 1)}
    parts = [pairs([[numbers[letter] for letter in name] for name in part], context) for part in (train, val, test)]
    size = len(letters) + 1
    about = {"kind": "names", "letters": "".join(letters)}
    counts = f"{len(train)} names to train, {len(val)} to validate, {len(test)} to test"
    name = f"{Path(path).name if path else 'first names of the US Census 1990'}: {counts}"
    return Task(name, parts[0], parts[1], parts[2], size, size, about), train


def pairs(names: list[list[int]], context: int) -> Part:
    """The letters before, (N, context), and the one that follows, (N,): one row for each letter and each end of a name."""
    inputs, labels = [], []
    for name in names:
        row = [END] * context + name + [END]
        for place in range(context, len(row)):
            inputs.append(row[place - context : place])
            labels.append(row[place])
    return np.array(inputs, dtype=np.int64).reshape(-1, context), np.array(labels, dtype=np.int64)


def invent(
    scores: Callable[[np.ndarray], np.ndarray], letters: str, context: int, count: int, rng: np.random.Generator
) -> list[str]:
    """Names drawn letter by letter from the network's probabilities. scores: (N, context) -> (N, classes).

    A name that has not ended after 30 letters is cut.
    """
    names = [""] * count
    seen = np.full((count, context), END, dtype=np.int64)
    open_ = np.ones(count, dtype=bool)
    for _ in range(30):
        z = scores(seen).astype(np.float64)
        # The largest of the scores plus Gumbel noise is a draw from their softmax (E. Gumbel, 1954).
        drawn = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
        open_ &= drawn != END
        if not open_.any():
            break
        names = [name + letters[n - 1] if go else name for name, n, go in zip(names, drawn, open_)]
        seen = np.column_stack([seen[:, 1:], drawn])
    return [name.title() for name in names]


def trigram_loss(task: Task) -> float:
    """Cross-entropy per letter of the test names, of a smoothed trigram model; NaN for an alphabet too large to count.

    The counts of three letters lean on those of two, and these on those of one, by a Dirichlet prior each (D. MacKay and L.
    Peto, A hierarchical Dirichlet language model, 1995). The strengths of both are those that suit the validation names best.
    """
    train, val, test = ((_last_two(inputs), labels) for inputs, labels in (task.train, task.val, task.test))
    if task.classes > MOST_LETTERS:
        return float("nan")
    counts = np.zeros((task.classes,) * 3)
    np.add.at(counts, (train[0][:, 0], train[0][:, 1], train[1]), 1)
    ones = counts.sum(axis=(0, 1))
    one = (ones + 1) / (ones.sum() + task.classes)

    def loss(strengths: tuple[float, float], part: tuple[np.ndarray, np.ndarray]) -> float:
        two = _smoothed(counts.sum(axis=0), one, strengths[0])
        three = _smoothed(counts, two, strengths[1])
        before, following = part
        return float(-np.log(three[before[:, 0], before[:, 1], following]).mean())

    grid: Any = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    best = min(product(grid, grid), key=lambda strengths: loss(strengths, val))
    return loss(best, test)


def _last_two(inputs: np.ndarray) -> np.ndarray:
    before = np.zeros((len(inputs), 2), dtype=np.int64)  # END is 0
    before[:, 2 - min(2, inputs.shape[1]) :] = inputs[:, -2:]
    return before


def _smoothed(counts: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    return (counts + strength * prior) / (counts.sum(axis=-1, keepdims=True) + strength)
