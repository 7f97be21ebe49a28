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
        self.count = self.worked = 0
        self.started = time.monotonic()
        self.bar = stream.isatty()

    def done(self, student: str, result: str, kept: bool = False) -> None:
        """Count one finished submission. kept: it was graded before and cost no time."""
        self.count += 1
        self.worked += not kept
        if self.bar:
            self._draw(student)
        elif not kept:
            print(
                f"[{self.count:>{len(str(self.total))}}/{self.total}] {shown(student, 60)}: {result}", file=self.stream
            )
            self.stream.flush()

    def say(self, line: str) -> None:
        """Print a line that stays above the bar."""
        self._wipe()
        print(line, file=self.stream, flush=True)

    def close(self) -> None:
        self._wipe()

    def left(self) -> str:
        """Estimated time for the rest, from the submissions that this run has graded itself."""
        if not self.worked:
            return ""
        seconds = (time.monotonic() - self.started) / self.worked * (self.total - self.count)
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"

    def _draw(self, student: str) -> None:
        width = shutil.get_terminal_size().columns
        full = 24 * self.count // max(self.total, 1)
        line = f"{'#' * full}{'.' * (24 - full)} {self.count}/{self.total}  {self.left():<11} {shown(student, 60)}"
        self.stream.write("\r\x1b[K" + line[: width - 1])
        self.stream.flush()

    def _wipe(self) -> None:
        if self.bar:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
