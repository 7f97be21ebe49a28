"""results.json for Gradescope: a test per exercise, hidden ones with a status and a general hint."""

from __future__ import annotations

from typing import Any

from autograder.archives import shown
from autograder.staff.platforms.service.limits import Verdict
from autograder.staff.platforms.service.text import about, feedback, table


def results(view: dict[str, Any], config: dict[str, Any], note: str = "") -> dict[str, Any]:
    """The results for a student's view of a record (record.student_view)."""
    top = [note] if note else []
    if view["status"] == "unreadable":
        top.append(f"Your submission cannot be graded: {shown(view['reason'], 1000)}")
    # The table contains hidden marks, so it is left out unless students may see these at once.
    shows_marks = config["hidden_visibility"] == "visible" or not any(e["hidden"] for e in view["exercises"])
    lines = [*top, *(table(view) if shows_marks else []), *about(view)]
    result: dict[str, Any] = {
        "tests": [_test(view, exercise, number, config) for number, exercise in enumerate(view["exercises"], 1)],
        "execution_time": round(float(view["seconds"]), 3),
        "output": "\n".join(lines),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {
            "level": view["level"],
            "seed": view["seed"],
            "digest": view["digest"],
            "status": view["status"],
        },
    }
    if config.get("leaderboard"):
        # A leaderboard with hidden marks would reveal them.
        total = sum(exercise["earned"] for exercise in view["exercises"] if not exercise["hidden"])
        result["leaderboard"] = [{"name": "Open exercises", "value": round(total, 4), "order": "desc"}]
    return result


def _test(view: dict[str, Any], exercise: dict[str, Any], number: int, config: dict[str, Any]) -> dict[str, Any]:
    hidden = exercise["hidden"]
    text = "all checks passed" if exercise["passed"] else "\n".join(feedback(view, exercise)).strip("\n")
    return {
        "name": exercise["name"],
        "number": str(number),
        "score": exercise["earned"],
        "max_score": exercise["points"],
        "status": "passed" if exercise["passed"] else "failed",
        "output": text,
        "output_format": "text",
        "tags": ["hidden" if hidden else "open" if exercise["points"] else "practice"],
        "visibility": config["hidden_visibility"] if hidden else "visible",
    }


def not_graded(verdict: Verdict, config: dict[str, Any]) -> dict[str, Any]:
    """The results of a submission that came too soon: the score of the last graded one, and the time when the next one counts.

    The score belongs to a test with the visibility of the hidden exercises, because their marks are in it. A score at the
    top would show students a total that is hidden otherwise.
    """
    assert verdict.score is not None
    possible = sum(config["problems"].values())
    test = {
        "name": "The last graded submission",
        "score": min(max(verdict.score, 0.0), possible),
        "max_score": possible,
        "visibility": config["hidden_visibility"] if config["hidden"] else "visible",
    }
    return {
        "tests": [test],
        "execution_time": 0.0,
        "output": verdict.note,
        "output_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {"status": "not graded"},
    }
