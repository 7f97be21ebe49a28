"""The runner's report: repeated reasons are shown once, stubs take one line, practice waits until all marks are there."""

from __future__ import annotations

from dataclasses import replace
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


def test_a_hint_is_printed_once_with_the_names_of_its_checks() -> None:
    results = graded("Functional", "failed", problem("wrong", looked_at="gradient of a", came="1", expected="2"))
    text = " ".join(shown(*results).split())
    assert text.count("gradient of a") == text.count("The numbers differ") == 1
    assert all(result.check.name in text for result in results)
    # Another exercise with the same hint shows its own numbers and names the place of the hint.
    others = graded("Linear", "failed", problem("wrong", looked_at="dW", came="3", expected="4"))
    text = " ".join(shown(*results, *others).split())
    assert text.count("The numbers differ") == 1
    assert f"looked at dW expected 4 came 3 look at the same as for Functional: {results[0].check.name}, above" in text


def test_what_no_known_mistake_explains_stands_behind_what_one_does() -> None:
    first, second, *_ = graded("Linear", "failed")
    named, vague = (
        replace(first, problem=problem("sign", came="1")),
        replace(second, problem=problem("wrong", came="2")),
    )
    text = shown(named, vague)
    assert "except for its sign" in text
    assert f"further    {second.check.name}: wrong too" in text
    assert "The numbers differ" not in text
    assert "The numbers differ" in shown(vague)


def test_what_waits_is_named_once_with_the_explanation_that_it_waits_for() -> None:
    about = Problem("", {**no_feedback(), "hint": "Only one of the paths has arrived."})
    waiting = [
        r for name in ("Sigmoid Backward", "Linear") for r in graded(name, "blocked", about, needs="Autograd Backward")
    ]
    line = "Sigmoid Backward, Linear: needs Autograd Backward first"
    assert " ".join(shown(*waiting).split()) == f"{line}: Only one of the paths has arrived."
    cause = graded("Autograd Backward", "failed", problem("one_path", came="1"))[0]
    assert " ".join(shown(cause, *waiting).split()).endswith(line)


def test_a_file_that_cannot_be_imported_is_named_once_for_all_exercises() -> None:
    found = problem(
        "cannot_import", came="SyntaxError: invalid syntax", place="mytorch/nn/functional.py, line 3: def ("
    )
    results = [r for name in ("Functional", "Linear") for r in graded(name, "failed", found, imported=False)]
    text = shown(*results)
    assert text.count("SyntaxError") == 1
    assert text.splitlines()[1] == "  Functional, Linear"


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
