"""Gradescope's package, run in a tree laid out as the service's: source, submission, results, submission_metadata.json."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.marks import hidden
from autograder.staff.platforms import gradescope
from autograder.staff.platforms.formats import gradescope_problems
from autograder.staff.platforms.service import job
from autograder.staff.platforms.service.limits import judge_limit
from tests.autograder import platform_tools as tools
from tests.autograder.gradescope_tools import BASH, built_with, needs_bash, place


def run(root: Path, *before: str) -> tuple[int, str, dict[str, Any] | None]:
    """Exit code, what was printed, and the results if there are any, found to be what the service takes."""
    code, output = tools.run([*before, str(root / "run_autograder")], root, AUTOGRADER_ROOT=str(root))
    path = root / "results" / "results.json"
    if not path.exists():
        return code, output.decode(), None
    results = json.loads(path.read_bytes())
    assert gradescope_problems(results, sum(tools.problems_and_points().values())) == []
    assert [path.name for path in (root / "results").iterdir()] == ["results.json"]
    return code, output.decode(), results


def scores(results: dict[str, Any]) -> dict[str, float]:
    return {test["name"]: test["score"] for test in results["tests"] if test["max_score"]}


def test_the_zip(tmp_path: Path) -> None:
    options = tools.options("gradescope", tmp_path)
    data = gradescope.build(options)[1]
    assert gradescope.build(options)[1] == data
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for name in ("setup.sh", "run_autograder"):
            info = packed.getinfo(name)
            assert info.create_system == 3
            assert info.external_attr >> 16 == 0o100755
            text = packed.read(name)
            assert text.startswith(b"#!/usr/bin/env bash\n")
            assert b"\r" not in text
        names = packed.namelist()
    assert not [name for name in names if "handout" in name or "page" in name or name.startswith("mytorch")]
    assert "autograder/staff/platforms/service/job.py" in names


@needs_bash
def test_the_scripts_are_valid(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    for name in ("setup.sh", "run_autograder"):
        (tmp_path / name).write_bytes(gradescope_package[name])
        assert subprocess.run([BASH, "-n", tmp_path / name], capture_output=True, check=False).stderr == b""
        if shutil.which("shellcheck"):
            checked = subprocess.run(["shellcheck", tmp_path / name], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stdout


METADATA: dict[str, Any] = {
    "id": 3, "created_at": "2024-03-04T10:00:00.123456-08:00", "submission_method": "upload", "previous_submissions": [],
    "assignment": {"due_date": "2024-03-05T00:00:00.000000-08:00", "late_due_date": None, "group_size": None, "id": 25828,
                   "total_points": "60.0"},
    "users": [{"email": "a@b.c", "id": 1, "name": "A"}],
}  # fmt: skip


@pytest.mark.slow
@needs_bash
def test_a_right_solution(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    root = place(gradescope_package, {"handin.tar": tools.handin(tools.solved())}, tmp_path, METADATA)
    code, output, results = run(root)
    assert code == 0, output
    assert results is not None
    assert scores(results) == tools.problems_and_points()
    assert {test["status"] for test in results["tests"] if test["max_score"]} == {"passed"}
    assert [test["number"] for test in results["tests"]] == [str(n + 1) for n in range(len(results["tests"]))]
    for test in results["tests"]:
        assert test["visibility"] == ("hidden" if test["name"].startswith("Hidden") else "visible")
    assert results["stdout_visibility"] == "hidden"
    assert results["extra_data"].keys() == {"level", "seed", "digest", "status"}
    assert results["leaderboard"] == [{"name": "Open exercises", "value": 50, "order": "desc"}]
    assert "1 more submission can be graded" in results["output"]
    text = json.dumps(results)
    for check in hidden.CHECKS:
        assert check.name not in text
    assert str(tools.SEED) not in results["output"].split()
    if os.geteuid() == 0:
        assert (root / "source").stat().st_mode & 0o077 == 0
        assert (root / "results").stat().st_mode & 0o077 == 0


CHECKOUT = {
    "README.md": "hello", ".git/config": "x", "numpy.py": "raise SystemExit(3)", "tests/test_all.py": "x",
    "sitecustomize.py": "raise SystemExit(3)", "autograder/grade.py": "raise SystemExit(3)",
}  # fmt: skip


@pytest.mark.slow
@needs_bash
@pytest.mark.parametrize("inside", ["", "homework/"])
def test_a_checkout_with_other_files(gradescope_package: dict[str, bytes], tmp_path: Path, inside: str) -> None:
    files: dict[str, bytes | str] = {f"{inside}{name}": text for name, text in {**tools.solved(), **CHECKOUT}.items()}
    files[f"{inside}mytorch/nn/modules/activation.py"] = tools.acting({"ReLU": "raise ValueError('mine')"})[
        "mytorch/nn/modules/activation.py"
    ]
    root = place(gradescope_package, files, tmp_path, {**METADATA, "submission_method": "GitHub"})
    _, output, results = run(root)
    assert results is not None, output
    open_ones = {name: score for name, score in scores(results).items() if not name.startswith("Hidden")}
    assert sum(open_ones.values()) == 45
    (failed,) = [test for test in results["tests"] if test["name"] == "ReLU Forward"]
    assert failed["status"] == "failed"
    assert "ValueError: mine" in failed["output"]


@pytest.mark.slow
@needs_bash
@pytest.mark.parametrize(
    "submission", [{}, {"notes.txt": "x"}, {"handin.tar": "no tar"}, {"a.tar": "x", "b.zip": "y"}], ids=str
)
def test_what_is_no_submission_gets_zeros_and_a_reason(
    gradescope_package: dict[str, bytes], tmp_path: Path, submission: dict[str, bytes | str]
) -> None:
    code, _, results = run(place(gradescope_package, submission, tmp_path, METADATA))
    assert code == 0
    assert results is not None
    assert set(scores(results).values()) == {0}
    assert "cannot be graded" in results["output"]
    assert "--seed" not in results["output"]
    assert {test["output"] for test in results["tests"]} == {"not graded"}


@pytest.mark.slow
@needs_bash
@pytest.mark.parametrize("metadata", [None, b"[" * 100_000, {"created_at": 3}], ids=["none", "deep", "no time"])
def test_garbled_metadata_stops_nothing(gradescope_package: dict[str, bytes], tmp_path: Path, metadata: Any) -> None:
    code, output, results = run(place(gradescope_package, {"x.tar": "x"}, tmp_path, metadata))
    assert code == 0, output
    assert results is not None
    assert "limit of submissions was not applied" in results["output"]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'"\\ud800"', b"\0" * 100])
def test_metadata_that_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "submission_metadata.json").write_bytes(data)
    assert judge_limit(job.read_metadata(tmp_path), 2, 24).note.startswith("The limit of submissions was not applied")


@pytest.mark.slow
@needs_bash
def test_a_submission_too_many_keeps_the_last_score(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    earlier = [
        {"submission_time": f"2024-03-04T0{hour}:00:00.000000-08:00", "score": score, "autograder_error": False}
        for hour, score in ((7, 10.0), (8, 31.5))
    ]
    root = place(gradescope_package, {"x.tar": "x"}, tmp_path, {**METADATA, "previous_submissions": earlier})
    code, _, results = run(root)
    assert code == 0
    assert results is not None
    # The total has the hidden marks in it, so it is hidden as they are.
    (test,) = results["tests"]
    assert (test["score"], test["visibility"]) == (31.5, "hidden")
    assert "score" not in results
    assert "31.5" not in results["output"]
    assert "was not graded" in results["output"]
    assert "2024-03-05 07:00 (UTC-0800)" in results["output"]


@needs_bash
@pytest.mark.slow
def test_what_hostile_code_cannot_do(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    fake = '{"score": 60}'
    path = str(tmp_path / "results" / "results.json")
    write = (
        f"import glob, os, signal, threading, time\nfor place in [{path!r}, '../results/results.json', "
        f"{str(tmp_path / 'run_autograder')!r}] + glob.glob('/proc/[0-9]*/fd/1'):\n"
        f"    try: open(place, 'w').write({fake!r})\n    except OSError: pass\n"
    )
    files = tools.acting(
        {
            "Identity": f"{write}\nprint({fake!r}, flush=True); time.sleep(1000)",
            "Sigmoid": f"{write}\nos.kill(os.getppid(), 9)",
            "Tanh": f"{write}\nif os.fork() == 0:\n    os.setsid()\n    while True: open({path!r}, 'w').write('9')",
            "ReLU": f"{write}\nos.kill(-1, 9)",
        }
    )
    root = place(gradescope_package, {"handin.tar": tools.handin(files)}, tmp_path, METADATA)
    before = (root / "run_autograder").read_bytes()
    code, output, results = run(root, *tools.in_a_namespace())
    assert code == 0, output
    assert results is not None
    marks = scores(results)
    assert [marks[f"{name} Forward"] for name in ("Identity", "Sigmoid", "Tanh", "ReLU")] == [0] * 4
    assert marks["Functional"] + marks["Linear"] == 11
    assert (root / "run_autograder").read_bytes() == before


@pytest.mark.slow
@needs_bash
@pytest.mark.parametrize(
    ("pieces", "part"),
    [
        ({"service/job.py": "import os; os.kill(os.getpid(), 9)"}, "killed by signal 9"),
        ({"service/job.py": "print('{\"score\": 60}'); raise SystemExit(1)"}, "exit code 1"),
        ({"service/job.py": "import time; time.sleep(9)", "config.json": '{"limit": 1, "platform": ""}'}, "within 1"),
        ({"service/text.py": "raise ValueError"}, "ValueError in text.py"),
        ({"service/start.py": "def f(:"}, "SyntaxError"),
        ({"service/gradescope.py": "def results(*a):\n    return {'score': 'all'}"}, "not in the platform's format"),
    ],
)
def test_an_error_of_ours_is_no_mark(
    gradescope_package: dict[str, bytes], tmp_path: Path, pieces: dict[str, str], part: str
) -> None:
    """No results.json, not even an old one, and an exit code, so that the service says that the autograder failed."""
    root = place(tools.with_pieces(gradescope_package, pieces), {"x.tar": "x"}, tmp_path, METADATA)
    if "service/start.py" not in pieces:
        (root / "results" / "results.json").write_text('{"score": 60}')
    code, output, results = run(root)
    assert results is None
    assert code != 0
    assert part in output


@pytest.mark.slow
@needs_bash
def test_no_link_is_followed(gradescope_package: dict[str, bytes], tmp_path: Path) -> None:
    root = place(gradescope_package, {"x.tar": "x"}, tmp_path / "root", METADATA)
    (tmp_path / "other").write_text("mine")
    (root / "results" / "results.json").symlink_to(tmp_path / "other")
    assert run(root)[0] == 0
    assert not (root / "results" / "results.json").is_symlink()
    assert (tmp_path / "other").read_text() == "mine"


def test_hidden_marks_are_shown_if_wished(tmp_path: Path) -> None:
    files = built_with("--hidden-visibility", "after_published", out=tmp_path)
    assert json.loads(files["config.json"])["hidden_visibility"] == "after_published"
    assert json.loads(built_with("--no-hidden", out=tmp_path)["config.json"])["problems"] == tools.problems_and_points(
        False
    )


def test_the_command_says_what_to_set_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gradescope.run(tools.options("gradescope", tmp_path, "--most", "3")) == 0
    assert "autograder points  60" in capsys.readouterr().out
    assert gradescope.run(tools.options("gradescope", tmp_path, "--most", "-3")) == 2
    assert gradescope.run(tools.options("gradescope", tmp_path, "--per", "nan")) == 2
    assert "--per" in capsys.readouterr().err
