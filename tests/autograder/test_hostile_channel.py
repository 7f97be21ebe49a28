"""Submissions that write to the channel themselves or end in odd ways, in a process without a sandbox."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from autograder.exercises import CHECKS
from autograder.grade import Result, run_unit
from tests.autograder import workshop
from tests.autograder.solutions import ACTIVATION, SIMPLE
from tests.clocks import patience

RELU = "self.state = np.maximum(x, 0)"
RELU_CHECKS = [check for check in CHECKS if check.exercise.startswith("ReLU")]
# Finds the file that the results go through, as a hostile submission can.
CHANNEL = """
import sys
def channel():
    frame = sys._getframe()
    while "channel" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["channel"]
def send(data, size=None):
    channel().write((len(data) if size is None else size).to_bytes(8, "big") + data)
    channel().flush()
def pack(frame):
    from autograder.worker.wire import pack
    return pack(frame)
"""


def results(folder: Path, code: str) -> list[Result]:
    files = workshop.fill(SIMPLE)
    changes = [(ACTIVATION, RELU, f"{code}\n        {RELU}"), (ACTIVATION, "", CHANNEL)]
    workshop.write(workshop.patch(files, changes), folder)
    return run_unit(folder, ("engine", "activation"), RELU_CHECKS, limit=3.0)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("send(b'nonsense')", "malformed"),
        ("send(b'', 1 << 40)", "malformed"),
        ("send(b'x', 100)", "malformed"),
        ("send(pack({'status': 'passed', 'check': 0}))", "malformed"),
        ("send(pack({'status': ['ok']}))", "malformed"),
        ("send(pack({'status': x}))", "malformed"),
        ("send(pack({'status': 'time', 'limit': 'long'}))", "malformed"),
        ("send(pack({'status': 'died'}))", "malformed"),
        ("send(pack([1]))", "malformed"),
        ("send(pack({'status': 'ok', 'check': 5, 'values': []}))", "malformed"),
        ("send(pack({'status': 'ok', 'check': 0, 'values': []}))", "malformed"),
        ("send(pack({'status': 'ok', 'check': 0, 'values': [{}] * 4}))", "none"),
        ("send(pack({'status': 'error', 'check': 0, 'text': '\\ud800\\x1b[31m', 'rules': 5}))", "raised"),
        ("channel().close()", "died"),
    ],
)
@pytest.mark.slow
def test_who_writes_to_the_channel_gets_no_marks(code: str, hint: str, tmp_path: Path) -> None:
    found = results(tmp_path, code)
    assert found[0].status == "failed"
    assert found[0].problem is not None
    assert found[0].problem.hint == hint
    assert sum(r.earned for r in found) == 0


def test_a_flood_of_frames_fills_no_memory_here(tmp_path: Path) -> None:
    """The process ends with the first frame that is not of this check; what it goes on sending is never read."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        found = results(tmp_path, "\n        ".join(["data = bytes(8 << 20)", "while True: send(data)"]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(r.earned for r in found) == 0
    assert most < 100 << 20
    assert time.monotonic() - began < patience(10)


@pytest.mark.parametrize(
    "code",
    [
        "exec('class Bad(Exception):\\n def __str__(self): raise self\\nraise Bad()')",
        "exec('class Bad(Exception):\\n def __str__(self): import sys; sys.exit(0)\\nraise Bad()')",
        "exec('class Bad:\\n def __repr__(self): raise ValueError\\nraise SystemExit(Bad())')",
    ],
)
def test_an_exception_that_cannot_be_described_is_an_error(code: str, tmp_path: Path) -> None:
    found = results(tmp_path, code)
    assert all(r.status == "failed" and r.problem for r in found)
    assert "died" not in {r.problem.hint for r in found if r.problem}


def test_rules_that_cannot_be_read_do_no_harm(tmp_path: Path) -> None:
    """Any object may stand in the operation list when the worker reads it."""
    bad = "exec('class Bad:\\n def __getattribute__(self, name): raise SystemExit\\nself.autograd_engine."
    found = results(tmp_path, f"{bad}operation_list = [Bad()]')\n        raise ValueError('mine')")
    assert {r.problem.hint for r in found if r.problem} <= {"raised", "exit"}
    assert "died" not in {r.problem.hint for r in found if r.problem}
