"""Helpers of the tests of grading a class: hand-ins, runs of the command, and the files that it leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.autograder import workshop
from tests.autograder.archive_tools import ENGINE, GOOD, tar
from tests.autograder.fake_grader import main

PROGRAM = [sys.executable, "-m", "tests.autograder.fake_grader"]


def hand_in(folder: Path, student: str, line: str, version: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{student}@x.edu_{version}_handin.tar"
    path.write_bytes(tar({**GOOD, ENGINE: f"# {line}\n".encode()}))
    return path


def grade(submissions: Path, out: Path, *more: str) -> int:
    return main([str(submissions), "--out", str(out), "--jobs", "2", *more])


def process(submissions: Path, out: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, str(submissions), "--out", str(out), "--jobs", "2", *more],
        cwd=workshop.ROOT, env={**os.environ, **environment}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Where the tests run in the background, Ctrl-C is ignored, and this would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "gradebook.csv", encoding="utf-8-sig", newline="") as file:
        return {f"{row['student']}/{row['version']}": row for row in csv.DictReader(file)}


def records(out: Path) -> dict[str, dict[str, Any]]:
    """All records without what time makes different."""
    found = {path.stem: json.loads(path.read_text()) for path in (out / "records").glob("*.json")}
    for record in found.values():
        del record["seconds"], record["started"]
    return found
