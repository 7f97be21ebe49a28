"""A class graded in parts on several machines: which hand-ins belong to a part, and how the parts become one again.

Part K of N lies in REPORTS/shards/K-of-N and is a folder of reports of its own, with a note (shard.json) of what it was
graded with. Students are spread over the parts by a hash of their names, so that later hand-ins move nobody.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.archives import CannotGrade, shown
from autograder.staff.classroom.store import Reports
from autograder.staff.files import as_json, replace_file
from autograder.staff.handins import Handin, open_handin
from autograder.staff.record import Record

FOLDER, NOTE = "shards", "shard.json"
MOST = 1000
# Files of a hand-in beside its record, by their endings.
BESIDE = (".prints", ".traceback.txt")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``of`` parts, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, student: str) -> bool:
        digest = hashlib.sha256(student.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def reports(self, whole: Reports) -> Reports:
        return Reports(whole.folder / FOLDER / f"{self.number}-of-{self.of}")


def parse(text: str) -> Shard:
    """The part in ``K/N``. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part; give K/N with K from 1 to N and N at most {MOST}, such as 2/4"
        )
    return Shard(int(found[1]), int(found[2]))


def class_seed(whole: Reports, given: int | None, notes: list[str]) -> int:
    """The class seed of all parts. Whichever part starts first draws it, while the others wait."""
    (whole.folder / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(whole.folder / FOLDER / ".seed.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        return whole.class_seed(given, notes)


def note(part: Reports, shard: Shard, seed: int, grader: str, handins: Iterable[Handin]) -> None:
    """Write down what a part is graded with. grader: its fingerprint. handins: those of the whole class."""
    about = {"shard": shard.number, "of": shard.of, "class_seed": seed, "grader": grader, "class": listing(handins)}
    replace_file(part.folder / NOTE, as_json(about))
    os.chmod(part.folder / NOTE, 0o600)


def listing(handins: Iterable[Handin]) -> str:
    """Hash of the names of a class's hand-ins."""
    names = sorted(f"{handin.student}\0{handin.version}\0{handin.source}" for handin in handins)
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:20]


def merge(
    whole: Reports, handins: Sequence[Handin], name_of: Callable[[Handin], str], owner_of: Callable[[Handin], str],
    grader: str,
) -> list[Record]:  # fmt: skip
    """Copy the records of all parts into the whole's folder; returns them. Raises CannotGrade if they are no whole.

    Nothing is copied unless every part is there and finished, of this class, this grader and its options, and one seed.
    """
    notes = _notes(whole)
    _agree(whole, notes, grader, listing(handins))
    found: list[tuple[Record, Reports, str]] = []
    missing: dict[Shard, list[Handin]] = {}
    for handin in handins:
        shard = next(part for part in notes if part.has(owner_of(handin)))
        part, name = shard.reports(whole), name_of(handin)
        record, _ = part.read(name)
        if record is None or not _is_of(record, handin, grader):
            missing.setdefault(shard, []).append(handin)
        else:
            found.append((record, part, name))
    for shard, left in missing.items():
        raise CannotGrade(
            f"Part {shard} is not finished: {len(left)} of its hand-ins have no record or were changed since, such as "
            f"{shown(left[0].source, 60)}. Run it again, then merge."
        )
    for record, part, name in found:
        for ending in BESIDE:
            beside = part.records / f"{name}{ending}"
            if beside.is_file():
                replace_file(whole.records / beside.name, beside.read_bytes())
        whole.write(name, record)
    return [record for record, _, _ in found]


def _is_of(record: Record, handin: Handin, grader: str) -> bool:
    """True for the record of this very hand-in by this grader."""
    same = (record["student"], record["version"], record["source"]) == (handin.student, handin.version, handin.source)
    return same and record["grader"] == grader and record["digest"] == open_handin(handin.path).digest


def _notes(whole: Reports) -> dict[Shard, dict[str, Any]]:
    """The notes of all parts. Raises CannotGrade if one is missing or cannot be read."""
    folder = whole.folder / FOLDER
    notes: dict[Shard, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"*/{NOTE}")):
        try:
            data = json.loads(path.read_bytes())
            shard = parse(f"{data['shard']}/{data['of']}")
            notes[shard] = {key: data[key] for key in ("class_seed", "grader", "class")}
        except (ValueError, KeyError, TypeError, RecursionError, argparse.ArgumentTypeError):
            raise CannotGrade(f"{path} is damaged. Run this part again.") from None
        if shard.reports(whole).folder != path.parent:
            raise CannotGrade(f"{path.parent} holds part {shard}. Give it back its name, {shard.number}-of-{shard.of}.")
    if not notes:
        raise CannotGrade(f"{folder} holds no parts. Grade each with --shard K/N and the same --out.")
    numbers = sorted({shard.of for shard in notes})
    if len(numbers) > 1:
        raise CannotGrade(
            f"{folder} holds parts of {' and of '.join(map(str, numbers))}. Remove those that do not belong together."
        )
    missing = [str(shard) for number in range(numbers[0]) if (shard := Shard(number + 1, numbers[0])) not in notes]
    if missing:
        raise CannotGrade(f"Part {', '.join(missing)} is missing in {folder}. Grade it, or copy it there, then merge.")
    return notes


def _agree(whole: Reports, notes: dict[Shard, dict[str, Any]], grader: str, of_class: str) -> None:
    """Raise CannotGrade where parts were graded with other seeds or graders, or hold another class."""
    first = next(iter(notes))
    kept = json.loads(whole.seed_file.read_bytes())["class_seed"] if whole.seed_file.is_file() else None
    for shard, about in notes.items():
        if about["class_seed"] != notes[first]["class_seed"]:
            raise CannotGrade(f"Parts {first} and {shard} have different class seeds. Grade both with the same --seed.")
        if kept is not None and about["class_seed"] != kept:
            raise CannotGrade(
                f"Part {shard} has another class seed than {whole.seed_file}. Grade the parts with the same --seed."
            )
        if about["grader"] != grader:
            raise CannotGrade(
                f"Part {shard} was graded by another version of the grader, of its exercises or of Python and NumPy, or "
                "with other options. Merge with the same ones, or grade it again."
            )
        if about["class"] != of_class:
            raise CannotGrade(
                f"Part {shard} was graded with other hand-ins than those of this class. Run it again, then merge."
            )
