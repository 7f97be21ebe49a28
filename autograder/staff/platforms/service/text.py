"""Text of a graded submission for its student: marks, then feedback, all of bounded length."""

from __future__ import annotations

from typing import Any

from autograder.archives import shown
from autograder.feedback import CheckRecord, feedback_lines
from autograder.report import table_row

# Characters of a line, bytes of an exercise, bytes in all.
MOST_OF_A_LINE = 300
MOST_OF_AN_EXERCISE = 12_000
MOST = 200_000


def table(view: dict[str, Any]) -> list[str]:
    """One line per exercise, and the total."""
    lines = [table_row(e["name"], e["earned"], e["points"], remark(view, e)) for e in view["exercises"]]
    return [*lines, table_row("Total", view["total"], view["possible"], "")]


def remark(view: dict[str, Any], exercise: dict[str, Any]) -> str:
    """Result of an exercise in a few words."""
    if view["status"] == "unreadable":
        return "not graded"
    if exercise["passed"]:
        return "all passed"
    if exercise["hidden"]:
        return "not passed"
    found = decisive(view, exercise)
    passed = sum(check["status"] == "passed" for check in found)
    return f"{passed} of {len(found)} checks passed"


def decisive(view: dict[str, Any], exercise: dict[str, Any]) -> list[CheckRecord]:
    """The checks that decide an exercise's marks; all checks of an exercise without marks."""
    found = [check for check in view["checks"] if check["exercise"] == exercise["name"]]
    return [check for check in found if check["points"]] or found


def feedback(view: dict[str, Any], exercise: dict[str, Any]) -> list[str]:
    """Feedback lines of one exercise; of a hidden one, its general hint alone. Repeated feedback is shown once."""
    if exercise["passed"]:
        return []
    if view["status"] == "unreadable":
        return ["not graded"]
    if exercise["hidden"]:
        return [f"  {exercise['name']}: {shown(exercise['hint'], MOST_OF_A_LINE)}"]
    lines: list[str] = []
    said: set[str] = set()
    for check in decisive(view, exercise):
        if check["status"] == "passed":
            continue
        name, *rest = [shown(line, MOST_OF_A_LINE) for line in feedback_lines(check)]
        reason = " ".join(line.strip() for line in rest)
        if check["status"] in ("todo", "blocked", "not run"):
            if reason not in said:
                lines.append(f"  {exercise['name']}: {reason}")
        elif reason in said:
            lines.append(f"{name}: the same")
        else:
            lines += ["", name, *rest] if lines else [name, *rest]
        said.add(reason)
    return bounded(lines, MOST_OF_AN_EXERCISE)


def bounded(lines: list[str], most: int) -> list[str]:
    """As many lines as fit into a number of bytes (the platforms count bytes)."""
    kept: list[str] = []
    for line in lines:
        most -= len(line.encode("utf-8", "replace")) + 1
        if most < 0:
            return [*kept, "  (more was left out; mend this first)"]
        kept.append(line)
    return kept


def about(view: dict[str, Any]) -> list[str]:
    """Notes, seed and isolation, with which the grading can be repeated; of an unreadable submission the notes alone."""
    if view["status"] == "unreadable":
        return [shown(note, MOST_OF_A_LINE) for note in view["notes"]]
    return [
        *(shown(note, MOST_OF_A_LINE) for note in view["notes"]),
        f"The open exercises were given arrays of their own; python autograder/runner.py --seed {view['seed']} repeats them.",
        f"Isolation: {', '.join(view['level']) or 'none'}. Submission {view['digest'][:12]}.",
    ]


def report(view: dict[str, Any]) -> list[str]:
    """The whole text in reading order."""
    if view["status"] == "unreadable":
        return bounded([f"Your submission cannot be graded: {shown(view['reason'], 1000)}", "", *table(view)], MOST)
    lines = [*table(view), ""]
    parts = [part for exercise in view["exercises"] if exercise["points"] and (part := feedback(view, exercise))]
    if parts:
        lines += ["What to look at, in this order:", *(line for part in parts for line in ["", *part]), ""]
    elif any(not exercise["passed"] for exercise in view["exercises"]):
        lines += ["All marks. In the practice exercises something is left to do.", ""]
    return bounded([*lines, *about(view)], MOST)
