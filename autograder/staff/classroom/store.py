"""The folder of reports: file names, records that survive a kill, the class seed, and a lock."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any, cast, get_origin, get_type_hints, is_typeddict

from autograder.archives import WINDOWS_DEVICE, CannotGrade
from autograder.feedback import CheckRecord
from autograder.staff.files import as_json, replace_file
from autograder.staff.record import FORMAT, GRADED, GRADER_ERROR, UNREADABLE, ExerciseRecord, Record

PLAIN = re.compile(r"[a-z0-9_@+][a-z0-9_@.+\-]{0,79}")
HASHED = re.compile(r".*-[0-9a-f]{10}", re.DOTALL)


def safe_name(name: str) -> str:
    """A file name without ending for a student's name; different names get different file names, on every system.

    Names of lower-case letters, digits and ``_ @ . + -`` stay the same. A changed name gets a hash of the whole name.
    """
    name = unicodedata.normalize("NFC", name)
    odd = WINDOWS_DEVICE.fullmatch(name) or HASHED.fullmatch(name) or name.endswith(".")
    if PLAIN.fullmatch(name) and not odd:
        return name
    clean = re.sub(r"[^A-Za-z0-9_@.+\-]+", "-", name)[:60].strip(".-")
    clean = f"student-{clean}" if WINDOWS_DEVICE.fullmatch(clean) else clean
    return f"{clean or 'student'}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"


class Reports:
    """The folder REPORTS and the places in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.feedback = folder / "feedback"
        self.gradebook = folder / "gradebook.csv"
        self.work = folder / ".work"
        self.seed_file = folder / "seed.json"

    def check(self, submissions: Path) -> None:
        """Raise CannotGrade if reports and submissions lie in each other or are swapped."""
        reports, given = self.folder.resolve(), submissions.resolve()
        if reports == given or given in reports.parents:
            raise CannotGrade(
                f"REPORTS ({self.folder}) lies in SUBMISSIONS ({submissions}), where it would be graded as a submission. "
                "Give a folder beside it."
            )
        if (submissions / self.seed_file.name).is_file() and (submissions / self.records.name).is_dir():
            # Swapped: records/ and feedback/ would be graded as students.
            raise CannotGrade(f"{submissions} is a folder of reports. Give the folder that holds the submissions.")
        for own in (self.records, self.feedback, self.work):
            if own.resolve() == given or own.resolve() in given.parents:
                raise CannotGrade(f"{submissions} is a folder of reports. Give the folder that holds the submissions.")
        if self.folder.exists() and not self.folder.is_dir():
            raise CannotGrade(f"--out {self.folder} is a file. Give a folder for the reports.")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, and clean up after a killed grader. Raises CannotGrade if another grader runs.

        lockf locks belong to the process: they end with it, and child processes do not inherit them.
        """
        import fcntl

        try:
            for folder in (self.folder, self.records, self.feedback):
                folder.mkdir(parents=True, exist_ok=True)
            # Records hold hidden exercises and other students' marks.
            os.chmod(self.records, 0o700)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotGrade(
                f"The reports cannot be written to {self.folder} ({error.strerror}). Give another --out."
            ) from None
        with os.fdopen(handle, "r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                other = file.read(20).strip()
                raise CannotGrade(
                    f"Another grader (process {other or 'unknown'}) is writing to {self.folder}. Wait for it, or give "
                    "another --out."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._clean()
            self.work.mkdir(mode=0o700)
            try:
                yield
            finally:
                shutil.rmtree(self.work, ignore_errors=True)

    def _clean(self) -> None:
        for folder in (self.folder, self.records, self.feedback):
            for left in folder.glob(".*.tmp"):
                left.unlink(missing_ok=True)
        if self.work.is_symlink():
            self.work.unlink()
        elif self.work.exists():
            shutil.rmtree(self.work)

    def class_seed(self, given: int | None, notes: list[str]) -> int:
        """The class seed: the given one, else the kept one, else a new one. It is saved before it is used."""
        kept: int | None = None
        if self.seed_file.exists():
            try:
                value = json.loads(self.seed_file.read_bytes())["class_seed"]
                if type(value) is not int or value < 0:
                    raise ValueError(value)
                kept = value
            except (ValueError, KeyError, TypeError, RecursionError):
                if given is None:
                    raise CannotGrade(
                        f"{self.seed_file} is damaged. Give the class seed with --seed, or delete the file to draw a new "
                        "one, with which everything is graded again."
                    ) from None
        if given is None and kept is not None:
            return kept
        if kept is None and given is None and any(self.records.glob("*.json")):
            notes.append(
                "seed.json is missing beside records: a new class seed is drawn, and everything is graded again"
            )
        if kept is not None and given not in (None, kept):
            notes.append(f"the class seed was {kept} and is {given} now: everything is graded again")
        chosen = secrets.randbits(59) if given is None else given
        if chosen != kept:
            data = {"class_seed": chosen, "since": now(), "about": "staff only: hidden exercises follow from it"}
            replace_file(self.seed_file, as_json(data))
            os.chmod(self.seed_file, 0o600)
        return chosen

    def record_path(self, name: str) -> Path:
        return self.records / f"{name}.json"

    def opened_path(self, name: str) -> Path:
        """The record of a submission whose hidden exercises are not graded yet."""
        return self.records / f"{name}.open"

    def read(self, name: str) -> tuple[Record | None, str]:
        """A record, or None and the reason why it cannot be used (empty where there is no file)."""
        return self._read(self.record_path(name))

    def read_opened(self, name: str) -> dict[str, Any] | None:
        """The record of the open exercises with the key ``learned``, or None."""
        record: Any = self._read(self.opened_path(name))[0]
        return record if record and isinstance(record.get("learned"), dict) else None

    def _read(self, path: Path) -> tuple[Record | None, str]:
        try:
            data = json.loads(path.read_bytes(), parse_constant=_refuse)
        except FileNotFoundError:
            return None, ""
        except (ValueError, RecursionError):
            return None, f"records/{path.name} is damaged"
        made_by = data.get("format") if isinstance(data, dict) else None
        if type(made_by) is int and made_by != FORMAT:
            return None, (
                f"records/{path.name} was written by another version of the grader (its format is {made_by}, and this "
                f"grader reads format {FORMAT})"
            )
        if not is_record(data):
            return None, f"records/{path.name} is no record of this version"
        return cast(Record, data), ""

    def write(self, name: str, record: Record) -> None:
        """Keep a record. Raises OSError where it cannot be written."""
        replace_file(self.record_path(name), as_json(record))
        self.opened_path(name).unlink(missing_ok=True)

    def write_opened(self, name: str, record: dict[str, Any]) -> None:
        """Keep the record of the open exercises until the hidden ones are graded. On one line, which is written fastest."""
        replace_file(self.opened_path(name), json.dumps(record, allow_nan=False).encode(), durable=False)

    def keep_traceback(self, name: str, text: str) -> None:
        """Keep a traceback of the grader beside the record, for staff. An empty text removes it."""
        path = self.records / f"{name}.traceback.txt"
        if text:
            replace_file(path, text.encode("utf-8", "replace"))
        else:
            path.unlink(missing_ok=True)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@cache
def _kinds(of: type) -> list[tuple[str, Any, bool]]:
    """The fields of a TypedDict with the types allowed in each, and True for a TypedDict. An int may stand for a float."""
    hints = {
        key: (int, float) if kind is float else get_origin(kind) or kind for key, kind in get_type_hints(of).items()
    }
    return [(key, kind, is_typeddict(kind)) for key, kind in hints.items()]


def _has(value: Any, of: type) -> bool:
    """True for parsed JSON that has every field of a TypedDict, each of its type."""
    if not isinstance(value, dict):
        return False
    return all(
        _has(value.get(key), kind) if nested else isinstance(value.get(key), kind) for key, kind, nested in _kinds(of)
    )


def is_record(data: Any) -> bool:
    """True for parsed JSON that is a Record of this version, down to the feedback of each check."""
    return (
        _has(data, Record)
        and data["format"] == FORMAT
        and data["status"] in (GRADED, UNREADABLE, GRADER_ERROR)
        and all(_has(exercise, ExerciseRecord) for exercise in data["exercises"])
        and all(_has(check, CheckRecord) for check in data["checks"])
        and all(isinstance(text, str) for text in data["notes"] + data["level"])
    )
