"""Linux system calls that the standard library does not offer, through ctypes.

Sources: prctl(2), unshare(2), capabilities(7), landlock(7), seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
from collections.abc import Iterable

NEW_NAMESPACE = {
    "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000, "mnt": 0x00020000,
}  # fmt: skip

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
# mount(2), mount_setattr(2): flags, and struct mount_attr {attr_set, attr_clr, propagation, userns_fd}.
MS_READ_ONLY, MS_NO_SUID, MS_NO_DEV, MS_NO_EXEC, MS_RECURSIVE, MS_PRIVATE = 1, 2, 4, 8, 1 << 14, 1 << 18
MS_NO_ACCESS_TIMES = 1 << 10
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, NO_ACCESS_TIMES, ACCESS_TIMES = 442, -100, 0x8000, 0x10, 0x70
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
CAPABILITY_VERSION = 0x20080522

# Access rights of landlock(7), by the ABI version that introduced them.
READ_FILE, READ_DIR, EXECUTE, WRITE_FILE = 1 << 2, 1 << 3, 1 << 0, 1 << 1
FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE

_libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """struct sock_filter: one instruction of the classic Berkeley packet filter."""

    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]


class Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """prctl(2). Raises OSError."""
    values = [ctypes.c_ulong(n) for n in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(ctypes.c_int(option), *values), f"prctl {option}")


def syscall(number: int, *arguments: object) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def unshare(*names: str) -> None:
    """Move this process into new namespaces (pid: its children). Raises OSError."""
    flags = 0
    for name in names:
        flags |= NEW_NAMESPACE[name]
    _checked(_libc.unshare(ctypes.c_int(flags)), f"unshare {' '.join(names)}")


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
    """mount(2). Raises OSError."""
    _checked(_libc.mount(source, target, kind, ctypes.c_ulong(flags), data), f"mount {os.fsdecode(target)}")


def own_mounts() -> None:
    """Move this process into a mount namespace of its own. What is mounted there is seen nowhere else. Raises OSError."""
    unshare("mnt")
    mount(b"none", b"/", None, MS_RECURSIVE | MS_PRIVATE)


def stop_access_times() -> None:
    """In this mount namespace, reading a file no longer writes down when it was read. Raises OSError."""
    attributes = (ctypes.c_uint64 * 4)(NO_ACCESS_TIMES, ACCESS_TIMES, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    syscall(MOUNT_SETATTR, AT_FDCWD, b"/", ctypes.c_uint(AT_RECURSIVE), ctypes.byref(attributes), size)


def own_proc() -> None:
    """Mount a /proc that shows this process's PID namespace, and nothing of the machine (Linux 5.8). Raises OSError."""
    own_mounts()
    flags = MS_READ_ONLY | MS_NO_SUID | MS_NO_DEV | MS_NO_EXEC
    for times in (MS_NO_ACCESS_TIMES, 0):
        # In a user namespace, the times of access have to be noted as they are in the /proc that is there.
        for data in (b"subset=pid", None):
            try:
                return mount(b"proc", b"/proc", b"proc", flags | times, data)
            except OSError as error:
                reason = error
    raise reason


def hide_memory() -> None:
    """Clear the dumpable flag: other processes of this user cannot read this one through /proc or ptrace."""
    prctl(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become a child subreaper: orphaned descendants become children of this process, which can then end them."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def no_new_privileges() -> None:
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def bound_capabilities() -> None:
    """Empty the bounding set: a file that this process or a later child executes gives no capability back."""
    for number in range(64):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:
            break


def drop_capabilities() -> None:
    """Drop all capabilities."""
    prctl(PR_CAP_AMBIENT, 4)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def landlock_version() -> int:
    """The kernel's Landlock ABI version. Raises OSError if the kernel has no Landlock."""
    return syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def landlock_ruleset(readable: Iterable[str], devices: Iterable[str] = ()) -> int:
    """A ruleset's descriptor: read below ``readable``, read and write ``devices``, nothing else in the file system.

    Newer kernels also refuse TCP, and signals and abstract sockets to processes outside.
    """
    version = landlock_version()
    handled = sum(rights for since, rights in FILE_RIGHTS.items() if since <= version)
    fields = [handled, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0]
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = (ctypes.c_uint64 * 3)(*fields)
    rules = syscall(LANDLOCK_CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path in readable:
        _allow(rules, path, READ_FILE | READ_DIR | EXECUTE)
    for path in devices:
        _allow(rules, path, READ_FILE | WRITE_FILE)
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ON_FILES
        beneath = Beneath(rights, place)
        syscall(LANDLOCK_ADD, ctypes.c_int(rules), ctypes.c_int(1), ctypes.byref(beneath), ctypes.c_uint32(0))
    finally:
        os.close(place)


def landlock_restrict(rules: int) -> None:
    """Restrict this process to a ruleset permanently. Call no_new_privileges first."""
    syscall(LANDLOCK_RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0))


def filter_program(instructions: list[tuple[int, int, int, int]]) -> Program:
    """The instructions of a seccomp filter, as the kernel takes them."""
    return Program(len(instructions), (Filter * len(instructions))(*[Filter(*one) for one in instructions]))


def install_filter(program: Program) -> None:
    """Install a seccomp filter permanently. Call no_new_privileges first."""
    _checked(
        _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(program), ctypes.c_ulong(0), ctypes.c_ulong(0)),
        "seccomp",
    )
