"""Writes the reports of a class: a page and a JSON file for each student, and those of the class.

The ways in:

- ``write_feedback(record, out, name)`` as soon as a submission is graded: feedback/NAME.html and feedback/NAME.json;
- ``write_reports(records, out, name_of=..., similar=...)`` at the end: the same for all of them, class.html, class.json.

``name_of(record)`` is the safe file name of a submission, without an ending, different for each. ``similar`` are pairs by
these names. Records are taken one by one and only a summary of each is kept. Each file is replaced as a whole.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from autograder.staff.pages.classdata import Summary, class_data, summary
from autograder.staff.pages.page_class import class_page
from autograder.staff.pages.page_student import student_page
from autograder.staff.pages.similarity import Pair
from autograder.staff.record import Record, student_view

__all__ = ["class_data", "class_page", "student_page", "summary", "write_feedback", "write_reports"]


def write_reports(
    records: Iterable[Record],
    out: Path,
    *,
    name_of: Callable[[Record], str],
    similar: Sequence[Pair] = (),
    title: str = "MyTorch: the class",
    feedback: bool = True,
) -> list[Summary]:
    """Write every report below ``out`` and return the summaries. feedback=False leaves the students' pages as they are.

    Raises ValueError for a name that is none of a plain file, OSError where a file cannot be written.
    """
    summaries: list[Summary] = []
    for record in records:
        name = name_of(record)
        summaries.append(summary(record, name))
        if feedback:
            write_feedback(record, out, name)
    replace_file(out / "class.html", class_page(summaries, similar, title))
    replace_file(out / "class.json", as_json(class_data(summaries, similar)))
    return summaries


def write_feedback(record: Record, out: Path, name: str) -> None:
    """What one student may see, as a page and as data."""
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} cannot be the name of a file. Give a name without folders, as safe_name makes.")
    view = student_view(record)
    replace_file(out / "feedback" / f"{name}.html", student_page(view))
    replace_file(out / "feedback" / f"{name}.json", as_json(view))


def as_json(data: Any) -> str:
    """Plain ASCII: halves of characters and control characters stand in it as escapes."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write a file so that at every moment there is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        beside.write_bytes(text.encode("utf-8", errors="replace"))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
