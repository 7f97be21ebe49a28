"""Grading one submission for staff: marks, budgets, imports that hang, and what stays hidden."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.exercises import CHECKS, EXERCISES, at_seed, cases_of
from autograder.grade import Run, run_unit
from autograder.helpers import Check, Expectations, Expected, Given
from autograder.isolate import run_scenarios
from autograder.staff.marks import grading, hidden
from autograder.staff.marks.grading import Graded, grade_submission, plain_process
from autograder.staff.record import GRADED, CheckRecord, ExerciseRecord, seeds_for, student_view
from tests.autograder import workshop
from tests.autograder.solutions import ACTIVATION, ENGINE, FUNCTIONAL, LINEAR, MLP, SIMPLE
from tests.clocks import patience

SEEDS = (11, 987_654_321_012)
RELU = "self.state = np.maximum(x, 0)"
quick_import = partial(run_scenarios, start_limit=1.5)


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    return workshop.write(workshop.fill(SIMPLE), tmp_path / "solved")


def changed(folder: Path, *changes: tuple[str, str, str]) -> Path:
    return workshop.write(workshop.patch(workshop.fill(SIMPLE), list(changes)), folder)


class Spy:
    """Runs scenarios and notes what each process was given and what became of it."""

    def __init__(self, run: Any = plain_process) -> None:
        self.run = run
        self.jobs: list[list[tuple[str, list[Any]]]] = []
        self.statuses: list[str] = []

    def __call__(self, folder: Path, parts: Any, scenarios: Any, limit: float) -> Iterator[dict[str, Any]]:
        self.jobs.append(list(scenarios))
        for frame in self.run(folder, parts, scenarios, limit):
            self.statuses.append(frame["status"])
            yield frame


def earned(graded: Graded) -> dict[str, float]:
    return {row["name"]: row["earned"] for row in graded["exercises"]}


def test_what_a_check_expects_at_one_seed_is_worked_out_once() -> None:
    worked_out = []

    def cases(rng: np.random.Generator) -> list[Given]:
        worked_out.append("cases")
        return [{"x": rng.standard_normal(3)} for _ in range(2)]

    def expect(given: Given) -> Expectations:
        worked_out.append("expected")
        return {"y": Expected(2 * given["x"])}

    check = Check("Linear", "two cases", 1, "linear_forward", cases, expect)
    same = at_seed(check, 3)
    for _ in range(2):
        for case, usual in zip(cases_of(same, 4), cases_of(check, 3), strict=True):
            assert np.array_equal(case["x"], usual["x"])
            assert np.array_equal(same.expect(case)["y"].array, 2 * usual["x"])
    assert worked_out.count("expected") == 2
    assert worked_out.count("cases") == 1 + 2


@pytest.mark.slow
def test_a_right_solution_gets_everything_in_the_form_of_a_record(solved: Path) -> None:
    graded = grade_submission(solved, SEEDS, run_with=plain_process)
    assert (graded["total"], graded["possible"]) == (60, 60)
    assert graded.keys() == Graded.__annotations__.keys()
    assert all(row.keys() == ExerciseRecord.__annotations__.keys() for row in graded["exercises"])
    assert all(row.keys() == CheckRecord.__annotations__.keys() for row in graded["checks"])
    assert json.loads(json.dumps(graded)) == graded
    assert {row["name"] for row in graded["exercises"] if row["hidden"]} == hidden.HINTS.keys()
    assert sum(row["points"] for row in graded["checks"]) == 60
    assert len(graded["checks"]) == len(CHECKS) + len(hidden.CHECKS)
    assert 0 < sum(row["seconds"] for row in graded["exercises"]) <= graded["seconds"]


@pytest.mark.slow
def test_without_the_hidden_exercises(solved: Path, quick_process: Run) -> None:
    graded = grade_submission(solved, SEEDS, run_with=quick_process, hidden=False)
    assert (graded["total"], graded["possible"]) == (50, 50)
    assert not any(row["hidden"] for row in (*graded["exercises"], *graded["checks"]))


def test_what_was_not_looked_at_has_not_passed() -> None:
    rows = grading.without_marks(hidden=True)
    assert [row["name"] for row in rows] == [exercise.name for exercise in grading.all_exercises(hidden=True)]
    assert sum(row["points"] for row in rows) == 60
    assert not any(row["earned"] or row["passed"] for row in rows)
    assert [bool(row["hint"]) for row in rows] == [row["hidden"] for row in rows]


@pytest.mark.slow
def test_each_kind_has_its_seed_and_processes_of_its_own(solved: Path, quick_process: Run) -> None:
    spy = Spy(quick_process)
    grade_submission(solved, SEEDS, run_with=spy)
    opened = {repr((c.scenario, cases_of(c, SEEDS[0]))) for c in CHECKS}
    closed = {repr((c.scenario, cases_of(c, SEEDS[1]))) for c in hidden.CHECKS}
    jobs = [[_as_at_first(*one) for one in job] for job in spy.jobs]
    for job in jobs:
        given = {repr(one) for one in job}
        assert given <= opened or given <= closed
    assert {repr(one) for job in jobs for one in job} == opened | closed


def _as_at_first(scenario: str, cases: list[Any]) -> tuple[str, list[Any]]:
    """The scenario and cases that a failed check ran at first, where it runs again to tell a consequence from a cause."""
    if not scenario.startswith("recorded"):
        return scenario, cases
    return cases[0]["scenario"], [case["given"] for case in cases]


@pytest.mark.slow
def test_the_same_seeds_give_the_same_again(tmp_path: Path, quick_process: Run) -> None:
    folder = changed(tmp_path, (FUNCTIONAL, "return grad_output * np.exp(a)", "return grad_output * a"))
    rows = [grade_submission(folder, seeds_for(1, "x"), run_with=quick_process)["checks"] for _ in range(2)]
    assert rows[0] == rows[1]
    assert any(row["feedback"]["came"] for row in rows[0])
    assert seeds_for(1, "x") == seeds_for(1, "x") != seeds_for(2, "x")


@pytest.mark.slow
def test_a_student_sees_of_hidden_exercises_a_status_and_a_sentence(tmp_path: Path, quick_process: Run) -> None:
    folder = changed(
        tmp_path,
        (FUNCTIONAL, "return grad_output @ b.T, a.T @ grad_output", "raise ValueError(f'{a!r}')"),
        (LINEAR, "product = x @ self.W.T", "print(repr(x))\n        product = x @ self.W.T"),
    )
    graded = grade_submission(folder, SEEDS, run_with=quick_process)
    record: Any = {**graded, "status": GRADED, "hidden_seed": SEEDS[1], "seed": SEEDS[0], "grader": "x"}
    view = student_view(record)
    # Staff have the details, the student has none of them.
    secret = [row for row in graded["checks"] if row["hidden"] and row["status"] == "failed"]
    assert any(row["feedback"]["given"] or "array(" in row["feedback"]["came"] for row in secret)
    text = json.dumps(view)
    for check in hidden.CHECKS:
        assert check.name not in text
        assert check.story not in text or check.scenario == "rule"
    shown = {row["name"]: (row["passed"], row["hint"]) for row in view["exercises"] if row["hidden"]}
    assert shown["Hidden Engine"] == (True, "")
    assert shown["Hidden Functions"] == (False, hidden.HINTS["Hidden Functions"])
    assert str(SEEDS[1]) not in text
    # A submission that sleeps in a hidden exercise could tell by that what it was given.
    assert all(row["seconds"] == 0 for row in view["exercises"] if row["hidden"])
    assert view["seconds"] == pytest.approx(sum(row["seconds"] for row in graded["exercises"] if not row["hidden"]))


# Imports that don't come back


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "left"),
    [
        (ACTIVATION, "while True: pass", {"Autograd Add Operation", "Autograd Backward", "Hidden Engine"}),
        (ENGINE, "while True: pass", {"Functional"}),
        (ACTIVATION, "import os\nos._exit(0)", {"Autograd Add Operation", "Autograd Backward", "Hidden Engine"}),
    ],
)
def test_an_import_that_does_not_come_back_costs_its_limit_once(
    solved: Path, name: str, code: str, left: set[str]
) -> None:
    (solved / name).write_text((solved / name).read_text() + f"\n{code}\n")
    spy = Spy(quick_import)
    graded = grade_submission(solved, SEEDS, run_with=spy)
    # functional.py alone does not import the engine, but its package does.
    expected = left if name == ACTIVATION else set()
    assert {name for name, marks in earned(graded).items() if marks} == expected
    assert spy.statuses.count("time") <= (2 if name == ENGINE else 1)
    lost = [row for row in graded["checks"] if row["status"] == "not run"]
    assert lost
    assert all("import did not come back" in row["feedback"]["hint"] for row in lost)


@pytest.mark.slow
def test_a_file_that_nothing_else_imports_costs_its_own_exercise(solved: Path) -> None:
    """The other files of that process had been imported before without harm."""
    (solved / MLP).write_text((solved / MLP).read_text() + "\nwhile True: pass\n")
    graded = grade_submission(solved, SEEDS, run_with=quick_import)
    assert graded["total"] == 60
    assert {row["exercise"] for row in graded["checks"] if row["hint"] == "time"} == {"MLP"}


def test_the_time_of_a_run_that_comes_back_all_at_once_is_counted(
    solved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "EXERCISES", EXERCISES[:1])

    def run(*arguments: Any) -> Iterator[dict[str, Any]]:
        time.sleep(0.2)
        return iter(list(plain_process(*arguments)))

    graded = grade_submission(solved, SEEDS, run_with=run, hidden=False)
    first = graded["exercises"][0]
    assert first["seconds"] >= 0.2


@pytest.mark.slow
def test_a_file_that_only_cannot_be_imported_costs_what_needs_it(solved: Path) -> None:
    (solved / ACTIVATION).write_text("def broken(:\n")
    marks = earned(grade_submission(solved, SEEDS, run_with=plain_process))
    assert sum(marks.values()) == 37
    assert marks["Hidden Layers"] == 0
    assert marks["Hidden Functions"] == 3


# Time


def test_a_budget_that_is_used_up_leaves_the_rest_not_run(solved: Path) -> None:
    graded = grade_submission(solved, SEEDS, run_with=plain_process, budget=0.0)
    assert graded["total"] == 0
    assert graded["possible"] == 60
    assert {row["status"] for row in graded["checks"]} == {"not run"}
    assert "used up" in graded["checks"][0]["feedback"]["hint"]


@pytest.mark.slow
def test_the_budget_ends_a_slow_submission_in_the_middle(tmp_path: Path) -> None:
    budget = patience(1.0)
    folder = changed(tmp_path, (ACTIVATION, RELU, f"import time; time.sleep({budget / 8})\n        {RELU}"))
    began = time.monotonic()
    # A check's own limit would end the sleeps, which are longer on a busy machine, before the budget does.
    graded = grade_submission(folder, SEEDS, run_with=plain_process, limit=budget, budget=budget)
    assert time.monotonic() - began < budget + patience(2)
    marks = earned(graded)
    assert marks["Functional"] == 6
    assert marks["Linear with Skip"] == 0
    assert any("used up" in row["feedback"]["hint"] for row in graded["checks"])


def test_a_process_that_is_not_read_to_its_end_is_ended(solved: Path) -> None:
    ended = []

    def run(*_: Any) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield {"status": "ok"}
        finally:
            ended.append(True)

    kept = run()
    run_unit(solved, (), CHECKS[:2], run_with=lambda *_: kept, over=lambda: True)
    assert ended == [True]


def test_no_frame_at_all_is_an_error_of_ours(solved: Path) -> None:
    for frames, what in (([], "the import"), ([{"status": "ok"}], f"the check {CHECKS[0].name!r}")):
        with pytest.raises(RuntimeError, match=f"no frame for {what}"):
            run_unit(solved, (), CHECKS[:2], run_with=lambda *_, frames=frames: iter(frames))


@pytest.mark.slow
def test_an_endless_loop_costs_its_check_alone(tmp_path: Path) -> None:
    folder = changed(tmp_path, (ACTIVATION, RELU, f"while True: pass\n        {RELU}"))
    graded = grade_submission(folder, SEEDS, run_with=plain_process, limit=0.6)
    marks = earned(graded)
    assert marks["ReLU Forward"] == marks["ReLU Backward"] == 0
    assert graded["total"] - marks["Hidden Layers"] == 52
    assert graded["seconds"] < patience(12)


@pytest.mark.slow
def test_whoever_hangs_everywhere_is_waited_for_less(tmp_path: Path) -> None:
    """A walk without an end hangs in every class; the third is waited for a quarter of the limit."""
    limits = []
    whole = 0.6

    def run(folder: Path, parts: Any, scenarios: Any, limit: float) -> Iterator[dict[str, Any]]:
        limits.append(limit)
        return plain_process(folder, parts, scenarios, limit)

    folder = changed(
        tmp_path, (ENGINE, "gradient = self.gradient_buffer.get_param(operation.output)", "while True: pass")
    )
    marks = earned(grade_submission(folder, SEEDS, run_with=run, limit=whole))
    assert set(limits) == {whole, whole / 4}
    assert limits.count(whole) < 6
    assert marks["Autograd Backward"] < 1
    assert marks["Functional"] == 6


# Errors of ours


def test_errors_of_the_machinery_are_not_marks(solved: Path) -> None:
    def broken(*_: Any) -> Iterator[dict[str, Any]]:
        raise RuntimeError("the sandbox broke")
        yield {}

    with pytest.raises(RuntimeError, match="the sandbox broke"):
        grade_submission(solved, SEEDS, run_with=broken)


def test_errors_of_a_check_are_not_marks(solved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def expect(given: Any) -> dict[str, Any]:
        raise ZeroDivisionError("a mistake of ours")

    check = CHECKS[0]
    bad = Check(check.exercise, check.name, check.points, check.scenario, check.cases, expect)
    monkeypatch.setattr(grading.exercises, "checks_of", lambda name: [bad] if name == check.exercise else [])
    monkeypatch.setattr(grading, "EXERCISES", EXERCISES[:1])
    with pytest.raises(ZeroDivisionError):
        grade_submission(solved, SEEDS, run_with=plain_process)


@pytest.mark.parametrize("empty", ["cases", "expect"])
def test_a_check_of_nothing_is_an_error_of_ours(solved: Path, monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    check = CHECKS[0]
    bad = Check(
        check.exercise, check.name, check.points, check.scenario,
        (lambda rng: []) if empty == "cases" else check.cases,
        (lambda given: {}) if empty == "expect" else check.expect,
    )  # fmt: skip
    monkeypatch.setattr(grading.exercises, "checks_of", lambda name: [bad] if name == check.exercise else [])
    monkeypatch.setattr(grading, "EXERCISES", EXERCISES[:1])
    with pytest.raises(ValueError, match="everything would pass it"):
        grade_submission(solved, SEEDS, run_with=plain_process)


# Hints for how code can end


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        (ACTIVATION, "import a_module_that_is_not_there", "not_installed"),
        (RELU, "import a_module_that_is_not_there", "not_installed"),
        (RELU, "raise MemoryError", "memory"),
        (RELU, "np.zeros((10**9, 10**9))", "memory"),
        (RELU, "self.forward(x)", "recursion"),
        (RELU, "raise KeyboardInterrupt", "interrupt"),
        (RELU, "import os; os.kill(os.getpid(), 9)", "died"),
        (RELU, "import mytorch.nn.helpers", "missing_module"),
    ],
)
@pytest.mark.slow
def test_how_code_ends_has_a_hint(
    solved: Path, name: str, code: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "EXERCISES", [e for e in EXERCISES if e.name.startswith("ReLU")])
    if name == RELU:
        changed(solved, (ACTIVATION, RELU, f"{code}\n        {RELU}"))
    else:
        (solved / name).write_text((solved / name).read_text() + f"\n{code}\n")
    graded = grade_submission(solved, SEEDS, run_with=plain_process, hidden=False)
    rows = [row for row in graded["checks"] if row["exercise"] == "ReLU Forward"]
    assert rows[0]["hint"] == hint
    assert rows[0]["status"] == "failed"
    if hint == "died":
        assert "SIGKILL" in rows[0]["feedback"]["came"]
