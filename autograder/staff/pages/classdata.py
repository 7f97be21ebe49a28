"""Summaries of submissions, small enough to keep for a whole class, and the figures that follow from them."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.hints import HINTS
from autograder.staff.handins import same_student
from autograder.staff.pages.roll import Attempt, Roll, Standing
from autograder.staff.pages.similarity import Group, Pair, Similar
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE, Record

# Checks that ended without a value, by hint: these are no misconceptions about the subject.
TROUBLE = {
    "time": "ran into the time limit",
    "died": "the process ended in the middle of a check",
    "budget": "used up the time for the whole submission",
    "memory": "ran out of memory",
    "recursion": "called itself without end",
    "exit": "called exit",
    "interrupt": "interrupted the program",
    "malformed": "sent something that is no result",
    "not_installed": "imports a module that is not installed",
    "cannot_import": "a file could not be imported",
}
TODO = "todo"
NOTHING_SIMILAR = Similar()
MOST_REASON = 400


@dataclass(frozen=True)
class Summary:
    """One submission.

    name: its file name in the reports. hints: the exercises in which a check failed, by the hint that was given; practice:
    the same for checks without marks.
    """

    name: str
    student: str
    version: int
    source: str
    status: str
    reason: str
    total: float
    possible: float
    seconds: float
    seed: int
    level: tuple[str, ...]
    notes: tuple[str, ...]
    exercises: dict[str, tuple[float, float, bool]] = field(default_factory=dict)
    hints: dict[str, list[str]] = field(default_factory=dict)
    practice: dict[str, list[str]] = field(default_factory=dict)
    flags: tuple[tuple[str, str], ...] = ()


def summary(record: Record, name: str) -> Summary:
    """The summary of a record, about a kilobyte. name: the submission's file name in the reports."""
    hints: dict[str, list[str]] = {}
    practice: dict[str, list[str]] = {}
    open_failed = any(c["status"] in ("failed", "todo") and c["points"] and not c["hidden"] for c in record["checks"])
    for check in record["checks"]:
        # A mistake that fails an open exercise fails hidden ones too; its hint counts where the student can see it.
        if check["hidden"] and open_failed and check["hint"] not in TROUBLE:
            continue
        if check["hint"] and (check["status"] in ("failed", "todo") or check["hint"] == "budget"):
            exercises = (hints if check["points"] else practice).setdefault(str(check["hint"])[:60], [])
            if check["exercise"] not in exercises:
                exercises.append(check["exercise"])
    return Summary(
        name=name,
        student=str(record["student"])[:300],
        version=record["version"],
        source=str(record["source"])[:300],
        status=record["status"],
        reason=str(record["reason"])[:MOST_REASON],
        total=record["total"],
        possible=record["possible"],
        seconds=record["seconds"],
        seed=record["seed"],
        level=tuple(record["level"]),
        notes=tuple(str(note)[:MOST_REASON] for note in record["notes"][:10]),
        exercises={e["name"]: (e["earned"], e["points"], e["hidden"]) for e in record["exercises"]},
        hints=hints,
        practice=practice,
        flags=tuple((str(f.get("kind", "")), str(f.get("evidence", ""))[:MOST_REASON]) for f in record["flags"][:20]),
    )


