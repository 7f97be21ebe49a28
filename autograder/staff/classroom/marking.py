"""Grading of a class's submissions in several jobs. Each record is kept at once; submissions stay apart.

There are two rounds: everybody's open exercises, then everybody's hidden ones. What a process learns from a hidden exercise
could be told to another one by signals such as load. In the second round no process is left whose output a student sees.
"""

from __future__ import annotations

import json
import queue
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from autograder.archives import CannotGrade, Contents, shown
from autograder.staff.classroom.flags import flags_of
from autograder.staff.classroom.progress import Progress
from autograder.staff.classroom.store import Reports, is_record, now
from autograder.staff.handins import Handin, open_handin
from autograder.staff.mirror import Mirror
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE, Record, blank, seeds_for

OWN_ERROR = "An error of the grader itself: this submission has no mark yet, and staff have to look at it."
# Status of a Finished: its record was kept from an earlier run; its open exercises are graded and the hidden ones are not.
KEPT, OPENED = "kept", "opened"
# Attempts to make a sandbox, and seconds after the first, which double: another submission may block the machine for a while.
ATTEMPTS, PAUSE = 4, 1.0


class Stopped(BaseException):
    """The run was stopped during a submission, of which nothing is recorded."""


class NoGrader(BaseException):
    """No sandbox can be made on this machine, so nothing can be graded."""


class Grader(Protocol):
    """Grader of single submissions. level: the level of isolation in words. Each method raises if the grader fails."""

    level: list[str]

    def grade_open(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        """Grade the open exercises; returns the data of grading.Opened."""

    def grade_hidden(self, folder: Path, seeds: tuple[int, int], opened: dict[str, Any]) -> dict[str, Any]:
        """Grade the hidden exercises; returns exercises, checks, total and possible of both for a Record."""


MakeGrader = Callable[[], AbstractContextManager[Grader]]


@dataclass
class Outcome:
    """Summary of a run: numbers of submissions, and errors of the grader."""

    graded: int = 0
    kept: int = 0
    unreadable: int = 0
    errors: list[str] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True)
class Task:
    """Settings shared by all submissions of a run.

    grader: the fingerprint of the grader and its options. name_of: gives a submission's file name in the reports.
    hidden: True if there is a second round.
    after: called with each new record, its name and the graded folder (or None) before the record is kept, so that its
    files exist whenever the record does. fresh: grade what has a valid record, too.
    """

    reports: Reports
    class_seed: int
    grader: str
    possible: float
    name_of: Callable[[Handin], str]
    hidden: bool = True
    after: Callable[[Record, str, Path | None], None] = lambda record, name, folder: None
    fresh: bool = False


@dataclass(frozen=True)
class Finished:
    """Report on one submission. status: of its record, OPENED or KEPT; then line is the status of the kept record."""

    handin: Handin
    status: str
    line: str
    note: str


def grade_one(handin: Handin, task: Task, grader: Callable[[], Grader], mirror: Mirror, *, first: bool) -> Finished:
    """One round for a submission, unless its record is still valid. Keeps the new record; raises OSError if that fails.

    mirror: where the files are put for the grader. first: the round of the open exercises. A record is finished in the round
    of the hidden ones, if they count.
    """
    name = task.name_of(handin)
    before, refused = task.reports.read(name)
    note = f"{refused}, so this one is graded again" if refused and first else ""
    clock = time.monotonic()
    record = blank(
        source=handin.source, grader=task.grader, possible=task.possible, student=handin.student,
        version=handin.version, started=now(),
    )  # fmt: skip
    failure = ""
    try:
        opened = open_handin(handin.path)
        record["digest"] = opened.digest
        record["seed"], record["hidden_seed"] = seeds_for(task.class_seed, opened.digest)
        valid = before and before["status"] != GRADER_ERROR and opened.digest and not task.fresh
        if before and valid and _same(before, record):
            return Finished(handin, KEPT, before["status"], note)
        half = task.reports.read_opened(name)
        half = half if half and _same(half, record) and not (first and task.fresh) else None
        if half and first:
            return Finished(handin, OPENED, "", note)
        if not half and not first:
            raise RuntimeError("the hand-in was changed while the class was graded; grade the class again")
        if (contents := _contents(opened.contents, record)) is not None:
            mirror.hold(contents.files)
            record["notes"] = contents.notes
            learned = _grade(record, mirror.folder, grader(), half)
            record["seconds"] = round(record["seconds"] + time.monotonic() - clock, 3)
            if first and task.hidden:
                task.reports.write_opened(name, {**record, "learned": learned})
                return Finished(handin, OPENED, f"open exercises {record['total']:g}", note)
            record["flags"] = flags_of(record, contents.files)
    except (Exception, SystemExit) as error:
        failure = _own_error(record, error)
    try:
        task.after(record, name, mirror.folder if record["status"] == GRADED else None)
    except OSError:
        raise
    except Exception as error:
        failure = _own_error(record, error)
    task.reports.keep_traceback(name, failure)
    task.reports.write(name, record)
    line = f"{record['total']:g} / {record['possible']:g}" if record["status"] == GRADED else record["reason"]
    if failure:
        line = f"{GRADER_ERROR}: {shown(failure.strip().splitlines()[-1], 200)}"
    return Finished(handin, record["status"], line, note)


