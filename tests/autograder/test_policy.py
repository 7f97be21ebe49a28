"""class.ini, the rules for late hand-ins, the manual changes, and the final marks that follow from them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from autograder.archives import CannotGrade
from autograder.staff.classroom import changes, policy
from autograder.staff.classroom.changes import Change
from autograder.staff.classroom.policy import BEST, LAST, LAST_ON_TIME, Policy
from autograder.staff.classroom.reports import Klass
from autograder.staff.classroom.roster import Owner, Person, Roster
from autograder.staff.classroom.standing import standings
from autograder.staff.classroom.submissions import Found
from autograder.staff.classroom.times import moment, zone
from autograder.staff.handins import Handin
from autograder.staff.pages.roll import Standing
from autograder.staff.record import GRADER_ERROR, UNREADABLE, Record
from tests.autograder.page_tools import a_record

DUE = datetime(2026, 11, 20, 22, 59, tzinfo=timezone.utc)
WHOLE = """
[class]
roster = lists/roster.csv
changes = changes.csv
time zone = Europe/Berlin   # of the deadline
counts = best
missing = 0
[late]
due = 2026-11-20 23:59
grace minutes = 15
percent per day = 12.5 %
slip days = 2
closes after days = 4
[export]
canvas assignment = Homework 1 (77)
"""


def rules(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "class.ini"
    path.write_text(text, encoding="utf-8")
    return policy.read(path)


def test_a_whole_declaration(tmp_path: Path) -> None:
    found = rules(tmp_path, WHOLE)
    assert found == Policy(
        tmp_path / "lists/roster.csv", tmp_path / "changes.csv", zone("Europe/Berlin"), BEST, "0", DUE,
        timedelta(minutes=15), 12.5, 2, 4, "Homework 1 (77)",
    )  # fmt: skip
    assert found.due is not None
    assert found.due.utcoffset() == timedelta(hours=1)
    assert "Due 2026-11-20 23:59 (CET); 15 minutes of grace; 12.5 %" in found.describe()
    assert rules(tmp_path, "") == policy.read(None) == Policy()
    assert Policy().describe() == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[homework]\n", r"a section \[homework\]. There are \[class\], \[late\], \[export\]"),
        ("[class]\nrooster = x\n", "has 'rooster' in"),
        ("[class]\ncounts = first\n", "Give last, best or last on time"),
        ("[class]\ncounts = last on time\n", "but no deadline"),
        ("[class]\nmissing = -1\n", "Give 0 or 'missing'"),
        ("[class]\ntime zone = Berlin\n", "'Berlin' is no time zone"),
        ("[class]\ntime zone = ../../etc/passwd\n", "is no time zone"),
        ("[late]\npercent per day = 10\n", "no deadline"),
        ("[late]\ndue = tomorrow\n", "which is no time"),
        ("[late]\ndue = 2026-11-20\n", "a day without a time"),
        ("[late]\ndue = 2026-11-20 23:59\npercent per day = 110\n", "from 0 to 100"),
        ("[late]\ndue = 2026-11-20 23:59\nslip days = -1\n", "from 0 to 365"),
        ("[late]\ndue = 2026-11-20 23:59\ngrace minutes = nan\n", "from 0 to"),
        ("roster = x\n", "cannot be read"),
        ("[class]\nroster = x\nroster = y\n", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=words) as refused:
        rules(tmp_path, text)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match="cannot be read"):
        policy.read(tmp_path / "none.ini")
    (tmp_path / "class.ini").write_bytes(b"[class]\nroster = \xff\n")
    with pytest.raises(CannotGrade, match="not UTF-8"):
        policy.read(tmp_path / "class.ini")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 23:59", "2026-11-20T23:59:00", "2026-11-20 22:59:00 UTC", "2026-11-20T22:59:00Z",
        "2026-11-20 22:59:00.123456789 Z", "2026-11-20 17:59:00 -0500", "2026-11-20 23:59:00+01:00",
        "Friday, 20 November 2026, 11:59 PM", "Friday, 20 November 2026, 23:59", "Nov 20, 2026 at 11:59pm",
        "20.11.2026 23:59", " 2026-11-20   23:59 ",
    ],
)  # fmt: skip
def test_moments(text: str) -> None:
    assert moment(text, zone("Europe/Berlin")) == DUE


def test_no_moments() -> None:
    assert [moment(text, timezone.utc) for text in ("", "-", "soon", "2026-13-01 00:00")] == [None] * 4


@pytest.mark.parametrize(
    ("minutes", "days"),
    [(-1e6, 0), (0, 0), (15, 0), (15.1, 1), (1440, 1), (1440.1, 2), (5 * 1440, 5)],
)
def test_days_late_are_days_begun_after_the_grace(minutes: float, days: int) -> None:
    found = Policy(due=DUE, grace=timedelta(minutes=15))
    assert found.days_late(DUE + timedelta(minutes=minutes)) == days
    assert found.days_late(DUE + timedelta(minutes=minutes), extra_days=5) == 0
    assert found.days_late(None) == Policy().days_late(DUE) == 0


def test_the_clocks_change_in_the_zone_of_the_class(tmp_path: Path) -> None:
    """The day on which summer time ends has 25 hours, and a late day has 24."""
    due = moment("2026-10-24 12:00", zone("Europe/Berlin"))
    for handed_in, days in (("2026-10-25 10:59", 1), ("2026-10-25 12:00", 2), ("2026-10-25 11:01", 2)):
        assert Policy(due=due).days_late(moment(handed_in, zone("Europe/Berlin"))) == days, handed_in


def stand(
    rules: Policy, *attempts: tuple[float, float | str], changed: str = "", slip: float | None = None
) -> Standing:
    """The standing of a student who handed in so many days after the deadline and earned so many of 60 marks."""
    records: dict[str, Record] = {}
    handins = []
    for number, (days, earned) in enumerate(attempts):
        one: dict[str, Any] = {"status": earned, "total": 0.0} if isinstance(earned, str) else {"total": earned}
        records[str(number)] = a_record(**one)
        handins.append(Handin("a", number, Path(), str(number), DUE + timedelta(days=days), "the file"))
    owner = Owner("a", "Ada", Person("a", slip_days=slip), handins)
    cells = {**dict.fromkeys(changes.COLUMNS, ""), "student": "a", "comment": "why", "by": "Kim"}
    cells |= dict(pair.split("=") for pair in changed.split(",")) if changed else {}
    made = [changes._change(cells, "line 2", 2)] if changed else []
    (found,) = standings([owner], {"a": made}, rules, True, records.get, lambda handin: handin.source)
    return found


@pytest.mark.parametrize(
    ("rules", "attempts", "counts", "mark"),
    [
        (Policy(), [(0, 50.0)], 0, 50),
        (Policy(), [(9, 50.0), (-9, 40.0)], 1, 40),
        (Policy(due=DUE, percent=10), [(-1, 50.0)], 0, 50),
        (Policy(due=DUE, percent=10), [(0.5, 50.0)], 0, 44),
        (Policy(due=DUE, percent=10), [(1.5, 50.0)], 0, 38),
        # Never below nothing.
        (Policy(due=DUE, percent=50), [(1.5, 50.0)], 0, 0),
        (Policy(due=DUE, percent=10, slip_days=1), [(1.5, 50.0)], 0, 44),
        (Policy(due=DUE, percent=10, closes=2), [(2.5, 50.0)], 0, 0),
        (Policy(due=DUE, percent=10, closes=2), [(-1, 30.0), (2.5, 50.0)], 0, 30),
        (Policy(due=DUE, percent=10, slip_days=1, closes=2), [(2.5, 50.0)], 0, 38),
        (Policy(due=DUE, percent=10, counts=BEST), [(-1, 47.0), (0.5, 50.0)], 0, 47),
        (Policy(due=DUE, percent=10, counts=BEST), [(-1, 40.0), (0.5, 50.0)], 1, 44),
        (Policy(due=DUE, percent=10, counts=BEST), [(-2, 40.0), (-1, 40.0)], 1, 40),
        (Policy(due=DUE, counts=LAST_ON_TIME), [(-2, 10.0), (-1, 20.0), (1, 50.0)], 1, 20),
        (Policy(due=DUE, counts=LAST_ON_TIME, percent=10), [(0.5, 10.0), (0.9, 20.0)], 1, 14),
        (Policy(due=DUE, percent=10), [(0, UNREADABLE)], 0, 0),
        (Policy(due=DUE, percent=10), [(0, GRADER_ERROR)], 0, None),
        (Policy(), [], None, None),
    ],
)
def test_the_hand_in_that_counts(rules: Policy, attempts: Any, counts: int | None, mark: float | None) -> None:
    found = stand(rules, *attempts)
    assert (found.counts, found.mark) == (counts, mark)


@pytest.mark.parametrize(
    ("changed", "attempts", "mark"),
    [
        ("set=45", [(0.5, 50.0)], 45),
        ("add=2.5", [(0.5, 50.0)], 46.5),
        ("add=-50", [(0.5, 50.0)], 0),
        ("extra days=1", [(0.5, 50.0)], 50),
        ("extra days=1,add=1", [(0.5, 50.0)], 51),
        ("set=5", [], 5),
        ("add=5", [], 5),
        ("set=5", [(0, GRADER_ERROR)], 5),
        # Nothing is known of the work yet, to which something could be added.
        ("add=5", [(0, GRADER_ERROR)], None),
    ],
)
def test_manual_changes_come_last(changed: str, attempts: Any, mark: float | None) -> None:
    found = stand(Policy(due=DUE, percent=10), *attempts, changed=changed)
    assert found.mark == mark
    assert found.changes[0].endswith(": why (Kim)")


def test_slip_days_of_the_roster_count_before_those_of_the_class() -> None:
    found = stand(Policy(due=DUE, percent=10, slip_days=5), (2.5, 50.0), slip=1)
    assert found.mark == 38
    assert found.attempts[0].lateness == "3 days late, 1 of them slip days, 12 marks off"
    assert stand(Policy(due=DUE, percent=10), (0, 50.0)).attempts[0].lateness == ""
    assert stand(Policy(due=DUE, closes=0), (0.1, 50.0)).attempts[0].lateness == "1 day late, too late to count"


def test_lateness_that_only_the_platform_knows() -> None:
    one = Handin("a", 1, Path(), "x", DUE - timedelta(days=1), "the file", late=True)
    (found,) = standings([Owner("a", "a", None, [one])], {}, Policy(due=DUE), False, lambda name: None, lambda h: "")
    assert found.attempts[0].doubtful
    assert found.attempts[0].status == "not graded"


def read(tmp_path: Path, text: str) -> list[changes.Change]:
    (tmp_path / "changes.csv").write_text(text, encoding="utf-8")
    return changes.read(tmp_path / "changes.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("student,set\na,5\n", "no column 'comment'"),
        ("student,mark,comment,by\na,5,x,y\n", "a column 'mark'"),
        ("student,set,comment,by\na,5,,Kim\n", "line 2, has no comment"),
        ("student,set,comment,by\na,5,why,\n", "line 2, has no by"),
        ("student,set,comment,by\n,5,why,Kim\n", "line 2, has no student"),
        ("student,set,comment,by\na,,why,Kim\n", "changes nothing"),
        ("student,set,add,comment,by\na,5,1,why,Kim\n", "both sets"),
        ("student,set,comment,by\na,five,why,Kim\n", "'five', which is no number"),
        ("student,set,comment,by\na,inf,why,Kim\n", "which is no number"),
        ("student,set,comment,by\na,-1,why,Kim\n", "from 0 up"),
    ],
)
def test_changes_need_a_student_a_number_a_reason_and_a_name(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=words) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)


def test_whose_a_change_is(tmp_path: Path) -> None:
    people = [
        Owner("jane1@x.edu", "Jane Doe", Person("jane1@x.edu", "Jane Doe", "jane1@x.edu", ("501",), "jd1")),
        Owner("jane2@x.edu", "Jane Doe", Person("jane2@x.edu", "Jane Doe", "jane2@x.edu", ("502",), "jd2")),
        Owner("Ada_9", "Ada Lovelace", None, [Handin("Ada_9", 0, Path(), "x", person="Ada", number="9")]),
    ]
    for given, key in (
        ("jane1@x.edu", "jane1@x.edu"), ("JANE2@X.EDU", "jane2@x.edu"), ("502", "jane2@x.edu"), ("jd1", "jane1@x.edu"),
        ("jane2", "jane2@x.edu"), ("ada lovelace", "Ada_9"), ("9", "Ada_9"),
    ):  # fmt: skip
        assert changes.owner_of(given, people, "line 2").key == key
    with pytest.raises(CannotGrade, match=r"'Jane Doe', who may be jane1@x\.edu, jane2@x\.edu"):
        changes.owner_of("Jane Doe", people, "line 2")
    with pytest.raises(CannotGrade, match="'nobody', who is neither"):
        changes.owner_of("nobody", people, "line 2")
    twice = read(tmp_path, "student,set,comment,by\njd1,5,x,y\n501,6,x,y\n")
    with pytest.raises(CannotGrade, match="twice"):
        changes.by_owner(twice, people, "changes.csv")


def test_the_usual_rules_grade_the_newest_alone() -> None:
    assert [Policy(counts=c, closes=x).every_version for c, x in ((LAST, math.inf), (LAST, 3), (BEST, math.inf))] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("mark", "noted"), [(61.0, 1), (60.0, 0), (None, 0)])
def test_a_mark_above_the_possible_ones_is_noted(mark: float | None, noted: int) -> None:
    change = Change("eve@x.edu", mark, 0.0, 0.0, "Shown at the office", "Kim", 4)
    notes = Klass([], {"eve@x.edu": [change]}, Policy(), Roster(), Found(), 60).notes()
    assert len([note for note in notes if "line 4 of the changes sets the mark of eve@x.edu to 61" in note]) == noted
