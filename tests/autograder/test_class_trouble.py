"""Grading a class with kills, damage and bugs of the grader: no mark is lost and none is made up."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.classroom import marking
from autograder.staff.classroom.store import Reports, is_record
from tests.autograder.class_tools import grade, hand_in, process, records, rows
from tests.clocks import patience


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 7, 15])
def test_killed_at_any_moment(submissions: Path, tmp_path: Path, log: Path, after: int) -> None:
    """SIGKILL to the whole group; a second run goes on, and ends where one that was never stopped ends."""
    out, whole = tmp_path / "reports", tmp_path / "whole"
    running = process(submissions, out, "--seed", "7", FAKE_TIME="0.05")
    deadline = time.monotonic() + patience(30)
    while len(list((out / "records").glob("*.json"))) < after and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    kept = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (out / "records").glob("*.json")}
    assert after <= len(kept) < 21
    assert all(is_record(json.loads(data)) for _, data in kept.values())
    assert not (out / "gradebook.csv").exists()
    # What such an end can leave behind at worst.
    (out / "records/.123-456.tmp").write_bytes(b"{")
    (out / ".work/left").mkdir(parents=True, exist_ok=True)
    log.write_text("")
    assert grade(submissions, out) == 0
    broken = "broken@x.edu.json" in kept
    assert len(log.read_text().splitlines()) == 20 - (len(kept) - broken)
    for name, (changed, data) in kept.items():
        assert ((out / "records" / name).stat().st_mtime_ns, (out / "records" / name).read_bytes()) == (changed, data)
    assert grade(submissions, whole, "--seed", "7") == 0
    assert records(out) == records(whole)
    assert not list(out.rglob("*.tmp"))
    assert not (out / ".work").exists()


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(submissions: Path, tmp_path: Path) -> None:
    for number, sign in ((1, signal.SIGINT), (2, signal.SIGTERM)):
        out = tmp_path / f"reports{number}"
        running = process(submissions, out, FAKE_TIME="0.5")
        while not list((out / "records").glob("*.json")):
            time.sleep(0.01)
        running.send_signal(sign)
        printed = running.communicate(timeout=patience(30))
        assert running.returncode == 2
        assert "run the same command again" in printed[1]
        assert "Traceback" not in printed[1]
        assert 1 <= len(records(out)) < 21
        # A gradebook with gaps would look finished.
        assert not (out / "gradebook.csv").exists()
        assert not (out / ".work").exists()
        assert grade(submissions, out) == 0
        assert len(records(out)) == 21


def test_ctrl_c_between_the_rounds(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    between = marking._round

    def interrupted(handins: Any, first: bool, *others: Any) -> Any:
        if not first:
            raise KeyboardInterrupt
        return between(handins, first, *others)

    out = tmp_path / "reports"
    with monkeypatch.context() as patch:
        patch.setattr(marking, "_round", interrupted)
        assert grade(submissions, out) == 2
    assert "run the same command again" in capsys.readouterr().err
    assert not (out / "gradebook.csv").exists()
    assert grade(submissions, out) == 0
    assert len(records(out)) == 21


@pytest.mark.slow
def test_damaged_records_are_graded_again(
    submissions: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out, "--seed", "1") == 0
    before = records(out)
    path = out / "records"
    (path / "s01@x.edu.json").write_bytes((path / "s01@x.edu.json").read_bytes()[:300])
    (path / "s02@x.edu.json").write_bytes(b"")
    (path / "s03@x.edu.json").write_bytes(b"\xff\xfe")
    (path / "s04@x.edu.json").write_text('{"format": 1}')
    (path / "s05@x.edu.json").write_text("[" * 100_000)
    data = json.loads((path / "s06@x.edu.json").read_text())
    (path / "s06@x.edu.json").write_text(json.dumps({**data, "total": float("nan")}))
    (path / "s07@x.edu.json").write_text(json.dumps({**data, "checks": [{"check": 1}]}))
    log.write_text("")
    capsys.readouterr()
    assert grade(submissions, out) == 0
    assert len(log.read_text().splitlines()) == 7
    assert capsys.readouterr().err.count("graded again") == 7
    assert records(out) == before


@pytest.mark.slow
def test_records_of_another_version_are_refused_in_a_sentence(
    submissions: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Format 1 kept a check's feedback as one text."""
    out = tmp_path / "reports"
    assert grade(submissions, out, "--seed", "1") == 0
    before = records(out)
    for name in ("s01", "s02"):
        path = out / "records" / f"{name}@x.edu.json"
        data = json.loads(path.read_text())
        old = [{**check, "feedback": "  Open: all\n    came       nothing"} for check in data["checks"]]
        path.write_text(json.dumps({**data, "format": 1, "checks": old}))
    sentence = "records/{}@x.edu.json was written by another version of the grader (its format is 1"
    # The record of this name is told as such; for another spelling of the student, that some cannot be read.
    for student, named, start in (
        ("s02@x.edu", "s02", sentence.format("s02")),
        ("S02@x.edu", "s01", "No submission of"),
    ):
        capsys.readouterr()
        assert grade(submissions, out, "--again", student) == 2
        printed = capsys.readouterr().err
        assert printed.startswith(start)
        assert sentence.format(named) in printed
        assert "Grade the class again" in printed
    log.write_text("")
    assert grade(submissions, out) == 0
    assert f"note: {sentence.format('s01')}" in capsys.readouterr().err
    assert len(log.read_text().splitlines()) == 2
    assert records(out) == before
    # The present format with the old text is no record either.
    path.write_text(json.dumps({**data, "checks": old}))
    assert grade(submissions, out) == 0
    assert "no record of this version, so this one is graded again" in capsys.readouterr().err


