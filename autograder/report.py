"""Output of the runner: the table of marks, the feedback, and the line of scores."""

from __future__ import annotations

import json
import re
from typing import Any

from autograder.exercises import EXERCISES, checks_of
from autograder.feedback import NOT_YET, CheckRecord, feedback_lines, number, reason, wrapped
from autograder.grade import Grades, Result

FUNCTIONAL = "Functional"
# Hints that only say that values differ. In an exercise about one function they are another sight of what is explained.
VAGUE = ("wrong", "derivative", "engine_unknown", "layer_unknown", "factor", "twice", "counted_n")
# Hints that explain nothing but NaN and infinity, so no finite number that differs.
OF_NONFINITE = ("overflow", "nonfinite")


def table_row(name: str, earned: float, points: float, remark: str) -> str:
    """One line of a table of marks; an exercise without points is practice."""
    text = f"{number(earned):>5} / {number(points):<5}" if points else "   practice"
    return f"  {name:<30}{text:<14}{remark}".rstrip()


def colon_safe(text: str) -> str:
    """The text on one line, safe for Autolab's reader, which puts quotes around a word before a colon.

    A space separates a letter or digit from a following colon. Control characters become spaces, because JSON escapes them
    by letters and digits.
    """
    plain = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([a-zA-Z0-9]):", r"\1 :", plain)


def table(grades: Grades) -> list[str]:
    """One line per exercise: marks and the number of checks that passed."""
    lines = []
    for exercise in EXERCISES:
        results = grades.of(exercise.name)
        if not results:
            continue
        marks = [r for r in results if r.check.points]
        practice = [r for r in results if not r.check.points]
        # With --only, the marks of the chosen checks; if only practice was chosen, those of the whole exercise.
        points = sum(r.check.points for r in marks) or sum(c.points for c in checks_of(exercise.name))
        lines.append(table_row(exercise.name, grades.earned(exercise.name), points, _remark(marks or practice)))
        if marks and practice:
            passed = sum(r.status == "passed" for r in practice)
            lines[-1] += f"   (practice {passed} of {len(practice)})"
    return lines


def _remark(results: list[Result]) -> str:
    statuses = [r.status for r in results]
    if all(s == "passed" for s in statuses):
        return "all passed"
    if "todo" in statuses and set(statuses) <= {"todo", "blocked"}:
        return NOT_YET
    blocked = next((r.needs for r in results if r.status == "blocked"), "")
    if blocked and not any(s in ("passed", "failed", "todo") for s in statuses):
        return f"needs {blocked} first"
    return f"{statuses.count('passed')} of {len(statuses)} checks passed"


def feedback_for_all(grades: Grades, verbose: bool) -> list[str]:
    """Feedback for every check that did not pass, in the order in which to look at them.

    Stubs take one line per exercise. What waits for another exercise is named with that one's explanation, each once. Practice
    is explained once every check with marks has passed.
    """
    if verbose:
        return [line for result in _in_order(grades.results) for line in (*feedback_lines(result.record()), "")]
    graded = any(r.status != "passed" and r.check.points for r in grades.results)
    shown = _in_order([r for r in grades.results if r.status != "passed" and (r.check.points or not graded)])
    lines: list[str] = []
    said: dict[str, str] = {}
    lines += _not_imported([result for result in shown if not result.imported])
    shown = [result for result in shown if result.imported]
    for exercise in dict.fromkeys(result.check.exercise for result in shown):
        lines += _feedback_of(exercise, [r.record() for r in shown if r.check.exercise == exercise], said)
    lines += _waiting([result for result in shown if result.status == "blocked"], shown)
    practice = [r for r in grades.results if r.status in ("failed", "not run") and not r.check.points]
    if practice and graded:
        names = ", ".join(dict.fromkeys(r.check.exercise for r in practice))
        lines += [
            "",
            f"  Practice, without marks: {len(practice)} checks did not pass ({names}); --verbose explains them.",
        ]
    return lines


