"""Hand-ins of a class: found in a folder, or in the zip that a platform's download is.

Each file of the folder becomes a hand-in, or a part of one, or is listed with the reason why it is neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo
from pathlib import Path

from autograder.archives import CannotGrade, shown
from autograder.staff.classroom import gradescope
from autograder.staff.classroom.names import CANVAS, GRADESCOPE, Name, parse
from autograder.staff.classroom.times import moment
from autograder.staff.handins import Handin, is_archive, same_student

# Left by operating systems, and no work of anybody.
JUNK = {".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini", ".localized"}
BY_PLATFORM, BY_FILE = "the platform", "the file"
MOST_MEMBERS, MOST_UNPACKED = 50_000, 8 << 30
MOST_ENTRIES = 2000
# Bytes of one name on the usual file systems.
MOST_NAME = 255


@dataclass
class Found:
    """The hand-ins of a folder, each student's versions in order, and what is none of them, with the reason."""

    handins: list[Handin] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)

    def put_aside(self, source: str, reason: str) -> None:
        self.aside.append((source, reason))

    def notes(self) -> list[str]:
        """Sentences about what was put aside, one for each reason."""
        of: dict[str, list[str]] = {}
        for source, reason in self.aside:
            of.setdefault(reason, []).append(shown(source, 60))
        return [
            f"{reason}: {', '.join(names[:8])}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            for reason, names in of.items()
        ]


@contextlib.contextmanager
def opened(given: Path, scratch: Path, local: tzinfo = timezone.utc) -> Iterator[Path]:
    """The folder of the hand-ins: the given one, or, where a zip is given, an empty scratch folder with its files.

    A folder that holds nothing but another folder, as many downloads do, gives that one. Raises CannotGrade.
    """
    folder = given
    if given.is_file():
        if not zipfile.is_zipfile(given):
            raise CannotGrade(f"{given} is neither a folder nor a zip. Give the folder that holds the submissions.")
        _unpack(given, scratch, local)
        folder = scratch
    elif not given.is_dir():
        missing = "is no folder" if given.exists() else "does not exist"
        raise CannotGrade(f"{given} {missing}. Give the folder that holds the submissions, one archive or folder each.")
    inside = [entry for entry in folder.iterdir() if entry.name not in JUNK]
    # The folder of one student holds code or an archive; that of a download holds submissions.
    if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() and _is_download(inside[0]):
        folder = inside[0]
    if (folder / "mytorch").is_dir():
        raise CannotGrade(f"{given} is a submission itself. Give the folder that holds the submissions.")
    yield folder


def _is_download(folder: Path) -> bool:
    entries = [entry for entry in folder.iterdir() if entry.name not in JUNK]
    several = sum(is_archive(entry.name) or parse(entry.name).platform != "" for entry in entries) > 1
    return several or (folder / gradescope.METADATA).is_file()


def _unpack(archive: Path, into: Path, local: tzinfo) -> None:
    """Write the plain files of a download's zip below an empty folder, with their times. Raises CannotGrade."""
    into.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_UNPACKED:
                raise CannotGrade(f"{archive} is too large for a download. Unpack it, and give the folder.")
            for member in members:
                parts = [part for part in _name_of(member).split("/") if part not in ("", ".")]
                kind = stat.S_IFMT(member.external_attr >> 16)
                if ".." in parts or not parts or kind not in (0, stat.S_IFREG):
                    raise CannotGrade(
                        f"{archive} holds {shown(member.filename)!r}, which no download does. Unpack it, look at it, and "
                        "give the folder."
                    )
                target = into.joinpath(*map(_fitting, parts))
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, open(target, "xb") as file:
                    while piece := source.read(1 << 20):
                        file.write(piece)
                with contextlib.suppress(ValueError):
                    written = datetime(*member.date_time, tzinfo=local).timestamp()
                    os.utime(target, (written, written))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, UnicodeError) as error:
        raise CannotGrade(f"{archive} cannot be read ({error}). Download it again, or unpack it yourself.") from None
    except FileExistsError as error:
        raise CannotGrade(
            f"{archive} holds {Path(error.filename).name!r} twice. Unpack it, and give the folder."
        ) from None


def _fitting(name: str) -> str:
    """The name of a file or folder, its middle replaced by a hash if it has more bytes than file systems take.

    What platforms say stands at a name's beginning and end: the student before, the file's ending behind.
    """
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= MOST_NAME:
        return name
    middle = f"-{hashlib.sha256(data).hexdigest()[:10]}-"
    half = (MOST_NAME - len(middle)) // 2
    return f"{data[:half].decode('utf-8', 'ignore')}{middle}{data[-half:].decode('utf-8', 'ignore')}"


def _name_of(member: zipfile.ZipInfo) -> str:
    """The path of a member. Macs write UTF-8 without the flag that says so, and zipfile takes it for code page 437."""
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            return member.filename.encode("cp437").decode("utf-8")
    return member.filename


