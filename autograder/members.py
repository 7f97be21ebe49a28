"""Members of a tar or zip archive, read with limits on everything that a hostile archive can claim.

Python's tarfile and zipfile believe what headers say about sizes and read whole directories before a caller can stop them.
This reader yields one member after the other and never touches a file system.
"""

from __future__ import annotations

import bz2
import lzma
import re
import stat
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

MOST_BYTES = 64 << 20
MOST_MEMBERS = 10_000
BLOCK = 512
CHUNK = 1 << 16
MOST_STREAMS = 2000
# Bytes of all extended headers together. Honest ones have some hundred for each member.
MOST_EXTENSIONS = 512 << 10
XZ_MEMORY = 100 << 20

FILE, FOLDER = "file", "folder"
KINDS = {
    b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER, b"1": "hard link", b"2": "symbolic link", b"3": "device",
    b"4": "device", b"6": "FIFO", b"S": "sparse file",
}  # fmt: skip
OTHERS = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstandard"}


class Damaged(Exception):
    """The bytes are no archive or a broken one. The message completes a sentence about it."""


class TooLarge(Exception):
    """A limit is exceeded. The message completes a sentence about it."""


@dataclass(frozen=True)
class Member:
    """One member. kind: file, folder, or a few words for anything else. data() reads a file; call it before the next member.

    name: untrusted, with surrogates for bytes that are not UTF-8.
    """

    name: str
    kind: str
    data: Callable[[], bytes]


def members(data: bytes) -> Iterator[Member]:
    """The members of an archive, whose format is recognised by its content. Raises Damaged or TooLarge."""
    if not data:
        raise Damaged("it is empty")
    other = next((name for magic, name in OTHERS.items() if data.startswith(magic)), "")
    if other:
        raise Damaged(f"it is a {other} archive, and only tar and zip are read")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found = _zip(data)
    else:
        found = _tar(_Stream(_inflate(data)))
    for number, member in enumerate(found):
        if number >= MOST_MEMBERS:
            raise TooLarge(f"it holds more than {MOST_MEMBERS:,} files and folders")
        yield member


class _Stream:
    """Stream that reads exact numbers of bytes, at most MOST_BYTES in all."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._taken = 0

    def take(self, size: int) -> Iterator[memoryview]:
        """The next ``size`` bytes in pieces; fewer only at the end of the stream."""
        while size > 0:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._rest = memoryview(chunk)
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            self._taken += len(piece)
            if self._taken > MOST_BYTES:
                raise TooLarge(f"it unpacks to more than {MOST_BYTES >> 20} MiB")
            yield piece

    def read(self, size: int) -> bytes:
        return b"".join(self.take(size))

    def skip(self, size: int) -> int:
        return sum(len(piece) for piece in self.take(size))


def _inflate(data: bytes) -> Iterator[bytes]:
    """The unpacked bytes in pieces of bounded size. Bytes that are not compressed are passed on."""
    makers: dict[bytes, Callable[[], Any]] = {
        b"\x1f\x8b": lambda: zlib.decompressobj(31),
        b"BZh": bz2.BZ2Decompressor,
        b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY),
    }
    magic = next((m for m in makers if data.startswith(m)), b"")
    if not magic:
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]
        return
    position = 0
    for _ in range(MOST_STREAMS):
        if not data.startswith(magic, position):
            # After a compressed stream only padding can follow.
            return
        unpacker = makers[magic]()
        try:
            position = yield from _one_stream(unpacker, data, position)
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError) as error:
            raise Damaged(f"its compression is broken ({error})") from None
    raise TooLarge(f"it is made of more than {MOST_STREAMS:,} compressed streams")


def _one_stream(unpacker: Any, data: bytes, position: int) -> Generator[bytes, None, int]:
    """Unpack the compressed stream that begins at a position; returns the position after it."""
    pending = b""
    while not unpacker.eof:
        # zlib returns unused input; the other decompressors keep it and tell if they need more.
        needs = not pending if hasattr(unpacker, "unconsumed_tail") else unpacker.needs_input
        if needs:
            pending, position = data[position : position + CHUNK], position + CHUNK
        ended = needs and not pending
        piece = unpacker.decompress(pending, CHUNK)
        pending = getattr(unpacker, "unconsumed_tail", b"")
        if piece:
            yield piece
        elif ended and not unpacker.eof:
            raise Damaged("it ends too early: the upload may have been cut off")
    return min(position, len(data)) - len(unpacker.unused_data)


def _tar(stream: _Stream) -> Iterator[Member]:
    extended: dict[str, str] = {}
    extensions = spent = 0
    first = True
    while True:
        header = stream.read(BLOCK)
        if not header.strip(b"\0") and len(header) in (0, BLOCK):
            # Only the checksum of the compression may follow the end.
            stream.skip(MOST_BYTES + 1)
            return
        if len(header) < BLOCK or not _checksum(header):
            raise Damaged("it is neither tar nor zip" if first else "it is damaged, or the upload was cut off")
        first = False
        size, letter = _number(header[124:136]), header[156:157]
        if letter in (b"x", b"X", b"g", b"L", b"K"):
            extensions += 1
            if extensions > 8 or not 0 <= size <= MOST_EXTENSIONS:
                raise Damaged("its extended headers make no sense")
            # Reading them costs the more the shorter their records are, and the longest are names.
            spent += size
            if spent > MOST_EXTENSIONS:
                raise TooLarge(f"its extended headers take more than {MOST_EXTENSIONS >> 10} KiB")
            payload = _payload(stream, size)
            if letter in (b"x", b"X"):
                extended.update(_pax(payload))
            elif letter == b"L":
                extended["path"] = _text(payload.split(b"\0")[0])
            # Global headers and long link names are not needed.
            continue
        if re.fullmatch("[0-9]{1,18}", extended.get("size", "")):
            size = int(extended["size"])
        if size < 0:
            raise Damaged("a size in it makes no sense")
        name = extended.get("path") or _tar_name(header)
        kind = KINDS.get(letter, "special file")
        if letter == b"S":
            _pass_sparse_map(stream, header)
        elif any(key.startswith(("GNU.sparse", "SUN.holes")) for key in extended):
            kind = "sparse file"
        elif kind == FILE and name.endswith("/"):
            kind = FOLDER
        # Links, devices and folders have no data, whatever size their header claims.
        reader = _Once(stream, 0 if letter in (b"1", b"2", b"3", b"4", b"5", b"6") else size)
        extended, extensions = {}, 0
        yield Member(name, kind, reader.read)
        reader.finish()


def _pass_sparse_map(stream: _Stream, header: bytes) -> None:
    """Skip the extra map blocks that old GNU sparse files have before their data."""
    more = header[482]
    while more:
        block = stream.read(BLOCK)
        more = block[504] if len(block) == BLOCK else 0


class _Once:
    """Data of a tar member. It is read or skipped before the next member."""

    def __init__(self, stream: _Stream, size: int) -> None:
        self._stream, self._size, self._done = stream, size, False

    def read(self) -> bytes:
        self._done = True
        return _payload(self._stream, self._size)

    def finish(self) -> None:
        if not self._done:
            padded = -(-self._size // BLOCK) * BLOCK
            if self._stream.skip(padded) < self._size:
                raise Damaged("it ends too early: the upload may have been cut off")


def _payload(stream: _Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Damaged("it ends too early: the upload may have been cut off")
    stream.skip(-size % BLOCK)
    return data


def _checksum(header: bytes) -> bool:
    stored = _number(header[148:156])
    blanked = header[:148] + b" " * 8 + header[156:]
    # Some programs of old added up signed bytes.
    return stored == sum(blanked) or stored == sum(b - 256 if b > 127 else b for b in blanked)


def _number(field: bytes) -> int:
    """A number in a tar header, octal or base 256; -1 if it is malformed."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip()
    if not text:
        return 0
    return int(text, 8) if all(c in b"01234567" for c in text) else -1


