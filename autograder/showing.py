"""The option --show: writes a page of the first failing check, with the list that the submission's own engine recorded.

The page holds what the terminal tells (what was given, expected and received, the hint) and the submission's own steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from autograder.compare import Problem, close, judge
from autograder.exercises import EXERCISES, cases_of
from autograder.feedback import feedback_lines, heading, no_feedback
from autograder.helpers import Check
from autograder.outcome import Result
from autograder.submission import CannotGrade
from autograder.worker.scenarios import find
from autograder.worker.student import Student


class Watched(Student):
    """A submission whose engines are watched by the viewer."""

    def engine(self) -> Any:
        """A new engine of the submission, which notes what it does."""
        engine = super().engine()
        _viewer("watching").watch(engine)
        return engine


@dataclass(frozen=True)
class Failure:
    """A check that failed, the values expected and received where they are known, and the recordings of its engines."""

    check: Check
    found: Problem
    expected: Any
    received: Any
    recordings: list[Any]


def show(folder: Path, checks: list[Check], seed: int, path: Path) -> int:
    """Write the page of the first check that fails and say where it lies. Returns 0 if none fails, else 1.

    Raises CannotGrade where the submission has no viewer or the page cannot be written.
    """
    failure = first_failure(folder, checks, seed)
    if failure is None:
        print(f"{len(checks)} checks passed; there is nothing to show.")
        return 0
    print("\n".join(feedback_lines(Result(failure.check, "failed", failure.found).record())))
    recording = max(failure.recordings, key=lambda one: len(one.records), default=None)
    if recording is None:
        print("\nThis check records no list, so there is no page to step through: the lines above are all that it saw.")
        return 1
    _mark_the_step(recording, failure)
    seen = failure.found.feedback
    comparison = {
        "what": seen["looked_at"],
        "expected": failure.expected,
        "received": failure.received,
        "hint": seen["hint"],
        "given": seen["given"],
    }
    title = heading(Result(failure.check, "failed", failure.found).record())
    try:
        _viewer("page").write_recording(recording, path, title, comparison=comparison)
    except OSError as error:
        raise CannotGrade(f"{path} cannot be written: {error.strerror}.") from None
    print()
    _viewer("page").open_or_say(path)
    return 1


def first_failure(folder: Path, checks: list[Check], seed: int) -> Failure | None:
    """The first check and case that fails, run in this process; None if all pass."""
    student = Watched(str(folder))
    parts = {exercise.name: list(exercise.parts) for exercise in EXERCISES}
    for check in checks:
        for given, again in zip(cases_of(check, seed), cases_of(check, seed)):
            student.engines.clear()
            got: Any = None
            try:
                student.load(parts[check.exercise])
                got = find(check.scenario)(student, given)
                found = judge(check, again, got)
            except CannotGrade:
                raise
            except Exception as error:
                found = Problem("", {**no_feedback(), "came": f"{type(error).__name__}: {error}"})
            if found is None:
                continue
            name = found.feedback["looked_at"]
            expected = check.expect(again).get(name)
            received = got.get(name) if isinstance(got, dict) else None
            recordings = [r for e in student.engines if (r := getattr(e, "viewer_recording", None)) is not None]
            return Failure(check, found, expected.array if expected else None, received, recordings)
    return None


def _mark_the_step(recording: Any, failure: Failure) -> None:
    """Note on the page the step whose value is the one that was received instead of the expected one."""
    for record in recording.records:
        if record.within is not None:  # the submission's line, not the check's that called it
            record.line, record.within = record.within, None
    at, back = _where(recording, failure.received)
    if at is None:
        return
    seen = failure.found.feedback
    text = f"Here the {seen['looked_at']} parts from what is expected."
    recording.findings.append(_viewer("recording").Finding(at, text, serious=True, back=back))


def _where(recording: Any, received: Any) -> tuple[int | None, bool]:
    """The operation that made a received value: the gradient that it sent, or its output. The flag: in the backward pass."""
    if not isinstance(received, np.ndarray):
        return None, False

    def same(value: Any) -> bool:
        return isinstance(value, np.ndarray) and value.shape == received.shape and close(value, received, 1e-6)

    for call in reversed(recording.walk.calls if recording.walk else []):
        if any(same(gradient) for gradient in call.returned):
            return call.number, True
    for number, record in enumerate(recording.records):
        if any(same(output) for output in record.outputs):
            return number, False
    # A sum of several contributions: the operation that reads the array and was called last.
    for number, record in enumerate(recording.records):
        for array in record.operation.inputs:
            if isinstance(array, np.ndarray) and array.shape == received.shape and recording.walk:
                gradient = recording.walk.gradients.get(_viewer("recording").locate(array))
                if same(gradient):
                    return number, True
    return None, False


def _viewer(name: str) -> Any:
    """A module of the viewer. Raises CannotGrade where the submission's folder has none."""
    try:
        return import_module(f"mytorch.viewer.{name}")
    except ImportError as error:
        raise CannotGrade(
            f"--show needs the folder mytorch/viewer of the handout, which cannot be imported here ({error}). Copy it back."
        ) from None
