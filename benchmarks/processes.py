"""Parent's side of a worker process: start it with one thread on one core, send requests, end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


class Missing(Exception):
    """Framework that is not installed."""


class WorkerFailed(RuntimeError):
    """Worker that answered with an error or died."""


class Worker:
    """Process for one framework. All its threads are on one core where the system allows that."""

    def __init__(self, name: str, core: int | None = None) -> None:
        self.name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        # Thread counts have to be set before NumPy is imported, so they are set before Python starts.
        environment = {**os.environ, **ONE_THREAD}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    def call(self, function: str, **keywords: Any) -> Any:
        """Call ``module:function`` there. JSON has to be able to hold its arguments and its result."""
        return self._ask(do="call", function=function, keywords=keywords)

    def make(self, function: str, **keywords: Any) -> None:
        """Call ``module:function`` there. Its result becomes the worker's step, a function that returns a loss."""
        self._ask(do="make", function=function, keywords=keywords)

    def run(self, steps: int) -> list[float]:
        """Losses of this many steps."""
        return self._ask(do="run", steps=steps)

    def time(self, steps: int) -> float:
        """Seconds that this many steps take."""
        return self._ask(do="time", steps=steps)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._stderr.seek(0)
            said = self._stderr.read().decode(errors="replace").strip().splitlines() or ["none"]
            raise WorkerFailed(f"The {self.name} process ended without an answer. Its last words: {said[-1]}")
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        if "error" in answer:
            raise WorkerFailed(f"{self.name}: {answer['error']}")
        return answer["value"]


@contextmanager
def worker(name: str, pinned: bool = True) -> Iterator[Worker]:
    """Worker process that ends with its block: ``with worker("numpy") as one:``. pinned: to the core that all workers share."""
    one = Worker(name, one_core() if pinned else None)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def workers(names: list[str], version: str) -> Iterator[tuple[dict[str, Worker], dict[str, str], dict[str, str]]]:
    """Worker process for each framework, as (workers, versions, missing) by name.

    version: ``module:function`` that returns the version of a framework. missing: the reason why a framework could not be
    imported.
    """
    running: dict[str, Worker] = {}
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    try:
        for name in names:
            one = running[name] = Worker(name, one_core())
            try:
                versions[name] = one.call(version, framework=name)
            except Missing as reason:
                missing[name] = str(reason)
                running.pop(name).close()
        yield running, versions, missing
    finally:
        for one in running.values():
            one.close()


def one_core() -> int | None:
    """Number of the core that all workers share, one after the other. None where the system has no such choice."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return max(os.sched_getaffinity(0))
