"""The reader of archives, given links, bombs, lies and damage. Every archive here is made of real bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import members
from autograder.archives import MOST_KEPT, CannotGrade, write
from autograder.members import MOST_BYTES, MOST_MEMBERS
from tests.autograder.archive_tools import ENGINE, GOOD, entry, header, pax, read, refused, tar, zipped
from tests.clocks import at_most

# Honest ones


@pytest.mark.parametrize(
    "pack",
    [
        tar,
        lambda f: tar(f, kind=tarfile.USTAR_FORMAT),
        lambda f: tar(f, kind=tarfile.GNU_FORMAT),
        lambda f: gzip.compress(tar(f)),
        lambda f: gzip.compress(tar(f)[:700]) + gzip.compress(tar(f)[700:]) + b"\0" * 100,
        lambda f: bz2.compress(tar(f)),
        lambda f: lzma.compress(tar(f)),
        zipped,
        lambda f: zipped(f, method=zipfile.ZIP_STORED),
        lambda f: zipped(f, mode=0),
    ],
)
def test_formats_are_told_by_content(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    big = {**GOOD, "mytorch/big.py": random.Random(1).randbytes(300_000)}
    contents = read(pack(big))
    assert contents.files == big
    assert contents.notes == []


# Members that are no plain file


@pytest.mark.parametrize(
    ("info", "word"),
    [
        (entry("mytorch/utils.py", tarfile.SYMTYPE, "/etc/passwd"), "symbolic link"),
        (entry("mytorch", tarfile.SYMTYPE, "/etc"), "symbolic link"),
        (entry("mytorch/utils.py", tarfile.LNKTYPE, "/etc/passwd"), "hard link"),
        (entry("mytorch/utils.py", tarfile.CHRTYPE, devmajor=1, devminor=5), "device"),
        (entry("mytorch/utils.py", tarfile.BLKTYPE, devmajor=8), "device"),
        (entry("mytorch/utils.py", tarfile.FIFOTYPE), "FIFO"),
        (entry("mytorch/utils.py", b"V"), "special file"),
    ],
)
def test_no_link_and_no_device_is_made(info: tarfile.TarInfo, word: str, tmp_path: Path) -> None:
    contents = read(tar(GOOD, info))
    assert contents.files == GOOD
    assert word in contents.notes[0]
    assert read(tar({}, info)[:512] + tar(GOOD)).files == GOOD
    write(contents.files, tmp_path)
    assert all(stat.S_ISREG(p.lstat().st_mode) or p.is_dir() for p in tmp_path.rglob("*"))


def test_a_link_that_claims_to_carry_data_hides_nothing() -> None:
    """Readers that pass over its "data" would see other members than those that don't."""
    info = entry("mytorch/link.py", tarfile.SYMTYPE, "x", size=1024)
    header = info.tobuf(tarfile.USTAR_FORMAT)
    assert read(header + tar(GOOD)).files == GOOD


def test_zip_links_by_their_mode() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, mode, data in (
            *((name, 0o100644, data) for name, data in GOOD.items()),
            ("mytorch/utils.py", 0o120777, b"/etc/passwd"),
            ("mytorch/pipe.py", 0o010644, b""),
        ):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, data)
    contents = read(made.getvalue())
    assert contents.files == GOOD
    assert "symbolic link" in str(contents.notes)
    assert "special file" in str(contents.notes)


def test_sparse_files() -> None:
    real_size = {483: b"\x80" + (1 << 50).to_bytes(11, "big")}
    old = (
        header("mytorch/holes.py", 512, b"S", {**real_size, 482: b"\1"}) + b"\0" * 504 + b"\1" + b"\0" * 7 + bytes(512)
    )
    for sparse in (
        old + b"d" * 512,
        pax(GNU__sparse__major="1", GNU__sparse__realsize=str(1 << 60)) + header("mytorch/holes.py", 512) + b"d" * 512,
        pax(SUN__holesdata="1 2 3") + header("mytorch/holes.py", 512) + b"d" * 512,
    ):
        contents = read(sparse + tar(GOOD))
        assert contents.files == GOOD
        assert "sparse file" in contents.notes[0]


