"""Output of the runner: the table of marks, the feedback, and the line of scores."""

from __future__ import annotations

import json
import re
from typing import Any

from autograder.exercises import EXERCISES, checks_of
from autograder.feedback import NOT_YET, CheckRecord, feedback_lines, number, reason
from autograder.grade import Grades, Result


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

    Stubs and blocked checks take one line per exercise. Practice is explained once every check with marks has passed.
    """
    lines: list[str] = []
    graded = any(r.status != "passed" and r.check.points for r in grades.results)
    for exercise in EXERCISES:
        results = [r for r in grades.of(exercise.name) if verbose or r.check.points or not graded]
        lines += _feedback_of(exercise.name, results, verbose)
    practice = [r for r in grades.results if r.status in ("failed", "not run") and not r.check.points]
    if practice and graded and not verbose:
        names = ", ".join(dict.fromkeys(r.check.exercise for r in practice))
        lines += [
            "",
            f"  Practice, without marks: {len(practice)} checks did not pass ({names}); --verbose explains them.",
        ]
    return lines


def _feedback_of(name: str, results: list[Result], verbose: bool) -> list[str]:
    lines: list[str] = []
    stub = any(r.status == "todo" for r in results)
    said: set[str] = set()
    for result in results:
        check = result.record()
        shown = feedback_lines(check)
        if verbose:
            lines += [*shown, ""]
            continue
        if result.status == "passed" or (stub and result.status == "blocked"):
            continue
        # One line of code or one missing part is named once.
        short, parts = reason(check), check["feedback"]
        same = short or (parts["came"] + parts["place"] if parts["place"] else "")
        if same in said:
            continue
        said.update({same} - {""})
        lines += [f"  {name}: {short}"] if short else ["", *shown]
    return lines


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
