"""Files that are replaced as a whole, so that a reader never sees half of one. Needs the standard library alone."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all. Raises OSError; the previous file is as it was then.

    durable: False for a file that every run makes anew. After a loss of power it may be empty.
    (The checkpoints of hw_bonus have a function of their own: this one runs where hw_bonus does not exist.)
    """
    beside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    beside.unlink(missing_ok=True)
    try:
        # "x" refuses a file or a link that somebody has put there.
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def as_json(data: Any) -> bytes:
    """JSON in plain ASCII, with escapes for all other characters. Raises ValueError for NaN and infinity.

    Each entry of a dict begins a line, and so does each item of its list. (json indents ten times slower than it writes.)
    """
    return "".join(_pieces(data) if isinstance(data, dict) else [_compact(data), "\n"]).encode()


def _pieces(data: dict[str, Any]) -> Iterator[str]:
    yield "{"
    for number, (key, value) in enumerate(data.items()):
        yield f"{',' if number else ''}\n {_compact(key)}: "
        if isinstance(value, (list, tuple)) and value:
            for place, item in enumerate(value):
                yield ",\n  " if place else "[\n  "
                yield _compact(item)
            yield "\n ]"
        else:
            yield _compact(value)
    yield "\n}\n"


_compact = partial(json.dumps, allow_nan=False)
