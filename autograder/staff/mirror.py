"""A folder that holds one set of files after the other, such as those of each submission in turn."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from autograder.archives import write
from autograder.worker.folders import remove


class Mirror:
    """A folder that holds given files and nothing else. What two sets of files have in common is written once.

    Most files of a submission are the handout's, and to make and remove dozens of files takes longer than to grade some checks.
    folder: nobody else may change it. mode: of its files.
    """

    def __init__(self, folder: Path, mode: int = 0o644) -> None:
        self.folder, self.mode = folder, mode
        self._held: dict[str, bytes] | None = None

    def hold(self, files: Mapping[str, bytes]) -> None:
        """Make the folder hold these files, by names as mytorch/utils.py. Raises OSError; the next call then begins anew."""
        before, self._held = self._held, None
        if before is None:
            remove(self.folder)
            self.folder.mkdir()
            before = {}
        changed = {name: data for name, data in files.items() if before.get(name) != data}
        for name in before:
            if name in changed or name not in files:
                self._path(name).unlink()
            if name not in files:
                self._drop_empty(self._path(name).parent)
        write(changed, self.folder)
        for name in changed:
            self._path(name).chmod(self.mode)
        self._held = dict(files)

    def forget(self) -> None:
        """Let the next call remove the folder and begin anew."""
        self._held = None

    def _path(self, name: str) -> Path:
        return self.folder.joinpath(*name.split("/"))

    def _drop_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            while folder != self.folder:
                os.rmdir(folder)
                folder = folder.parent
