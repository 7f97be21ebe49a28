"""The command ``grade``: grades a class, writes its reports, and resumes where an earlier run was stopped."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from autograder.archives import CannotGrade, shown
from autograder.exercises import DECLARED
from autograder.staff.classroom.again import again, record_of
from autograder.staff.classroom.marking import MakeGrader, NoGrader, Outcome, Stopped, Task, grade_class
from autograder.staff.classroom.progress import Progress
from autograder.staff.classroom.reports import after, finish
from autograder.staff.classroom.store import Reports, safe_name
from autograder.staff.handins import Handin, find, newest, same_student
from autograder.staff.marks.grading import all_exercises, grade_submission
from autograder.staff.pages.render import environment
from autograder.staff.record import GRADER_ERROR, class_seed

TIME_LIMIT = 2.0
# Files below autograder/ that decide marks. A change in another file grades nobody anew.
MARKING = ("*.py", "worker/**/*.py", "staff/record.py", "staff/marks/*.py", "staff/isolation/*.py")


def fingerprint(**options: object) -> str:
    """Hash of everything that a mark depends on, except the submission and the seeds."""
    digest = hashlib.sha256()
    top = Path(__file__).resolve().parents[2]
    for path in sorted(path for pattern in MARKING for path in top.glob(pattern)):
        digest.update(f"{path.relative_to(top).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    import numpy as np

    about = {**options, "marks": DECLARED.digest(), "python": platform.python_version(), "numpy": np.__version__}
    digest.update(repr(sorted(about.items())).encode())
    return digest.hexdigest()[:20]


class SandboxGrader:
    """The real Grader: has its own sandbox, and grades open and hidden exercises."""

    def __init__(self, options: argparse.Namespace, stop: threading.Event) -> None:
        self._options, self._stop, self._stack = options, stop, ExitStack()
        self.level: list[str] = []

    def __enter__(self) -> SandboxGrader:
        from autograder.staff.isolation.sandbox import Sandbox

        self._sandbox = self._stack.enter_context(Sandbox())
        self.level = list(self._sandbox.level)
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        chosen = {"hidden": self._options.hidden, "limit": self._options.time_limit}
        return dict(grade_submission(folder, seeds, run_with=self._run, **chosen))

    def _run(self, *arguments: Any) -> Iterator[dict[str, Any]]:
        """The sandbox's run_scenarios; raises Stopped when the run is stopped."""
        if self._stop.is_set():
            raise Stopped
        for frame in self._sandbox.run_scenarios(*arguments):
            yield frame
            if self._stop.is_set():
                raise Stopped


