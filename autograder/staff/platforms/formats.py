"""Output formats of Autolab and Gradescope. Each check returns a list of problems, empty if there is none."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from autograder.report import colon_safe

AUTOLAB_MOST = 1000 * 1024
# Autolab puts quotes around these words before it parses a line, which breaks a string that contains one.
BEFORE_COLON = re.compile(r"([a-zA-Z0-9]+):")

TEXT_FORMATS = ("text", "html", "simple_format", "md", "ansi")
VISIBILITIES = ("hidden", "after_due_date", "after_published", "visible")
TOP_KEYS = {
    "score", "tests", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
    "stdout_visibility", "extra_data", "leaderboard",
}  # fmt: skip
TEST_KEYS = {
    "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility",
    "extra_data",
}  # fmt: skip


def everywhere(value: Any) -> Any:
    """Plain data with colon_safe applied to every string, keys included."""
    if isinstance(value, str):
        return colon_safe(value)
    if isinstance(value, dict):
        return {colon_safe(str(key)): everywhere(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [everywhere(item) for item in value]
    return value


def one_line(value: Any) -> str:
    """Plain data as a line of JSON for Autolab. Letters are not escaped, because an escape would end in a digit."""
    return json.dumps(everywhere(value), ensure_ascii=False, allow_nan=False)


def autolab_problems(output: bytes, problems: list[str], *, columns: int = 0, feedback: bool = True) -> list[str]:
    """Problems that Autolab would have with the merged output of ``make``.

    problems: names of the assessment's problems. columns: of the scoreboard. feedback: the last line but one has to be the
    feedback object; False for the output of a failed grading.
    """
    found: list[str] = []
    if len(output) > AUTOLAB_MOST:
        found.append(f"the output has {len(output):,} bytes; past {AUTOLAB_MOST:,} its middle is lost")
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        return [*found, f"the output is not UTF-8 ({error.reason} at byte {error.start})"]
    lines = (text[:-1] if text.endswith("\n") else text).split("\n")
    scores = _autolab_line(lines[-1], "the last line", found)
    if scores is not None:
        _check_scores(scores, problems, columns, found)
    if feedback:
        stages = _autolab_line(lines[-2] if len(lines) > 1 else "", "the line before the last", found)
        if stages is not None:
            _check_stages(stages, found)
    return found


def _autolab_line(line: str, what: str, found: list[str]) -> dict[str, Any] | None:
    """The object that Autolab reads from a line after its substitution, or None and a problem in ``found``."""
    try:
        read = _loads(BEFORE_COLON.sub(r'"\1":', line))
    except ValueError as error:
        found.append(f"{what} is no JSON once what stands before a colon is quoted ({error}): {line[:80]!r}")
        return None
    try:
        same = read == _loads(line)
    except ValueError:
        same = False
    if not same:
        found.append(f"{what} reads differently before and after the service's substitution")
    if not isinstance(read, dict):
        found.append(f"{what} is no JSON object: {line[:80]!r}")
        return None
    return read


def _check_scores(read: dict[str, Any], problems: list[str], columns: int, found: list[str]) -> None:
    scores = read.get("scores")
    if not isinstance(scores, dict) or not scores:
        found.append("scores is missing, empty or no object")
        return
    for name, value in scores.items():
        if name not in problems:
            found.append(f"{name!r} is no problem of the assessment")
        if not _number(value):
            found.append(f"the score of {name!r} is no finite number but {value!r}")
    found += [f"{key!r} is no key of the score line" for key in read if key not in ("scores", "scoreboard")]
    board = read.get("scoreboard")
    if "scoreboard" in read and not (isinstance(board, list) and len(board) == columns):
        found.append(f"scoreboard is no array of {columns} columns but {board!r}")
    if columns and "scoreboard" not in read:
        found.append("scoreboard is missing")


def _check_stages(read: dict[str, Any], found: list[str]) -> None:
    if read.get("_presentation") != "semantic":
        found.append("the feedback's _presentation is not semantic")
    stages = read.get("stages")
    if not isinstance(stages, list) or not all(isinstance(name, str) for name in stages):
        found.append("stages is no array of names")
        return
    for name in stages:
        if not isinstance(read.get(name), dict):
            found.append(f"stage {name!r} is no key of the feedback, or no object")
            continue
        checks = {key: value for key, value in read[name].items() if not key.startswith("_")}
        kinds = {isinstance(value, dict) for value in checks.values()}
        if len(kinds) > 1:
            found.append(f"stage {name!r} mixes objects and plain values")
        for key, value in checks.items():
            if isinstance(value, list):
                found.append(f"{key!r} of stage {name!r} is an array")
            if isinstance(value, dict):
                if not isinstance(value.get("passed"), bool):
                    found.append(f"{key!r} of stage {name!r} has no passed that is true or false")
                if not isinstance(value.get("hint", ""), str):
                    found.append(f"the hint of {key!r} of stage {name!r} is no string")
                found += [f"{key!r} of stage {name!r} has a key {k!r}" for k in value if k not in ("passed", "hint")]
    known = {*stages, "stages"}
    found += [f"{key!r} is no stage" for key in read if key not in known and not key.startswith("_")]


def gradescope_problems(results: Any, points: float | None = None) -> list[str]:
    """Problems that Gradescope would have with results.json. points: the assignment's points, to compare with."""
    found: list[str] = []
    if not isinstance(results, dict):
        return ["results.json holds no object"]
    tests = results.get("tests", [])
    if not isinstance(tests, list):
        found.append("tests is no array")
        tests = []
    found += [f"{key!r} is no key of results.json" for key in results if key not in TOP_KEYS]
    _check(results, "results.json", found)
    _allowed(results, "stdout_visibility", VISIBILITIES, "results.json", found)
    for key in ("test_output_format", "test_name_format"):
        _allowed(results, key, TEXT_FORMATS, "results.json", found)
    if "execution_time" in results and not _number(results["execution_time"]):
        found.append("execution_time is no number of seconds")
    for position, test in enumerate(tests):
        where = f"test {position + 1}"
        if not isinstance(test, dict):
            found.append(f"{where} is no object")
            continue
        _check_test(test, where, found)
    scored = any(isinstance(test, dict) and "score" in test for test in tests)
    if "score" not in results and not scored:
        found.append("there is no score, at the top or in a test")
    if points is not None and tests:
        most = sum(test["max_score"] for test in tests if isinstance(test, dict) and _number(test.get("max_score")))
        if abs(most - points) > 1e-6:
            found.append(f"the max_score of all tests sum to {most:g}, the assignment is worth {points:g}")
    if "leaderboard" in results:
        _check_leaderboard(results["leaderboard"], found)
    try:
        json.dumps(results, allow_nan=False)
    except (TypeError, ValueError) as error:
        found.append(f"it cannot be written as JSON ({error})")
    return found


