"""The reports: nothing of a submission acts in them, hidden checks stay hidden, and every class has its page."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from autograder.feedback import Feedback, no_feedback
from autograder.hints import HINTS
from autograder.staff.files import as_json
from autograder.staff.pages import write as pages
from autograder.staff.pages.charts import bins_of
from autograder.staff.pages.classdata import TROUBLE, Class, class_data, sentence, summary
from autograder.staff.pages.markup import STYLE, line, visible
from autograder.staff.pages.page_class import class_page
from autograder.staff.pages.page_student import student_page
from autograder.staff.pages.similarity import Pair
from autograder.staff.record import FORMAT, GRADED, GRADER_ERROR, UNREADABLE, Record, student_view

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror='alert(1)'>' onmouseover=alert(1) x='",
    "closing": "</pre></dd></title></style></td></svg><style>@import 'http://x'</style>--><iframe>]]>&lt;&#60;",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x00\x08\x7f\x85",
    "bidi": "abc\u202egnp.exe\u2066\u200f\ufeff\u2028",
    "surrogate": "\ud800 and \udfff \ufffe \U0010ffff",
    "long": "A" * 20000,
    "lines": "a\r\nb\rc\n" * 2000,
    "formula": '=HYPERLINK("http://x","y")+cmd|\' /C calc\'!A0',
    "marks": "e" + "\u0301" * 500,
    "format": "{0} %s {student!r} \\u003cscript\\u003e",
    "path": "../../../etc/passwd\\..\\x",
}
MARKER = "ABSOLUTELY-HIDDEN-91723"
TAGS = """html head meta title style body main h1 h2 h3 p strong code section ul li div span a dl dt dd pre table caption
thead tbody tr th td bdi figure figcaption svg rect text line g"""
FEEDBACK: Feedback = {
    "given": "x = [[1.0, 2.0],\n[3.0, 4.0]]", "looked_at": "dW", "expected": "[[1.0]]", "came": "nothing",
    "place": "mytorch/nn/modules/linear.py, line 7: y = x", "hint": "All zeros: no gradient arrived here.",
}  # fmt: skip


def a_check(**changes: Any) -> dict[str, Any]:
    return {
        "exercise": "Linear", "check": "dW", "points": 2.0, "earned": 0.0, "status": "failed", "needs": "",
        "hint": "zero", "feedback": FEEDBACK, "printed": "hello\nworld", "hidden": False, **changes,
    }  # fmt: skip


def an_exercise(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Linear", "points": 5.0, "earned": 1.5, "hidden": False, "passed": False, "hint": "", "seconds": 0.1,
        **changes,
    }  # fmt: skip


def a_record(**changes: Any) -> Record:
    """A graded submission with every kind of check."""
    record = {
        "format": FORMAT, "student": "ada@example.edu", "version": 2, "source": "in/ada@example.edu_2_handin.tar",
        "digest": "ab" * 32, "grader": "1", "seed": 123456, "hidden_seed": 987654321, "level": ["process", "limits"],
        "status": GRADED, "reason": "", "started": "2026-01-02T03:04:05Z", "seconds": 1.25, "notes": ["a wrapper folder"],
        "exercises": [
            an_exercise(), an_exercise(name="MLP", points=0, earned=0), an_exercise(name="Tanh Forward", passed=True),
            an_exercise(name="Hidden Layers", points=3, earned=0, hidden=True, hint="Think of batches."),
        ],
        "checks": [
            a_check(), a_check(check="db", hint="time", feedback={**no_feedback(), "came": "nothing"}),
            a_check(check="again", status="blocked", needs="Autograd Backward", hint="", feedback=no_feedback(), printed=""),
            a_check(exercise="MLP", check="sizes", points=0, status="todo", feedback=no_feedback()),
            a_check(exercise="Tanh Forward", check="values", status="passed", earned=1.0, feedback=no_feedback(), printed=""),
            a_check(exercise="Hidden Layers", check="seven", hint="sign", hidden=True),
        ],
        "total": 1.5, "possible": 60.0, **changes,
    }  # fmt: skip
    return cast(Record, record)


class Reader(HTMLParser):
    """Reads a page as a browser does and notes what must not be in it."""

    VOID = {"meta", "br"}

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.heads = 0
        self.feed(text)
        self.close()
        self.wrong += [f"not closed: {self.open}"] if self.open else []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS.split():
            self.wrong.append(f"<{tag}>")
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key.startswith("on") or key in ("src", "srcset", "style", "action", "xlink:href") or value is None:
                self.wrong.append(f"{tag} {key}={value}")
            if key == "href":
                self.links.append(str(value))
        self.heads += tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"comment {data}")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"declaration {data}")


def read(text: str) -> Reader:
    """Check a page and return what is in it."""
    reader = Reader(text)
    assert not reader.wrong, reader.wrong[:3]
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in text
    assert all(re.fullmatch(r"#e\d+|feedback/[\w%.~-]+\.html", link) for link in reader.links), reader.links
    assert re.findall("(?s)<style>(.*?)</style>", text) == [STYLE]
    assert "://" not in STYLE + "".join(reader.links)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", text
    )
    text.encode("utf-8")
    return reader


def text_fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each string in a record."""
    if isinstance(value, str):
        return [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in pairs for found in text_fields(one, (*path, key))]


