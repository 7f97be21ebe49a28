"""Files that are replaced as a whole, so that a reader never sees half of one. Needs the standard library alone."""

from __future__ import annotations

import json
import os
import threading
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
    """JSON in plain ASCII, with escapes for all other characters. Raises ValueError for NaN and infinity."""
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