@pytest.mark.parametrize("size", [1 << 40, (1 << 80), 600])
def test_a_size_that_is_not_there(size: int) -> None:
    assert "too early" in refused(header(ENGINE, size) + b"x" * 512)
    assert "too early" in refused(header("README", size) + b"x" * 512)
    assert "too early" in refused(pax(size=str(size % 10**17)) + header(ENGINE, 3) + b"x" * 512)


def test_what_gnu_keeps_where_posix_has_the_prefix_is_no_name() -> None:
    times = {345: b"14000000000\0" * 2}
    assert read(header("mytorch/gnu.py", 0, extra=times) + tar(GOOD)).files.keys() == {*GOOD, "mytorch/gnu.py"}


def test_a_negative_size() -> None:
    block = bytearray(header(ENGINE, 3))
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert "no sense" in refused(bytes(block) + b"x" * 1024)


def test_extended_headers_with_tricks() -> None:
    good = tar(GOOD)
    assert read(pax(path="mytorch/long.py") + header("short", 3) + b"abc".ljust(512, b"\0") + good).files == {
        **GOOD, "mytorch/long.py": b"abc",
    }  # fmt: skip
    assert "outside" in refused(pax(path="../x.py") + header("short", 0) + good)
    assert "name" in str(read(pax(path="mytorch/a\0b.py") + header("short", 0) + good).notes)
    # A name for one member is none for the next; a global one is for nobody.
    assert read(pax(path="mytorch/a.py") + header("b", 0) + good).files.keys() == {*GOOD, "mytorch/a.py"}
    everywhere = bytearray(pax(path="mytorch/everywhere.py"))
    everywhere[156:157] = b"g"
    everywhere[148:156] = b" " * 8
    everywhere[148:156] = b"%06o\0 " % sum(everywhere[:512])
    assert read(bytes(everywhere) + good).files == GOOD
    # Endless chains, huge ones, and ones that don't parse.
    assert "no sense" in refused(pax(path="x") * 5000 + good)
    assert "no sense" in refused(header("x", 1 << 30, b"x") + good)
    assert "no sense" in refused(header("x", 1 << 30, b"L") + good)
    for data in (
        b"99999999999999999999 a=b\n",
        b"3 a=b\n",
        b"\0" * 30,
        b"-5 a=b\n",
        b"0 a=b\n",
        b"5 path",
        "²5 a=b\n".encode(),
    ):
        assert read(header("x", len(data), b"x") + data.ljust(512, b"\0") + good).files == GOOD


# Too much


@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("where", ["mytorch/big.py", "README", "after the end"])
def test_compression_bombs(pack: Callable[[bytes], bytes], where: str) -> None:
    zeros = bytes(MOST_BYTES + (1 << 20))
    bomb = pack(tar(GOOD) + zeros if where == "after the end" else tar({where: zeros, **GOOD}))
    assert len(bomb) < 1 << 20
    del zeros
    with at_most(5):
        assert "too large" in refused(bomb)


@pytest.mark.slow
def test_a_bomb_in_a_zip_takes_no_memory() -> None:
    bomb = zipped({**GOOD, "mytorch/big.py": bytes(MOST_BYTES * 4)})
    tracemalloc.start()
    assert "too large" in refused(bomb)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2.5 * MOST_BYTES


