"""The sandbox: what code in a submission's process can see, change and outlive, at each level of isolation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.staff.isolation.sandbox import AUTOGRADER, WORKER, Limits, Sandbox, SandboxBroken
from tests.autograder.hostile_code import ENDS, OUTLIVING

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="isolation needs fork")

LEVELS: dict[str, list[str]] = {
    "all": [],
    "no landlock": ["landlock"],
    "no seccomp": ["seccomp"],
    "no namespaces": ["namespaces"],
    "limits alone": ["namespaces", "seccomp", "landlock", "uid"],
}
ENGINE = """
class Autograd:
    def __init__(self):
        self.operation_list = []
"""
LOOK = """
import gc, os, sys
try:
    result = repr({})
except BaseException as error:
    result = type(error).__name__
raise RuntimeError(result)
"""


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    made = {name: Sandbox(Limits(start=1.0, memory=1 << 30), without=parts) for name, parts in LEVELS.items()}
    yield made
    for sandbox in made.values():
        sandbox.close()


def submission(folder: Path, code: str) -> Path:
    """A submission whose engine runs some code when it is imported, and at that only."""
    path = folder / "mytorch" / "autograd_engine.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + ENGINE, encoding="utf-8")
    return folder


def run(sandbox: Sandbox, folder: Path, code: str, scenarios: Any = (), limit: float = 1.0) -> list[dict[str, Any]]:
    return list(sandbox.run_scenarios(submission(folder, code), ("engine",), scenarios, limit))


def found(sandbox: Sandbox, folder: Path, expression: str) -> str:
    """What an expression gives in the submission's process, as text."""
    (frame,) = run(sandbox, folder, LOOK.format(expression))
    assert frame["status"] == "error", frame
    return str(frame["text"]).removeprefix("RuntimeError: ")


def has(sandbox: Sandbox, word: str) -> None:
    if word not in sandbox.level:
        pytest.skip(f"this machine does not reach {word!r}: {sandbox.level}")


def alive(sandbox: Sandbox) -> list[str]:
    """The processes that run with the sandbox's HOME, beside the warm one."""
    home = f"HOME={sandbox._folder / 'home'}".encode()
    warm = sandbox._warm.pid if sandbox._warm else 0
    ours = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != warm and home in (entry / "environ").read_bytes():
                ours.append((entry / "stat").read_text())
        except OSError:
            continue
    return ours


def test_every_report_can_state_the_level(sandboxes: dict[str, Sandbox]) -> None:
    for name, sandbox in sandboxes.items():
        print(f"{name}: {', '.join(sandbox.level)}")
        assert sandbox.level[:2] == ["process", "limits"]
    weakest = sandboxes["limits alone"].level
    if os.getuid() == 0:
        assert {"network open", "file system open"} <= set(weakest)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_a_linux_machine_with_everything_reaches_everything(sandboxes: dict[str, Sandbox]) -> None:
    from autograder.worker import linux

    level = sandboxes["all"].level
    try:
        linux.landlock_version()
    except OSError:
        pytest.skip("no Landlock in this kernel")
    assert "file system closed" in level
    assert "no new processes" in level
    assert "no network" in level


@pytest.mark.parametrize("level", LEVELS)
def test_a_submission_runs_at_every_level(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str) -> None:
    frames = run(
        sandboxes[level], tmp_path, "import numpy as np\nassert np.linalg.det(np.eye(3)) == 1\nprint('hello')\n"
    )
    assert [f["status"] for f in frames] == ["ok"]
    assert frames[0]["printed"] == "hello\n"


