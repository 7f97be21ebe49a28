"""The warm process: has NumPy loaded and forks a confined process for each unit. It knows no check and no submission.

sandbox.py starts it as ``python -I -B -S warm.py SOCKET`` and exchanges lines of JSON with it over that socket.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

RUNTIME = Path(__file__).resolve().parents[2]
# Loaded once: the worker's own modules, those that the handout's files import, and others that a submission is likely to.
PRELOADED = (
    "abc", "collections", "copy", "dataclasses", "enum", "functools", "html", "inspect", "itertools", "math", "random",
    "typing", "warnings", "numpy", "numpy.fft", "numpy.linalg", "numpy.random", "autograder.worker.console",
    "autograder.worker.run", "autograder.worker.scenarios", "autograder.worker.wire",
)  # fmt: skip
PATIENCE = 5.0


def main() -> None:
    """Report the level of isolation, then serve requests until the socket closes."""
    sys.path[:0] = [str(RUNTIME), str(RUNTIME / "site")]
    control = socket.socket(fileno=int(sys.argv[1]))
    with control.makefile("r", encoding="utf-8") as lines:
        setup = json.loads(lines.readline())
    _be_the_first_to_go()
    try:
        for name in PRELOADED:
            importlib.import_module(name)
        from autograder.worker.confine import make_plan, readable_places

        readable = readable_places(setup["readable"])
        plan = make_plan(readable, setup["uid"], setup["memory"], setup["without"])
        level = _level(plan, setup)
    except Exception as error:
        _say(control, {"broken": f"{type(error).__name__}: {error}"})
        return
    _say(control, {"level": level, "readable": readable})
    keeper = 0
    while True:
        line, descriptors = _hear(control)
        if not line:
            # The grader was killed, so this process cleans up.
            from autograder.worker.folders import remove

            _end(keeper, plan)
            remove(Path(setup["folder"]))
            return
        request = json.loads(line)
        if request["do"] == "leave":
            _end(keeper, plan)
            return
        if request["do"] == "run":
            keeper = os.fork()
            if keeper == 0:
                control.close()
                _keep(plan, request, *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            _say(control, {"started": keeper})
        else:
            _say(control, _end(keeper, plan, request["wait"]))
            keeper = 0


def _be_the_first_to_go() -> None:
    """Raise oom_score_adj: if memory runs out, the kernel kills a submission and not the grader."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _say(control: socket.socket, message: dict[str, Any]) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def _hear(control: socket.socket) -> tuple[str, list[int]]:
    """One request and the descriptors that came with it; an empty text if the grader is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(control, 4096, 2)
    except OSError:
        return "", []
    return data.decode(), descriptors


def _level(plan: Any, setup: dict[str, Any]) -> list[str]:
    """The level of isolation, as found by a process that is confined like a submission's."""
    from autograder.worker.confine import probe

    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if plan.pid_namespace:
                _enter_pid_namespace()
            _confine(plan, theirs, 5.0)
            os.write(theirs, json.dumps(probe(plan, setup["secret"], setup["grader"])).encode())
        except BaseException as error:
            os.write(theirs, json.dumps(f"{type(error).__name__}: {error}").encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        text = stream.read(65536)
    os.waitpid(pid, 0)
    level = json.loads(text or '"no answer"')
    if not isinstance(level, list):
        raise OSError(f"a confined process cannot run: {level}")
    return [str(word) for word in level]


def _confine(plan: Any, result: int, seconds: float) -> None:
    """Close every descriptor but the one for results, then apply the plan."""
    from autograder.worker.confine import confine

    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    start = 3
    for kept in sorted({result, result if plan.rules is None else plan.rules}):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    confine(plan, seconds)


def _enter_pid_namespace() -> None:
    """Fork into a new PID namespace as its init; when it ends, the kernel ends everything in it. The caller waits outside."""
    from autograder.worker import linux
    from autograder.worker.confine import attempt

    linux.unshare("pid")
    pid = os.fork()
    if pid:
        _wait_for(pid)
    # In containers that hide parts of /proc, the kernel refuses another one.
    attempt(linux.own_proc)


def _wait_for(pid: int) -> NoReturn:
    """Wait for a child and end as it did, so that an exit code is never taken for a signal."""
    with contextlib.suppress(OSError):
        os.closerange(0, 256)
        code = _code(os.waitpid(pid, 0)[1])
        if code < 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
            os.kill(os.getpid(), -code)
        os._exit(code)
    os._exit(1)


def _keep(plan: Any, request: dict[str, Any], job: int, result: int) -> NoReturn:
    """The forked process: a new session, a PID namespace if there is one, confinement, then the submission."""
    try:
        os.setsid()
        if sys.platform == "linux":
            from autograder.worker import linux

            linux.die_with_parent()
        if plan.pid_namespace:
            _enter_pid_namespace()
        with os.fdopen(job, "rb") as stream:
            data = stream.read()
        from autograder.worker import READY

        _confine(plan, result, float(request["seconds"]))
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(result, f"{type(error).__name__}: {error}".encode()[:400])
        os._exit(1)
    try:
        os.write(result, READY)
        _work(data, result)
    finally:
        # os._exit skips the submission's atexit functions.
        os._exit(0)


def _work(data: bytes, result: int) -> None:
    from autograder.worker.run import work
    from autograder.worker.wire import framed, unpack

    def send(frame: dict[str, Any]) -> None:
        view = memoryview(framed(frame))
        while view:
            view = view[os.write(result, view) :]

    work(unpack(data), send)


def _end(keeper: int, plan: Any, wait: float = 0.0) -> dict[str, Any]:
    """Kill every process of a unit, daemons included, and report how its first process ended.

    wait: seconds in which the first process may end by itself, if its output has ended already.
    Killed are children of this process alone: as a subreaper it inherits what a unit leaves behind (on Linux), and a child's
    pid stays its own until it is waited for. Where there is no subreaper, they are found by the uid that nobody else has.
    """
    status = None
    waited = _waited(keeper)
    deadline = time.monotonic() + PATIENCE
    if keeper:
        until = time.monotonic() + wait
        while (status := _ended(keeper)) is None and time.monotonic() < until:
            time.sleep(0.002)
        with contextlib.suppress(OSError):
            os.killpg(keeper, signal.SIGKILL)
    while time.monotonic() < deadline:
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if plan.uid is not None and sys.platform != "linux":
            _kill_all_of(plan.uid)
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == keeper and status is None:
            status = _code(code) if _code(code) != -signal.SIGKILL else None
        if pid == 0:
            time.sleep(0.001)
    else:
        return {"ended": status, "left": len(_children())}
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"ended": status, "left": 0, "processor": usage.ru_utime + usage.ru_stime, "waited": waited}


