"""Models in files: arrays and a description in one .npz, without pickle, so that a file can hold no code."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

FORMAT = "mytorch model 1"
DESCRIPTION = "about"
OPEN_FILES = "/proc/self/fd"


class Saved(NamedTuple):
    """A file's contents: the state for ``load_state_dict``, and the description that was saved with it."""

    state: dict[str, np.ndarray]
    about: dict[str, Any]


def save(path: str | os.PathLike[str], state: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> None:
    """Write a state, as ``net.state_dict()`` gives it, and a description that JSON can hold (sizes, names of classes).

    The file is written whole or not at all. Raises TypeError for what is no array of numbers or no JSON, OSError if the file
    cannot be written.
    """
    arrays = {f"state/{name}": np.asarray(array) for name, array in state.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufc":
            raise TypeError(f"{name.partition('/')[2]} has dtype {array.dtype}; only arrays of numbers can be saved.")
    try:
        text = json.dumps({"format": FORMAT, DESCRIPTION: dict(about or {})})
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"The description cannot be written as JSON ({error}); give text, numbers, lists and dicts."
        ) from None
    write_atomically(path, lambda file: np.savez(file, meta=np.asarray(text), **arrays))  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> Saved:
    """The state and the description of a file that ``save`` wrote: ``net.load_state_dict(mytorch.load(path).state)``.

    Raises FileNotFoundError, and ValueError for a file that is damaged or something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {os.fspath(path)}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(str(archive["meta"][()]))
            state = {n.partition("/")[2]: archive[n] for n in archive.files if n.startswith("state/")}
        if meta["format"] != FORMAT:
            raise ValueError("another format")
        return Saved(state, dict(meta[DESCRIPTION]))
    except Exception as error:  # np.load, zipfile and json raise a dozen kinds of errors for damaged files
        raise ValueError(f"{os.fspath(path)} is damaged, or was not written by mytorch.save.") from error


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all: a neighbour is written to the disk, then renamed over the old file.

    write: called with the open file, so that large arrays are never held in memory as bytes. Raises OSError; the previous
    file is as it was then.
    """
    path = Path(path)
    descriptor, name = _new_neighbour(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if name is None:
                name = _give_a_name(file.fileno(), path)
        if os.name == "posix":
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)  # mkstemp makes files that only their owner can read
        os.replace(name, path)
    except BaseException:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise
    if os.name == "posix":
        with contextlib.suppress(OSError):  # the new name reaches the disk with its folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _new_neighbour(path: Path) -> tuple[int, str | None]:
    """An open new file in the folder of ``path``: on Linux one without a name, of which nothing stays if we are killed."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir(OPEN_FILES):
        with contextlib.suppress(OSError):  # some file systems have no such files
            return os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o600), None
    return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")


def _give_a_name(descriptor: int, path: Path) -> str:
    name = tempfile.mktemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    folder = os.open(OPEN_FILES, os.O_RDONLY)
    try:
        # With a folder given, Python follows the link that stands for the open file; without one it does not.
        os.link(str(descriptor), name, src_dir_fd=folder)
    finally:
        os.close(folder)
    return name