def with_text(record: Record, path: tuple[Any, ...], text: str) -> Record:
    changed: Any = copy.deepcopy(record)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = text
    return cast(Record, changed)


def both(record: Record) -> list[str]:
    """The page of the student and that of a class with it, where it is like another one."""
    pair = Pair("x", "y", 0.9, ((str(record["student"]), "forward"),))
    somebody = summary(a_record(student="somebody else"), "y")
    return [student_page(student_view(record)), class_page([summary(record, "x"), somebody], [pair])]


def everything(record: Record, folder: Path, name: str = "x") -> list[str]:
    """All reports of a class of this one, as text."""
    pair = Pair(name, "y", 0.9, ((str(record["student"]), "forward"),))
    other = a_record(student="somebody else")
    names = {id(record): name, id(other): "y"}
    pages.write_reports([record, other], folder, name_of=lambda r: names[id(r)], similar=[pair])
    json.loads((folder / "class.json").read_bytes())
    json.loads((folder / f"feedback/{name}.json").read_bytes())
    return [(folder / file).read_text(encoding="utf-8") for file in (f"feedback/{name}.html", "class.html")]


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("status", [GRADED, UNREADABLE, GRADER_ERROR])
def test_no_field_of_a_record_acts_in_a_page(kind: str, status: str, tmp_path: Path) -> None:
    record = a_record(status=status, reason="because")
    fields = text_fields(record)
    assert len(fields) > 50
    # One at a time where the pages show most of them, then all at once.
    for field in fields if status == GRADED else ():
        for text in both(with_text(record, field, HOSTILE[kind])):
            read(text)
    changed = record
    for field in fields:
        if field != ("status",):
            changed = with_text(changed, field, HOSTILE[kind])
    for text in everything(changed, tmp_path):
        read(text)
        assert len(text) < 400_000


def test_hostile_text_is_shown_and_not_swallowed(tmp_path: Path) -> None:
    shown = everything(a_record(student=HOSTILE["script"]), tmp_path)
    for text in shown:
        assert HOSTILE["script"] in "".join(read(text).words)
        assert "&lt;script&gt;" in text


@pytest.mark.parametrize("status", [GRADED, UNREADABLE, GRADER_ERROR])
def test_hidden_checks_never_reach_a_student(status: str, tmp_path: Path) -> None:
    record = a_record(status=status, grader=MARKER)
    for check in record["checks"]:
        if check["hidden"]:
            changed = cast(dict[str, Any], check)
            changed.update({k: MARKER for k, v in changed.items() if isinstance(v, str) and k != "exercise"})
            changed["feedback"] = dict.fromkeys(changed["feedback"], MARKER)
    record["hidden_seed"] = 9172391723
    record["reason"] = MARKER if status == GRADER_ERROR else ""
    everything(record, tmp_path)
    for ending in ("html", "json"):
        text = (tmp_path / f"feedback/x.{ending}").read_text(encoding="utf-8")
        assert MARKER not in text
        assert "9172391723" not in text
    secret = cast(Any, a_check(check=MARKER, feedback=dict.fromkeys(FEEDBACK, MARKER), printed=MARKER, hidden=True))
    record["checks"].append(secret)  # a hidden check of an exercise that is open
    # And the page itself leaves out what it should not have been given.
    assert MARKER not in student_page({**student_view(record), "checks": record["checks"], "reason": record["reason"]})


def test_a_hidden_exercise_shows_its_status_and_general_hint() -> None:
    words = " ".join(read(student_page(student_view(a_record()))).words)
    assert "Hidden Layers" in words
    assert "not passed" in words
    assert "Think of batches." in words


