"""Grading of a class's submissions in several jobs. Each record is kept at once; submissions stay apart."""

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
from pathlib import Path
from typing import Any, Protocol

from autograder.archives import CannotGrade, Contents, shown, write
from autograder.staff.classroom.progress import Progress
from autograder.staff.classroom.store import Reports, is_record, now
from autograder.staff.handins import Handin, open_handin
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE, Record, blank, seeds_for

OWN_ERROR = "An error of the grader itself: this submission has no mark yet, and staff have to look at it."
KEPT = "kept"
# Attempts to make a sandbox, and seconds between them: another submission may block the machine for a moment.
ATTEMPTS, PAUSE = 3, 1.0


class Stopped(BaseException):
    """The run was stopped during a submission, of which nothing is recorded."""


class NoGrader(BaseException):
    """No sandbox can be made, so nothing can be graded."""


class Grader(Protocol):
    """Grader of single submissions. level: the level of isolation in words."""

    level: list[str]

    def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        """Grade one submission; returns exercises, checks, total and possible of a Record. Raises if the grader fails."""


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
    after: called with each new record, its name and the graded folder (or None) before the record is kept, so that its
    files exist whenever the record does. fresh: grade what has a valid record, too.
    """

    reports: Reports
    class_seed: int
    grader: str
    possible: float
    name_of: Callable[[Handin], str]
    after: Callable[[Record, str, Path | None], None] = lambda record, name, folder: None
    fresh: bool = False


@dataclass(frozen=True)
class Finished:
    """Report on one submission. status: of its record, or KEPT; then line is the status of the kept record."""

    handin: Handin
    status: str
    line: str
    note: str


def grade_one(handin: Handin, task: Task, grader: Callable[[], Grader]) -> Finished:
    """Grade a submission unless its record is still valid, and keep the new record. Raises OSError if that fails."""
    name = task.name_of(handin)
    before, refused = task.reports.read(name)
    note = f"{refused}, so this one is graded again" if refused else ""
    clock = time.monotonic()
    record = blank(
        source=handin.source, grader=task.grader, possible=task.possible, student=handin.student,
        version=handin.version, started=now(),
    )  # fmt: skip
    failure = ""
    with tempfile.TemporaryDirectory(dir=task.reports.work) as scratch:
        folder = Path(scratch)
        try:
            opened = open_handin(handin.path)
            record["digest"] = opened.digest
            record["seed"], record["hidden_seed"] = seeds_for(task.class_seed, opened.digest)
            valid = before and before["status"] != GRADER_ERROR and opened.digest and not task.fresh
            if before and valid and _same(before, record):
                return Finished(handin, KEPT, before["status"], note)
            contents = _contents(opened.contents, record)
            if contents is not None:
                record["notes"] = contents.notes
                write(contents.files, folder)
                worker = grader()
                record["level"] = list(worker.level)
                found = worker.grade(folder, (record["seed"], record["hidden_seed"]))
                record.update(_checked(found, record))  # type: ignore[typeddict-item]
        except (Exception, SystemExit) as error:
            failure = _own_error(record, error)
        record["seconds"] = round(time.monotonic() - clock, 3)
        try:
            task.after(record, name, folder if record["status"] == GRADED else None)
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


def _same(before: Record, record: Record) -> bool:
    keys = ("student", "version", "source", "digest", "grader", "seed", "hidden_seed")
    return all(before[key] == record[key] for key in keys)  # type: ignore[literal-required]


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
    waiting = iter(list(handins))
    taking = threading.Lock()
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_work, args=(waiting, taking, task, make_grader, done, stop), daemon=True)
        for _ in range(jobs)
    ]
    outcome = Outcome()
    failure: BaseException | None = None
    running = len(threads)
    for thread in threads:
        thread.start()
    while running:
        try:
            finished = done.get()
            if finished is None:
                running -= 1
            elif isinstance(finished, Finished):
                _count(outcome, finished, progress)
            elif isinstance(finished, str):
                outcome.errors.append(finished)
            else:
                failure = failure or finished
                stop.set()
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
            outcome.stopped = True
            progress.say("Stopping: what is being graded is put aside. Once more Ctrl-C stops at once.")
    if failure:
        raise failure
    return outcome


def _count(outcome: Outcome, one: Finished, progress: Progress) -> None:
    if one.note:
        progress.say(f"note: {one.note}")
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
    """Sandbox of one job: made when it is first needed, and anew after a bug of the grader."""

    def __init__(self, make: MakeGrader) -> None:
        self._make = make
        self._made: tuple[AbstractContextManager[Grader], Grader] | None = None

    def get(self) -> Grader:
        for attempt in range(ATTEMPTS):
            if self._made:
                break
            try:
                context = self._make()
                self._made = context, context.__enter__()
            except Exception as error:
                if attempt == ATTEMPTS - 1:
                    raise NoGrader(f"{type(error).__name__}: {error}") from error
                time.sleep(PAUSE)
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


def _work(waiting: Iterator[Handin], taking: threading.Lock, task: Task, make_grader: MakeGrader,
          done: queue.SimpleQueue[Any], stop: threading.Event) -> None:  # fmt: skip
    """One job: grades hand-ins until none is left."""
    maker = _Maker(make_grader)
    try:
        while not stop.is_set():
            with taking:
                handin = next(waiting, None)
            if handin is None:
                break
            finished = grade_one(handin, task, maker.get)
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
