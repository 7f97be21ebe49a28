"""Hand-ins of a class in a folder: student, version and digest of each."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from autograder.archives import CannotGrade, Contents, file_bytes, from_bytes, from_folder, shown

ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".tbz", ".txz", ".tar", ".zip", ".7z", ".rar", ".gz")
# Autolab: <email>_<version>_<configured name>. A domain has no underscore, so the number after it is the version. Without
# an @, the last number is the version.
WITH_EMAIL = re.compile(r"(?P<student>[^@]+@[^@_]+)_(?P<version>\d{1,9})_(?P<rest>.+)", re.DOTALL)
WITHOUT = re.compile(r"(?P<student>.+)_(?P<version>\d{1,9})_(?P<rest>.*handin.*)", re.DOTALL)


@dataclass(frozen=True)
class Handin:
    """One submission. version: 0 if its name has none. source: its name below the folder of submissions."""

    student: str
    version: int
    path: Path
    source: str


@dataclass(frozen=True)
class Opened:
    """A submission's digest, and a function that reads its code and may raise CannotGrade."""

    digest: str
    contents: Callable[[], Contents]


def who(name: str, is_folder: bool = False) -> tuple[str, int]:
    """Student and version in the name of a file or folder."""
    found = WITH_EMAIL.fullmatch(name) or WITHOUT.fullmatch(name)
    if found:
        return found["student"], int(found["version"])
    ending = next((e for e in ARCHIVES if name.lower().endswith(e) and len(name) > len(e)), "")
    return name[: len(name) - len(ending)], 0


def same_student(student: str) -> str:
    """A student's name in lower case, in which spellings of one student agree.

    casefold would make one student of strauss and strau\u00df, and one of them would lose the work.
    """
    return unicodedata.normalize("NFC", student).lower()


def find(folder: Path) -> tuple[list[Handin], list[str]]:
    """All hand-ins, each student's versions in order, and notes about files that are passed over.

    Raises CannotGrade if the folder is none, is itself a submission or holds nothing to grade.
    """
    if not folder.is_dir():
        missing = "is no folder" if folder.exists() else "does not exist"
        raise CannotGrade(
            f"{folder} {missing}. Give the folder that holds the submissions, one archive or folder each."
        )
    if (folder / "mytorch").is_dir():
        raise CannotGrade(f"{folder} is a submission itself. Give the folder that holds the submissions.")
    found: list[Handin] = []
    ignored: list[str] = []
    for path in sorted(folder.iterdir()):
        handin = _handin(path)
        if handin:
            found.append(handin)
        elif not path.name.startswith(".") or is_archive(path.name):
            ignored.append(shown(path.name, 60))
    notes = []
    if ignored:
        more = f" and {len(ignored) - 8} more" if len(ignored) > 8 else ""
        notes.append(f"ignored, hidden or no archive or folder: {', '.join(ignored[:8])}{more}")
    if not found:
        raise CannotGrade(
            f"{folder} holds no submissions ({len(ignored)} other files). Give the folder with the archives (.tar, "
            ".tar.gz, .zip) or folders, one for each student."
        )
    kept = _one_for_each_version(found, notes)
    spellings: dict[str, dict[str, None]] = {}
    for handin in found:
        spellings.setdefault(same_student(handin.student), {})[unicodedata.normalize("NFC", handin.student)] = None
    for same in spellings.values():
        if len(same) > 1:
            notes.append(f"taken for one student: {', '.join(shown(name) for name in list(same)[:8])}")
    return kept, notes


def newest(handins: Iterable[Handin]) -> list[Handin]:
    """The last version of each student."""
    last = {same_student(handin.student): handin for handin in handins}
    return list(last.values())


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


def _handin(path: Path) -> Handin | None:
    name = path.name
    mode = path.lstat().st_mode
    if name.startswith(".") or name == "__MACOSX":
        return None
    student, version = who(name)
    if stat.S_ISDIR(mode):
        inside = _only_archive_in(path)
        return Handin(student, version, path / inside, f"{name}/{inside}" if inside else name)
    if is_archive(name) or version or _begins_like_one(path, mode):
        return Handin(student, version, path, name)
    return None


def _only_archive_in(folder: Path) -> str:
    """The single archive in a folder named after a student, as in alice/handin.tar; empty if there is none."""
    try:
        with os.scandir(folder) as scan:
            inside = list(islice((entry for entry in scan if not entry.name.startswith(".")), 2))
    except OSError:
        # The error is reported when this submission is graded, and stops no other.
        return ""
    only = len(inside) == 1 and is_archive(inside[0].name) and inside[0].is_file(follow_symlinks=False)
    return inside[0].name if only else ""


def is_archive(name: str) -> bool:
    """True for the name of an archive, of an unsupported kind too, which is reported when it is graded."""
    return name.lower().endswith(ARCHIVES)


def _begins_like_one(path: Path, mode: int) -> bool:
    """True for a file of another name whose content begins like an archive."""
    if not stat.S_ISREG(mode):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(262)
    except OSError:
        return False
    return head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04")) or head[257:262] == b"ustar"


def _one_for_each_version(found: list[Handin], notes: list[str]) -> list[Handin]:
    """One source for each version of a student: an archive before a folder, then the one that was changed last."""

    def rank(handin: Handin) -> tuple[bool, int, str]:
        status = handin.path.lstat()
        return not stat.S_ISDIR(status.st_mode), status.st_mtime_ns, handin.source

    groups: dict[tuple[str, int], list[Handin]] = {}
    for handin in found:
        groups.setdefault((same_student(handin.student), handin.version), []).append(handin)
    for several in groups.values():
        several.sort(key=rank)
        if len(several) > 1:
            others = ", ".join(shown(h.source, 60) for h in several[:-1])
            notes.append(
                f"{shown(several[-1].student)} handed in the same version more than once: "
                f"{shown(several[-1].source, 60)} counts, not {others}"
            )
    return [groups[key][-1] for key in sorted(groups)]
