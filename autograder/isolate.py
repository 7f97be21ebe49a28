"""Runs one exercise's scenarios in a process of its own, with a time limit for each check."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from autograder.plain import LIMIT, Malformed, pack, unpack

# All that the submission's process needs of the autograder: nothing in these files knows what is right.
RUNTIME = (
    "__init__.py",
    "plain.py",
    "scenarios.py",
    "scenarios_net.py",
    "scenarios_program.py",
    "student.py",
    "worker.py",
)
WORKER = Path(__file__).resolve().with_name("worker.py")
TIME_LIMIT = 5.0
START_LIMIT = 20.0


def run_scenarios(
    folder: Path, parts: Sequence[str], scenarios: Sequence[tuple[str, list[Any]]], limit: float = TIME_LIMIT
) -> Iterator[dict[str, Any]]:
    """Yield a frame for the import and one per scenario, as far as the process gets.

    A frame's ``status`` is ok, todo (NotImplementedError), error, time (too long), died or skipped.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-B", str(WORKER)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=folder,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    frames: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, frames), daemon=True).start()
    try:
        try:
            process.stdin.write(
                pack({"folder": str(folder), "parts": list(parts), "checks": [list(s) for s in scenarios]})
            )
            process.stdin.close()
        except OSError:
            pass
        deadline = time.monotonic() + START_LIMIT
        for number in range(len(scenarios) + 1):
            frame = _next(frames, deadline, number == 0, limit)
            yield frame
            if frame["status"] in ("time", "died") or (number == 0 and frame["status"] != "ok"):
                return
            deadline = time.monotonic() + limit
    finally:
        process.kill()
        process.wait()


def _next(frames: queue.Queue[bytes | None], deadline: float, is_import: bool, limit: float) -> dict[str, Any]:
    try:
        data = frames.get(timeout=max(deadline - time.monotonic(), 0))
    except queue.Empty:
        return {"status": "time", "limit": START_LIMIT if is_import else limit}
    if data is None:
        return {"status": "died"}
    try:
        frame = unpack(data)
    except Malformed:
        return {"status": "died"}
    return frame if isinstance(frame, dict) and isinstance(frame.get("status"), str) else {"status": "died"}


def _read(stream: BinaryIO, frames: queue.Queue[bytes | None]) -> None:
    """Cut the stream into frames; None at its end. Reads in a thread, which works on every system."""
    try:
        while len(header := stream.read(8)) == 8:
            size = int.from_bytes(header, "big")
            if size > LIMIT:
                break
            data = stream.read(size)
            if len(data) != size:
                break
            frames.put(data)
    except (OSError, ValueError):
        pass
    frames.put(None)
