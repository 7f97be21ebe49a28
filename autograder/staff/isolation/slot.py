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

from autograder.staff.mirror import Mirror

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
        self._mirror = Mirror(place, mode=0o444)
        self._copied: tuple[Path, dict[str, tuple[int, int]]] | None = None

    def fill(self, folder: Path, compiled: Compile | None) -> Path:
        """The copy of a submission; made anew if that changed, and each time where its processes could change it.

        compiled: None where they could.
        """
        state = folder, _files(folder)
        if compiled is None or state != self._copied:
            if compiled is not None and self._copied is not None and state[1].keys() == self._copied[1].keys():
                self._set_folders(0o755)
            else:
                # Other names would leave traces in the folders.
                self._mirror.forget()
            self._copied = None
            sources = {name: (folder / name).read_bytes() for name in sorted(state[1])}
            self._mirror.hold(sources if compiled is None else self._with_bytecode(sources, compiled))
            self._set_folders(0o555)
            self._copied = state
        return self.place

    def _with_bytecode(self, sources: dict[str, bytes], compiled: Compile) -> dict[str, bytes]:
        """The files, and bytecode where Python looks for it. Without that, each process compiles them."""
        known = {name: self.known[source] for name, source in sources.items() if source in self.known}
        files = sources | _cached(known)
        if own := [name for name in sources if name not in known]:
            self._mirror.hold(files)
            found = compiled(self.place, own)
            files |= _cached({name: _plain(found.get(name)) for name in own})
        return files

    def _set_folders(self, mode: int) -> None:
        for top, _, _ in os.walk(self.place):
            os.chmod(top, mode)


def _cached(code: Mapping[str, bytes]) -> dict[str, bytes]:
    """Bytecode files by their names beside the sources'. Empty code has none."""
    return {
        importlib.util.cache_from_source(name, optimization=""): UNCHECKED + data for name, data in code.items() if data
    }


def _plain(code: Any) -> bytes:
    """The bytes that a process sent; empty if it sent something else."""
    return code.tobytes() if isinstance(code, np.ndarray) and code.dtype == np.uint8 else b""


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
