"""The runner's report: repeated reasons are shown once, stubs take one line, practice waits until all marks are there."""

from __future__ import annotations

from typing import Any

from autograder.compare import Problem, problem
from autograder.exercises import checks_of
from autograder.feedback import no_feedback
from autograder.grade import Grades, Result
from autograder.report import as_data, feedback_for_all, table

ERROR = problem("raised", came="ValueError: no", place="mytorch/nn/functional.py, line 3: x")
STUB = problem("todo", came="mul_backward is not implemented yet", place="mytorch/nn/functional.py, line 9: x")


def graded(exercise: str, status: str, found: Problem | None = None, **more: Any) -> list[Result]:
    """Results of an exercise's checks with marks, all with this status."""
    return [Result(check, status, found, **more) for check in checks_of(exercise) if check.points]


def shown(*results: Result, verbose: bool = False) -> str:
    return "\n".join(feedback_for_all(Grades(list(results)), verbose))


def test_one_line_of_code_is_named_once_and_verbose_names_it_for_every_check() -> None:
    results = graded("Functional", "failed", ERROR)
    assert shown(*results).count("ValueError: no") == 1
    assert shown(*results, verbose=True).count("ValueError: no") == len(results) > 2


def test_differences_without_a_place_are_all_shown() -> None:
    results = graded("Functional", "failed", problem("wrong", looked_at="gradient of a", came="1", expected="2"))
    assert shown(*results).count("gradient of a") == len(results)


def test_a_stub_takes_one_line_and_hides_what_waits_for_it() -> None:
    first, *others = graded("Linear", "todo", STUB)
    blocked = [Result(result.check, "blocked", needs="Autograd Backward") for result in others]
    assert shown(first, *blocked) == "  Linear: mul_backward is not implemented yet"
    assert shown(*blocked) == "  Linear: needs Autograd Backward first"


def test_checks_that_did_not_run_share_a_line() -> None:
    stopped = Problem("died", {**no_feedback(), "hint": "An earlier check did not come back."})
    assert shown(*graded("Linear", "not run", stopped)) == "  Linear: not run: An earlier check did not come back."


def test_practice_is_explained_once_all_marks_are_there() -> None:
    practice = [Result(check, "failed", ERROR) for check in checks_of("MLP")]
    assert "ValueError: no" in shown(*practice)
    text = shown(*practice, *graded("Linear", "failed", STUB))
    assert "Practice, without marks: 1 checks did not pass (MLP); --verbose explains them." in text
    assert "ValueError: no" not in text


def test_the_table_says_how_each_exercise_went() -> None:
    results = [
        *graded("Functional", "passed"), *graded("Linear", "todo", STUB),
        *graded("Linear with Skip", "blocked", needs="Autograd Backward"), *graded("Tanh Forward", "failed", ERROR)[:1],
        *graded("Tanh Forward", "passed")[1:],
    ]  # fmt: skip
    lines = {line[2:32].strip(): line[46:] for line in table(Grades(results))}
    assert lines == {
        "Functional": "all passed", "Linear": "not implemented yet", "Linear with Skip": "needs Autograd Backward first",
        "Tanh Forward": "1 of 2 checks passed",
    }  # fmt: skip


def test_the_file_of_results_has_the_feedback_as_text_and_in_parts() -> None:
    passed, failed = graded("Tanh Forward", "passed")[0], graded("Linear", "failed", ERROR)[0]
    first, second = as_data(Grades([passed, failed]), "x")["checks"]
    assert (first["feedback"], first["parts"]) == ("", no_feedback())
    assert second["parts"] == ERROR.feedback
    assert second["feedback"].splitlines()[1] == "    came       ValueError: no"
    assert second["hint"] == "raised"
