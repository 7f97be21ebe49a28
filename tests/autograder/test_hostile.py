"""Hostile submissions, graded for real: marks come from being right, and from nothing else."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.exercises import CHECKS, cases_of
from autograder.staff.isolation.sandbox import Limits, Sandbox
from autograder.staff.marks.grading import Graded, grade_submission
from autograder.staff.record import seeds_for
from autograder.worker import run, student, wire
from autograder.worker.scenarios import SCENARIOS
from autograder.worker.wire import pack
from tests.autograder.hostile_handins import FOR_MARKS, HARMLESS, SELF_HARM
from tests.autograder.solutions import SIMPLE
from tests.autograder.workshop import Files, fill, handout, write
from tests.clocks import patience

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="isolation needs fork")
FIRST = "mytorch/__init__.py"
# The identity's output and gradient are what it is given, and so is what is put into a spot: whoever returns that is right.
BY_ALIASES: dict[str, dict[str, float]] = {
    "returns what it was given": {"Identity Forward": 1},
    "returns what it was given, where it may be right": {
        "Identity Forward": 1,
        "Identity Backward": 2,
        "Autograd Add Operation": 3,
    },
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(start=1.2, memory=1 << 30)) as made:
        yield made


def with_code(files: Files, code: str) -> Files:
    future = "from __future__ import annotations\n"
    text = files[FIRST].replace(future, "")
    return {**files, FIRST: f"{code}\n{text}"}


def graded(sandbox: Sandbox, files: Files, folder: Path, seed: int = 7) -> Graded:
    seeds = seeds_for(seed, "digest")
    return grade_submission(write(files, folder), seeds, run_with=sandbox.run_scenarios, limit=0.5)


@pytest.mark.slow
def test_the_right_solution_gets_everything(sandbox: Sandbox, tmp_path: Path) -> None:
    found = graded(sandbox, fill(SIMPLE), tmp_path)
    assert found["total"] == found["possible"] == 60, [c for c in found["checks"] if c["status"] != "passed"]


def test_the_attacks_aim_at_what_is_there() -> None:
    """An attack on a module or function that does not exist would prove nothing."""
    code = "\n".join([*FOR_MARKS.values(), *HARMLESS.values(), RECORDER])
    aims = set(re.findall(r"\bautograder(?:\.\w+)+", code))
    assert {"autograder.worker.run", "autograder.worker.wire", "autograder.worker.student"} <= aims
    for module in aims:
        assert module.startswith("autograder.worker")
        importlib.import_module(module)
    assert callable(run.attempt)
    assert callable(run.describe)
    assert callable(wire._describe)
    assert callable(student.Student.rules_used)
    assert SCENARIOS


@pytest.mark.slow
@pytest.mark.parametrize("name", FOR_MARKS)
def test_no_marks_without_the_work(
    sandbox: Sandbox, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "unpickled"
    monkeypatch.setenv("MYTORCH_TEST_TRACE", str(trace))
    found = graded(sandbox, with_code(handout(), FOR_MARKS[name]), tmp_path)
    earned = {check["exercise"] for check in found["checks"] if check["earned"]}
    assert earned == set(BY_ALIASES.get(name, ()))
    assert found["total"] == sum(BY_ALIASES.get(name, {}).values())
    assert not trace.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", SELF_HARM)
def test_harm_stays_with_who_does_it(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    # In every file, because a broken __init__ is passed over: its neighbours are graded without it.
    right = {path: text.replace("from __future__ import annotations\n", "") for path, text in fill(SIMPLE).items()}
    files = {path: f"{SELF_HARM[name]}\n{text}" for path, text in right.items()}
    files["numpy.py"] = files["mytorch/numpy.py"] = "raise SystemExit"
    began = time.monotonic()
    found = graded(sandbox, files, tmp_path / "bad")
    assert found["total"] == 0
    assert all(check["status"] != "passed" for check in found["checks"])
    assert all(check["feedback"]["hint"] or check["needs"] for check in found["checks"])
    if name.startswith("imports "):
        assert any("not installed" in check["feedback"]["hint"] for check in found["checks"])
    assert max(len("".join(check["feedback"].values())) for check in found["checks"]) < 20_000
    # A loop at import costs its own limit, once for what imports the same file, and not once for each exercise.
    assert time.monotonic() - began < patience(30)


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_harm_costs_nothing(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    assert graded(sandbox, with_code(fill(SIMPLE), HARMLESS[name]), tmp_path)["total"] == 60


RECORDER = """
import sys
from autograder.worker import scenarios
from autograder.worker import run, student, wire
from autograder.worker.scenarios import SCENARIOS
from autograder.worker.wire import pack
known = {}
def learn(name, cases, values):
    for given, value in zip(cases, values): known[name, pack(given)] = value
