"""The declaration of a class, ``class.ini``: its roster, its deadline with the rules for late hand-ins, and its exports."""

from __future__ import annotations

import configparser
import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path

from autograder.archives import CannotGrade
from autograder.staff.classroom.times import moment, zone

LAST, BEST, LAST_ON_TIME = "last", "best", "last on time"
CHOICES = (LAST, BEST, LAST_ON_TIME)
MISSING = "missing"
DAY = 24 * 3600.0
# The keys of each section. All of them may be left out.
SECTIONS = {
    "class": ("roster", "changes", "time zone", "counts", "missing"),
    "late": ("due", "grace minutes", "percent per day", "slip days", "closes after days"),
    "export": ("canvas assignment",),
}


@dataclass(frozen=True)
class Policy:
    """The rules of a class. Without a class.ini there is no deadline, and the last hand-in counts.

    counts: the hand-in that counts. missing: the mark of who handed in nothing: 0, or the word "missing". percent: of the
    possible marks, for each day begun. slip_days: late days that cost nothing. closes: late days after which a hand-in is
    worth nothing.
    """

    roster: Path | None = None
    changes: Path | None = None
    zone: tzinfo = timezone.utc
    counts: str = LAST
    missing: str = MISSING
    due: datetime | None = None
    grace: timedelta = timedelta()
    percent: float = 0.0
    slip_days: float = 0.0
    closes: float = math.inf
    assignment: str = "MyTorch"

    @property
    def every_version(self) -> bool:
        """True where another hand-in than the newest may count, so that all of them are graded."""
        return self.counts != LAST or self.closes < math.inf

    def days_late(self, handed_in: datetime | None, extra_days: float = 0.0) -> int:
        """Days begun since the deadline, which extra days move; 0 within the grace minutes, or where no time is known."""
        if self.due is None or handed_in is None:
            return 0
        # Within one zone Python subtracts what the clocks show, and not what passed while they were changed.
        seconds = handed_in.timestamp() - self.due.timestamp() - extra_days * DAY
        return 0 if seconds <= self.grace.total_seconds() else max(math.ceil(seconds / DAY), 1)

    def describe(self) -> str:
        """The rules in words, for the class page; empty without a deadline."""
        if self.due is None:
            return ""
        words = [f"Due {self.due:%Y-%m-%d %H:%M} ({self.due.tzname()})"]
        if self.grace:
            words.append(f"{self.grace.total_seconds() / 60:g} minutes of grace")
        if self.percent:
            words.append(f"{self.percent:g} % of the possible marks for each day begun")
        if self.slip_days:
            words.append(f"{self.slip_days:g} slip days")
        if self.closes < math.inf:
            words.append(f"worth nothing after {self.closes:g} days")
        chosen = {LAST: "the last hand-in", BEST: "the best hand-in", LAST_ON_TIME: "the last hand-in on time"}
        return f"{'; '.join(words)}; {chosen[self.counts]} counts."


def read(path: Path | None) -> Policy:
    """The rules in a file; without a file, the usual ones. Raises CannotGrade for a file that does not make sense."""
    if path is None:
        return Policy()
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, inline_comment_prefixes=("#", ";"))
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=path.name)
    except OSError as error:
        raise CannotGrade(f"--class {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise CannotGrade(f"{path.name} is not UTF-8. Save it with this encoding.") from None
    except configparser.Error as error:
        raise CannotGrade(f"{path.name} cannot be read: {' '.join(str(error).split())}.") from None
    return _Reader(parser, path).policy()


class _Reader:
    """The values of a class.ini, and the sentences about those that make no sense."""

    def __init__(self, parser: configparser.ConfigParser, path: Path) -> None:
        self.parser, self.path = parser, path
        for section in parser.sections():
            if section not in SECTIONS:
                raise self.wrong(f"has a section [{section}]. There are {', '.join(f'[{name}]' for name in SECTIONS)}.")
            for key in parser[section]:
                if key not in SECTIONS[section]:
                    known = ", ".join(repr(name) for name in SECTIONS[section])
                    raise self.wrong(f"has {key!r} in [{section}], where there are {known}.")

    def wrong(self, words: str) -> CannotGrade:
        return CannotGrade(f"{self.path.name} {words}")

    def policy(self) -> Policy:
        local = zone(self.text("class", "time zone") or "UTC")
        due = self.text("late", "due")
        deadline = moment(due, local) if due else None
        if due and deadline is None:
            raise self.wrong(f"says due = {due!r}, which is no time. Write it as 2026-11-20 23:59.")
        if deadline and ":" not in due:
            # A date alone would be the first moment of that day.
            raise self.wrong(f"says due = {due!r}, a day without a time. Write it as 2026-11-20 23:59.")
        if deadline is None and (late := next(iter(self.parser["late"]), "") if "late" in self.parser else ""):
            raise self.wrong(f"has {late!r} in [late], but no deadline. Add due = 2026-11-20 23:59 there.")
        missing = self.text("class", "missing") or MISSING
        if missing not in ("0", MISSING):
            raise self.wrong(f"says missing = {missing!r}. Give 0 or {MISSING!r}.")
        counts = self.text("class", "counts") or LAST
        if counts not in CHOICES:
            raise self.wrong(f"says counts = {counts!r}. Give {', '.join(CHOICES[:-1])} or {CHOICES[-1]}.")
        if counts == LAST_ON_TIME and deadline is None:
            raise self.wrong(f"says counts = {counts}, but no deadline. Add due = 2026-11-20 23:59 in [late].")
        closes = self.text("late", "closes after days")
        return Policy(
            roster=self.file("roster"),
            changes=self.file("changes"),
            zone=local,
            counts=counts,
            missing=missing,
            due=deadline,
            grace=timedelta(minutes=self.number("grace minutes", 7 * 24 * 60)),
            percent=self.number("percent per day", 100),
            slip_days=self.number("slip days", 365),
            closes=self.number("closes after days", 365) if closes else math.inf,
            assignment=self.text("export", "canvas assignment") or "MyTorch",
        )

    def text(self, section: str, key: str) -> str:
        return self.parser.get(section, key, fallback="").strip()

    def file(self, key: str) -> Path | None:
        """A file's place, seen from the folder of the class.ini."""
        text = self.text("class", key)
        return self.path.parent / Path(text).expanduser() if text else None

    def number(self, key: str, most: float) -> float:
        text = self.text("late", key).removesuffix("%").strip()
        try:
            value = float(text or 0)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise self.wrong(f"says {key} = {text!r}. Give a number from 0 to {most:g}.")
        return value
