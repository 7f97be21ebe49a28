"""Reproducible archives: the same files give the same bytes, with one date, no owner and no modes of this machine."""

from __future__ import annotations

import calendar
import gzip
import io
import tarfile
import zipfile

Files = dict[str, bytes]

# The calendar of zip begins with 1980. A day later it has begun in every time zone.
DATE = (1980, 1, 2, 0, 0, 0)


def mode(name: str) -> int:
    """Programs may be executed."""
    return 0o755 if name.endswith(".sh") or name == "run_autograder" else 0o644


def tar_bytes(files: Files, top: str = "") -> bytes:
    """A tar archive of these files below a folder, the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{top}/{name}" if top else name)
            member.size, member.mode, member.mtime = len(data), mode(name), calendar.timegm(DATE)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def gzip_bytes(data: bytes) -> bytes:
    """The data compressed, without a time or a name."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write(data)
    return packed.getvalue()


def zip_bytes(files: Files, top: str = "") -> bytes:
    """A zip archive of these files below a folder, with Unix modes, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(f"{top}/{name}" if top else name, DATE)
            member.create_system, member.compress_type = 3, zipfile.ZIP_DEFLATED
            member.external_attr = (0o100000 | mode(name)) << 16
            archive.writestr(member, data)
    return packed.getvalue()
