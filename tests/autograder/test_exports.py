"""A class with a roster and rules from end to end: what students, staff, Canvas and Moodle get. Marks by a quick grader."""

from __future__ import annotations

import csv
import json
import os
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from autograder.staff.classroom import command as classroom
from tests.autograder import workshop
from tests.autograder.archive_tools import ENGINE, GOOD, tar
from tests.autograder.class_tools import grade
from tests.autograder.page_tools import read
from tests.autograder.solutions import SIMPLE
from tests.autograder.test_names import METADATA, packed
from tests.autograder.test_roster import CANVAS_CSV, MOODLE_CSV

DUE = datetime(2026, 11, 20, 22, 59, tzinfo=timezone.utc).timestamp()
RULES = """[class]
roster = roster.csv
changes = changes.csv
time zone = Europe/Berlin
missing = 0
[late]
due = 2026-11-20 23:59
percent per day = 10
"""
CHANGES = "student,set,add,extra days,comment,by\n"


def marked(marks: float, **files: str) -> bytes:
    return tar({**GOOD, **{name: text.encode() for name, text in files.items()}, ENGINE: f"# marks {marks}\n".encode()})


class Class:
    """A folder with hand-ins, class.ini, roster.csv, changes.csv, and the reports."""

    def __init__(self, top: Path, roster: str, changes: str = "", rules: str = RULES) -> None:
        self.top, self.handins, self.out = top, top / "handins", top / "out"
        self.handins.mkdir()
        (top / "class.ini").write_text(rules)
        (top / "roster.csv").write_text(roster)
        (top / "changes.csv").write_text(CHANGES + changes)

    def put(self, name: str, marks: float, days: float = -1.0) -> None:
        path = self.handins / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(marked(marks))
        os.utime(path, (DUE + 86400 * days,) * 2)

    def grade(self, *more: str, given: Path | None = None) -> int:
        return grade(given or self.handins, self.out, "--class", str(self.top / "class.ini"), *more)

    def table(self, name: str, encoding: str = "utf-8-sig") -> list[list[str]]:
        with open(self.out / name, encoding=encoding, newline="") as file:
            return list(csv.reader(file))

    def book(self, name: str = "gradebook.csv") -> dict[str, tuple[str, str, str]]:
        head, *rows = self.table(name)
        rows = [dict(zip(head, row)) for row in rows]  # type: ignore[misc]
        return {row["student"]: (row["status"], row["total"], row["mark"]) for row in rows if row["counts"] == "yes"}  # type: ignore[call-overload]

    def page(self, name: str = "class.html") -> str:
        return read((self.out / name).read_text()).words

    def zip(self, name: str) -> dict[str, bytes]:
        with zipfile.ZipFile(self.out / "export" / name) as archive:
            return {member: archive.read(member) for member in archive.namelist()}


@pytest.fixture
def canvas(tmp_path: Path) -> Class:
    made = Class(tmp_path, CANVAS_CSV, "jsmith2,,1,,Right in an unusual way,Prof. X\n")
    made.put("smithjohn_12345_67890_handin.tar", 8)
    made.put("smithjohn_LATE_12346_67891_handin-1.tar", 6, 0.5)
    made.put("stranger_99_67899_handin.tar", 3)
    (made.handins / "notes.txt").write_text("of staff")
    assert made.grade() == 0
    return made


def test_a_class_on_canvas(canvas: Class) -> None:
    assert canvas.book() == {
        "jsmith": ("graded", "8", "8"), "jsmith2": ("graded", "6", "6"), "jm": ("missing", "", "0"),
        "stranger_99": ("graded", "3", "3"),
    }  # fmt: skip
    assert canvas.table("export/canvas.csv", "utf-8") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "MyTorch (77)"],
        ["    Points Possible", "", "", "", "", "10"],
        ["Smith, John", "12345", "u1", "jsmith", "A", "8"],
        ["Smith, John", "12346", "u2", "jsmith2", "B", "6"],
        ["Müller, Jörg", "12347", "u3", "jm", "A", "0"],
        ["stranger", "99", "", "", "", "3"],
    ]
    assert set(canvas.zip("feedback-canvas.zip")) == {
        "smithjohn_12345_67890_feedback.html", "smithjohn_LATE_12346_67891_feedback.html", "stranger_99_67899_feedback.html",
    }  # fmt: skip
    assert len(canvas.zip("feedback.zip")) == 3
    assert not (canvas.out / "export/moodle.csv").exists()


