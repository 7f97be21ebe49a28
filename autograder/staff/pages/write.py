"""Writes the reports of a class: a page and a JSON file for each student, and the same for the class.

- ``write_feedback(record, out, name)`` as soon as a submission is graded: feedback/NAME.html and feedback/NAME.json;
- ``write_reports(records, out, ...)`` at the end: the same for all of them, and class.html and class.json;
- ``write_section(...)``: a page for a part of the class.

A name is the safe file name of a submission, without an ending, different for each; groups and pairs of similar submissions
have these names too. Records are read one by one, and only a summary of each is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from autograder.staff.files import as_json, replace_file
from autograder.staff.pages.classdata import NOTHING_SIMILAR, Summary, class_data, summary
from autograder.staff.pages.page_class import class_page
from autograder.staff.pages.page_student import student_page
from autograder.staff.pages.roll import Roll, Standing
from autograder.staff.pages.similarity import Similar
from autograder.staff.record import Record, student_view


def write_reports(
    records: Iterable[tuple[str, Record]], out: Path, similar: Similar = NOTHING_SIMILAR, roll: Roll | None = None
) -> list[Summary]:
    """Write every report below ``out``; returns the summaries. records: with their names. roll: final marks and attempts.

    Raises ValueError for a name that cannot be a file's, OSError where a file cannot be written, CannotGrade without Jinja2.
    """
    summaries: list[Summary] = []
    of = {attempt.name: one for one in roll.standings for attempt in one.attempts} if roll else {}
    for name, record in records:
        summaries.append(summary(record, name))
        write_feedback(record, out, name, of.get(name))
    _write(out / "class.html", class_page(summaries, similar, roll))
    _write(out / "class.json", as_json(class_data(summaries, similar, roll)))
    return summaries


def write_section(summaries: Iterable[Summary], path: Path, similar: Similar, roll: Roll) -> None:
    """Write the page of a section, whose roll this is, in a folder beside feedback/."""
    _write(path, class_page(summaries, similar, roll))


def write_feedback(record: Record, out: Path, name: str, standing: Standing | None = None) -> None:
    """Write the part of a record that its student may see, as a page and as data. standing: known once all are graded."""
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} cannot be the name of a file. Give a name without folders, as safe_name makes.")
    view = student_view(record)
    _write(out / "feedback" / f"{name}.html", student_page(view, name, standing))
    final = {"final": asdict(standing)} if standing else {}
    _write(out / "feedback" / f"{name}.json", as_json({**view, **final}))


def _write(path: Path, content: str | bytes) -> None:
    """Write a file that follows from the records. The next run writes it again if it is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.encode("utf-8", "replace") if isinstance(content, str) else content, durable=False)
