"""The seccomp filter, instruction by instruction; its numbers in the kernel's headers; files and channels that it protects."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from autograder.staff.isolation.sandbox import Limits, Sandbox
from autograder.worker import syscalls
from tests.autograder.sandbox_tools import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="isolation needs fork")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_decides_as_its_table_says(machine: str) -> None:
    """The program, run by a small interpreter of the instructions that it uses."""
    column, audit = syscalls.ARCHITECTURES[machine]

    def decide(
        number: int, first: int = 0, second: int = 0, third: int = 0, architecture: int = audit, reading: bool = False,
        pointer: int = 0,
    ) -> int:  # fmt: skip
        data = {0: number, 4: architecture, 16: first, 24: second, 32: third, 36: pointer}
        position, value, lines = 0, 0, syscalls.program(machine, reading)
        while True:
            code, yes, no, k = lines[position]
            position += 1
            if code == syscalls.LOAD:
                value = data[k]
            elif code == syscalls.AND:
                value &= k
            elif code == syscalls.RETURN:
                return k
            else:
                met = value == k if code == syscalls.EQUAL else value >= k
                position += yes if met else no

    permitted, refused = syscalls.ALLOW, syscalls.ERROR | 1
    numbers_of = {name: numbers[column] or 0 for name, numbers in syscalls.BY_ARGUMENT.items()}
    for table, answer in ((syscalls.ALLOWED, permitted), (syscalls.REFUSED, refused)):
        for numbers in table.values():
            assert numbers[column] is None or decide(numbers[column]) == answer
    # A thread is as good as a process for a bomb.
    clone = syscalls.REFUSED["clone"][column]
    assert clone is not None
    assert decide(clone, 0x3D0F00) == decide(clone, 17) == refused
    # Reading a limit of this process; not of another one, and not setting one (at either half of a pointer).
    prlimit64 = numbers_of["prlimit64"]
    assert decide(prlimit64, 0, 7) == permitted
    assert {decide(prlimit64, 1), decide(prlimit64, third=64), decide(prlimit64, pointer=1)} == {refused}
    # Copies and flags of descriptors; no owners of signals (8, 15), locks (6), leases (1024), notifications (1026).
    for command in (0, 1, 2, 3, 4, 1030):
        assert decide(numbers_of["fcntl"], 3, command) == permitted
    for command in (5, 6, 7, 8, 10, 15, 36, 37, 1024, 1026, 1031, 1033):
        assert decide(numbers_of["fcntl"], 3, command) == refused
    # Is it a terminal; no keys typed into one (TIOCSTI), no flags of files, no subvolumes.
    assert decide(numbers_of["ioctl"], 3, 0x5401) == permitted
    for command in (0x5412, 0x40086602, 0x5000940E, 0x40806685, 0xC0045877):
        assert decide(numbers_of["ioctl"], 3, command) == refused
    # Memory is given back; no page is moved out (20, 21), and none of the machine's is spoilt (100, 101).
    for advice, answer in (
        (4, permitted),
        (14, permitted),
        (20, refused),
        (21, refused),
        (100, refused),
        (101, refused),
    ):
        assert decide(numbers_of["madvise"], 0, 4096, advice) == answer
    # Own clocks; not those of another process (a negative number) nor of a device.
    for call in ("clock_gettime", "clock_getres", "clock_nanosleep"):
        assert [decide(numbers_of[call], clock) for clock in (0, 1, 2, 3, 11)] == [permitted] * 5
        assert [decide(numbers_of[call], clock % 2**32) for clock in (12, 16, -6, ~4321 << 3 | 2)] == [refused] * 4
    for call in ("getpgid", "getsid"):
        assert (decide(numbers_of[call]), decide(numbers_of[call], 4321)) == (permitted, refused)
    for name, place in syscalls.OPEN.items():
        call = syscalls.ALLOWED[name][column]
        if call is None:
            continue
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
            given = {"second" if place == 1 else "third": flags | os.O_CLOEXEC}
            assert decide(call, **given) == permitted
            assert decide(call, **given, reading=True) == refused
        assert (
            decide(call, third=os.O_CLOEXEC | os.O_DIRECTORY if place == 2 else os.O_WRONLY, reading=True) == permitted
        )
    assert decide(435) == decide(435, reading=True) == syscalls.ERROR | 38
    assert decide(0, architecture=0x40000003) == syscalls.KILL
    assert decide(syscalls.X32 + 1) == syscalls.KILL


DEFINED = re.compile(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)\b")


def header(*places: str) -> str:
    """The text of the first of these headers that is installed; the test is skipped where none is."""
    for place in places:
        if Path("/usr/include", place).is_file():
            return Path("/usr/include", place).read_text()
    pytest.skip(f"the kernel's headers are not installed: {places[0]}")


@pytest.mark.parametrize(
    ("column", "places"),
    [
        (0, ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h")),
        (1, ("asm-generic/unistd.h", "aarch64-linux-gnu/asm/unistd_64.h")),
    ],
    ids=["x86-64", "arm64"],
)
def test_the_numbers_are_those_of_the_kernels_headers(column: int, places: tuple[str, ...]) -> None:
    text = header(*places)
    found = {name: int(number) for name, number in DEFINED.findall(text)}
    # A header for 32 and 64 bits gives some numbers another name first.
    others = re.findall(r"#define\s+__NR_(\w+)\s+__NR3264_(\w+)", text)
    found |= {name: found[other] for name, other in others if other in found}
    tables = (syscalls.ALLOWED, syscalls.BY_ARGUMENT, syscalls.REFUSED)
    ours = {name: numbers[column] for table in tables for name, numbers in table.items()}
    assert len(ours) == sum(map(len, tables))
    wrong = {name: (number, found.get(name)) for name, number in ours.items() if number != found.get(name)}
    # A kernel older than a call has no number for it.
    assert {name: pair for name, pair in wrong.items() if pair[1] is not None or pair[0] in found.values()} == {}
    assert len(ours) - len(wrong) > 100


HEADERS = {
    "linux/prctl.h": {},
    "linux/audit.h": {"__AUDIT_ARCH_64BIT": 0x80000000, "__AUDIT_ARCH_LE": 0x40000000},
    "linux/elf-em.h": {"EM_X86_64": 0x3E, "EM_AARCH64": 0xB7},
    "linux/seccomp.h": {
        "SECCOMP_RET_ALLOW": syscalls.ALLOW, "SECCOMP_RET_ERRNO": syscalls.ERROR,
        "SECCOMP_RET_KILL_PROCESS": syscalls.KILL,
    },
}  # fmt: skip


@pytest.mark.parametrize("place", HEADERS)
def test_constants_are_those_of_the_kernels_headers(place: str) -> None:
    defined = dict(re.findall(r"#define\s+(\w+)\s+(0x[0-9a-fA-F]+|\d+)U?\b", header(place)))
    names: dict[str, int] = HEADERS[place]
    if place == "linux/prctl.h":
        from autograder.worker import linux

        names = {name: value for name, value in vars(linux).items() if name.startswith("PR_")}
    assert names
    assert {name: int(defined[name], 0) for name in names} == names
    for machine, processor in (("x86_64", 0x3E), ("aarch64", 0xB7), ("arm64", 0xB7)):
        assert syscalls.ARCHITECTURES[machine][1] == processor | 0x80000000 | 0x40000000


EMPTIER = """
import os
for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC):
    try: os.open(PATH, flags)
    except OSError: pass
