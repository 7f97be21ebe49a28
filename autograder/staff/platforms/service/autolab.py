"""Output of ``make`` on Autolab: a report for people, the line of semantic feedback, and last the line of scores."""

from __future__ import annotations

from typing import Any

from autograder.archives import shown
from autograder.feedback import CheckRecord, first_printed, labelled, reason
from autograder.staff.platforms.formats import one_line
from autograder.staff.platforms.service.text import decisive, report

MOST_OF_A_HINT = 400


def render(view: dict[str, Any], config: dict[str, Any]) -> bytes:
    """The output for a student's view of a record (record.student_view)."""
    lines = [*report(view), feedback_line(view), scores_line(view, config)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def scores_line(view: dict[str, Any], config: dict[str, Any]) -> str:
    """The line of scores: a number for each problem of the assessment, and the total if there is a scoreboard."""
    scores = {exercise["name"]: exercise["earned"] for exercise in view["exercises"] if exercise["points"]}
    line: dict[str, Any] = {"scores": scores}
    if config.get("scoreboard"):
        line["scoreboard"] = [view["total"]]
    return one_line(line)


def feedback_line(view: dict[str, Any]) -> str:
    """The line of feedback: a stage per exercise with an entry per check; a hidden exercise has one entry with its hint."""
    stages: dict[str, dict[str, Any]] = {}
    for exercise in view["exercises"]:
        if not exercise["points"]:
            continue
        if exercise["hidden"] or view["status"] == "unreadable":
            hint = exercise["hint"] if exercise["hidden"] else view["reason"]
            stages[exercise["name"]] = {"hidden" if exercise["hidden"] else "all": _entry(exercise["passed"], hint)}
            continue
        entries = stages.setdefault(exercise["name"], {})
        for check in decisive(view, exercise):
            name = check["check"].lstrip("_")
            name = name if name not in entries else f"{name} ({len(entries) + 1})"
            entries[name] = _entry(check["status"] == "passed", _hint(check))
    return one_line({"_presentation": "semantic", "stages": list(stages), **stages})


def _entry(passed: bool, hint: str) -> dict[str, Any]:
    return {"passed": True} if passed else {"passed": False, "hint": shown(hint, MOST_OF_A_HINT)}


def _hint(check: CheckRecord) -> str:
    """The feedback on one line. The sentence comes first and the given arrays late, because the line is cut off."""
    if short := reason(check):
        return " ".join(short.split())
    feedback = check["feedback"]
    compared = labelled({**feedback, "hint": "", "given": ""})
    details = [*compared, ("given", feedback["given"]), ("printed", first_printed(check))]
    text = ", ".join(f"{label} {text}" for label, text in details if text)
    return " ".join(f"{feedback['hint']} - {text}".split())
