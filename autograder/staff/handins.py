"""A hand-in: whose it is, and its code and digest."""

from __future__ import annotations

import hashlib
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograder.archives import CannotGrade, Contents, file_bytes, from_bytes, from_folder

ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".tbz", ".txz", ".tar", ".zip", ".7z", ".rar", ".gz")


@dataclass(frozen=True)
class Handin:
    """One submission.

    student: a name that no other student of the class has. version: 0 if its name has none. source: its name below the
    folder of submissions. time: when it was handed in, by what timed_by says. platform, person, email, number, prefix and
    late: what the platform's export says (see classroom.names.Name).
    """

    student: str
    version: int
    path: Path
    source: str
    time: datetime | None = None
    timed_by: str = ""
    platform: str = ""
    person: str = ""
    email: str = ""
    number: str = ""
    prefix: str = ""
    late: bool = False


@dataclass(frozen=True)
class Opened:
    """A submission's digest, and a function that reads its code and may raise CannotGrade."""

    digest: str
    contents: Callable[[], Contents]


def same_student(student: str) -> str:
    """A student's name in the one form of Unicode in which equal names are equal.

    Capitals are kept: two files whose names differ in them may be of two students, and one of them would lose the work.
    A roster tells which spellings are one student.
    """
    return unicodedata.normalize("NFC", student)


def open_handin(path: Path) -> Opened:
    """Open a submission. The digest is empty if it cannot be opened as an archive or folder.

    Raises OSError if the system refuses to read it, which is no fault of the student.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            contents = from_folder(path)
            return Opened(digest_of(contents.files), lambda: contents)
        data = file_bytes(path, follow=False)
    except CannotGrade as error:
        return Opened("", _raiser(str(error)))
    return Opened(hashlib.sha256(data).hexdigest(), lambda: from_bytes(data, path.name))


def digest_of(files: dict[str, bytes]) -> str:
    """SHA-256 of the files in the order of their names: each name and content with its length."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        for part in (name.encode("utf-8", "surrogateescape"), data):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _raiser(message: str) -> Callable[[], Contents]:
    def contents() -> Contents:
        raise CannotGrade(message)

    return contents


def is_archive(name: str) -> bool:
    """True for the name of an archive, of an unsupported kind too, which is reported when it is graded."""
    return name.lower().endswith(ARCHIVES)
