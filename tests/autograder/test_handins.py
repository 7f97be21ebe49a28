"""Finding a class's hand-ins: names, versions, odd files, and digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from autograder.archives import CannotGrade, write
from autograder.staff.classroom.names import parse
from autograder.staff.classroom.submissions import find, newest, opened
from autograder.staff.handins import digest_of, open_handin, same_student
from tests.autograder.archive_tools import GOOD, tar


@pytest.mark.parametrize(
    ("name", "student", "version"),
    [
        ("alice@x.edu_3_handin.tar", "alice@x.edu", 3),
        ("a_1_b_2@cs.x.edu_12_handin.tar", "a_1_b_2@cs.x.edu", 12),
        ("a@x.edu_2_hw_3_handin.tar", "a@x.edu", 2),
        ("a@x.edu_2_solution.py", "a@x.edu", 2),
        ("student_7_4_handin.tar.gz", "student_7", 4),
        ("alice.tar", "alice", 0),
        ("Alice Smith.TAR.GZ", "Alice Smith", 0),
        ("bob.smith.zip", "bob.smith", 0),
        ("bob.smith", "bob.smith", 0),
        ("team_7.tar", "team_7", 0),
        ("a@x.edu.tar", "a@x.edu", 0),
        ("a@x.edu_99999999999999999999_handin.tar", "a@x.edu_99999999999999999999_handin", 0),
        (".tar", ".tar", 0),
        ("a@x\n.edu_1_handin.tar", "a@x\n.edu", 1),
    ],
)
def test_whose_and_which(name: str, student: str, version: int) -> None:
    found = parse(name)
    assert (found.student, found.version) == (student, version)


def put(folder: Path, *names: str, data: bytes | None = None) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(tar(GOOD) if data is None else data)


def found(folder: Path) -> list[tuple[str, int, str]]:
    return [(h.student, h.version, h.source) for h in find(folder).handins]


def test_versions_are_numbers(tmp_path: Path) -> None:
    put(tmp_path, *(f"a@x.edu_{n}_handin.tar" for n in (1, 2, 9, 10)), "b@x.edu_2_handin.tar", "b@x.edu.tar")
    found = find(tmp_path)
    handins, notes = found.handins, found.notes()
    assert [h.version for h in handins] == [1, 2, 9, 10, 0, 2]
    assert [(h.student, h.version) for h in newest(handins)] == [("a@x.edu", 10), ("b@x.edu", 2)]
    assert notes == []


def test_what_is_graded_and_what_is_ignored(tmp_path: Path) -> None:
    put(tmp_path, "alice.tar", "no-ending", "carol/handin.tar")
    put(tmp_path, "dora.rar", data=b"x" * 600)
    put(tmp_path, "README", "grades.csv", ".hidden.tar", ".DS_Store", "=1+1\n.csv", data=b"text")
    write(GOOD, tmp_path / "bob")
    (tmp_path / "empty").mkdir()
    (tmp_path / "real.tar").symlink_to(tmp_path / "alice.tar")
    (tmp_path / "ways").symlink_to(tmp_path / "bob")
    os.mkfifo(tmp_path / "pipe.zip")
    found = find(tmp_path)
    handins, notes = found.handins, found.notes()
    assert {(h.student, h.source) for h in handins} == {
        ("alice", "alice.tar"), ("no-ending", "no-ending"), ("carol", "carol/handin.tar"), ("dora", "dora.rar"), ("bob", "bob"),
        ("empty", "empty"), ("real", "real.tar"), ("pipe", "pipe.zip"),
    }  # fmt: skip
    assert len(notes) == 1
    for name in ("README", "grades.csv", "=1+1\\n.csv", "ways", ".hidden.tar"):
        assert name in notes[0]
    assert ".DS_Store" not in notes[0]
    by = {h.student: h for h in handins}
    assert open_handin(by["bob"].path).contents().files == GOOD
    assert open_handin(by["carol"].path).contents().files == GOOD
    for student, words in (
        ("empty", "no mytorch"),
        ("real", "symbolic link"),
        ("pipe", "FIFO"),
        ("dora", "neither tar"),
    ):
        with pytest.raises(CannotGrade, match=words):
            open_handin(by[student].path).contents()


def test_two_sources_of_one_student(tmp_path: Path) -> None:
    write(GOOD, tmp_path / "alice")
    put(tmp_path, "alice.tar", "bob/handin.tar", "bob/handin2.tar")
    os.utime(tmp_path / "alice.tar", (1, 1))
    os.utime(tmp_path / "bob/handin2.tar", (1, 1))
    found = find(tmp_path)
    assert [h.source for h in newest(found.handins)] == ["alice.tar", "bob/handin.tar"]
    assert dict(found.aside) == {
        "alice": "another file of alice for the same version; alice.tar counts",
        "bob/handin2.tar": "another file of bob for the same version; bob/handin.tar counts",
    }
    assert same_student("Zoe\u0308@X") == same_student("Zo\u00eb@X")


@pytest.mark.parametrize("what", ["missing", "file", "empty", "readme", "submission"])
def test_nothing_to_grade(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    if what == "file":
        folder.write_text("")
    elif what == "submission":
        write(GOOD, folder)
    elif what != "missing":
        put(folder, *["README"] * (what == "readme"), data=b"text")
    words = {"missing": "does not exist", "file": "neither a folder nor a zip", "submission": "a submission itself"}

    def find_in(given: Path) -> None:
        with opened(given, tmp_path / "scratch") as inside:
            find(inside)

    with pytest.raises(CannotGrade, match=words.get(what, "holds no submissions")):
        find_in(folder)


def test_digests(tmp_path: Path) -> None:
    put(tmp_path, "a.tar", "b.tar")
    write(GOOD, tmp_path / "c")
    write(GOOD, tmp_path / "d")
    digests = {name: open_handin(tmp_path / name).digest for name in ("a.tar", "b.tar", "c", "d")}
    assert digests["a.tar"] == digests["b.tar"] == hashlib.sha256(tar(GOOD)).hexdigest()
    assert digests["c"] == digests["d"]
    (tmp_path / "d/README").write_text("what is not graded does not count")
    assert open_handin(tmp_path / "d").digest == digests["c"]
    (tmp_path / "d/mytorch/__init__.py").write_bytes(b"y = 2\n")
    (tmp_path / "d/mytorch/nn/functional.py").write_bytes(b"")
    assert open_handin(tmp_path / "d").digest != digests["c"]
    put(tmp_path, "broken.tar", data=b"no archive")
    assert open_handin(tmp_path / "broken.tar").digest == hashlib.sha256(b"no archive").hexdigest()


def test_no_two_folders_have_one_digest_by_moving_a_border() -> None:
    assert digest_of({"a.py": b"1b.py"}) != digest_of({"a.py": b"1", "b.py": b""})
    assert digest_of({"a.py": b"1", "b.py": b"2"}) == digest_of({"b.py": b"2", "a.py": b"1"})


def test_the_bytes_that_are_graded_are_those_of_the_digest(tmp_path: Path) -> None:
    put(tmp_path, "a.tar")
    opened = open_handin(tmp_path / "a.tar")
    put(tmp_path, "a.tar", data=b"changed in between")
    assert opened.contents().files == GOOD


def test_names_that_are_only_alike_are_two_students(tmp_path: Path) -> None:
    """As one, who handed in with the higher version would take the other's place. A roster tells who is one student."""
    pairs = [("strauss", "strau\u00df"), ("sam", "\u017fam"), ("fin", "\ufb01n"), ("Alice", "alice")]
    for first, second in pairs:
        (tmp_path / f"{first}@x.edu_1_handin.tar").write_bytes(b"x")
        (tmp_path / f"{second}@X.EDU_9_handin.tar").write_bytes(b"y")
    assert len(newest(find(tmp_path).handins)) == 2 * len(pairs)
