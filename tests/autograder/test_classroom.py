"""Grading a class: resumed after any end, one bad submission beside the others, refusals, and --again. Real processes."""

from __future__ import annotations

import csv
import gc
import json
import os
import pty
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from autograder.staff import __main__ as staff
from autograder.staff.classroom import command as classroom
from autograder.staff.classroom.store import Reports, is_record
from tests.autograder import workshop
from tests.autograder.fake_grader import FakeGrader, main
from tests.autograder.solutions import SIMPLE
from tests.autograder.test_archives import GOOD, tar

ENGINE = "mytorch/autograd_engine.py"
PROGRAM = [sys.executable, "-m", "tests.autograder.fake_grader"]


def hand_in(folder: Path, student: str, line: str, version: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{student}@x.edu_{version}_handin.tar"
    path.write_bytes(tar({**GOOD, ENGINE: f"# {line}\n".encode()}))
    return path


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    for number in range(20):
        hand_in(folder, f"s{number:02}", f"marks {number % 11}")
    (folder / "broken@x.edu_1_handin.tar").write_bytes(b"no archive")
    return folder


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("FAKE_LOG", str(path))
    return path


def grade(submissions: Path, out: Path, *more: str) -> int:
    return main([str(submissions), "--out", str(out), "--jobs", "2", *more])


def process(submissions: Path, out: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, str(submissions), "--out", str(out), "--jobs", "2", *more],
        cwd=workshop.ROOT, env={**os.environ, **environment}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Where the tests run in the background, Ctrl-C is ignored, and this would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "gradebook.csv", encoding="utf-8-sig", newline="") as file:
        return {f"{row['student']}/{row['version']}": row for row in csv.DictReader(file)}


def records(out: Path) -> dict[str, dict[str, Any]]:
    """All records without what time makes different."""
    found = {path.stem: json.loads(path.read_text()) for path in (out / "records").glob("*.json")}
    for record in found.values():
        del record["seconds"], record["started"]
    return found


def test_a_class(submissions: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out) == 0
    marks = rows(out)
    assert len(marks) == 21
    assert [marks[f"s{n:02}@x.edu/1"]["total"] for n in range(20)] == [str(n % 11) for n in range(20)]
    assert marks["broken@x.edu/1"]["total"] == "0"
    assert "cannot be read" in marks["broken@x.edu/1"]["notes"]
    assert all(is_record(json.loads(p.read_text())) for p in (out / "records").glob("*.json"))
    printed = capsys.readouterr()
    assert "21 submissions: 20 graded now, 1 cannot be read." in printed.out
    assert "[21/21]" in printed.err
    assert len(log.read_text().splitlines()) == 20
    # Nobody else's business, and nothing left lying about.
    assert (out / "records").stat().st_mode & 0o77 == 0
    assert (out / "seed.json").stat().st_mode & 0o77 == 0
    assert {p.name for p in out.iterdir()} == {
        "records", "feedback", "gradebook.csv", "class.html", "class.json", "seed.json", ".lock",
    }  # fmt: skip
    assert len(list((out / "feedback").glob("*.html"))) == len(list((out / "feedback").glob("*.json"))) == 21


def test_a_second_run_grades_only_what_changed(submissions: Path, tmp_path: Path, log: Path) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out) == 0
    first = records(out)
    log.write_text("")
    assert grade(submissions, out) == 0
    assert log.read_text() == ""
    assert records(out) == first
    hand_in(submissions, "s03", "marks 9", version=2)
    hand_in(submissions, "new", "marks 1")
    hand_in(submissions, "s04", "marks 5.5")
    assert grade(submissions, out) == 0
    assert sorted(log.read_text().splitlines()) == ["# marks 1", "# marks 5.5", "# marks 9"]
    assert rows(out)["s03@x.edu/2"]["total"] == "9"
    assert "s03@x.edu/1" not in rows(out)
    # Another option is another grading; so is another seed, and it is kept.
    for option in (["--no-hidden"], ["--time-limit", "3"], ["--seed", "5"], ["--seed", "6"]):
        log.write_text("")
        assert grade(submissions, out, *option) == 0
        assert len(log.read_text().splitlines()) == 21, option
    log.write_text("")
    assert grade(submissions, out) == 0
    assert log.read_text() == ""
    assert json.loads((out / "seed.json").read_text())["class_seed"] == 6


