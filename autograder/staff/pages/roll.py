"""The standing of students, as the pages show it: attempts, the one that counts, and the final mark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One hand-in of a student.

    name: its file name in the reports, or empty if it is not graded. time: in the zone of the class, or empty. timed_by:
    where the time is from. total: marks of the grading, or None without a mark. days_late: days begun after the deadline;
    slip_days of them cost nothing. lost: marks that lateness costs. closed: too late to be worth anything. mark: what
    remains. doubtful: the platform says that it was late, and the time says that it was not.
    """

    name: str
    source: str
    version: int
    time: str
    timed_by: str
    status: str
    total: float | None
    days_late: int
    slip_days: float
    lost: float
    closed: bool
    mark: float | None
    doubtful: bool

    @property
    def lateness(self) -> str:
        """Days late and what they cost, in words; empty if it was on time."""
        if not self.days_late:
            return ""
        days = f"{self.days_late} day{'s' * (self.days_late != 1)} late"
        slip = f", {self.slip_days:g} of them slip days" if self.slip_days else ""
        cost = (
            ", too late to count"
            if self.closed
            else f", {self.lost:g} mark{'s' * (self.lost != 1)} off"
            if self.lost
            else ""
        )
        return f"{days}{slip}{cost}"


@dataclass(frozen=True)
class Standing:
    """A student: key (unique in the class), attempts, the number of the one that counts, and the final mark.

    mark: None if there is none (yet). changes: manual changes in words. on_roster: False for a student who is not on it.
    """

    key: str
    name: str
    section: str = ""
    on_roster: bool = True
    attempts: tuple[Attempt, ...] = ()
    counts: int | None = None
    mark: float | None = None
    changes: tuple[str, ...] = ()

    @property
    def counted(self) -> Attempt | None:
        return None if self.counts is None else self.attempts[self.counts]


@dataclass(frozen=True)
class Roll:
    """The class as a whole.

    aside: files that are no hand-ins, each with the reason. rules: those for late hand-ins in words. has_roster: False
    without one, where nobody can be missing. section: the section that this roll is of, or empty for everybody. sections: all
    sections, each with the name of its files. remarks: sentences for staff.
    """

    standings: tuple[Standing, ...] = ()
    aside: tuple[tuple[str, str], ...] = ()
    rules: str = ""
    has_roster: bool = False
    section: str = ""
    remarks: tuple[str, ...] = ()
    sections: tuple[tuple[str, str], ...] = ()
