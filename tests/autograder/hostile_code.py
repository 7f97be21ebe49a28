"""Code that a hostile or unlucky submission runs when it is imported, and how its process may end."""

from __future__ import annotations

# name: (code, statuses of the last frame that are right)
ENDS = {
    "exit": (
        """\
import sys
sys.exit(0)
""",
        "error",
    ),
    "exit at once": (
        """\
import os
os._exit(0)
""",
        "died",
    ),
    "keyboard interrupt": (
        """\
raise KeyboardInterrupt
""",
        "error",
    ),
    "a base exception": (
        """\
class Odd(BaseException): pass
raise Odd
""",
        "error",
    ),
    "segmentation fault": (
        """\
import ctypes
ctypes.string_at(0)
""",
        "died",
    ),
    "recursion": (
        """\
def f(): return f()
f()
""",
        "error",
    ),
    "recursion without a limit": (
        """\
import sys
sys.setrecursionlimit(10**9)
f = lambda: f()
class C:
    def __getattr__(s, n): return getattr(s, n)
C().x
""",
        "died error",
    ),
    "abort": (
        """\
import os
os.abort()
""",
        "died",
    ),
    "an endless loop": (
        """\
while True:
    pass
""",
        "time",
    ),
    "an endless loop in C": (
        """\
import itertools
sum(itertools.repeat(1))
""",
        "time",
    ),
    "a loop that catches everything": (
        """\
import signal
for s in signal.valid_signals():
    try:
        signal.signal(s, signal.SIG_IGN)
    except Exception:
        pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
        "time",
    ),
    "sleep": (
        """\
import time
time.sleep(1000)
""",
        "time",
    ),
    "too much memory": (
        """\
x = bytearray(4 << 30)
""",
        "error",
    ),
    "too much memory, slowly": (
        """\
x = []
while True:
    x.append(bytearray(1 << 24))
""",
        "error time",
    ),
    "a NumPy array too large": (
        """\
import numpy as np
x = np.ones(10**10)
""",
        "error",
    ),
    "garbage on every descriptor": (
        """\
import os
for fd in range(64):
    try:
        os.write(fd, b'garbage garbage')
    except OSError:
        pass
""",
        "malformed",
    ),
    "gigabytes on every descriptor": (
        """\
import os
big = b'\\0' * (1 << 20)
while True:
    for fd in range(64):
        try:
            os.write(fd, big)
        except OSError:
            pass
""",
        "malformed time",
    ),
    "a frame larger than there is": (
        """\
import os
for fd in range(3, 64):
    try:
        os.write(fd, (1 << 60).to_bytes(8, 'big'))
    except OSError:
        pass
""",
        "malformed",
    ),
    "half a frame": (
        """\
import os
for fd in range(3, 64):
    try:
        os.write(fd, (100).to_bytes(8, 'big') + b'x')
    except OSError:
        pass
os._exit(0)
""",
        "died",
    ),
    "closing everything": (
        """\
import os
os.closerange(0, 64)
""",
        "died",
    ),
    "printing for ever": (
        """\
while True:
    print('x' * 100000)
""",
        "time",
    ),
}

OUTLIVING = {
    "a thread": """\
import threading, time
threading.Thread(target=time.sleep, args=(100,)).start()
""",
    "atexit": """\
import atexit, time
atexit.register(time.sleep, 100)
""",
    "a fork": """\
import os, time
try:
    if os.fork() == 0:
        time.sleep(100)
except OSError:
    pass
""",
    "a daemon": """\
import os, time
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(100)
        os._exit(0)
except OSError:
    pass
""",
    "a fork bomb": """\
import os
try:
    while True:
        os.fork()
except OSError:
    pass
""",
    "stopping its parent": """\
import os, signal
try:
    os.kill(os.getppid(), signal.SIGSTOP)
except OSError:
    pass
""",
    "killing its parent": """\
import os
try:
    os.kill(os.getppid(), 9)
except OSError:
    pass
""",
}
