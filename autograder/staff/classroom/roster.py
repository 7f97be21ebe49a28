"""The roster: who is in the class, from a CSV of Canvas, Moodle or Gradescope or a simple one, and whose each hand-in is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path

from autograder.archives import CannotGrade, shown
from autograder.staff.classroom import tables
from autograder.staff.classroom.names import CANVAS, GRADESCOPE, MOODLE
from autograder.staff.classroom.times import moment
from autograder.staff.handins import Handin, same_student

# Names of the columns that are understood, by what they hold; a name that stands further left is preferred.
COLUMNS = {
    "email": ("email", "email address", "e-mail", "e-mail address", "mail"),
    "name": ("name", "full name", "student name"),
    "first": ("first name", "firstname", "given name"),
    "last": ("last name", "surname", "lastname", "family name"),
    "sorted": ("student",),
    "number": ("id", "identifier", "sid", "student id", "id number", "sis user id"),
    "login": ("login", "username", "user name", "sis login id", "login id", "andrew id"),
    "section": ("section", "sections", "section name", "group", "groups", "lab"),
    "slip": ("slip days", "grace days", "late days"),
    "time": ("last modified (submission)", "submitted at", "submission time"),
}  # fmt: skip
NUMBERS = ("id", "identifier", "sid", "student id", "id number", "sis user id")


@dataclass(frozen=True)
class Person:
    """One row of a roster. key: a name that no other row has. row: its cells as they stand in the file."""

    key: str
    name: str = ""
    email: str = ""
    numbers: tuple[str, ...] = ()
    login: str = ""
    section: str = ""
    slip_days: float | None = None
    time: datetime | None = None
    row: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The people of a class. platform: whose export it is, or empty. columns: as they stand in the file."""

    people: tuple[Person, ...] = ()
    platform: str = ""
    columns: tuple[str, ...] = ()


@dataclass
class Owner:
    """A student with the hand-ins. person: the row of the roster, or None for somebody who is not on it."""

    key: str
    name: str
    person: Person | None = None
    handins: list[Handin] = field(default_factory=list)


def read(path: Path, local: tzinfo) -> Roster:
    """The roster in a CSV file. Raises CannotGrade where it does not say who is in the class."""
    table = tables.read(path, "The roster")
    names = [tables.plain(column) for column in table.columns]
    at = {kind: next((names.index(n) for n in wanted if n in names), -1) for kind, wanted in COLUMNS.items()}
    platform = _platform(names)
    if all(at[kind] < 0 for kind in ("email", "name", "last", "sorted", "number", "login")):
        raise CannotGrade(
            f"The roster {path} has no column that names a student (it has {shown(', '.join(table.columns), 120)}). Name "
            "one of its columns email, name or id."
        )
    people: list[Person] = []
    seen: dict[str, int] = {}
    for line, cells in table.rows:
        person = _person(cells, at, names, local, f"{path.name}, line {line}")
        # Canvas has a row of possible marks below the columns, and a student for trying things out.
        if person is None or _is_no_student(platform, person):
            continue
        if person.key in seen:
            raise CannotGrade(
                f"The roster {path} has {shown(person.key)!r} twice (lines {seen[person.key]} and {line}). Give each "
                "student one line, with an email address or an id."
            )
        seen[person.key] = line
        people.append(person)
    if not people:
        raise CannotGrade(f"The roster {path} has columns, but no student below them.")
    of: dict[str, str] = {}
    for person in people:
        for number in person.numbers:
            if (other := of.setdefault(number, person.key)) != person.key:
                raise CannotGrade(
                    f"The roster {path} gives the id {shown(number)!r} to {shown(other)} and {shown(person.key)}."
                )
    return Roster(tuple(people), platform, tuple(table.columns))


def _platform(names: list[str]) -> str:
    if "student" in names and "id" in names and "section" in names:
        return CANVAS
    if "identifier" in names and "grade" in names:
        return MOODLE
    return GRADESCOPE if "sid" in names else ""


def _is_no_student(platform: str, person: Person) -> bool:
    words = person.name.lower()
    return platform == CANVAS and not person.numbers and words in ("points possible", "student, test", "test student")


