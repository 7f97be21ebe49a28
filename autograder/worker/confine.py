"""Confinement of a process before it runs a submission, as far as this machine allows."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if sys.platform == "linux":
    from autograder.worker import linux, syscalls

DESCRIPTORS = 64
# Parts of the standard library's folder that computing does not need.
NOT_NEEDED = re.compile("site-packages|dist-packages|test|idlelib|tkinter|turtledemo|lib2to3|ensurepip|config-.*")


@dataclass
class Plan:
    """Measures for every process of a sandbox, set up once. A measure that this machine lacks is None or False."""

    uid: int | None = None
    capabilities: bool = False
    pid_namespace: bool = False
    rules: int | None = None
    filter: linux.Program | None = None
    memory: int = 0


def attempt(action: Callable[[], object]) -> bool:
    """Run an action; returns False if the system refuses it (OSError)."""
    try:
        action()
    except OSError:
        return False
    return True


def make_plan(readable: list[str], uid: int, memory: int, without: list[str]) -> Plan:
    """Set up the measures that all later processes share.

    readable: places that stay readable. uid: the user to become, if this is root. memory: limit in bytes. without: measures
    to leave out (namespaces, uid, landlock, seccomp), which tests use to try weaker levels."""
    plan = Plan(memory=memory)
    if sys.platform != "linux":
        if os.getuid() == 0 and "uid" not in without and _usable_as(uid, readable):
            plan.uid = uid
        return plan
    linux.adopt_orphans()
    linux.hide_memory()
    if os.getuid() == 0 and "uid" not in without and _usable_as(uid, readable):
        plan.uid = uid
    # Times of access would tell other submissions which files this one has read. Only root can switch them off.
    if "namespaces" not in without and attempt(linux.own_mounts):
        attempt(linux.stop_access_times)
    # In a user namespace, root loses its rights over the machine, and other users gain the right to make namespaces.
    own_user = "namespaces" not in without and plan.uid is None and attempt(lambda: linux.unshare("user"))
    if "namespaces" not in without:
        attempt(lambda: linux.unshare("net"))
        attempt(lambda: linux.unshare("ipc", "uts"))
        plan.pid_namespace = _in_a_child(lambda: linux.unshare("pid"))
    plan.capabilities = plan.uid is None and (own_user or os.getuid() == 0)
    if plan.capabilities:
        linux.bound_capabilities()
    if "landlock" not in without and attempt(linux.landlock_version):
        plan.rules = linux.landlock_ruleset(readable, ["/dev/null"])
    if "seccomp" not in without:
        # Without Landlock the filter refuses to open files for writing: RLIMIT_FSIZE stops neither emptying nor creating one.
        plan.filter = _filter(reading_only=plan.rules is None)
    return plan


def _filter(reading_only: bool) -> linux.Program | None:
    """The filter of system calls; None where this processor has none or the kernel refuses it."""
    try:
        program = linux.filter_program(syscalls.program(reading_only=reading_only))
    except OSError:
        return None

    def install() -> None:
        linux.no_new_privileges()
        linux.install_filter(program)

    return program if _in_a_child(install) else None


def _in_a_child(action: Callable[[], object]) -> bool:
    """Try an action that cannot be undone in a child process; returns True if it works."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _usable_as(uid: int, readable: list[str]) -> bool:
    """True if this user can read the files that Python needs."""

    def look() -> None:
        become(uid)
        for path in readable:
            # Shared libraries are loaded already, or belong to modules that few submissions import.
            if ".so" in os.path.basename(path):
                continue
            if os.path.exists(path) or not path.startswith(("/lib", "/usr", "/etc", "/dev")):
                os.listdir(path) if os.path.isdir(path) else os.close(os.open(path, os.O_RDONLY))

    return _in_a_child(look)


