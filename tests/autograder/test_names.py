"""Names of hand-ins as platforms export them: nobody is lost, nobody is taken for another, nothing is passed over silently."""

from __future__ import annotations

import os
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autograder.archives import CannotGrade
from autograder.archives import write as write_files
from autograder.staff.classroom import gradescope
from autograder.staff.classroom.names import AUTOLAB, CANVAS, GRADESCOPE, MOODLE, parse
from autograder.staff.classroom.submissions import JUNK, Found, find, newest, opened
from tests.autograder.archive_tools import GOOD, tar

HANDIN = tar(GOOD)
METADATA = """---
submission_101:
  :submitters:
  - :name: 'Jane O''Doe'
    :sid: '001'
    :email: jane@x.edu
  - :name: Bob
    :sid:
    :email: bob@x.edu
  :created_at: 2026-11-20 22:58:59.123456789 Z
  :score: 3.0
  :status: processed
  :results:
    :tests:
    - :name: submitters
      :email: nobody@x.edu
submission_102:
  :submitters:
  - :name: "J\\xE9r\\u00f4me \\"J\\" \\U0001F600"
    :sid: 007
    :email:
  :created_at: 2026-11-21 01:00:00.000000000 +01:00
submission_gone:
  :submitters:
  - :name: Gone
"""


@pytest.mark.parametrize(
    ("name", "student", "version", "platform", "person", "number", "late"),
    [
        ("smithjohn_12345_678901_handin.tar", "smithjohn_12345", 1, CANVAS, "smithjohn", "12345", False),
        ("smithjohn_LATE_12345_678901_handin-2.tar", "smithjohn_12345", 3, CANVAS, "smithjohn", "12345", True),
        ("o-neilzoë_9_678901_my hand_in.tar.gz", "o-neilzoë_9", 1, CANVAS, "o-neilzoë", "9", False),
        ("smithjohn_12345_678901_handin-1.tar.gz", "smithjohn_12345", 2, CANVAS, "smithjohn", "12345", False),
        ("Jane Doe_12345_assignsubmission_file_handin.tar", "Jane Doe_12345", 0, MOODLE, "Jane Doe", "12345", False),
        ("Jane Doe_12345_assignsubmission_file_", "Jane Doe_12345", 0, MOODLE, "Jane Doe", "12345", False),
        ("Jane Doe_12345_assignsubmission_file", "Jane Doe_12345", 0, MOODLE, "Jane Doe", "12345", False),
        ("A_B_7_assignsubmission_file_a@x.edu_3_handin.tar", "A_B_7", 0, MOODLE, "A_B", "7", False),
        ("alice@x.edu_3_handin.tar", "alice@x.edu", 3, AUTOLAB, "", "", False),
        ("student_7_4_handin.tar.gz", "student_7", 4, "", "", "", False),
    ],
)
def test_names(name: str, student: str, version: int, platform: str, person: str, number: str, late: bool) -> None:
    found = parse(name)
    assert (found.student, found.version, found.platform) == (student, version, platform)
    assert (found.person, found.number, found.late) == (person, number, late)
    assert not found.prefix or name.startswith(found.prefix)


def put(folder: Path, *names: str, data: bytes = HANDIN) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def accounted(folder: Path, found: Found) -> set[str]:
    """The names in a folder that are neither a hand-in, nor a part of one, nor listed with a reason."""
    known = {handin.source.partition("/")[0] for handin in found.handins} | {source for source, _ in found.aside}
    return {path.name for path in folder.iterdir()} - known - JUNK - {gradescope.METADATA}


def test_two_students_of_one_name_are_two(tmp_path: Path) -> None:
    put(tmp_path, "Jane Doe_1_assignsubmission_file_handin.tar", "Jane Doe_2_assignsubmission_file_handin.tar")
    put(tmp_path, "doejane_11_9001_handin.tar", "doejane_12_9002_handin.tar")
    found = find(tmp_path)
    assert len(newest(found.handins)) == 4
    assert not found.aside


