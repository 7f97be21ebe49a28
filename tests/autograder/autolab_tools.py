"""Helpers of Autolab's tests: a job directory as the service makes it, and the scores in its output."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.packing import tar_bytes
from autograder.staff.platforms.formats import autolab_problems
from tests.autograder import platform_tools as tools

MAKE = "make"
needs_make = pytest.mark.skipif(
    shutil.which(MAKE) is None or shutil.which("tar") is None, reason="make or tar is missing, which Autolab uses"
)


def place(built: dict[str, bytes], handin: bytes, folder: Path) -> Path:
    """A job directory as the service makes it."""
    folder.mkdir()
    (folder / "Makefile").write_bytes(built["autograde-Makefile"])
    (folder / "autograde.tar").write_bytes(built["autograde.tar"])
    (folder / "handin.tar").write_bytes(handin)
    return folder


def replaced(built: dict[str, bytes], pieces: dict[str, str]) -> bytes:
    return tar_bytes(tools.with_pieces(tools.untar(built["autograde.tar"]), pieces))


def graded(output: bytes, columns: int = 1) -> dict[str, Any]:
    """The scores, after the output was found to be what the service takes."""
    assert autolab_problems(output, list(tools.problems_and_points()), columns=columns) == [], output.decode()
    scores = json.loads(output.decode().splitlines()[-1])["scores"]
    assert scores.keys() == tools.problems_and_points().keys()
    return scores