def test_another_grader_grades_anew(
    submissions: Path, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out) == 0
    monkeypatch.setattr(classroom, "fingerprint", lambda **options: "another")
    assert grade(submissions, out) == 0
    assert len(log.read_text().splitlines()) == 40


def test_the_fingerprint_is_of_what_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "autograder" / "staff" / "classroom" / "command.py"
    for name in ("autograder/compare.py", "autograder/staff/marks/hidden.py", "autograder/staff/pages/write.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    monkeypatch.setattr(classroom, "__file__", str(here))
    seen = {classroom.fingerprint(hidden=True), classroom.fingerprint(hidden=False)}
    (tmp_path / "autograder/staff/pages/write.py").write_text("b")
    seen.add(classroom.fingerprint(hidden=True))
    assert len(seen) == 2
    for name in ("autograder/compare.py", "autograder/staff/marks/hidden.py"):
        (tmp_path / name).write_text("b")
        seen.add(classroom.fingerprint(hidden=True))
    assert len(seen) == 4


def test_all_versions(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        hand_in(tmp_path / "class", "a", f"marks {version}", version)
    out = tmp_path / "reports"
    assert grade(tmp_path / "class", out, "--all-versions") == 0
    assert {k: (r["total"], r["counts"]) for k, r in rows(out).items()} == {
        "a@x.edu/1": ("1", "no"), "a@x.edu/2": ("2", "no"), "a@x.edu/10": ("10", "yes"),
    }  # fmt: skip
    assert grade(tmp_path / "class", out) == 0
    assert {k: r["counts"] for k, r in rows(out).items()} == {"a@x.edu/10": "yes"}


@pytest.mark.parametrize("after", [1, 7, 15])
def test_killed_at_any_moment(submissions: Path, tmp_path: Path, log: Path, after: int) -> None:
    """SIGKILL to the whole group; a second run goes on, and ends where one that was never stopped ends."""
    out, whole = tmp_path / "reports", tmp_path / "whole"
    running = process(submissions, out, "--seed", "7", FAKE_TIME="0.05")
    deadline = time.monotonic() + 30
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


def test_ctrl_c_ends_it_cleanly(submissions: Path, tmp_path: Path) -> None:
    for number, sign in ((1, signal.SIGINT), (2, signal.SIGTERM)):
        out = tmp_path / f"reports{number}"
        running = process(submissions, out, FAKE_TIME="0.2")
        while not list((out / "records").glob("*.json")):
            time.sleep(0.01)
        running.send_signal(sign)
        printed = running.communicate(timeout=30)
        assert running.returncode == 2
        assert "run the same command again" in printed[1]
        assert "Traceback" not in printed[1]
        assert 1 <= len(records(out)) < 21
        # A gradebook with gaps would look finished.
        assert not (out / "gradebook.csv").exists()
        assert not (out / ".work").exists()
        assert grade(submissions, out) == 0
        assert len(records(out)) == 21


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
    assert "0 graded now, 20 were graded before" not in capsys.readouterr().out
    seeds = [(record["seed"], record["hidden_seed"]) for record in records(out).values()]
    assert len(set(seeds)) >= 11


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: (p / "missing", p / "out"), "does not exist"),
        (lambda p: (p / "class", p / "class"), "lies in SUBMISSIONS"),
        (lambda p: (p / "class", p / "class/reports"), "lies in SUBMISSIONS"),
        (lambda p: (p / "class", p / "class/../class/a/b"), "lies in SUBMISSIONS"),
        (lambda p: (p / "class", p / "file"), "is a file"),
        (lambda p: (p / "class", p / "file/below"), "cannot be written"),
        (lambda p: (p / "class", Path("/proc/reports")), "cannot be written"),
        (lambda p: (p / "file", p / "out"), "is no folder"),
    ],
)
def test_refusals(make: Any, words: str, submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    given, out = make(tmp_path)
    assert grade(given, out) == 2
    printed = capsys.readouterr().err.strip()
    assert words in printed
    assert len(printed.splitlines()) == 1
    assert not (tmp_path / "class/reports").exists()


def test_reports_are_no_submissions(submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "reports"
    assert grade(submissions, out) == 0
    hand_in(out / "records", "a", "marks 1")
    assert grade(out / "records", out) == 2
    assert "folder of reports" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ["--jobs", "0"],
        ["--jobs", "-1"],
        ["--jobs", "x"],
        ["--time-limit", "0"],
        ["--time-limit", "nan"],
        ["--seed", "-1"],
    ],
)
def test_bad_options(option: list[str], submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        staff.main(["grade", str(submissions), "--out", str(tmp_path / "out"), *option])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_without_fork(submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.delattr(os, "fork")
    assert grade(submissions, tmp_path / "out") == 2
    assert "WSL" in capsys.readouterr().err


def test_names_cannot_leave_the_reports(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    names = [
        "x\\..\\..\\x.tar",
        "=1+1.tar",
        "\x1b[31m\nx.tar",
        "-rf.tar",
        "é.tar",
        "E\u0301.tar",
        "x" * 240 + ".tar",
        "~.tar",
        "a b.tar",
    ]
    for name in names:
        (folder / name).write_bytes(tar({**GOOD, ENGINE: b"# marks 3\n"}))
    before = set(tmp_path.iterdir())
    assert grade(folder, tmp_path / "reports") == 0
    assert set(tmp_path.iterdir()) - before == {tmp_path / "reports"}
    # The two spellings of é are one student.
    assert len(list((tmp_path / "reports/records").glob("*.json"))) == len(names) - 1
    assert {row["total"] for row in rows(tmp_path / "reports").values()} == {"3"}


def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times the submissions need no more memory, although each record is large."""

    class Wordy(FakeGrader):
        def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
            found = super().grade(folder, seeds)
            found["checks"][0]["feedback"] = "long " * 40_000
            return found

    monkeypatch.setattr("tests.autograder.fake_grader.FakeGrader", Wordy)
    peaks = []
    for number in (10, 30):
        for student in range(number):
            hand_in(tmp_path / f"class{number}", f"s{student}", "marks 3")
        gc.collect()
        tracemalloc.start()
        assert grade(tmp_path / f"class{number}", tmp_path / f"reports{number}", "--jobs", "1") == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2e6


def test_a_bar_on_a_terminal(submissions: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*PROGRAM, str(submissions), "--out", str(tmp_path / "out")],
        cwd=workshop.ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    running.communicate()
    assert b"21/21" in shown
    assert b"#" * 24 in shown
    assert b"left" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_pages_of_students_and_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solved = {name: text.encode() for name, text in workshop.fill(SIMPLE).items()}
    other = {name: text.encode() for name, text in workshop.handout().items()}
    for number, (student, files) in enumerate((("copy", solved), ("model", solved), ("own", other))):
        hand_in(tmp_path / "class", student, "marks 3")
        line = f"# marks {number}\n".encode()
        (tmp_path / f"class/{student}@x.edu_1_handin.tar").write_bytes(tar({**files, ENGINE: line + files[ENGINE]}))
    out = tmp_path / "out"
    for _ in range(2):  # the second time from what was kept
        assert grade(tmp_path / "class", out) == 0
        pairs = json.loads((out / "class.json").read_text())["similar"]
        assert [{pair["a"], pair["b"]} for pair in pairs] == [{"copy@x.edu", "model@x.edu"}]
        (out / "class.json").unlink()
        assert "copy@x.edu" in (out / "feedback/copy@x.edu.html").read_text()
        (out / "feedback/copy@x.edu.html").unlink()
    # A student sees no seed or check of the hidden exercises.
    for path in (out / "feedback").iterdir():
        assert "hidden_seed" not in path.read_text()


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


@pytest.mark.slow
def test_with_the_real_sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solved = {name: text.encode() for name, text in workshop.fill(SIMPLE).items()}
    relu = b"self.state = np.maximum(x, 0)"
    layers = "mytorch/nn/modules/activation.py"
    assert relu in solved[layers]
    evil = b"import os, sys; os.write(2, b'evil was imported'); sys.exit(3)\n"
    beside = dict.fromkeys(("numpy.py", "sitecustomize.py", "conftest.py", "autograder/plain.py"), evil)
    sources = {
        "right": solved,
        "beside": {**solved, **beside},
        "windows": {f"My homework\\{n}": b"\xef\xbb\xbf" + d.replace(b"\n", b"\r\n") for n, d in solved.items()},
        "endless": {**solved, layers: solved[layers].replace(relu, b"while True: pass")},
    }
    (tmp_path / "class").mkdir()
    for student, files in sources.items():
        (tmp_path / f"class/{student}.tar").write_bytes(tar(files))
    (tmp_path / "class/broken.zip").write_bytes(b"PK\x03\x04")
    arguments = [str(tmp_path / "class"), "--out", str(tmp_path / "out"), "--seed", "5", "--time-limit", "1"]
    assert staff.main(["grade", *arguments]) == 0
    marks = {row["student"]: row for row in rows(tmp_path / "out").values()}
    assert marks["right"]["total"] == marks["right"]["possible"] == "60"
    assert marks["beside"]["total"] == marks["windows"]["total"] == "60", marks
    assert "numpy.py" in marks["beside"]["notes"]
    assert (marks["endless"]["ReLU Forward"], marks["endless"]["Sigmoid Backward"]) == ("0", "4")
    assert marks["broken"]["total"] == "0"
    assert "process" in marks["right"]["level"]
    for student in ("right", "endless", "broken"):
        assert staff.main(["grade", *arguments, "--again", student]) == 0
    (tmp_path / "class/endless.tar").unlink()
    assert staff.main(["grade", *arguments, "--no-hidden"]) == 0
    marks = {row["student"]: row for row in rows(tmp_path / "out").values()}
    assert marks["right"]["total"] == marks["right"]["possible"] == "50"
    # Without being told, it is graded as it was.
    assert staff.main(["grade", *arguments, "--again", "right"]) == 0
    assert "changed" not in capsys.readouterr().out


# --again


def again(submissions: Path, out: Path, student: str, *more: str) -> int:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    code = grade(submissions, out, "--again", student, *more)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    return code


def test_again(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports"
    hand_in(submissions, "luck", "chance")
    hand_in(submissions, "seeded", "seeded")
    hand_in(submissions, "bug", "bug")
    assert grade(submissions, out) == 1
    (out / "seed.json").unlink()  # the recorded seeds count
    capsys.readouterr()
    assert again(submissions, out, "S03@x.edu") == 0
    assert "s03@x.edu (version 1): the same, 3 / 10" in capsys.readouterr().out
    assert again(submissions, out, "luck@x.edu") == 0
    assert again(submissions, out, "broken@x.edu") == 0
    assert again(submissions, out, "seeded@x.edu") == 0
    monkeypatch.setenv("FAKE_CHANCE", "2")
    capsys.readouterr()
    assert again(submissions, out, "luck@x.edu") == 1
    printed = capsys.readouterr().out
    assert "total: was 1 / 10, is 2 / 10" in printed
    assert "check Open: all: was failed (1, sign), is failed (2, sign)" in printed
    assert again(submissions, out, "bug@x.edu") == 1
    assert "no mark" in capsys.readouterr().out
    assert again(submissions, out, "s03@x.edu", "--time-limit", "9") == 0
    assert "grader, its options or its Python have changed" in capsys.readouterr().out
    hand_in(submissions, "s04", "marks 10")
    assert again(submissions, out, "s04@x.edu") == 1
    assert "has changed" in capsys.readouterr().out
    (submissions / "s05@x.edu_1_handin.tar").unlink()
    assert again(submissions, out, "s05@x.edu") == 2
    assert "not in" in capsys.readouterr().err
    for given, near in (("s99@x.edu", "s09@x.edu"), ("luk", "luck@x.edu"), ("zzz", "No name is like it")):
        assert again(submissions, out, given) == 2
        assert near in capsys.readouterr().err
    assert grade(submissions, tmp_path / "nowhere", "--again", "s01") == 2
    assert "holds no records" in capsys.readouterr().err


def test_again_takes_the_newest_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in (1, 2, 10):
        hand_in(tmp_path / "class", "a", f"marks {version}", version)
    assert grade(tmp_path / "class", tmp_path / "out", "--all-versions") == 0
    capsys.readouterr()
    assert again(tmp_path / "class", tmp_path / "out", "a@x.edu") == 0
    assert "(version 10)" in capsys.readouterr().out
    assert again(tmp_path / "class", tmp_path / "out", "a@x.edu_2") == 0
    assert "(version 2)" in capsys.readouterr().out
