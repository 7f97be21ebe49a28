"""The roster: tables of every kind are read or refused in one sentence, and each hand-in finds its student or nobody."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from autograder.archives import CannotGrade
from autograder.staff.classroom import tables
from autograder.staff.classroom.names import CANVAS, GRADESCOPE, MOODLE, parse
from autograder.staff.classroom.roster import Owner, Roster, owners, read
from autograder.staff.handins import Handin

UTC = timezone.utc
CANVAS_CSV = """Student,ID,SIS User ID,SIS Login ID,Section,MyTorch (77)
    Points Possible,,,,,60
"Smith, John",12345,u1,jsmith,A,
"Smith, John",12346,u2,jsmith2,B,
"Müller, Jörg",12347,u3,jm,A,
"Student, Test",,,abc,A,
"""
MOODLE_CSV = """\
Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Last modified (submission),Feedback comments
Participant 501,Jane Doe,m1,jane1@x.edu,Submitted,,60.00,"Friday, 20 November 2026, 11:30 PM",
Participant 502,Jane Doe,m2,jane2@x.edu,No submission,,60.00,-,
"""
GRADESCOPE_CSV = "First Name,Last Name,SID,Email,Sections\nAda,Lovelace,007,ada@x.edu,1\nAlan,Turing,008,alan@x.edu,2\n"
SIMPLE_CSV = "student,email\nJörg Müller,jm@x.edu\nJane Doe,jane@x.edu\n"


def roster(tmp_path: Path, text: str | bytes) -> Roster:
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, UTC)


def handin(name: str, **more: str) -> Handin:
    found = parse(name)
    return Handin(
        found.student, found.version, Path(name), name, platform=found.platform, person=more.pop("person", found.person),
        number=more.pop("number", found.number), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def taken(tmp_path: Path, text: str, *handins: Handin | str) -> dict[str, list[str]]:
    """The sources of the hand-ins by student."""
    some = [handin(one) if isinstance(one, str) else one for one in handins]
    found: list[Owner] = owners(some, roster(tmp_path, text))
    return {f"{o.key}{'' if o.person else ' ?'}": [h.source for h in o.handins] for o in found if o.handins}


@pytest.mark.parametrize(
    ("text", "platform", "keys", "section"),
    [
        (CANVAS_CSV, CANVAS, ["jsmith", "jsmith2", "jm"], "A"),
        (MOODLE_CSV, MOODLE, ["jane1@x.edu", "jane2@x.edu"], ""),
        (GRADESCOPE_CSV, GRADESCOPE, ["ada@x.edu", "alan@x.edu"], "1"),
        (SIMPLE_CSV, "", ["jm@x.edu", "jane@x.edu"], ""),
        ("id\n7\n8\n", "", ["7", "8"], ""),
    ],
)
def test_rosters_of_every_kind(text: str, platform: str, keys: list[str], section: str, tmp_path: Path) -> None:
    found = roster(tmp_path, text)
    assert found.platform == platform
    assert [person.key for person in found.people] == keys
    assert found.people[0].section == section


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: ("\n\n" + text.replace("\n", ",,\n")).encode(),
        lambda text: text.replace("student,email", '"Student" ,"E-Mail"').encode(),
    ],
)
def test_the_same_table_in_other_clothes(change, tmp_path: Path) -> None:
    people = roster(tmp_path, change(SIMPLE_CSV)).people
    assert [(person.name, person.email) for person in people] == [
        ("Jörg Müller", "jm@x.edu"), ("Jane Doe", "jane@x.edu"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("student,email\n", "no student below"),
        ("color,shape\nred,round\n", "no column that names a student"),
        ("email,email\na,b\n", "two columns 'email'"),
        ("email\na@x.edu\na@x.edu\n", r"twice \(lines 2 and 3\)"),
        ("email,id\na@x.edu,7\nb@x.edu,7\n", "the id '?7'? to a@x.edu and b@x.edu"),
        ("name\nSmith, John\n", "more cells than columns"),
        ("email,slip days\na@x.edu,many\n", "slip days in roster.csv, line 2"),
        (b"PK\x03\x04 a spreadsheet", "Export it as CSV"),
        (b"email\n\0\0\0", "is no text"),
        ('email\n"' + "x" * 200_000 + '"\n', "no table in CSV"),
    ],
)
def test_broken_tables_are_refused_in_one_sentence(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=words) as refused:
        roster(tmp_path, text)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(CannotGrade, match="cannot be read"):
            tables.read(path, "The roster")


def test_numbers_of_the_platform_decide(tmp_path: Path) -> None:
    assert taken(
        tmp_path, CANVAS_CSV, "smithjohn_12345_67890_handin.tar", "smithjohn_12346_67891_handin.tar",
        "smithjohn_99999_67892_handin.tar", "müllerjörg_12347_67893_handin.tar",
    ) == {
        "jsmith": ["smithjohn_12345_67890_handin.tar"], "jsmith2": ["smithjohn_12346_67891_handin.tar"],
        "jm": ["müllerjörg_12347_67893_handin.tar"], "smithjohn_99999 ?": ["smithjohn_99999_67892_handin.tar"],
    }  # fmt: skip
    jane = "Jane Doe_{}_assignsubmission_file_handin.tar"
    assert taken(tmp_path, MOODLE_CSV, jane.format(502), jane.format(501), jane.format(503)) == {
        "jane1@x.edu": [jane.format(501)], "jane2@x.edu": [jane.format(502)], "Jane Doe_503 ?": [jane.format(503)],
    }  # fmt: skip


def test_a_name_counts_only_where_it_is_one_student(tmp_path: Path) -> None:
    moodle, canvas = "Jane Doe_1_assignsubmission_file_h.tar", "müllerjörg_5_67890_h.tar"
    assert taken(tmp_path, SIMPLE_CSV, moodle, canvas) == {"jane@x.edu": [moodle], "jm@x.edu": [canvas]}
    other = "Jane Doe_2_assignsubmission_file_h.tar"
    assert taken(tmp_path, SIMPLE_CSV, moodle, other) == {"Jane Doe_1 ?": [moodle], "Jane Doe_2 ?": [other]}
    two = SIMPLE_CSV + "Jane Doe,jane2@x.edu\n"
    assert taken(tmp_path, two, moodle) == {"Jane Doe_1 ?": [moodle]}


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("email\nalice@x.edu\n", {"alice@x.edu": ["Alice@X.EDU_2_h.tar", "alice@x.edu_1_h.tar"]}),
        (
            "email\nalice@x.edu\nAlice@X.EDU\n",
            {"alice@x.edu": ["alice@x.edu_1_h.tar"], "Alice@X.EDU": ["Alice@X.EDU_2_h.tar"]},
        ),
        (
            "email\nbob@x.edu\n",
            {"alice@x.edu ?": ["alice@x.edu_1_h.tar"], "Alice@X.EDU ?": ["Alice@X.EDU_2_h.tar"]},
        ),
        # Two rows that differ in capitals, and neither is the hand-in's own spelling.
        (
            "email\nALICE@x.edu\nalice@X.edu\n",
            {"alice@x.edu ?": ["alice@x.edu_1_h.tar"], "Alice@X.EDU ?": ["Alice@X.EDU_2_h.tar"]},
        ),
    ],
)
def test_the_roster_decides_about_capitals(text: str, owner: dict[str, list[str]], tmp_path: Path) -> None:
    found = taken(tmp_path, text, "alice@x.edu_1_h.tar", "Alice@X.EDU_2_h.tar")
    assert {key: sorted(sources) for key, sources in found.items()} == owner


def test_without_platform_names(tmp_path: Path) -> None:
    text = "Name,Email,Username\nAda Lovelace,ada@x.edu,al7\n"
    for name in (
        "ada@x.edu.tar",
        "ada.tar",
        "al7.tar",
        "Ada Lovelace.zip",
        "adalovelace.tar",
        "lovelaceada_1_23456_h.tar",
    ):
        assert taken(tmp_path, text, name) == {"ada@x.edu": [name]}, name
    assert taken(tmp_path, GRADESCOPE_CSV, handin("submission_2", email="ALAN@x.edu")) == {
        "alan@x.edu": ["submission_2"]
    }
    assert taken(tmp_path, GRADESCOPE_CSV, handin("submission_1", number="008")) == {"alan@x.edu": ["submission_1"]}


def test_times_of_a_worksheet(tmp_path: Path) -> None:
    (one, _) = owners([handin("Jane Doe_501_assignsubmission_file_h.tar")], roster(tmp_path, MOODLE_CSV))
    assert one.handins[0].time == datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert one.handins[0].timed_by == "the roster"
