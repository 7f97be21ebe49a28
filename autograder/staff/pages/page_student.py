"""The page that a student gets: marks, and for each failed check what was given, expected and came."""

from __future__ import annotations

import re
from typing import Any

from autograder.feedback import CheckRecord, labelled, reason
from autograder.staff.pages.markup import block, line, name, number, page, table
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE

SHOWN = {"at": "where"}
SHORT = ("todo", "not run")
MOST_CHECKS = 200
Check = CheckRecord


def student_page(view: dict[str, Any]) -> str:
    """The HTML page of one submission, from record.student_view. Hidden checks are left out here once more."""
    checks = [check for check in view["checks"] if not check["hidden"]]
    body = [f"<h1>MyTorch: {name(view['student'])}</h1>", _handed_in(view)]
    if view["status"] == GRADER_ERROR:
        body += [
            '<section class="loud"><h2>Not graded yet</h2><p>The grader itself had an error while it worked on this '
            "submission. This says nothing about the code, and no marks were given or taken away. The staff were told "
            "and will grade it again.</p></section>"
        ]
        return page(f"MyTorch: {view['student']}", body)
    body.append(f'<p class="total"><strong>{number(view["total"])}</strong> of {number(view["possible"])} marks</p>')
    if view["status"] == UNREADABLE:
        body += [
            '<section class="loud"><h2>This submission could not be read</h2>'
            f"<pre>{block(view['reason'], 2000)}</pre>"
            "<p>Nothing in it was graded. Pack it with <code>sh create_tarball.sh</code> (or "
            "<code>python create_tarball.py</code>), which writes a handin.tar that can be read, and hand that in.</p>"
            "</section>"
        ]
    if view["notes"]:
        items = "".join(f"<li>{line(note, 500)}</li>" for note in view["notes"][:50])
        body.append(f'<section class="notice"><strong>Noted about the archive</strong><ul>{items}</ul></section>')
    if view["status"] == GRADED:
        body += [_marks(view["exercises"], checks), *_feedback(view["exercises"], checks), *_how(view)]
    return page(f"MyTorch: {view['student']}", body)


def _handed_in(view: dict[str, Any]) -> str:
    source = str(view["source"]).replace("\\", "/").rstrip("/").rpartition("/")[2]
    # Where the name has no version, it is 0.
    parts = [
        f"<code>{line(source)}</code>" if source else "",
        f"version {number(view['version'])}" * bool(view["version"]),
    ]
    parts.append(f"graded {line(_moment(view['started']), 40)}" if view["started"] else "")
    return f'<p class="quiet">{" · ".join(filter(None, parts))}</p>'


