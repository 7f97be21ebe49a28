"""The page for the instructor: how the class did, what it got wrong, and what a human should look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograder.staff.pages.charts import bars, histogram
from autograder.staff.pages.classdata import TODO, TROUBLE, Class, Summary
from autograder.staff.pages.markup import block, line, link, name, number, page, table
from autograder.staff.pages.similarity import Pair
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE

TITLE = "MyTorch: the class"
MOST_MISCONCEPTIONS, MOST_IN_PRACTICE, MOST_GROUPS = 20, 6, 40
FEW = 6
STATUS = {UNREADABLE: '<span class="warn">unreadable</span>', GRADER_ERROR: '<span class="bad">GRADER_ERROR</span>'}


def class_page(summaries: Iterable[Summary], similar: Sequence[Pair] = ()) -> str:
    """The HTML page of a class. similar: pairs by the submissions' names, from similarity.similar."""
    klass = Class(summaries)
    body = [
        f"<h1>{TITLE}</h1>",
        *_errors(klass),
        *_numbers(klass),
        *_distribution(klass),
        *_exercises(klass),
        *_misconceptions(klass),
        *_trouble(klass),
        *_similar(klass, klass.pairs(similar)),
        *_students(klass),
        *_how(klass),
    ]
    return page(TITLE, body)


def _errors(klass: Class) -> list[str]:
    if not klass.errors:
        return []
    rows = "".join(
        f"<dt>{_to(one)}</dt><dd><pre>{block(one.reason or 'no reason was recorded', 400)}</pre></dd>"
        for one in klass.errors
    )
    count = len(klass.errors)
    return [
        '<section class="loud" role="alert">'
        f"<h2>GRADER_ERROR: {count} submission{'s were' if count > 1 else ' was'} not graded</h2>"
        "<p>The grader itself failed here; the submission may be right or wrong. There is no mark in the gradebook. "
        f"Grade again: this is tried anew with each run.</p><dl>{rows}</dl></section>"
    ]


def _numbers(klass: Class) -> list[str]:
    found = klass.statistics()
    unreadable = len(klass.of(UNREADABLE))
    facts: list[tuple[str, str]] = [("students", str(len(klass.newest))), ("graded", str(found["graded"]))]
    if found["graded"]:
        facts += [(key, _fact(found[key])) for key in ("mean", "median")]
        facts.append(("quartiles", f"{_fact(found['lower quartile'])} – {_fact(found['upper quartile'])}"))
        facts.append(("range", f"{_fact(found['lowest'])} – {_fact(found['highest'])}"))
        facts.append(("full marks", str(found["full marks"])))
    if unreadable:
        facts.append(("unreadable", str(unreadable)))
    body = [f'<dl class="facts">{"".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts)}</dl>']
    if klass.mixed:
        body.append(
            '<p class="notice">Not all were graded with the same exercises, so the totals don\'t compare. Grade all of '
            "them with the same options.</p>"
        )
    if len(klass.all) > len(klass.newest):
        body.append('<p class="quiet">Of several versions the newest one counts; all of them are listed below.</p>')
    return body


def _fact(value: float | int | None) -> str:
    return "–" if value is None else number(round(value, 1))


def _distribution(klass: Class) -> list[str]:
    graded = klass.of(GRADED)
    if not graded:
        return ["<h2>Distribution of marks</h2><p>Nothing has been graded yet.</p>"]
    median = klass.statistics()["median"]
    words = f"Students by marks, of {number(klass.possible)} possible. Dashed: the median, {_fact(median)}."
    if klass.of(UNREADABLE):
        words += " Unreadable submissions are left out."
    picture = histogram([one.total for one in graded], klass.possible, median)
    return ["<h2>Distribution of marks</h2>", f"<figure><figcaption>{words}</figcaption>{picture}</figure>"]


def _exercises(klass: Class) -> list[str]:
    rows = []
    for e in klass.exercises():
        picture = bars([("mean share of the marks", e["share"]), ("students with full marks", e["full share"])])
        hidden = ' <span class="quiet">hidden</span>' if e["hidden"] else ""
        full = f"{100 * e['full share']:.0f} %"
        rows.append([f"{line(e['name'])}{hidden}", picture, f"{number(e['mean'])} / {number(e['points'])}", full])
    if not rows:
        return []
    key = (
        '<p class="quiet"><span class="key one"></span>mean share of the marks'
        '<span class="key two"></span>students with full marks</p>'
    )
    heads = [("Exercise", "word"), ("", "wide"), ("Mean", "num"), ("Full marks", "num")]
    return ["<h2>Marks per exercise</h2>", key, table("Exercises in the order of the assignment", heads, rows)]


def _misconceptions(klass: Class) -> list[str]:
    body = ["<h2>Most frequent misconceptions</h2>"]
    most = len(klass.of(GRADED))
    found = klass.hints()
    if found:
        label = f"In exercises with marks, by the number of students who got the hint, of {most} graded"
        body.append(_hints(label, found[:MOST_MISCONCEPTIONS], most))
    else:
        body.append("<p>None was found.</p>")
    practice = klass.hints(practice=True)
    if practice:
        label = f"In practice, which has no marks, of {most} graded"
        body += ["<h3>In practice</h3>", _hints(label, practice[:MOST_IN_PRACTICE], most)]
    rest = max(len(found) - MOST_MISCONCEPTIONS, 0) + max(len(practice) - MOST_IN_PRACTICE, 0)
    if rest:
        body.append(f'<p class="quiet">{rest} rarer ones are in class.json.</p>')
    return body