learn_from = DATA
import base64
from autograder.worker.wire import unpack
for name, cases, values in unpack(base64.b64decode(learn_from)): learn(name, cases, values)
def replay(name):
    def run(student, given): return known[name, pack(given)]
    return run
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = replay(name)
"""


@pytest.mark.slow
def test_known_cases_by_heart_earn_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The answers to the public cases, recorded from a right solution, are of use with the public seed alone."""
    import base64

    right = write(fill(SIMPLE), tmp_path / "right")
    parts = ("engine", "functional", "activation", "loss", "linear", "mlp")
    cases = [cases_of(check, 0) for check in CHECKS]
    given = [(check.scenario, case) for check, case in zip(CHECKS, cases)]
    frames = list(sandbox.run_scenarios(right, parts, given, 1.0))[1:]
    answers = [[check.scenario, case, frame["values"]] for check, case, frame in zip(CHECKS, cases, frames)]
    code = RECORDER.replace("DATA", repr(base64.b64encode(pack(answers))))
    files = with_code(handout(), code)

    def public_seed(*arguments: Any) -> Graded:
        return grade_submission(
            write(files, tmp_path / "heart"), (0, 1), run_with=sandbox.run_scenarios, limit=0.5, hidden=False
        )

    assert public_seed()["total"] == 50
    found = graded(sandbox, files, tmp_path / "heart")
    assert found["total"] == 0, [(c["exercise"], c["check"]) for c in found["checks"] if c["earned"]]


@pytest.mark.slow
def test_a_hidden_input_does_not_leak(sandbox: Sandbox, tmp_path: Path) -> None:
    """Output and exceptions of a hidden exercise are for staff; students get the general hint."""
    from autograder.staff.record import student_view

    code = """
import numpy as np
from autograder.worker import scenarios
def leak(student, given):
    print("LEAK", given)
    raise ValueError("LEAK " + repr(given))
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = leak
"""
    found = graded(sandbox, with_code(handout(), code), tmp_path)
    secret = [check for check in found["checks"] if check["hidden"]]
    assert any("LEAK" in check["feedback"]["came"] for check in secret)
    record: Any = {**found, "hidden_seed": 5, "student": "a", "grader": "g", "status": "graded"}
    seen = student_view(record)
    assert {check["exercise"] for check in seen["checks"]}.isdisjoint(check["exercise"] for check in secret)
    assert [row for row in seen["exercises"] if row["hidden"]]
    assert "LEAK" not in repr([row for row in seen["exercises"] if row["hidden"]])


@pytest.mark.slow
def test_the_same_submission_gets_the_same_again(sandbox: Sandbox, tmp_path: Path) -> None:
    files = with_code(fill(SIMPLE), "import numpy as np\nnp.random.rand(3)\n")
    files["mytorch/nn/functional.py"] = files["mytorch/nn/functional.py"].replace("np.exp", "1.01 * np.exp")
    first, second = (graded(sandbox, files, tmp_path) for _ in range(2))
    for key in ("total", "possible"):
        assert first[key] == second[key]  # type: ignore[literal-required]
    assert first["checks"] == second["checks"]
