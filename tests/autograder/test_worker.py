"""The folder that runs beside a submission: it is enough, and nothing in it knows an expected value."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import CHECKS, cases_of
from autograder.grade import judge_frame
from autograder.isolate import run_scenarios
from autograder.staff.marks import hidden
from autograder.worker.wire import pack, unpack
from tests.autograder import workshop

WORKER = workshop.ROOT / "autograder" / "worker"
PARTS = ("engine", "functional", "activation", "loss", "linear", "mlp")
FILES = sorted(WORKER.rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """The modules that a file imports anywhere in it, and the names that it takes from them as modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write the whole name, so that this test sees it"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(WORKER).as_posix())
def test_a_file_imports_the_standard_library_numpy_and_this_folder(path: Path) -> None:
    for name in imported(path.read_text(encoding="utf-8")):
        own = name.startswith("autograder.worker.")
        assert own or name.partition(".")[0] in {*sys.stdlib_module_names, "numpy"}, name


def test_the_folder_is_enough(tmp_path: Path) -> None:
    """It runs alone, copied elsewhere, where no other file of the autograder is."""
    home, folder = tmp_path / "run" / "autograder", workshop.write(workshop.reference(), tmp_path / "submission")
    shutil.copytree(WORKER, home / "worker")
    checks = [*CHECKS, *hidden.CHECKS]
    given = [cases_of(check, 5) for check in checks]
    job = {"folder": str(folder), "parts": [*PARTS, "mlp"], "checks": [[c.scenario, g] for c, g in zip(checks, given)]}
    program = [sys.executable, "-I", "-B", str(home / "worker" / "run.py")]
    done = subprocess.run(program, input=pack(job), capture_output=True, check=True)
    data, frames = done.stdout, []
    while data:
        size = int.from_bytes(data[:8], "big")
        frames.append(unpack(data[8 : 8 + size]))
        data = data[8 + size :]
    assert len(frames) == 1 + len(checks)
    for check, cases, frame in zip(checks, given, frames[1:]):
        assert judge_frame(check, cases, frame) is None


def test_no_verdict_crosses(tmp_path: Path) -> None:
    """Scenarios return numbers: no yes or no, and none that is expected to be empty."""
    checks = [*CHECKS, *hidden.CHECKS]
    given = [cases_of(check) for check in checks]
    folder = workshop.write(workshop.reference(), tmp_path)
    frames = run_scenarios(folder, [*PARTS, "mlp"], [(c.scenario, g) for c, g in zip(checks, given)])
    next(frames)
    for check, cases, frame in zip(checks, given, frames, strict=True):
        for case, values in zip(cases, frame["values"], strict=True):
            assert not any(
                isinstance(v, bool) or (isinstance(v, np.ndarray) and v.dtype == bool) for v in values.values()
            )
            for name, right in check.expect(case).items():
                array = np.asarray(right.array)
                assert array.size, (check.name, name)
                assert array.dtype.kind in "fi", (check.name, name)
                assert np.isfinite(array).all(), (check.name, name)
