"""Grades the submissions of a class with several jobs. What is graded is kept at once; nothing of one reaches another."""

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
# How often a sandbox is asked for: what another submission does to the machine may be over in a moment.
ATTEMPTS, PAUSE = 3, 1.0


class Stopped(BaseException):
    """The run was stopped while a submission was being graded; nothing is recorded of it."""


class NoGrader(BaseException):
    """No sandbox can be made, so that nothing can be graded at all."""


class Grader(Protocol):
    """Grades one submission after the other. level: what it is isolated by."""

    level: list[str]

    def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        """exercises, checks, total and possible of a Record. Raises where the grader itself fails."""


MakeGrader = Callable[[], AbstractContextManager[Grader]]


@dataclass
class Outcome:
    """How a run went: numbers, and who met an error of ours."""

    graded: int = 0
    kept: int = 0
    unreadable: int = 0
    errors: list[str] = field(default_factory=list)
    stopped: bool = False


@dataclass(frozen=True)
class Task:
    """What is the same for every submission of a run.

    grader: the fingerprint of the grader and its options. name_of: a submission's file name in the reports.
    after: called with each new record, its name and the folder that was graded (None where there was none), before the
    record is kept: what it makes is there whenever the record is.
    """

    reports: Reports
    class_seed: int
    grader: str
    possible: float
    name_of: Callable[[Handin], str]
    after: Callable[[Record, str, Path | None], None] = lambda record, name, folder: None


@dataclass(frozen=True)
class Finished:
    """What is told of one submission. status: of its record, or KEPT with the kept record's status as the line."""

    handin: Handin
    status: str
    line: str
    note: str


def grade_one(handin: Handin, task: Task, grader: Callable[[], Grader]) -> Finished:
    """Grade a submission unless its record still holds, and keep the record. Raises OSError where it cannot be kept."""
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
            if before and before["status"] != GRADER_ERROR and opened.digest and _same(before, record):
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
    # Nothing but the reading may say "unreadable": that is 0 marks, and an error of ours never is.
    try:
        return read()
    except CannotGrade as error:
        record["status"], record["reason"] = UNREADABLE, str(error)
        return None


def _own_error(record: Record, error: BaseException) -> str:
    """Whatever it is, it is ours: no mark comes of it. The traceback is for staff, the record is not."""
    record.update({"status": GRADER_ERROR, "reason": OWN_ERROR, "exercises": [], "checks": [], "total": 0.0})
    return "".join(traceback.format_exception(error))


def _same(before: Record, record: Record) -> bool:
    keys = ("student", "version", "source", "digest", "grader", "seed", "hidden_seed")
    return all(before[key] == record[key] for key in keys)  # type: ignore[literal-required]


def _checked(found: dict[str, Any], record: Record) -> dict[str, Any]:
    """What a grader returned, if it can be a part of this record."""
    kept = {key: found[key] for key in ("exercises", "checks", "total", "possible")}
    if not is_record({**record, **kept}):
        raise TypeError("what the grader returned is no record")
    json.dumps(kept, allow_nan=False)
    if not 0 <= kept["total"] <= kept["possible"]:
        raise ValueError(f"a total of {kept['total']} out of {kept['possible']} cannot be")
    return kept


def grade_class(handins: Iterable[Handin], task: Task, make_grader: MakeGrader, jobs: int, progress: Progress,
                stop: threading.Event) -> Outcome:  # fmt: skip
    """Grade all of them. Raises OSError where a record cannot be written, and NoGrader.

    Ctrl-C stops it: what is being graded at that moment is left, and the outcome says so.
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
    # Every submission in one number: what cannot be read is counted there, also when that was found out before.
    outcome.kept += one.status == KEPT and one.line != UNREADABLE
    outcome.graded += one.status == GRADED
    outcome.unreadable += UNREADABLE in (one.status, one.line)
    if one.status == GRADER_ERROR:
        outcome.errors.append(f"{shown(one.handin.source)}: {one.line}")
        if progress.bar:
            progress.say(outcome.errors[-1])
    progress.done(one.handin.student, one.line, kept=one.status == KEPT)


class _Maker:
    """One job's sandbox: made when it is first needed, and anew after an error of ours."""

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
        """What went wrong in closing it, or nothing."""
        made, self._made = self._made, None
        try:
            if made:
                made[0].__exit__(None, None, None)
        except Exception as error:
            return f"a sandbox could not be closed: {type(error).__name__}: {shown(str(error), 200)}"
        return ""


def _work(waiting: Iterator[Handin], taking: threading.Lock, task: Task, make_grader: MakeGrader,
          done: queue.SimpleQueue[Any], stop: threading.Event) -> None:  # fmt: skip
    """One job: takes hand-ins as long as there are any."""
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
