"""Files that go back to a platform: marks as Canvas and Moodle import them, and zips of the students' feedback pages."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from autograder.staff.classroom import tables
from autograder.staff.classroom.names import CANVAS, MOODLE
from autograder.staff.classroom.policy import Policy
from autograder.staff.classroom.roster import Owner, Roster
from autograder.staff.files import replace_file
from autograder.staff.packing import DATE
from autograder.staff.pages.roll import Standing
from autograder.staff.pages.text import escaped

# The columns that identify a student in Canvas' gradebook. It wants all of them, empty ones too.
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
# The columns of Moodle's grading worksheet that its import needs, and those that a person reads.
MOODLE_COLUMNS = ("Identifier", "Full name", "Email address", "Grade", "Last modified (grade)", "Feedback comments")
GRADE, COMMENTS, IDENTIFIER = "grade", "feedback comments", "identifier"
POINTS = "    Points Possible"

Pairs = Sequence[tuple[Owner, Standing]]


def write(folder: Path, pages: Path, pairs: Pairs, roster: Roster, policy: Policy, possible: float) -> list[str]:
    """Write the exports that fit this class; returns remarks for staff. pages: the folder of the feedback pages."""
    folder.mkdir(exist_ok=True)
    remarks = []
    for platform, table in ((CANVAS, canvas), (MOODLE, moodle)):
        csv_file, zip_file = folder / f"{platform.lower()}.csv", folder / f"feedback-{platform.lower()}.zip"
        if roster.platform == platform or any(h.platform == platform for owner, _ in pairs for h in owner.handins):
            rows, said = table(pairs, roster, policy, possible)
            remarks += said
            replace_file(csv_file, _as_csv(rows), durable=False)
        else:
            csv_file.unlink(missing_ok=True)
        names = list(feedback_names(pairs, platform))
        if names:
            _write_zip(zip_file, pages, names)
        else:
            zip_file.unlink(missing_ok=True)
    counted = [standing.counted for _, standing in pairs]
    _write_zip(folder / "feedback.zip", pages, [(one.name, f"{one.name}.html") for one in counted if one and one.name])
    return remarks


def _mark(standing: Standing, policy: Policy) -> str:
    """The mark as the platforms read it. An empty cell changes nothing there."""
    if standing.mark is None:
        return "0" if standing.counted is None and policy.missing == "0" else ""
    return f"{standing.mark:g}"


def canvas(pairs: Pairs, roster: Roster, policy: Policy, possible: float) -> tuple[list[list[str]], list[str]]:
    """The rows for Canvas: its columns, the possible marks, and a line for each student with an id."""
    known = [tables.plain(column) for column in roster.columns]
    at = {name: known.index(tables.plain(name)) for name in CANVAS_COLUMNS if tables.plain(name) in known}
    assignment, remarks = _assignment(roster, policy)
    rows = [[*CANVAS_COLUMNS, assignment], [POINTS, "", "", "", "", f"{possible:g}"]]
    left_out = 0
    for owner, standing in pairs:
        cells = dict.fromkeys(CANVAS_COLUMNS, "")
        if owner.person and roster.platform == CANVAS:
            cells |= {name: owner.person.row[place] for name, place in at.items()}
        else:
            cells["Student"] = owner.name
            cells["ID"] = next((h.number for h in owner.handins if h.platform == CANVAS), "")
        left_out += not cells["ID"]
        rows += [[*cells.values(), _mark(standing, policy)]] if cells["ID"] else []
    if left_out:
        remarks.append(f"{left_out} students have no id of Canvas and are not in canvas.csv")
    return rows, remarks


def _assignment(roster: Roster, policy: Policy) -> tuple[str, list[str]]:
    """The column's name, with the number by which Canvas knows an assignment that exists."""
    wanted = policy.assignment
    if re.search(r"\(\d+\)$", wanted) or roster.platform != CANVAS:
        return wanted, []
    of_canvas = [column for column in roster.columns if re.sub(r" \(\d+\)$", "", column) == wanted]
    if of_canvas:
        return of_canvas[0], []
    return wanted, [f"Canvas' gradebook has no assignment {wanted!r}: importing canvas.csv makes a new one"]


def moodle(pairs: Pairs, roster: Roster, policy: Policy, possible: float) -> tuple[list[list[str]], list[str]]:
    """The rows of Moodle's grading worksheet: the very one that was given as the roster, with marks and comments filled in."""
    given = roster.platform == MOODLE
    columns = list(roster.columns) if given else list(MOODLE_COLUMNS)
    names = [tables.plain(column) for column in columns]
    rows, left_out = [columns], 0
    highest = {owner.person.row[names.index("maximum grade")] for owner, _ in pairs if owner.person} if (
        given and "maximum grade" in names
    ) else set()  # fmt: skip
    for owner, standing in pairs:
        if owner.person and given:
            cells = list(owner.person.row)
        else:
            number = next((h.number for h in owner.handins if h.platform == MOODLE), "")
            of = {IDENTIFIER: f"Participant {number}" if number else "", "full name": owner.name}
            cells = [of.get(name, "") for name in names]
        cells[names.index(GRADE)] = _mark(standing, policy)
        if COMMENTS in names:
            cells[names.index(COMMENTS)] = _comment(standing, possible)
        left_out += not cells[names.index(IDENTIFIER)]
        rows += [cells] if cells[names.index(IDENTIFIER)] else []
    remarks = [f"{left_out} students have no identifier of Moodle and are not in moodle.csv"] if left_out else []
    if highest and highest != {""} and not any(_same_number(text, possible) for text in highest):
        remarks.append(
            f"Moodle's maximum grade is {', '.join(sorted(highest)[:3])}, but the homework has {possible:g} marks"
        )
    return rows, remarks


def _same_number(text: str, value: float) -> bool:
    try:
        return float(text.replace(",", ".")) == value
    except ValueError:
        return False


def _comment(standing: Standing, possible: float) -> str:
    """The comment that a student reads in Moodle, which takes it for HTML."""
    one = standing.counted
    words = [f"{one.total:g} of {possible:g} marks"] if one and one.total is not None else []
    words += [one.lateness] if one and one.lateness else []
    return escaped("; ".join([*words, *standing.changes]))


def feedback_names(pairs: Pairs, platform: str) -> Iterable[tuple[str, str]]:
    """The page of each student who handed in on this platform, and the name by which the platform knows whose it is."""
    for owner, standing in pairs:
        one = standing.counted
        if one is None or not one.name:
            continue
        handin = next(h for h in owner.handins if (h.source, h.version) == (one.source, one.version))
        if handin.platform != platform:
            continue
        if platform == MOODLE:
            # A folder was downloaded, or files: the feedback goes back in the same form.
            inside = "/" if "/" in handin.source or handin.path.is_dir() else ""
            yield one.name, f"{handin.prefix.rstrip('_')}_{inside}feedback.html"
        else:
            yield one.name, f"{handin.prefix}feedback.html"


def _as_csv(rows: list[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def _write_zip(path: Path, pages: Path, names: Iterable[tuple[str, str]]) -> None:
    """A zip of pages under other names, written beside its place first and page by page, so that memory stays flat."""
    beside = path.with_name(f".{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, inside in names:
                member = zipfile.ZipInfo(inside, DATE)
                member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
                archive.writestr(member, (pages / f"{name}.html").read_bytes())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
