"""The handout: built the same each time, without solutions, usable at once, and solvable from start to hand-in."""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from autograder.staff import handout
from autograder.staff.differences import DIFFERENCES, STUB
from tests.autograder import workshop
from tests.autograder.solutions import SIMPLE, ZEROS
from tests.autograder.student_tools import run


def members(archives: list[Path]) -> list[dict[str, bytes]]:
    with tarfile.open(archives[0]) as tar:
        from_tar = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    with zipfile.ZipFile(io.BytesIO(archives[1].read_bytes())) as packed:
        from_zip = {name: packed.read(name) for name in packed.namelist()}
    return [from_tar, from_zip]


def test_both_archives_hold_the_same_and_are_reproducible(archives: list[Path], tmp_path: Path) -> None:
    from_tar, from_zip = members(archives)
    assert from_tar == from_zip
    again = handout.build(tmp_path)
    assert [a.read_bytes() for a in archives] == [a.read_bytes() for a in again]


def test_archives_carry_dates_that_zip_accepts_everywhere(archives: list[Path]) -> None:
    """Zip's calendar begins in 1980 by local time, up to twelve hours after UTC."""
    with tarfile.open(archives[0]) as tar:
        times = {member.mtime for member in tar}
    with zipfile.ZipFile(archives[1]) as packed:
        dates = {member.date_time for member in packed.infolist()}
    assert len(times) == len(dates) == 1
    assert time.gmtime(min(times) - 12 * 3600) >= (1980, 1, 1)
    assert min(dates) >= (1980, 1, 1, 12)


@pytest.mark.parametrize(
    "words",
    [
        r"-grad_output",
        r"grad_output *[*/@]",
        r"\.T @",
        r"np\.(exp|maximum|log)\(",
        r"(in|enumerate\()\s*reversed\(self\.operation",
        r"operation_list\[::-1\]",
    ],
)
def test_no_rule_stands_in_the_students_files(words: str) -> None:
    """Code that every solution has to write, in the reference's words or others."""
    for name, text in workshop.handout().items():
        if not name.startswith("hw_bonus/data"):
            assert not re.search(words, text), name
    solved = [*SIMPLE.values(), *ZEROS.values()]
    assert any(re.search(words, body) for body in solved), "nobody writes this, so its absence says nothing"


def test_everything_that_is_to_do_is_a_stub() -> None:
    listed = [name for entry in DIFFERENCES if entry.kind == STUB for name in entry.names.split()]
    assert sorted(workshop.stubs()) == sorted(listed) == sorted(SIMPLE)


def test_nothing_but_what_is_meant(archives: list[Path]) -> None:
    names = {name.removeprefix("handout/") for name in members(archives)[0]}
    for unwanted in (
        "staff",
        "tests",
        "benchmarks",
        "autodiff",
        "mytorch/graph",
        ".git",
        "__pycache__",
        ".pyc",
        "checks.py",
        "nonlinear.py",
        "optim.py",
    ):
        assert not [name for name in names if unwanted in name], unwanted
    for wanted in (
        "README.md",
        "docs/writeup.md",
        "create_tarball.sh",
        "create_tarball.py",
        "docs/images/failing-check.png",
        "hw_bonus/data/digits.npz",
        "autograder/runner.py",
    ):
        assert wanted in names


@pytest.mark.slow
def test_the_command_builds_into_a_folder(tmp_path: Path) -> None:
    done = run(workshop.ROOT, sys.executable, "-m", "autograder.staff", "handout", "--out", str(tmp_path / "dist"))
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "dist").iterdir()) == ["handout.tar.gz", "handout.zip"]


@pytest.mark.slow
def test_a_student_can_start_at_once(student: Path) -> None:
    done = run(student, sys.executable, "autograder/runner.py")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "0 / 50" in done.stdout
    assert "not implemented yet" in done.stdout
    assert sum(json.loads(done.stdout.splitlines()[-1])["scores"].values()) == 0
    assert run(student, sys.executable, "mytorch/sandbox.py").returncode == 0
    assert "not implemented yet" in run(student, sys.executable, "hw_bonus/mlp_runner.py").stdout


@pytest.mark.slow
def test_from_the_handout_to_the_hand_in(student: Path, tmp_path: Path) -> None:
    workshop.write(workshop.fill(SIMPLE), student)
    graded = run(student, sys.executable, "autograder/runner.py")
    assert graded.returncode == 0, graded.stdout
    assert "50 / 50" in graded.stdout
    packed = run(tmp_path, sys.executable, str(student / "create_tarball.py"))
    assert packed.returncode == 0, packed.stderr
    assert "warning" not in packed.stderr
    again = run(
        tmp_path, sys.executable, str(student / "autograder/runner.py"), "--submission", str(student / "handin.tar")
    )
    assert again.stdout.splitlines()[-1] == graded.stdout.splitlines()[-1]
    trained = run(student, sys.executable, "hw_bonus/mlp_runner.py", "--epochs", "3")
    assert trained.returncode == 0, trained.stderr
    errors = int(trained.stdout.split("test errors: ")[1].split()[0])
    assert errors < 60, trained.stdout


def test_debug_mode_works_on_a_students_engine(student: Path) -> None:
    workshop.write(workshop.fill(SIMPLE), student)
    program = """
import warnings; warnings.simplefilter("error")
import numpy as np
from mytorch.autograd_engine import Autograd
from mytorch.nn import Sigmoid, Tanh
from mytorch.gradcheck import gradcheck
from mytorch.debug import DebugError, DebugWarning
engine = Autograd(debug=True)
x = np.array([[0.3, -1.2]])
layers = Sigmoid(engine), Tanh(engine)
print(gradcheck(lambda: layers[1](layers[0](x)), engine))
h = layers[0](x)
try:
    layers[1](h.copy())
except DebugWarning as finding:
    print("copy:", finding)
engine.zero_grad()
y = layers[1](x)
x[0, 0] = 5
try:
    engine.backward(y)
except DebugError as finding:
    print("changed:", finding)
"""
    done = run(student, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert "copy: " in done.stdout
    assert "changed: " in done.stdout
