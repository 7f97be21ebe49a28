"""The option --show: a page of the first failing check, its step marked, values side by side."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograder.staff import handout
from tests.autograder import workshop

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "autograder/runner.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """The handout, solved in one of the right styles."""
    folder = tmp_path / "mon dossier é"
    for name, data in handout.contents().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for name, text in next(iter(workshop.right_ones().values())).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def page_data(page: Path) -> Any:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


def test_the_first_failing_check_is_shown_where_it_parts(student: Path) -> None:
    path = student / "mytorch/nn/modules/activation.py"
    text = path.read_text()
    assert "functional.max_backward)" in text
    path.write_text(text.replace("functional.max_backward)", "lambda grad_output, x: grad_output)"))
    done = run(student, "--only", "relu", "--show", "ma page.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ReLU Backward" in done.stdout
    assert "ma page.html" in done.stdout
    data = page_data(student / "ma page.html")
    assert data["title"].startswith("ReLU Backward")
    comparison = data["comparison"]
    assert comparison["what"] == "gradient of x"
    expected, received = (data["values"][comparison[side]]["numbers"] for side in ("expected", "received"))
    assert len(expected) == len(received)
    assert expected != received
    assert comparison["hint"]
    assert comparison["hint"] in " ".join(done.stdout.split())
    (finding,) = [one for one in data["findings"] if "parts from what is expected" in one["text"]]
    assert finding["back"]
    assert data["operations"][finding["operation"]]["line"]["file"].endswith("activation.py")


def test_an_exception_is_shown_with_the_list_up_to_it(student: Path) -> None:
    path = student / "mytorch/nn/modules/activation.py"
    text = path.read_text()
    path.write_text(text.replace("functional.max_backward)", "lambda grad_output, x: x.no_such_thing)"))
    done = run(student, "--only", "relu", "--show", "x.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no_such_thing" in done.stdout
    assert page_data(student / "x.html")["operations"]


def test_without_a_failure_or_a_list_there_is_no_page(student: Path) -> None:
    done = run(student, "--only", "relu", "--show")
    assert done.returncode == 0, done.stderr
    assert "nothing to show" in done.stdout
    path = student / "mytorch/nn/functional.py"
    path.write_text(
        path.read_text() + "\n\ndef mul_backward(grad_output, a, b):\n    return grad_output, grad_output\n"
    )
    done = run(student, "--only", "functional: mul", "--show", "x.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "records no list" in done.stdout
    assert not (student / "x.html").exists()
    assert not (student / "failing_check.html").exists()


def test_a_folder_whose_viewer_is_broken_gets_one_sentence(student: Path) -> None:
    # A missing one would be looked for in an installed mytorch.
    (student / "mytorch/viewer/__init__.py").write_text("raise ImportError('broken by hand')")
    done = run(student, "--only", "relu", "--show")
    assert done.returncode == 2
    assert "mytorch/viewer" in done.stderr
    assert "Traceback" not in done.stderr