def configure(parser: argparse.ArgumentParser) -> None:
    def whole(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= 1000:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of jobs; give 1 or more")
        return int(text)

    def seconds(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 3600:
            raise argparse.ArgumentTypeError(f"{text!r} is no time limit; give seconds between 0 and 3600")
        return value

    parser.add_argument(
        "submissions", metavar="SUBMISSIONS", type=Path, help="folder with an archive or folder for each student"
    )
    parser.add_argument(
        "--out", metavar="REPORTS", type=Path, required=True, help="folder for gradebook, feedback and records"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=whole,
        default=os.cpu_count() or 1,
        help="submissions at a time (default: processors)",
    )
    parser.add_argument(
        "--all-versions", action="store_true", help="grade every version, not only each student's newest"
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=class_seed,
        help="the class seed (default: the one in REPORTS/seed.json, else drawn)",
    )
    parser.add_argument("--no-hidden", dest="hidden", action="store_false", help="leave out the hidden exercises")
    parser.add_argument(
        "--again", metavar="STUDENT", help="grade this one again with the recorded seeds, compare, write nothing"
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=seconds,
        default=TIME_LIMIT,
        help=f"for each check (default {TIME_LIMIT:g})",
    )
    parser.epilog = (
        "exit codes: 0 everything graded, 1 an error of the grader or another result, 2 could not run or stopped"
    )


def run(options: argparse.Namespace, make_grader: MakeGrader | None = None, most: float | None = None) -> int:
    """The command ``grade``; returns the exit code. Tests replace make_grader and most (the possible marks)."""
    if not hasattr(os, "fork"):
        print("Grading a class needs Linux or macOS (os.fork); on Windows, run it in WSL.", file=sys.stderr)
        return 2
    stop = threading.Event()
    # SIGTERM stops the run as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options, make_grader or partial(SandboxGrader, options, stop), most, stop)
    except CannotGrade as error:
        print(error, file=sys.stderr)
    except NoGrader as error:
        print(f"Nothing can be graded, because no sandbox can be made ({error}).", file=sys.stderr)
    except OSError as error:
        print(
            f"Grading stopped: {error}. What is graded is kept; run the same command again to go on.", file=sys.stderr
        )
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 2


def _run(options: argparse.Namespace, make_grader: MakeGrader, most: float | None, stop: threading.Event) -> int:
    reports = Reports(options.out)
    if options.again is not None:
        record = record_of(options.again, reports)
        # Hidden exercises as in the record. The time limit is not recorded and has to be given again.
        options.hidden = any(exercise["hidden"] for exercise in record["exercises"]) or not record["exercises"]
    mark = fingerprint(hidden=options.hidden, time_limit=options.time_limit)
    if options.again is not None:
        return again(record, options.submissions, mark, make_grader)
    # Raises where Jinja2 is missing: now, and not after hours of grading.
    environment()
    found, notes = find(options.submissions)
    reports.check(options.submissions)
    handins = found if options.all_versions else newest(found)
    versions = "_{}" if options.all_versions else ""
    names = {h.source: safe_name(same_student(h.student) + versions.format(h.version)) for h in handins}
    with reports.locked():
        class_seed = reports.class_seed(options.seed, notes)
        total = sum(exercise.points for exercise in all_exercises(options.hidden)) if most is None else most

        def name_of(handin: Handin) -> str:
            return names[handin.source]

        task = Task(reports, class_seed, mark, total, name_of, partial(after, reports))
        progress = Progress(len(handins), sys.stderr)
        for note in notes:
            progress.say(f"note: {note}")
        outcome = grade_class(handins, task, make_grader, min(options.jobs, len(handins)), progress, stop)
        progress.close()
        if not outcome.stopped:
            _finish(reports, handins, name_of, {handin.source for handin in newest(found)}, outcome)
    return _summary(outcome, len(handins), reports)


def _finish(reports: Reports, handins: list[Handin], name_of: Callable[[Handin], str], last: set[str],
            outcome: Outcome) -> None:  # fmt: skip
    """Write gradebook and class page. A bug in that is reported and takes no mark away."""
    failure = ""
    try:
        finish(reports, handins, name_of, last)
    except OSError:
        raise
    except Exception as error:
        failure = traceback.format_exc()
        outcome.errors.append(f"gradebook or class page: {type(error).__name__}: {shown(str(error), 200)}")
    # A name with a leading dot, which no student's file has.
    reports.keep_traceback(".class", failure)


def _summary(outcome: Outcome, total: int, reports: Reports) -> int:
    unreadable = f", {outcome.unreadable} cannot be read" if outcome.unreadable else ""
    before = f", {outcome.kept} were graded before" if outcome.kept else ""
    print(f"{total} submissions: {outcome.graded} graded now{before}{unreadable}.")
    if outcome.errors:
        print(
            f"\n{GRADER_ERROR}: {len(outcome.errors)} faults of the grader; what they hit has no mark:", file=sys.stderr
        )
        for line in outcome.errors[:20]:
            print(f"  {line}", file=sys.stderr)
        print(
            f"Their tracebacks are in {reports.records}. Put it right and run the same command again.", file=sys.stderr
        )
    if outcome.stopped:
        print("Stopped. What is graded is kept; run the same command again to go on.", file=sys.stderr)
        return 2
    print(f"Gradebook: {reports.gradebook}\nClass: {reports.folder / 'class.html'}")
    return 1 if outcome.errors else 0