def _person(cells: list[str], at: dict[str, int], names: list[str], local: tzinfo, where: str) -> Person | None:
    """The person in a row; None for a row that names nobody."""

    def cell(kind: str) -> str:
        return cells[at[kind]] if at[kind] >= 0 else ""

    name = cell("name") or " ".join(part for part in (cell("first"), cell("last")) if part) or cell("sorted")
    numbers = tuple(dict.fromkeys(_number(cells[names.index(n)]) for n in NUMBERS if n in names))
    numbers = tuple(number for number in numbers if number)
    key = (
        cell("email")
        or cell("login")
        or (f"{name} ({numbers[0]})" if name and numbers else name or "".join(numbers[:1]))
    )
    if not key:
        return None
    return Person(
        key=unicodedata.normalize("NFC", key),
        name=name,
        email=cell("email"),
        numbers=numbers,
        login=cell("login"),
        section=cell("section"),
        slip_days=_slip_days(cell("slip"), where),
        time=moment(cell("time"), local) if cell("time") not in ("", "-") else None,
        row=tuple(cells),
    )


def _number(text: str) -> str:
    """An id without Moodle's word for it."""
    return re.sub(r"(?i)^participant\s+", "", text.strip())


def _slip_days(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 365:
        raise CannotGrade(f"The slip days in {where}, are {shown(text)!r}. Give a number from 0 to 365.")
    return value


def owners(handins: Iterable[Handin], roster: Roster) -> list[Owner]:
    """Everybody of the roster, in its order, with the hand-ins, then those who are not on it.

    Without a roster each name of a hand-in is a student.
    """
    handins = list(handins)
    of = {person.key: Owner(person.key, person.name or person.key, person) for person in roster.people}
    found = _Finder(roster, handins)
    others: dict[str, Owner] = {}
    for handin in handins:
        person = found.person(handin)
        if person:
            timed = replace(handin, time=person.time, timed_by="the roster") if _has_time(person, handin) else handin
            of[person.key].handins.append(timed)
        else:
            key = same_student(handin.student)
            others.setdefault(key, Owner(key, handin.person or handin.student)).handins.append(handin)
    for owner in (*of.values(), *others.values()):
        owner.handins.sort(key=_order)
    return [*of.values(), *others.values()]


def _has_time(person: Person, handin: Handin) -> bool:
    # A worksheet has the time of the last submission, which is the only one that Moodle gives out.
    return person.time is not None and handin.platform == MOODLE


def _order(handin: Handin) -> tuple[int, float, str]:
    return handin.version, handin.time.timestamp() if handin.time else 0.0, handin.source


class _Finder:
    """Rows of a roster by each of the ways in which a hand-in may name one; a way that fits several rows names nobody."""

    def __init__(self, roster: Roster, handins: list[Handin]) -> None:
        people = roster.people
        self._exact = _index(people, lambda p: [p.key, p.email, p.login])
        self._folded = _index(people, lambda p: [p.key.lower(), p.email.lower(), p.login.lower()])
        self._number = _index(people, lambda p: p.numbers)
        self._local = _index(people, lambda p: [p.email.partition("@")[0].lower()])
        self._name = _index(people, lambda p: {squashed(p.name), squashed(_turned(p.name))})
        # Two hand-ins of one name are two students: their name alone says nothing.
        names: dict[str, set[str]] = {}
        for handin in handins:
            names.setdefault(squashed(handin.person or handin.student), set()).add(same_student(handin.student))
        self._common = {name for name, students in names.items() if len(students) > 1}
        self._by_number = {CANVAS, MOODLE} & {roster.platform}

    def person(self, handin: Handin) -> Person | None:
        student, email = same_student(handin.student), handin.email
        name = squashed(handin.person or student)
        ways = [
            self._exact.get(student), self._exact.get(email), self._folded.get(student.lower()),
            self._folded.get(email.lower()), self._number.get(handin.number), self._number.get(student),
        ]  # fmt: skip
        # Where the platform's own numbers are known, they decide, and a name does not.
        if not (handin.number and handin.platform in self._by_number):
            ways += [self._local.get(student.partition("@")[0].lower()) if "@" not in student else None]
            ways += [self._name.get(name) if name not in self._common else None]
        for found in ways:
            if found:
                return found[0] if len(found) == 1 else None
        return None


def _index(people: Iterable[Person], keys: Callable[[Person], Iterable[str]]) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for person in people:
        for key in dict.fromkeys(keys(person)):
            if key:
                found.setdefault(unicodedata.normalize("NFC", key), []).append(person)
    return found


def squashed(name: str) -> str:
    """The letters and digits of a name in lower case, as Canvas writes it in the names of files."""
    return "".join(letter for letter in unicodedata.normalize("NFC", name).lower() if letter.isalnum())


def _turned(name: str) -> str:
    """ "Smith, John" as "John Smith", and the other way round."""
    last, comma, first = name.partition(",")
    if comma:
        return f"{first.strip()} {last}"
    first, _, last = name.rpartition(" ")
    return f"{last} {first}"
