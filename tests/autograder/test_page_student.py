"""The student's page: marks, feedback in the order in which to read it, and what to do next."""

from __future__ import annotations

from autograder.staff.pages.page_student import MOST_CHECKS, MOST_NOTES, student_page
from autograder.staff.record import UNREADABLE, student_view
from tests.autograder.page_tools import FEEDBACK, a_check, a_record, an_exercise, of_student, read, said


def test_a_hidden_exercise_shows_its_status_and_general_hint() -> None:
    words = of_student()
    assert "Hidden Layers" in words
    assert "not passed" in words
    assert "Think of batches." in words
    passed = of_student(exercises=[an_exercise(name="H", hidden=True, passed=True, hint="Think.")], checks=[])
    assert "H 1.5 / 5 passed" in passed
    assert "Think." not in passed


def test_practice_is_told_apart_from_marks() -> None:
    done, not_yet = a_check(status="passed"), a_check(check="practice", points=0, status="failed")
    for checks, words in (
        ([done], "all passed"),
        ([done, not_yet], "all that has marks"),
        ([not_yet], "0 of 1 checks"),
        ([a_check(status="todo"), a_check(status="blocked", needs="MLP")], "Linear 1.5 / 5 not implemented yet"),
        ([a_check(status="blocked", needs="MLP")], "Linear 1.5 / 5 needs MLP first"),
        ([a_check(status="blocked", needs="MLP")], "Checks that need MLP first: Linear."),
    ):
        assert words in of_student(checks=checks, exercises=[an_exercise(passed=True)])


def test_a_students_page_says_what_to_do() -> None:
    words = of_student()
    for part in (
        "1.5 of 60 marks", "Linear 1.5 / 5", "MLP practice", "python autograder/runner.py --seed 123456",
        "process, limits. Time: 0.3 s.", "a wrapper folder",
        "x = [[1.0, 2.0], [3.0, 4.0]]", "All zeros: no gradient arrived here.", "hello world", " first: Linear.",
        "Not implemented yet", "mytorch/nn/modules/linear.py, line 7: y = x", "ada@example.edu_2_handin.tar",
    ):  # fmt: skip
        assert part in words, part
    assert "in/ada" not in words
    assert words.index("What to look at") < words.index("Practice, without marks")


def test_names_of_functions_keep_their_letters_and_what_was_not_run_is_named() -> None:
    stub = a_check(status="todo", check="sub", feedback=said(came="sub_backward is not implemented yet"))
    lost = [
        a_check(status="not run", check=name, feedback=said(hint="An earlier one did not."))
        for name in ("one row", "batches")
    ]
    words = of_student(checks=[stub, *lost])
    assert "sub_backward is not implemented yet" in words
    assert "Not run: An earlier one did not. (one row, batches)" in words


def test_a_stub_is_said_once_and_nothing_is_said_to_wait_for_it() -> None:
    stub = said(came="sub_backward is not implemented yet")
    marked, practice = (a_check(status="todo", points=points, feedback=stub) for points in (1, 0))
    words = of_student(checks=[marked, practice, a_check(status="blocked", needs="Functional")])
    assert words.count("sub_backward is not implemented yet") == 1
    assert "Checks that need" not in words
    # In practice alone, it is said there.
    assert "Practice, without marks Linear sub_backward is not" in of_student(checks=[practice])


def test_checks_and_notes_are_bounded() -> None:
    checks = [a_check(check=f"check {i:03}", printed=str(i)) for i in range(MOST_CHECKS + 1)]
    words = of_student(checks=checks, notes=[f"note {i:03}" for i in range(MOST_NOTES + 1)])
    for kind, most in (("check", MOST_CHECKS), ("note", MOST_NOTES)):
        assert f"{kind} {most - 1:03}" in words
        assert f"{kind} {most:03}" not in words


def test_an_error_of_one_line_is_shown_once_whatever_the_shapes_in_it() -> None:
    first = a_check(check="one", feedback={**FEEDBACK, "came": "KeyError: shape (1, 2) is unknown"})
    again = a_check(check="two", feedback={**FEEDBACK, "came": "KeyError: shape (4, 3) is unknown"})
    words = of_student(checks=[first, again])
    assert "shape (1, 2)" in words
    assert "shape (4, 3)" not in words
    assert "two (0 of 2 marks): stopped at the same line as above." in words


def test_an_end_of_the_process_is_explained_once() -> None:
    ended = said(came="the process ended (exit code 3)", hint="os._exit, or a crash.")
    words = of_student(checks=[a_check(check=name, feedback=ended, printed="") for name in ("one", "two")])
    assert words.count("os._exit") == 1
    assert "two (0 of 2 marks): ended in the same way as above." in words
    # Another value of another case is no such end.
    wrong = said(looked_at="dW", came="None", hint="None came.")
    words = of_student(checks=[a_check(check=name, feedback=wrong, printed="") for name in ("one", "two")])
    assert words.count("None came.") == 2


def test_version_and_time_are_for_people() -> None:
    words = of_student(version=0, started="2026-01-02T03:04:05+00:00")
    assert "version" not in words
    assert "graded 2026-01-02 03:04 UTC" in words
    assert "version 3" in of_student(version=3)


def test_an_unreadable_submission_has_its_reason() -> None:
    words = of_student(status=UNREADABLE, reason="handin.tar is cut off.", exercises=[], checks=[], total=0)
    assert "handin.tar is cut off." in words
    assert "create_tarball" in words
    assert "--seed" not in words


def test_every_part_has_its_label_and_what_is_empty_is_left_out() -> None:
    whole = of_student(checks=[a_check()])
    labels = ("given", "looked at", "expected", "came", "where", "look at", "printed")
    places = [
        whole.index(f" {label} {start}") for label, start in zip(labels, ("x =", "dW", "[[", "no", "my", "All", "h"))
    ]
    assert places == sorted(places)
    little = of_student(checks=[a_check(feedback=said(came="nothing"), printed=" ")])
    assert "came nothing" in little
    assert not [label for label in labels if label != "came" and f" {label} " in little[little.index("dW") :][:60]]
    assert "It did not pass." in of_student(checks=[a_check(feedback=said(), printed="")])


def test_marks_lead_to_the_feedback_and_only_where_there_is_some() -> None:
    checks = [a_check(exercise="MLP", check="sizes"), a_check(exercise="Linear", status="passed")]
    exercises = [an_exercise(), an_exercise(name="MLP"), an_exercise(name="Hidden Layers", hidden=True)]
    page = student_page(student_view(a_record(checks=checks, exercises=exercises)))
    assert read(page).links == ["#e1"]
    assert page.count('id="e1"') == 1
    twice = student_page(student_view(a_record(checks=[a_check(), a_check(points=0)], exercises=exercises)))
    assert twice.count('id="e0"') == 1


def test_long_parts_scroll_and_endless_ones_end() -> None:
    for length, cut in ((1000, 0), (2000, 1), (9000, 1)):
        page = student_page(student_view(a_record(checks=[a_check(printed="x" * length)])))
        assert page.count('class="cut"') == cut
        assert ("(6,000 more characters)" in page) == (length == 9000)
