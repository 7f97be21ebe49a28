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
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

from autograder.archives import CannotGrade, shown
from autograder.exercises import DECLARED
from autograder.staff import handout
from autograder.staff.classroom import changes, policy, roster, shards, submissions
from autograder.staff.classroom.again import again, record_of
from autograder.staff.classroom.marking import MakeGrader, NoGrader, Outcome, Stopped, Task, grade_class
from autograder.staff.classroom.progress import Progress
from autograder.staff.classroom.reports import Klass, after, finish
from autograder.staff.classroom.store import Reports, safe_name
from autograder.staff.handins import Handin, same_student
from autograder.staff.isolation import claims
from autograder.staff.marks.grading import all_exercises, grade_hidden, grade_open, grade_submission
from autograder.staff.pages.render import environment
from autograder.staff.record import GRADER_ERROR, class_seed

TIME_LIMIT = 2.0
# Files below autograder/ that decide marks. A change in another file grades nobody anew.
MARKING = ("*.py", "worker/**/*.py", "staff/record.py", "staff/mirror.py", "staff/marks/*.py", "staff/isolation/*.py")

GO_ON = "What is graded is kept; run the same command again to go on."


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
        from autograder.staff.isolation.cache import read_all
        from autograder.staff.isolation.sandbox import Sandbox

        self._sandbox = self._stack.enter_context(Sandbox(known=_given_bytecode()))
        read_all(self._sandbox.readable)
        self.level = list(self._sandbox.level)
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        return dict(grade_submission(folder, seeds, hidden=self._options.hidden, **self._settings()))

    def grade_open(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        return dict(grade_open(folder, seeds[0], **self._settings()))

    def grade_hidden(self, folder: Path, seeds: tuple[int, int], opened: Any) -> dict[str, Any]:
        return dict(grade_hidden(folder, seeds[1], opened, **self._settings()))

    def _settings(self) -> dict[str, Any]:
        # By the sandbox's clock, the budget lasts as long on a busy machine as on an idle one.
        return {"run_with": self._run, "limit": self._options.time_limit, "clock": self._sandbox.spent}

    def _run(self, *arguments: Any) -> Iterator[dict[str, Any]]:
        """The sandbox's run_scenarios; raises Stopped when the run is stopped."""
        if self._stop.is_set():
            raise Stopped
        for frame in self._sandbox.run_scenarios(*arguments):
            yield frame
            if self._stop.is_set():
                raise Stopped


@cache
def _given_bytecode() -> dict[bytes, bytes]:
    """The bytecode of the handout's files by their source. Most files of a submission are these, and stay what they are."""
    from autograder.staff.isolation.slot import GRADED, bytecode

    files = handout.contents(ending=".py")
    return bytecode(source for name, source in files.items() if name.startswith(tuple(f"{part}/" for part in GRADED)))


def configure(parser: argparse.ArgumentParser) -> None:
    configure_class(parser)
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        # A submission that sleeps, or whose process is just ending, leaves a processor to the others.
        default=(os.cpu_count() or 1) + 1,
        help="submissions at a time (default: one more than processors)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--only", metavar="STUDENT", help="grade this one anew, and write all reports; nobody else is graded"
    )
    which.add_argument(
        "--again", metavar="STUDENT", help="grade this one again with the recorded seeds, compare, write nothing"
    )
    which.add_argument(
        "--shard", metavar="K/N", type=shards.parse, help="grade part K of N; the command merge makes one of them"
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=class_seed,
        help="the class seed (default: the one in REPORTS/seed.json, else drawn)",
    )
    parser.epilog = (
        "exit codes: 0 everything graded, 1 an error of the grader or another result, 2 could not run or stopped"
    )


def configure_class(parser: argparse.ArgumentParser) -> None:
    """The options that say which class is graded and how, which all of its parts share."""
    parser.add_argument(
        "submissions",
        metavar="SUBMISSIONS",
        type=Path,
        help="folder with an archive or folder for each student, or a platform's zip",
    )
    parser.add_argument(
        "--out", metavar="REPORTS", type=Path, required=True, help="folder for gradebook, feedback and records"
    )
    parser.add_argument(
        "--class", metavar="FILE", dest="class_file", type=Path,
        help="class.ini: roster, deadline and late rules, manual changes (see docs/grading.md)",
    )  # fmt: skip
    parser.add_argument(
        "--all-versions", action="store_true", help="grade every version, not only each student's newest"
    )
    parser.add_argument("--no-hidden", dest="hidden", action="store_false", help="leave out the hidden exercises")
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=_seconds,
        default=TIME_LIMIT,
        help=f"for each check (default {TIME_LIMIT:g})",
    )


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of jobs; give 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time limit; give seconds between 0 and 3600")
    return value


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
        print(f"Grading stopped: {error}. {GO_ON}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nStopped. {GO_ON}", file=sys.stderr)
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
    reports.check(options.submissions)
    with claims.scratch() as scratch:
        klass = read_class(options, scratch, most)
        return _grade(options, reports, klass, make_grader, mark, stop)


def read_class(options: argparse.Namespace, scratch: Path, most: float | None = None) -> Klass:
    """The class: its hand-ins by student, its roster, rules and changes. Raises CannotGrade."""
    rules = policy.read(options.class_file)
    with submissions.opened(options.submissions, scratch, rules.zone) as folder:
        found = submissions.find(folder, rules.zone)
    known = roster.read(rules.roster, rules.zone) if rules.roster else roster.Roster()
    owners = roster.owners(found.handins, known)
    changed = changes.by_owner(changes.read(rules.changes), owners, rules.changes.name) if rules.changes else {}
    total = sum(exercise.points for exercise in all_exercises(options.hidden)) if most is None else most
    return Klass(owners, changed, rules, known, found, total)