def _not_imported(results: list[Result]) -> list[str]:
    """Reasons why files could not be imported, each once, with the exercises that wait for it."""
    lines: list[str] = []
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.record()["feedback"]), []).append(result)
    for alike in groups.values():
        first = alike[0].record()
        names = ", ".join(dict.fromkeys(result.check.exercise for result in alike))
        words = reason(first)
        lines += (
            wrapped("  ", f"{names}: {words}") if words else ["", *wrapped("  ", names), *feedback_lines(first)[1:]]
        )
    return lines


def _in_order(results: list[Result]) -> list[Result]:
    order = {exercise.name: number for number, exercise in enumerate(EXERCISES)}
    # Hidden exercises come last.
    return sorted(results, key=lambda result: order.get(result.check.exercise, len(order)))


def _feedback_of(name: str, checks: list[CheckRecord], said: dict[str, str]) -> list[str]:
    """The explanations of one exercise, each hint once, with the names of all checks that it is for.

    said: the hints that stand above, with the headings under which they do; it grows.
    """
    lines: list[str] = []
    groups: dict[str, list[CheckRecord]] = {}
    for check in checks:
        if check["status"] != "blocked":
            groups.setdefault(reason(check) or _sameness(check), []).append(check)
    unexplained = _unexplained(groups) if name != FUNCTIONAL else []
    for words, (first, *others) in groups.items():
        if reason(first):
            # A stub that several exercises need is named once.
            lines += [] if words in said else [f"  {name}: {words}"]
            said[words] = name
            continue
        hint = first["feedback"]["hint"]
        lines += ["", *feedback_lines(first, [other["check"] for other in others], said.get(hint, ""))]
        said.setdefault(hint, f"{name}: {first['check']}")
    if unexplained:
        lines += wrapped(
            "    further    ", f"{'; '.join(unexplained)}: wrong too; look again once what stands above is right"
        )
    return lines


def _unexplained(groups: dict[str, list[CheckRecord]]) -> list[str]:
    """Take the groups away that only say that values differ, if another one explains it; returns the names of their checks."""
    vague = [words for words, (first, *_) in groups.items() if first["hint"] in VAGUE]
    others = [first for words, (first, *_) in groups.items() if words not in vague]
    explained = any(first["status"] == "failed" and first["hint"] not in OF_NONFINITE for first in others)
    return [check["check"] for words in vague for check in groups.pop(words)] if explained else []


def _sameness(check: CheckRecord) -> str:
    """The line of code or the hint that two checks of an exercise share if one explanation does for both."""
    parts = check["feedback"]
    return parts["came"] + parts["place"] if check["hint"] == "raised" else parts["hint"]


def _waiting(blocked: list[Result], shown: list[Result]) -> list[str]:
    """A line for each exercise or rule that others wait for; its explanation where it does not stand above."""
    lines: list[str] = []
    explained = {r.check.exercise for r in shown if r.status != "blocked"}
    stubs = {r.check.exercise for r in shown if r.status == "todo"}
    groups: dict[str, list[Result]] = {}
    for result in blocked:
        if result.check.exercise not in stubs:
            groups.setdefault(result.needs, []).append(result)
    for needs, results in groups.items():
        names = ", ".join(dict.fromkeys(result.check.exercise for result in results))
        above = needs in explained or needs.partition(" (")[2].rstrip(")") in explained
        about = "" if above else results[0].record()["feedback"]["hint"]
        lines += wrapped("  ", f"{names}: needs {needs} first" + (f": {about}" if about else ""))
    return ["", *lines] if lines and len(explained) > len(stubs) else lines


def scores_line(grades: Grades) -> str:
    """The scores as a line of JSON for Autolab."""
    return json.dumps({"scores": {colon_safe(name): value for name, value in grades.scores().items()}})


def as_data(grades: Grades, submission: str) -> dict[str, Any]:
    """All results as plain data, for --json."""
    return {
        "submission": submission,
        "scores": grades.scores(),
        "checks": [_check_as_data(result.record()) for result in grades.results],
    }


def _check_as_data(check: CheckRecord) -> dict[str, Any]:
    """A check for --json: its feedback as text and, under "parts", as plain data."""
    text = "" if check["status"] == "passed" else "\n".join(feedback_lines(check))
    kept = {key: value for key, value in check.items() if key != "hidden"}
    return {**kept, "feedback": text, "parts": check["feedback"]}
