"""Builds archives for the tests, honest and hostile ones, out of real bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from autograder.archives import CannotGrade, Contents, from_bytes

ENGINE = "mytorch/autograd_engine.py"
GOOD = {
    ENGINE: b"x = 1\n",
    "mytorch/__init__.py": b"",
    "mytorch/nn/functional.py": b"y = 2\n",
    "hw_bonus/mlp.py": b"z\n",
}


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


def zipped(files: dict[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr, info.compress_type = 3, mode << 16, method
            archive.writestr(info, data)
    return made.getvalue()


def entry(name: str, kind: bytes, link: str = "", **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    for key, value in more.items():
        setattr(info, key, value)
    return info


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


def read(data: bytes) -> Contents:
    return from_bytes(data, "handin.tar")


def refused(data: bytes) -> str:
    with pytest.raises(CannotGrade) as error:
        read(data)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 400
    return message