for act in (os.unlink, os.rmdir, lambda p: os.rename(p, p + "x"), lambda p: os.truncate(p, 0), lambda p: os.chmod(p, 0)):
    try: act(PATH)
    except OSError: pass
try: os.open(PATH + ".new", os.O_CREAT | os.O_WRONLY)
except OSError: pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only another user keeps files from being removed")
@pytest.mark.parametrize(
    "without", [[], ["seccomp"], ["landlock"], ["landlock", "namespaces", "uid"], ["landlock", "uid"]], ids=str
)
def test_no_file_of_ours_is_emptied_or_removed(tmp_path: Path, without: list[str]) -> None:
    """A file can be emptied although none may have a size, also where submissions run as the grader's own user."""
    path = tmp_path / "records" / "alice.json"
    path.parent.mkdir()
    path.write_text("all the marks")
    # As /tmp is: who may write there leaves a message to the next one, if only in a name.
    path.parent.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    with Sandbox(Limits(start=2.0), without) as sandbox:
        if not {"few system calls", "own user", "file system closed"} & set(sandbox.level):
            pytest.skip(f"nothing protects files here: {sandbox.level}")
        frames = run(sandbox, tmp_path / "handin", EMPTIER.replace("PATH", repr(str(path))))
    assert [f["status"] for f in frames] == ["ok"]
    # Landlock alone leaves modes to the owner.
    path.chmod(0o600)
    assert path.read_text() == "all the marks"
    assert os.listdir(path.parent) == [path.name]


STEALER = """
import os
for number in range(3, 64):
    try:
        os.read(os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_NONBLOCK), 100)
    except OSError:
        pass
"""


@pytest.mark.parametrize("without", [[], ["namespaces", "seccomp", "landlock", "uid"]], ids=str)
@pytest.mark.slow
def test_nobody_takes_back_what_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: list[str]
) -> None:
    """A submission with the grader's uid could read the first byte back out of a pipe, which would be a GRADER_ERROR."""
    wait = Sandbox._await_ready
    monkeypatch.setattr(Sandbox, "_await_ready", lambda *given: time.sleep(0.3) or wait(*given))
    with Sandbox(without=without) as sandbox:
        assert [f["status"] for f in run(sandbox, tmp_path, STEALER)] == ["ok"]
