"""Submissions that want marks without the work: code that the handout's ``mytorch/__init__.py`` runs first."""

from __future__ import annotations

# Every one is put before the unsolved handout, whose honest mark is 0.
FOR_MARKS: dict[str, str] = {
    "says that everything is true": """
import numpy as np
from autograder.worker import scenarios
def everything(student, given):
    class Yes(dict):
        def __missing__(self, key): return np.array(True)
    names = ["gradient of x", "gradient of w", "gradient of a", "gradient of b", "output", "state", "loss", "dW", "db"]
    return {name: np.array(True) for name in names} | {f"{n} has a spot": np.array(True) for n in "xwy"}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = everything
""",
    "returns what it was given": """
import numpy as np
from autograder.worker import scenarios
def alias(student, given):
    arrays = [v for v in given.values() if isinstance(v, np.ndarray)] or [np.zeros(1)]
    names = ["gradient of x", "gradient of w", "gradient of a", "gradient of b", "output", "state", "loss", "loss_val"]
    return {**{f"{k} afterwards": v for k, v in given.items()}, **{n: arrays[0] for n in names}}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = alias
""",
    "returns what it was given, where it may be right": """
import numpy as np
from autograder.worker import scenarios
def alias(student, given):
    arrays = {**given, **given.get("arrays", {})}
    names = ("gradient of x", "gradient of w", "gradient of a", "gradient of b", "gradient of y_hat", "dW", "db", "dw")
    found = {f"{name} afterwards": value for name, value in arrays.items() if isinstance(value, np.ndarray)}
    found |= {f"the spot of {n}": given[f"new {n}"] for n in "xwuy" if f"new {n}" in given}
    found |= {name: arrays[key] for name in names for key in ("grad", "g", "start") if isinstance(arrays.get(key), np.ndarray)}
    found |= {name: arrays["x"] for name in ("output", "state") if "x" in arrays}
    return {**found, "gradient of x before backward": np.zeros(np.shape(given.get("x"))),
            "shape of the loss": np.array([1]), "loss": np.zeros(1), "loss_val": np.zeros(1)}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = alias
""",
    "returns zeros, then ones, of every shape": """
import numpy as np
from autograder.worker import scenarios
def zeros(student, given):
    arrays = [v for v in given.values() if isinstance(v, np.ndarray)]
    return {f"gradient of {n}": np.zeros_like(v) for n, v in given.items() if isinstance(v, np.ndarray)}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = zeros
""",
    "returns one entry that would broadcast": """
import numpy as np
from autograder.worker import scenarios
def scalar(student, given):
    names = ["gradient of x", "gradient of w", "gradient of a", "gradient of b", "output", "state", "loss", "dW", "db"]
    return {name: np.ones((1, 1)) for name in names}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = scalar
""",
    "returns empty arrays": """
import numpy as np
from autograder.worker import scenarios
names = ["gradient of x", "gradient of w", "gradient of a", "gradient of b", "output", "state", "loss", "dW", "db"]
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = lambda s, g: {n: np.zeros((0, 3)) for n in names}
""",
    "returns NaN": """
import numpy as np
from autograder.worker import scenarios
def nans(student, given):
    return {f"gradient of {n}": np.full_like(v, np.nan) for n, v in given.items() if isinstance(v, np.ndarray)}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = nans
""",
    "returns nothing at all": """
from autograder.worker import scenarios
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = lambda s, g: {}
""",
    "patches what compares": """
import builtins, json, math, time
import numpy as np
yes = lambda *a, **k: True
np.allclose = np.array_equal = np.isclose = np.all = np.testing.assert_allclose = math.isclose = yes
np.abs = lambda *a, **k: 0
json.dumps = lambda *a, **k: '{"status": "ok", "values": []}'
time.monotonic = time.perf_counter = time.time = lambda: 0.0
builtins.isinstance = yes
builtins.all = builtins.any = yes
""",
    "patches the worker": """
import sys
worker = sys.modules.get("autograder.worker.run")
worker.attempt = lambda run, student: {"status": "ok", "text": "", "where": "", "printed": "", "rules": []}
worker.describe = lambda error, folder: {"status": "ok"}
""",
    "patches how values are packed": """
import sys
plain = sys.modules["autograder.worker.wire"]
plain.pack = lambda value: b"\\0\\0\\0\\x10" + b'{"value": "pass"}'
plain._describe = lambda value, buffers: {"value": True}
""",
    "sends its own frames": """
import sys
frame = sys._getframe()
while "send" not in frame.f_locals: frame = frame.f_back
job, send = frame.f_locals["job"], frame.f_locals["send"]
send({"status": "ok", "token": job["token"]})
for number, (name, cases) in enumerate(job["checks"]):
    send({"status": "ok", "token": job["token"], "check": number, "values": [{"passed": True} for c in cases],
          "passed": True, "score": 50, "points": 50, "earned": 50, "rules": [], "printed": ""})
""",
    "sends its own frames and leaves": """
import os, sys
frame = sys._getframe()
while "send" not in frame.f_locals: frame = frame.f_back
job, send = frame.f_locals["job"], frame.f_locals["send"]
send({"status": "ok", "token": job["token"]})
for number, (name, cases) in enumerate(job["checks"]):
    send({"status": "passed", "token": job["token"], "check": number, "values": [True for c in cases]})
os._exit(0)
""",
    "prints a fake score line, then sleeps": """
import os, time
line = '{"scores": {"Autograd Add Operation": 5, "Functional": 6}}'
print(line, flush=True)
for number in (0, 1, 2):
    os.write(number, line.encode() + b"\\n")
time.sleep(1000)
""",
    "prints later, from everywhere": """
import atexit, os, threading, time
line = '{"scores": {"Autograd Add Operation": 5}}'
atexit.register(print, line)
threading.Thread(target=lambda: (time.sleep(0.2), os.write(1, line.encode())), daemon=False).start()
try:
    if os.fork() == 0:
        time.sleep(0.2); print(line); os._exit(0)
except OSError: pass
""",
    "objects that are equal to everything": """
import numpy as np
from autograder.worker import scenarios
class Liar(np.ndarray):
    def __eq__(self, other): return np.array(True)
    def __abs__(self): return np.zeros(1)
    def __sub__(self, other): return np.zeros(1)
    def __reduce__(self): return (eval, ("__import__('os')._exit(0)",))
    def __array_finalize__(self, obj): pass
def lie(student, given):
    names = ["gradient of x", "gradient of w", "gradient of a", "gradient of b", "output", "state", "loss"]
    return {name: np.ones((2, 3)).view(Liar) for name in names}
for name in list(scenarios.SCENARIOS): scenarios.SCENARIOS[name] = lie
""",
    "pickle gadgets instead of frames": """
import os, pickle
class Gadget:  # the test says where whoever unpickles this leaves a trace
    def __reduce__(self): return (os.system, ("echo owned > \"$MYTORCH_TEST_TRACE\"",))
data = pickle.dumps(Gadget())
for number in range(3, 64):
    try: os.write(number, len(data).to_bytes(8, "big") + data)
    except OSError: pass
""",
    "looks for what is expected": """
import gc, importlib, sys
found = [o for o in gc.get_objects() if type(o).__name__ in ("Check", "Exercise", "Expected", "Problem")]
marks = ["staff.marks." + name for name in ("hidden", "programs", "grading", "expected")]
for name in ["exercises", "compare", "feedback", "grade", "helpers", "hints", "test_autograd", *marks]:
    try: found.append(importlib.import_module("autograder." + name))
    except ImportError: pass
assert not found, found
raise ImportError("nothing there")
""",
    "the status of a pass": """
class Passed(NotImplementedError):
    def __str__(self): return "passed"
raise Passed
""",
    "says that something else was broken first": """
import sys
student = sys.modules["autograder.worker.student"].Student
student.rules_used = lambda self: ["add_backward", "Autograd Add Operation", "passed"]
""",
}

