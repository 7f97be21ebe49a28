"""Removes folders that a submission may have closed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove(folder: Path) -> None:
    """A folder with all that is in it; what cannot be removed stays."""
    if folder.is_dir() and not folder.is_symlink():
        _open(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path) -> None:
    """From the top down, each folder before it is looked into, whatever its modes were."""
    folder.chmod(0o755)
    for top, folders, _ in os.walk(folder):
        for path in (Path(top, name) for name in folders):
            if not path.is_symlink():
                path.chmod(0o755)
