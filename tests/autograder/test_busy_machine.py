"""A busy machine costs no marks: who waits for a processor gets more time, and no marks are given rather than wrong ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.grade import Run
from autograder.staff.isolation import sandbox as isolation
from autograder.staff.isolation.sandbox import MORE_TIME, Limits, Sandbox, SandboxBroken
from autograder.staff.marks.grading import grade_open
from autograder.worker.warm import _waited
from tests.autograder import workshop

SLEEPS = "import time\ntime.sleep(100)\n"
LOOPS = "while True:\n    pass\n"


def run(sandbox: Sandbox, folder: Path, code: str) -> list[dict[str, object]]:
    """The frames of a submission whose engine is this code."""
    workshop.write({"mytorch/__init__.py": "", "mytorch/autograd_engine.py": code + "class Autograd: pass\n"}, folder)
    return list(sandbox.run_scenarios(folder, ("engine",), []))


# Limit, the factor by which it was lengthened, seconds on a processor, and seconds ready without one.
@pytest.mark.parametrize(
    ("limit", "more", "used", "waited", "starved"),
    [
        (2.0, 1, 0.3, 1.6, True),
        (2.0, 1, 0.3, 0.0, False),  # it slept
        (2.0, 1, 0.3, 0.9, False),
        (8.0, 4, 1.9, 6.0, True),
        (8.0, 4, 2.1, 5.8, False),  # it has had as much as on an idle machine
        (32.0, 16, 2.5, 29.0, False),
    ],
)
def test_who_has_waited(limit: float, more: int, used: float, waited: float, starved: bool) -> None:
    assert isolation._starved(limit, more, used, waited) is starved


@pytest.mark.parametrize("busy", [False, True])
def test_where_the_system_does_not_tell_the_load_decides(busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "overloaded", lambda: busy)
    assert isolation._starved(2.0, 1, 0.3, None) is busy


def test_the_time_without_a_processor_is_measured() -> None:
    import os

    waited = _waited(os.getpid())
    assert waited is None or waited >= 0
    assert _waited(0) is None


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, list[int]]]:
    """A sandbox whose processes have waited for all of their time as often as the test says, and the factors of its runs."""
    with Sandbox(Limits(start=0.3)) as sandbox:
        # Compiling beforehand is a run of its own, which is not what is counted here.
        monkeypatch.setattr(sandbox, "_compiled", lambda copy, names: {})
        once, factors = sandbox._run, []

        def note(job: bytes, token: str, count: int, limit: float, more: int, seconds: float) -> object:
            factors.append(more)
            return once(job, token, count, limit, more, seconds)

        monkeypatch.setattr(sandbox, "_run", note)
        yield sandbox, factors


@pytest.mark.slow
@pytest.mark.parametrize("times", [0, 1, 2])
def test_who_waits_gets_more_time(
    times: int, waiting: tuple[Sandbox, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, factors = waiting
    answers = itertools.chain([True] * times, itertools.repeat(False))
    monkeypatch.setattr(isolation, "_starved", lambda *_: next(answers))
    monkeypatch.setattr(isolation, "MORE_TIME", (1, 2, 3))
    assert run(sandbox, tmp_path, SLEEPS)[-1]["status"] == "time"
    assert factors == [1, 2, 3][: times + 1]


@pytest.mark.slow
def test_who_always_waits_gets_no_marks_and_no_zero(
    waiting: tuple[Sandbox, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, factors = waiting
    monkeypatch.setattr(isolation, "_starved", lambda *_: True)
    monkeypatch.setattr(isolation, "MORE_TIME", (1, 1, 1))
    with pytest.raises(SandboxBroken, match="too busy; use fewer jobs"):
        run(sandbox, tmp_path, SLEEPS)
    assert factors == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("code", [SLEEPS, LOOPS], ids=["sleeps", "loops"])
def test_a_submission_that_hangs_is_not_taken_for_one_that_waits(
    code: str, waiting: tuple[Sandbox, list[int]], tmp_path: Path
) -> None:
    sandbox, factors = waiting
    before = sandbox.spent()
    assert run(sandbox, tmp_path, code)[-1]["status"] == "time"
    assert factors == list(MORE_TIME[: len(factors)])
    assert sandbox.spent() - before > 0.1
    if code == SLEEPS:
        assert factors == [1]


@pytest.mark.slow
def test_the_budget_does_not_run_while_nothing_can_run(tmp_path: Path) -> None:
    """The clock of a sandbox stands still: a right solution keeps its marks, however long the grading takes."""
    folder = workshop.write(workshop.right_ones()["fused"], tmp_path)
    plain: Run = workshop.run_scenarios
    assert grade_open(folder, 0, run_with=plain, budget=0.01, clock=lambda: 5.0)["total"] == 50
    assert grade_open(folder, 0, run_with=plain, budget=0.01)["total"] < 50