def test_practice_is_told_apart_from_marks() -> None:
    done, not_yet = a_check(status="passed"), a_check(check="practice", points=0, status="failed")
    for checks, words in (
        ([done], "all passed"),
        ([done, not_yet], "all that has marks"),
        ([not_yet], "0 of 1 checks"),
    ):
        view = student_view(a_record(checks=checks, exercises=[an_exercise(passed=True)]))
        assert words in "".join(read(student_page(view)).words)


def test_a_students_page_says_what_to_do(tmp_path: Path) -> None:
    words = " ".join(read(student_page(student_view(a_record()))).words)
    for part in (
        "1.5", "60", "python autograder/runner.py --seed 123456", "process, limits", "a wrapper folder",
        "x = [[1.0, 2.0],\n[3.0, 4.0]]", "All zeros: no gradient arrived here.", "hello\nworld", " first: Linear.",
        "Not implemented yet", "mytorch/nn/modules/linear.py, line 7: y = x", "ada@example.edu_2_handin.tar",
    ):  # fmt: skip
        assert part in words, part
    assert "in/ada" not in words
    assert words.index("What to look at") < words.index("Practice, without marks")


def test_names_of_functions_keep_their_letters_and_what_was_not_run_is_named() -> None:
    stub = a_check(
        status="todo", check="sub", feedback={**no_feedback(), "came": "sub_backward is not implemented yet"}
    )
    lost = [
        a_check(status="not run", check=name, feedback={**no_feedback(), "hint": "An earlier one did not."})
        for name in ("one row", "batches")
    ]
    words = " ".join(read(student_page(student_view(a_record(checks=[stub, *lost])))).words)
    assert "sub_backward is not implemented yet" in words
    assert "Not run: An earlier one did not. (one row, batches)" in words


def test_an_error_of_one_line_is_shown_once_whatever_the_shapes_in_it() -> None:
    first = a_check(check="one", feedback={**FEEDBACK, "came": "KeyError: shape (1, 2) is unknown"})
    again = a_check(check="two", feedback={**FEEDBACK, "came": "KeyError: shape (4, 3) is unknown"})
    words = " ".join(read(student_page(student_view(a_record(checks=[first, again])))).words)
    assert "shape (1, 2)" in words
    assert "shape (4, 3)" not in words
    assert "two (0 of 2 marks): stopped at the same line as above." in words


def test_version_and_time_are_for_people() -> None:
    record = a_record(version=0, started="2026-01-02T03:04:05+00:00")
    words = " ".join(read(student_page(student_view(record))).words)
    assert "version" not in words
    assert "graded 2026-01-02 03:04 UTC" in words
    assert "version 3" in " ".join(read(student_page(student_view(a_record(version=3)))).words)


def test_an_unreadable_submission_has_its_reason() -> None:
    record = a_record(status=UNREADABLE, reason="handin.tar is cut off.", exercises=[], checks=[], total=0)
    words = " ".join(read(student_page(student_view(record))).words)
    assert "handin.tar is cut off." in words
    assert "create_tarball" in words
    assert "--seed" not in words


def test_an_error_of_the_grader_is_no_mark_for_the_student_and_loud_for_staff(tmp_path: Path) -> None:
    record = a_record(status=GRADER_ERROR, reason="ZeroDivisionError in the grader", total=0)
    student, klass = (read(text) for text in everything(record, tmp_path))
    words = " ".join(student.words)
    assert "Not graded yet" in words
    assert "ZeroDivisionError" not in words
    assert "of 60 marks" not in words
    everybody = "".join(klass.words)
    assert "ZeroDivisionError in the grader" in everybody
    assert everybody.index("GRADER_ERROR") < everybody.index("Distribution of marks")
    data = json.loads((tmp_path / "class.json").read_text())
    assert [one["total"] for one in data["list"] if one["name"] == "x"] == [None]
    assert data["statistics"]["graded"] == 1


def students(*totals: float, **changes: Any) -> list[Any]:
    return [summary(a_record(student=f"s{i:04d}", total=t, **changes), f"s{i:04d}") for i, t in enumerate(totals)]