LOOKING = {
    "the checks": (f"open({str(AUTOGRADER / 'test_autograd.py')!r}).read(10)", "file system closed"),
    "the folder above": ("os.listdir('/')", "file system closed"),
    "other temporary files": ("os.listdir('/tmp')", "file system closed"),
    "the user's home": (f"os.listdir({str(Path.home())!r})", "file system closed"),
    "the parent's environment": ("open(f'/proc/{os.getppid()}/environ').read()", "file system closed"),
    "the parent's memory": ("open(f'/proc/{os.getppid()}/mem', 'rb').read(1)", "file system closed"),
    "the reference": ("__import__('importlib').import_module('mytorch.optim')", "process"),
    "the exercises": ("__import__('autograder.exercises')", "process"),
    "the grader's modules": (
        "[m for m in sys.modules if m.startswith(('autograder.ex', 'autograder.test_', '_pytest'))][0]", "process"
    ),
    "a check among all objects": (
        "[o for o in gc.get_objects() if type(o).__name__ in ('Check', 'Exercise', 'Problem')][0]", "process"
    ),
    "an expectation in the frames above": (
        "[n for f in [sys._getframe(i) for i in range(9)] for n in f.f_locals if 'expect' in n][0]", "process"
    ),
    "PyTorch": ("__import__('torch')", "process"),
    "pytest": ("__import__('pytest')", "process"),
    "a new process": ("os.fork()", "no new processes"),
    "a program": ("__import__('subprocess').run(['true'])", "no new processes"),
    "its parent": ("os.kill(os.getppid() or 1, 9)", "few system calls"),
    "the grader": (f"os.kill({os.getpid()}, 0)", "no other processes"),
    "the network": ("__import__('socket').socket().connect(('127.0.0.1', 22))", "no network"),
    "a rule of the sandbox": ("__import__('resource').setrlimit(0, (-1, -1))", "limits"),
    "a file in its own folder": ("os.write(os.open(__file__ + 'x', os.O_CREAT | os.O_WRONLY), b'x')", "process"),
    "its own source": ("os.write(os.open(__file__, os.O_WRONLY | os.O_APPEND), b'x')", "process"),
    "modes": ("os.chmod(__file__, 0o777)", "few system calls"),
    "a link": ("os.symlink('/etc/passwd', os.environ['HOME'] + '/x')", "few system calls"),
    "a lease on a file": ("__import__('fcntl').fcntl(os.open(__file__, 0), 1024, 1)", "few system calls"),
    "a lock on a file": ("__import__('fcntl').lockf(os.open(__file__, 0), 1)", "few system calls"),
    "flags of a file": ("__import__('fcntl').ioctl(os.open(__file__, 0), 0x80086601, bytes(8))", "few system calls"),
    "memory with a name": ("os.memfd_create('x')", "few system calls"),
    "the way out, anew": (
        "os.open('/proc/self/fd/%d' % [n for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')][0], 2)", "process"
    ),
    "the way out, to read": (
        "os.read([n for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')][0], 1)[0]", "process"
    ),
    "a file in HOME": ("os.write(os.open(os.environ['HOME'] + '/x', os.O_CREAT | os.O_WRONLY), b'x')", "process"),
}  # fmt: skip


@pytest.mark.parametrize("what", LOOKING)
@pytest.mark.parametrize("level", LEVELS)
def test_what_a_submission_looks_for_is_not_there(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str
) -> None:
    expression, needed = LOOKING[what]
    has(sandboxes[level], needed)
    assert found(sandboxes[level], tmp_path, expression).endswith("Error")