def test_a_folder_of_everything(tmp_path: Path) -> None:
    put(
        tmp_path, "a_12_6789_handin.tar", "Jane_7_assignsubmission_file_/handin.tar", "two/handin.tar", "two/handin2.tar",
        ".secret.tar",
    )  # fmt: skip
    put(
        tmp_path, "a_12_6790_notes.pdf", "a_12_6791_solution-1.py", "b_13_6792_linear.py", "b_13_6793_relu.py",
        "Jane_7_assignsubmission_file_/readme.txt", "Jane_7_assignsubmission_onlinetext_onlinetext.html",
        "Tom_8_assignsubmission_onlinetext_onlinetext.html", "grades.csv", "Thumbs.db", "._a_12_6789_handin.tar",
        data=b"text",
    )  # fmt: skip
    write_files(GOOD, tmp_path / "code")
    found = find(tmp_path)
    assert {(h.student, h.source) for h in found.handins} == {
        ("a_12", "a_12_6789_handin.tar"), ("b_13", "b_13_6792_linear.py"),
        ("Jane_7", "Jane_7_assignsubmission_file_/handin.tar"), ("code", "code"), ("two", "two/handin2.tar"),
        ("Tom_8", "Tom_8_assignsubmission_onlinetext_onlinetext.html"),
    }  # fmt: skip
    assert {source for source, _ in found.aside} == {
        "a_12_6790_notes.pdf", "a_12_6791_solution-1.py", "b_13_6793_relu.py", "grades.csv", ".secret.tar", "two/handin.tar",
        "Jane_7_assignsubmission_file_/readme.txt", "Jane_7_assignsubmission_onlinetext_onlinetext.html",
    }  # fmt: skip
    assert all(reason for _, reason in found.aside)
    assert not accounted(tmp_path, found) - {"._a_12_6789_handin.tar"}


def test_gradescope(tmp_path: Path) -> None:
    put(tmp_path, "submission_101/handin.tar")
    write_files(GOOD, tmp_path / "submission_102")
    (tmp_path / gradescope.METADATA).write_text(METADATA)
    put(tmp_path, "notes.txt", data=b"text")
    found = find(tmp_path)
    assert [(h.student, h.person, h.source, h.email, h.number, h.platform) for h in found.handins] == [
        ("007", 'Jérôme "J" \U0001f600', "submission_102", "", "007", GRADESCOPE),
        ("bob@x.edu", "Bob", "submission_101/handin.tar", "bob@x.edu", "", GRADESCOPE),
        ("jane@x.edu", "Jane O'Doe", "submission_101/handin.tar", "jane@x.edu", "001", GRADESCOPE),
    ]
    times = {h.student: h.time for h in found.handins}
    assert times["jane@x.edu"] == datetime(2026, 11, 20, 22, 58, 59, tzinfo=timezone.utc)
    assert times["007"] == datetime(2026, 11, 21, 0, 0, tzinfo=timezone.utc)
    assert {h.timed_by for h in found.handins} == {"the platform"}
    assert dict(found.aside) == {
        "notes.txt": "no hand-in: hidden, or no archive or folder",
        "submission_gone": f"named in {gradescope.METADATA}, but not there",
    }
    (tmp_path / gradescope.METADATA).write_text("nothing: here")
    with pytest.raises(CannotGrade, match="names no submission"):
        find(tmp_path)


def packed(path: Path, files: dict[str, bytes], when: tuple[int, ...] = (2026, 11, 20, 23, 30, 0)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, when), data)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("top", ["", "assignment_7_export/"])
def test_the_zip_of_a_download(top: str, tmp_path: Path) -> None:
    given = packed(
        tmp_path / "all.zip",
        {f"{top}{n}@x.edu_1_handin.tar": HANDIN for n in "ab"} | {"__MACOSX/x": b"", f"{top}Zoë_1_4567_h.tar": HANDIN},
    )
    with opened(given, tmp_path / "scratch", ZoneInfo("Europe/Berlin")) as folder:
        found = find(folder)
        assert [h.student for h in found.handins] == ["Zoë_1", "a@x.edu", "b@x.edu"]
        assert {h.time for h in found.handins} == {datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc)}