def _check(part: dict[str, Any], where: str, found: list[str]) -> None:
    """Check the keys that results.json and a test share."""
    if "score" in part and not _number(part["score"]):
        found.append(f"the score of {where} is no finite number but {part['score']!r}")
    if "output" in part and not isinstance(part["output"], str):
        found.append(f"the output of {where} is no string")
    _allowed(part, "output_format", TEXT_FORMATS, where, found)
    _allowed(part, "visibility", VISIBILITIES, where, found)
    if "extra_data" in part and not isinstance(part["extra_data"], dict):
        found.append(f"the extra_data of {where} is no object")


def _check_test(test: dict[str, Any], where: str, found: list[str]) -> None:
    _check(test, where, found)
    found += [f"{key!r} is no key of {where}" for key in test if key not in TEST_KEYS]
    if "max_score" in test and not _number(test["max_score"]):
        found.append(f"the max_score of {where} is no finite number")
    for key in ("name", "number"):
        if key in test and not isinstance(test[key], str):
            found.append(f"the {key} of {where} is no string")
    _allowed(test, "status", ("passed", "failed"), where, found)
    _allowed(test, "name_format", TEXT_FORMATS, where, found)
    tags = test.get("tags", [])
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        found.append(f"the tags of {where} are no array of strings")
    if "score" not in test and "status" not in test:
        found.append(f"{where} has neither score nor status")


def _check_leaderboard(board: Any, found: list[str]) -> None:
    if not isinstance(board, list):
        found.append("leaderboard is no array")
        return
    for position, column in enumerate(board):
        where = f"column {position + 1} of the leaderboard"
        if not isinstance(column, dict) or not isinstance(column.get("name"), str):
            found.append(f"{where} has no name")
            continue
        if not (_number(column.get("value")) or isinstance(column.get("value"), str)):
            found.append(f"{where} has no value that is a number or a string")
        _allowed(column, "order", ("asc", "desc"), where, found)
        found += [f"{key!r} is no key of {where}" for key in column if key not in ("name", "value", "order")]


def _allowed(part: dict[str, Any], key: str, allowed: tuple[str, ...], where: str, found: list[str]) -> None:
    if key in part and part[key] not in allowed:
        found.append(f"the {key} of {where} is {part[key]!r}, not one of {', '.join(allowed)}")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _loads(line: str) -> Any:
    """Parse strict JSON: no NaN, no Infinity, no key twice. Raises ValueError."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in items}) != len(items):
            raise ValueError("a name stands there twice")
        return dict(items)

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    return json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
