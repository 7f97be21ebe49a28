"""Files beside the records: each student's feedback at once; gradebook, class page and exports at the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.archives import shown
from autograder.exercises import EXERCISES
from autograder.staff.classroom import exports
from autograder.staff.classroom.changes import Change
from autograder.staff.classroom.gradebook import Row, standing_rows, write_gradebook
from autograder.staff.classroom.policy import Policy
from autograder.staff.classroom.roster import Owner, Roster
from autograder.staff.classroom.standing import standings
from autograder.staff.classroom.store import Reports, safe_name
from autograder.staff.classroom.submissions import Found
from autograder.staff.files import replace_file
from autograder.staff.handins import Handin
from autograder.staff.pages import fingerprints, similarity
from autograder.staff.pages import write as pages
from autograder.staff.pages.classdata import Summary
from autograder.staff.pages.fingerprints import Prints
from autograder.staff.pages.roll import Roll, Standing
from autograder.staff.record import GRADED, Record


@dataclass(frozen=True)
class Klass:
    """All that is known of a class beside the records. found: the hand-ins, and what is none of them."""

    owners: Sequence[Owner]
    changes: dict[str, list[Change]]
    policy: Policy
    roster: Roster
    found: Found
    possible: float

    def notes(self) -> list[str]:
        """Sentences about hand-ins and people that do not fit together."""
        notes = []
        strangers = [owner.name for owner in self.owners if owner.person is None] if self.roster.people else []
        if strangers:
            notes.append(f"not on the roster: {_some(strangers)}")
        set_high = [c for changes in self.changes.values() for c in changes if (c.set or 0.0) > self.possible]
        notes += [
            f"line {c.line} of the changes sets the mark of {shown(c.student, 60)} to {c.set:g}, and {self.possible:g} are "
            "possible"
            for c in set_high
        ]
        alike: dict[str, list[str]] = {}
        for owner in self.owners:
            alike.setdefault(owner.key.lower(), []).append(owner.key)
        for keys in alike.values():
            if len(keys) > 1:
                notes.append(f"perhaps one student, but taken for {len(keys)}: {_some(keys)}; a roster decides")
        return notes


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(shown(name, 60) for name in names[:8]) + more


def after(reports: Reports, record: Record, name: str, folder: Path | None) -> None:
    """Write the feedback of one submission, and the fingerprints by which it is compared with others."""
    pages.write_feedback(record, reports.folder, name)
    found = fingerprints.fingerprint(folder) if folder else Prints()
    kept = {"digest": record["digest"], **found.as_json()}
    replace_file(_prints_path(reports, name), json.dumps(kept).encode())


def finish(reports: Reports, klass: Klass, name_of: Callable[[Handin], str]) -> list[str]:
    """Write gradebook, class page, exports and, once more, every feedback, so that all of it is of this version.

    name_of: a hand-in's name in the reports; empty for one that is not graded in this run. Returns remarks for staff.
    """

    def read(name: str) -> Record | None:
        return reports.read(name)[0]

    found = standings(klass.owners, klass.changes, klass.policy, bool(klass.roster.people), read, name_of)
    columns = [exercise.name for exercise in EXERCISES if exercise.points]

    def rows(some: Sequence[Standing]) -> Callable[[], Iterator[Row]]:
        return lambda: (row for one in some for row in standing_rows(one, read, klass.policy.missing))

    write_gradebook(reports.gradebook, rows(found), columns)
    # The students of a group handed in one work: it is like itself.
    first: dict[str, str] = {}
    owner = {a.name: first.setdefault(a.source, one.key) for one in found for a in one.attempts if a.name}
    similar = similarity.compare(dict(_fingerprints(reports, found)), owner=owner.__getitem__)
    sections = sorted({one.section for one in found if one.section})
    roll = Roll(
        tuple(found),
        tuple(klass.found.aside),
        klass.policy.describe(),
        bool(klass.roster.people),
        remarks=_remarks(klass, found),
        sections=tuple((section, safe_name(section)) for section in sections),
    )
    names = [attempt.name for one in found for attempt in one.attempts if attempt.name]
    records = ((name, record) for name in names if (record := read(name)))
    summaries = pages.write_reports(records, reports.folder, similar, roll)
    _write_sections(reports, roll, summaries, rows, columns, similar)
    return exports.write(
        reports.folder / "export", reports.feedback, list(zip(klass.owners, found)), klass.roster, klass.policy,
        klass.possible,
    )  # fmt: skip


def _remarks(klass: Klass, found: Sequence[Standing]) -> tuple[str, ...]:
    """Remarks for staff about the times of the hand-ins."""
    attempts = [attempt for one in found for attempt in one.attempts]
    by_file = sum(attempt.timed_by == "the file" for attempt in attempts)
    if klass.policy.due is None or not by_file:
        return ()
    return (
        f"{by_file} of {len(attempts)} times are those of the files. See that these are the times of handing in, and not of "
        "the download: unpack with a program that keeps them, or give the platform's zip itself.",
    )


def _write_sections(
    reports: Reports,
    roll: Roll,
    summaries: Sequence[Summary],
    rows: Callable[[Sequence[Standing]], Callable[[], Iterator[Row]]],
    columns: Sequence[str],
    similar: similarity.Similar,
) -> None:
    """A page and a gradebook for each section of the roster, below sections/."""
    folder = reports.folder / "sections"
    # A section that was renamed must not stay with its old marks.
    shutil.rmtree(folder, ignore_errors=True)
    for name, file in roll.sections:
        folder.mkdir(exist_ok=True)
        own = tuple(one for one in roll.standings if one.section == name)
        write_gradebook(folder / f"{file}.csv", rows(own), columns)
        part = replace(roll, standings=own, aside=(), section=name, remarks=(), sections=())
        pages.write_section(summaries, folder / f"{file}.html", similar, part)


def _prints_path(reports: Reports, name: str) -> Path:
    return reports.records / f"{name}.prints"


def _fingerprints(reports: Reports, found: Sequence[Standing]) -> Iterator[tuple[str, Prints]]:
    for name in [
        attempt.name for one in found for attempt in one.attempts if attempt.status == GRADED and attempt.name
    ]:
        record, _ = reports.read(name)
        try:
            kept = json.loads(_prints_path(reports, name).read_bytes())
            if record and kept["digest"] == record["digest"]:
                yield name, Prints.from_json(kept)
        except (OSError, ValueError, KeyError, TypeError):
            # Lost or damaged fingerprints suspect nobody; the next grading writes them anew.
            continue
