"""The instructor's page: how the class did, what it got wrong, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograder.staff.pages.charts import histogram
from autograder.staff.pages.classdata import NOTHING_SIMILAR, TODO, TROUBLE, Class, Summary
from autograder.staff.pages.render import render
from autograder.staff.pages.roll import Roll
from autograder.staff.pages.similarity import Group, Pair, Similar, linked
from autograder.staff.pages.text import number
from autograder.staff.record import GRADED, UNREADABLE

MOST_MISCONCEPTIONS, MOST_IN_PRACTICE, MOST_GROUPS, MOST_PARTS, MOST_NOTES = 20, 6, 40, 6, 2


def class_page(summaries: Iterable[Summary], similar: Similar = NOTHING_SIMILAR, roll: Roll | None = None) -> str:
    """The HTML page of a class, or of the section that the roll is of. similar: by the submissions' names."""
    klass = Class(summaries, roll)
    marks = [one.total for one in klass.of(GRADED)]
    median = klass.statistics()["median"]
    misconceptions, practice = klass.hints(), klass.hints(practice=True)
    rarer = max(len(misconceptions) - MOST_MISCONCEPTIONS, 0) + max(len(practice) - MOST_IN_PRACTICE, 0)
    groups = linked(klass.pairs(similar.pairs))
    of = {one.name: one for one in klass.all}
    standings = klass.roll.standings
    view = {
        "section": klass.roll.section,
        "above": "../" if klass.roll.section else "",
        "errors": klass.errors,
        "facts": _facts(klass),
        "rules": klass.roll.rules,
        "sections": klass.roll.sections,
        "remarks": klass.roll.remarks,
        "mixed": klass.mixed,
        "several_versions": len(klass.all) > len(klass.counting),
        "graded": len(marks),
        "possible": klass.possible,
        "median": median,
        "chart": histogram(marks, klass.possible, median) if marks else None,
        "exercises": klass.exercises(),
        "misconceptions": misconceptions[:MOST_MISCONCEPTIONS],
        "in_practice": practice[:MOST_IN_PRACTICE],
        "rarer": rarer,
        "trouble": _trouble(klass),
        "unreadable": klass.of(UNREADABLE),
        "flags": [(one, kind, evidence) for one in klass.all for kind, evidence in one.flags],
        "doubtful": [one for one in standings for attempt in one.attempts if attempt.doubtful],
        "missing": klass.missing,
        "strangers": [(one, of.get(one.counted.name) if one.counted else None) for one in klass.strangers],
        "changed": [one for one in standings if one.changes],
        "aside": klass.roll.aside,
        "same": [_same(of, group) for group in klass.groups(similar.groups)[:MOST_GROUPS]],
        "more_same": max(len(klass.groups(similar.groups)) - MOST_GROUPS, 0),
        "groups": [_group(of, group) for group in groups[:MOST_GROUPS]],
        "more_groups": max(len(groups) - MOST_GROUPS, 0),
        "oversize": [(of[name], note) for name, note in similar.notes if name in of],
        "final": any(one.counted and one.mark != one.counted.total for one in standings),
        "students": [_row(klass, one) for one in klass.all],
        "levels": [(", ".join(level) or "none", count) for level, count in klass.levels()],
        "seconds": round(sum(one.seconds for one in klass.all), 1),
    }
    return render("class.html", view)


def _facts(klass: Class) -> list[tuple[str, str]]:
    """The figures in boxes: what each is, and its value."""
    found = klass.statistics()
    facts = [("students", str(len(klass.roll.standings))), ("graded", str(found["graded"]))]
    if found["graded"]:
        mean, median, low, high, least, most = (
            number(round(float(found[key] or 0), 1))
            for key in ("mean", "median", "lower quartile", "upper quartile", "lowest", "highest")
        )
        facts += [("mean", mean), ("median", median), ("quartiles", f"{low} – {high}"), ("range", f"{least} – {most}")]
        facts.append(("full marks", str(found["full marks"])))
    if unreadable := klass.of(UNREADABLE):
        facts.append(("unreadable", str(len(unreadable))))
    if klass.missing:
        facts.append(("not handed in", str(len(klass.missing))))
    return facts


def _trouble(klass: Class) -> list[dict[str, Any]]:
    """Per kind of event that gave no result: its name, the exercises and the students."""
    of = {one.name: one for one in klass.all}
    return [
        {
            "event": TROUBLE.get(found["hint"], "something is not implemented yet"),
            "exercises": found["exercises"],
            "students": [of[name] for name in found["who"]],
        }
        for found in klass.hints([*TROUBLE, TODO])
    ]


def _person(of: dict[str, Summary], name: str) -> dict[str, str]:
    """A submission as a link; one of another section has no summary here, and its file name has to do."""
    return {"name": name, "student": of[name].student if name in of else name}


def _same(of: dict[str, Summary], group: Group) -> dict[str, Any]:
    """A group of submissions whose code is equal or nearly so."""
    return {
        "students": [_person(of, key) for key in group.keys],
        "equal": group.equal,
        "alike": "equal" if group.equal else f"{100 * group.least:.0f} %",
    }


def _group(of: dict[str, Summary], pairs: list[Pair]) -> dict[str, Any]:
    """One group of similar submissions: its students, how alike they are in per cent, and the parts of its best pair."""
    names = dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b))
    scores = [f"{100 * score:.0f}" for score in (pairs[-1].score, pairs[0].score)]
    return {
        "students": [_person(of, name) for name in names],
        "alike": " – ".join(dict.fromkeys(scores)),
        "shared": pairs[0].shared[:MOST_PARTS],
    }


def _row(klass: Class, one: Summary) -> dict[str, Any]:
    """A submission in the list of students: its summary, the final mark if it counts, and remarks."""
    standing = klass.standing[one.name]
    counted = standing.counted
    attempt = next(attempt for attempt in standing.attempts if attempt.name == one.name)
    counts = counted is not None and counted.name == one.name
    remarks = [f"section {standing.section}"] if standing.section and not klass.roll.section else []
    remarks += [attempt.lateness] if attempt.lateness else []
    remarks += list(standing.changes) if counts else []
    ungraded = sum(not other.name for other in standing.attempts)
    remarks += [f"{ungraded} earlier hand-in{'s' * (ungraded > 1)} not graded"] if counts and ungraded else []
    if len(standing.attempts) > 1:
        remarks.insert(0, f"version {one.version}{' counts' if counts else ''}")
    name = standing.name if standing.name != one.student else ""
    return {"one": one, "counts": counts, "mark": standing.mark, "person": name, "remarks": [*remarks, *_remarks(one)]}


def _remarks(one: Summary) -> list[str]:
    """Events and notes about one submission, in words."""
    remarks = [words for hint, words in TROUBLE.items() if hint in one.hints] + list(one.notes[:MOST_NOTES])
    more = len(one.notes) - MOST_NOTES
    return [*remarks, f"and {more} more note{'s' if more > 1 else ''}"] if more > 0 else remarks
