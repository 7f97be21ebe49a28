"""Progress of a training: a bar on a terminal with tqdm, plain lines otherwise."""

from __future__ import annotations

import sys
from typing import Any


def describe(epoch: int, epochs: int, row: dict[str, float]) -> str:
    """Line about one epoch."""
    return (
        f"epoch {epoch:{len(str(epochs))}}/{epochs}  "
        f"loss {row['train_loss']:.4f}  accuracy {1 - row['train_error']:6.2%}"
        f"  |  validation loss {row['val_loss']:.4f}  accuracy {1 - row['val_error']:6.2%}"
    )


class Lines:
    """About twenty lines over the whole training, always for the first and the last epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.every = max(1, epochs // 20)

    def step(self) -> None:
        pass

    def epoch(self, number: int, row: dict[str, float]) -> None:
        if number % self.every == 0 or number in (1, self.epochs):
            print(describe(number, self.epochs, row), flush=True)

    def close(self) -> None:
        pass


class Bar:
    """tqdm bar over all mini-batches, with loss and accuracy of the last epoch."""

    def __init__(self, tqdm: Any, epochs: int, steps_per_epoch: int, done: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs * steps_per_epoch,
            initial=done * steps_per_epoch,
            desc=f"epoch {done + 1}/{epochs}",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
        )

    def step(self) -> None:
        self.bar.update()

    def epoch(self, number: int, row: dict[str, float]) -> None:
        self.bar.set_description(f"epoch {min(number + 1, self.epochs)}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(
            f"loss {row['train_loss']:.3f}, accuracy {1 - row['train_error']:.1%}, "
            f"validation {1 - row['val_error']:.1%}",
            refresh=False,
        )

    def close(self) -> None:
        self.bar.close()


def start(epochs: int, steps_per_epoch: int, done: int) -> Lines | Bar:
    """A bar if standard error is a terminal and tqdm is installed, else lines on standard output."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return Bar(tqdm, epochs, steps_per_epoch, done)
    return Lines(epochs)
