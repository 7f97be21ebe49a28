"""Claims on user ids and temporary folders, which no other grader on this machine gets while they are held.

A claim is a lock on an open file (flock). It ends with the last process that has the file open, however that process ends.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder.worker.folders import remove

if sys.platform != "win32":
    import fcntl

# A range of uids that no system assigns (systemd, "Users, Groups, UIDs and GIDs on systemd systems").
FIRST_UID, UIDS = 60_600, 500
# Where the locks of uids lie: the first of these that can hold a folder of root's. It must be the same for all graders.
PLACES = ("/run", "/var/run", "/tmp")
LOCKS = "mytorch-graders"


def claim_uid() -> tuple[int, int]:
    """A uid that no other grader has claimed and no process has, and the descriptor that holds the claim.

    Needs root. Raises OSError if there is none.
    """
    folder = _lock_folder()
    for uid in range(FIRST_UID, FIRST_UID + UIDS):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / str(uid), flags, 0o600)
        if _lock(descriptor) and uid not in _running_uids():
            return uid, descriptor
        os.close(descriptor)
    raise OSError(f"all {UIDS} user ids for submissions are in use (locks in {folder})")


def claim_folder(prefix: str) -> tuple[Path, int]:
    """A new temporary folder and the descriptor that holds the claim; removes folders that killed graders left behind."""
    _remove_unclaimed(prefix)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        _lock(descriptor, wait=True)
        # Between these lines another grader may have taken the folder for one that was left behind.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(folder.stat(), os.fstat(descriptor)):
                return folder, descriptor
        os.close(descriptor)


def _remove_unclaimed(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if _lock(descriptor):
                    remove(folder)
            finally:
                os.close(descriptor)


def _lock(descriptor: int, wait: bool = False) -> bool:
    """Lock an open file; returns False if somebody else holds the lock or the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _lock_folder() -> Path:
    """The folder of the locks, which belongs to root, so that nobody else can put a link there or hold a lock."""
    for place in PLACES:
        folder = Path(place, LOCKS)
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == 0:
                return folder
    raise OSError(f"no folder for the locks of user ids can be made below {', '.join(PLACES)}")


def _running_uids() -> set[int]:
    """The real uids of all processes, where /proc lists them."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, ValueError, StopIteration):
            line = next(line for line in path.read_text(errors="replace").splitlines() if line.startswith("Uid:"))
            found.add(int(line.split()[1]))
    return found


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that is removed at the end, or, if this process is killed, by the next grader that needs one."""
    folder, descriptor = claim_folder("mytorch-scratch-")
    try:
        yield folder
    finally:
        remove(folder)
        os.close(descriptor)
