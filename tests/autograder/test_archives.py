"""Hand-ins as archives: what is read of honest and of hostile ones. Every archive here is made of real bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import members
from autograder.archives import MOST_KEPT, CannotGrade, Contents, file_bytes, from_bytes, from_folder, shown, write
from autograder.members import MOST_BYTES, MOST_MEMBERS
from autograder.submission import find_submission

ENGINE = "mytorch/autograd_engine.py"
GOOD = {
    ENGINE: b"x = 1\n",
    "mytorch/__init__.py": b"",
    "mytorch/nn/functional.py": b"y = 2\n",
    "hw_bonus/mlp.py": b"z\n",
}
Change = Callable[[tarfile.TarInfo], None]


def tar(files: dict[str, bytes], *special: tarfile.TarInfo, kind: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind, errors="surrogateescape") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in special:
            archive.addfile(info)
    return made.getvalue()


def entry(name: str, kind: bytes, link: str = "", **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    for key, value in more.items():
        setattr(info, key, value)
    return info


def zipped(files: dict[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr, info.compress_type = 3, mode << 16, method
            archive.writestr(info, data)
    return made.getvalue()


def read(data: bytes) -> Contents:
    return from_bytes(data, "handin.tar")


def refused(data: bytes) -> str:
    with pytest.raises(CannotGrade) as error:
        read(data)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


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


@pytest.mark.parametrize(
    "tool", [["tar", "cf"], ["tar", "czf"], ["tar", "--format=v7", "-cf"], ["tar", "--posix", "-cf"]]
)
def test_what_the_usual_tool_makes(tool: list[str], tmp_path: Path) -> None:
    write(GOOD, tmp_path / "me")
    subprocess.run([*tool, str(tmp_path / "h.tar"), "-C", str(tmp_path / "me"), "."], check=True)
    assert read((tmp_path / "h.tar").read_bytes()).files == GOOD


@pytest.mark.parametrize(
    "around",
    ["", "./", "handin/", "Alice homework/", "a/b/c/", "mytorch/", "été \n\x1b[31m/", "C homework\\", "x" * 150 + "/"],
)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_folders_around_it(around: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert read(pack({around + name: data for name, data in GOOD.items()})).files == GOOD


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    """Line ends of Windows and a byte order mark: Python reads them."""
    source = b"\xef\xbb\xbfdef f():\r\n    return 42\r\n"
    write(read(tar({**GOOD, ENGINE: source})).files, tmp_path)
    assert (tmp_path / ENGINE).read_bytes() == source
    done = subprocess.run(
        [sys.executable, "-c", "from mytorch.autograd_engine import f; print(f())"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "42\n", done.stderr


def test_only_the_code_is_kept() -> None:
    beside = [
        "numpy.py", "sitecustomize.py", "conftest.py", "autograder/plain.py", "Makefile", "mytorch.py", "mytorch/data.npz",
        "mytorch/nn/functional.cpython-311-x86_64.so", "mytorch/utils.pyc", "hw_bonus/weights.npy", "numpy/mytorch.py",
    ]  # fmt: skip
    contents = read(tar({**dict.fromkeys(beside, b"evil"), **GOOD}))
    assert contents.files == GOOD
    (note,) = contents.notes
    for part in ("numpy.py", "sitecustomize.py", "conftest.py", "and 6 more"):
        assert part in note


def test_what_tools_leave_is_passed_over_in_silence() -> None:
    junk = [
        "__MACOSX/mytorch/._utils.py", "mytorch/._utils.py", "mytorch/.DS_Store", "mytorch/__pycache__/utils.cpython-311.pyc",
        ".git/config", ".venv/lib/site-packages/mytorch/utils.py", "mytorch/.idea/mytorch/x.py",
    ]  # fmt: skip
    contents = read(zipped({**dict.fromkeys(junk, b"junk"), **GOOD}))
    assert (contents.files, contents.notes) == (GOOD, [])


def test_one_of_several() -> None:
    copies = {f"old/{name}": b"old" for name in GOOD}
    assert read(tar({**copies, **GOOD})).files == GOOD
    assert read(tar({**{f"mytorch/{n}": d for n, d in GOOD.items()}, "mytorch/setup.py": b""})).files == GOOD
    message = refused(tar({**copies, **{f"new/{name}": b"new" for name in GOOD}}))
    assert "new/mytorch/" in message
    assert "old/mytorch/" in message


def test_twice_the_same_name() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for data in (b"first", b"last!"):
            info = tarfile.TarInfo(ENGINE)
            info.size = 5
            archive.addfile(info, io.BytesIO(data))
    contents = read(made.getvalue())
    assert contents.files == {ENGINE: b"last!"}
    assert "twice" in contents.notes[0]


def test_names_that_differ_by_case() -> None:
    upper = {"mytorch/Autograd_Engine.py": b"upper", "mytorch/NN/functional.py": b"upper"}
    contents = read(tar({**upper, **GOOD}))
    assert contents.files == GOOD
    assert "mytorch/NN/functional.py" in str(contents.notes)
    assert "mytorch/Autograd_Engine.py" in str(contents.notes)


def test_what_no_file_system_could_hold() -> None:
    deep = "mytorch/" + "a/" * 2000 + "x.py"
    both = {"mytorch/both.py": b"file", "mytorch/Both.py/inside.py": b"folder"}
    contents = read(tar({deep: b"deep", **both, **GOOD}))
    assert contents.files == {**GOOD, "mytorch/both.py": b"file"}
    assert "its folder is a file" in str(contents.notes)
    assert "no part" in str(contents.notes)


# Members that are no plain file


@pytest.mark.parametrize(
    "name",
    [
        "../mytorch/x.py", "mytorch/../../x.py", "/etc/mytorch/x.py", "C:/mytorch/x.py", "..\\mytorch\\x.py",
        "\\mytorch\\x.py", "README/..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("pack", [tar, zipped])
def test_names_outside_of_the_folder(name: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert "outside" in refused(pack({**GOOD, name: b"evil"}))


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


def header(name: str, size: int, letter: bytes = b"0", extra: dict[int, bytes] | None = None) -> bytes:
    """A tar header that says what it is told to, with a right checksum."""
    info = tarfile.TarInfo(name)
    info.type = letter
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\x80" + size.to_bytes(11, "big") if size >= 8**11 or size < 0 else b"%011o\0" % size
    for place, data in (extra or {}).items():
        block[place : place + len(data)] = data
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(**records: str) -> bytes:
    data = b""
    for key, value in records.items():
        line = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(line) + len(str(len(line) + 3))
        data += f"{length}".encode() + line
    return header("pax", len(data), b"x") + data.ljust(-(-len(data) // 512) * 512, b"\0")


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


@pytest.mark.parametrize(
    "name",
    [
        "mytorch/a\nb.py", "mytorch/\x1b[31m.py", "mytorch/\u202egnp.py", "mytorch/<img>.py", "mytorch/=1+1.py",
        "mytorch/-x.py",
        "mytorch/" + "x" * 200 + ".py", "mytorch/b\udce9b\udcea.py", "mytorch/con.py", "mytorch/nul/x.py", "mytorch/x./y.py",
        "mytorch/a:b.py", "mytorch/\u2028.py",
    ],
)  # fmt: skip
def test_odd_names_are_left_out(name: str) -> None:
    contents = read(tar({name: b"x", **GOOD}, kind=tarfile.GNU_FORMAT))
    assert contents.files == GOOD
    assert "left out for its name" in contents.notes[0]
    assert contents.notes[0].isprintable()
    contents.notes[0].encode()


# Too much


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("where", ["mytorch/big.py", "README", "after the end"])
def test_compression_bombs(pack: Callable[[bytes], bytes], where: str) -> None:
    zeros = bytes(MOST_BYTES + (1 << 20))
    bomb = pack(tar(GOOD) + zeros if where == "after the end" else tar({where: zeros, **GOOD}))
    assert len(bomb) < 1 << 20
    del zeros
    started = time.perf_counter()
    assert "too large" in refused(bomb)
    assert time.perf_counter() - started < 5


def test_a_bomb_in_a_zip_takes_no_memory() -> None:
    bomb = zipped({**GOOD, "mytorch/big.py": bytes(MOST_BYTES * 4)})
    tracemalloc.start()
    assert "too large" in refused(bomb)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2.5 * MOST_BYTES


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
    started = time.perf_counter()
    assert "too large" in refused(bomb)
    assert time.perf_counter() - started < 2


def test_names_of_a_megabyte_cost_no_time() -> None:
    names = {f"{'mytorch/' * (1 << 16)}{n}.py": b"" for n in range(40)}
    started = time.perf_counter()
    contents = from_bytes(tar({**GOOD, **names}), "handin.tar")
    assert sorted(contents.files) == sorted(GOOD)
    assert time.perf_counter() - started < 2


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


def test_an_xz_that_wants_memory() -> None:
    data = bytearray(lzma.compress(tar(GOOD), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    # The size of the dictionary is one byte of the block's header, whose checksum follows.
    place = data.index(b"\x21\x01", 12) + 2
    data[place] = 36  # 1 GiB
    size = (data[12] + 1) * 4
    data[12 + size - 4 : 12 + size] = zlib.crc32(bytes(data[12 : 12 + size - 4])).to_bytes(4, "little")
    assert "compression is broken" in refused(bytes(data))


def test_a_hundred_thousand_members() -> None:
    started = time.perf_counter()
    one = header("mytorch/x.py", 0)
    assert f"more than {MOST_MEMBERS:,}" in refused(gzip.compress(one * 100_000, 1))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(MOST_MEMBERS + 2):
            archive.writestr(f"{number}", b"")
    assert f"more than {MOST_MEMBERS:,}" in refused(made.getvalue())
    assert time.perf_counter() - started < 5


def test_many_files_and_many_bytes_of_code() -> None:
    assert "Python files" in refused(tar({f"mytorch/f{n}.py": b"" for n in range(1001)}))
    assert "Python files" in refused(gzip.compress(tar({"mytorch/a.py": bytes(MOST_KEPT), "mytorch/b.py": b"x"})))
    # One name over and over is one file.
    made = b"".join(header("mytorch/a.py", 1 << 20) + bytes(1 << 20) for _ in range(12))
    assert len(read(made).files) == 1


def test_many_compressed_streams() -> None:
    started = time.perf_counter()
    assert "streams" in refused(gzip.compress(b"") * 200_000)
    assert "streams" in refused(bz2.compress(b"") * 20_000)
    assert time.perf_counter() - started < 5


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


# Folders and paths


def test_a_folder(tmp_path: Path) -> None:
    top = tmp_path / "handin.tar"
    write({f"wrapper/{name}": data for name, data in GOOD.items()}, top)
    (tmp_path / "secret.py").write_bytes(b"secret")
    (top / "wrapper/numpy.py").write_bytes(b"evil")
    (top / "wrapper/mytorch/link.py").symlink_to(tmp_path / "secret.py")
    (top / "wrapper/mytorch/way").symlink_to(tmp_path)
    (top / "wrapper/mytorch/round").symlink_to(top)
    os.mkfifo(top / "wrapper/mytorch/pipe.py")
    contents = from_folder(top)
    assert contents.files == GOOD
    assert "symbolic link: " in str(contents.notes)
    assert "FIFO: wrapper/mytorch/pipe.py" in str(contents.notes)


def test_a_deep_or_full_folder(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    write(GOOD, deep)
    # Deeper than a path can say.
    at = os.open(deep / "mytorch", os.O_RDONLY)
    for number in range(40):
        os.mkdir("x" * 200, dir_fd=at)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        if number == 2:
            os.close(os.open("low.py", os.O_CREAT, 0o600, dir_fd=at))
    os.close(at)
    assert from_folder(deep).files == GOOD
    (tmp_path / "full").mkdir()
    for number in range(MOST_MEMBERS + 1):
        (tmp_path / "full" / str(number)).touch()
    with pytest.raises(CannotGrade, match="more than"):
        from_folder(tmp_path / "full")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "real.tar").write_bytes(tar(GOOD))
    (tmp_path / "link.tar").symlink_to(tmp_path / "real.tar")
    (tmp_path / "folder.tar").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.tar"))
        for name in ("pipe.tar", "link.tar", "folder.tar", "socket.tar"):
            with pytest.raises(CannotGrade, match=name):
                file_bytes(tmp_path / name, follow=False)
    with pytest.raises(CannotGrade, match="device"):
        file_bytes(Path("/dev/zero"))
    assert read(file_bytes(tmp_path / "link.tar")).files == GOOD


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.tar", "wb") as file:
        file.truncate(1 << 40)
    started = time.perf_counter()
    with pytest.raises(CannotGrade, match="too large"):
        file_bytes(tmp_path / "huge.tar")
    assert time.perf_counter() - started < 5


def test_the_students_runner_reads_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "my handin.tar"
    path.write_bytes(gzip.compress(tar({**{f"w/{n}": d for n, d in GOOD.items()}, "w/numpy.py": b""})))
    notes: list[str] = []
    (tmp_path / "scratch").mkdir()
    folder = find_submission(str(path), tmp_path, tmp_path / "scratch", notes)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*.py")} == GOOD.keys()
    assert "w/numpy.py" in notes[0]
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(CannotGrade, match="FIFO"):
        find_submission(str(tmp_path / "pipe.tar"), tmp_path, tmp_path)


def test_untrusted_text_on_one_line() -> None:
    assert shown("a\x1b[31m\nb\r\x00\u202e\udc80") == "a\\x1b[31m\\nb\\r\\x00\\u202e\\udc80"
    assert len(shown("x" * 10_000_000)) == 80
    assert shown("Zoë 数学") == "Zoë 数学"


def test_limits_fit_together() -> None:
    assert members.CHUNK <= members.MOST_EXTENSION <= MOST_KEPT <= MOST_BYTES
