"""The submission's process: imports the submission, runs scenarios on given arrays, sends plain arrays back."""

from __future__ import annotations

import contextlib
import gc
import linecache
import os
import random
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# The folder that contains the package ``autograder``.
TOP = HERE.parent.parent
# Characters of the submission's output that are sent.
MOST_PRINTED = 4000


def main() -> None:
    """Read one job from standard input and write its frames to standard output."""
    job_bytes = sys.stdin.buffer.read()
    channel = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    standard = [p for p in sys.path if Path(p or ".").resolve() != HERE]
    sys.path[:] = [str(TOP), *standard]
    sys.dont_write_bytecode = True
    from autograder.worker.wire import framed, unpack

    # With NumPy and ``autograder`` imported, no other module is there but Python's own, as in the final grading.
    sys.path[:] = [p for p in standard if Path(p).name not in ("site-packages", "dist-packages")]

    def send(frame: dict[str, Any]) -> None:
        channel.write(framed(frame))
        channel.flush()

    work(unpack(job_bytes), send)


def work(job: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
    """Import the submission and send a frame about that; if it went well, run each check's scenario and send a frame.

    job: folder, parts (keys of student.MODULES), checks (pairs of a scenario's name and its cases), token. Each frame
    carries the token and the number of its check.
    """
    from autograder.worker.scenarios import find
    from autograder.worker.student import Student

    # As when a student starts a program there: no arguments, and relative paths begin in the submission's folder.
    sys.argv[1:] = []
    # NumPy and this package live to the end, so collections between scenarios need not go through them.
    gc.freeze()
    with contextlib.suppress(OSError):
        os.chdir(job["folder"])
    student = Student(job["folder"])
    token = job.get("token", "")
    outcome = attempt(lambda: student.load(job["parts"]), student)
    send({**outcome, "token": token})
    if outcome["status"] != "ok":
        return
    for number, (scenario, cases) in enumerate(job["checks"]):
        values: list[Any] = []

        def run(scenario: str = scenario, cases: Any = cases, values: list[Any] = values) -> None:
            for given in cases:
                student.engines.clear()
                values.append(find(scenario)(student, given))

        frame = attempt(run, student)
        send({**frame, "token": token, "check": number, "values": values})


def attempt(run: Any, student: Any) -> dict[str, Any]:
    """Call run with its output caught and warnings off; returns a frame that describes how it ended."""
    import numpy as np

    from autograder.worker.console import Console, Keyboard

    printed = bytearray()
    before = sys.stdin, sys.stdout, sys.stderr, np.geterr()
    sys.stdin, sys.stdout, sys.stderr = Keyboard(), Console(1, printed), Console(2, printed)
    frame: dict[str, Any] = {"status": "ok", "text": "", "where": ""}
    try:
        # Random numbers of the submission repeat from run to run.
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        np.seterr(all="ignore")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except BaseException as error:
        frame = describe(error, student.folder)
    finally:
        sys.stdin, sys.stdout, sys.stderr = before[:3]
        np.seterr(**before[3])
    try:
        rules = student.rules_used()
    except BaseException:
        rules = []
    return {**frame, "printed": printed.decode("utf-8", "replace")[:MOST_PRINTED], "rules": rules}


def describe(error: BaseException, folder: Path) -> dict[str, Any]:
    """Status, message and line of an exception in the submission, without the paths of this machine."""
    root = folder.resolve()
    status = "todo" if isinstance(error, NotImplementedError) else "error"
    if isinstance(error, SyntaxError) and error.filename and root in Path(error.filename).resolve().parents:
        place = Path(error.filename).resolve().relative_to(root).as_posix()
        line = (error.text or "").strip()
        return {
            "status": status,
            "text": f"{type(error).__name__}: {error.msg}",
            "where": f"{place}, line {error.lineno}: {line}",
        }
    # An exception raised in a given file is the fault of the line that called it.
    given = ("mytorch/operation.py", "mytorch/utils.py", "mytorch/nn/rules.py", "mytorch/nn/modules/module.py")
    where = function = ""
    places: dict[str, str] = {}
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename not in places:
            places[frame.filename] = _place(Path(frame.filename), root)
        place = places[frame.filename]
        if not place or (where and place in given):
            continue
        line = linecache.getline(frame.filename, frame.lineno or 0).strip()
        where = f"{place}, line {frame.lineno}: {line}"
        function = frame.name
    try:
        text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
        text = text.replace(str(root), ".").strip()
        if isinstance(error, SystemExit):
            text = f"the code called sys.exit({error.code!r})"
    except BaseException:
        # An exception class of the submission may fail in its own __str__.
        text = ""
    return {
        "status": status,
        "text": (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:600],
        "where": where,
        "function": function,
    }


def _place(path: Path, root: Path) -> str:
    """Path of a file below the submission's folder; empty for other files and for the autograder's own."""
    if not path.is_absolute():
        return ""
    path = path.resolve()
    return path.relative_to(root).as_posix() if root in path.parents and HERE not in path.parents else ""


if __name__ == "__main__":
    main()
