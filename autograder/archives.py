"""Code to grade in a hand-in: read from an archive or a folder, vetted, and written anew.

Only the Python files of mytorch/ and hw_bonus/ are kept. Nothing else of an archive reaches a disk: no link, no device, and
no module that Python would import instead of ours (numpy.py, sitecustomize.py, another autograder/).
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.members import FILE, FOLDER, MOST_BYTES, MOST_MEMBERS, Damaged, Member, TooLarge, members
from autograder.sources import StrangeEncoding, as_utf8

# Access is asked for the user that counts when a file is opened, where the system can.
EFFECTIVE = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
MOST_FILES = 1000
MOST_KEPT = 8 << 20
DEEPEST = 20
TOPS = ("mytorch", "hw_bonus")
KNOWN = ("mytorch/autograd_engine.py", "mytorch/nn/functional.py", "mytorch/nn/modules/activation.py")
# Folders that tools make. They hold no work of the student.
MADE_BY_TOOLS = {"__pycache__", "__MACOSX", "site-packages", "node_modules", "venv", "env"}
# Limits in bytes, as file systems count them: of one name, and of a member's whole path.
LONGEST_PART, LONGEST = 200, 1000
GOOD_PART = re.compile(r"[\w][\w .+()\-]{0,99}")
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# What means something to staff in the output on a platform. A lower-case letter is no hindrance to whoever reads it.
CONTROL = re.compile("GRADER_+ERROR", re.IGNORECASE)
PACK = "Pack it with create_tarball."


class CannotGrade(Exception):
    """A hand-in that cannot be graded. The message says what was given and what to do."""


@dataclass
class Contents:
    """The files to grade, by names such as mytorch/utils.py, and notes about what was left out."""

    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def shown(text: str, limit: int = 80) -> str:
    """Untrusted text made safe for a terminal or a page: one line, no control characters, limited length.

    Words that only the grader may say lose their underscore, so that staff who look for one find no planted one.
    """
    clean = text[: limit + 1]
    if not clean.isprintable():
        clean = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in clean)
    clean = CONTROL.sub(lambda found: found[0].replace("_", " "), clean)
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def from_bytes(data: bytes, name: str) -> Contents:
    """The code in an archive's bytes. name is for messages."""
    try:
        return _select(members(data), shown(name))
    except Damaged as error:
        raise CannotGrade(f"{shown(name)} cannot be read as an archive: {error}. {PACK}") from None
    except TooLarge as error:
        raise CannotGrade(f"{shown(name)} is too large for a hand-in: {error}. {PACK}") from None


def from_folder(folder: Path) -> Contents:
    """The code in a folder. Links in it are not followed."""
    try:
        return _select(_walk(folder), shown(folder.name))
    except TooLarge as error:
        raise CannotGrade(f"{shown(folder.name)} is too large for a hand-in: {error}. {PACK}") from None


def file_bytes(path: Path, follow: bool = True) -> bytes:
    """A regular file's bytes, at most MOST_BYTES. Never waits for a FIFO, nor reads a device.

    Raises CannotGrade for what is no regular file or too large, and OSError where the system refuses.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= 0 if follow else getattr(os, "O_NOFOLLOW", 0)
    # The kind is checked before opening as well, because opening a device can have effects.
    kind = _irregular(os.stat(path, follow_symlinks=follow).st_mode)
    if not kind:
        try:
            handle = os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            kind = "a symbolic link"
    if kind:
        raise CannotGrade(f"{shown(path.name)} is {kind}. Put the archive itself in its place.")
    with open(handle, "rb") as file:
        if _irregular(os.fstat(file.fileno()).st_mode):
            raise CannotGrade(f"{shown(path.name)} is no regular file. Put the archive itself in its place.")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise CannotGrade(f"{shown(path.name)} is too large for a hand-in: more than {MOST_BYTES >> 20} MiB. {PACK}")
    return data


def write(files: dict[str, bytes], into: Path) -> None:
    """Write vetted files below an empty folder."""
    for name, data in files.items():
        target = into.joinpath(*name.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            file.write(data)


def _irregular(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a folder" if stat.S_ISDIR(mode) else "a device or socket"


def _walk(top: Path) -> Iterator[Member]:
    """The members of a folder in the order of their names, like those of an archive."""
    seen = 0
    waiting: list[tuple[Path, str]] = [(top, "")]
    while waiting:
        folder, prefix = waiting.pop()
        entries = []
        if _closed(folder):
            if folder == top:
                raise CannotGrade(f"{shown(top.name)} cannot be read, because its own mode forbids it. {PACK}")
            yield Member(prefix, "folder whose mode forbids reading", _nothing)
            continue
        with os.scandir(folder) as scan:
            for entry in scan:
                seen += 1
                if seen > MOST_MEMBERS:
                    raise TooLarge(f"it holds more than {MOST_MEMBERS:,} files and folders")
                entries.append(entry)
        for entry in sorted(entries, key=lambda e: e.name):
            name, path = prefix + entry.name, folder / entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                if not _is_junk([entry.name]) and name.count("/") < DEEPEST and len(os.fsencode(name)) < LONGEST:
                    waiting.append((path, f"{name}/"))
            else:
                kind = FILE if stat.S_ISREG(mode) else _irregular(mode).split(" ", 1)[1]
                kind = "file whose mode forbids reading" if kind == FILE and _closed(path) else kind
                yield Member(name, kind, lambda path=path: file_bytes(path, follow=False))  # type: ignore[misc]


def _closed(path: Path) -> bool:
    """True for what this user may not read although he owns it: its mode is a part of the hand-in.

    What belongs to somebody else is a mistake in the setup of this machine, which no student is to blame for.
    """
    needed = os.R_OK | (os.X_OK if path.is_dir() else 0)
    return not os.access(path, needed, **EFFECTIVE) and path.lstat().st_uid == os.geteuid()


def _nothing() -> bytes:
    return b""


def _is_junk(parts: list[str]) -> bool:
    return any(part.startswith(".") or part in MADE_BY_TOOLS for part in parts)


class _LeftOut:
    """Names of what is left out, grouped by reason; a few of each are kept."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, reason: str, name: str) -> None:
        names = self._names.setdefault(reason, [])
        self._counts[reason] = self._counts.get(reason, 0) + 1
        if len(names) < 5:
            names.append(shown(name))

    def notes(self) -> list[str]:
        return [
            f"{reason}: {', '.join(names)}"
            + (f" and {more} more" if (more := self._counts[reason] - len(names)) else "")
            for reason, names in self._names.items()
        ]


