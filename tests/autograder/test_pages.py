"""The reports' pages: nothing of a submission acts in them, hidden checks stay hidden, and every file has its place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from autograder.staff.pages import render
from autograder.staff.pages import write as pages
from autograder.staff.pages.similarity import Pair, Similar
from autograder.staff.pages.text import block, line, pieces, visible
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE, Record, student_view
from tests.autograder.page_tools import (
    FEEDBACK,
    HOSTILE,
    a_check,
    a_record,
    an_exercise,
    both,
    read,
    said,
    text_fields,
    with_text,
    written,
)
from tests.autograder.workshop import ROOT
from tests.clocks import patience

MARKER = "ABSOLUTELY-HIDDEN-91723"
ALIVE = """<i onclick="x">'&amp;</i>"""


def write(record: Record, folder: Path, name: str = "x") -> list[str]:
    """All reports of a class of this one and another, and the pages among them."""
    other = a_record(student="somebody else")
    pair = Pair(name, "y", 0.9, ((str(record["student"]), "forward"),))
    pages.write_reports([(name, record), ("y", other)], folder, Similar(pairs=(pair,)))
    json.loads((folder / "class.json").read_bytes())
    json.loads((folder / f"feedback/{name}.json").read_bytes())
    return written(folder, name)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("status", [GRADED, UNREADABLE, GRADER_ERROR])
@pytest.mark.slow
def test_no_text_of_a_record_acts_in_a_page(kind: str, status: str, tmp_path: Path) -> None:
    record = a_record(status=status, reason="because")
    for field in text_fields(record):
        if field != ("status",):
            record = with_text(record, field, HOSTILE[kind])
    for page in write(record, tmp_path):
        read(page)
        assert len(page) < 400_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["attribute", "closing", "bidi"])
def test_nor_does_one_field_alone(kind: str) -> None:
    """A page shows most where the rest of the record is as usual."""
    record = a_record(reason="because")
    fields = text_fields(record)
    assert len(fields) > 50
    for field in fields:
        for page in both(with_text(record, field, HOSTILE[kind])):
            read(page)


PLACES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    # The changes of a record that bring a text to a place, and the pages that show it: the student's, the class's.
    "name": ({"student": ALIVE}, True, True),
    "file": ({"source": f"in/{ALIVE.replace('/', '')}"}, True, False),
    "start": ({"started": ALIVE}, True, False),
    "why it is unreadable": ({"status": UNREADABLE, "reason": ALIVE}, True, True),
    "why it has no mark": ({"status": GRADER_ERROR, "reason": ALIVE}, False, True),
    "note": ({"notes": [ALIVE]}, True, True),
    "isolation": ({"level": [ALIVE]}, True, True),
    "digest": ({"digest": ALIVE}, True, False),
    "seed": ({"seed": ALIVE}, True, False),
    "exercise": ({"exercises": [an_exercise(name=ALIVE)], "checks": [a_check(exercise=ALIVE)]}, True, True),
    "hidden exercise": ({"exercises": [an_exercise(name=ALIVE, hidden=True)]}, True, True),
    "hint of a hidden exercise": ({"exercises": [an_exercise(hint=ALIVE, hidden=True)]}, True, False),
    "check": ({"checks": [a_check(check=ALIVE)]}, True, False),
    "hint": ({"checks": [a_check(hint=ALIVE)]}, False, True),
    "what is needed": ({"checks": [a_check(status="blocked", needs=ALIVE)]}, True, False),
    "what was printed": ({"checks": [a_check(printed=ALIVE)]}, True, False),
    "error": ({"checks": [a_check(feedback=said(came=ALIVE))]}, True, False),
    "expected value": ({"checks": [a_check(feedback=said(expected=ALIVE))]}, True, False),
    "what was given": ({"checks": [a_check(feedback=said(given=ALIVE))]}, True, False),
    "what was looked at": ({"checks": [a_check(feedback=said(looked_at=ALIVE))]}, True, False),
    "line of code": ({"checks": [a_check(feedback=said(place=ALIVE))]}, True, False),
    "what to look at": ({"checks": [a_check(feedback=said(hint=ALIVE))]}, True, False),
    "stub": ({"checks": [a_check(status="todo", feedback=said(came=ALIVE))]}, True, False),
    "reason of a check that was not run": (
        {"checks": [a_check(status="not run", feedback=said(hint=ALIVE))]},
        True,
        False,
    ),
    "check that was not run": ({"checks": [a_check(status="not run", check=ALIVE)]}, True, False),
}


@pytest.mark.parametrize("place", PLACES)
def test_markup_in_a_text_is_shown_and_not_swallowed(place: str) -> None:
    changes, *where = PLACES[place]
    text = ALIVE.replace("/", "") if place == "file" else ALIVE
    for page, there in zip(both(a_record(**changes)), where):
        assert (text in read(page).words) == there


def test_escaping_is_the_environments_part_and_never_taken_back() -> None:
    environment = render.environment()
    assert environment.autoescape is True
    assert environment.from_string("{{ a }}").render(a="<b>\u202e") == "&lt;b&gt;⟨U+202E⟩"
    sources = [*render.TEMPLATES.iterdir(), *render.TEMPLATES.parent.glob("*.py")]
    assert len(sources) > 10
    for path in sources:
        assert not re.search(r"\|\s*safe\b|Markup|autoescape\s+false", path.read_text(encoding="utf-8")), path