def _tar_name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0]
    # Only POSIX headers have a prefix; GNU uses the bytes for something else.
    return _text(prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name)


def _pax(data: bytes) -> dict[str, str]:
    """Records ``<length> <key>=<value>\\n`` of an extended header, up to the first malformed one."""
    found = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 12)
        length = data[position:space] if space > 0 else b""
        if not length.isdigit() or not space < position + int(length) <= len(data):
            break
        key, equals, value = data[space + 1 : position + int(length) - 1].partition(b"=")
        if equals:
            found[_text(key)] = _text(value)
        position += int(length)
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _zip(data: bytes) -> Iterator[Member]:
    end = data.rfind(b"PK\x05\x06", max(len(data) - 65_557, 0))
    if end < 0 or len(data) < end + 22:
        raise Damaged("it ends too early: the upload may have been cut off")
    _, _, _, _, size, offset, _ = struct.unpack("<4H2LH", data[end + 4 : end + 22])
    position = end - size
    before = position - offset
    if position < 0 or before < 0:
        raise Damaged("its table of contents is broken")
    spent = 0

    def unpack(start: int, fields: tuple[int, ...]) -> bytes:
        # Entries may share their bytes, so a small zip file can ask for an unlimited amount of work.
        nonlocal spent
        spent += fields[7] + fields[8]
        if spent > MOST_BYTES:
            raise TooLarge(f"it unpacks to more than {MOST_BYTES >> 20} MiB")
        return _zip_data(data, start, fields)

    while position < end:
        if data[position : position + 4] != b"PK\x01\x02" or position + 46 > end:
            raise Damaged("its table of contents is broken")
        fields = struct.unpack("<6H3L5H2L", data[position + 4 : position + 46])
        names, extra, comment = fields[9:12]
        name = _text(data[position + 46 : position + 46 + names])
        yield Member(name, _zip_kind(name, fields[14] >> 16), partial(unpack, before + fields[15], fields))
        position += 46 + names + extra + comment


def _zip_kind(name: str, mode: int) -> str:
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "symbolic link" if stat.S_ISLNK(mode) else "special file"
    return FOLDER if name.endswith(("/", "\\")) or stat.S_ISDIR(mode) else FILE


def _zip_data(data: bytes, start: int, fields: tuple[int, ...]) -> bytes:
    flags, method, checksum, packed, size = fields[2], fields[3], fields[6], fields[7], fields[8]
    if flags & 0x41 or method == 99:
        raise Damaged("it is protected by a password")
    if data[start : start + 4] != b"PK\x03\x04" or start + 30 > len(data):
        raise Damaged("its table of contents is broken")
    start += 30 + sum(struct.unpack("<2H", data[start + 26 : start + 30]))
    raw = data[start : start + packed]
    if method == 8:
        try:
            raw = zlib.decompressobj(-15).decompress(raw, min(size, MOST_BYTES) + 1)
        except zlib.error as error:
            raise Damaged(f"its compression is broken ({error})") from None
    elif method != 0:
        raise Damaged(f"it is packed by method {method}, and only the usual one (deflate) is read")
    if len(raw) > MOST_BYTES:
        raise TooLarge(f"it unpacks to more than {MOST_BYTES >> 20} MiB")
    if len(raw) != size or zlib.crc32(raw) != checksum:
        raise Damaged("a file in it is not what its table of contents says")
    return raw
