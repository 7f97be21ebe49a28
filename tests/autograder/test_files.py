"""Files are replaced as a whole: a reader sees the old one or the new one at any moment."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.files import as_json, replace_file


@pytest.mark.parametrize("durable", [True, False])
def test_a_replaced_file_is_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool) -> None:
    path = tmp_path / "file"
    replace_file(path, b"before", durable=durable)

    def fail(*arguments: Any) -> None:
        raise OSError(5, "Input/output error")

    for name in ("fsync", "replace") if durable else ("replace",):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            with pytest.raises(OSError, match="Input"):
                replace_file(path, b"after", durable=durable)
        assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"before")]


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    """Another name of the old file keeps the old content, and so does what a link at our own name points to."""
    path, other = tmp_path / "results.json", tmp_path / "other"
    path.write_bytes(b"old")
    os.link(path, other)
    (tmp_path / f".{os.getpid()}-{threading.get_ident()}.tmp").symlink_to(other)
    replace_file(path, b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")
    assert len(list(tmp_path.iterdir())) == 2


def test_json_is_ascii_and_has_no_nan() -> None:
    assert as_json({"é": "\ud800\x1b"}).isascii()
    assert json.loads(as_json({"é": "\ud800"})) == {"é": "\ud800"}
    with pytest.raises(ValueError):
        as_json(float("nan"))
