"""The BLAS that NumPy has loaded: its matrix products and its kind, found through ctypes, no dependency of our own."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# How OpenBLAS names its functions in NumPy's wheels (with a prefix, and a suffix where integers have 64 bits) and elsewhere.
NAMES = (
    ("scipy_{}64_", 64),
    ("{}64_", 64),
    ("scipy_{}", 32),
    ("{}", 32),
)


class Products(NamedTuple):
    """Addresses of sgemm and dgemm and the bits of their integers."""

    sgemm: int
    dgemm: int
    bits: int


def find() -> Products | None:
    """The products of the first library that has both; None where there is none."""
    for (sgemm, dgemm), bits in _functions("cblas_sgemm", "cblas_dgemm"):
        return Products(_address(sgemm), _address(dgemm), bits)
    return None


@functools.lru_cache(maxsize=1)
def core() -> str:
    """The kind of processor for which OpenBLAS has chosen its loops, such as ``SkylakeX``; empty for another BLAS."""
    for (name,), _ in _functions("openblas_get_corename"):
        name.restype = ctypes.c_char_p
        return (name() or b"").decode()
    return ""


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _functions(*routines: str) -> Iterator[tuple[list[Any], int]]:
    """The functions with these names in each library that has them all, and the bits of their integers."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name, bits in NAMES:
            with contextlib.suppress(AttributeError):
                yield [getattr(library, name.format(routine)) for routine in routines], bits


def _libraries() -> Iterator[str]:
    """The BLAS libraries in this process, then those that NumPy brings along."""
    yield from _loaded()
    root = Path(np.__file__).resolve().parent
    for folder, pattern in ((root.parent / "numpy.libs", "*openblas*"), (root / ".dylibs", "*openblas*")):
        yield from map(str, sorted(folder.glob(pattern)))


@functools.lru_cache(maxsize=1)
def _loaded() -> list[str]:
    """The libraries in this process whose names say BLAS, where the system lists them."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return sorted(
        {line[line.index("/") :] for line in lines if "/" in line and "blas" in line.rsplit("/", 1)[-1].lower()}
    )
