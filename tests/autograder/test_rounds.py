"""The two rounds of grading a class: everybody's open exercises before anybody's hidden ones, and no end before the last."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from autograder.staff.classroom import marking
from autograder.staff.isolation.sandbox import Sandbox
from autograder.staff.marks.grading import grade_hidden, grade_open, grade_submission
from tests.autograder.class_tools import grade, hand_in, process, records, rows
from tests.autograder.fake_grader import FakeGrader
from tests.autograder.hostile_handins import SELF_HARM
from tests.autograder.solutions import SIMPLE
from tests.autograder.workshop import fill, write
from tests.clocks import patience


@pytest.fixture
def rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each time that a submission ran."""
    path = tmp_path / "rounds"
    path.touch()
    monkeypatch.setenv("FAKE_ROUNDS", str(path))
    return path


def words(rounds: Path) -> list[str]:
    return [line.split()[0] for line in rounds.read_text().splitlines()]


def test_nobodys_open_exercises_run_after_a_hidden_one(submissions: Path, tmp_path: Path, rounds: Path) -> None:
    assert grade(submissions, tmp_path / "reports") == 0
    assert words(rounds) == ["open"] * 20 + ["hidden"] * 20
    assert not list((tmp_path / "reports" / "records").glob("*.open"))


@pytest.mark.slow
def test_killed_between_the_rounds(submissions: Path, tmp_path: Path, rounds: Path) -> None:
    """Open exercises that were graded are kept, and run once; hidden ones still come last."""
    out = tmp_path / "reports"
    running = process(submissions, out, FAKE_TIME="0.2")
    deadline = time.monotonic() + patience(30)
    while words(rounds).count("hidden") < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert len(list((out / "records").glob("*.open"))) >= 15
    (out / "records" / "s19@x.edu.open").write_text("{")
    rounds.write_text("")
    hand_in(submissions, "new", "marks 2")
    assert grade(submissions, out) == 0
    assert words(rounds)[:2] == ["open", "open"]
    assert set(words(rounds)[2:]) == {"hidden"}
    assert {row["total"] for row in rows(out).values() if row["student"] in ("new@x.edu", "s19@x.edu")} == {"2", "8"}


def test_a_hand_in_that_changes_between_the_rounds_has_no_mark(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = FakeGrader.grade_open

    def change(self: FakeGrader, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        if "# marks 3" in (folder / "mytorch/autograd_engine.py").read_text():
            hand_in(submissions, "s03", "marks 10")
        return before(self, folder, seeds)

    monkeypatch.setattr(FakeGrader, "grade_open", change)
    assert grade(submissions, tmp_path / "out") == 1
    assert rows(tmp_path / "out")["s03@x.edu/1"]["status"] == "GRADER_ERROR"
    monkeypatch.undo()
    assert grade(submissions, tmp_path / "out") == 0
    assert rows(tmp_path / "out")["s03@x.edu/1"]["total"] == "10"


class Exhausted(FakeGrader):
    """A grader on a machine without free processes as soon as the submission ``# marks 5`` has run."""

    used = False

    def __enter__(self) -> Exhausted:
        if Exhausted.used:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return self

    def grade_open(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        if "# marks 5" in (folder / "mytorch/autograd_engine.py").read_text():
            Exhausted.used = True
            raise RuntimeError("can't start new thread")
        return super().grade_open(folder, seeds)

    def __exit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:  # fmt: skip
        """Closes nothing, because nothing was made."""


def test_a_class_is_graded_to_its_end_whatever_one_submission_does(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.autograder import fake_grader

    monkeypatch.setattr(marking, "PAUSE", 0.001)
    monkeypatch.setattr(fake_grader, "FakeGrader", Exhausted)
    Exhausted.used = False
    assert grade(submissions, tmp_path / "out") == 1
    marks = rows(tmp_path / "out")
    assert len(marks) == 21
    failed = [name for name, row in marks.items() if row["status"] == "GRADER_ERROR"]
    assert {"s05@x.edu/1", "s16@x.edu/1"} & set(failed)
    assert "s05@x.edu_1_handin.tar: GRADER_ERROR: RuntimeError: can't start new thread" in capsys.readouterr().err
    # Once the machine is free again, the rest is graded.
    monkeypatch.undo()
    assert grade(submissions, tmp_path / "out") == 0
    assert rows(tmp_path / "out")["s19@x.edu/1"]["total"] == "8"


BOMBS = {
    "threads": "import _thread\nwhile True: _thread.start_new_thread(lambda: None, ())",
    "threads by clone": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
stack = ctypes.create_string_buffer(1 << 16)
while libc.syscall(56, 0x10f00, ctypes.byref(stack, 1 << 15), 0, 0, 0) >= 0: pass
raise ImportError("no threads: %d" % ctypes.get_errno())
""",
    "processes": SELF_HARM["fork bomb"],
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BOMBS)
@pytest.mark.parametrize("level", ["all", "no namespaces"])
def test_a_bomb_costs_nobody_else_a_mark(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str) -> None:
    """Beside it runs a right solution, in the next sandbox."""
    sandbox, beside = sandboxes[level], sandboxes["no landlock"]
    if "few system calls" not in sandbox.level:
        pytest.skip("nothing bounds root's processes here")
    files = dict.fromkeys(("mytorch/autograd_engine.py",), f"{BOMBS[what]}\n")
    frames = list(sandbox.run_scenarios(write(files, tmp_path / "bomb"), ("engine",), (), 0.8))
    assert frames[-1]["status"] in ("error", "time", "died")
    if "thread" in what:
        assert any(word in frames[-1]["text"] for word in ("start new thread", "no threads: 1", "segmentation"))
    right = write(fill(SIMPLE), tmp_path / "right")
    arguments = {"run_with": beside.run_scenarios, "limit": patience(2)}
    assert grade_open(right, 1, **arguments)["total"] == 50  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_rounds_give_what_one_run_gives(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """Also where the first round has found a file that ends every process."""
    files = fill(SIMPLE)
    files["mytorch/nn/modules/linear.py"] += "\nimport os\nos._exit(0)\n"
    folder = write(files, tmp_path)
    arguments: dict[str, Any] = {"run_with": sandboxes["all"].run_scenarios, "limit": patience(2)}
    whole = grade_submission(folder, (1, 2), **arguments)
    opened = json.loads(json.dumps(grade_open(folder, 1, **arguments)))
    calls: list[Any] = []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return arguments["run_with"](*given)

    halves = grade_hidden(folder, 2, opened, **{**arguments, "run_with": counted})
    for key in ("total", "possible", "checks"):
        assert whole[key] == halves[key]  # type: ignore[literal-required]
    assert 0 < halves["total"] < 60
    # The file that ends them is known from the first round, so that two of three processes need not start.
    assert len(calls) == 1


def test_without_hidden_exercises_there_is_one_round(submissions: Path, tmp_path: Path, rounds: Path) -> None:
    assert grade(submissions, tmp_path / "out", "--no-hidden") == 0
    assert words(rounds) == ["open"] * 20
    assert records(tmp_path / "out")["s07@x.edu"]["total"] == 7