@pytest.mark.slow
def test_an_error_of_ours_is_no_mark(
    submissions: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports"
    hand_in(submissions, "bug", "bug")
    hand_in(submissions, "nonsense", "nonsense")
    hand_in(submissions, "exit", "exit")
    hand_in(submissions, "more", "marks 10.5")
    assert grade(submissions, out) == 1
    printed = capsys.readouterr()
    assert "GRADER_ERROR: 4 faults of the grader" in printed.err
    assert "ZeroDivisionError: a bug in the <grader>" in printed.err
    marks = rows(out)
    for student in ("bug", "nonsense", "exit", "more"):
        row = marks[f"{student}@x.edu/1"]
        assert (row["status"], row["total"], row["Open"], row["possible"]) == ("GRADER_ERROR", "GRADER_ERROR", "", "")
        record = json.loads((out / f"records/{student}@x.edu.json").read_text())
        assert "Traceback" not in json.dumps(record)
        assert "Traceback" in (out / f"records/{student}@x.edu.traceback.txt").read_text()
    assert marks["s05@x.edu/1"]["total"] == "5"
    # It is tried again each time; where it works then, no trace is left.
    log.write_text("")
    hand_in(submissions, "nonsense", "marks 4")
    assert grade(submissions, out) == 1
    assert sorted(log.read_text().splitlines()) == ["# bug", "# exit", "# marks 10.5", "# marks 4"]
    assert not (out / "records/nonsense@x.edu.traceback.txt").exists()
    assert rows(out)["nonsense@x.edu/1"]["total"] == "4"


def test_what_the_system_refuses_is_not_the_students_fault(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("autograder.staff.classroom.marking.open_handin", refuse)
    assert grade(submissions, tmp_path / "reports") == 1
    assert {row["status"] for row in rows(tmp_path / "reports").values()} == {"GRADER_ERROR"}


def test_no_sandbox_no_marks(submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("FAKE_NO_SANDBOX", "1")
    monkeypatch.setattr("autograder.staff.classroom.marking.PAUSE", 0.01)
    assert grade(submissions, tmp_path / "reports") == 2
    assert "no sandbox here" in capsys.readouterr().err
    monkeypatch.delenv("FAKE_NO_SANDBOX")
    monkeypatch.setenv("FAKE_NO_CLOSE", "1")
    assert grade(submissions, tmp_path / "reports") == 1
    assert "could not be closed" in capsys.readouterr().err
    assert rows(tmp_path / "reports")["s05@x.edu/1"]["total"] == "5"


def test_records_that_cannot_be_kept_stop_it(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Reports, name: str, record: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Reports, "write", full)
    assert grade(submissions, tmp_path / "reports") == 2
    printed = capsys.readouterr().err
    assert "No space left" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_two_graders_at_once(submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "reports"
    running = process(submissions, out, FAKE_TIME="0.3")
    while not list((out / "records").glob("*.json")):
        time.sleep(0.01)
    assert grade(submissions, out) == 2
    assert f"Another grader (process {running.pid})" in capsys.readouterr().err
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert grade(submissions, out) == 0


@pytest.mark.slow
def test_the_class_seed_is_never_lost(submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out) == 0
    seed = json.loads((out / "seed.json").read_text())["class_seed"]
    assert grade(submissions, out) == 0
    assert json.loads((out / "seed.json").read_text())["class_seed"] == seed
    assert grade(submissions, tmp_path / "other") == 0
    assert json.loads((tmp_path / "other/seed.json").read_text())["class_seed"] != seed
    (out / "seed.json").write_text('{"class_seed": ')
    assert grade(submissions, out) == 2
    assert "seed.json is damaged" in capsys.readouterr().err
    assert grade(submissions, out, "--seed", str(seed)) == 0
    assert "0 graded now, 20 were graded before, 1 cannot be read." in capsys.readouterr().out
    seeds = [(record["seed"], record["hidden_seed"]) for record in records(out).values()]
    assert len(set(seeds)) >= 11


@pytest.mark.slow
def test_a_mistake_in_our_pages_takes_no_mark_away(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mistake(*arguments: Any, **named: Any) -> None:
        raise KeyError("of ours")

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("autograder.staff.pages.write.write_reports", mistake)
        assert grade(submissions, out) == 1
    assert "class page: KeyError" in capsys.readouterr().err
    assert rows(out)["s05@x.edu/1"]["total"] == "5"
    assert "of ours" in (out / "records/.class.traceback.txt").read_text()
    with monkeypatch.context() as patched:
        patched.setattr("autograder.staff.pages.write.write_feedback", mistake)
        assert grade(submissions, out, "--seed", "1") == 1
    assert {row["total"] for row in rows(out).values()} == {"GRADER_ERROR"}
    assert grade(submissions, out) == 0
    assert not list((out / "records").glob("*.txt"))
    assert not list((out / "records").glob(".*.txt"))
