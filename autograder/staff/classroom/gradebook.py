"""gradebook.csv: one row for each submission, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from autograder.archives import shown
from autograder.grade import rounded
from autograder.staff.files import replace_file
from autograder.staff.record import GRADED, GRADER_ERROR, Record

BEFORE = ["student", "version", "counts", "status", "total", "possible"]
AFTER = ["hidden total", "hidden possible", "seconds", "level", "source", "digest", "feedback", "notes"]
# First characters that make a spreadsheet calculate, full-width forms included.
FORMULA = "=+\\-@|＝＋－＠"
# Some locales split cells at semicolons or tabs even inside quotes.
STARTS = re.compile(rf"(^\s*|[;,|\"']\s*)(?=[{FORMULA}])")
Row = tuple[Record | None, str, int, bool, str]


def text(value: str, limit: int = 400) -> str:
    """Untrusted text made safe for a cell: on one line and never a formula."""
    clean = shown(value.replace("\r\n", " / ").replace("\n", " / "), limit)
    return STARTS.sub(r"\1'", clean)


def write_gradebook(path: Path, rows: Callable[[], Iterable[Row]], columns: Iterable[str] = ()) -> None:
    """Write the file, replaced as a whole. A row is (record or None, student, version, True if it counts, path of the
    feedback page below the reports).

    rows: called twice, once for the columns and once to write, so that no row has to be kept in memory.
    columns: exercises that always have a column, in this order.
    """
    names = dict.fromkeys(columns)
    hidden: dict[str, float] = {}
    for record, *_ in rows():
        # Practice has no marks; a column of zeros would look like marks.
        marked = [e for e in record["exercises"] if e["points"]] if record else []
        names.update(dict.fromkeys(e["name"] for e in marked))
        hidden.update({e["name"]: e["points"] for e in marked if e["hidden"]})
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow([*BEFORE, *(text(name) for name in names), *AFTER])
    for row in rows():
        table.writerow(_cells(row, list(names), sum(hidden.values())))
    # The byte order mark tells Excel that the file is UTF-8.
    replace_file(path, written.getvalue().encode("utf-8-sig", "replace"))


def _cells(row: Row, names: list[str], of_hidden: float) -> list[str | int | float]:
    """Cells of one row. of_hidden: possible marks of the hidden exercises, shown for ungraded submissions too."""
    record, student, version, counts, page = row
    before: list[str | int | float] = [text(student), version, "yes" if counts else "no"]
    if record is None:
        return [*before, "not graded", "", "", *("" for _ in names), *("" for _ in AFTER)]
    level, digest, source = text(", ".join(record["level"])), record["digest"], text(record["source"])
    notes = text("; ".join(filter(None, [record["reason"], *record["notes"]])), 1000)
    after: list[str | int | float] = [rounded(record["seconds"]), level, source, digest, text(page), notes]
    if record["status"] == GRADER_ERROR:
        # A word and no number, so that nobody takes it for a mark.
        return [*before, GRADER_ERROR, GRADER_ERROR, "", *("" for _ in names), "", "", *after]
    earned = {e["name"]: rounded(e["earned"]) for e in record["exercises"]}
    hidden = [e for e in record["exercises"] if e["hidden"]]
    missing: str | int = "" if record["status"] == GRADED else 0
    return [
        *before, record["status"], rounded(record["total"]), rounded(record["possible"]),
        *(earned.get(name, missing) for name in names),
        rounded(sum(e["earned"] for e in hidden)),
        rounded(sum(e["points"] for e in hidden) if record["exercises"] else of_hidden), *after,
    ]  # fmt: skip
