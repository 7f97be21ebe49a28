"""Gradescope's setup.sh: NumPy that is there, from wheels, or a sentence about what is missing."""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

from tests.autograder import platform_tools as tools
from tests.autograder.gradescope_tools import BASH, built_with, needs_bash, place


def set_up(root: Path, files: dict[str, bytes], path: str) -> tuple[int, str]:
    (root / "results").mkdir(parents=True, exist_ok=True)
    place(files, {}, root)
    code, output = tools.run([BASH, str(root / "source" / "setup.sh")], root, AUTOGRADER_ROOT=str(root), PATH=path)
    return code, output.decode()


@pytest.mark.slow
@needs_bash
def test_set_up_with_numpy_there(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    code, output = set_up(tmp_path, gradescope_package, os.defpath)
    assert code == 0, output
    assert output.startswith("NumPy ")


@needs_bash
@pytest.mark.slow
def test_set_up_from_wheels(tmp_path: Path) -> None:
    """Offline, into the platform's Python, which is a fresh virtual environment here."""
    folder = tools.wheel(
        tmp_path / "wheels", "numpy-9.9-py3-none-any.whl", {"numpy/__init__.py": "__version__ = '9.9'"}
    )
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    files = built_with("--wheels", str(folder), "--python", python, out=tmp_path / "dist")
    code, output = set_up(tmp_path / "root", files, os.defpath)
    assert code == 0, output
    assert "NumPy 9.9" in output


@needs_bash
@pytest.mark.parametrize(
    ("stubs", "part"),
    [
        ({"apt-get": "exit 1"}, "apt-get could not install python3.99"),
        (
            {"python3.99": "case $* in *version_info*) exit 1;; --version) echo Python 3.8.1;; esac"},
            "is Python 3.8.1, and 3.10",
        ),
        (
            {"python3.99": "case $* in *numpy*) exit 1;; *'pip install'*) exit 1;; esac", "apt-get": "exit 0"},
            "pip could not install NumPy",
        ),
    ],
)
def test_set_up_says_what_is_missing(tmp_path: Path, stubs: dict[str, str], part: str) -> None:
    files = built_with("--python", "python3.99", out=tmp_path / "dist")
    (tmp_path / "bin").mkdir()
    for name, text in stubs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    code, output = set_up(tmp_path / "root", files, f"{tmp_path / 'bin'}")
    assert code != 0
    assert f"setup.sh: {part}" in output or part in output.splitlines()[-1]
