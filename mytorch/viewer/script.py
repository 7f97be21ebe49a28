"""Run a program as it stands, and watch every engine that it makes, until the backward pass that the page shows."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mytorch.autograd_engine import Autograd
from mytorch.viewer.recording import Recording
from mytorch.viewer.watching import walk_on_copies, watch


class Run:
    """A program's run. ``walks`` counts its backward passes; ``recording`` is that of the one that was asked for.

    number: of the backward pass, from 1 on. Where the program makes fewer, its last list with operations takes its place.
    """

    def __init__(self, number: int = 1) -> None:
        self.number, self.walks = number, 0
        self.recording: Recording | None = None
        self.error: BaseException | None = None
        self._watches: list[watch] = []

    def program(self, script: Path, arguments: list[str]) -> None:
        """Run a script as ``python script arguments`` does. What it raises is kept in ``error``."""
        before = sys.argv, sys.path[0]
        sys.argv, sys.path[0] = [str(script), *arguments], str(script.resolve().parent)
        try:
            with self._every_engine_watched():
                runpy.run_path(str(script), run_name="__main__")
        except (
            BaseException
        ) as error:  # also SystemExit and KeyboardInterrupt: the list is there, however the program ends
            self.error = error
        finally:
            sys.argv, sys.path[0] = before
        if self.recording is None:
            self.recording = self._last_list()

    @contextmanager
    def _every_engine_watched(self) -> Iterator[None]:
        """Inside, each new engine is watched from its beginning."""
        plain = Autograd.__init__

        def init(engine: Any, *args: Any, **kwargs: Any) -> None:
            plain(engine, *args, **kwargs)
            if self.recording is None:
                self._watches.append(watch(engine, self._walked))

        Autograd.__init__ = init  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Autograd.__init__ = plain  # type: ignore[method-assign]
            self._end_watching()

    def _walked(self, recording: Recording) -> None:
        self.walks += 1
        if self.walks == self.number:
            self.recording = recording
            self._end_watching()

    def _end_watching(self) -> None:
        for watching in self._watches:
            watching.end()

    def _last_list(self) -> Recording | None:
        """The last list that was recorded on any engine, with a backward pass on copies where the program has made none."""
        engines = [watching.engine for watching in self._watches if watching.engine.viewer_recording is not None]
        for engine in reversed(engines):
            recording = engine.viewer_recording
            if recording.walk is None and len(engine.operation_list) == len(recording.records):
                walk_on_copies(engine, recording)
            return recording
        return None
