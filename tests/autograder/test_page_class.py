"""The class page: its figures, its lists, and what it says to staff."""

from __future__ import annotations

import json
import re

import pytest

from autograder.hints import HINTS
from autograder.staff.files import as_json
from autograder.staff.pages.charts import bins_of, histogram, width
from autograder.staff.pages.classdata import TROUBLE, Class, class_data, sentence, summary
from autograder.staff.pages.page_class import MOST_GROUPS, MOST_MISCONCEPTIONS, class_page
from autograder.staff.pages.similarity import Pair, Similar
from autograder.staff.record import GRADER_ERROR, UNREADABLE
from tests.autograder.page_tools import a_check, a_record, an_exercise, of_class, read, students


@pytest.mark.parametrize(
    "totals", [[], [0], [60], [12.25], [30] * 40, [0.5 * i for i in range(121)], [i % 61 for i in range(500)], [-1, 99]]
)
def test_every_class_has_its_page(totals: list[float]) -> None:
    reader = read(class_page(students(*totals)))
    assert sum(n for _, _, n in bins_of(totals, 60)) == len(totals)
    for one in (f"s{i:04d}" for i in range(len(totals))):
        assert one in reader.parts
        assert f"feedback/{one}.html" in reader.links
    assert json.loads(as_json(class_data(students(*totals))))["statistics"]["graded"] == len(totals)


def test_it_says_first_that_it_is_for_staff() -> None:
    assert re.match(
        r"MyTorch: the class MyTorch: the class For staff only\. This page names all", of_class(students(1))
    )


def test_nobody_graded() -> None:
    words = of_class(students(0, 0, status=UNREADABLE, reason="cut off"))
    assert "Nothing has been graded yet" in words
    assert words.count("cut off") == 2
    assert not re.search(r"\bnan\b", words)


def test_the_figures_in_boxes() -> None:
    words = of_class(students(10, 20, 30, 60))
    for figure in (
        "students 4",
        "graded 4",
        "mean 30",
        "median 25",
        "quartiles 17.5 – 37.5",
        "range 10 – 60",
        "full marks 1",
    ):
        assert figure in words
    assert "unreadable" not in words
    unreadable = summary(a_record(student="bad", total=0, status=UNREADABLE), "bad")
    assert "unreadable 1" in of_class([*students(10), unreadable])


def test_every_status_in_the_list_of_students() -> None:
    some = [
        summary(a_record(student=status, status=status, total=0, notes=["a", "b", "c", "d"]), status)
        for status in (GRADER_ERROR, UNREADABLE)
    ]
    words = of_class([*students(15), *some])
    assert "s0000 15 / 60" in words
    assert "GRADER_ERROR – GRADER_ERROR" in words
    assert "unreadable 0 / 60 unreadable" in words
    assert "a; b; and 2 more notes" in words
    for notes, shown in (["a", "b", "c"], "a; b; and 1 more note How"), (["a", "b"], "a; b How"):
        assert shown in of_class(students(1, notes=notes, checks=[]))


def test_statistics_are_of_the_graded_and_newest() -> None:
    old = summary(a_record(student="s0000", total=1, version=1), "old")
    bad = summary(a_record(student="bad", total=0, status=UNREADABLE), "bad")
    found = class_data([*students(10, 20, 30, 60), old, bad])
    assert found["statistics"] == {
        "graded": 4, "mean": 30, "median": 25, "lower quartile": 17.5, "upper quartile": 37.5, "lowest": 10,
        "highest": 60, "full marks": 1,
    }  # fmt: skip
    assert found["students"] == 5
    assert found["submissions"] == 6


def test_versions_are_named_where_there_are_several() -> None:
    assert "version" not in of_class(students(10, 20))
    words = of_class([*students(10), summary(a_record(student="s0000", total=1, version=1), "old")])
    assert "of which one counts" in words
    assert "version 2 counts;" in words
    assert "version 1;" in words


def test_misconceptions_count_students_and_not_checks() -> None:
    twice = [a_check(), a_check(check="other"), a_check(exercise="MLP")]
    some = [summary(a_record(student=str(i), checks=twice), str(i)) for i in range(3)]
    one = summary(a_record(student="x", checks=[a_check(hint="sign"), a_check(hint="time")]), "x")
    data = class_data([*some, one])
    assert [(m["hint"], m["students"]) for m in data["misconceptions"]] == [("zero", 3), ("sign", 1)]
    assert data["misconceptions"][0]["exercises"] == {"Linear": 3, "MLP": 3}
    assert [(m["hint"], m["students"]) for m in data["trouble"]] == [("time", 1)]
    words = of_class([*some, one])
    assert HINTS["zero"] in words
    assert "zero in Linear, MLP" in words
    assert words.index(HINTS["zero"]) < words.index(HINTS["sign"])
    assert f"{TROUBLE['time']} in Linear 1 x" in words
    assert "In practice" not in words