def _select(found: Iterable[Member], name: str) -> Contents:
    left_out = _LeftOut()
    held: list[str] = []
    candidates: dict[str, bytes] = {}
    size = 0
    for member in found:
        if len(member.name) > 4 * LONGEST:
            # Splitting a name of a megabyte would cost more than reading the rest of the archive.
            left_out.add("left out, no part of what is graded", member.name)
            continue
        path = member.name.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or re.match("[A-Za-z]:", path):
            raise CannotGrade(f"{name} holds {shown(member.name)!r}, which lies outside of the folder. {PACK}")
        if member.kind == FOLDER or not parts or _is_junk(parts):
            continue
        if len(held) < 3:
            held.append("/".join(parts))
        if member.kind != FILE:
            left_out.add(f"left out, a {member.kind}", path)
        elif not parts[-1].endswith(".py") or not set(TOPS) & set(parts[:-1]) or len(parts) > DEEPEST:
            left_out.add("left out, no part of what is graded", path)
        else:
            key = "/".join(parts)
            if key in candidates:
                left_out.add("twice in the archive, and the last counts", path)
                size -= len(candidates[key])
            candidates[key] = member.data()
            size += len(candidates[key])
            if len(candidates) > MOST_FILES or size > MOST_KEPT:
                raise TooLarge(f"more than {MOST_FILES:,} Python files or {MOST_KEPT >> 20} MiB of them")
    root = _root(candidates, name, held)
    files = {}
    for key, data in candidates.items():
        inner = key[len(root) :]
        if not key.startswith(root) or inner.split("/")[0] not in TOPS:
            left_out.add("left out, no part of what is graded", key)
        elif not all(_is_good(part) for part in inner.split("/")) or len(inner.encode()) > LONGEST:
            left_out.add("left out for its name", key)
        else:
            try:
                files[inner], note = as_utf8(data)
            except StrangeEncoding as error:
                note = f"left out for its source encoding {shown(str(error), 40)}, which is none of plain text"
            if note:
                left_out.add(note, key)
    files = _without_collisions(files, left_out)
    return Contents(dict(sorted(files.items())), left_out.notes())


def _is_good(part: str) -> bool:
    short = bool(GOOD_PART.fullmatch(part)) and len(part.encode()) <= LONGEST_PART
    return short and not part.endswith((" ", ".")) and not WINDOWS_DEVICE.fullmatch(part)


def _root(candidates: Iterable[str], name: str, held: list[str]) -> str:
    """The prefix of the outermost folder that holds mytorch/."""
    ranks: dict[str, tuple[bool, int]] = {}
    for key in candidates:
        parts = key.split("/")
        for place, part in enumerate(parts[:-1]):
            if part == "mytorch":
                root = "".join(f"{p}/" for p in parts[:place])
                unknown = key[len(root) :] not in KNOWN
                ranks[root] = min(ranks.get(root, (True, place)), (unknown, place))
    if not ranks:
        holds = f"holds {', '.join(shown(h) for h in held)}" if held else "holds no files"
        raise CannotGrade(
            f"{name} holds no mytorch/ folder with Python files (it {holds}). Give the folder or handin.tar that does."
        )
    best = min(ranks.values())
    roots = sorted(root for root, rank in ranks.items() if rank == best)
    if len(roots) > 1:
        first, second = (shown(f"{root}mytorch/") for root in roots[:2])
        raise CannotGrade(f"{name} holds mytorch/ more than once ({first} and {second}). Hand in the one that counts.")
    return roots[0]


def _without_collisions(files: dict[str, bytes], left_out: _LeftOut) -> dict[str, bytes]:
    """One file for each set of names that differ in capitals alone: the lower-case name if there is one, else the first."""
    same: dict[str, list[str]] = {}
    for name in files:
        same.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    kept = {}
    for key, names in same.items():
        chosen = key if key in names else names[0]
        folders = [key[:place] for place, character in enumerate(key) if character == "/"]
        if any(folder in same for folder in folders):
            left_out.add("left out, its folder is a file as well", chosen)
            continue
        kept[chosen] = files[chosen]
        for other in names:
            if other != chosen:
                left_out.add(f"left out, only its case differs from {shown(chosen)}", other)
    return kept
