"""gradebook.csv: one row for each submission, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.archives import shown
from autograder.grade import rounded
from autograder.staff.classroom.policy import MISSING
from autograder.staff.files import replace_file
from autograder.staff.pages.roll import Standing
from autograder.staff.record import GRADED, GRADER_ERROR, Record

BEFORE = ["student", "name", "section", "version", "counts", "status", "mark", "total", "possible"]
AFTER = [
    "hidden total", "hidden possible", "handed in", "late", "changes", "seconds", "level", "source", "digest", "feedback",
    "notes",
]  # fmt: skip
# First characters that make a spreadsheet calculate, full-width forms included.
FORMULA = "=+\\-@|＝＋－＠"
# Some locales split cells at semicolons or tabs even inside quotes.
STARTS = re.compile(rf"(^\s*|[;,|\"']\s*)(?=[{FORMULA}])")


@dataclass(frozen=True)
class Row:
    """A hand-in's row, or that of a student without one. mark: the final mark, a word for it, or empty."""

    record: Record | None
    student: str
    version: int = 0
    counts: bool = True
    page: str = ""
    name: str = ""
    section: str = ""
    status: str = "not graded"
    mark: str | float = ""
    time: str = ""
    late: str = ""
    changes: str = ""


def text(value: str, limit: int = 400) -> str:
    """Untrusted text made safe for a cell: on one line and never a formula."""
    clean = shown(value.replace("\r\n", " / ").replace("\n", " / "), limit)
    return STARTS.sub(r"\1'", clean)


def write_gradebook(path: Path, rows: Callable[[], Iterable[Row]], columns: Iterable[str] = ()) -> None:
    """Write the file, replaced as a whole.

    rows: called twice, once for the columns and once to write, so that no row has to be kept in memory.
    columns: exercises that always have a column, in this order.
    """
    names = dict.fromkeys(columns)
    hidden: dict[str, float] = {}
    for row in rows():
        # Practice has no marks; a column of zeros would look like marks.
        marked = [e for e in row.record["exercises"] if e["points"]] if row.record else []
        names.update(dict.fromkeys(e["name"] for e in marked))
        hidden.update({e["name"]: e["points"] for e in marked if e["hidden"]})
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow([*BEFORE, *(text(name) for name in names), *AFTER])
    for row in rows():
        table.writerow(_cells(row, list(names), sum(hidden.values())))
    # The byte order mark tells Excel that the file is UTF-8.
    replace_file(path, written.getvalue().encode("utf-8-sig", "replace"))


def standing_rows(standing: Standing, read: Callable[[str], Record | None], missing: str) -> Iterator[Row]:
    """A row for each graded hand-in of a student, and for the one that counts. missing: the mark of who has none."""
    who: dict[str, Any] = {"student": standing.key, "name": standing.name, "section": standing.section}
    changes = "; ".join(standing.changes)
    if standing.counted is None:
        mark: str | float = missing if standing.mark is None else standing.mark
        yield Row(None, **who, status=MISSING, mark=int(mark) if mark == "0" else mark, changes=changes)
    for number, one in enumerate(standing.attempts):
        counts = number == standing.counts
        if not (one.name or counts):
            continue
        record = read(one.name) if one.name else None
        mark = ""
        if counts:
            mark = standing.mark if standing.mark is not None else GRADER_ERROR if one.status == GRADER_ERROR else ""
        yield Row(
            record, **who, version=one.version, counts=counts, page=f"feedback/{one.name}.html" if one.name else "",
            mark=mark, time=one.time, late=one.lateness, changes=changes if counts else "",
        )  # fmt: skip


def _cells(row: Row, names: list[str], of_hidden: float) -> list[str | int | float]:
    """Cells of one row. of_hidden: possible marks of the hidden exercises, shown for ungraded submissions too."""
    record = row.record
    start: list[str | int | float] = [text(row.student), text(row.name), text(row.section), row.version]
    start.append("yes" if row.counts else "no")
    if record is None:
        empty = ["" for _ in names]
        return [*start, row.status, row.mark, "", "", *empty, "", "", "", "", text(row.changes, 1000), *[""] * 6]
    level, digest, source = text(", ".join(record["level"])), record["digest"], text(record["source"])
    notes = text("; ".join(filter(None, [record["reason"], *record["notes"]])), 1000)
    after: list[str | int | float] = [
        row.time, row.late, text(row.changes, 1000), rounded(record["seconds"]), level, source, digest, text(row.page), notes,
    ]  # fmt: skip
    if record["status"] == GRADER_ERROR:
        # A word and no number, so that nobody takes it for a mark.
        return [*start, GRADER_ERROR, row.mark, GRADER_ERROR, "", *("" for _ in names), "", "", *after]
    earned = {e["name"]: rounded(e["earned"]) for e in record["exercises"]}
    hidden = [e for e in record["exercises"] if e["hidden"]]
    missing: str | int = "" if record["status"] == GRADED else 0
    return [
        *start, record["status"], row.mark, rounded(record["total"]), rounded(record["possible"]),
        *(earned.get(name, missing) for name in names),
        rounded(sum(e["earned"] for e in hidden)),
        rounded(sum(e["points"] for e in hidden) if record["exercises"] else of_hidden), *after,
    ]  # fmt: skip
