"""The folder from which a submission's processes import: a read-only copy of its files, with their bytecode."""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograder.worker.folders import remove

# The packages of a submission that are graded. Its process gets nothing else of it.
GRADED = ("mytorch", "hw_bonus")
# The header of a bytecode file that Python uses without comparing it with the source (PEP 552).
UNCHECKED = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
# Compiles files of the copy in a confined process; returns bytecode by the file's name, in which nothing is to be trusted.
Compile = Callable[[Path, list[str]], Mapping[str, Any]]


def bytecode(sources: Iterable[bytes]) -> dict[bytes, bytes]:
    """The bytecode of given files by their source. Python writes a file's own path into it on import."""
    return {source: marshal.dumps(compile(source, "given", "exec", dont_inherit=True)) for source in sources}


class Slot:
    """The copy of one submission at a time.

    known: the bytecode of files that many submissions share, such as the handout's, by their source. A submission's own files
    are compiled in a confined process, and what comes of it is for processes of the same submission alone.
    """

    def __init__(self, place: Path, known: Mapping[bytes, bytes]) -> None:
        self.place, self.known = place, known
        self._copied: tuple[Path, dict[str, tuple[int, int]]] | None = None

    def fill(self, folder: Path, compiled: Compile | None) -> Path:
        """The copy of a submission; made anew if that changed, and each time where its processes could change it.

        compiled: None where they could.
        """
        state = folder, _files(folder)
        if compiled is None or state != self._copied:
            self._copied = None
            remove(self.place)
            self.place.mkdir()
            sources = {name: (folder / name).read_bytes() for name in sorted(state[1])}
            for name, source in sources.items():
                _write(self.place / name, source)
            if compiled is not None:
                self._compile(sources, compiled)
            for top, _, _ in os.walk(self.place):
                os.chmod(top, 0o555)
            self._copied = state
        return self.place

    def _compile(self, sources: dict[str, bytes], compiled: Compile) -> None:
        """Put bytecode beside the files, where Python looks for it. Without it, each process compiles them."""
        own = [name for name, source in sources.items() if source not in self.known]
        found = compiled(self.place, own) if own else {}
        for name, source in sources.items():
            code = self.known.get(source) or _plain(found.get(name))
            if code:
                _write(
                    Path(importlib.util.cache_from_source(str(self.place / name), optimization="")), UNCHECKED + code
                )


def _plain(code: Any) -> bytes:
    """The bytes that a process sent; empty if it sent something else."""
    return code.tobytes() if isinstance(code, np.ndarray) and code.dtype == np.uint8 else b""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """The graded Python files below a folder, without links: time of change and size by name."""
    found: dict[str, tuple[int, int]] = {}
    waiting = list(GRADED)
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / place) as entries:
            for entry in entries:
                name = f"{place}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    found[name] = about.st_mtime_ns, about.st_size
    return found