def test_what_staff_read(canvas: Class) -> None:
    words = canvas.page()
    for part in (
        "For staff only",
        "Sections: A, B.",
        "Due 2026-11-20 23:59 (CET); 10 %",
        "3 of 3 times are those of the files",
        "not handed in 1",
        "Not handed in 1 of the roster: jm (A).",
        "Not on the roster These handed in and were graded: stranger_99.",
        "notes.txt no hand-in",
        "jsmith2 6 +1 mark: Right in an unusual way (Prof. X)",
        "1 day late, 1 mark off",
    ):
        assert part in words, part
    data = json.loads((canvas.out / "class.json").read_text())
    assert (data["missing"], data["not_on_roster"]) == (["jm"], ["stranger_99"])
    assert [(one["student"], one["mark"]) for one in data["final"]] == [
        ("jsmith", 8), ("jsmith2", 6), ("jm", None), ("stranger_99", 3),
    ]  # fmt: skip


def test_what_a_late_student_reads(canvas: Class) -> None:
    (page,) = (canvas.out / "feedback").glob("smithjohn_12346*.html")
    words = read(page.read_text()).words
    assert "6 of 10 marks Handed in 2026-11-21 11:59: 1 day late, 1 mark off." in words
    assert "+1 mark: Right in an unusual way (Prof. X) Your mark: 6" in words
    (other,) = (canvas.out / "feedback").glob("smithjohn_12345*.html")
    assert "Your mark" not in other.read_text()


def test_sections(canvas: Class) -> None:
    names = {path.stem.partition("-")[0]: path.stem for path in (canvas.out / "sections").glob("*.html")}
    assert names.keys() == {"A", "B"}
    assert canvas.book(f"sections/{names['A']}.csv").keys() == {"jsmith", "jm"}
    words = canvas.page(f"sections/{names['B']}.html")
    assert "MyTorch: section B" in words
    assert "smithjohn_12346" in words
    assert "smithjohn_12345" not in words
    assert 'href="../feedback/smithjohn_12346' in (canvas.out / f"sections/{names['B']}.html").read_text()
    # A section that is gone leaves no marks behind.
    (canvas.top / "roster.csv").write_text(CANVAS_CSV.replace(",B,", ",A,"))
    assert canvas.grade() == 0
    assert {path.stem for path in (canvas.out / "sections").iterdir()} == {names["A"]}


def test_a_second_run_grades_nobody_and_keeps_the_changes(canvas: Class, log: Path) -> None:
    (canvas.top / "class.ini").write_text(RULES.replace("percent per day = 10", "percent per day = 20"))
    (canvas.top / "changes.csv").write_text(CHANGES + "jm,7,,,Oral examination,Kim\njsmith,,,1,Ill,Kim\n")
    assert canvas.grade() == 0
    assert log.read_text() == ""
    assert canvas.book()["jm"] == ("missing", "", "7")
    assert canvas.book()["jsmith2"] == ("graded", "6", "4")


