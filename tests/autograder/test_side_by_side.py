"""Graders side by side on one machine, and processes that somebody else ends: no mark is lost by either."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.staff.isolation import claims
from autograder.staff.isolation.sandbox import AUTOGRADER, PREFIX, Sandbox, SandboxBroken
from autograder.staff.marks.grading import grade_submission
from tests.autograder.sandbox_tools import run, submission
from tests.autograder.solutions import SIMPLE
from tests.autograder.workshop import fill, write
from tests.clocks import patience

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills through /proc")

root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root has user ids to give away")
SLOW = "import time\ntime.sleep(1.0)\n"
GIVEN = [("engine_spots", [{"x": np.ones((2, 3)), "w": np.ones((2, 3))}])]


def units(sandbox: Sandbox) -> list[int]:
    """The processes of a submission that the warm process has started, the outermost of each."""
    warm = sandbox._warm
    try:
        listed = Path(f"/proc/{warm.pid}/task/{warm.pid}/children").read_text() if warm else ""
    except OSError:
        # It was replaced at this moment.
        listed = ""
    return [int(pid) for pid in listed.split()]


@contextlib.contextmanager
def killing(sandbox: Sandbox, how: int, most: int | None = None) -> Iterator[list[int]]:
    """Kill the first ``most`` processes of a submission, or all, a moment after they start. The ids are those killed so far."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.01) and len(killed) != most:
            for pid in [pid for pid in units(sandbox) if pid not in killed]:
                time.sleep(0.05)
                # One that has ended in the meantime was no submission's.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
                    killed.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "how"),
    [
        ("all", signal.SIGKILL),
        ("all", signal.SIGTERM),
        ("no namespaces", signal.SIGKILL),
        ("limits alone", signal.SIGTERM),
    ],
)
def test_a_process_killed_from_outside_runs_again(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, how: signal.Signals
) -> None:
    with killing(sandboxes[level], how, most=2) as killed:
        frames = run(sandboxes[level], tmp_path, SLOW)
    assert [frame["status"] for frame in frames] == ["ok"]
    assert len(killed) == 2


