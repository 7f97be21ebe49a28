"""Progress of a training: lines of the epochs; on a terminal or in a notebook a bar of tqdm under them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Row = dict[str, float]


def loss_and_accuracy(row: Row) -> str:
    """Words about the epoch of a classifier."""
    return (
        f"loss {row['train_loss']:.4f}  accuracy {1 - row['train_error']:6.2%}"
        f"  |  validation loss {row['val_loss']:.4f}  accuracy {1 - row['val_error']:6.2%}"
    )


class Lines:
    """About twenty lines over the whole training, always for the first and the last epoch."""

    def __init__(self, epochs: int, describe: Callable[[Row], str]) -> None:
        self.epochs = epochs
        self.every = max(1, epochs // 20)
        self.describe = describe

    def step(self) -> None:
        """One mini-batch is done."""

    def epoch(self, number: int, row: Row) -> None:
        """One epoch is done, with these numbers."""
        if number % self.every == 0 or number in (1, self.epochs):
            self.say(f"epoch {number:{len(str(self.epochs))}}/{self.epochs}  {self.describe(row)}")

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, flush=True)

    def close(self) -> None:
        """The training has ended."""


class Bar(Lines):
    """The same lines, and a tqdm bar over all mini-batches under them."""

    def __init__(self, tqdm: Any, epochs: int, steps_per_epoch: int, done: int, describe: Callable[[Row], str]) -> None:
        super().__init__(epochs, describe)
        self.bar = tqdm(
            total=epochs * steps_per_epoch,
            initial=done * steps_per_epoch,
            desc=f"epoch {done + 1}/{epochs}",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
            dynamic_ncols=True,
            leave=False,
            file=sys.stdout if in_notebook() else sys.stderr,
        )

    def step(self) -> None:
        self.bar.update()

    def epoch(self, number: int, row: Row) -> None:
        super().epoch(number, row)
        self.bar.set_description(f"epoch {min(number + 1, self.epochs)}/{self.epochs}", refresh=False)

    def say(self, line: str) -> None:
        self.bar.write(line)

    def close(self) -> None:
        self.bar.close()


def in_notebook() -> bool:
    """True in a notebook's cell, which shows a bar as a terminal does. What goes to standard error is red there."""
    return type(sys.stdout).__module__ == "ipykernel.iostream"


def start(epochs: int, steps_per_epoch: int, done: int, describe: Callable[[Row], str]) -> Lines:
    """A bar in a notebook or if standard error is a terminal, and tqdm is installed; else lines on standard output."""
    if in_notebook() or (sys.stderr.isatty() and sys.stdout.isatty()):
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return Bar(tqdm, epochs, steps_per_epoch, done, describe)
    return Lines(epochs, describe)