def become(uid: int) -> None:
    """Drop to the uid permanently; clear supplementary groups."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def confine(plan: Plan, seconds: float) -> None:
    """Apply the measures of a plan, in the only order that works. Raises OSError if one fails.

    seconds: limit of processor time."""
    _limit(plan.memory, seconds)
    if plan.uid is not None:
        become(plan.uid)
    if sys.platform != "linux":
        return
    linux.hide_memory()
    linux.die_with_parent()
    if plan.capabilities:
        linux.drop_capabilities()
    linux.no_new_privileges()
    if plan.rules is not None:
        linux.landlock_restrict(plan.rules)
        os.close(plan.rules)
    if plan.filter is not None:
        linux.install_filter(plan.filter)


def _limit(memory: int, seconds: float) -> None:
    """Resource limits: processor time, memory, no new processes, no bytes written to files."""
    wanted = {
        "RLIMIT_CPU": int(seconds) + 1,
        "RLIMIT_AS": memory,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": DESCRIPTORS,
        "RLIMIT_NPROC": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            # macOS refuses some limits.
            if sys.platform == "linux":
                raise


def readable_places(given: list[str]) -> list[str]:
    """Files that Python needs while it runs: ``given``, the standard library, and the shared libraries behind both.

    Packages that are installed beside NumPy are not among them. Few files are readable, because which of them lie in the
    page cache can be told from the time that reading takes.
    """
    places = [*given]
    library = Path(sysconfig.get_paths()["stdlib"])
    if library.is_dir():
        places += [str(entry) for entry in library.iterdir() if not NOT_NEEDED.fullmatch(entry.name)]
    places += shared_libraries(library) or ["/lib", "/lib64", "/usr/lib", "/usr/lib64"]
    places += [str(path) for path in Path("/usr/lib/locale").glob("C.*")]
    places += ["/etc/ld.so.cache", "/dev/urandom", "/dev/zero"]
    return [place for place in places if os.path.exists(place)]


def shared_libraries(library: Path) -> list[str]:
    """Shared libraries that this process and the standard library's extension modules load; empty where /proc is missing.

    A child process loads them all, so that nothing of it stays here.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for path in sorted((library / "lib-dynload").glob("*.so")):
                # A module of a program that is not installed completely.
                attempt(lambda path=path: ctypes.CDLL(str(path)))  # type: ignore[misc]
            mapped = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
            found = {line.split(maxsplit=5)[-1] for line in mapped if ".so" in line}
            os.write(theirs, "\n".join(sorted(found)).encode(errors="surrogateescape")[:60_000])
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        text = stream.read().decode(errors="surrogateescape")
    os.waitpid(pid, 0)
    return [line for line in text.splitlines() if line.startswith("/")]


def probe(plan: Plan, secret: str, grader: int) -> list[str]:
    """The level of isolation in words. Runs in a confined process and tries each forbidden action; nothing is assumed.

    secret: a file of the grader. grader: the grader's process id.
    """
    level = ["process"]
    if resource.getrlimit(resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY:
        level.append("limits")
    if plan.uid is not None and os.getresuid() == (plan.uid,) * 3:
        level.append("own user")
    if _refused_by_filter():
        level.append("few system calls")
    if not _works(os.fork):
        level.append("no new processes")
    level.append(_others(grader))
    level.append("network open" if _works(_connect) else "no network")
    if _works(lambda: os.close(os.open(secret, os.O_RDONLY))):
        level.append("file system open")
    else:
        everywhere = any(_works(lambda path=path: os.listdir(path)) for path in ("/", "/etc", "/tmp"))  # type: ignore[misc]
        level.append("grader's files closed" if everywhere else "file system closed")
    return level


def _others(grader: int) -> str:
    """The word for what can be done to the grader's process, whose number may be this process's own in its namespace."""
    if grader == os.getpid():
        return "no other processes"
    place = f"/proc/{grader}"
    reading = [
        lambda name=name: os.close(os.open(f"{place}/{name}", os.O_RDONLY)) for name in ("environ", "mem", "maps")
    ]
    if any(map(_works, (lambda: os.kill(grader, 0), lambda: os.readlink(f"{place}/cwd"), *reading))):
        return "other processes open"
    return "other processes closed" if _works(lambda: os.stat(place)) else "no other processes"


def _refused_by_filter() -> bool:
    """True if the seccomp filter refuses chmod (EPERM) before the kernel looks for the file."""
    try:
        os.chmod("/nowhere/at all", 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _works(action: Callable[[], object]) -> bool:
    try:
        result = action()
    except OSError:
        return False
    if action is os.fork:
        if result == 0:
            os._exit(0)
        os.waitpid(int(str(result)), 0)
    return True


def _connect() -> None:
    """Send an empty datagram to this machine. A refused connection counts as reached: the network is open."""
    import errno
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe_socket:
        try:
            probe_socket.connect(("127.0.0.1", 9))
            probe_socket.send(b"")
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
