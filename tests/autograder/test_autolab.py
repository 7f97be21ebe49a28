"""Autolab's package, run as the service runs it: ``make`` in a flat folder with Makefile, autograde.tar and handin.tar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.platforms import autolab
from autograder.staff.platforms.service import job
from tests.autograder import platform_tools as tools
from tests.autograder.autolab_tools import MAKE, graded, needs_make, place

pytestmark = needs_make


def test_the_same_bytes_each_time(autolab_package: dict[str, bytes], tmp_path: Path) -> None:
    assert autolab.build(tools.options("autolab", tmp_path, "--scoreboard"))[1] == autolab_package
    assert list(autolab_package) == ["autograde-Makefile", "autograde.tar"]


def test_what_is_in_the_package(autolab_package: dict[str, bytes]) -> None:
    names = tools.untar(autolab_package["autograde.tar"])
    assert all(name.startswith(f"{job.TOP}/") for name in names)
    for unwanted in (
        "handout",
        "agreement",
        "page",
        "skeleton",
        "mytorch/",
        "tests",
        "autolab.py/",
        "package",
        "classroom",
    ):
        assert not [name for name in names if unwanted in name.removeprefix(job.TOP)], unwanted
    assert f"{job.TOP}/{job.MARKER}" in names


@pytest.mark.slow
def test_a_right_solution(job_folder: Path) -> None:
    code, output = tools.run([MAKE], job_folder)
    assert code == 0
    scores = graded(output)
    assert scores == tools.problems_and_points(), output.decode()
    lines = output.decode().splitlines()
    assert json.loads(lines[-1])["scoreboard"] == [sum(scores.values())]
    feedback = json.loads(lines[-2])
    assert feedback["stages"] == list(scores)
    assert all(check["passed"] for stage in feedback["stages"] for check in feedback[stage].values())
    assert len(feedback["Linear"]) > 3
    assert "Total" in output.decode()
    assert sorted(path.name for path in job_folder.iterdir()) == ["Makefile", "handin.tar"]


@pytest.mark.slow
def test_a_wrong_one_is_told_what_is_wrong(autolab_package: dict[str, bytes], tmp_path: Path) -> None:
    files = tools.acting({"ReLU": "x = x.copy(); raise ValueError('shape: \\x1b[31m é: <b>')"})
    files |= {"Makefile": "all:\n\techo mine\n", "autograde.tar": "x", "autograder/exercises.py": "raise SystemExit(3)"}
    files |= {"numpy.py": "raise SystemExit(3)", "mytorch-grader/autograder/staff/platforms/service/job.py": "print(1)"}
    folder = place(autolab_package, tools.handin(files), tmp_path / "job")
    output = tools.run([MAKE], folder, LC_ALL="C", LANG="C")[1]
    scores = graded(output)
    hidden = {name for name in scores if name.startswith("Hidden")}
    assert {n for n, p in tools.problems_and_points().items() if scores[n] < p} - hidden == {
        "ReLU Forward",
        "ReLU Backward",
    }
    feedback = json.loads(output.decode().splitlines()[-2])
    hints = [check["hint"] for check in feedback["ReLU Forward"].values() if not check["passed"]]
    assert "ValueError : shape" in hints[0]
    assert "\x1b" not in output.decode()
    assert "mytorch/nn/modules/activation.py" in output.decode()
    for name in hidden:
        assert list(feedback[name]) == ["hidden"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("numpy-9.9-py3-none-any.whl", "NumPy cannot be imported by"),
        ("numpy-9.9-cp38-cp38-win_amd64.whl", "no wheel of numpy fits Python 3"),
    ],
)
def test_vendored_wheels_are_used_and_removed(tmp_path: Path, name: str, part: str) -> None:
    """The wheels must be used: this NumPy cannot be imported."""
    wheels = tools.wheel(tmp_path / "wheels", name, {"numpy/__init__.py": "raise ImportError('the vendored one')"})
    built = autolab.build(tools.options("autolab", tmp_path, "--wheels", str(wheels), "--scoreboard"))[1]
    folder = place(built, b"", tmp_path / "job")
    output = tools.run([MAKE], folder)[1]
    assert set(graded(output).values()) == {0}
    assert part in output.decode()
    assert ("the vendored one" in output.decode()) == ("any" in name)
    assert sorted(path.name for path in folder.iterdir()) == ["Makefile", "autograde.tar", "handin.tar"]


def test_as_a_user_without_rights(autolab_package: dict[str, bytes]) -> None:
    """As on the service, where the tests themselves run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("not root, so the other tests ran as such a user")
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    command = [sys.executable, "-I", "-c", "import numpy"]
    try:
        subprocess.run(command, **nobody, cwd="/", capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python cannot be run by another user")
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        folder = place(autolab_package, tools.handin(tools.solved()), Path(scratch) / "job")
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534)
        done = subprocess.run([MAKE], **nobody, cwd=folder, env=tools.ENVIRONMENT, capture_output=True, check=False)
    assert graded(done.stdout) == tools.problems_and_points(), done.stdout.decode()


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"no archive", tools.handin({"notes.txt": "nothing"})], ids=["text", "other files"])
def test_a_hand_in_that_is_none_gets_zeros_and_a_reason(job_folder: Path, data: bytes) -> None:
    (job_folder / "handin.tar").write_bytes(data)
    code, output = tools.run([MAKE], job_folder)
    assert code == 0
    assert set(graded(output).values()) == {0}
    assert "GRADER_ERROR" not in output.decode()
    assert "Your submission cannot be graded: handin.tar" in output.decode()
    assert "checks passed" not in output.decode()
    assert "not graded" in output.decode()
    assert "handin.tar" in json.loads(output.decode().splitlines()[-2])["Linear"]["all"]["hint"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--limit", "180"], "by 10 at least"),
        (["--limit", "5"], "too short"),
        (["--python", "python3; rm -rf /"], "no name of a program"),
        (["--handin", "../x.tar"], "no plain file name"),
        (["--handin", "Makefile"], "no plain file name"),
        (["--wheels", "nowhere"], "holds no wheel of NumPy"),
    ],
)
def test_options_that_make_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], part: str
) -> None:
    assert autolab.run(tools.options("autolab", tmp_path, *arguments)) == 2
    assert part in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_says_what_to_set_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "autograder.staff", "autolab", "--out", str(tmp_path / "dist"), "--scoreboard"]
    code, output = tools.run(command, tools.workshop.ROOT)
    assert code == 0
    for part in (
        "Problems of the assessment",
        "Autograd Add Operation            5",
        "timeout",
        '{"scoreboard": [{"hdr"',
    ):
        assert part in output.decode()
    first = (tmp_path / "dist" / "autograde.tar").read_bytes()
    assert tools.run(command, tools.workshop.ROOT)[0] == 0
    assert (tmp_path / "dist" / "autograde.tar").read_bytes() == first, "the class seed was drawn anew"
    assert (tmp_path / "dist" / "class_seed.txt").stat().st_mode & 0o077 == 0
