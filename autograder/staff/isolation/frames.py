"""Frames from a submission's process, read with deadlines and limits of size. None of the content is trusted."""

from __future__ import annotations

import os
import select
import time
from typing import Any

from autograder.isolate import STATUSES
from autograder.worker.wire import Malformed, unpack


class Reader:
    """Reader of frames from a submission's process, with deadlines and limits of size."""

    def __init__(self, descriptor: int, most_in_frame: int, most: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._most_in_frame, self._most = most_in_frame, most
        self._data = bytearray()
        self._total = 0
        self._ended = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def take(self, size: int, deadline: float) -> bytes | None:
        """The next ``size`` bytes: fewer if the process has ended, None if the deadline has passed."""
        while len(self._data) < size and not self._ended:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                return None
            self._fill()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _fill(self) -> None:
        try:
            part = os.read(self._descriptor, 1 << 18)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self._ended = not part
        self._total += len(part)
        self._data += part

    def frame(self, deadline: float, limit: float) -> dict[str, Any]:
        """The next frame, or a frame that says what went wrong: status time, died or malformed."""
        late = {"status": "time", "limit": limit}
        header = self.take(8, deadline)
        if header is None:
            return late
        if not header:
            return {"status": "died"}
        size = int.from_bytes(header, "big")
        if size > self._most_in_frame or self._total > self._most:
            return {"status": "malformed", "text": "a result that is too large"}
        data = self.take(size, deadline)
        if data is None:
            return late
        if len(data) < size or len(header) < 8:
            return {"status": "died"}
        try:
            frame = unpack(data)
        except Malformed as error:
            return {"status": "malformed", "text": str(error)}
        # Comparing an array gives an array and not a bool, so its type is checked first.
        status = frame.get("status") if isinstance(frame, dict) else None
        if not isinstance(status, str) or status not in STATUSES:
            return {"status": "malformed", "text": "no result of a check"}
        return frame


def read_frames(reader: Reader, token: str, count: int, start: float, limit: float) -> list[dict[str, Any]]:
    """The frame of the import and those of ``count`` checks, until the process ends.

    start, limit: seconds for the import and for each check. If frames are missing, the last one says why.
    """
    frames: list[dict[str, Any]] = []
    wait = start
    for number in range(-1, count):
        frame = reader.frame(time.monotonic() + wait, wait)
        if frame["status"] in STATUSES and not _belongs(frame, token, number):
            frame = {"status": "malformed", "text": "a result that belongs to another check"}
        frames.append(frame)
        if frame["status"] not in STATUSES or (number < 0 and frame["status"] != "ok"):
            return frames
        wait = limit
    if reader.take(1, time.monotonic() + 0.5):
        # A submission that sends extra frames may have forged the others as well.
        frames[1:] = [{"status": "malformed", "text": "more results than there are checks"}] * (len(frames) - 1)
    return frames


def _belongs(frame: dict[str, Any], token: str, number: int) -> bool:
    """True for a frame of this job and this check (-1: the import). Any of its values may be an array."""
    found, check = frame.get("token"), frame.get("check")
    if not isinstance(found, str) or found != token:
        return False
    return "check" not in frame if number < 0 else type(check) is int and check == number
