"""A class graded in parts: the parts together are what one run makes, to the byte, and what is no whole is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.staff.classroom import marking, shards, store
from tests.autograder import fake_grader, workshop
from tests.autograder.class_tools import grade, hand_in, process
from tests.clocks import patience

SCRIPT = workshop.ROOT / "autograder" / "staff" / "classroom" / "grade_array.sh"


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times in records are the only difference between two runs."""
    monkeypatch.setattr(marking, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=time.sleep))
    monkeypatch.setattr(marking, "now", lambda: "2024-01-01T00:00:00+00:00")
    monkeypatch.setattr(store, "now", lambda: "2024-01-01T00:00:00+00:00")


def merge(submissions: Path, out: Path, *more: str) -> int:
    return fake_grader.merge([str(submissions), "--out", str(out), *more])


def files(out: Path) -> dict[str, bytes]:
    """All files of a folder of reports but the parts and the lock."""
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if not name.startswith("shards/") and name != ".lock"}


@pytest.mark.slow
def test_parts_make_the_whole_to_the_byte(
    submissions: Path, tmp_path: Path, stopped_clock: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three parts as processes of their own, of which one is killed and goes on."""
    out, whole = tmp_path / "parts", tmp_path / "whole"
    hand_in(submissions, "s03", "marks 1", version=2)
    hand_in(submissions, "bug", "bug")
    running = [
        process(submissions, out, "--shard", f"{part}/3", FAKE_CLOCK="1", FAKE_TIME=pause)
        for part, pause in ((1, "0"), (2, "0.3"), (3, "0"))
    ]
    deadline = time.monotonic() + patience(30)
    while not list((out / "shards/2-of-3/records").glob("s*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running[1].pid, signal.SIGKILL)
    for one in running:
        one.communicate(timeout=patience(60))
    assert merge(submissions, out) == 2
    assert "Part 2/3 is not finished" in capsys.readouterr().err
    assert not (out / "gradebook.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / "shards/2-of-3/records").glob("s*.json")}
    again = process(submissions, out, "--shard", "2/3", FAKE_CLOCK="1")
    printed = again.communicate(timeout=patience(60))[0]
    assert f"submissions of part 2/3: {again.returncode}"[:-1] in printed
    assert kept
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert merge(submissions, out) == 1
    assert "GRADER_ERROR: 1 fault" in capsys.readouterr().err
    seed = json.loads((out / "seed.json").read_bytes())["class_seed"]
    assert grade(submissions, whole, "--seed", str(seed)) == 1
    one_run, parts = files(whole), files(out)
    # Where the traceback says what went wrong in which process.
    for found in (one_run, parts):
        assert b"ZeroDivisionError" in found.pop("records/bug@x.edu.traceback.txt")
    assert parts.keys() == one_run.keys()
    assert [name for name in parts if parts[name] != one_run[name]] == []
    # What was merged counts as graded.
    capsys.readouterr()
    assert grade(submissions, out) == 1
    assert "0 graded now, 20 were graded before, 1 cannot be read" in capsys.readouterr().out


def split(submissions: Path, out: Path, of: int, *more: str) -> None:
    for part in range(1, of + 1):
        assert grade(submissions, out, "--shard", f"{part}/{of}", *more) == 0


def note(out: Path, part: str) -> Path:
    return out / "shards" / part / shards.NOTE


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}))


def add_one(submissions: Path, out: Path) -> None:
    hand_in(submissions, "late", "marks 3")


def change_one(submissions: Path, out: Path) -> None:
    hand_in(submissions, "s03", "marks 1")


NO_WHOLE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a part is missing": (lambda s, out: shutil.rmtree(out / "shards" / "2-of-2"), "Part 2/2 is missing"),
    "no parts": (lambda s, out: shutil.rmtree(out / "shards"), "holds no parts"),
    "parts of two sizes": (
        lambda s, out: (shutil.copytree(out / "shards/1-of-2", out / "shards/1-of-3"), changed(note(out, "1-of-3"), of=3)),
        "holds parts of 2 and of 3",
    ),
    "a part under another name": (
        lambda s, out: (out / "shards/1-of-2").rename(out / "shards/first"), "Give it back its name, 1-of-2"
    ),
    "another seed": (lambda s, out: changed(note(out, "2-of-2"), class_seed=5), "different class seeds"),
    "another seed than the class's": (
        lambda s, out: changed(out / "seed.json", class_seed=5), "another class seed than"
    ),
    "another grader": (lambda s, out: changed(note(out, "2-of-2"), grader="x"), "another version of the grader"),
    "another class": (add_one, "other hand-ins than those of this class"),
    "a hand-in that has changed": (change_one, "is not finished: 1 of its hand-ins"),
    "a damaged note": (lambda s, out: note(out, "1-of-2").write_text("{"), "is damaged"),
    "a note without a part": (lambda s, out: note(out, "1-of-2").write_text("{}"), "is damaged"),
    "a damaged record": (
        lambda s, out: [p.write_text("{") for p in (out / "shards/1-of-2/records").glob("s*.json")], "is not finished"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a class of eight and the reports of its two parts."""
    top = tmp_path_factory.mktemp("parted")
    for number in range(8):
        hand_in(top / "class", f"s{number:02}", f"marks {number}")
    split(top / "class", top / "out", 2, "--seed", "7")
    return top


@pytest.mark.parametrize("what", NO_WHOLE)
def test_what_is_no_whole_is_refused_in_a_sentence(
    parted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    top = shutil.copytree(parted, tmp_path / "copy")
    spoil, sentence = NO_WHOLE[what]
    spoil(top / "class", top / "out")
    capsys.readouterr()
    assert merge(top / "class", top / "out") == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not list((top / "out" / "records").glob("*.json"))
    assert not (top / "out" / "gradebook.csv").exists()


def test_other_options_are_another_grader(parted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge(parted / "class", parted / "out", "--no-hidden") == 2
    assert "other options" in capsys.readouterr().err
    assert merge(parted / "class", parted / "nowhere") == 2
    assert "holds no parts" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "3", "1/2/3", "-1/3", "a/b", "1/1001", "", "1.5/3", "١/3"])
def test_a_part_that_cannot_be(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        grade(tmp_path, tmp_path / "out", f"--shard={text}")
    assert end.value.code == 2
    assert "is no part; give K/N" in capsys.readouterr().err.splitlines()[-1]


def test_every_student_is_in_one_part_and_stays_there() -> None:
    names = [f"s{number}@x.edu" for number in range(500)]
    for of in (1, 2, 7, 60):
        counts = [sum(shards.Shard(part, of).has(name) for name in names) for part in range(1, of + 1)]
        assert sum(counts) == 500
        assert of > 7 or max(counts) < 1.4 * 500 / of
    assert shards.Shard(2, 4).has("alice@x.edu") == shards.Shard(2, 4).has("alice@x.edu")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_the_job_array_of_slurm(submissions: Path, tmp_path: Path) -> None:
    """The script with the variables that Slurm sets, and a program in Python's place that prints its arguments."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    program.chmod(0o755)
    task = {
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_ARRAY_TASK_COUNT": "8",
        "SLURM_CPUS_PER_TASK": "4",
        "PYTHON": str(program),
    }
    command = ["sh", str(SCRIPT), "my class", "out", "--no-hidden"]
    for extra, part in (({}, "2/8"), ({"SLURM_ARRAY_TASK_COUNT": "1", "PARTS": "8"}, "2/8")):
        printed = subprocess.run(
            command, env={**os.environ, **task, **extra}, capture_output=True, text=True, check=True
        ).stdout  # fmt: skip
        assert printed.splitlines() == [
            "-m", "autograder.staff", "grade", "my class", "--out", "out", "--no-hidden", "--shard", part, "--jobs", "4",
        ]  # fmt: skip


@pytest.mark.slow
def test_the_commands_are_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autograder.staff", "merge", str(tmp_path), "--out", str(tmp_path / "out")],
        cwd=workshop.ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
