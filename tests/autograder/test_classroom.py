"""Grading a class: a first and a second run, all versions, refusals, reports, and the real sandbox. Real processes."""

from __future__ import annotations

import argparse
import gc
import json
import os
import pty
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from autograder.staff import __main__ as staff
from autograder.staff.classroom import command as classroom
from autograder.staff.classroom.store import is_record
from autograder.staff.platforms.package import class_seed
from autograder.staff.record import seeds_for
from tests.autograder import workshop
from tests.autograder.archive_tools import ENGINE, GOOD, tar
from tests.autograder.class_tools import PROGRAM, grade, hand_in, records, rows
from tests.autograder.fake_grader import FakeGrader
from tests.autograder.solutions import SIMPLE


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
        "records", "feedback", "gradebook.csv", "class.html", "class.json", "seed.json", "export", ".lock",
    }  # fmt: skip
    assert len(list((out / "feedback").glob("*.html"))) == len(list((out / "feedback").glob("*.json"))) == 21


def test_the_fingerprint_covers_all_that_decides_marks() -> None:
    top = workshop.ROOT / "autograder"
    covered = {path for pattern in classroom.MARKING for path in top.glob(pattern)}
    deciding = [
        *top.glob("*.py"),
        *(p for name in ("worker", "staff/marks", "staff/isolation") for p in (top / name).rglob("*.py")),
    ]
    assert len(deciding) > 40
    assert covered >= set(deciding)


@pytest.mark.slow
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
    for option in (["--no-hidden"], ["--time-limit", "3"], ["--seed", str(2**96)], ["--seed", "6"]):
        log.write_text("")
        assert grade(submissions, out, *option) == 0
        assert len(log.read_text().splitlines()) == 21, option
    log.write_text("")
    assert grade(submissions, out) == 0
    assert log.read_text() == ""
    assert json.loads((out / "seed.json").read_text())["class_seed"] == 6


@pytest.mark.slow
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
        (lambda p: (p / "file", p / "out"), "neither a folder nor a zip"),
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
    # The two swapped: reports among the hand-ins would be students from then on.
    before = sorted(path.name for path in submissions.iterdir())
    assert grade(out, submissions) == 2
    assert "folder of reports" in capsys.readouterr().err
    assert sorted(path.name for path in submissions.iterdir()) == before


def test_a_packages_seed_is_taken(submissions: Path, tmp_path: Path) -> None:
    seed = class_seed(argparse.Namespace(class_seed=None, out=tmp_path / "dist"))
    assert grade(submissions, tmp_path / "reports", "--seed", str(seed)) == 0
    for record in records(tmp_path / "reports").values():
        assert (record["seed"], record["hidden_seed"]) == seeds_for(seed, record["digest"])


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
        "e\u0301.tar",
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


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times the submissions need no more memory, although each record is large."""

    class Wordy(FakeGrader):
        def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
            # Garbage that is not collected yet would make a peak.
            gc.collect()
            found = super().grade(folder, seeds)
            found["checks"][0]["feedback"]["came"] = "long " * 160_000
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
    # Twenty more records take 16 MB where they are kept.
    assert peaks[1] < peaks[0] + 6e6


@pytest.mark.slow
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
        same = json.loads((out / "class.json").read_text())["same"]
        assert [(set(group["students"]), group["equal"]) for group in same] == [({"copy@x.edu", "model@x.edu"}, True)]
        (out / "class.json").unlink()
        assert "copy@x.edu" in (out / "feedback/copy@x.edu.html").read_text()
        (out / "feedback/copy@x.edu.html").unlink()
    # A student sees no seed or check of the hidden exercises.
    for path in (out / "feedback").iterdir():
        assert "hidden_seed" not in path.read_text()


@pytest.mark.slow
def test_with_the_real_sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solved = {name: text.encode() for name, text in workshop.fill(SIMPLE).items()}
    relu = b"self.state = np.maximum(x, 0)"
    layers = "mytorch/nn/modules/activation.py"
    assert relu in solved[layers]
    evil = b"import os, sys; os.write(2, b'evil was imported'); sys.exit(3)\n"
    beside = dict.fromkeys(("numpy.py", "sitecustomize.py", "conftest.py", "autograder/worker/wire.py"), evil)
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
    arguments = [
        str(tmp_path / "class"),
        "--out",
        str(tmp_path / "out"),
        "--seed",
        "5",
        "--time-limit",
        "0.6",
    ]
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
