"""The page that a student gets: marks, and for each failed check what was given, expected and came."""

from __future__ import annotations

import re
from typing import Any

from autograder.feedback import CheckRecord, reason
from autograder.staff.pages.render import render
from autograder.staff.pages.roll import Standing

MOST_CHECKS, MOST_NOTES = 200, 50
Exercise = dict[str, Any]


def student_page(view: dict[str, Any], name: str = "", standing: Standing | None = None) -> str:
    """The HTML page of one submission, from record.student_view. Hidden checks are left out here once more.

    name: the submission's file name in the reports. standing: of its student, once all are graded.
    """
    checks = [check for check in view["checks"] if not check["hidden"]]
    # Numbers as anchors and not names, which may hold anything.
    exercises = [{**exercise, "anchor": f"e{i}"} for i, exercise in enumerate(view["exercises"])]
    shown = {
        **view,
        "file": str(view["source"]).replace("\\", "/").rstrip("/").rpartition("/")[2],
        "started": _moment(view["started"]),
        "notes": view["notes"][:MOST_NOTES],
        "exercises": [_marks(exercise, _of(exercise, checks)) for exercise in exercises],
        "feedback": _feedback(exercises, checks),
        "standing": standing,
        "this": next((one for one in standing.attempts if one.name == name), None) if standing else None,
        "hidden": [exercise for exercise in exercises if exercise["hidden"]],
    }
    return render("student.html", shown)


def _moment(text: str) -> str:
    """2026-11-21T11:42:10+00:00 for people; anything else stays as it is."""
    return re.sub(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?\+00:00", r"\1 \2 UTC", str(text))


def _of(exercise: Exercise, checks: list[CheckRecord]) -> list[CheckRecord]:
    return [check for check in checks if check["exercise"] == exercise["name"]]


def _marks(exercise: Exercise, checks: list[CheckRecord]) -> Exercise:
    """A row of the table of marks. Only an exercise with feedback of its own keeps its anchor."""
    explained = not exercise["hidden"] and any(_own_reason(check) for check in checks)
    return {**exercise, "remark": _remark(exercise, checks), "anchor": exercise["anchor"] if explained else ""}


def _remark(exercise: Exercise, checks: list[CheckRecord]) -> tuple[str, str]:
    """The state of an exercise: good, bad or neither, and the words for it."""
    if all(check["status"] == "passed" for check in checks) and (checks or exercise["passed"]):
        return "good", "all passed"
    if exercise["hidden"]:
        return "bad", "not passed (hidden)"
    statuses = [check["status"] for check in checks if check["points"]] or [check["status"] for check in checks]
    needs = next((check["needs"] for check in checks if check["status"] == "blocked"), "")
    if statuses and all(status == "passed" for status in statuses):
        return "good", "all that has marks"
    if "todo" in statuses and set(statuses) <= {"todo", "blocked"}:
        return "", "not implemented yet"
    if needs and set(statuses) <= {"blocked"}:
        return "", f"needs {needs} first"
    return "bad", f"{statuses.count('passed')} of {len(statuses)} checks passed"


def _own_reason(check: CheckRecord) -> bool:
    """The check neither passed nor waits for another."""
    return check["status"] not in ("passed", "blocked")


def _feedback(exercises: list[Exercise], checks: list[CheckRecord]) -> list[dict[str, Any]]:
    """The parts of the feedback, exercises in the order in which to look at them; what has no marks comes last."""
    found: list[dict[str, Any]] = []
    anchored: set[str] = set()
    said: set[str] = set()
    left = MOST_CHECKS
    for head, marked in (("What to look at, in this order", True), ("Practice, without marks", False)):
        explained: list[dict[str, Any]] = []
        waiting: dict[str, list[str]] = {}
        for exercise in exercises:
            own = [check for check in _of(exercise, checks) if bool(check["points"]) == marked]
            # What is not implemented is said once, with the marks that it costs.
            stubs = {reason(check) for check in own if check["status"] == "todo"}
            reasons = [check for check in own if _own_reason(check) and reason(check) not in said][: max(left, 0)]
            said |= stubs if marked else set()
            needs = [check["needs"] for check in own if check["status"] == "blocked"]
            if needs and not stubs:
                waiting.setdefault(needs[0], []).append(exercise["name"])
            if exercise["hidden"] or not reasons:
                continue
            left -= len(reasons)
            anchor = exercise["anchor"] if exercise["anchor"] not in anchored else ""
            anchored.add(exercise["anchor"])
            explained.append({"name": exercise["name"], "anchor": anchor, "feedback": _explained(reasons)})
        if explained or waiting:
            found.append({"head": head, "exercises": explained, "waiting": list(waiting.items())})
    return found


def _explained(checks: list[CheckRecord]) -> list[dict[str, Any]]:
    """The explanations of an exercise's failed checks; a reason that several share is given once."""
    items: list[dict[str, Any]] = []
    seen: set[tuple[str, ...]] = set()
    for check in checks:
        if check["status"] in ("todo", "not run"):
            # A stub takes one line, however many checks it has; what was not run one with the names of the checks.
            words = _short(check)
            alike = [other["check"] for other in checks if other["status"] == "not run" and _short(other) == words]
            if (words,) not in seen:
                items.append({"kind": "short", "words": words, "checks": alike})
            seen.add((words,))
            continue
        parts = check["feedback"]
        # The shapes in a message differ from case to case.
        same = re.sub(r"\d+", "0", parts["came"]), parts["place"], parts["hint"]
        # An exception at a known line, or an end of the process: there is nothing else to see.
        ended = parts["place"] or not (parts["given"] or parts["looked_at"] or parts["expected"])
        items.append({"kind": "again" if ended and same in seen else "box", "check": check})
        seen.add(same)
    return items


def _short(check: CheckRecord) -> str:
    """The first line of the reason of a check, as a sentence."""
    text = next(iter(reason(check).splitlines()), "").strip()
    # sub_backward is a name, and stays as it is.
    return text if "_" in text.partition(" ")[0] else f"{text[:1].upper()}{text[1:]}"
