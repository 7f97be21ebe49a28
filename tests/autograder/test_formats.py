"""Validators of both platforms' formats: right output passes, and each violation is found and named."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.feedback import no_feedback
from autograder.report import colon_safe
from autograder.staff.platforms.formats import (
    AUTOLAB_MOST,
    autolab_problems,
    everywhere,
    gradescope_problems,
    one_line,
)
from autograder.staff.platforms.service import autolab, text

PROBLEMS = ["Autograd Backward", "Linear"]
STAGES: dict[str, Any] = {
    "_presentation": "semantic",
    "stages": ["Linear", "Hidden"],
    "Linear": {"the output": {"passed": True}, "dW": {"passed": False, "hint": "look at the sum"}},
    "Hidden": {"a": 1, "b": "x", "_order": ["b", "a"]},
}
SCORES: dict[str, Any] = {"scores": {"Autograd Backward": 5, "Linear": 2.5}}


def printed(scores: str = json.dumps(SCORES), feedback: str = json.dumps(STAGES)) -> bytes:
    return f"Grading\n{feedback}\n{scores}\n".encode()


def stages(change: Callable[[dict[str, Any]], Any]) -> bytes:
    changed = copy.deepcopy(STAGES)
    change(changed)
    return printed(feedback=json.dumps(changed))


def test_what_autolab_takes() -> None:
    assert autolab_problems(printed(), PROBLEMS) == []
    assert autolab_problems(printed()[:-1], PROBLEMS) == []
    assert autolab_problems(b'{"scores": {"Linear": 0}}', PROBLEMS, feedback=False) == []
    board = printed(json.dumps({**SCORES, "scoreboard": [7.5]}))
    assert autolab_problems(board, PROBLEMS, columns=1) == []


@pytest.mark.parametrize(
    ("output", "part"),
    [
        (printed() + b"make: *** [Makefile:3: all] Error 1\n", "the last line is no JSON"),
        (printed() + b"\n", "the last line is no JSON"),
        (printed() + b"make: [all] Error 1 (ignored)\n", "the last line is no JSON"),
        (b"", "the last line is no JSON"),
        (b"x" * AUTOLAB_MOST + printed(), "its middle is lost"),
        (printed().replace(b"Grading", b"\xff"), "not UTF-8"),
        (printed("[1]"), "no JSON object"),
        (printed('{"scores": {}}'), "empty"),
        (printed("{}"), "scores is missing"),
        (printed('{"scores": {"Linear": 1}, "total": 1}'), "'total' is no key"),
        (printed('{"scores": {"Conv": 1}}'), "'Conv' is no problem"),
        (printed('{"scores": {"Linear": "1"}}'), "no finite number"),
        (printed('{"scores": {"Linear": true}}'), "no finite number"),
        (printed('{"scores": {"Linear": null}}'), "no finite number"),
        (printed('{"scores": {"Linear": NaN}}'), "NaN is no JSON"),
        (printed('{"scores": {"Linear": 1e999}}'), "no finite number"),
        (printed('{"scores": {"Linear": 1, "Linear": 2}}'), "twice"),
        (printed('{"scores": {"Linear": 1}, "scoreboard": [1, 2]}'), "scoreboard is no array of 0 columns"),
        (b'Grading\n{"scores": {"Linear": 1}}\n', "the line before the last is no JSON"),
        (b'{"scores": {"Linear": 1}}', "the line before the last is no JSON"),
        (stages(lambda s: s.pop("_presentation")), "not semantic"),
        (stages(lambda s: s.pop("stages")), "stages is no array"),
        (stages(lambda s: s["stages"].append("MLP")), "stage 'MLP' is no key"),
        (stages(lambda s: s["stages"].pop()), "'Hidden' is no stage"),
        (stages(lambda s: s.update(Hidden=3)), "stage 'Hidden' is no key of the feedback, or no object"),
        (stages(lambda s: s["Linear"].update(dW=0)), "mixes"),
        (stages(lambda s: s["Linear"]["dW"].pop("passed")), "no passed"),
        (stages(lambda s: s["Linear"]["dW"].update(passed=1)), "no passed"),
        (stages(lambda s: s["Linear"]["dW"].update(hint=3)), "hint of 'dW'"),
        (stages(lambda s: s["Linear"]["dW"].update(marks=3)), "has a key 'marks'"),
        (stages(lambda s: s["Linear"]["dW"].update(hint="shape: wrong")), "the line before the last is no JSON"),
        (stages(lambda s: s["Linear"]["dW"].update(hint='shape: "')), "the line before the last"),
        (stages(lambda s: s["Linear"]["dW"].update(hint="é: ")), "the line before the last is no JSON"),
        (stages(lambda s: s["Linear"]["dW"].update(hint="\n: ")), "the line before the last is no JSON"),
    ],
)
def test_what_autolab_would_not_take(output: bytes, part: str) -> None:
    assert any(part in problem for problem in autolab_problems(output, PROBLEMS)), autolab_problems(output, PROBLEMS)


def test_a_scoreboard_that_is_announced_has_to_be_there() -> None:
    assert autolab_problems(printed(), PROBLEMS, columns=1) == ["scoreboard is missing"]


@pytest.mark.slow
@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_any_string_survives_the_services_substitution(value: Any) -> None:
    line = one_line(value)
    assert re.sub(r"([a-zA-Z0-9]+):", r'"\1":', line) == line
    assert json.loads(line) == everywhere(value)
    assert len(line.splitlines()) == 1
    line.encode()


@pytest.mark.parametrize(
    ("given_text", "safe"),
    [
        ("sigmoid: 3", "sigmoid : 3"), ("a:b:c::", "a :b :c ::"), ("é: x", "é: x"), ("\t:\x1b[31m", " : [31m"),
        ("tab\n: \ud800:", "tab :  :"), ("", ""),
    ],
)  # fmt: skip
def test_what_colon_safe_writes(given_text: str, safe: str) -> None:
    assert colon_safe(given_text) == safe


@pytest.mark.slow
def test_a_students_text_is_bounded_and_harmless() -> None:
    failing = [
        {
            "exercise": "Linear",
            "points": 1.0,
            "status": "failed",
            "check": str(n),
            "feedback": {**no_feedback(), "came": f"{n} " + "\x1b[2J\u202e\ud800" + "y" * 400},
            "printed": "",
        }
        for n in range(50)
    ]
    exercise = {"name": "Linear", "points": 5.0, "earned": 0.0, "hidden": False, "passed": False, "hint": ""}
    view = {
        "exercises": [exercise] * 30, "checks": failing, "total": 0.0, "possible": 5.0, "status": "graded", "notes": [],
        "seed": 1, "level": [], "digest": "",
    }  # fmt: skip
    printed = "\n".join(text.report(view))
    assert text.MOST / 2 < len(printed) < text.MOST + 1000
    assert "more was left out" in printed
    assert all(line.isprintable() and len(line) <= text.MOST_OF_A_LINE for line in printed.split("\n"))
    # The platforms count bytes, of which a letter may have four.
    for check in failing:
        check["feedback"] = {**no_feedback(), "came": "\U0001d54f" * 400}
    assert len("\n".join(text.report(view)).encode()) < text.MOST + 1000


RESULTS: dict[str, Any] = {
    "tests": [
        {
            "name": "Linear", "number": "1", "score": 2.5, "max_score": 5, "status": "failed", "output": "look",
            "output_format": "text", "tags": ["open"], "visibility": "visible",
        },
        {"name": "Hidden", "status": "passed", "max_score": 5.0, "visibility": "hidden", "extra_data": {}},
    ],
    "execution_time": 3.25, "output": "text", "output_format": "md", "test_output_format": "text", "extra_data": {"seed": 1},
    "test_name_format": "ansi", "visibility": "visible", "stdout_visibility": "hidden",
    "leaderboard": [{"name": "Total", "value": 3, "order": "desc"}, {"name": "Who", "value": "me"}],
}  # fmt: skip


def test_what_gradescope_takes() -> None:
    assert gradescope_problems(RESULTS, 10) == []
    assert gradescope_problems({"score": 3}) == []
    assert gradescope_problems({"score": 3, "tests": [{"status": "passed"}]}) == []


def _top(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda r: r.update(values)


def _test(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda r: r["tests"][0].update(values)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_top(score="3"), "score of results.json"),
        (_top(score=float("nan")), "score of results.json"),
        (_top(tests={}), "tests is no array"),
        (_top(tests=[3]), "test 1 is no object"),
        (_top(tests=[]), "there is no score"),
        (_top(tests=[{"status": "passed"}]), "there is no score"),
        (_top(time=3), "'time' is no key"),
        (_top(execution_time="3"), "execution_time"),
        (_top(execution_time=True), "execution_time"),
        (_top(output=["a"]), "output of results.json"),
        (_top(output_format="markdown"), "output_format of results.json"),
        (_top(test_output_format="latex"), "test_output_format"),
        (_top(test_name_format=None), "test_name_format"),
        (_top(visibility="shown"), "visibility of results.json"),
        (_top(stdout_visibility=True), "stdout_visibility"),
        (_top(extra_data=[1]), "extra_data of results.json"),
        (_top(extra_data={"a": float("inf")}), "cannot be written as JSON"),
        (_top(leaderboard={}), "leaderboard is no array"),
        (_top(leaderboard=[{"value": 1}]), "has no name"),
        (_top(leaderboard=[{"name": "a", "value": None}]), "no value"),
        (_top(leaderboard=[{"name": "a", "value": 1, "order": "up"}]), "order of column 1"),
        (_top(leaderboard=[{"name": "a", "value": 1, "unit": "s"}]), "'unit' is no key"),
        (_test(score="1"), "score of test 1"),
        (_test(score=True), "score of test 1"),
        (_test(max_score=None), "max_score of test 1"),
        (_test(max_score=6), "sum to 11"),
        (_test(status="ok"), "status of test 1"),
        (_test(name=3), "name of test 1"),
        (_test(number=1), "number of test 1"),
        (_test(name_format="x"), "name_format of test 1"),
        (_test(output=None), "output of test 1"),
        (_test(output_format="x"), "output_format of test 1"),
        (_test(tags="open"), "tags of test 1"),
        (_test(tags=[1]), "tags of test 1"),
        (_test(visibility=None), "visibility of test 1"),
        (_test(extra_data="x"), "extra_data of test 1"),
        (_test(points=3), "'points' is no key"),
        (lambda r: r["tests"].append({"name": "x"}), "neither score nor status"),
    ],
)
def test_what_gradescope_would_not_take(change: Callable[[dict[str, Any]], Any], part: str) -> None:
    results = copy.deepcopy(RESULTS)
    change(results)
    found = gradescope_problems(results, 10)
    assert any(part in problem for problem in found), found


def test_results_that_are_no_object() -> None:
    assert gradescope_problems([]) == ["results.json holds no object"]


def test_the_line_of_feedback_says_the_sentence_before_the_arrays() -> None:
    parts = {
        **no_feedback(),
        "given": "x " * 300,
        "looked_at": "dW",
        "expected": "shape (2,)\n[1. 2.]",
        "came": "nothing",
    }
    checks = [
        {"exercise": "Linear", "check": "one row", "points": 1.0, "status": "failed", "printed": "hello",
         "feedback": {**parts, "hint": "All zeros: no gradient arrived here."}},
        {"exercise": "Linear", "check": "batches", "points": 1.0, "status": "todo", "printed": "",
         "feedback": {**no_feedback(), "came": "Linear.forward is not implemented yet"}},
        {"exercise": "Linear", "check": "two", "points": 1.0, "status": "blocked", "needs": "Tanh", "printed": "",
         "feedback": no_feedback()},
    ]  # fmt: skip
    exercise = {"name": "Linear", "points": 3.0, "earned": 0.0, "hidden": False, "passed": False, "hint": ""}
    stages = json.loads(autolab.feedback_line({"exercises": [exercise], "checks": checks, "status": "graded"}))
    hints = [entry["hint"] for entry in stages["Linear"].values()]
    assert hints[0].startswith(
        "All zeros : no gradient arrived here. - looked at dW, expected shape (2,) [1. 2.], came nothing, given x x x"
    )
    assert len(hints[0]) <= autolab.MOST_OF_A_HINT + 10
    assert hints[1:] == ["Linear.forward is not implemented yet", "needs Tanh first"]
