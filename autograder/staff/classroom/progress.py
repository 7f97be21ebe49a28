"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from autograder.archives import shown


class Progress:
    """Progress display: done() for each of ``total``, say() for lines in between, close() at the end. For one thread."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self.total, self.stream = total, stream
        self.count = self.worked = self.halves = 0
        self.started = time.monotonic()
        self.bar = stream.isatty()

    def opened(self, student: str, result: str) -> None:
        """Count a submission whose open exercises are graded. result: empty if an earlier run has done that."""
        self.halves += 1
        self._show("first round ", self.halves, student, result)

    def done(self, student: str, result: str, kept: bool = False) -> None:
        """Count one finished submission. kept: it was graded before and cost no time."""
        self.count += 1
        self.worked += not kept
        self._show("", self.count, student, "" if kept else result)

    def _show(self, before: str, number: int, student: str, result: str) -> None:
        if self.bar:
            self._draw(student)
        elif result:
            place = f"[{before}{number:>{len(str(self.total))}}/{self.total}]"
            print(f"{place} {shown(student, 60)}: {result}", file=self.stream, flush=True)

    def say(self, line: str) -> None:
        """Print a line that stays above the bar."""
        self._wipe()
        print(line, file=self.stream, flush=True)

    def close(self) -> None:
        self._wipe()

    def left(self) -> str:
        """Estimated time for the rest, from the rounds of submissions that this run has done itself."""
        done = self.worked + self.halves
        if not done:
            return ""
        rounds = 2 if self.halves else 1
        left = rounds * (self.total - self.count) - max(self.halves - self.worked, 0)
        seconds = (time.monotonic() - self.started) / done * left
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"

    def _draw(self, student: str) -> None:
        width = shutil.get_terminal_size().columns
        full = 12 * (self.count + max(self.count, self.halves)) // max(self.total, 1)
        line = f"{'#' * full}{'.' * (24 - full)} {self.count}/{self.total}  {self.left():<11} {shown(student, 60)}"
        self.stream.write("\r\x1b[K" + line[: width - 1])
        self.stream.flush()

    def _wipe(self) -> None:
        if self.bar:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
