"""What a process gives up before it runs a submission, as far as this machine allows. Runs on the submission's side."""

from __future__ import annotations

import os
import resource
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

if sys.platform == "linux":
    from autograder.worker import linux, syscalls

DESCRIPTORS = 64


@dataclass
class Plan:
    """What every submission's process of this sandbox gets. Made once; what could not be set up is None or False."""

    uid: int | None = None
    capabilities: bool = False
    pid_namespace: bool = False
    rules: int | None = None
    filter: list[tuple[int, int, int, int]] = field(default_factory=list)
    memory: int = 0


def attempt(action: Callable[[], object]) -> bool:
    """Whether the system let it happen."""
    try:
        action()
    except OSError:
        return False
    return True


def make_plan(readable: list[str], uid: int, memory: int, without: list[str]) -> Plan:
    """Set up what is shared by all processes to come. ``without`` leaves measures out, to try the weaker levels."""
    plan = Plan(memory=memory)
    if sys.platform != "linux":
        if os.getuid() == 0 and "uid" not in without and _usable_as(uid, readable):
            plan.uid = uid
        return plan
    linux.adopt_orphans()
    linux.hide_memory()
    if os.getuid() == 0 and "uid" not in without and _usable_as(uid, readable):
        plan.uid = uid
    # Root that keeps its name loses its rights in a user namespace; anyone else gains the right to make the others there.
    own_user = "namespaces" not in without and plan.uid is None and attempt(lambda: linux.unshare("user"))
    if "namespaces" not in without:
        attempt(lambda: linux.unshare("net"))
        attempt(lambda: linux.unshare("ipc", "uts"))
        plan.pid_namespace = _in_a_child(lambda: linux.unshare("pid"))
    plan.capabilities = plan.uid is None and (own_user or os.getuid() == 0)
    if "landlock" not in without and attempt(linux.landlock_version):
        plan.rules = linux.landlock_ruleset(readable, ["/dev/null"])
    if "seccomp" not in without:
        # A limit of their size keeps files neither from being emptied nor from being made, and a name is a message too.
        attempt(lambda: plan.filter.extend(syscalls.program(reading_only=plan.rules is None)))
        if plan.filter and not _in_a_child(lambda: _filtered(plan)):
            plan.filter = []
    return plan


def _filtered(plan: Plan) -> None:
    linux.no_new_privileges()
    linux.install_filter(plan.filter)


def _in_a_child(action: Callable[[], object]) -> bool:
    """Whether an action that cannot be undone works, tried in a process that ends afterwards."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _usable_as(uid: int, readable: list[str]) -> bool:
    """Whether another user can read what Python needs."""

    def look() -> None:
        become(uid)
        for path in readable:
            if os.path.exists(path) or not path.startswith(("/lib", "/usr", "/etc", "/dev")):
                os.listdir(path) if os.path.isdir(path) else os.close(os.open(path, os.O_RDONLY))

    return _in_a_child(look)


def become(uid: int) -> None:
    """Another user for good, in no group but its own."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def confine(plan: Plan, seconds: float) -> None:
    """Give everything up, in the order in which it can be. Raises OSError where what was planned does not work."""
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
    if plan.filter:
        linux.install_filter(plan.filter)


def _limit(memory: int, seconds: float) -> None:
    """Limits of the system: processor time, memory, and no files, however many and however small."""
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
            # macOS refuses some of them.
            if sys.platform == "linux":
                raise


def readable_places(given: list[str]) -> list[str]:
    """What Python needs to run and to load a part of itself later: the standard library, shared libraries and ``given``.

    Packages that happen to be installed beside NumPy are no part of it.
    """
    places = [*given]
    library = Path(sysconfig.get_paths()["stdlib"])
    if library.is_dir():
        places += [str(entry) for entry in library.iterdir() if entry.name not in ("site-packages", "dist-packages")]
    places += ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/urandom", "/dev/zero"]
    return [place for place in places if os.path.exists(place)]


def probe(plan: Plan, secret: str, grader: int) -> list[str]:
    """The level in words, from what a confined process finds that it cannot do. Called in one; nothing is assumed.

    secret: a file of the grader. grader: its process.
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
    if not _works(lambda: os.kill(grader, 0)):
        level.append("no other processes")
    level.append("network open" if _works(_connect) else "no network")
    if _works(lambda: os.close(os.open(secret, os.O_RDONLY))):
        level.append("file system open")
    else:
        everywhere = any(_works(lambda path=path: os.listdir(path)) for path in ("/", "/etc", "/tmp"))  # type: ignore[misc]
        level.append("grader's files closed" if everywhere else "file system closed")
    return level


def _refused_by_filter() -> bool:
    """The filter refuses a call before the system looks at what it is about."""
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
    """Reach this machine through the network; that nobody listens there is reaching it too."""
    import errno
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe_socket:
        try:
            probe_socket.connect(("127.0.0.1", 9))
            probe_socket.send(b"")
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