class Class:
    """The summaries of a class, its figures and its roll.

    Without a roll each name is a student, of whom the newest version counts.
    """

    def __init__(self, summaries: Iterable[Summary] = (), roll: Roll | None = None) -> None:
        # The newest version of a student comes first.
        self.all = sorted(summaries, key=lambda s: (same_student(s.student), -s.version, s.student))
        self.roll = roll or _roll_of(self.all)
        standing = {one.name: s for s in self.roll.standings for one in s.attempts if one.name}
        place = {one.name: i for s in self.roll.standings for i, one in enumerate(s.attempts)}
        self.all = [one for one in self.all if one.name in standing]
        # The attempts of a student stand together, whatever their files are called.
        self.all.sort(key=lambda s: (standing[s.name].key.lower(), standing[s.name].key, -place[s.name]))
        self.student = {one.name: standing[one.name].key for one in self.all}
        self.standing = standing

    @property
    def counting(self) -> list[Summary]:
        """The submission of each student that counts."""
        of = {one.name: one for one in self.all}
        counted = [standing.counted for standing in self.roll.standings]
        return [of[one.name] for one in counted if one and one.name in of]

    @property
    def missing(self) -> list[Standing]:
        """Students of the roster who handed in nothing."""
        return [one for one in self.roll.standings if self.roll.has_roster and one.on_roster and not one.attempts]

    @property
    def strangers(self) -> list[Standing]:
        """Students who handed in and are not on the roster."""
        return [one for one in self.roll.standings if not one.on_roster]

    def of(self, status: str) -> list[Summary]:
        return [one for one in self.counting if one.status == status]

    @property
    def errors(self) -> list[Summary]:
        """Submissions that the grader failed on, of all versions: each of them has to be seen."""
        return [one for one in self.all if one.status == GRADER_ERROR]

    @property
    def possible(self) -> float:
        return max((one.possible for one in self.of(GRADED)), default=0.0)

    @property
    def mixed(self) -> bool:
        """True where submissions were graded with different exercises, so that their totals cannot be compared."""
        return len({one.possible for one in self.of(GRADED)}) > 1

    def statistics(self) -> dict[str, float | int | None]:
        """Of the graded submissions: their number, mean, median, quartiles, lowest, highest, and how many have full marks."""
        marks = [float(one.total) for one in self.of(GRADED)]
        if not marks:
            keys = ("mean", "median", "lower quartile", "upper quartile", "lowest", "highest", "full marks")
            return {"graded": 0, **dict.fromkeys(keys)}
        low, middle, high = statistics.quantiles(marks, n=4, method="inclusive") if len(marks) > 1 else marks * 3
        return {
            "graded": len(marks), "mean": round(statistics.fmean(marks), 2), "median": round(middle, 2),
            "lower quartile": round(low, 2), "upper quartile": round(high, 2), "lowest": min(marks),
            "highest": max(marks), "full marks": sum(one.total >= one.possible for one in self.of(GRADED)),
        }  # fmt: skip

    def exercises(self) -> list[dict[str, Any]]:
        """Per exercise that is worth marks: the mean, its share of the marks, and the share of students with full marks."""
        found: dict[str, list[tuple[float, float, bool]]] = {}
        for one in self.of(GRADED):
            for exercise, marks in one.exercises.items():
                found.setdefault(exercise, []).append(marks)
        rows = []
        for exercise, numbers in found.items():
            points = max(p for _, p, _ in numbers)
            if not points:
                continue
            mean = statistics.fmean(earned for earned, _, _ in numbers)
            full = sum(earned >= p for earned, p, _ in numbers)
            rows.append(
                {
                    "name": exercise, "points": points, "hidden": numbers[0][2], "students": len(numbers),
                    "mean": round(mean, 3), "share": mean / points, "full": full, "full share": full / len(numbers),
                }
            )  # fmt: skip
        return rows

    def hints(self, keys: Sequence[str] = (), practice: bool = False) -> list[dict[str, Any]]:
        """Hints with the students and exercises that they were given for, most students first.

        keys: the hints to count; without it, all that are misconceptions. practice: count the checks that have no marks
        instead of those that have.
        """
        students: dict[str, list[str]] = {}
        exercises: dict[str, Counter[str]] = {}
        for one in self.of(GRADED):
            for hint, where in (one.practice if practice else one.hints).items():
                if (hint in keys) if keys else (hint not in TROUBLE and hint != TODO):
                    students.setdefault(hint, []).append(one.name)
                    exercises.setdefault(hint, Counter()).update(where)
        order = sorted(students, key=lambda hint: (-len(students[hint]), hint))
        return [
            {
                "hint": hint, "sentence": sentence(hint), "students": len(students[hint]), "who": students[hint],
                "exercises": dict(exercises[hint].most_common()),
            }
            for hint in order
        ]  # fmt: skip

    def levels(self) -> list[tuple[tuple[str, ...], int]]:
        """Isolation levels that were reached, each with its number of submissions."""
        return Counter(one.level for one in self.all if one.status == GRADED).most_common()

    def pairs(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs of two different students of this class; of a section, those with one of its students."""
        of = self.student
        enough = 1 if self.roll.section else 2
        return [p for p in pairs if (p.a in of) + (p.b in of) >= enough and of.get(p.a, p.a) != of.get(p.b, p.b)]

    def groups(self, groups: Sequence[Group]) -> list[Group]:
        """The groups with somebody of this class in them."""
        return [group for group in groups if any(key in self.student for key in group.keys)]


def _roll_of(summaries: Sequence[Summary]) -> Roll:
    """The roll of a class of which nothing but the records is known. The newest version of a student comes first."""
    attempts: dict[str, list[Summary]] = {}
    for one in summaries:
        attempts.setdefault(same_student(one.student), []).append(one)
    return Roll(
        tuple(
            Standing(
                key=key, name=several[0].student, counts=len(several) - 1, mark=several[0].total,
                attempts=tuple(
                    Attempt(one.name, one.source, one.version, "", "", one.status, one.total, 0, 0, 0, False, one.total, False)
                    for one in reversed(several)
                ),
            )
            for key, several in attempts.items()
        )
    )  # fmt: skip


def sentence(hint: str) -> str:
    """A hint without the numbers of one submission."""
    text = HINTS.get(hint, hint)
    text = re.sub(r" \(about \{[^}]*\}\)", "", text).replace("{limit:g} seconds", "its time limit")
    return re.sub(r"\{\w*(?::[^}]*)?\}", "…", text)


def class_data(
    summaries: Iterable[Summary], similar: Similar = NOTHING_SIMILAR, roll: Roll | None = None
) -> dict[str, Any]:
    """The class page as plain JSON data."""
    klass = Class(summaries, roll)
    return {
        "format": 2,
        "submissions": len(klass.all),
        "students": len(klass.roll.standings),
        "possible": klass.possible,
        "statistics": klass.statistics(),
        "marks": sorted(float(one.total) for one in klass.of(GRADED)),
        "exercises": klass.exercises(),
        "misconceptions": klass.hints(),
        "misconceptions_in_practice": klass.hints(practice=True),
        "trouble": klass.hints(list(TROUBLE)),
        "not_implemented": klass.hints([TODO]),
        "unreadable": [{"name": one.name, "reason": one.reason} for one in klass.of(UNREADABLE)],
        "grader_errors": [{"name": one.name, "reason": one.reason} for one in klass.errors],
        "flags": [{"name": one.name, "kind": k, "evidence": e} for one in klass.all for k, e in one.flags],
        "levels": [{"level": list(level), "submissions": n} for level, n in klass.levels()],
        "missing": [one.key for one in klass.missing],
        "not_on_roster": [one.key for one in klass.strangers],
        "no_hand_ins": [{"file": file, "reason": reason} for file, reason in klass.roll.aside],
        "rules": klass.roll.rules,
        "final": [
            {
                "student": one.key, "name": one.name, "section": one.section, "mark": one.mark, "changes": list(one.changes),
                "counts": one.counted.name if one.counted else "", "late": one.counted.lateness if one.counted else "",
            }
            for one in klass.roll.standings
        ],
        "list": [
            {
                "name": one.name, "student": one.student, "version": one.version, "source": one.source,
                "status": one.status, "total": None if one.status == GRADER_ERROR else one.total,
                "possible": one.possible, "seconds": one.seconds, "seed": one.seed, "notes": list(one.notes),
            }
            for one in klass.all
        ],
        "same": [
            {"students": list(group.keys), "equal": group.equal, "least": group.least}
            for group in klass.groups(similar.groups)
        ],
        "similar": [
            {"a": p.a, "b": p.b, "score": p.score, "shared": [list(names) for names in p.shared]}
            for p in klass.pairs(similar.pairs)
        ],
        "oversize": [{"name": name, "note": note} for name, note in similar.notes if name in klass.student],
    }  # fmt: skip
