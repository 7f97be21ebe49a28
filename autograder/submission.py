"""The submission to grade: the folder beside the autograder, another folder, or a hand-in archive."""

from __future__ import annotations

from pathlib import Path

from autograder.archives import CannotGrade, file_bytes, from_bytes, write

__all__ = ["CannotGrade", "find_submission"]


def find_submission(given: str | None, beside: Path, scratch: Path, notes: list[str] | None = None) -> Path:
    """The folder that holds mytorch/. An archive is unpacked into scratch; notes collects what was left out of it.

    Raises CannotGrade if there is none, and OSError if the system refuses to read it."""
    path = Path(given).expanduser() if given else beside
    if not path.exists():
        raise CannotGrade(f"{given} does not exist. Give the folder that holds mytorch/, or a handin.tar.")
    if not path.is_dir():
        try:
            contents = from_bytes(file_bytes(path), path.name)
        except OSError as error:
            raise CannotGrade(f"{path.name} cannot be read ({error.strerror}). Give it read permission.") from None
        write(contents.files, scratch)
        if notes is not None:
            notes += contents.notes
        path = scratch
    path = path.resolve()
    if path.name == "mytorch" and (path / "nn").is_dir():
        path = path.parent
    inside = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    if not (path / "mytorch").is_dir() and len(inside) == 1:
        path = inside[0]
    if not (path / "mytorch").is_dir():
        raise CannotGrade(
            f"{given or 'The folder above autograder/'} holds no mytorch/ folder. Give the folder or handin.tar that does."
        )
    return path