def _moment(text: str) -> str:
    """2026-11-21T11:42:10+00:00 for people; anything else stays as it is."""
    return re.sub(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?\+00:00", r"\1 \2 UTC", str(text))


def _marks(exercises: list[dict[str, Any]], checks: list[Check]) -> str:
    rows = []
    for exercise in exercises:
        own = [check for check in checks if check["exercise"] == exercise["name"]]
        worth = f"{number(exercise['earned'])} / {number(exercise['points'])}" if exercise["points"] else "practice"
        target = line(exercise["name"])
        if not exercise["hidden"] and any(_own_reason(check) for check in own):
            target = f'<a href="#{_anchor(exercises, exercise["name"])}">{target}</a>'
        rows.append([target, worth, _remark(exercise, own)])
    return table("Marks per exercise", [("Exercise", "word"), ("Marks", "num"), ("", "half")], rows)


def _remark(exercise: dict[str, Any], checks: list[Check]) -> str:
    if all(check["status"] == "passed" for check in checks) and (checks or exercise["passed"]):
        return '<span class="good">✓ all passed</span>'
    if exercise["hidden"]:
        return '<span class="bad">✗ not passed</span> (hidden)'
    statuses = [check["status"] for check in checks if check["points"]] or [check["status"] for check in checks]
    needs = next((check["needs"] for check in checks if check["status"] == "blocked"), "")
    if statuses and all(status == "passed" for status in statuses):
        return '<span class="good">✓ all that has marks</span>'
    if "todo" in statuses and set(statuses) <= {"todo", "blocked"}:
        return "not implemented yet"
    if needs and set(statuses) <= {"blocked"}:
        return f"needs {line(needs)} first"
    return f'<span class="bad">✗</span> {statuses.count("passed")} of {len(statuses)} checks passed'


def _own_reason(check: Check) -> bool:
    """Neither passed nor waiting for something else."""
    return check["status"] not in ("passed", "blocked")


def _anchor(exercises: list[dict[str, Any]], exercise: str) -> str:
    """Numbers and not names, so that nothing has to be escaped."""
    return f"e{next((i for i, e in enumerate(exercises) if e['name'] == exercise), 0)}"


def _feedback(exercises: list[dict[str, Any]], checks: list[Check]) -> list[str]:
    """Exercise by exercise in the order in which to look at them; what has no marks comes last."""
    body: list[str] = []
    anchored: set[str] = set()
    said: set[str] = set()
    left = MOST_CHECKS
    for head, marked in (("What to look at, in this order", True), ("Practice, without marks", False)):
        part: list[str] = []
        waiting: dict[str, list[str]] = {}
        for exercise in exercises:
            own = [c for c in checks if c["exercise"] == exercise["name"] and bool(c["points"]) == marked]
            # What is not implemented is said once, with the marks that it costs.
            stubs = {reason(c) for c in own if c["status"] == "todo"}
            reasons = [c for c in own if _own_reason(c) and reason(c) not in said][: max(left, 0)]
            said |= stubs if marked else set()
            needs = [c["needs"] for c in own if c["status"] == "blocked"]
            if needs and not any(c["status"] == "todo" for c in own):
                waiting.setdefault(needs[0], []).append(exercise["name"])
            if exercise["hidden"] or not reasons:
                continue
            left -= len(reasons)
            anchor = _anchor(exercises, exercise["name"])
            mark = "" if anchor in anchored else f' id="{anchor}"'
            part.append(f"<section{mark}><h3>{line(exercise['name'])}</h3>")
            anchored.add(anchor)
            part += [*_of_exercise(reasons), "</section>"]
        for needed, names in waiting.items():
            part.append(
                f"<p>Checks that need <strong>{line(needed)}</strong> first: {line(', '.join(names), 1000)}.</p>"
            )
        if part:
            body += [f"<h2>{head}</h2>", *part]
    return body + _hidden(exercises)


def _hidden(exercises: list[dict[str, Any]]) -> list[str]:
    hidden = [exercise for exercise in exercises if exercise["hidden"]]
    if not hidden:
        return []
    rows = []
    for exercise in hidden:
        status = '<span class="good">passed</span>' if exercise["passed"] else '<span class="bad">not passed</span>'
        worth = f"{number(exercise['earned'])} / {number(exercise['points'])}"
        rows.append([line(exercise["name"]), worth, status, "" if exercise["passed"] else line(exercise["hint"], 500)])
    heads = [("Exercise", "word"), ("Marks", "num"), ("Status", "tight"), ("A general hint", "half")]
    return ["<h2>Hidden exercises</h2>", table("These are graded with cases that are not shown.", heads, rows)]


def _of_exercise(checks: list[Check]) -> list[str]:
    body: list[str] = []
    seen: set[tuple[str, ...]] = set()
    not_run = [check for check in checks if check["status"] == "not run"]
    for check in checks:
        parts = dict(labelled(check["feedback"]))
        if check["status"] in SHORT:
            # A stub takes one line, however many checks it has; what was not run one with the names of the checks.
            text = _short(check)
            if (text,) not in seen:
                alike = [other["check"] for other in not_run if _short(other) == text]
                named = f" ({line(', '.join(alike), 400)})" if alike else ""
                body.append(f"<p>{line(text, 400)}{named}</p>")
            seen.add((text,))
            continue
        # The shapes in a message differ from case to case.
        same = (re.sub(r"\d+", "0", parts.get("came", "")), parts.get("at", ""))
        if parts.get("at") and same in seen:
            what = f"{line(check['check'])} ({_worth(check)})"
            body.append(f'<p class="quiet">{what}: stopped at the same line as above.</p>')
            continue
        seen.add(same)
        body.append(_box(check, parts))
    return body


def _short(check: Check) -> str:
    text = next(iter(reason(check).splitlines()), "").strip()
    # sub_backward is a name, and stays as it is.
    return text if "_" in text.partition(" ")[0] else f"{text[:1].upper()}{text[1:]}"


def _box(check: Check, parts: dict[str, str]) -> str:
    printed = str(check["printed"]).strip()
    if printed:
        parts = {**parts, "printed": printed}
    items = []
    for label, text in parts.items():
        if label == "look at":
            shown = f"<strong>{line(' '.join(text.split()), 2000)}</strong>"
        else:
            shown = (
                f'<pre class="cut" tabindex="0">{block(text, 3000)}</pre>'
                if len(text) > 1500
                else f"<pre>{block(text)}</pre>"
            )
        items.append(f"<dt>{SHOWN.get(label, label)}</dt><dd>{shown}</dd>")
    inner = f"<dl>{''.join(items)}</dl>" if items else "<p>It did not pass.</p>"
    head = f'<h3><span>{line(check["check"])}</span><span class="quiet">{_worth(check)}</span></h3>'
    return f'<div class="check">{head}{inner}</div>'


def _worth(check: Check) -> str:
    if not check["points"]:
        return "practice"
    return f"{number(check['earned'])} of {number(check['points'])} marks"


def _how(view: dict[str, Any]) -> list[str]:
    levels = ", ".join(map(str, view["level"])) or "none"
    seed = line(view["seed"])
    return [
        "<h2>How it was graded</h2>",
        f"<p>The open exercises ran with seed {seed}, so the arrays differ from those of a plain run. "
        "These repeat the same cases on your machine:</p>",
        f"<pre>python autograder/runner.py --seed {seed}</pre>",
        f'<p class="quiet">Isolation: {line(levels, 500)}. Time: {number(view["seconds"])} s. '
        f"SHA-256 of what was handed in: <code>{line(view['digest'], 80)}</code></p>",
    ]
