"""Record of one graded submission, and the part of it that its student may see."""

from __future__ import annotations

import argparse
import hashlib
from typing import Any, TypedDict

from autograder.feedback import CheckRecord

FORMAT = 3
# Status of a Record.
GRADED, UNREADABLE, GRADER_ERROR = "graded", "unreadable", "GRADER_ERROR"


class ExerciseRecord(TypedDict):
    """Result of one exercise. hint: the general sentence about a hidden exercise, which is all that its student sees."""

    name: str
    points: float
    earned: float
    hidden: bool
    passed: bool
    hint: str
    seconds: float


class Record(TypedDict):
    """Result of one submission as plain JSON. Text that came from the submission is untrusted.

    flags: what a person should look at, each with "kind" and "evidence"; for staff alone.
    """

    format: int
    student: str
    version: int
    source: str
    digest: str
    grader: str
    seed: int
    hidden_seed: int
    level: list[str]
    status: str
    reason: str
    started: str
    seconds: float
    notes: list[str]
    exercises: list[ExerciseRecord]
    checks: list[CheckRecord]
    flags: list[dict[str, str]]
    total: float
    possible: float


def blank(
    *, source: str, grader: str, possible: float, student: str = "", version: int = 0, started: str = ""
) -> Record:
    """The record of a submission that has not run yet, without marks."""
    return {
        "format": FORMAT, "student": student, "version": version, "source": source, "digest": "", "grader": grader,
        "seed": 0, "hidden_seed": 0, "level": [], "status": GRADED, "reason": "", "started": started, "seconds": 0.0,
        "notes": [], "exercises": [], "checks": [], "flags": [], "total": 0.0, "possible": possible,
    }  # fmt: skip


def class_seed(text: str) -> int:
    """A class seed from the command line. Raises ArgumentTypeError. Every command accepts the seeds that others draw."""
    if not text.isdecimal() or len(text) > 40:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number of at most 40 digits")
    return int(text)


def seeds_for(class_seed: int, digest: str) -> tuple[int, int]:
    """Seeds of a submission's open and hidden exercises, which depend on the class seed and the digest alone."""
    data = hashlib.sha256(f"{class_seed}/{digest}".encode()).digest()
    return int.from_bytes(data[:6], "big"), int.from_bytes(data[6:12], "big")


def student_view(record: Record) -> dict[str, Any]:
    """A record's part for its student: of hidden exercises the status and the general hint, never checks, inputs or seeds."""
    kept: dict[str, Any] = {k: v for k, v in record.items() if k not in ("hidden_seed", "checks", "grader", "flags")}
    if record["status"] == GRADER_ERROR:
        # The message of a bug may quote anything, hidden checks too.
        kept["reason"] = ""
    # A submission can vary its running time to tell what it was given, so times of hidden exercises are left out.
    kept["exercises"] = [{**row, "seconds": 0.0 if row["hidden"] else row["seconds"]} for row in record["exercises"]]
    if any(row["hidden"] for row in record["exercises"]):
        kept["seconds"] = round(sum(row["seconds"] for row in kept["exercises"]), 3)
    return {**kept, "checks": [dict(check) for check in record["checks"] if not check["hidden"]]}
