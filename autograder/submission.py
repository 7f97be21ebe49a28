"""Finds the submission to grade: the folder beside the autograder, another folder, or a hand-in archive."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

MOST_BYTES = 64 << 20
MOST_FILES = 2000


class CannotGrade(Exception):
    """There is nothing to grade; the message says what was given and what to do."""


def find_submission(given: str | None, beside: Path, scratch: Path) -> Path:
    """The folder that holds mytorch/. An archive is unpacked into scratch."""
    path = Path(given).expanduser() if given else beside
    if not path.exists():
        raise CannotGrade(f"{given} does not exist. Give the folder that holds mytorch/, or a handin.tar.")
    if path.is_file():
        unpack(path, scratch)
        path = scratch
    path = path.resolve()
    if path.name == "mytorch" and (path / "nn").is_dir():
        path = path.parent
    inside = [folder for folder in sorted(path.iterdir()) if folder.is_dir()] if path.is_dir() else []
    if not (path / "mytorch").is_dir() and len(inside) == 1:
        path = inside[0]
    if not (path / "mytorch").is_dir():
        raise CannotGrade(
            f"{given or 'The folder above autograder/'} holds no mytorch/ folder. Give the folder or handin.tar that does."
        )
    return path


def unpack(archive: Path, into: Path) -> None:
    """Write an archive's plain files below a folder; anything else in it is refused."""
    total = 0
    try:
        with tarfile.open(archive) as tar:
            for number, member in enumerate(tar):
                name = PurePosixPath(member.name.replace("\\", "/"))
                parts = [part for part in name.parts if part != "."]
                total += member.size
                if name.is_absolute() or ".." in parts or any(":" in part for part in parts):
                    raise CannotGrade(
                        f"{archive.name} holds {member.name!r}, which lies outside of the folder. Pack it with create_tarball."
                    )
                if number >= MOST_FILES or total > MOST_BYTES:
                    raise CannotGrade(f"{archive.name} is too large for a hand-in. Pack it with create_tarball.")
                if not member.isfile() or not parts:
                    continue
                target = into.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                target.write_bytes(source.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CannotGrade(
            f"{archive.name} cannot be read as a tar archive ({error}). Pack it with create_tarball."
        ) from None