class Chosen:
    """The hand-ins that this class is about, and those of them that are graded now; their owners and their files' names."""

    def __init__(self, options: argparse.Namespace, klass: Klass) -> None:
        every = options.all_versions or klass.policy.every_version
        of = {owner.key: owner.handins if every else owner.handins[-1:] for owner in klass.owners}
        self.about = [handin for handins in of.values() for handin in handins]
        self.graded = self.about
        self._owners = {_key(handin): key for key, handins in of.items() for handin in handins}
        self._names = file_names(klass.found.handins)
        if options.only is not None:
            self.graded = list(of[changes.owner_of(options.only, klass.owners, "--only").key])
            if not self.graded:
                raise CannotGrade(f"{shown(options.only)} has handed in nothing, so there is nothing to grade.")
        if options.shard is not None:
            self.graded = [handin for handin in self.about if options.shard.has(self.owner_of(handin))]

    def owner_of(self, handin: Handin) -> str:
        return self._owners[_key(handin)]

    def name_of(self, handin: Handin) -> str:
        return self._names[_key(handin)] if _key(handin) in self._owners else ""


def _key(handin: Handin) -> tuple[str, int, str]:
    return handin.student, handin.version, handin.source


def file_names(handins: Iterable[Handin]) -> dict[tuple[str, int, str], str]:
    """Names of the hand-ins' files in the reports, whatever the options are: the newest of a student has the plain one."""
    handins = list(handins)
    last = {_key(handin) for handin in submissions.newest(handins)}
    names = {key: safe_name(same_student(key[0])) for key in last}
    taken = set(names.values())
    for handin in handins:
        if _key(handin) not in last:
            plain = f"{same_student(handin.student)}_{handin.version}"
            # A slash is in no student's name that is a file's, so the second name is nobody else's.
            name = safe_name(plain)
            names[_key(handin)] = name if name not in taken else safe_name(plain.replace("_", "/"))
    return names


def _grade(options: argparse.Namespace, reports: Reports, klass: Klass, make_grader: MakeGrader, mark: str,
           stop: threading.Event) -> int:  # fmt: skip
    """Grade the hand-ins of a class, and write its reports; returns the exit code."""
    chosen = Chosen(options, klass)
    whole, shard = reports, options.shard
    if shard is not None:
        reports = shard.reports(whole)
    notes = klass.found.notes() + klass.notes()
    with reports.locked():
        if shard is None:
            seed = reports.class_seed(options.seed, notes)
        else:
            seed = shards.class_seed(whole, options.seed, notes)
            shards.note(reports, shard, seed, mark, chosen.about)
        fresh = options.only is not None
        notes += _others(reports, chosen, mark) if fresh else []
        task = Task(reports, seed, mark, klass.possible, chosen.name_of, options.hidden, partial(after, reports), fresh)
        progress = Progress(len(chosen.graded), sys.stderr)
        for note in notes:
            progress.say(f"note: {note}")
        outcome = grade_class(chosen.graded, task, make_grader, options.jobs, progress, stop)
        progress.close()
        if not outcome.stopped and shard is None:
            for remark in finish_class(reports, klass, chosen.name_of, outcome):
                print(f"note: {remark}", file=sys.stderr)
    return summary(outcome, len(chosen.graded), reports, f" of part {shard}" if shard else "")


def _others(reports: Reports, chosen: Chosen, mark: str) -> list[str]:
    """Notes about those whom --only leaves as they are, if their marks are not what this run would give."""
    read = [reports.read(chosen.name_of(handin))[0] for handin in chosen.about if handin not in chosen.graded]
    without = sum(record is None for record in read)
    older = sum(record is not None and record["grader"] != mark for record in read)
    notes = [f"{without} others are not graded yet; without --only they are"] if without else []
    if older:
        notes.append(
            f"{older} others were graded with other options, marks or another version; without --only they are anew"
        )
    return notes


def finish_class(reports: Reports, klass: Klass, name_of: Callable[[Handin], str], outcome: Outcome) -> list[str]:
    """Write gradebook and class page; returns remarks. A bug in that is reported and takes no mark away."""
    failure, remarks = "", []
    try:
        remarks = finish(reports, klass, name_of)
    except OSError:
        raise
    except Exception as error:
        failure = traceback.format_exc()
        outcome.errors.append(f"gradebook or class page: {type(error).__name__}: {shown(str(error), 200)}")
    # A name with a leading dot, which no student's file has.
    reports.keep_traceback(".class", failure)
    return remarks


def summary(outcome: Outcome, total: int, reports: Reports, part: str = "") -> int:
    """Print how a run ended; returns the exit code. part: says which part of the class it was, if it was one."""
    unreadable = f", {outcome.unreadable} cannot be read" if outcome.unreadable else ""
    before = f", {outcome.kept} were graded before" if outcome.kept else ""
    print(f"{total} submissions{part}: {outcome.graded} graded now{before}{unreadable}.")
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
        print(f"Stopped. {GO_ON}", file=sys.stderr)
        return 2
    if part:
        print("Once all parts are graded, the command merge writes gradebook and class page.")
        return 1 if outcome.errors else 0
    print(f"Gradebook: {reports.gradebook}\nClass: {reports.folder / 'class.html'}")
    return 1 if outcome.errors else 0