def _hints(label: str, found: list[dict[str, Any]], most: int) -> str:
    rows = []
    for one in found:
        about = f'<div class="quiet"><code>{line(one["hint"], 60)}</code> in {_where(one)}</div>'
        picture = bars([("of the graded students", one["students"] / most)])
        rows.append([f"{line(one['sentence'], 500)}{about}", str(one["students"]), picture])
    return table(label, [("What the hint says, and where", ""), ("Students", "num"), ("", "small")], rows)


def _trouble(klass: Class) -> list[str]:
    names = {one.name: one for one in klass.all}
    rows = []
    for found in klass.hints([*TROUBLE, TODO]):
        what = TROUBLE.get(found["hint"], "something is not implemented yet")
        about = f'{line(what)}<div class="quiet">in {_where(found)}</div>'
        rows.append([about, str(found["students"]), _few([_to(names[n]) for n in found["who"]])])
    heads = [("What happened", "word"), ("Students", "num"), ("Who", "half")]
    body = ["<h2>Timeouts, crashes and gaps</h2>"]
    body.append(table("Exercises that gave no result", heads, rows) if rows else "<p>There were none.</p>")
    unreadable = klass.of(UNREADABLE)
    if unreadable:
        rows = [[_to(one), line(one.reason, 300)] for one in unreadable]
        heads = [("Student", "who"), ("Reason", "half")]
        body += ["<h3>Unreadable, with 0 marks</h3>", table("The archive could not be read", heads, rows)]
    return body


def _where(found: dict[str, Any]) -> str:
    """The exercises in which a hint was given."""
    return _few([line(exercise, 80) for exercise in found["exercises"]])


def _few(words: list[str], most: int = FEW) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _similar(klass: Class, pairs: list[Pair]) -> list[str]:
    body = [
        "<h2>Near-identical submissions</h2>",
        "<p>A hint for a human and no proof. Compared is the code that students wrote, without names, comments, numbers "
        "and the order of functions; what many in the class wrote, and the handout, don't count. Small exercises have few "
        "good solutions, so read both before you say a word to anybody.</p>",
    ]
    if not pairs:
        return [*body, "<p>No pair stands out.</p>"]
    names = {one.name: one for one in klass.all}
    rows = []
    groups = klass.groups(pairs)
    for group in groups[:MOST_GROUPS]:
        best = group[0]
        members = list(dict.fromkeys(name for pair in group for name in (pair.a, pair.b)))
        shared = ", ".join(f"{line(a, 60)}" + (f" = {line(b, 60)}" if a != b else "") for a, b in best.shared[:FEW])
        links = [_to(names[n]) for n in members]
        who = " and ".join(links) if len(links) == 2 else _few(links, 12)
        scores = [f"{100 * score:.0f}" for score in (group[-1].score, best.score)]
        alike = " – ".join(dict.fromkeys(scores))
        rows.append([who, str(len(members)), f"{alike} %", f'<span class="quiet">{shared}</span>'])
    heads = [("Students", "half"), ("Size", "num"), ("Alike", "num"), ("Parts that agree most", "half")]
    label = "Pairs and groups, most alike first. In a group each one is like at least one other; all pairs are in class.json."
    body.append(table(label, heads, rows))
    if len(groups) > MOST_GROUPS:
        body.append(f'<p class="quiet">{len(groups) - MOST_GROUPS} more are in class.json.</p>')
    return body


def _students(klass: Class) -> list[str]:
    if not klass.all:
        return []
    several = len(klass.all) > len(klass.newest)
    rows = []
    for one in klass.all:
        graded = one.status == GRADED
        marks = "–" if one.status == GRADER_ERROR else f"{number(one.total)} / {number(one.possible)}"
        share = one.total / one.possible if graded and one.possible else 0.0
        picture = bars([("of the marks", share)]) if graded else STATUS.get(one.status, line(one.status, 40))
        remarks = [f"version {line(one.version, 20)}"] if several else []
        remarks += [TROUBLE[hint] for hint in TROUBLE if hint in one.hints]
        remarks += [line(note, 100) for note in one.notes[:2]]
        remarks += [f"and {len(one.notes) - 2} more notes"] if len(one.notes) > 2 else []
        rows.append([_to(one), marks, picture, f'<span class="quiet">{"; ".join(remarks)}</span>'])
    heads = [("Student", "who"), ("Marks", "num"), ("", "small"), ("Remarks", "")]
    return ["<h2>Students</h2>", table("Each name leads to the feedback page of that student", heads, rows)]


def _to(one: Summary) -> str:
    return f'<a href="{link("feedback", one.name + ".html")}">{name(one.student)}</a>'


def _how(klass: Class) -> list[str]:
    rows = [
        f"<li>{line(', '.join(map(str, level)) or 'none', 300)} ({n} submission{'s' if n != 1 else ''})</li>"
        for level, n in klass.levels()
    ]
    seconds = sum(one.seconds for one in klass.all)
    body = ["<h2>How it was graded</h2>"]
    if rows:
        body.append(f"<p>Isolation that was reached:</p><ul>{''.join(rows)}</ul>")
    if len(rows) > 1:
        body.append('<p class="notice">Not all submissions ran under the same isolation.</p>')
    body.append(
        f"<p>{number(round(seconds, 1))} s of work in all. The seeds of every submission are in its record, so a mark can "
        "be reproduced: <code>python -m autograder.staff grade SUBMISSIONS --out REPORTS --again STUDENT</code>.</p>"
    )
    return body