def _waited(pid: int) -> float | None:
    """Seconds for which a process and those below it were ready and had no processor; None where no system tells.

    Source: Documentation/scheduler/sched-stats.rst of the Linux kernel, /proc/<pid>/schedstat.
    """
    found, waiting = 0.0, [pid]
    try:
        while waiting:
            one = Path(f"/proc/{waiting.pop()}")
            found += int((one / "schedstat").read_text().split()[1]) / 1e9
            waiting += [int(child) for child in (one / "task" / one.name / "children").read_text().split()[:20]]
    except (OSError, ValueError, IndexError):
        return None
    return found


def _ended(pid: int) -> int | None:
    """Exit code or negative signal of an ended process, None if it runs. WNOWAIT keeps its pid reserved."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (OSError, AttributeError):
        return None
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _code(status: int) -> int:
    """The exit code, or the negative number of the signal that ended the process."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _children() -> list[int]:
    me = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{me}/children").read_text().split()]
    except OSError:
        pass
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == me:
                found.append(int(entry.parent.name))
    return found


def _kill_all_of(uid: int) -> None:
    """Kill every process of the submission's uid. Needs root; the uid belongs to this sandbox alone."""
    pid = os.fork()
    if pid == 0:
        try:
            from autograder.worker.confine import become

            become(uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