def test_the_environment_is_ours(
    sandboxes: dict[str, Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "1234")
    with Sandbox() as sandbox:
        names = found(sandbox, tmp_path, "sorted(os.environ)")
    assert "SECRET" not in names
    assert set(eval(names)) <= {
        "HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    }  # fmt: skip


LEAVER = """
import os
home = os.environ["HOME"]
acts = [
    lambda: os.makedirs(home + "/a/b/c/d"),
    lambda: os.symlink("all my solutions", home + "/link"),
    lambda: os.close(os.open(home + "/file", os.O_CREAT)),
    *(lambda name=name: os.chmod(home + name, 0) for name in ("/a/b/c", "/a/b", "/a")),
]
for act in acts:
    try: act()
    except OSError: pass
"""


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_left_for_the_next_one(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str) -> None:
    assert run(sandboxes[level], tmp_path / "one", LEAVER)[0]["status"] == "ok"
    assert (
        run(sandboxes[level], tmp_path / "other", "import os\nassert not os.listdir(os.environ['HOME'])\n")[0]["status"]
        == "ok"
    )


def test_one_sandbox_is_closed_to_the_other(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """Two jobs grade two submissions at a time; without Landlock, only their users keep them apart."""
    one, other = sandboxes["no landlock"], sandboxes["no namespaces"]
    has(one, "own user")
    run(other, tmp_path / "secret", "")
    copy = other._folder / "slot" / "submission" / "mytorch" / "autograd_engine.py"
    assert found(one, tmp_path, f"open({str(copy)!r}).read(5)") == "PermissionError"
    assert found(one, tmp_path, "len(open(__file__).read(5))") == "5"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_the_kernel_ends_submissions_first(sandboxes: dict[str, Sandbox]) -> None:
    warm = sandboxes["all"]._warm
    assert warm is not None
    assert int(Path(f"/proc/{warm.pid}/oom_score_adj").read_text()) == 1000
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


def test_no_descriptor_but_the_way_out_is_open(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    answers = [found(sandboxes["all"], tmp_path, f"bool(os.fstat({number}))") for number in range(3, 24)]
    assert answers.count("True") == 1
    assert answers.count("OSError") == 20


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("level", ["all", "limits alone"])
def test_however_it_ends_the_next_one_runs(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, name: str
) -> None:
    code, statuses = ENDS[name]
    sandbox = sandboxes[level]
    start = time.monotonic()
    frames = run(sandbox, tmp_path / "bad", code + "\n")
    assert frames[-1]["status"] in statuses.split(), frames
    assert time.monotonic() - start < sandbox.limits.start + 5
    assert run(sandbox, tmp_path / "good", "")[0]["status"] == "ok"
    assert not alive(sandbox)


@pytest.mark.parametrize("what", OUTLIVING)
@pytest.mark.parametrize("level", ["all", "no seccomp", "no namespaces"])
def test_nothing_outlives_its_exercise(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str) -> None:
    sandbox = sandboxes[level]
    if what == "a fork bomb" and level == "no seccomp" and os.getuid() == 0:
        pytest.skip("nothing but the seccomp filter bounds root's processes; tried with a thousand below")
    run(sandbox, tmp_path / "bad", OUTLIVING[what])
    assert run(sandbox, tmp_path / "good", "")[0]["status"] == "ok"
    assert not alive(sandbox)


def test_a_thousand_daemons_are_found(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    code = (
        "import os, time\nfor n in range(200):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork() == 0: time.sleep(100)\n        os._exit(0)\n"
    )
    for level in ("no seccomp", "limits alone"):
        run(sandboxes[level], tmp_path / "bad", code)
        assert not alive(sandboxes[level])


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
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("level", ["all", "no namespaces", "limits alone"])
def test_how_a_process_ended_is_told(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str) -> None:
    for code, words in (
        ("import os; os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "segmentation"),
    ):
        assert words in run(sandboxes[level], tmp_path, code + "\n")[-1]["text"]


def test_whoever_waits_for_a_processor_in_vain_gets_another_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(Limits(start=0.5)) as sandbox:
        runs = []
        once = sandbox._run
        monkeypatch.setattr(sandbox, "_run", lambda *arguments: runs.append(1) or once(*arguments))
        for busy, expected in ((False, 1), (True, 2)):
            monkeypatch.setattr("autograder.staff.isolation.sandbox.overloaded", lambda busy=busy: busy)
            runs.clear()
            assert run(sandbox, tmp_path, "import time\ntime.sleep(100)\n")[-1]["status"] == "time"
            assert len(runs) == expected


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


def test_everything_is_removed(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        run(sandbox, tmp_path, "")
        folder, warm = sandbox._folder, sandbox._warm
    assert not folder.exists()
    assert warm is not None
    assert warm.poll() is not None


def test_a_killed_grader_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "from autograder.staff.isolation.sandbox import Sandbox\nsandbox = Sandbox()\n"
        "print(sandbox._folder, sandbox._warm.pid, flush=True)\n"
        "list(sandbox.run_scenarios(Path(sys.argv[1]), ('engine',), []))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    code = "import time\nif True: time.sleep(0.2)\n"
    command = [sys.executable, "-c", program, str(submission(tmp_path, code))]
    folder, warm = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=AUTOGRADER.parent).stdout.split()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (Path(folder).exists() or Path(f"/proc/{warm}").exists()):
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not Path(f"/proc/{warm}/environ").exists()


def test_the_submission_itself_is_never_touched(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit")
    run(sandboxes["limits alone"], tmp_path, "import os\nos.rename(__file__, __file__ + 'x')\n")
    assert sorted(p.name for p in tmp_path.rglob("*.py")) == ["autograd_engine.py", "numpy.py"]
