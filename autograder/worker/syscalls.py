"""System calls that a submission may make, and the seccomp filter that tells the kernel.

Allowed is what Python and NumPy need to compute. Refused (EPERM) is what reaches out of the process: sockets, new processes
and threads, signals, other processes' memory, modes and links of files; and what only tells something to another process,
such as the state of the page cache. Every other call answers ENOSYS, on which a C library falls back to an older call.
Sources: seccomp(2), linux/filter.h; the numbers are those of asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import platform

Numbers = dict[str, tuple[int | None, ...]]


def _table(text: str) -> Numbers:
    """Numbers of system calls by name; an entry is ``name:x86-64 number:arm64 number``, either may be missing."""
    entries = [entry.split(":") for entry in text.split()]
    return {name: tuple(int(number) if number else None for number in numbers) for name, *numbers in entries}


ALLOWED = _table("""
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 close:3:57 close_range:436:436 lseek:8:62
dup:32:23 dup2:33: dup3:292:24 poll:7: ppoll:271:73 select:23: pselect6:270:72 pipe:22: pipe2:293:59
open:2: openat:257:56 access:21: faccessat:269:48 faccessat2:439:439 stat:4: fstat:5:80 lstat:6: newfstatat:262:79
statx:332:291 getdents:78: getdents64:217:61 getcwd:79:17 readlink:89: readlinkat:267:78 chdir:80:49 umask:95:166
mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 brk:12:214
rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 sigaltstack:131:132 setitimer:38:103 getitimer:36:102
alarm:37: pause:34: futex:202:98 futex_waitv:449:449 set_robust_list:273:99 get_robust_list:274:100 rseq:334:293
sched_yield:24:124 sched_getaffinity:204:123 set_tid_address:218:96 arch_prctl:158: getcpu:309:168
getpid:39:172 gettid:186:178 getppid:110:173 getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177
getgroups:115:158 getresuid:118:148 getresgid:120:150 getpgrp:111: nanosleep:35:101 gettimeofday:96:169 time:201:
times:100:153 getrusage:98:165 getrlimit:97:163 uname:63:160 getrandom:318:278
exit:60:93 exit_group:231:94 restart_syscall:219:128
""")
# Allowed or refused by an argument.
BY_ARGUMENT = _table("""
fcntl:72:25 ioctl:16:29 madvise:28:233 prlimit64:302:261 getpgid:121:155 getsid:124:156
clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115
""")
REFUSED = _table("""
socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201 accept:43:202 accept4:288:242 sendto:44:206
sendmsg:46:211 sendmmsg:307:269 recvfrom:45:207 recvmsg:47:212 clone:56:220 fork:57: vfork:58: execve:59:221
execveat:322:281 kill:62:129 tkill:200:130 tgkill:234:131 pidfd_open:434:434 pidfd_send_signal:424:424
rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271
prctl:157:167 setrlimit:160:164 setsid:112:157 setpgid:109:154 chmod:90: fchmod:91:52 fchmodat:268:53 chown:92:
fchown:93:55 lchown:94: fchownat:260:54 link:86: linkat:265:37 symlink:88: symlinkat:266:36 mknod:133: mknodat:259:33
mkdir:83: mkdirat:258:34 rename:82: renameat:264:38 renameat2:316:276 unlink:87: unlinkat:263:35 rmdir:84: setuid:105:146
setgid:106:144 setresuid:117:147 setresgid:119:149 unshare:272:97 setns:308:268 mount:165:40 umount2:166:39 chroot:161:51
pivot_root:155:41 truncate:76:45 ftruncate:77:46 fsync:74:82 fdatasync:75:83 sync:162:81 fadvise64:221:223 readahead:187:213
mincore:27:232 statfs:137:43 fstatfs:138:44 sysinfo:99:179 membarrier:324:283
""")
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm64": (1, 0xC00000B7)}

# Position of an argument, and the values of it that are allowed.
VALUES: dict[str, tuple[int, tuple[int, ...]]] = {
    # Copying descriptors and their flags. Refused are locks and leases, which would keep others from a file.
    "fcntl": (1, (0, 1, 2, 3, 4, 1030)),
    # Terminal attributes and size, bytes to read, flags of the descriptor. Refused are the commands of file systems, which
    # an owner may use even on a file opened for reading.
    "ioctl": (1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    # How memory is going to be used, and that it is not needed any more. Refused is what moves pages out of the page cache.
    "madvise": (2, (0, 1, 2, 3, 4, 8, 14, 15)),
    # This process alone (0).
    "prlimit64": (0, (0,)),
    "getpgid": (0, (0,)),
    "getsid": (0, (0,)),
    # The clocks of the machine and of this process. A negative number is the processor time of another process.
    "clock_gettime": (0, tuple(range(12))),
    "clock_getres": (0, tuple(range(12))),
    "clock_nanosleep": (0, tuple(range(12))),
}
# Position of the argument with the flags; the flags O_WRONLY, O_RDWR, O_CREAT and O_TRUNC.
OPEN = {"open": 1, "openat": 2}
WRITING = 0x1 | 0x2 | 0x40 | 0x200

LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE = 0, 4
X32 = 0x40000000

Instruction = tuple[int, int, int, int]


def _argument(position: int) -> int:
    """The offset in struct seccomp_data of the low half of an argument (little endian)."""
    return 16 + 8 * position


def program(machine: str = "", reading_only: bool = False) -> list[Instruction]:
    """The filter program for a kind of processor (default: this machine's). Raises OSError for an unknown one.

    reading_only: refuse to open any file for writing, to empty or to create one (even /dev/null).
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no list of system calls for {machine}")
    column, audit = ARCHITECTURES[machine]
    refuse: Instruction = (RETURN, 0, 0, ERROR | errno.EPERM)
    allow: Instruction = (RETURN, 0, 0, ALLOW)
    lines: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL),
    ]
    for name, numbers in BY_ARGUMENT.items():
        position, values = VALUES[name]
        # A new limit (the third argument, a pointer) could be so low that it looks as if somebody else had ended the process.
        nulls = [_argument(2), _argument(2) + 4] if name == "prlimit64" else []
        accept: list[Instruction] = [
            line for half in nulls for line in ((LOAD, 0, 0, half), (EQUAL, 1, 0, 0), refuse)
        ] + [allow]  # fmt: skip
        count = len(values)
        lines += [(EQUAL, 0, count + 2 + len(accept), numbers[column] or 0), (LOAD, 0, 0, _argument(position))]
        lines += [(EQUAL, count - place, 0, value) for place, value in enumerate(values)]
        lines += [refuse, *accept]
    opening = {ALLOWED[name][column]: place for name, place in OPEN.items()} if reading_only else {}
    for number, place in opening.items():
        if number is not None:
            lines += [(EQUAL, 0, 5, number), (LOAD, 0, 0, _argument(place)), (AND, 0, 0, WRITING)]
            lines += [(EQUAL, 1, 0, 0), refuse, allow]
    for table, answer in ((ALLOWED, allow), (REFUSED, refuse)):
        for number in sorted(numbers[column] or 0 for numbers in table.values() if numbers[column] is not None):
            if number not in opening:
                lines += [(EQUAL, 0, 1, number), answer]
    return [*lines, (RETURN, 0, 0, ERROR | errno.ENOSYS)]
