"""Builds submissions for the tests: handouts with solutions filled in, patched references, and their grades."""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path

from autograder.exercises import CHECKS, EXERCISES, at_seed
from autograder.grade import Grades, Result, Run, explain_dependencies, rerun_on, run_unit
from autograder.isolate import TIME_LIMIT, run_scenarios
from autograder.staff.handout import contents, sources
from tests.autograder.solutions import STYLES, Bodies
from tests.autograder.solutions_habits import CONSOLE_TOPS, HABITS
from tests.autograder.solutions_moved import OLDER

ROOT = Path(__file__).resolve().parent.parent.parent
STUB = re.compile(
    r'(?:^ *# TODO.*\n(?: *# .*\n)*)? *raise NotImplementedError\("([\w.]+) is not implemented yet"\)\n', re.M
)
Files = dict[str, str]


@cache
def handout() -> Files:
    """The handout's Python files of mytorch/ and hw_bonus/, as a student gets them."""
    return {
        n: d.decode() for n, d in contents().items() if n.endswith(".py") and n.startswith(("mytorch/", "hw_bonus/"))
    }


@cache
def reference() -> Files:
    """The reference's Python files."""
    return sources()[0]


def stubs() -> list[str]:
    """The names of what a handout leaves to do."""
    return [name for source in handout().values() for name in STUB.findall(source)]


def fill(bodies: Bodies, leave_out: str = "") -> Files:
    """The handout with these bodies in place of its stubs, all but one."""

    def body(found: re.Match[str]) -> str:
        name = found[1]
        if name == leave_out:
            return found[0]
        indent = re.match(r" *", found[0])
        assert indent is not None
        return "".join(f"{indent[0]}{line}\n" if line else "\n" for line in bodies[name].splitlines())

    return {name: STUB.sub(body, source) for name, source in handout().items()}


def right_ones() -> dict[str, Files]:
    """All right solutions by the names of their styles, the reference among them."""
    filled = {name: fill(bodies) for name, bodies in (STYLES | HABITS).items()}
    filled["console"] = {name: text + CONSOLE_TOPS.get(name, "") for name, text in filled["console"].items()}
    return filled | OLDER | {"reference": reference()}


def patch(files: Files, changes: list[tuple[str, str, str]]) -> Files:
    """Replace a piece of text in a file, or add a definition at its end, which then counts.

    What is replaced has to be there, once, so that no patch can miss silently.
    """
    result = dict(files)
    for name, old, new in changes:
        if not old:
            result[name] += f"\n\n{new}\n"
            continue
        assert result[name].count(old) == 1, f"{old!r} is {result[name].count(old)} times in {name}"
        result[name] = result[name].replace(old, new)
    return result


def write(files: Files, folder: Path) -> Path:
    """Put the files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


# Cases and expected values are worked out once for all submissions.
prepared = cache(at_seed)


def grade_together(folder: Path, seed: int = 0, run_with: Run = run_scenarios) -> Grades:
    """All exercises in one process: quick, and a test that none disturbs another. For submissions that can be imported."""
    parts = tuple(dict.fromkeys(part for exercise in EXERCISES for part in exercise.parts))
    results = run_unit(folder, parts, [prepared(check, seed) for check in CHECKS], run_with=run_with)
    return explain_dependencies(Grades(results), partial(rerun_on, folder, seed, TIME_LIMIT, run_with))


def total(grades: Grades) -> float:
    return sum(grades.scores().values())


def own_failures(grades: Grades) -> set[str]:
    """The exercises that lose marks for a reason of their own."""
    return {r.check.exercise for r in grades.results if r.check.points and r.status in ("failed", "todo", "not run")}


def losing(grades: Grades) -> set[str]:
    """All exercises that lose marks, also those that wait for another."""
    return {r.check.exercise for r in grades.results if r.check.points and r.status != "passed"}


def failing(grades: Grades) -> list[Result]:
    return [r for r in grades.results if r.status not in ("passed", "blocked")]