@pytest.mark.parametrize(
    "totals", [[], [0], [60], [12.25], [30] * 40, [0.5 * i for i in range(121)], [i % 61 for i in range(500)], [-1, 99]]
)
def test_every_class_has_its_page(totals: list[float]) -> None:
    reader = read(class_page(students(*totals)))
    assert sum(n for _, _, n in bins_of(totals, 60)) == len(totals)
    for one in (f"s{i:04d}" for i in range(len(totals))):
        assert one in reader.words
    assert json.loads(as_json(class_data(students(*totals))))["statistics"]["graded"] == len(totals)


def test_nobody_graded() -> None:
    words = "".join(read(class_page(students(0, 0, status=UNREADABLE, reason="cut off"))).words)
    assert "Nothing has been graded yet" in words
    assert "cut off" in words
    assert not re.search(r"\bnan\b", words)


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


def test_misconceptions_count_students_and_not_checks() -> None:
    twice = [a_check(), a_check(check="other"), a_check(exercise="MLP")]
    some = [summary(a_record(student=str(i), checks=twice), str(i)) for i in range(3)]
    one = summary(a_record(student="x", checks=[a_check(hint="sign"), a_check(hint="time")]), "x")
    data = class_data([*some, one])
    assert [(m["hint"], m["students"]) for m in data["misconceptions"]] == [("zero", 3), ("sign", 1)]
    assert data["misconceptions"][0]["exercises"] == {"Linear": 3, "MLP": 3}
    assert [(m["hint"], m["students"]) for m in data["trouble"]] == [("time", 1)]
    words = "".join(read(class_page([*some, one])).words)
    assert HINTS["zero"] in words
    assert TROUBLE["time"] in words


def test_marks_per_exercise() -> None:
    some = [summary(a_record(student=s, exercises=[an_exercise(earned=e)]), s) for s, e in zip("abcd", (5, 5, 2, 0))]
    (found,) = Class(some).exercises()
    assert (found["mean"], found["share"], found["full share"]) == (3, 0.6, 0.5)


def test_hints_without_the_numbers_of_one_submission() -> None:
    for hint in HINTS:
        assert "{" not in sentence(hint)
    assert set(TROUBLE) <= set(HINTS)
    assert sentence("unheard of {0.x}") == "unheard of {0.x}"


def test_pairs_are_a_hint_and_never_within_one_student() -> None:
    some = [summary(a_record(student=s, version=v), f"{s}{v}") for s, v in (("a", 1), ("a", 2), ("b", 1))]
    pairs = [Pair("a1", "a2", 1.0, ()), Pair("a2", "b1", 0.9, (("Linear.forward", "f"),)), Pair("a2", "gone", 1.0, ())]
    words = "".join(read(class_page(some, pairs)).words)
    assert "no proof" in words
    assert "Linear.forward = f" in words
    assert [(p["a"], p["b"]) for p in class_data(some, pairs)["similar"]] == [("a2", "b1")]


def test_mixed_exercises_and_isolation_are_named() -> None:
    some = [summary(a_record(student="a", possible=50.0), "a"), *students(1, level=["process"])]
    words = "".join(read(class_page(some)).words)
    assert "same exercises" in words
    assert "same isolation" in words


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\0b"])
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        pages.write_feedback(a_record(), tmp_path, name)
    assert not list(tmp_path.rglob("*.*"))


def test_links_are_quoted(tmp_path: Path) -> None:
    text = everything(a_record(), tmp_path, "ada #1 ?&\"'%é")[1]
    assert "feedback/ada%20%231%20%3F%26%22%27%25%C3%A9.html" in read(text).links


def test_records_are_taken_one_by_one(tmp_path: Path) -> None:
    alive: list[int] = []

    def records() -> Any:
        for i in range(5):
            alive.append(len(list(tmp_path.glob("feedback/*.html"))))
            yield a_record(student=str(i))

    pages.write_reports(records(), tmp_path, name_of=lambda r: r["student"])
    assert alive == [0, 1, 2, 3, 4]


def test_one_line_is_safe_within_an_attribute() -> None:
    assert line("a\"'<\n\t&") == "a&quot;&#x27;&lt; \u21b5  &amp;"


def test_accents_stay_and_towers_go() -> None:
    assert (
        visible("Jose\u0301 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd") == "Jose\u0301 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd"
    )
    assert len(visible("e" + "\u0301" * 50)) < 8
    assert visible("\x1b[31mred\x07\u202e") == "red\u27e8U+0007\u27e9\u27e8U+202E\u27e9"
    assert "14 more" in visible("x" * 20, 6)
