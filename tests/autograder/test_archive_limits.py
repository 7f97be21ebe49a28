"""Limits of archives: large contents in small files, and names that cannot be written."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path

import pytest

from autograder.archives import CannotGrade, from_bytes, from_folder, shown, write
from autograder.members import MOST_MEMBERS
from tests.autograder.archive_tools import ENGINE, GOOD, header, read, refused, tar, zipped
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
    names = {f"{'mytorch/' * (1 << 15)}{n}.py": b"" for n in range(40)}
    with at_most(2):
        contents = from_bytes(tar({**GOOD, **dict(list(names.items())[:1])}), "handin.tar")
        assert sorted(contents.files) == sorted(GOOD)
        assert "extended headers" in refused(tar({**GOOD, **names}))


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


def extension(letter: bytes, data: bytes) -> bytes:
    return header("x", len(data), letter) + data.ljust(-(-len(data) // 512) * 512, b"\0")


# Each is many times larger unpacked, and would cost seconds to minutes if every record of it were read.
EXTENSIONS = {
    "many short records": lambda: extension(b"x", b"4 a\n" * 100_000) * 20,
    "one record of many": lambda: (extension(b"x", b"5 a=\n" * 800) + header("x", 0)) * 2000,
    "other letters": lambda: extension(b"g", b"4 a\n" * 60_000) + extension(b"X", b"4 a\n" * 60_000) * 3,
    "long names": lambda: (extension(b"L", b"x" * 500_000) + header("x", 0)) * 20,
    "long links": lambda: (extension(b"K", b"x" * 500_000) + header("x", 0, b"2")) * 20,
    "sparse maps": lambda: header("x", 0, b"S", {482: b"\1"}) + (b"\0" * 504 + b"\1" + bytes(7)) * 130_000,
}


@pytest.mark.parametrize("what", EXTENSIONS)
def test_extended_headers_cost_no_time(what: str) -> None:
    bomb = gzip.compress(EXTENSIONS[what]() + tar(GOOD), 1)
    with at_most(2):
        refused(bomb)


def test_extended_headers_of_honest_archives_are_read() -> None:
    """A thousand members with times and attributes, as some systems write them."""
    record = b"mtime=1700000000.123456789\n"
    records = b"".join(b"%d %s" % (len(record) + 3, record) for _ in range(12))
    many = b"".join(extension(b"x", records) + header(f"mytorch/x{n}.txt", 0) for n in range(1000))
    assert read(many + tar(GOOD)).files == GOOD


def test_extras_and_comments_of_a_zip_cost_no_time() -> None:
    data = zipped(GOOD)
    table = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = bytearray(data[table : table + 46])
    names = int.from_bytes(entry[28:30], "little")
    entry[30:34] = b"\xff\xff\xff\xff"
    padded = bytes(entry) + data[table + 46 : table + 46 + names] + bytes(2 * 0xFFFF)
    made = data[:table] + padded * 480
    made += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 480, 480, len(padded) * 480, table, 0)
    assert len(made) > end
    with at_most(2):
        assert len(read(made).files) == 1


def test_an_archive_in_an_archive_is_not_opened() -> None:
    inner = gzip.compress(bytes(60 << 20))
    contents = read(tar({**GOOD, "mytorch/inner.tar.gz": inner, "mytorch/inner.zip": zipped(GOOD)}))
    assert contents.files == GOOD
    assert "inner.zip" in contents.notes[0]


# The text that runs is the one that is read and compared.
HIDDEN = b"# \\u000aimport os  # this comment runs\n"


@pytest.mark.parametrize(
    "name",
    ["unicode_escape", "raw_unicode_escape", "utf_7", "utf-7", "rot13", "hex", "punycode", "idna", "UTF-16", "hz"],
)
def test_a_source_in_a_strange_encoding_is_left_out(name: str) -> None:
    files = {**GOOD, "mytorch/utils.py": b"# coding: %s\n%s" % (name.encode(), HIDDEN)}
    contents = read(tar(files))
    assert contents.files.keys() == GOOD.keys() or (
        # What Python does not take for a source at all stays, and its import fails.
        name in ("rot13", "hex") and contents.files["mytorch/utils.py"] == files["mytorch/utils.py"]
    )
    assert name.lower() in contents.notes[0].lower() or name in ("rot13", "hex")


@pytest.mark.parametrize("name", ["latin-1", "iso-8859-15", "cp1252", "gb18030", "shift_jis", "euc-kr", "koi8-r"])
def test_a_source_in_an_old_encoding_runs_as_it_reads(name: str) -> None:
    letter = {"latin-1": "é", "cp1252": "é", "iso-8859-15": "é", "koi8-r": "я", "euc-kr": "한"}.get(name, "漢")
    source = f"#!/usr/bin/env python\n# -*- coding: {name} -*-\nx = '{letter}'\n"
    contents = read(tar({**GOOD, "mytorch/utils.py": source.encode(name)}))
    found = contents.files["mytorch/utils.py"]
    assert found.decode() == source.replace(name, "utf-8")
    scope: dict[str, str] = {}
    exec(compile(found, "utils.py", "exec"), scope)
    assert scope["x"] == letter
    assert "UTF-8" in contents.notes[0]


@pytest.mark.parametrize(
    "source", [b"\xef\xbb\xbfx = 1\r\n", b"# coding: utf-8\nx\n", b"x = '\xff'\n", b"# coding: none\n"]
)
def test_other_sources_stay_as_they_are(source: bytes) -> None:
    contents = read(tar({**GOOD, "mytorch/utils.py": source}))
    assert contents.files["mytorch/utils.py"] == source
    assert contents.notes == []


def test_no_line_hides_behind_a_bare_carriage_return() -> None:
    contents = read(tar({**GOOD, "mytorch/utils.py": b"x = 1  # a comment\rimport os\r\n"}))
    assert contents.files["mytorch/utils.py"] == b"x = 1  # a comment\nimport os\r\n"
    assert "carriage" in contents.notes[0]


def test_characters_that_reorder_text_are_told() -> None:
    contents = read(tar({**GOOD, "mytorch/utils.py": "x = 1  # \u202e\u2066 ;)\n".encode()}))
    assert "invisible characters" in contents.notes[0]


def test_nobody_plants_the_graders_own_word() -> None:
    for text in ("GRADER_ERROR", "grader_error", "GRADER__ERROR", "a GRADER_ERROR_1"):
        assert "GRADER_ERROR" not in shown(text).upper()
    assert shown("GRADERXERROR x_y") == "GRADERXERROR x_y"


@pytest.mark.skipif(
    not hasattr(os, "fork") or os.getuid() != 0, reason="modes bind everybody but root, who can be another"
)
@pytest.mark.parametrize("closed", ["", "mytorch", "mytorch/nn", "mytorch/utils.py"])
def test_a_mode_that_forbids_reading_is_the_hand_ins_own(tmp_path: Path, closed: str) -> None:
    """Of a folder that belongs to the grader's user; what belongs to another is an error of this machine's setup."""
    folder = tmp_path / "alice"
    write({**GOOD, "mytorch/utils.py": b"x\n"}, folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, -1)
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o011)
    (folder / closed).chmod(0)
    assert _as_nobody(lambda: from_folder(folder)) == ("" if closed.count("/") else "CannotGrade")
    os.chown(folder / closed, 0, -1)
    assert _as_nobody(lambda: from_folder(folder)) == "PermissionError"


def _as_nobody(action: object) -> str:
    """The name of the exception that an action raises for another user; empty if there is none."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            action()  # type: ignore[operator]
        except (OSError, CannotGrade) as error:
            os.write(theirs, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as stream:
        name = stream.read()
    os.waitpid(pid, 0)
    return name
