"""Isolation at each level: code in a submission's process sees, changes and outlives nothing that it should not."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.staff.isolation.cache import read_all
from autograder.staff.isolation.sandbox import AUTOGRADER, Sandbox
from tests.autograder.hostile_code import ENDS, OUTLIVING
from tests.autograder.sandbox_tools import LEVELS, alive, found, has, run
from tests.clocks import patience

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="isolation needs fork")


@pytest.mark.slow
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
        "[m for m in sys.modules if m.startswith(('autograder.', '_pytest')) and not m.startswith('autograder.worker')][0]",
        "process",
    ),
    "another file of the autograder": (
        "[n for n in os.listdir(list(__import__('autograder').__path__)[0]) if n != 'worker'][0]", "process"
    ),
    "a check among all objects": (
        "[o for o in gc.get_objects() if type(o).__name__ in ('Check', 'Exercise', 'Expected', 'Problem')][0]", "process"
    ),
    "an expectation in the frames above": (
        "[n for f in [sys._getframe(i) for i in range(9)] for n in f.f_locals if 'expect' in n][0]", "process"
    ),
    "PyTorch": ("__import__('torch')", "process"),
    "pytest": ("__import__('pytest')", "process"),
    "the grader's environment": (f"open('/proc/{os.getpid()}/environ').read()", "process"),
    "the grader's memory": (f"open('/proc/{os.getpid()}/mem', 'rb').read(1)", "process"),
    "the grader's files": (f"os.readlink('/proc/{os.getpid()}/fd/0')", "process"),
    "the grader's folder": (f"os.readlink('/proc/{os.getpid()}/cwd')", "process"),
    "free memory in /proc": ("open('/proc/meminfo').read()", "no other processes"),
    "the load of the machine": ("os.getloadavg()", "few system calls"),
    "the grader, anywhere": (f"os.stat('/proc/{os.getpid()}')", "no other processes"),
    "its own memory as a file": ("os.write(os.open('/proc/self/mem', os.O_RDWR), b'x')", "few system calls"),
    "other packages on the disk": (
        f"os.listdir({str(Path(pytest.__file__).parent)!r})", "file system closed"
    ),
    "a library that Python does not need": ("os.listdir('/usr/lib')", "file system closed"),
    "a thread": ("__import__('_thread').start_new_thread(print, ())", "few system calls"),
    "a thread by clone": ("_call(56, 0x10f00, 0, 0, 0, 0)", "few system calls"),
    "a process by clone3": ("_call(435, bytes(88), 88)", "few system calls"),
    "pages out of the cache": ("os.posix_fadvise(os.open(__file__, 0), 0, 0, 4)", "few system calls"),
    "what lies in the cache": ("_call(27, 4096, 4096, bytes(8))", "few system calls"),
    "free memory": ("_call(99, bytes(512))", "few system calls"),
    "space on the disk": ("os.statvfs(__file__)", "few system calls"),
    "all processors at once": ("_call(324, 1, 0)", "few system calls"),
    "a disk's cache to be written": ("os.sync() or os.fsync(os.open(__file__, 0))", "few system calls"),
    "the processor time of its parent": (
        "_call(228, (~os.getppid() << 3) | 2, bytes(16))", "few system calls"
    ),
    "a session of another process": (f"os.getsid({os.getpid()})", "few system calls"),
    "limits of another process": (
        f"__import__('resource').prlimit({os.getpid()}, __import__('resource').RLIMIT_CPU)", "few system calls"
    ),
    "everybody's end": ("os.kill(-1, 9)", "few system calls"),
    "a session of its own": ("os.setsid()", "few system calls"),
    "another clock": ("__import__('time').clock_settime(0, 1)", "few system calls"),
    "io_uring": ("_call(425, 8, bytes(120))", "few system calls"),
    "userfaultfd": ("_call(323, 0)", "few system calls"),
    "performance counters": ("_call(298, bytes(128), 0, -1, -1, 0)", "few system calls"),
    "a key of the kernel": ("_call(248, b'user', b'x', b'y', 1, -3)", "few system calls"),
    "shared memory of System V": ("_call(29, 7, 4096, 0o1666)", "few system calls"),
    "shared memory with a name": (
        "__import__('_posixshmem').shm_open('/x', os.O_CREAT | os.O_RDWR, mode=0o666)", "few system calls"
    ),
    "an abstract socket": ("__import__('socket').socket(1, 1).bind(chr(0) + 'x')", "few system calls"),
    "a file's watcher": ("_call(294, 0)", "few system calls"),
    "a timer that signals": ("_call(222, 0, bytes(64), bytes(8))", "few system calls"),
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


@pytest.mark.parametrize(
    ("level", "what"),
    [
        (level, what)
        for level in LEVELS
        for what, (_, needed) in LOOKING.items()
        # The filter is the same one at every level that has it.
        if level == "all" or needed != "few system calls"
    ],
)
@pytest.mark.slow
def test_what_a_submission_looks_for_is_not_there(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str
) -> None:
    expression, needed = LOOKING[what]
    if "_call(" in expression and platform.machine() != "x86_64":
        pytest.skip("numbers of system calls on x86-64")
    has(sandboxes[level], needed)
    assert found(sandboxes[level], tmp_path, expression).endswith("Error")


@pytest.mark.slow
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
    copy = other.folder / "slot" / "submission" / "mytorch" / "autograd_engine.py"
    assert found(one, tmp_path, f"open({str(copy)!r}).read(5)") == "PermissionError"
    assert found(one, tmp_path, "len(open(__file__).read(5))") == "5"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_the_kernel_ends_submissions_first(sandboxes: dict[str, Sandbox]) -> None:
    warm = sandboxes["all"]._warm
    assert warm is not None
    assert int(Path(f"/proc/{warm.pid}/oom_score_adj").read_text()) == 1000
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


@pytest.mark.slow
def test_no_descriptor_but_the_way_out_is_open(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    answers = [found(sandboxes["all"], tmp_path, f"bool(os.fstat({number}))") for number in range(3, 24)]
    assert answers.count("True") == 1
    assert answers.count("OSError") == 20


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("level", ["all", "limits alone"])
@pytest.mark.slow
def test_however_it_ends_the_next_one_runs(
    sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, name: str
) -> None:
    code, statuses = ENDS[name]
    sandbox = sandboxes[level]
    start = time.monotonic()
    frames = run(sandbox, tmp_path / "bad", code + "\n")
    assert frames[-1]["status"] in statuses.split(), frames
    assert time.monotonic() - start < patience(sandbox.limits.start + 5)
    assert run(sandbox, tmp_path / "good", "")[0]["status"] == "ok"
    assert not alive(sandbox)


@pytest.mark.parametrize("what", OUTLIVING)
@pytest.mark.parametrize("level", ["all", "no seccomp", "no namespaces"])
@pytest.mark.slow
def test_nothing_outlives_its_exercise(sandboxes: dict[str, Sandbox], tmp_path: Path, level: str, what: str) -> None:
    sandbox = sandboxes[level]
    if what == "a fork bomb" and level == "no seccomp" and os.getuid() == 0:
        pytest.skip("nothing but the seccomp filter bounds root's processes; tried with a thousand below")
    run(sandbox, tmp_path / "bad", OUTLIVING[what])
    assert run(sandbox, tmp_path / "good", "")[0]["status"] == "ok"
    assert not alive(sandbox)


@pytest.mark.slow
def test_a_thousand_daemons_are_found(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    code = (
        "import os, time\nfor n in range(200):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork() == 0: time.sleep(100)\n        os._exit(0)\n"
    )
    for level in ("no seccomp", "limits alone"):
        run(sandboxes[level], tmp_path / "bad", code)
        assert not alive(sandboxes[level])


def test_reading_a_file_leaves_no_time_of_access(sandboxes: dict[str, Sandbox], tmp_path: Path) -> None:
    """Another submission could read it with stat, which no measure refuses."""
    import numpy as np

    sandbox = sandboxes["all"]
    if os.getuid() != 0 or "no other processes" not in sandbox.level:
        pytest.skip("only root can switch times of access off, in a namespace of mounts")
    library = Path(np.__file__).parent / "version.py"
    try:
        os.utime(library, (1, library.stat().st_mtime))
    except OSError:
        pytest.skip("NumPy belongs to somebody else here")
    assert found(sandbox, tmp_path, f"len(open({str(library)!r}).read()) > 0") == "True"
    assert library.stat().st_atime == 1
    library.read_bytes()


def test_everything_that_can_be_read_lies_in_the_page_cache(sandboxes: dict[str, Sandbox]) -> None:
    places = [place for place in sandboxes["all"].readable if Path(place).name in ("json", "numpy.libs", "abc.py")]
    size = sum(
        path.stat().st_size
        for place in places
        for path in ([Path(place)] if Path(place).is_file() else Path(place).rglob("*"))
        if path.is_file()
    )
    assert size > 10_000
    assert read_all(places) == size


PLAIN_USER = """
import os, sys
from pathlib import Path
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder.sandbox_tools import found
with Sandbox(without=["namespaces", "seccomp", "landlock", "uid"]) as sandbox:
    print(*sandbox.level, sep=", ")
    for what in ("open('/proc/{}/environ').read()", "open('/proc/{}/mem', 'rb')", "os.readlink('/proc/{}/cwd')"):
        print(found(sandbox, Path(sys.argv[1]), what.format(os.getpid())))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root can become a plain user")
def test_a_plain_users_grader_hides_its_memory(tmp_path: Path) -> None:
    """Without any measure, a submission is a process of the same user, whom the kernel lets look at all others."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    place = tmp_path / "own"
    place.mkdir()
    os.chown(place, 65534, 65534)
    command = [sys.executable, "-c", PLAIN_USER, str(place)]
    environment = {**os.environ, "SECRET": "1234", "TMPDIR": str(place), "HOME": str(place)}

    def become_nobody() -> None:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)

    try:
        done = subprocess.run(
            command, cwd=AUTOGRADER.parent, env=environment, preexec_fn=become_nobody, capture_output=True, text=True
        )
    except OSError:
        pytest.skip("this Python cannot be run by another user")
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("this Python's modules cannot be read by another user")
    level, *answers = done.stdout.splitlines()
    # It can still be signalled, and the level says so.
    assert "other processes open" in level, done.stderr
    assert answers == ["PermissionError"] * 3