@pytest.mark.slow
def test_what_is_killed_every_time_is_not_graded(
    sandboxes: dict[str, Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = sandboxes["all"]
    # Compiling beforehand is a run of its own, in which a kill on a slow machine would be one too few for the submission.
    monkeypatch.setattr(sandbox, "_compiled", lambda copy, names: {})
    if "few system calls" not in sandbox.level:
        pytest.skip("here a submission can kill itself, which is told from a kill by its repetition")
    broken = pytest.raises(SandboxBroken, match=r"3 times.*killed from outside")
    with killing(sandbox, signal.SIGKILL) as killed, broken:
        run(sandbox, tmp_path, SLOW)
    assert len(killed) >= 3
    assert run(sandbox, tmp_path, "")[0]["status"] == "ok"


OWN_END = {
    "an exit code like that of a kill": "import os\nos._exit(137)\n",
    "a kill of itself": "import os\nos.kill(os.getpid(), 9)\nos._exit(1)\n",
    "a low limit of processor time": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass\n"
    ),
    "a timer": "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(9)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "what"), [*(("all", what) for what in OWN_END), ("limits alone", "a kill of itself")]
)
def test_no_submission_looks_as_if_it_had_been_killed(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str
) -> None:
    """A mark that is missing for want of a machine would be missing at the student's will."""
    frame = run(sandboxes[level], tmp_path, OWN_END[what])[-1]
    # The first process of a namespace does not get signals that it has not asked for, so the timer is nothing there.
    assert frame["status"] in ("died", "error", "time")


@pytest.mark.slow
def test_a_submission_that_ends_the_warm_process_leaves_nothing(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """Without any isolation, its daemon would outlive the process that watches over it."""
    sandbox = sandboxes["limits alone"]
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(300)\n    os._exit(0)\n"
    frames = run(sandbox, tmp_path, f"{code}time.sleep(0.1)\nos.kill(os.getppid(), 9)\ntime.sleep(1)\n")
    assert frames[-1]["status"] in ("died", "time")
    assert run(sandbox, tmp_path, "")[0]["status"] == "ok"
    home = f"HOME={sandbox.folder / 'home'}".encode()
    assert [p for p in Path("/proc").glob("[0-9]*/environ") if _holds(p, home)] == [
        Path(f"/proc/{sandbox._warm.pid}/environ")  # type: ignore[union-attr]
    ]


def _holds(path: Path, text: bytes) -> bool:
    try:
        return text in path.read_bytes()
    except OSError:
        return False


@root
def test_no_two_graders_have_one_uid() -> None:
    first, held = claims.claim_uid()
    second, other = claims.claim_uid()
    program = "from autograder.staff.isolation.claims import claim_uid; print(claim_uid()[0])"
    third = int(subprocess.run([sys.executable, "-c", program], cwd=AUTOGRADER.parent, stdout=subprocess.PIPE).stdout)
    os.close(held)
    os.close(other)
    assert len({first, second, third}) == 3
    # A claim ends with the process that held it.
    again, held = claims.claim_uid()
    os.close(held)
    assert again == first


@root
def test_a_uid_with_processes_is_not_claimed() -> None:
    uid, held = claims.claim_uid()
    os.close(held)
    pid = os.fork()
    if pid == 0:
        os.setresuid(uid, uid, uid)
        time.sleep(60)
        os._exit(0)
    try:
        while uid not in claims._running_uids():
            time.sleep(0.01)
        other, held = claims.claim_uid()
        os.close(held)
        assert other != uid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


MARKS = """
import os, sys
from pathlib import Path
os.getpid = lambda: 4242
from autograder.staff.isolation.sandbox import Sandbox
from autograder.staff.marks.grading import grade_submission
with Sandbox(without=sys.argv[2:]) as sandbox:
    print(grade_submission(Path(sys.argv[1]), (1, 2), run_with=sandbox.run_scenarios, hidden=False, limit=20)["total"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("without", [[], ["namespaces"], ["namespaces", "seccomp"]], ids=str)
def test_two_classes_at_once_get_their_marks(tmp_path: Path, without: list[str]) -> None:
    """Both graders believe that they have the same process id."""
    right = write(fill(SIMPLE), tmp_path / "right")
    command = [sys.executable, "-c", MARKS, str(right), *without]
    both = [subprocess.Popen(command, cwd=AUTOGRADER.parent, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=patience(60))[0].split() for process in both] == [["50"]] * 2


@pytest.mark.parametrize("moment", ["claim_folder", "_prepare", "_start"])
def test_a_grader_killed_while_it_starts_leaves_nothing_for_good(tmp_path: Path, moment: str) -> None:
    program = (
        "import os, signal\nfrom autograder.staff.isolation import sandbox\n"
        f"place = sandbox if {moment!r} == 'claim_folder' else sandbox.Sandbox\n"
        f"before = getattr(place, {moment!r})\n"
        "def kill(*arguments):\n    found = before(*arguments)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"setattr(place, {moment!r}, kill)\nsandbox.Sandbox()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=AUTOGRADER.parent, env=environment, check=False)
    lines = "from autograder.staff.isolation.sandbox import Sandbox\nwith Sandbox() as s: print(s.folder.exists())"
    deadline = time.monotonic() + patience(5)
    left = list(tmp_path.glob(f"{PREFIX}*"))
    assert left or moment == "_start"
    while left and time.monotonic() < deadline:
        # Where it had started a warm process, that one has to notice first.
        again = subprocess.run(
            [sys.executable, "-c", lines], cwd=AUTOGRADER.parent, env=environment, stdout=subprocess.PIPE
        )
        assert again.stdout == b"True\n"
        left = list(tmp_path.glob(f"{PREFIX}*"))
    assert not left


def test_the_folder_of_a_running_grader_stays() -> None:
    with Sandbox() as one, Sandbox() as other:
        assert one.folder.exists()
        assert other.folder.exists()


def test_a_submission_does_not_hold_a_claim(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """The lock of a uid would stay locked with it."""
    code = "import os\nfor fd in range(3, 64):\n    try: print(os.readlink(f'/proc/self/fd/{fd}'))\n    except OSError: pass\n"
    frames = list(sandboxes["limits alone"].run_scenarios(submission(tmp_path, code), ("engine",), []))
    assert claims.LOCKS not in frames[0]["printed"]
    assert PREFIX not in frames[0]["printed"]


@pytest.mark.slow
def test_marks_are_whole(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """A kill in the middle of an exercise takes no mark away."""
    sandbox = sandboxes["no namespaces"]
    files = fill(SIMPLE)
    files["mytorch/autograd_engine.py"] += "\nimport time\ntime.sleep(0.3)\n"
    with killing(sandbox, signal.SIGKILL, most=2) as killed:
        marks: dict[str, Any] = dict(
            grade_submission(
                write(files, tmp_path), (1, 2), run_with=sandbox.run_scenarios, hidden=False, limit=patience(2)
            )
        )
    assert (marks["total"], len(killed)) == (50, 2)
