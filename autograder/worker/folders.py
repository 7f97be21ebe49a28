"""Removal of folders whose modes a submission may have changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder and its contents; anything that resists stays."""
    if folder.is_dir() and not folder.is_symlink():
        _open(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path) -> None:
    """Make every folder accessible, from the top down."""
    folder.chmod(0o755)
    for top, folders, _ in os.walk(folder):
        for path in (Path(top, name) for name in folders):
            if not path.is_symlink():
                path.chmod(0o755)