def _grade(record: Record, folder: Path, worker: Grader, half: Any) -> Any:
    """Fill in the results of one round; returns what the second one has to know. half: the record of the first round."""
    seeds = (record["seed"], record["hidden_seed"])
    if half:
        record["started"], record["level"], record["seconds"] = half["started"], half["level"], half["seconds"]
        found = worker.grade_hidden(folder, seeds, half)
    else:
        record["level"] = list(worker.level)
        found = worker.grade_open(folder, seeds)
    record.update(_checked(found, record))  # type: ignore[typeddict-item]
    return found.get("learned")


def _contents(read: Callable[[], Contents], record: Record) -> Contents | None:
    # Only a failure to read is "unreadable", which means 0 marks. A bug of the grader never does.
    try:
        return read()
    except CannotGrade as error:
        record["status"], record["reason"] = UNREADABLE, str(error)
        return None


def _own_error(record: Record, error: BaseException) -> str:
    """Record a bug of the grader as GRADER_ERROR, without marks; returns the traceback, for staff alone."""
    record.update({"status": GRADER_ERROR, "reason": OWN_ERROR, "exercises": [], "checks": [], "total": 0.0})
    return "".join(traceback.format_exception(error))


def _same(before: Any, record: Record) -> bool:
    keys = ("student", "version", "source", "digest", "grader", "seed", "hidden_seed")
    return all(before.get(key) == record[key] for key in keys)  # type: ignore[literal-required]


def _checked(found: dict[str, Any], record: Record) -> dict[str, Any]:
    """The grader's result, after a check that it fits into this record. Raises TypeError or ValueError."""
    kept = {key: found[key] for key in ("exercises", "checks", "total", "possible")}
    if not is_record({**record, **kept}):
        raise TypeError("what the grader returned is no record")
    json.dumps(kept, allow_nan=False)
    if not 0 <= kept["total"] <= kept["possible"]:
        raise ValueError(f"a total of {kept['total']} out of {kept['possible']} cannot be")
    return kept


def grade_class(handins: Iterable[Handin], task: Task, make_grader: MakeGrader, jobs: int, progress: Progress,
                stop: threading.Event) -> Outcome:  # fmt: skip
    """Grade all hand-ins. Raises OSError if a record cannot be written, and NoGrader.

    Ctrl-C stops the run: submissions in work are left ungraded, and the outcome says so.
    """
    outcome = Outcome()
    remaining = list(handins)
    made = threading.Event()
    started: list[threading.Thread] = []
    make = partial(_Maker, make_grader, made)
    try:
        for first in (True, False) if task.hidden else (True,):
            remaining = _round(remaining, first, task, make, jobs, progress, stop, outcome, started)
            if stop.is_set():
                break
    except KeyboardInterrupt:
        # Not while a job's report was awaited, but where jobs start or a round ends.
        if stop.is_set():
            raise
        _stop(outcome, progress, stop)
        for thread in started:
            if thread.ident is not None:
                thread.join()
    return outcome


def _stop(outcome: Outcome, progress: Progress, stop: threading.Event) -> None:
    stop.set()
    outcome.stopped = True
    progress.say("Stopping: what is being graded is put aside. Once more Ctrl-C stops at once.")


