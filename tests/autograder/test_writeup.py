"""Every block of the writeup runs: on the reference elsewhere, here on a student's solution, commands included."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autograder import workshop
from tests.autograder.solutions import STYLES
from tests.autograder.student_tools import run

PROGRAM = workshop.ROOT / "docs/render.py"
PAGE = (workshop.ROOT / "docs/writeup.html").read_text(encoding="utf-8")
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


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of the page, its text, its style and its program."""
    shutil.copytree(PROGRAM.parent, tmp_path / "docs", ignore=shutil.ignore_patterns("*.svg", "*.png"))
    return tmp_path / "docs"


@pytest.mark.parametrize("changed", ["", "writeup.md", "writeup.css", "render.py"])
def test_a_page_older_than_what_it_is_made_from_is_noticed(docs: Path, changed: str) -> None:
    if changed:
        with (docs / changed).open("a", encoding="utf-8") as file:
            file.write("\n")
    done = run(docs, sys.executable, "render.py", "--check")
    assert done.returncode == (1 if changed else 0), done.stderr
    assert ("make writeup" in done.stderr) == bool(changed)


def test_the_page_shows_all_of_the_text_and_needs_no_network() -> None:
    headings = [
        re.sub(r"[`#]", "", line).strip() for line in TEXT.splitlines() if re.match(r"#+ ", line) and "list" not in line
    ]
    shown = html.unescape(re.sub(r"<[^>]+>", "", PAGE))
    assert all(heading in shown for heading in headings)
    outside = re.sub(r"(?s)<pre>.*?</pre>|<code>.*?</code>|<math.*?</math>", "", PAGE)
    assert "$" not in outside
    assert "FORMULA" not in PAGE
    formulas = re.findall(r"\$\$?[^$]+\$\$?", re.sub(r"(?ms)^```.*?^```|`[^`\n]+`", "", TEXT))
    assert len(formulas) == PAGE.count("<math ") > 60
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)|@import|url\(""", PAGE)


def test_formulas_become_mathml(docs: Path) -> None:
    """A minus sign stands close to its number, code keeps its dollars, and a formula may go over the end of a line."""
    pytest.importorskip("latex2mathml")
    pytest.importorskip("markdown")
    (docs / "writeup.md").write_text(
        "# T\n\n$x = -1$ and $a +\nb$, `$HOME`\n\n$$\\ln x$$\n\n```sh\necho $a $b\n```\n", encoding="utf-8"
    )
    assert run(docs, sys.executable, "render.py").returncode == 0
    page = (docs / "writeup.html").read_text(encoding="utf-8")
    assert page.count("<math ") == 3
    assert 'form="prefix"' in page
    assert "<code>$HOME</code>" in page
    assert "echo $a $b" in page
    assert 'display="block"' in page
    assert run(docs, sys.executable, "render.py", "--check").returncode == 0


def test_the_handout_has_the_page(student: Path) -> None:
    assert (student / "docs/writeup.html").read_text(encoding="utf-8") == PAGE
