"""The sandbox: forged frames, time limits, how a process ended, set-up, and clean-up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from autograder.staff.isolation.sandbox import AUTOGRADER, WORKER, Sandbox, SandboxBroken
from tests.autograder.sandbox_tools import run, submission
from tests.clocks import patience

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="isolation needs fork")

FORGED = {
    "another token": ("{'status': 'ok', 'token': 'x', 'check': 0, 'values': []}", 1),
    "another check": ("{'status': 'ok', 'token': token, 'check': 5, 'values': []}", 1),
    "a second import": ("{'status': 'ok', 'token': token}", 1),
    "no check": ("{'status': 'passed', 'token': token, 'check': 0, 'values': []}", 1),
    # An array has no truth value: compared with a word it would have been an error of the grader's own.
    "an array as status": ("{'status': np.zeros(2), 'token': token, 'check': 0, 'values': []}", 1),
    "an array as token": ("{'status': 'ok', 'token': np.zeros(2), 'check': 0, 'values': []}", 1),
    "an array as check": ("{'status': 'ok', 'token': token, 'check': np.zeros(2), 'values': []}", 1),
    "an empty array as check": ("{'status': 'ok', 'token': token, 'check': np.zeros(0), 'values': []}", 1),
    "a list as status": ("{'status': ['ok'], 'token': token, 'check': 0, 'values': []}", 1),
    "yes and no as check": ("{'status': 'ok', 'token': token, 'check': False, 'values': []}", 1),
    "no dictionary": ("[np.zeros(2)]", 1),
}  # fmt: skip
FORGER = """
import sys, os
import numpy as np
def forge():
    from autograder.worker.wire import pack
    frame = sys._getframe()
    while 'send' not in frame.f_locals: frame = frame.f_back
    token, send = frame.f_locals['job']['token'], frame.f_locals['send']
    send({'status': 'ok', 'token': token})
    for n in range(COUNT): send(FRAME)
forge()
"""


@pytest.mark.parametrize("what", FORGED)
@pytest.mark.slow
def test_forged_results_are_malformed(sandboxes: dict[str, Sandbox], tmp_path: Path, what: str) -> None:
    frame, count = FORGED[what]
    given = [("engine_spots", [{"x": np.ones((2, 3)), "w": np.ones((2, 3))}])] * 2
    frames = run(sandboxes["all"], tmp_path, FORGER.replace("FRAME", frame).replace("COUNT", str(count)), given)
    assert [f["status"] for f in frames] == ["ok", "malformed"], frames


def test_more_results_than_checks_are_worth_nothing(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    code = FORGER.replace("FRAME", "{'status': 'ok', 'token': token, 'check': n, 'values': [{}]}").replace("COUNT", "9")
    frames = run(sandboxes["all"], tmp_path, code, [("engine_spots", [{}])] * 2)
    assert [f["status"] for f in frames] == ["ok", "malformed", "malformed"]


def test_scenarios_run_and_stop_at_the_time_limit(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    code = "import time\nclass Slow:\n    def __init__(self): time.sleep(100)\n"
    (submission(tmp_path, code) / "mytorch" / "autograd_engine.py").write_text(code + "Autograd = Slow\n")
    start = time.monotonic()
    frames = list(sandboxes["all"].run_scenarios(tmp_path, ("engine",), [("engine_spots", [{}])] * 3, 0.5))
    assert [f["status"] for f in frames] == ["ok", "time"]
    assert time.monotonic() - start < patience(2)


@pytest.mark.parametrize("level", ["all", "no namespaces", "limits alone"])
def test_how_a_process_ended_is_told(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str) -> None:
    for code, words in (
        ("import os; os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "segmentation"),
    ):
        assert words in run(sandboxes[level], tmp_path, code + "\n")[-1]["text"]


@pytest.mark.slow
def test_a_dead_warm_process_is_replaced(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        assert sandbox._warm is not None
        sandbox._warm.kill()
        sandbox._warm.wait()
        assert run(sandbox, tmp_path, "")[0]["status"] == "ok"


def test_a_sandbox_that_cannot_be_set_up_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(WORKER, tmp_path / "worker", ignore=shutil.ignore_patterns("run.py"))
    monkeypatch.setattr("autograder.staff.isolation.sandbox.WORKER", tmp_path / "worker")
    with pytest.raises(SandboxBroken, match="isolated"):
        Sandbox()


@pytest.mark.slow
def test_everything_is_removed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        run(sandbox, tmp_path, "")
        folder, warm = sandbox.folder, sandbox._warm
    assert not folder.exists()
    assert warm is not None
    assert warm.poll() is not None


@pytest.mark.slow
def test_a_killed_grader_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "from autograder.staff.isolation.sandbox import Sandbox\nsandbox = Sandbox()\n"
        "print(sandbox.folder, sandbox._warm.pid, flush=True)\n"
        "list(sandbox.run_scenarios(Path(sys.argv[1]), ('engine',), []))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    code = "import time\nif True: time.sleep(0.2)\n"
    command = [sys.executable, "-c", program, str(submission(tmp_path, code))]
    folder, warm = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=AUTOGRADER.parent).stdout.split()
    deadline = time.monotonic() + patience(10)
    while time.monotonic() < deadline and (Path(folder).exists() or Path(f"/proc/{warm}").exists()):
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not Path(f"/proc/{warm}/environ").exists()


@pytest.mark.slow
def test_the_submission_itself_is_never_touched(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit")
    run(sandboxes["limits alone"], tmp_path, "import os\nos.rename(__file__, __file__ + 'x')\n")
    assert sorted(p.name for p in tmp_path.rglob("*.py")) == ["autograd_engine.py", "numpy.py"]
