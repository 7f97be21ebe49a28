"""The instructor's page: how the class did, what it got wrong, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograder.staff.pages.charts import histogram
from autograder.staff.pages.classdata import TODO, TROUBLE, Class, Summary
from autograder.staff.pages.render import render
from autograder.staff.pages.similarity import Pair
from autograder.staff.pages.text import number
from autograder.staff.record import GRADED, UNREADABLE

MOST_MISCONCEPTIONS, MOST_IN_PRACTICE, MOST_GROUPS, MOST_PARTS, MOST_NOTES = 20, 6, 40, 6, 2


def class_page(summaries: Iterable[Summary], similar: Sequence[Pair] = ()) -> str:
    """The HTML page of a class. similar: pairs by the submissions' names, from similarity.similar."""
    klass = Class(summaries)
    marks = [one.total for one in klass.of(GRADED)]
    median = klass.statistics()["median"]
    misconceptions, practice = klass.hints(), klass.hints(practice=True)
    rarer = max(len(misconceptions) - MOST_MISCONCEPTIONS, 0) + max(len(practice) - MOST_IN_PRACTICE, 0)
    groups = klass.groups(klass.pairs(similar))
    view = {
        "errors": klass.errors,
        "facts": _facts(klass),
        "mixed": klass.mixed,
        "several_versions": len(klass.all) > len(klass.newest),
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
        "groups": [_group(klass, group) for group in groups[:MOST_GROUPS]],
        "more_groups": max(len(groups) - MOST_GROUPS, 0),
        "students": [(one, _remarks(one)) for one in klass.all],
        "levels": [(", ".join(level) or "none", count) for level, count in klass.levels()],
        "seconds": round(sum(one.seconds for one in klass.all), 1),
    }
    return render("class.html", view)


def _facts(klass: Class) -> list[tuple[str, str]]:
    """The figures in boxes: what each is, and its value."""
    found = klass.statistics()
    facts = [("students", str(len(klass.newest))), ("graded", str(found["graded"]))]
    if found["graded"]:
        mean, median, low, high, least, most = (
            number(round(float(found[key] or 0), 1))
            for key in ("mean", "median", "lower quartile", "upper quartile", "lowest", "highest")
        )
        facts += [("mean", mean), ("median", median), ("quartiles", f"{low} – {high}"), ("range", f"{least} – {most}")]
        facts.append(("full marks", str(found["full marks"])))
    if unreadable := klass.of(UNREADABLE):
        facts.append(("unreadable", str(len(unreadable))))
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


def _group(klass: Class, pairs: list[Pair]) -> dict[str, Any]:
    """One group of similar submissions: its students, how alike they are in per cent, and the parts of its best pair."""
    of = {one.name: one for one in klass.all}
    names = dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b))
    scores = [f"{100 * score:.0f}" for score in (pairs[-1].score, pairs[0].score)]
    return {
        "students": [of[name] for name in names],
        "alike": " – ".join(dict.fromkeys(scores)),
        "shared": pairs[0].shared[:MOST_PARTS],
    }


def _remarks(one: Summary) -> list[str]:
    """Events and notes about one submission, in words."""
    remarks = [words for hint, words in TROUBLE.items() if hint in one.hints] + list(one.notes[:MOST_NOTES])
    more = len(one.notes) - MOST_NOTES
    return [*remarks, f"and {more} more note{'s' if more > 1 else ''}"] if more > 0 else remarks
