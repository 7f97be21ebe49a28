"""Stand-ins for the console: real text streams that keep what a submission prints, and have an answer to input()."""

from __future__ import annotations

import io


class Console(io.TextIOWrapper):
    """Text stream whose bytes are kept, up to a limit.

    It has all that ``sys.stdout`` has (reconfigure, buffer, encoding, fileno, detach), because programs use that: to switch
    a Windows console to UTF-8, for example.
    """

    def __init__(self, descriptor: int, kept: bytearray, limit: int = 16_000) -> None:
        super().__init__(_Kept(descriptor, kept, limit), "utf-8", errors="backslashreplace", write_through=True)


class _Kept(io.BufferedIOBase):
    """Bytes in memory. They are never closed: a program may wrap them and drop the wrapper."""

    name = "<console>"

    def __init__(self, descriptor: int, kept: bytearray, limit: int) -> None:
        self._descriptor, self._kept, self._limit = descriptor, kept, limit

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._kept += view[: max(self._limit - len(self._kept), 0)]
        return len(view)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def detach(self) -> _Kept:  # type: ignore[override]
        """The stream itself: there is none below it."""
        return self

    def close(self) -> None:
        """Do nothing, so that what shares these bytes can go on."""


class Keyboard(io.TextIOWrapper):
    """Standard input on which somebody presses Enter a thousand times: ``input()`` returns an empty text."""

    def __init__(self) -> None:
        super().__init__(_Enter(b"\n" * 1000), encoding="utf-8")


class _Enter(io.BytesIO):
    def fileno(self) -> int:
        return 0

    def writable(self) -> bool:
        return False
