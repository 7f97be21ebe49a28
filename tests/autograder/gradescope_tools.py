"""Helpers of Gradescope's tests: the package's files, and a tree laid out as the service's."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.platforms import gradescope
from tests.autograder import platform_tools as tools

BASH = shutil.which("bash") or ""
needs_bash = pytest.mark.skipif(not BASH, reason="no bash, which Gradescope's scripts need")


def built_with(*arguments: str, out: Path) -> dict[str, bytes]:
    """The zip's files by their names."""
    with zipfile.ZipFile(io.BytesIO(gradescope.build(tools.options("gradescope", out, *arguments))[1])) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def place(files: dict[str, bytes], submission: dict[str, bytes | str], root: Path, metadata: Any = None) -> Path:
    """The service's tree. metadata: plain data, or bytes as they are."""
    for folder, names in (("source", files), ("submission", submission)):
        for name, data in names.items():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
    for name in ("results", "submission"):
        (root / name).mkdir(exist_ok=True, parents=True)
    shutil.copyfile(root / "source" / "run_autograder", root / "run_autograder")
    (root / "run_autograder").chmod(0o755)
    if metadata is not None:
        data = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
        (root / "submission_metadata.json").write_bytes(data)
    return root
