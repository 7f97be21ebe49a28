"""Copies of arrays for the length of a proof, and how the memory goes back to the system afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Sequence

import numpy as np

from mytorch.graph.binding import ALIGNMENT

# Bytes of a large page, and from how many bytes on large pages are asked for: one takes as long as some small ones.
LARGE_PAGE, LEAST = 1 << 21, 1 << 20


def copies(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A copy of each array, row by row, all numbers in one piece of memory.

    The allocator would keep that memory, and the process would stay larger than its steps need.
    """
    sizes = [-(-array.nbytes // ALIGNMENT) * ALIGNMENT if _is_plain(array) else 0 for array in arrays]
    memory, begin = _memory(sum(sizes)), 0
    found = []
    for array, size in zip(arrays, sizes):
        if _is_plain(array):
            copy = memory[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
            np.copyto(copy, array)
            begin += size
        else:
            copy = array.copy()
        found.append(copy)
    return found


def _is_plain(array: np.ndarray) -> bool:
    """True for an array whose bytes are all there is to it."""
    return type(array) is np.ndarray and not array.dtype.hasobject


def _memory(count: int) -> np.ndarray:
    """Uninitialised bytes. Large pages, where the system has them, are five times as fast to touch first."""
    if count >= LEAST and hasattr(mmap, "MADV_HUGEPAGE"):
        size = -(-count // LARGE_PAGE) * LARGE_PAGE
        with contextlib.suppress(OSError):
            pages = mmap.mmap(-1, size + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            pages.madvise(mmap.MADV_HUGEPAGE)
            memory = np.frombuffer(pages, np.uint8)
            begin = -memory.__array_interface__["data"][0] % LARGE_PAGE
            return memory[begin : begin + count]
    return np.empty(count, np.uint8)


def give_back() -> None:
    """Let the allocator return its free memory to the system, where it can (glibc): a replayed step allocates nothing."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
