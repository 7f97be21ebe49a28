"""Every block of the writeup runs: on the reference elsewhere, here on a student's solution, commands included."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autograder import workshop
from tests.autograder.solutions import STYLES
from tests.autograder.student_tools import run

TEXT = (workshop.ROOT / "docs/writeup.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
SHELL = [line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S) for line in block.splitlines()]


def test_no_block_is_of_a_kind_that_no_test_runs() -> None:
    assert set(re.findall(r"^```(\w+)", TEXT, re.M)) == {"python", "sh"}
    assert TEXT.count("```") == 2 * len(re.findall(r"^```\w+", TEXT, re.M))


@pytest.mark.slow
@pytest.mark.parametrize("style", ["simple", "fused"])
def test_python_blocks_run_on_a_students_solution(style: str, tmp_path: Path) -> None:
    folder = workshop.write(workshop.fill(STYLES[style]), tmp_path)
    for block in PYTHON:
        done = run(folder, sys.executable, "-c", block)
        assert done.returncode == 0, block + done.stderr


@pytest.mark.slow
def test_commands_run_in_a_solved_handout(student: Path) -> None:
    workshop.write(workshop.fill(STYLES["simple"]), student)
    assert len(SHELL) >= 7
    for line in SHELL:
        words = shlex.split(line)
        done = run(student, sys.executable if words[0] == "python" else words[0], *words[1:])
        assert done.returncode == 0, line + done.stdout + done.stderr


def test_the_list_of_marks_is_the_autograders(student: Path) -> None:
    points = [int(n) for row in re.findall(r"^\| [A-Z].*\| ([\d +]+) \|$", TEXT, re.M) for n in row.split("+")]
    assert sum(points) == 50
    listed = subprocess.run(
        [sys.executable, "autograder/runner.py", "--list"], cwd=student, capture_output=True, text=True, check=True
    )
    total = sum(float(line.split()[0]) for line in listed.stdout.splitlines() if line.split()[0] != "practice")
    assert total == 50
