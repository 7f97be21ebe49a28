"""Scenarios run in a separate process, with a time limit for each check. The students' runner needs no more."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from autograder.worker.wire import LIMIT, Malformed, pack, unpack

WORKER = Path(__file__).resolve().parent / "worker" / "run.py"
TIME_LIMIT = 5.0
START_LIMIT = 20.0
# Statuses that a submission's process may send. The other ones (time, died, malformed) are found out on this side.
STATUSES = ("ok", "todo", "error")


def run_scenarios(
    folder: Path,
    parts: Sequence[str],
    scenarios: Sequence[tuple[str, list[Any]]],
    limit: float = TIME_LIMIT,
    *,
    start_limit: float = START_LIMIT,
) -> Iterator[dict[str, Any]]:
    """Yield one frame for the import and one per scenario, until the process ends.

    A frame's ``status`` is ok, todo (NotImplementedError), error, time (too long), died or malformed (no plain frame).
    limit and start_limit are in seconds: for each scenario, and for the start of the process with the import.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-B", str(WORKER)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=folder,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    # A short queue: a process that sends too much has to wait instead of filling our memory.
    frames: queue.Queue[bytes | str] = queue.Queue(2)
    done = threading.Event()
    threading.Thread(target=_read, args=(process.stdout, frames, done), daemon=True).start()
    try:
        try:
            process.stdin.write(
                pack({"folder": str(folder), "parts": list(parts), "checks": [list(s) for s in scenarios]})
            )
            process.stdin.close()
        except OSError:
            pass
        for number in range(len(scenarios) + 1):
            seconds = start_limit if number == 0 else limit
            frame = _next(frames, seconds)
            if frame["status"] == "died":
                frame["text"] = _end_of(process)
            yield frame
            if frame["status"] not in STATUSES or (number == 0 and frame["status"] != "ok"):
                return
    finally:
        done.set()
        process.kill()
        process.wait()


def _next(frames: queue.Queue[bytes | str], seconds: float) -> dict[str, Any]:
    try:
        data = frames.get(timeout=seconds)
    except queue.Empty:
        return {"status": "time", "limit": seconds}
    if isinstance(data, str):
        return {"status": data}
    try:
        frame = unpack(data)
    except Malformed:
        return {"status": "malformed"}
    status = frame.get("status") if isinstance(frame, dict) else None
    return frame if isinstance(status, str) and status in STATUSES else {"status": "malformed"}


def _end_of(process: subprocess.Popen[bytes]) -> str:
    """The exit code or signal of an ended process in words; empty if it still runs."""
    try:
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return ""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _read(stream: BinaryIO, frames: queue.Queue[bytes | str], done: threading.Event) -> None:
    """Split the stream into frames, and put the reason of its end last. Runs in a thread, which works on every system."""
    end = "died"
    try:
        while len(header := stream.read(8)) == 8:
            size = int.from_bytes(header, "big")
            if size > LIMIT:
                end = "malformed"
                break
            data = stream.read(size)
            if len(data) != size:
                break
            _put(frames, data, done)
    except (OSError, ValueError):
        pass
    _put(frames, end, done)


def _put(frames: queue.Queue[bytes | str], item: bytes | str, done: threading.Event) -> None:
    while not done.is_set():
        try:
            return frames.put(item, timeout=0.1)
        except queue.Full:
            continue