def test_an_xz_that_wants_memory() -> None:
    data = bytearray(lzma.compress(tar(GOOD), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    # The size of the dictionary is one byte of the block's header, whose checksum follows.
    place = data.index(b"\x21\x01", 12) + 2
    data[place] = 36  # 1 GiB
    size = (data[12] + 1) * 4
    data[12 + size - 4 : 12 + size] = zlib.crc32(bytes(data[12 : 12 + size - 4])).to_bytes(4, "little")
    assert "compression is broken" in refused(bytes(data))


@pytest.mark.slow
def test_a_hundred_thousand_members() -> None:
    with at_most(5):
        one = header("mytorch/x.py", 0)
        assert f"more than {MOST_MEMBERS:,}" in refused(gzip.compress(one * 100_000, 1))
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for number in range(MOST_MEMBERS + 2):
                archive.writestr(f"{number}", b"")
        assert f"more than {MOST_MEMBERS:,}" in refused(made.getvalue())


def test_many_files_and_many_bytes_of_code() -> None:
    assert "Python files" in refused(tar({f"mytorch/f{n}.py": b"" for n in range(1001)}))
    assert "Python files" in refused(gzip.compress(tar({"mytorch/a.py": bytes(MOST_KEPT), "mytorch/b.py": b"x"})))
    # One name over and over is one file.
    made = b"".join(header("mytorch/a.py", 1 << 20) + bytes(1 << 20) for _ in range(12))
    assert len(read(made).files) == 1


def test_many_compressed_streams() -> None:
    with at_most(5):
        assert "streams" in refused(gzip.compress(b"") * 200_000)
        assert "streams" in refused(bz2.compress(b"") * 20_000)


# Broken ones


def test_cut_off_anywhere() -> None:
    """An archive that was cut off is refused, or nothing is missing from it."""
    for whole in (tar(GOOD), gzip.compress(tar(GOOD)), bz2.compress(tar(GOOD)), lzma.compress(tar(GOOD)), zipped(GOOD)):
        for length in range(0, len(whole), max(len(whole) // 150, 1)):
            try:
                contents = read(whole[:length])
            except CannotGrade:
                continue
            # Between two members of a plain tar nobody can tell.
            assert whole[257:262] == b"ustar"
            assert contents.files.items() <= GOOD.items()
            assert length % 512 == 0 or length > len(whole) - 10240


@pytest.mark.slow
def test_random_damage_never_breaks_the_reader() -> None:
    chance = random.Random(20)
    wholes = [tar(GOOD), gzip.compress(tar(GOOD)), zipped(GOOD), pax(path="mytorch/p.py", size="3") + tar(GOOD)]
    wholes += [
        bz2.compress(tar(GOOD)),
        lzma.compress(tar(GOOD)),
        tar(GOOD, entry("mytorch/" + "l" * 120, b"0"), kind=1),
    ]
    for number in range(4000):
        data = bytearray(wholes[number % len(wholes)])
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if number % 3 and data[257:262] == b"ustar":
            # Behind a right checksum there is more to break.
            data[148:156] = b" " * 8
            data[148:156] = b"%06o\0 " % sum(data[:512])
        try:
            contents = read(bytes(data))
        except CannotGrade as error:
            words = str(error)
        else:
            words = "".join(contents.notes)
            assert all(name.startswith(("mytorch/", "hw_bonus/")) for name in contents.files)
        assert words.isprintable()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"def f(): pass\n" * 100, "neither tar nor zip"),
        (gzip.compress(b"not a tar" * 100), "neither tar nor zip"),
        (gzip.compress(b""), "no files"),
        (bytes(10240), "no files"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7z archive"),
        (b"Rar!\x1a\x07" + bytes(600), "rar archive"),
        (tar({"README": b"x"}), "README"),
        (tar({"autograd_engine.py": b"x"}), "holds no mytorch/"),
        (tar({"mytorch/data.npz": b"x"}), "holds no mytorch/"),
        (zipped({}), "no files"),
        (b"PK\x03\x04", "too early"),
        (zipped({"handin.tar": tar(GOOD)}), "handin.tar"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_handin(data: bytes, words: str) -> None:
    assert words in refused(data)


def directory(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


def test_zips_that_lie() -> None:
    files = {ENGINE: b"x" * 1000}
    for place, words in ((16, "not what"), (24, "not what")):  # checksum, size
        data = bytearray(zipped(files))
        data[directory(data) + place] ^= 1
        assert words in refused(bytes(data))
    small = bytearray(zipped({ENGINE: bytes(1 << 20)}))
    struct.pack_into("<L", small, directory(small) + 24, 10)
    assert "not what" in refused(bytes(small))
    locked = bytearray(zipped(files))
    locked[directory(locked) + 8] |= 1
    assert "password" in refused(bytes(locked))
    moved = bytearray(zipped(files))
    struct.pack_into("<L", moved, directory(moved) + 42, 1 << 31)
    assert "broken" in refused(bytes(moved))
    assert "method 14" in refused(zipped(files, method=zipfile.ZIP_LZMA))
    # Something in front of a zip does no harm to readers of zips, but this is none by its beginning.
    assert "neither" in refused(b"#" * 600 + zipped(files))


def test_a_password_on_what_is_not_needed_does_no_harm() -> None:
    data = bytearray(zipped({"README": b"x", **GOOD}))
    data[directory(data) + 8] |= 1
    assert read(bytes(data)).files == GOOD


def test_limits_fit_together() -> None:
    assert members.CHUNK <= members.MOST_EXTENSIONS <= MOST_KEPT <= MOST_BYTES