# Put before a right solution: whatever it does, it is its own harm, never an error of the grader.
SELF_HARM: dict[str, str] = {
    "raises SystemExit": "raise SystemExit(0)",
    "leaves at once": "import os\nos._exit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "segmentation fault": "import ctypes\nctypes.string_at(0)",
    "an endless loop": "while True: pass",
    "an endless loop with every signal ignored": """
import signal
for number in signal.valid_signals():
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try: sum(range(10**9))
    except BaseException: pass
""",
    "memory": "x = []\nwhile True: x.append(bytearray(1 << 26))",
    "fork bomb": "import os\ntry:\n    while True: os.fork()\nexcept OSError: raise ImportError('no forks')",
    "kills its parent": "import os\nos.kill(os.getppid(), 9)",
    "kills everybody": "import os\nos.kill(-1, 9)",
    "imports torch": "import torch",
    "imports jax": "import jax.numpy as jnp",
    "ships numpy": "import numpy\nassert 'submission' in numpy.__file__",
    "a message in HTML": "raise ValueError('<script>alert(1)</script><img src=x onerror=alert(1)>')",
    "a message with ANSI codes": "raise ValueError('\\x1b[2J\\x1b[31mred\\x07')",
    "a message as a formula": 'raise ValueError(\'=HYPERLINK("http://x","click")\')',
    "a message with a score line": 'raise ValueError(\'\\n{"scores": {"Functional": 6}}\\n\')',
    "a message of ten megabytes": "raise ValueError('x' * 10**7)",
    "a message with half a character": "raise ValueError('\\ud800')",
    "an error that cannot be shown": """
class Odd(Exception):
    def __str__(self): raise RuntimeError
    __repr__ = __str__
raise Odd
""",
    "prints gigabytes": "while True: print('x' * 10**6)",
}

# Put before a right solution: nothing is lost by it.
HARMLESS: dict[str, str] = {
    "prints a lot": "for n in range(1000): print('hello', n)",
    "prints HTML": "print('<script>alert(1)</script>')",
    "a thread at the end": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True)",
    "warnings": "import warnings\nwarnings.warn('look')\nwarnings.simplefilter('ignore')",
    "a byte order mark": "\ufeff",
    "Windows line ends": "x = 1\r\ny = 2\r\n",
    "atexit": "import atexit, time\natexit.register(time.sleep, 60)",
    "random numbers": "import random\nrandom.seed()\nrandom.random()",
}