def test_many_misconceptions_and_practice() -> None:
    checks = [a_check(hint=f"kind {i:02}", exercise=f"E{i:02}") for i in range(MOST_MISCONCEPTIONS + 3)]
    checks += [a_check(hint="of practice", points=0), *(a_check(hint="kind 00", exercise=f"F{i}") for i in range(9))]
    words = of_class([summary(a_record(checks=checks), "x")])
    assert "3 rarer ones are in class.json." in words
    assert "kind 00 in E00, F0, F1, F2, F3, F4 and 4 more" in words
    assert words.index("In practice") < words.index("of practice in Linear")


def test_trouble_names_the_first_students() -> None:
    late = [summary(a_record(student=f"s{i}", checks=[a_check(hint="time")]), f"s{i}") for i in range(9)]
    assert "9 s0, s1, s2, s3, s4, s5 and 3 more" in of_class(late)
    assert "Timeouts, crashes and gaps There were none." in of_class(students(1, checks=[]))


def test_marks_per_exercise() -> None:
    some = [summary(a_record(student=s, exercises=[an_exercise(earned=e)]), s) for s, e in zip("abcd", (5, 5, 2, 0))]
    (found,) = Class(some).exercises()
    assert (found["mean"], found["share"], found["full share"]) == (3, 0.6, 0.5)
    page = class_page(some)
    assert "3 / 5 50 %" in read(page).words
    assert "Hidden Layers hidden mean share of the marks 0 %" in of_class(students(1))
    assert 'width="60.00%"' in page
    assert 'aria-label="mean share of the marks 60 %; students with full marks 50 %"' in page


def test_bars_stay_on_the_page() -> None:
    assert [width(share) for share in (-1, 0, 0.5, 1, 7)] == ["0.00%", "0.00%", "50.00%", "100.00%", "100.00%"]
    chart = histogram([-1, 0, 59, 60, 99], 60, 70)
    assert chart.top == 99
    for bar in chart.bars:
        assert 0 <= bar.left < bar.left + bar.wide <= 100 + 1e-9
        assert 0 <= bar.tall <= chart.tall
    assert chart.median_at == pytest.approx(100 * 70 / 99)
    assert sum(bar.count for bar in chart.bars) == 5


def test_hints_without_the_numbers_of_one_submission() -> None:
    for hint in HINTS:
        assert "{" not in sentence(hint)
    assert set(TROUBLE) <= set(HINTS)
    assert sentence("unheard of {0.x}") == "unheard of {0.x}"


def test_pairs_are_a_hint_and_never_within_one_student() -> None:
    some = [summary(a_record(student=s, version=v), f"{s}{v}") for s, v in (("a", 1), ("a", 2), ("b", 1))]
    pairs = [Pair("a1", "a2", 1.0, ()), Pair("a2", "b1", 0.9, (("Linear.forward", "f"),)), Pair("a2", "gone", 1.0, ())]
    words = of_class(some, pairs)
    assert "no proof" in words
    assert "Linear.forward = f" in words
    assert "a and b 2 90 %" in words
    assert [(p["a"], p["b"]) for p in class_data(some, Similar(pairs=tuple(pairs)))["similar"]] == [("a2", "b1")]
    assert "No pair stands out." in of_class(some)


def test_a_group_is_one_row_with_its_range() -> None:
    some = students(*range(20))
    ring = [Pair(f"s{i:04d}", f"s{i + 1:04d}", 0.99 - 0.01 * i, ()) for i in range(14)]
    assert "s0011 and 3 more 15 86 – 99 %" in of_class(some, ring)
    many = students(*range(2 * MOST_GROUPS + 4))
    pairs = [Pair(f"s{i:04d}", f"s{i + 1:04d}", 1.0, ()) for i in range(0, len(many), 2)]
    assert "2 more are in class.json." in of_class(many, pairs)


def test_mixed_exercises_and_isolation_are_named() -> None:
    some = [summary(a_record(student="a", possible=50.0), "a"), *students(1, level=["process"])]
    words = of_class(some)
    assert "same exercises" in words
    assert "process, limits (1 submission)" in words
    assert "same isolation" in words
    alike = of_class(students(1, 2))
    assert "process, limits (2 submissions)" in alike
    assert "same isolation" not in alike
    assert "Grading took 2.5 s" in alike
