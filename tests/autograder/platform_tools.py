"""Helpers of both platforms' tests: hand-ins, hostile ones too, and packages with a piece of the grader replaced."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.marks.grading import all_exercises
from autograder.staff.packing import tar_bytes
from tests.autograder import workshop
from tests.autograder.solutions import SIMPLE
from tests.clocks import patience

SEED = 7
# What a fresh process of the platform may have in its environment.
ENVIRONMENT = {
    k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE", "PYTEST", "MAKE", "MFLAGS"))
}


def options(platform: str, out: Path, *arguments: str) -> argparse.Namespace:
    """The options of a command of the platform as if given on the command line; the platform's Python is this one."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"autograder.staff.platforms.{platform}").configure(parser)
    given = ["--out", str(out), "--seed", str(SEED), *arguments]
    return parser.parse_args(given if "--python" in arguments else [*given, "--python", sys.executable])


def handin(files: dict[str, str | bytes]) -> bytes:
    """A hand-in's tar of these files."""
    return tar_bytes({name: data.encode() if isinstance(data, str) else data for name, data in files.items()})


@cache
def solved() -> dict[str, str]:
    """A submission that earns everything."""
    return {name: text for name, text in workshop.fill(SIMPLE).items() if name.startswith("mytorch/")}


def acting(acts: dict[str, str]) -> dict[str, str]:
    """The same, but these forward passes do something else first."""
    bodies = {**SIMPLE, **{f"{name}.forward": f"{act}\n{SIMPLE[f'{name}.forward']}" for name, act in acts.items()}}
    return {name: text for name, text in workshop.fill(bodies).items() if name.startswith("mytorch/")}


def fake(scores: dict[str, Any]) -> str:
    """The line of scores that a cheat would like to see, as a Python expression."""
    return repr(f'\n{{"scores": {{{", ".join(f"{chr(34)}{name}{chr(34)}: 99" for name in scores)}}}}}\n')


def with_pieces(files: dict[str, bytes], pieces: dict[str, str]) -> dict[str, bytes]:
    """A package's files with some replaced; each has to be there."""
    changed = dict(files)
    for name, text in pieces.items():
        (found,) = [known for known in files if known.endswith(name)]
        changed[found] = text.encode()
    return changed


def untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def in_a_namespace() -> list[str]:
    """A command in front of another that shuts its processes in, for those that kill whatever they can. Skips without."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no namespace to shut a killer in")
    return command


def run(command: Sequence[str], folder: Path, timeout: float = 120, **environment: str) -> tuple[int, bytes]:
    """Exit code and merged output. It has to end: nothing may be left that holds the output open."""
    done = subprocess.run(
        command, cwd=folder, env={**ENVIRONMENT, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=patience(timeout), check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A folder with a wheel of these files."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as packed:
        for inner, text in files.items():
            packed.writestr(inner, text)
    return folder


def problems_and_points(hidden: bool = True) -> dict[str, float]:
    return {exercise.name: exercise.points for exercise in all_exercises(hidden) if exercise.points}
