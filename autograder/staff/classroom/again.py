"""``grade --again STUDENT``: grades a submission once more with its recorded seeds and compares the results."""

from __future__ import annotations

import difflib
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from autograder.archives import CannotGrade, shown, write
from autograder.staff.classroom.store import Reports
from autograder.staff.classroom.submissions import find, opened
from autograder.staff.handins import open_handin, same_student
from autograder.staff.isolation import claims
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE, Record


def again(record: Record, submissions: Path, fingerprint: str,
          make_grader: Callable[[], AbstractContextManager[Any]]) -> int:  # fmt: skip
    """Grade once more and print the differences. Returns 0 for the same result, 1 for another result or another hand-in.

    record: from record_of. fingerprint and make_grader: of the present grader. Writes nothing. Raises CannotGrade.
    """
    who = shown(record["student"]) + (f" (version {record['version']})" if record["version"] else "")
    with claims.scratch() as scratch, opened(submissions, scratch) as folder:
        handin = next((h for h in find(folder).handins if h.source == record["source"]), None)
        if handin is None:
            raise CannotGrade(
                f"{shown(record['source'])}, which was graded for {who}, is not in {submissions} any more."
            )
        now = open_handin(handin.path)
    if now.digest != record["digest"]:
        print(
            f"{who}: the hand-in has changed since it was graded, so there is nothing to compare. Grade the class again."
        )
        return 1
    if record["status"] == GRADER_ERROR:
        print(f"{who}: the record is a {GRADER_ERROR}, no mark. Grade the class again.")
        return 1
    changed = fingerprint != record["grader"]
    found: dict[str, Any] = {"exercises": [], "checks": [], "total": 0.0, "possible": record["possible"]}
    status = GRADED
    try:
        contents = now.contents()
    except CannotGrade as error:
        status = UNREADABLE
        print(f"{who}: {error}")
    else:
        try:
            with claims.scratch() as scratch, make_grader() as grader:
                write(contents.files, scratch)
                found = grader.grade(scratch, (record["seed"], record["hidden_seed"]))
        except Exception:
            traceback.print_exc()
            print(f"{who}: {GRADER_ERROR}: the grader itself failed, so nothing was compared.", file=sys.stderr)
            return 1
    if changed:
        print("The grader, its options or its Python have changed since the record was made.")
    lines = differences({**record, "status": status, **found}, record)  # type: ignore[typeddict-item]
    if not lines:
        print(f"{who}: the same, {record['total']:g} / {record['possible']:g} (seed {record['seed']}).")
        return 0
    print(f"{who}: another result.")
    print("\n".join(f"  {line}" for line in lines))
    return 1


def differences(now: Record, before: Record) -> list[str]:
    """Differences of two gradings of one submission in status, marks and hints; times and texts don't count."""
    lines = []
    if now["status"] != before["status"]:
        lines.append(f"status: was {before['status']}, is {now['status']}")
    if (now["total"], now["possible"]) != (before["total"], before["possible"]):
        was, got = (f"{r['total']:g} / {r['possible']:g}" for r in (before, now))
        lines.append(f"total: was {was}, is {got}")
    for title, told in (("exercise", _exercises), ("check", _checks)):
        old, new = told(before), told(now)
        for name in dict.fromkeys([*old, *new]):
            if old.get(name) != new.get(name):
                lines.append(
                    f"{title} {shown(name)}: was {old.get(name, 'not there')}, is {new.get(name, 'not there')}"
                )
    return lines


def _exercises(record: Record) -> dict[str, str]:
    return {e["name"]: f"{e['earned']:g} / {e['points']:g}" for e in record["exercises"]}


def _checks(record: Record) -> dict[str, str]:
    return {
        f"{c['exercise']}: {c['check']}": f"{c['status']} ({c['earned']:g}{', ' + c['hint'] if c['hint'] else ''})"
        for c in record["checks"]
    }


def record_of(student: str, reports: Reports) -> Record:
    """The record of a student's newest version, or the record in the file of this name. Raises CannotGrade."""
    if not reports.records.is_dir():
        raise CannotGrade(f"{reports.folder} holds no records. Give the --out of the run in which they were graded.")
    # Student, version and the file's name of each record; the records themselves may be large.
    found: list[tuple[str, int, str]] = []
    refused = ""
    for path in sorted(reports.records.glob("*.json")):
        record, reason = reports.read(path.stem)
        if record is None:
            refused = refused or reason
            if path.stem == student:
                raise CannotGrade(f"{reason}. Grade the class again; then it can be compared.")
            continue
        if path.stem == student:
            return record
        found.append((record["student"], record["version"], path.stem))
    wanted = same_student(student)
    names = {name for name, *_ in found}
    of = [one for one in found if same_student(one[0]) == wanted]
    # Capitals count only where they decide.
    of = of or [one for one in found if same_student(one[0]).lower() == wanted.lower()]
    if len(meant := sorted({shown(name) for name, *_ in of})) > 1:
        raise CannotGrade(f"{shown(student)} may be {' or '.join(meant[:3])}. Write it as one of these.")
    best = reports.read(max(of, key=lambda one: one[1])[2])[0] if of else None
    if best is None:
        short = {name.split("@")[0]: name for name in sorted(names)} | {name: name for name in names}
        close = difflib.get_close_matches(student, short, 6, 0.6)
        close += [name for name in sorted(names) if wanted and wanted.lower() in name.lower()]
        near = list(dict.fromkeys(short[found] for found in close))
        hint = f" Meant was perhaps {', '.join(shown(n) for n in near[:3])}." if near else " No name is like it."
        hint = f"{hint} Some records cannot be read: {refused}. Grade the class again." if refused else hint
        raise CannotGrade(f"No submission of {shown(student)} has been graded in {reports.folder}.{hint}")
    return best
