"""Files beside the records: each student's feedback at once, the gradebook and the class page at the end."""

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
    """Write the feedback of one submission, and the fingerprints by which it is compared with others."""
    pages.write_feedback(record, reports.folder, name)
    prints = similarity.fingerprint(folder) if folder else {}
    replace_file(_prints_path(reports, name), json.dumps({"digest": record["digest"], "prints": prints}).encode())


def finish(reports: Reports, handins: list[Handin], name_of: Callable[[Handin], str], last: set[str]) -> None:
    """Write gradebook, class page and, once more, every feedback, so that all of it is of this version.

    handins: of this run. last: the sources of the versions that count.
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
            # Lost or damaged fingerprints suspect nobody; the next grading writes them anew.
            continue