def _round(
    handins: list[Handin], first: bool, task: Task, make: Callable[[], _Maker], jobs: int, progress: Progress,
    stop: threading.Event, outcome: Outcome, started: list[threading.Thread],
) -> list[Handin]:  # fmt: skip
    """Grade hand-ins in several jobs; returns those that another round has to finish, in their order.

    started: collects the jobs' threads.
    """
    waiting = iter(handins)
    taking = threading.Lock()
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    grade = partial(grade_one, task=task, first=first)
    threads = [
        threading.Thread(
            target=_work, args=(task.reports.work, waiting, taking, grade, make(), done, stop), daemon=True
        )
        for _ in range(min(jobs, len(handins)))
    ]
    failure: BaseException | None = None
    opened: set[Handin] = set()
    running = len(threads)
    for thread in threads:
        started.append(thread)
        thread.start()
    while running:
        try:
            finished = done.get()
            if finished is None:
                running -= 1
            elif isinstance(finished, Finished):
                if finished.note:
                    progress.say(f"note: {finished.note}")
                if finished.status == OPENED:
                    opened.add(finished.handin)
                    progress.opened(finished.handin.student, finished.line)
                else:
                    _count(outcome, finished, progress)
            elif isinstance(finished, str):
                outcome.errors.append(finished)
            else:
                failure = failure or finished
                stop.set()
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            _stop(outcome, progress, stop)
    if failure:
        raise failure
    return [handin for handin in handins if handin in opened]


def _count(outcome: Outcome, one: Finished, progress: Progress) -> None:
    # Each submission counts once. An unreadable one counts as unreadable, even if its record was kept.
    outcome.kept += one.status == KEPT and one.line != UNREADABLE
    outcome.graded += one.status == GRADED
    outcome.unreadable += UNREADABLE in (one.status, one.line)
    if one.status == GRADER_ERROR:
        outcome.errors.append(f"{shown(one.handin.source)}: {one.line}")
        if progress.bar:
            progress.say(outcome.errors[-1])
    progress.done(one.handin.student, one.line, kept=one.status == KEPT)


class _Maker:
    """Sandbox of one job: made when it is first needed, and anew after a bug of the grader.

    made: set once any sandbox of this run was made. Until then, a failure says that nothing can be graded here; later, that
    one submission cannot be graded now.
    """

    def __init__(self, make: MakeGrader, made: threading.Event) -> None:
        self._make, self._ever = make, made
        self._made: tuple[AbstractContextManager[Grader], Grader] | None = None

    def get(self) -> Grader:
        for attempt in range(ATTEMPTS):
            if self._made:
                break
            try:
                context = self._make()
                self._made = context, context.__enter__()
                self._ever.set()
            except Exception as error:
                if attempt < ATTEMPTS - 1:
                    time.sleep(PAUSE * 2**attempt)
                elif self._ever.is_set():
                    raise
                else:
                    raise NoGrader(f"{type(error).__name__}: {error}") from error
        assert self._made is not None
        return self._made[1]

    def close(self) -> str:
        """Close the sandbox; returns an error message or an empty text."""
        made, self._made = self._made, None
        try:
            if made:
                made[0].__exit__(None, None, None)
        except Exception as error:
            return f"a sandbox could not be closed: {type(error).__name__}: {shown(str(error), 200)}"
        return ""


def _work(work: Path, waiting: Iterator[Handin], taking: threading.Lock, grade: Callable[..., Finished], maker: _Maker,
          done: queue.SimpleQueue[Any], stop: threading.Event) -> None:  # fmt: skip
    """One job: grades hand-ins until none is left. work: a folder for files of the moment."""
    try:
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            mirror = Mirror(Path(scratch) / "submission")
            while not stop.is_set():
                with taking:
                    handin = next(waiting, None)
                if handin is None:
                    break
                finished = grade(handin, grader=maker.get, mirror=mirror)
                done.put(finished)
                if finished.status == GRADER_ERROR and (trouble := maker.close()):
                    done.put(trouble)
    except Stopped:
        pass
    except BaseException as error:
        done.put(error)
    finally:
        if trouble := maker.close():
            done.put(trouble)
        done.put(None)
