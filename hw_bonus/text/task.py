"""Task: examples in three parts, and what a saved model has to know about them. Rows of text of unequal length."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Numbers that are no word and no letter: what fills up a short row, and a word that is not in the vocabulary.
PADDING, UNKNOWN = 0, 1


class Rows:
    """Rows of numbers, one after the other in memory; each begins where offsets (N + 1,) says."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.numbers = np.array([number for row in rows for number in row], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, chosen: Any) -> np.ndarray:
        """The chosen rows, (n, L), filled up with PADDING. L is the next power of two, so that few shapes occur."""
        begins, ends = self.offsets[:-1][chosen], self.offsets[1:][chosen]
        lengths = ends - begins
        longest = max(int(lengths.max(initial=1)), 8)
        places = np.arange(1 << (longest - 1).bit_length())
        inside = places < lengths[:, None]
        table = np.full(inside.shape, PADDING, dtype=np.int64)
        table[inside] = self.numbers[(begins[:, None] + places)[inside]]
        return table


Part = tuple[Any, np.ndarray]


@dataclass(frozen=True)
class Task:
    """Three parts of (inputs, labels). Inputs are an array (N, context) of letters, or Rows of words.

    size: of the vocabulary. classes: of the output. about: what a saved model needs to read new text, as JSON can hold it.
    notes: sentences about the data.
    """

    name: str
    train: Part
    val: Part
    test: Part
    size: int
    classes: int
    about: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def fingerprint(self) -> int:
        """Checksum of all inputs and labels, and of what their numbers stand for."""
        crc = zlib.crc32(json.dumps(self.about).encode())
        for inputs, labels in (self.train, self.val, self.test):
            arrays = (inputs.numbers, inputs.offsets) if isinstance(inputs, Rows) else (inputs,)
            for array in (*arrays, labels):
                crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
        return crc