def test_names_in_the_zip_of_a_mac(tmp_path: Path) -> None:
    """UTF-8 without the flag that says so; a zip of old Windows is no UTF-8 and stays in code page 437."""
    utf8, old = "Émile Zola_7_assignsubmission_file_.tar", "zoë.tar"
    path = packed(tmp_path / "mac.zip", {"#" * len(utf8.encode()): HANDIN, "#" * len(old): HANDIN})
    data = path.read_bytes().replace(b"#" * len(utf8.encode()), utf8.encode())
    path.write_bytes(data.replace(b"#" * len(old), old.encode("cp437")))
    with opened(path, tmp_path / "scratch") as folder:
        assert {one.source for one in find(folder).handins} == {utf8, old}


@pytest.mark.parametrize("letter", ["x", "é", "山", "\N{PILE OF POO}"])
def test_names_that_are_too_long_for_the_file_system_stay_two(letter: str, tmp_path: Path) -> None:
    """File systems count bytes. Whose a hand-in is stands at the beginning of its name, or after a long name of a person."""
    long = 240 * letter
    names = [f"{long}a_7_assignsubmission_file_h.tar", f"{long}b_8_assignsubmission_file_h.tar"]
    names += [f"Jane_9_assignsubmission_file_{long}c.tar", f"{letter}_6_1234_{long}-2.tar"]
    given = packed(tmp_path / "all.zip", dict.fromkeys(names, HANDIN))
    with opened(given, tmp_path / "scratch") as folder:
        found = find(folder)
        assert all(len(os.fsencode(path.name)) <= 255 for path in folder.iterdir())
    assert not found.aside
    assert {handin.number for handin in found.handins} == {"7", "8", "9", "6"}
    assert {handin.version for handin in found.handins if handin.number == "6"} == {3}
    assert {handin.person for handin in found.handins if handin.number == "9"} == {"Jane"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../x.tar": b"x"}, "no download does"),
        ({"a/../../x.tar": b"x"}, "no download does"),
        ({"mytorch/nn/functional.py": b"x"}, "a submission itself"),
        ({}, "holds no submissions"),
        ({"a.tar/b": b"", "a.tar": b""}, "cannot|holds"),
    ],
)
def test_zips_that_are_no_download(files: dict[str, bytes], words: str, tmp_path: Path) -> None:
    given = packed(tmp_path / "all.zip", files)
    with pytest.raises(CannotGrade, match=words), opened(given, tmp_path / "scratch") as folder:
        find(folder)
    assert {path.name for path in tmp_path.iterdir()} <= {"all.zip", "scratch"}


def test_a_cut_zip_and_a_link_in_one(tmp_path: Path) -> None:
    given = packed(tmp_path / "all.zip", {"a@x.edu_1_handin.tar": os.urandom(5000)})
    data = bytearray(given.read_bytes())
    data[200:300] = bytes(100)
    given.write_bytes(data)
    with pytest.raises(CannotGrade, match="cannot be read"), opened(given, tmp_path / "scratch"):
        pass
    link = zipfile.ZipInfo("a@x.edu_1_handin.tar")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(given, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(CannotGrade, match="no download does"), opened(given, tmp_path / "other"):
        pass


def test_a_download_in_a_single_folder_and_a_single_student(tmp_path: Path) -> None:
    put(tmp_path / "one/export", "a@x.edu_1_handin.tar", "b@x.edu_1_handin.tar")
    put(tmp_path / "two/alice", "handin.tar")
    for given, students in (("one", {"a@x.edu", "b@x.edu"}), ("two", {"alice"})):
        with opened(tmp_path / given, tmp_path / "scratch") as folder:
            assert {h.student for h in find(folder).handins} == students
