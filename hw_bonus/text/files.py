"""Text files as they come: UTF-8 with or without BOM, any line ends; bad ones get one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

from hw_bonus.errors import BadInput


def read_text(path: Path) -> str:
    """The text of a file, its lines ended by "\\n" alone. Raises BadInput for a missing file and for one that is not UTF-8.

    Only these line ends count: a sentence may hold U+0085 or U+2028, where str.splitlines would break it.
    """
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read {path} ({reason}); give a text file") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput(f"{path} is not UTF-8 text (line {line}); save it as UTF-8") from error
    if "\0" in text:
        raise BadInput(f"{path} holds zero bytes, so it is no text in UTF-8; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
