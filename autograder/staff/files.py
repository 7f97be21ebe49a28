"""Files that others may read while we write them: each is replaced as a whole. Needs the standard library alone."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that, whatever happens, there is the old one or the new one, whole. Raises OSError.

    durable=False: after a loss of power it may be empty; for what is made anew by every run.
    """
    beside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    beside.unlink(missing_ok=True)
    try:
        # A file that somebody put there, or a link, is never written through.
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def as_json(data: Any) -> bytes:
    """Plain ASCII: halves of characters and control characters stand in it as escapes. Raises ValueError for NaN."""
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
