"""Shared by the tests of the pages: records, hostile text, and a reader that refuses what must not be on a page."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

from autograder.feedback import Feedback, no_feedback
from autograder.staff.pages.classdata import Summary, summary
from autograder.staff.pages.page_class import class_page
from autograder.staff.pages.page_student import student_page
from autograder.staff.pages.render import TEMPLATES
from autograder.staff.pages.similarity import Pair, Similar
from autograder.staff.record import FORMAT, GRADED, Record, student_view

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
    "template": "{{ 7 * 7 }} {% include 'style.css' %} {# gone #}",
    "path": "../../../etc/passwd\\..\\x",
}
TAGS = """html head meta title style body main h1 h2 h3 p strong code section ul li div span a dl dt dd pre table caption
thead tbody tr th td bdi wbr figure figcaption svg rect text line g"""
INLINE = {"bdi", "wbr", "span", "a", "code", "strong"}
STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8").strip()
FEEDBACK: Feedback = {
    "given": "x = [[1.0, 2.0],\n[3.0, 4.0]]", "looked_at": "dW", "expected": "[[1.0]]", "came": "nothing",
    "place": "mytorch/nn/modules/linear.py, line 7: y = x", "hint": "All zeros: no gradient arrived here.",
}  # fmt: skip


def said(**parts: str) -> Feedback:
    """Feedback of these parts alone."""
    return cast(Feedback, {**no_feedback(), **parts})


def a_check(**changes: Any) -> dict[str, Any]:
    """A check that failed."""
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
            a_check(), a_check(check="db", hint="time", feedback=said(came="nothing")),
            a_check(check="again", status="blocked", needs="Autograd Backward", hint="", feedback=said(), printed=""),
            a_check(exercise="MLP", check="sizes", points=0, status="todo", feedback=said()),
            a_check(exercise="Tanh Forward", check="values", status="passed", earned=1.0, feedback=said(), printed=""),
            a_check(exercise="Hidden Layers", check="seven", hint="sign", hidden=True),
        ],
        "flags": [], "total": 1.5, "possible": 60.0, **changes,
    }  # fmt: skip
    return cast(Record, record)


def students(*totals: float, **changes: Any) -> list[Summary]:
    """Summaries of students s0000, s0001 and so on with these totals."""
    return [summary(a_record(student=f"s{i:04d}", total=t, **changes), f"s{i:04d}") for i, t in enumerate(totals)]


class Reader(HTMLParser):
    """Reads a page as a browser does and notes what must not be in it."""

    VOID = {"meta", "br", "wbr"}

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.parts: list[str] = []
        self.links: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        self.wrong += [f"not closed: {self.open}"] if self.open else []

    @property
    def words(self) -> str:
        """The text that is shown, with single spaces between words."""
        return " ".join("".join(self.parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS.split():
            self.wrong.append(f"<{tag}>")
        if tag not in self.VOID:
            self.open.append(tag)
        self._separate(tag)
        for key, value in attrs:
            if key.startswith("on") or key in ("src", "srcset", "style", "action", "xlink:href") or value is None:
                self.wrong.append(f"{tag} {key}={value}")
            if key == "href":
                self.links.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")
        self._separate(tag)

    def _separate(self, tag: str) -> None:
        """Cells and paragraphs stand apart on the screen."""
        if tag not in INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        (self.styles if "style" in self.open else self.parts).append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"comment {data}")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"declaration {data}")


def read(page: str) -> Reader:
    """Check a page and return what is in it."""
    reader = Reader(page)
    assert not reader.wrong, reader.wrong[:3]
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in page
    assert all(re.fullmatch(r"#e\d+|(?:(?:\.\./)?feedback|sections)/[\w%.~-]+\.html", link) for link in reader.links), (
        reader.links
    )
    assert [style.strip() for style in reader.styles] == [STYLE]
    assert "://" not in STYLE + "".join(reader.links)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", page
    )
    page.encode("utf-8")
    return reader


def of_student(**changes: Any) -> str:
    """The words on the page of a student whose record is a_record with these changes."""
    return read(student_page(student_view(a_record(**changes)))).words


def of_class(summaries: list[Summary], pairs: list[Pair] | None = None) -> str:
    """The words on the page of a class."""
    return read(class_page(summaries, Similar(pairs=tuple(pairs or [])))).words


def text_fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each string in a record."""
    if isinstance(value, str):
        return [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in pairs for found in text_fields(one, (*path, key))]


def with_text(record: Record, path: tuple[Any, ...], text: str) -> Record:
    """The record with a string in it replaced."""
    changed: Any = copy.deepcopy(record)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = text
    return cast(Record, changed)


def both(record: Record) -> list[str]:
    """The page of the student and that of a class with it, where it is like another one."""
    pair = Pair("x", "y", 0.9, ((str(record["student"]), "forward"),))
    return [student_page(student_view(record)), class_page([summary(record, "x"), somebody()], Similar(pairs=(pair,)))]


def somebody() -> Summary:
    return summary(a_record(student="somebody else"), "y")


def written(folder: Path, name: str = "x") -> list[str]:
    """The student's page and the class page in a folder of reports."""
    return [(folder / file).read_text(encoding="utf-8") for file in (f"feedback/{name}.html", "class.html")]
