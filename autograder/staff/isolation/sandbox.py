"""The sandbox: sends scenarios to a confined process and reads frames back, without trusting them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder.staff.isolation.claims import claim_folder, claim_uid
from autograder.staff.isolation.frames import Reader, read_frames
from autograder.staff.isolation.slot import Slot
from autograder.worker import READY
from autograder.worker.folders import remove
from autograder.worker.wire import pack

AUTOGRADER = Path(__file__).resolve().parents[2]
# The only part of the autograder that is copied to where submissions run.
WORKER = AUTOGRADER / "worker"
# The name of a sandbox's folder begins like this.
PREFIX = "mytorch-grading-"
# Times that a unit runs if somebody else ends its process, and the signals by which people and systems do that.
ATTEMPTS = 3
# A process that waited for a processor is run again with so many times the time limits.
MORE_TIME = (1, 4, 16)
# Seconds in which a submission's own files are compiled; what takes longer is compiled where it is imported.
COMPILE_LIMIT = 1.0
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class SandboxBroken(Exception):
    """The isolation itself failed. No submission is at fault, and nothing was graded."""


class CannotIsolate(Exception):
    """This machine cannot grade at all. The message says what it needs."""


@dataclass(frozen=True)
class Limits:
    """Limits of one process: bytes of address space, seconds to start, bytes per frame and in all."""

    memory: int = 1 << 30
    start: float = 5.0
    frame: int = 16 << 20
    output: int = 64 << 20


class Sandbox:
    """Runner of scenarios in confined processes, one at a time. A context manager; use one for each thread.

    level: the level of isolation on this machine in words, as a confined process found it out.
    folder: its temporary folder. readable: the files and folders that a submission can read.
    without: measures to leave out (namespaces, uid, landlock, seccomp), which tests use to try weaker levels.
    known: the bytecode of files that many submissions share, by their source.
    Raises CannotIsolate if there is no fork, SandboxBroken if the isolation cannot be set up.
    """

    def __init__(
        self, limits: Limits = Limits(), without: Sequence[str] = (), known: Mapping[bytes, bytes] | None = None
    ) -> None:
        if not hasattr(os, "fork"):
            raise CannotIsolate(
                f"Grading isolates submissions by means of Linux or macOS, and this is {sys.platform}. "
                "Run it on one of them, on Windows in WSL."
            )
        self.limits = limits
        self.level: list[str] = []
        self._without = list(without)
        # Seconds of processor time of all processes that the warm one has forked. Starved: the last of them reached its time
        # limit because it had no processor. Spent: see there.
        self._processor, self._starved, self._spent = 0.0, False, 0.0
        self._uid, self._claim = -1, -1
        self._warm: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        if sys.platform == "linux":
            from autograder.worker import linux

            # Weakly isolated submissions have the grader's uid; its memory holds what is expected of them.
            linux.hide_memory()
        self.folder, self._held = claim_folder(PREFIX)
        self._slot = Slot(self.folder / "slot" / "submission", known or {})
        try:
            if os.getuid() == 0 and "uid" not in without:
                self._uid, self._claim = claim_uid()
            self._prepare()
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process and everything below it, and remove all files."""
        self._stop()
        remove(self.folder)
        for descriptor in (self._held, self._claim):
            if descriptor >= 0:
                os.close(descriptor)
        self._held = self._claim = -1

    def run_scenarios(
        self, folder: Path, parts: Sequence[str], scenarios: Sequence[tuple[str, list[Any]]], limit: float = 2.0
    ) -> Iterator[dict[str, Any]]:
        """Frames as from isolate.run_scenarios: one for the import and one per scenario, until the process ends.

        status: ok, todo, error, time, died (text says how) or malformed. Raises SandboxBroken.
        """
        self._tidy()
        stays = bool({"own user", "file system closed"} & set(self.level))
        copy = self._slot.fill(folder, self._compiled if stays else None)
        for more in MORE_TIME:
            frames = self._run_once(copy, parts, scenarios, limit, more)
            if not self._starved:
                return iter(frames)
        raise SandboxBroken(
            f"a submission's process waited for a processor for most of {MORE_TIME[-1]} times its time limit. That is no "
            "endless loop: this machine is too busy; use fewer jobs"
        )

    def spent(self) -> float:
        """Seconds that submissions have taken so far, without those in which they waited for a processor."""
        return self._spent

    def _compiled(self, copy: Path, names: list[str]) -> Mapping[str, Any]:
        """The bytecode of files of a copy by name, as a confined process sends it: nothing in it is to be trusted."""
        values = self._run_once(copy, (), [("bytecode", [{"files": names}])], COMPILE_LIMIT, 1)[-1].get("values")
        return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}

    def _run_once(
        self, copy: Path, parts: Sequence[str], scenarios: Sequence[tuple[str, list[Any]]], limit: float, more: int
    ) -> list[dict[str, Any]]:
        """The frames of one process. If somebody else ended it or the warm process, another one takes its place."""
        token, count = secrets.token_hex(8), len(scenarios)
        job = pack({"folder": str(copy), "parts": list(parts), "checks": [list(s) for s in scenarios], "token": token})
        seconds = (self.limits.start + limit * count) * more + 1
        frames: list[dict[str, Any]] = []
        for _ in range(ATTEMPTS):
            try:
                if self._warm is None:
                    self._start()
                return self._run(job, token, count, limit, more, seconds)
            except _WarmGone:
                self._stop()
                reason = "the process that starts it ended"
            except _Killed as error:
                frames, reason = error.frames, f"it was killed from outside ({error})"
        if frames and "few system calls" not in self.level:
            # Here a submission can kill itself, and nobody else does so three times.
            return frames
        raise SandboxBroken(
            f"a submission's process was started {ATTEMPTS} times without a result, and at last {reason}. Another program "
            "ends processes here, or memory ran out; free memory or use fewer jobs"
        )

    def _prepare(self) -> None:
        # Under root, the folder belongs to the group of this sandbox's uid: without Landlock, a submission could otherwise read
        # the one that another job grades beside it.
        if self._claim >= 0:
            os.chown(self.folder, -1, self._uid)
        self.folder.chmod(0o750)
        shutil.copytree(
            WORKER, self.folder / "runtime" / "autograder" / WORKER.name, ignore=shutil.ignore_patterns("__pycache__")
        )
        # Links to NumPy alone: a submission cannot import what else is installed beside it.
        packages = Path(np.__file__).resolve().parent.parent
        site = self.folder / "runtime" / "site"
        site.mkdir()
        for name in ("numpy", "numpy.libs"):
            if (packages / name).exists():
                (site / name).symlink_to(packages / name)
        for name in ("slot", "home"):
            (self.folder / name).mkdir()
        self._readable = [
            str(self.folder / name) for name in ("runtime", "slot", "home")
        ] + [str(packages / name) for name in ("numpy", "numpy.libs")]  # fmt: skip
        for path in (self.folder / "runtime").rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o444)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        home = str(self.folder / "home")
        environment = {
            "PATH": os.defpath, "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home,
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1",
        }  # fmt: skip
        program = self.folder / "runtime" / "autograder" / WORKER.name / "warm.py"
        # The warm process holds the claims too: if the grader is killed, it is the last to use folder and uid.
        kept = [theirs.fileno(), *(descriptor for descriptor in (self._held, self._claim) if descriptor >= 0)]
        with theirs:
            self._warm = subprocess.Popen(
                [sys.executable, "-I", "-B", "-S", str(program), str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home,
                env=environment, pass_fds=kept, start_new_session=True,
            )  # fmt: skip
        ours.settimeout(30.0)
        self._control, self._processor = ours, 0.0
        setup = {
            "readable": self._readable, "uid": self._uid, "memory": self.limits.memory, "without": self._without,
            "secret": str(AUTOGRADER / "exercises.py"), "grader": os.getpid(), "folder": str(self.folder),
        }  # fmt: skip
        try:
            hello = self._ask(setup)
        except _WarmGone:
            self._stop()
            raise SandboxBroken("the process that runs submissions did not start") from None
        if "broken" in hello:
            raise SandboxBroken(f"submissions cannot be isolated here: {hello['broken']}")
        if self.level and hello["level"] != self.level:
            raise SandboxBroken(f"the isolation was {self.level} and is now {hello['level']}")
        self.level, self.readable = hello["level"], hello["readable"]
        ours.settimeout(10.0)

    def _stop(self) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(b'{"do": "leave"}\n')
            self._control.close()
            self._control = None
        if self._warm is not None:
            try:
                self._warm.wait(10.0)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(OSError):
                    os.killpg(self._warm.pid, signal.SIGKILL)
                self._warm.kill()
                self._warm.wait()
            self._warm = None
            self._sweep()

    def _sweep(self) -> None:
        """Kill what outlived the warm process, which a weakly isolated submission can end: processes with our own HOME."""
        home = f"HOME={self.folder / 'home'}\0".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if home in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)

    def _ask(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        assert self._control is not None
        data = json.dumps(message).encode() + b"\n"
        answer = b""
        try:
            if descriptors:
                socket.send_fds(self._control, [data], list(descriptors))
            else:
                self._control.sendall(data)
            while not answer.endswith(b"\n"):
                part = self._control.recv(65536)
                if not part:
                    raise _WarmGone
                answer += part
        except OSError:
            raise _WarmGone from None
        found: dict[str, Any] = json.loads(answer)
        return found

    def _tidy(self) -> None:
        """Empty HOME. Without Landlock and another uid, a submission can leave names and links there."""
        for path in (self.folder / "home").iterdir():
            if path.is_dir() and not path.is_symlink():
                remove(path)
            else:
                path.unlink()

    def _run(self, job: bytes, token: str, count: int, limit: float, more: int, seconds: float) -> list[dict[str, Any]]:
        # A socket, because a process of the same user can reopen a pipe through /proc and read what is meant for the grader.
        ours, theirs = socket.socketpair()
        try:
            with theirs, tempfile.TemporaryFile() as stream:
                stream.write(job)
                stream.seek(0)
                theirs.shutdown(socket.SHUT_RD)
                self._ask({"do": "run", "seconds": seconds}, [stream.fileno(), theirs.fileno()])
            reader = Reader(ours.fileno(), self.limits.frame, self.limits.output)
            self._await_ready(reader)
            began = time.monotonic()
            frames = read_frames(reader, token, count, self.limits.start * more, limit * more)
            died = frames[-1]["status"] == "died"
            try:
                end = self._ask({"do": "end", "wait": 0.5 if died else 0.0})
            except _WarmGone:
                self._stop()
                if died:
                    raise _Killed(frames, "with the process that starts it") from None
                # The results that came before count.
                return frames
            if end["left"]:
                self._stop()
            used = end.get("processor", self._processor) - self._processor
            self._processor += used
            waited = end.get("waited")
            self._spent += max(time.monotonic() - began - (waited or 0.0), used)
            self._starved = frames[-1]["status"] == "time" and _starved(frames[-1]["limit"], more, used, waited)
            if died:
                frames[-1]["text"] = _how(end["ended"])
                if -(end["ended"] or 0) in FROM_OUTSIDE and used < seconds:
                    raise _Killed(frames, _how(end["ended"]))
            return frames
        finally:
            ours.close()
            if sys.platform != "linux":
                # On macOS a process that has used the system's BLAS cannot be forked safely.
                self._stop()

    def _await_ready(self, reader: Reader) -> None:
        ready = reader.take(1, time.monotonic() + 30.0)
        if ready is None:
            raise _WarmGone
        if not ready:
            self._ask({"do": "end", "wait": 0.0})
            raise _Killed([], "before it began")
        if ready != READY:
            reason = ready + (reader.take(400, time.monotonic() + 1.0) or b"")
            raise SandboxBroken(f"a process could not be confined: {reason.decode(errors='replace')}")


class _WarmGone(Exception):
    """The warm process ended or does not answer."""


class _Killed(Exception):
    """Somebody else ended a submission's process. frames: those that it sent before."""

    def __init__(self, frames: list[dict[str, Any]], how: str) -> None:
        super().__init__(how)
        self.frames = frames


def _starved(limit: float, more: int, used: float, waited: float | None) -> bool:
    """True if a process that reached a time limit had no processor for most of it, and not its share before ``more``.

    used, waited: its seconds on a processor, and ready without one (None where the system does not tell).
    """
    return used < limit / more and (overloaded() if waited is None else waited > limit / 2)


def overloaded() -> bool:
    """More processes want to run on this machine than it has processors for."""
    return os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)


def _how(code: int | None) -> str:
    """Exit code or (negative) signal of an ended process in words; empty if it was still running."""
    if code is None:
        return ""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    words = {"SIGSEGV": "a segmentation fault", "SIGXCPU": "too much processor time", "SIGSYS": "a forbidden call"}
    return words.get(name, name)
