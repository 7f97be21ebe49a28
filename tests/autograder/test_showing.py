"""The option --show: a page of the first failing check, its step marked, values side by side, nothing secret on it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autograder import workshop


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "autograder/runner.py", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """The handout, solved in one of the right styles."""
    return workshop.write(
        {**workshop.handout(), **next(iter(workshop.right_ones().values()))}, tmp_path / "mon dossier é"
    )


def page_data(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])  # type: ignore


@pytest.mark.slow
def test_the_first_failing_check_is_shown_where_it_parts(student: Path) -> None:
    path = student / "mytorch/nn/modules/activation.py"
    text = path.read_text()
    broken = (
        text.replace("1 - s**2", "1 + s**2").replace("1 - s ** 2", "1 + s ** 2").replace("1.0 - s * s", "1.0 + s * s")
    )
    if broken == text:
        broken = re.sub(r"(class Tanh.*?)1(\.0)? - ", r"\g<1>1 + ", text, count=1, flags=re.S)
    assert broken != text
    path.write_text(broken)
    done = run(student, "--only", "tanh", "--show", "ma page.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Tanh Backward" in done.stdout
    assert "ma page.html" in done.stdout
    data = page_data(student / "ma page.html")
    assert data["title"].startswith("Tanh Backward")
    comparison = data["comparison"]
    assert comparison["what"] == "gradient of x"
    expected, received = (data["values"][comparison[side]]["numbers"] for side in ("expected", "received"))
    assert len(expected) == len(received)
    assert expected != received
    assert comparison["hint"]
    assert comparison["hint"] in " ".join(done.stdout.split()) or comparison["hint"][:40] in " ".join(
        done.stdout.split()
    )
    (finding,) = [one for one in data["findings"] if "parts from what is expected" in one["text"]]
    assert finding["back"]
    assert data["operations"][finding["operation"]]["line"]["file"].endswith("activation.py")


@pytest.mark.slow
def test_without_a_failure_or_a_list_there_is_no_page(student: Path) -> None:
    done = run(student, "--only", "relu", "--show")
    assert done.returncode == 0
    assert "nothing to show" in done.stdout
    path = student / "mytorch/nn/functional.py"
    text = path.read_text()
    path.write_text(
        re.sub(
            r"(def mul_backward\(.*?\n)(    return|    )", r"\1    return grad_output, grad_output\n    ", text, count=1
        )
    )
    done = run(student, "--only", "mul_backward", "--show", "x.html")
    if "nothing to show" not in done.stdout:
        assert "records no list" in done.stdout
    assert not (student / "x.html").exists()


@pytest.mark.slow
def test_a_folder_without_the_viewer_gets_one_sentence(student: Path) -> None:
    shutil.rmtree(student / "mytorch/viewer")
    done = run(student, "--only", "relu", "--show")
    assert done.returncode == 2
    assert "mytorch/viewer" in done.stderr
    assert "Traceback" not in done.stderr
