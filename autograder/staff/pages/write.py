"""Writes the reports of a class: a page and a JSON file for each student, and the same for the class.

Two functions write them:

- ``write_feedback(record, out, name)`` as soon as a submission is graded: feedback/NAME.html and feedback/NAME.json;
- ``write_reports(records, out, name_of=..., similar=...)`` at the end: the same for all of them, and class.html and
  class.json.

``name_of(record)`` is the safe file name of a submission, without an ending, different for each. ``similar`` are pairs by
these names. Records are read one by one, and only a summary of each is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from autograder.staff.files import as_json, replace_file
from autograder.staff.pages.classdata import Summary, class_data, summary
from autograder.staff.pages.page_class import class_page
from autograder.staff.pages.page_student import student_page
from autograder.staff.pages.similarity import Pair
from autograder.staff.record import Record, student_view


def write_reports(
    records: Iterable[Record],
    out: Path,
    *,
    name_of: Callable[[Record], str],
    similar: Sequence[Pair] = (),
) -> None:
    """Write every report below ``out``.

    Raises ValueError for a name that cannot be a file's, OSError where a file cannot be written, CannotGrade without Jinja2.
    """
    summaries: list[Summary] = []
    for record in records:
        name = name_of(record)
        summaries.append(summary(record, name))
        write_feedback(record, out, name)
    _write(out / "class.html", class_page(summaries, similar))
    _write(out / "class.json", as_json(class_data(summaries, similar)))


def write_feedback(record: Record, out: Path, name: str) -> None:
    """Write the part of a record that its student may see, as a page and as data."""
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} cannot be the name of a file. Give a name without folders, as safe_name makes.")
    view = student_view(record)
    _write(out / "feedback" / f"{name}.html", student_page(view))
    _write(out / "feedback" / f"{name}.json", as_json(view))


def _write(path: Path, content: str | bytes) -> None:
    """Write a file that follows from the records. The next run writes it again if it is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.encode("utf-8", "replace") if isinstance(content, str) else content, durable=False)
