"""Limits of archives: large contents in small files, and names that cannot be written."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest

from autograder.archives import from_bytes, from_folder, write
from autograder.members import MOST_MEMBERS
from tests.autograder.archive_tools import ENGINE, GOOD, refused, tar
from tests.clocks import at_most


def shared(names: list[str], raw: bytes, behind: int = 0) -> bytes:
    """A zip whose entries all unpack the same bytes; ``behind`` more follow the end of their compressed stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(raw) + packer.flush() + bytes(behind)
    crc = zlib.crc32(raw)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(body), len(raw), 1, 0) + b"x" + body
    table = b""
    for name in names:
        head = (b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(body), len(raw), len(name), 0, 0, 0, 0, 0, 0)
        table += struct.pack("<4s6H3L5H2L", *head) + name.encode()
    return local + table + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(names), len(names), len(table), len(local), 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "raw", "behind"),
    [
        ([ENGINE] * MOST_MEMBERS, bytes(8 << 20), 0),
        ([f"mytorch/x{n}.py" for n in range(900)], b"x", 4 << 20),
    ],
)
def test_entries_of_a_zip_that_share_their_bytes_cost_no_time(names: list[str], raw: bytes, behind: int) -> None:
    bomb = shared(names, raw, behind)
    assert len(from_bytes(shared(names[:2], b"x = 1\n"), "good.zip").files) in (1, 2)
    with at_most(2):
        assert "too large" in refused(bomb)


def test_names_of_a_megabyte_cost_no_time() -> None:
    names = {f"{'mytorch/' * (1 << 16)}{n}.py": b"" for n in range(40)}
    with at_most(2):
        contents = from_bytes(tar({**GOOD, **names}), "handin.tar")
        assert sorted(contents.files) == sorted(GOOD)


@pytest.mark.parametrize(
    "name",
    ["\u6f22" * 95 + ".py", "\U0001d400" * 60 + ".py", "/".join(["\u6f22" * 60] * 17) + ".py", "a/" * 17 + "b.py"],
    ids=["a name", "characters of four bytes", "a path", "many folders"],
)
def test_whatever_is_kept_can_be_written(name: str, tmp_path: Path) -> None:
    """File systems count bytes, and what they refuse would be an error of the grader instead of a hand-in's."""
    contents = from_bytes(tar({**GOOD, f"mytorch/{name}": b""}), "handin.tar")
    write(contents.files, tmp_path)
    assert set(GOOD) <= set(contents.files)
    assert bool(contents.notes) == (not name.startswith("a/"))


@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
def test_a_folder_deeper_than_a_path_can_be_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(GOOD, tmp_path)
    monkeypatch.chdir(tmp_path / "mytorch")
    for _ in range(18):
        os.mkdir("\U0001d400" * 60)
        os.chdir("\U0001d400" * 60)
    Path("x.py").touch()
    assert sorted(from_folder(tmp_path).files) == sorted(GOOD)