def test_one_student_alone(canvas: Class, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canvas.put("smithjohn_12345_67890_handin.tar", 2)
    canvas.put("smithjohn_LATE_12346_67891_handin-1.tar", 1)
    assert canvas.grade("--only", "JSMITH") == 0
    assert log.read_text() == "# marks 2.0\n" or log.read_text() == "# marks 2\n"
    assert canvas.book()["jsmith"][1:] == ("2", "2")
    assert canvas.book()["jsmith2"][1] == "6"
    # Nothing has changed, and it is graded all the same.
    assert canvas.grade("--only", "12345") == 0
    assert len(log.read_text().splitlines()) == 2
    assert "others" not in capsys.readouterr().err
    canvas.put("new_98_67898_handin.tar", 1)
    assert canvas.grade("--only", "12345", "--no-hidden") == 0
    printed = capsys.readouterr().err
    assert "1 others are not graded yet" in printed
    assert "2 others were graded with other options" in printed
    for student, words in (("nobody", "neither on the roster"), ("jm", "handed in nothing"), ("Smith, John", "may be")):
        assert canvas.grade("--only", student) == 2
        printed = capsys.readouterr().err.strip()
        assert words in printed
        assert len(printed.splitlines()) == 1


def test_a_class_on_moodle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Class(tmp_path, MOODLE_CSV, 'm1,,2,,"<b>Good</b>, ""really""",Kim\n')
    made.put("Jane Doe_501_assignsubmission_file_/handin.tar", 5)
    made.put("Jane Doe_777_assignsubmission_file_handin.tar", 4)
    assert made.grade() == 0
    assert "Moodle's maximum grade is 60.00, but the homework has 10 marks" in capsys.readouterr().err
    (made.top / "roster.csv").write_text(MOODLE_CSV.replace("60.00", "10.00"))
    assert made.grade() == 0
    assert "maximum grade" not in capsys.readouterr().err
    (made.top / "roster.csv").write_text(MOODLE_CSV)
    assert made.grade() == 0
    # The time of the worksheet, which is half an hour after the file's own deadline.
    head, first, second, other = made.table("export/moodle.csv", "utf-8")
    assert head == MOODLE_CSV.splitlines()[0].split(",")
    assert first[:-1] == ["Participant 501", "Jane Doe", "m1", "jane1@x.edu", "Submitted", "7", "60.00",
                          "Friday, 20 November 2026, 11:30 PM"]  # fmt: skip
    assert first[-1] == "5 of 10 marks; +2 marks: &lt;b&gt;Good&lt;/b&gt;, &quot;really&quot; (Kim)"
    assert (second[0], second[5]) == ("Participant 502", "0")
    assert (other[0], other[1], other[5]) == ("Participant 777", "Jane Doe", "4")
    assert set(made.zip("feedback-moodle.zip")) == {
        "Jane Doe_501_assignsubmission_file_/feedback.html", "Jane Doe_777_assignsubmission_file_feedback.html",
    }  # fmt: skip


def test_attempts_are_listed_and_the_best_counts(tmp_path: Path) -> None:
    rules = RULES.replace("missing = 0", "missing = missing\ncounts = best").replace("Europe/Berlin", "UTC")
    made = Class(tmp_path, "email\nada@x.edu\nbob@x.edu\n", rules=rules)
    for version, marks, days in ((1, 5, -2), (2, 9, -1), (10, 9.5, 0.5)):
        made.put(f"ada@x.edu_{version}_handin.tar", marks, days)
    assert made.grade() == 0
    assert made.book() == {"ada@x.edu": ("graded", "9", "9"), "bob@x.edu": ("missing", "", "missing")}
    words = made.page("feedback/ada@x.edu_2.html")
    assert "Your mark: 9 Your hand-ins. One of them counts." in words
    assert "version 2 2026-11-19 22:59 9 counts (this page)" in words
    assert "version 10 2026-11-21 10:59 8.5 1 day late, 1 mark off" in words
    # Its name in the reports does not depend on the rules, so that no page stays behind.
    assert {path.stem for path in (made.out / "feedback").glob("*.html")} == {"ada@x.edu", "ada@x.edu_1", "ada@x.edu_2"}


def test_a_group_on_gradescope_from_its_zip(tmp_path: Path) -> None:
    made = Class(
        tmp_path, "First Name,Last Name,SID,Email\nJane,ODoe,001,jane@x.edu\nBob,,002,bob@x.edu\nJ,,007,j@x.edu\n"
    )
    top = "assignment_1_export"
    files = {f"{top}/submission_metadata.yml": METADATA.encode()}
    files[f"{top}/submission_101/handin.tar"] = marked(7, **workshop.fill(SIMPLE))
    files |= {f"{top}/submission_102/{name}": data for name, data in {**GOOD, ENGINE: b"# marks 4\n"}.items()}
    given = packed(tmp_path / "export.zip", files)
    assert made.grade(given=given) == 0
    assert made.book() == {
        "jane@x.edu": ("graded", "7", "7"), "bob@x.edu": ("graded", "7", "7"), "j@x.edu": ("graded", "4", "3"),
    }  # fmt: skip
    # The two of a group handed in one work.
    assert "No pair stands out" in made.page()
    assert grade(given, made.out, "--again", "jane@x.edu") == 0


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("class.ini", "[class]\nroster = none.csv\n", "none.csv cannot be read"),
        ("class.ini", "[klass]\n", "There are [class]"),
        ("roster.csv", "", "is empty"),
        ("roster.csv", "colour\nred\n", "no column that names a student"),
        ("changes.csv", "student,set,comment,by\nnobody,1,x,y\n", "changes.csv, line 2, names 'nobody'"),
        ("changes.csv", "x", "Its columns are"),
    ],
)
def test_broken_files_stop_it_before_anything_is_graded(
    file: str, text: str, words: str, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Class(tmp_path, "email\nada@x.edu\n")
    made.put("ada@x.edu_1_handin.tar", 5)
    (made.top / file).write_text(text)
    assert made.grade() == 2
    printed = capsys.readouterr().err.strip()
    assert words in printed
    assert len(printed.splitlines()) == 1
    assert log.read_text() == ""


def test_names_in_the_reports_are_never_shared(tmp_path: Path) -> None:
    made = Class(tmp_path, "email\nx@x.edu\n")
    for name in ("a_1_handin.tar", "a_2_handin.tar", "a_1.tar", "A_2_handin.tar"):
        made.put(name, 1)
    with classroom.submissions.opened(made.handins, tmp_path / "s") as folder:
        names = classroom.file_names(classroom.submissions.find(folder).handins)
    assert len(set(names.values())) == len(names) == 4
    assert names["a", 2, "a_2_handin.tar"] == "a"
    assert names["a_1", 0, "a_1.tar"] == "a_1"
