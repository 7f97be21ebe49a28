"""Manual changes of marks, from a CSV file that people keep: read anew in every run, so that they survive a new grading."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.archives import CannotGrade, shown
from autograder.staff.classroom import tables
from autograder.staff.classroom.roster import Owner

STUDENT, SET, ADD, DAYS, COMMENT, BY = COLUMNS = ("student", "set", "add", "extra days", "comment", "by")


@dataclass(frozen=True)
class Change:
    """One line. set: the final mark, or None. add: marks to add, which may be negative. days: more days until the deadline."""

    student: str
    set: float | None
    add: float
    days: float
    comment: str
    by: str
    line: int

    def describe(self) -> str:
        """The change, its reason and its author, as students may read it."""
        parts = [f"mark set to {self.set:g}"] if self.set is not None else []
        parts += [f"{self.add:+g} mark{'s' * (abs(self.add) != 1)}"] if self.add else []
        parts += [f"{self.days:g} more day{'s' * (self.days != 1)} until the deadline"] if self.days else []
        return f"{', '.join(parts)}: {self.comment} ({self.by})"


def read(path: Path) -> list[Change]:
    """The changes in a file. Raises CannotGrade for a line that does not say what, why and by whom."""
    table = tables.read(path, "The file of changes")
    names = [tables.plain(column) for column in table.columns]
    if odd := next((name for name in names if name not in COLUMNS), None):
        raise CannotGrade(f"{path.name} has a column {shown(odd)!r}. Its columns are {', '.join(COLUMNS)}.")
    if lacking := [name for name in (STUDENT, COMMENT, BY) if name not in names]:
        raise CannotGrade(f"{path.name} has no column {lacking[0]!r}. Its columns are {', '.join(COLUMNS)}.")
    return [_change(dict(zip(names, cells)), f"{path.name}, line {line},", line) for line, cells in table.rows]


def _change(cells: dict[str, str], where: str, line: int) -> Change:
    numbers = {name: _number(cells.get(name, ""), f"{where} says {name} =") for name in (SET, ADD, DAYS)}
    for name in (STUDENT, COMMENT, BY):
        if not cells[name]:
            raise CannotGrade(f"{where} has no {name}. A change needs a student, a comment and who made it.")
    if all(value is None for value in numbers.values()):
        raise CannotGrade(f"{where} changes nothing. Give a number for {SET}, {ADD} or {DAYS}.")
    if numbers[SET] is not None and numbers[ADD] is not None:
        raise CannotGrade(f"{where} both sets the mark and adds to it. Give one of the two.")
    for name in (SET, DAYS):
        if (numbers[name] or 0) < 0:
            raise CannotGrade(f"{where} says {name} = {cells[name]}. Give a number from 0 up.")
    return Change(
        cells[STUDENT], numbers[SET], numbers[ADD] or 0.0, numbers[DAYS] or 0.0, cells[COMMENT], cells[BY], line
    )  # fmt: skip


def _number(text: str, words: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1000:
        raise CannotGrade(f"{words} {shown(text)!r}, which is no number of marks or days.")
    return value


def by_owner(changes: Iterable[Change], owners: Iterable[Owner], file: str) -> dict[str, list[Change]]:
    """The changes by the keys of their students. Raises CannotGrade for a student who is not there, or who may be two."""
    owners = list(owners)
    found: dict[str, list[Change]] = {}
    for change in changes:
        key = owner_of(change.student, owners, f"{file}, line {change.line},").key
        found.setdefault(key, []).append(change)
        if sum(one.set is not None for one in found[key]) > 1:
            raise CannotGrade(f"{file} sets the mark of {shown(key)} twice. Keep one of the lines.")
    return found


def owner_of(student: str, owners: Iterable[Owner], where: str) -> Owner:
    """The one student who is meant by a key, an email address, a login, an id or a name. Raises CannotGrade.

    Each way is tried on everybody before the next one, and capitals count only where they decide.
    """
    owners = list(owners)
    ways = (
        lambda o: [o.key, *(h.student for h in o.handins)],
        lambda o: [o.person.email, o.person.login, *o.person.numbers] if o.person else [],
        lambda o: [o.name, *(h.person for h in o.handins), *(h.number for h in o.handins)],
        lambda o: [o.key.partition("@")[0]],
    )
    for way in ways:
        for form in (str, str.lower):
            fitting = [owner for owner in owners if form(student) in {form(name) for name in way(owner) if name}]
            if len(fitting) > 1:
                raise CannotGrade(
                    f"{where} names {shown(student)!r}, who may be {', '.join(shown(o.key) for o in fitting[:3])}. Write it "
                    "as one of these."
                )
            if fitting:
                return fitting[0]
    raise CannotGrade(
        f"{where} names {shown(student)!r}, who is neither on the roster nor handed in. Write the name as the gradebook does."
    )
