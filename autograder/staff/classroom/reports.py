"""What is written beside the records: each student's feedback as soon as it is there, then the gradebook and the class page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from autograder.exercises import EXERCISES
from autograder.staff.classroom.gradebook import Row, write_gradebook
from autograder.staff.classroom.store import Reports
from autograder.staff.files import replace_file
from autograder.staff.handins import Handin, same_student
from autograder.staff.pages import similarity
from autograder.staff.pages import write as pages
from autograder.staff.pages.similarity import Fingerprint
from autograder.staff.record import GRADED, Record


def after(reports: Reports, record: Record, name: str, folder: Path | None) -> None:
    """What is made of one submission: its feedback, and what it is compared with others by."""
    pages.write_feedback(record, reports.folder, name)
    prints = similarity.fingerprint(folder) if folder else {}
    replace_file(_prints_path(reports, name), json.dumps({"digest": record["digest"], "prints": prints}).encode())


def finish(reports: Reports, handins: list[Handin], name_of: Callable[[Handin], str], last: set[str]) -> None:
    """Gradebook and class page, and the feedback of every record, so that it is there and of this version.

    handins: those of this run; last: the sources of the versions that count.
    """

    def rows() -> Iterator[Row]:
        for handin in handins:
            name = name_of(handin)
            record = reports.read(name)[0]
            page = f"feedback/{name}.html" if record else ""
            yield record, handin.student, handin.version, handin.source in last, page

    write_gradebook(reports.gradebook, rows, [exercise.name for exercise in EXERCISES if exercise.points])
    names = {handin.source: name_of(handin) for handin in handins}
    students = {name_of(handin): same_student(handin.student) for handin in handins}
    found = similarity.similar(dict(_fingerprints(reports, handins, name_of)), owner=lambda name: students[name])
    records = (record for record, *_ in rows() if record)
    pages.write_reports(records, reports.folder, name_of=lambda record: names[record["source"]], similar=found)


def _prints_path(reports: Reports, name: str) -> Path:
    return reports.records / f"{name}.prints"


def _fingerprints(
    reports: Reports, handins: Iterable[Handin], name_of: Callable[[Handin], str]
) -> Iterator[tuple[str, Fingerprint]]:
    for handin in handins:
        name = name_of(handin)
        record, _ = reports.read(name)
        if record is None or record["status"] != GRADED:
            continue
        try:
            kept = json.loads(_prints_path(reports, name).read_bytes())
            if kept["digest"] == record["digest"]:
                yield name, kept["prints"]
        except (OSError, ValueError, KeyError, TypeError):
            # Lost or damaged: nobody is suspected for it, and the next grading makes it anew.
            continue
