"""A folder that holds one set of files after the other, such as those of each submission in turn."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from autograder.worker.folders import remove


class Mirror:
    """A folder that holds given files and nothing else. What two sets of files have in common is written once.

    Most files of a submission are the handout's, and to make and remove dozens of files takes longer than to grade some checks.
    place: the folder. Nobody else may change it. mode: of its files.
    """

    def __init__(self, place: Path, mode: int = 0o644) -> None:
        self.place, self.mode = place, mode
        self._held: dict[str, bytes] | None = None

    def hold(self, files: Mapping[str, bytes]) -> None:
        """Make the folder hold these files, by names as mytorch/utils.py. Raises OSError; the next call then begins anew."""
        before, self._held = self._held, None
        if before is None:
            remove(self.place)
            self.place.mkdir()
            before = {}
        for name in before.keys() - files.keys():
            self._path(name).unlink()
            self._drop_empty(self._path(name).parent)
        for name, data in files.items():
            if before.get(name) != data:
                path = self._path(name)
                if name in before:
                    path.unlink()
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "xb") as file:
                    file.write(data)
                    os.chmod(path, self.mode)
        self._held = dict(files)

    def forget(self) -> None:
        """Let the next call remove the folder and begin anew."""
        self._held = None

    def _path(self, name: str) -> Path:
        return self.place.joinpath(*name.split("/"))

    def _drop_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            while folder != self.place:
                os.rmdir(folder)
                folder = folder.parent