def find(folder: Path, local: tzinfo = timezone.utc) -> Found:
    """All hand-ins below a folder. local: the time zone of times without one. Raises CannotGrade if there are none."""
    exported = gradescope.read(folder)
    found = Found()
    entries: dict[str, list[tuple[Path, Name]]] = {}
    for path in sorted(folder.iterdir()):
        if path.name in exported:
            found.handins += _from_gradescope(path, exported[path.name], local, found)
        elif path.name in JUNK or path.name.startswith("._") or (exported and path.name == gradescope.METADATA):
            continue
        elif (name := _named(path)) is None:
            found.put_aside(path.name, "no hand-in: hidden, or no archive or folder")
        else:
            # A download of Canvas holds one attempt, of which each file may have a number of its own.
            version = "" if name.platform == CANVAS else name.version
            entries.setdefault(f"{same_student(name.student)}/{version}", []).append((path, name))
    for gone in sorted(exported.keys() - {path.name for path in folder.iterdir()}):
        found.put_aside(gone, f"named in {gradescope.METADATA}, but not there")
    for same in entries.values():
        found.handins += _of_one_attempt(same, found)
    if not found.handins:
        raise CannotGrade(
            f"{folder} holds no submissions ({len(found.aside)} other files). Give the folder with the archives (.tar, "
            ".tar.gz, .zip) or folders, one for each student, or the zip that the platform gave you."
        )
    found.handins = _one_for_each_version(found)
    return found


def newest(handins: Iterable[Handin]) -> list[Handin]:
    """The last version of each student, where no roster says which spellings are one student."""
    last = {same_student(handin.student): handin for handin in handins}
    return list(last.values())


def _named(path: Path) -> Name | None:
    """The parts of a name that may be a hand-in's; None for another file."""
    if path.name.startswith("."):
        return None
    name = parse(path.name)
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode) or is_archive(path.name) or name.platform or name.version or _begins_like_one(path, mode):
        return name
    return None


def _of_one_attempt(entries: list[tuple[Path, Name]], found: Found) -> list[Handin]:
    """The hand-ins among a student's entries of one attempt: archives and folders, else the first of the loose files."""
    whole = [(path, name) for path, name in entries if name.is_file and (_is_folder(path) or _looks_packed(path))]
    # A student who handed in loose files has handed in, and reads on the page what is wrong with that.
    chosen = whole or entries[:1]
    for path, name in entries:
        if (path, name) not in chosen:
            found.put_aside(path.name, f"beside the hand-in of {shown(name.student, 60)}")
    return [handin for path, name in chosen for handin in _handins(path, name, found)]


def _handins(path: Path, name: Name, found: Found) -> list[Handin]:
    """The hand-ins in one file or folder. A folder may hold several archives, each an attempt."""
    made = Handin(
        name.student, name.version, path, path.name, None, BY_FILE, name.platform, name.person, "", name.number,
        name.prefix, name.late,
    )  # fmt: skip
    inside = _archives_in(path, found) if _is_folder(path) else []
    made = replace(made, time=_time(path))
    return [
        replace(made, path=one, source=f"{path.name}/{one.name}", time=_time(one)) for one in inside
    ] or [made]  # fmt: skip


def _from_gradescope(path: Path, entry: gradescope.Entry, local: tzinfo, found: Found) -> list[Handin]:
    """A hand-in for each submitter of a submission, as a group hands in once."""
    time = moment(entry.created, local)
    made = []
    for who in entry.submitters or [{}]:
        student = who.get("email") or who.get("sid") or who.get("name") or path.name
        person = who.get("name", "")
        for handin in _handins(path, Name(student, 0, GRADESCOPE, person, who.get("sid", "")), found):
            known = replace(handin, email=who.get("email", ""))
            made.append(replace(known, time=time, timed_by=BY_PLATFORM) if time else known)
    return made


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _looks_packed(path: Path) -> bool:
    return is_archive(path.name) or _begins_like_one(path, path.lstat().st_mode)


def _archives_in(folder: Path, found: Found) -> list[Path]:
    """The archives in a student's folder, as in alice/handin.tar; none where the folder holds the code itself."""
    try:
        inside = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    except OSError:
        # The error is reported when this submission is graded, and stops no other.
        return []
    inside = [entry for entry in inside if entry.name not in JUNK]
    archives = [entry for entry in inside if is_archive(entry.name) and stat.S_ISREG(entry.lstat().st_mode)]
    if not archives or any(_is_folder(entry) for entry in inside):
        return []
    for entry in inside:
        if entry not in archives and f"{folder.name}/{entry.name}" not in {source for source, _ in found.aside}:
            found.put_aside(f"{folder.name}/{entry.name}", "beside an archive in a student's folder")
    return archives


def _time(path: Path) -> datetime | None:
    """When a file was changed last; of a folder, when the last of its files was."""
    status = path.lstat()
    seconds = status.st_mtime
    if stat.S_ISDIR(status.st_mode):
        inside = [
            os.lstat(os.path.join(top, name)).st_mtime
            for top, _, names in _bounded(os.walk(path, onerror=None))
            for name in names
        ]
        seconds = max(inside, default=seconds)
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _bounded(walk: Iterator[tuple[str, list[str], list[str]]]) -> Iterator[tuple[str, list[str], list[str]]]:
    left = MOST_ENTRIES
    for top, folders, names in walk:
        yield top, folders, names[: max(left, 0)]
        left -= 1 + len(names)
        if left < 0:
            return


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


def _one_for_each_version(found: Found) -> list[Handin]:
    """One source for each version of a student: an archive before a folder, then the one that was handed in last."""

    def rank(handin: Handin) -> tuple[bool, float, str]:
        return not _is_folder(handin.path), handin.time.timestamp() if handin.time else 0.0, handin.source

    groups: dict[tuple[str, int], list[Handin]] = {}
    for handin in found.handins:
        groups.setdefault((same_student(handin.student), handin.version), []).append(handin)
    for several in groups.values():
        several.sort(key=rank)
        for other in several[:-1]:
            last = shown(several[-1].source, 60)
            found.put_aside(
                other.source, f"another file of {shown(other.student, 60)} for the same version; {last} counts"
            )
    return [groups[key][-1] for key in sorted(groups)]
