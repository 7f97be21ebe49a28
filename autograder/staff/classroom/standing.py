"""Final marks: of each student the hand-in that counts, after the rules for late ones and the manual changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autograder.grade import rounded
from autograder.staff.classroom.changes import Change
from autograder.staff.classroom.policy import BEST, LAST_ON_TIME, Policy
from autograder.staff.classroom.roster import Owner
from autograder.staff.handins import Handin
from autograder.staff.pages.roll import Attempt, Standing
from autograder.staff.record import GRADER_ERROR, Record


@dataclass(frozen=True)
class _Marked:
    """A hand-in with the marks that its record has, or None where it has no record or no mark."""

    handin: Handin
    name: str
    status: str
    total: float | None
    possible: float


def standings(owners: Iterable[Owner], changes: dict[str, list[Change]], policy: Policy, has_roster: bool,
              read: Callable[[str], Record | None], name_of: Callable[[Handin], str]) -> list[Standing]:  # fmt: skip
    """The standing of everybody. read: a record by its name in the reports; records are read one by one."""
    found = []
    for owner in owners:
        marked = []
        for handin in owner.handins:
            name = name_of(handin)
            record = read(name) if name else None
            has_mark = record is not None and record["status"] != GRADER_ERROR
            marked.append(
                _Marked(
                    handin, name if record else "", record["status"] if record else "not graded",
                    record["total"] if record and has_mark else None, record["possible"] if record else 0.0,
                )
            )  # fmt: skip
        found.append(_standing(owner, marked, changes.get(owner.key, []), policy, has_roster))
    return found


def _standing(owner: Owner, marked: list[_Marked], changes: list[Change], policy: Policy, has_roster: bool) -> Standing:
    person = owner.person
    slip = person.slip_days if person and person.slip_days is not None else policy.slip_days
    extra = sum(change.days for change in changes)
    attempts = [_attempt(one, policy, extra, slip) for one in marked]
    counts = _counting(attempts, policy)
    # A mark that is missing because the grader failed stays missing, unless a person sets it.
    mark = attempts[counts].mark if counts is not None else None
    wanted = next((change.set for change in changes if change.set is not None), None)
    added = sum(change.add for change in changes)
    if wanted is not None:
        mark = wanted
    elif added and (mark is not None or counts is None):
        mark = max((mark or 0.0) + added, 0.0)
    return Standing(
        key=owner.key,
        name=owner.name,
        section=person.section if person else "",
        on_roster=person is not None or not has_roster,
        attempts=tuple(attempts),
        counts=counts,
        mark=None if mark is None else rounded(mark),
        changes=tuple(change.describe() for change in changes),
    )


def _attempt(one: _Marked, policy: Policy, extra: float, slip: float) -> Attempt:
    handin = one.handin
    days = policy.days_late(handin.time, extra)
    free = min(float(days), slip)
    paid = days - free
    closed = paid > policy.closes
    mark, lost = one.total, 0.0
    if mark is not None:
        lost = mark if closed else min(one.possible * policy.percent * paid / 100, mark)
        mark = rounded(mark - lost)
    return Attempt(
        name=one.name,
        source=handin.source,
        version=handin.version,
        time=handin.time.astimezone(policy.zone).strftime("%Y-%m-%d %H:%M") if handin.time else "",
        timed_by=handin.timed_by,
        status=one.status,
        total=one.total,
        days_late=days,
        slip_days=rounded(free),
        lost=rounded(lost),
        closed=closed,
        mark=mark,
        # The platform knows when it was handed in; a file's time may be that of a copy.
        doubtful=policy.due is not None and handin.late and not policy.days_late(handin.time),
    )


def _counting(attempts: list[Attempt], policy: Policy) -> int | None:
    """The number of the attempt that counts; the last ones are preferred."""
    if not attempts:
        return None
    order = list(range(len(attempts)))
    open_ones = [i for i in order if not attempts[i].closed] or order
    if policy.counts == BEST:
        # What has no mark yet may be the best.
        return max(open_ones, key=lambda i: (attempts[i].mark if attempts[i].mark is not None else -1.0, i))
    if policy.counts == LAST_ON_TIME:
        return max([i for i in order if not attempts[i].days_late] or open_ones)
    return max(open_ones)