def test_no_page_is_written_by_hand() -> None:
    for path in (ROOT / "autograder").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"</(html|body|div|table|tr|td|section|span|svg|p|pre)>", source), path
        if path.parent != render.TEMPLATES.parent:
            assert not re.search(r"^\s*(from|import) (jinja2|html)\b", source, re.M), path


WITHOUT = "import sys; sys.modules['jinja2'] = None; from autograder.staff.__main__ import main; sys.exit(main())"


def without_jinja2(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A staff command in a Python that has no Jinja2."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=patience(120),
    )


@pytest.mark.slow
def test_grading_without_jinja2_says_what_to_install_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    done = without_jinja2("grade", tmp_path / "class", "--out", tmp_path / "reports")
    assert done.returncode == 2
    assert 'python -m pip install "jinja2>=3.1"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "reports").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["handout", "autolab", "gradescope"])
def test_what_others_get_is_built_with_numpy_alone(command: str, tmp_path: Path) -> None:
    done = without_jinja2(command, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir())


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(Exception, match="'gone' is undefined"):
        render.environment().from_string("{{ gone }}").render()


def test_a_name_keeps_its_direction_to_itself_and_its_length_is_bounded() -> None:
    for page in both(a_record(student="עדי לוי")):
        assert "<bdi>עדי לוי</bdi>" in page
    for page in both(a_record(student="x" * 250)):
        assert "xxx … (130 more characters)" in read(page).words
        assert "x" * 121 not in re.sub("<title>.*?</title>", "", page)


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
    write(record, tmp_path)
    for ending in ("html", "json"):
        text = (tmp_path / f"feedback/x.{ending}").read_text(encoding="utf-8")
        assert MARKER not in text
        assert "9172391723" not in text
    secret = cast(Any, a_check(check=MARKER, feedback=dict.fromkeys(FEEDBACK, MARKER), printed=MARKER, hidden=True))
    record["checks"].append(secret)  # a hidden check of an exercise that is open
    # And the page itself leaves out what it should not have been given.
    view = {**student_view(record), "checks": record["checks"], "reason": record["reason"]}
    assert MARKER not in pages.student_page(view)


def test_an_error_of_the_grader_is_no_mark_for_the_student_and_loud_for_staff(tmp_path: Path) -> None:
    record = a_record(status=GRADER_ERROR, reason="ZeroDivisionError in the grader", total=0)
    student, klass = (read(page).words for page in write(record, tmp_path))
    assert "Not graded yet" in student
    assert "ZeroDivisionError" not in student
    assert "of 60 marks" not in student
    assert "ZeroDivisionError in the grader" in klass
    assert klass.index("GRADER_ERROR") < klass.index("Distribution of marks")
    data = json.loads((tmp_path / "class.json").read_text())
    assert [one["total"] for one in data["list"] if one["name"] == "x"] == [None]
    assert data["statistics"]["graded"] == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\0b"])
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        pages.write_feedback(a_record(), tmp_path, name)
    assert not list(tmp_path.rglob("*.*"))


def test_links_are_quoted(tmp_path: Path) -> None:
    page = write(a_record(), tmp_path, "ada #1 ?&\"'%é")[1]
    assert "feedback/ada%20%231%20%3F%26%22%27%25%C3%A9.html" in read(page).links


def test_records_are_taken_one_by_one(tmp_path: Path) -> None:
    alive: list[int] = []

    def records() -> Any:
        for i in range(5):
            alive.append(len(list(tmp_path.glob("feedback/*.html"))))
            yield str(i), a_record(student=str(i))

    pages.write_reports(records(), tmp_path)
    assert alive == [0, 1, 2, 3, 4]


def test_lines_and_blocks_are_bounded_and_a_line_stays_one() -> None:
    assert line("a\"'<\n\t&") == "a\"'< ↵  &"
    assert block("a\r\nb\tc\x00") == "a\nb\tc⟨U+0000⟩"
    assert line("x" * 20, 6) == block("x" * 20, 6) == "xxxxxx … (14 more characters)"


def test_accents_stay_and_towers_go() -> None:
    assert (
        visible("Jose\u0301 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd") == "Jose\u0301 \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd"
    )
    assert len(visible("e" + "\u0301" * 50)) < 8
    assert visible("\x1b[31mred\x07\u202e") == "red\u27e8U+0007\u27e9\u27e8U+202E\u27e9"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_second_pass_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert "".join(pieces(text)) == text


def test_long_names_break_at_their_signs() -> None:
    assert pieces("alexander.longname@andrew.example.edu") == ["alexander.", "longname@", "andrew.", "example.", "edu"]
    assert pieces("ada@example.edu") == ["ada@example.edu"]
    assert pieces("--__" * 8) == ["--__" * 8]
    for page in both(a_record(student="alexander.longname@andrew.example.edu")):
        assert "alexander.<wbr>longname@<wbr>andrew.<wbr>example.<wbr>edu</bdi>" in page
