"""Fingerprints: values by which a change of a constant array is found before the backward pass reads it."""

from __future__ import annotations

from typing import Any

import numpy as np

WHOLE = 1 << 20  # bytes up to which an array is compared with a copy, which is quicker than summing it twice


def fingerprint(array: np.ndarray) -> Any:
    """A value by which a change of the array is found: a copy, or of a large array the sums of its rows and columns.

    The sums run over the bits as integers in rows of 256: two entries that change places change a row's sum or a column's.
    mytorch.debug compares every byte instead: it runs on request, and this runs for each constant of each gradient.
    """
    if array.nbytes < 4096 or array.dtype.hasobject:
        return array.tobytes()
    raw = _bits(array)
    if array.nbytes <= WHOLE:
        return raw.copy()
    raw = raw.view(np.uint8)
    body = raw[: raw.size // 2048 * 2048].view(np.uint64).reshape(-1, 256)
    return hash((body.sum(axis=0).tobytes(), body.sum(axis=1).tobytes(), raw[body.nbytes :].tobytes()))


def is_same(array: np.ndarray, before: Any) -> bool:
    """True if the array has this fingerprint still."""
    if type(before) is not np.ndarray:
        return fingerprint(array) == before
    raw = _bits(array)
    return raw.shape == before.shape and bool((raw == before).all())


def _bits(array: np.ndarray) -> np.ndarray:
    """The array's memory as integers, eight bytes each where they come out even."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8 if array.nbytes % 8 else np.uint64)
