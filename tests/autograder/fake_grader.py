"""``grade`` with a quick grader that obeys a submission's first line, for tests with real processes."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograder.feedback import no_feedback
from autograder.staff.classroom import command as classroom
from autograder.staff.classroom import marking, merging, store

POSSIBLE = 10


class FakeGrader:
    """A submission ``# marks 7`` gets 7. Every finished grading leaves a line in the file FAKE_LOG."""

    level = ["process", "fake"]

    def __init__(self, hidden: bool = True) -> None:
        self.hidden = hidden

    def __enter__(self) -> FakeGrader:
        if os.environ.get("FAKE_NO_SANDBOX"):
            raise RuntimeError("no sandbox here")
        return self

    def __exit__(self, *details: object) -> None:
        if os.environ.get("FAKE_NO_CLOSE"):
            raise RuntimeError("does not close")

    def grade_open(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        if rounds := os.environ.get("FAKE_ROUNDS"):
            with open(rounds, "a") as file:
                file.write(f"open {(folder / 'mytorch/autograd_engine.py').read_text().splitlines()[0]}\n")
        if not self.hidden:
            return {**self.grade(folder, seeds), "learned": {}}
        found = fake_result(0.0, seeds[0])
        return {
            **found,
            "exercises": found["exercises"][:1],
            "checks": found["checks"][:1],
            "seconds": 0.1,
            "learned": {},
        }

    def grade_hidden(self, folder: Path, seeds: tuple[int, int], opened: dict[str, Any]) -> dict[str, Any]:
        if rounds := os.environ.get("FAKE_ROUNDS"):
            with open(rounds, "a") as file:
                file.write("hidden\n")
        return self.grade(folder, seeds)

    def grade(self, folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
        source = (folder / "mytorch/autograd_engine.py").read_text()
        words = source.split("\n")[0].removeprefix("# ").split()
        if log := os.environ.get("FAKE_LOG"):
            with open(log, "a") as file:
                file.write(f"{source.splitlines()[0]}\n")
        time.sleep(float(os.environ.get("FAKE_TIME", "0")))
        kind, marks = words[0], float(words[1]) if len(words) > 1 else 0.0
        if kind == "bug":
            raise ZeroDivisionError("a bug in the <grader>")
        if kind == "nonsense":
            return {"exercises": [], "checks": [], "total": float("nan"), "possible": POSSIBLE}
        if kind == "exit":
            raise SystemExit(3)
        if kind == "chance":
            marks = float(os.environ.get("FAKE_CHANCE", "1"))
        if kind == "seeded":
            marks = (seeds[0] + seeds[1]) % 9973 / 1000
        return fake_result(marks, seeds[0])


def fake_result(marks: float, seed: int) -> dict[str, Any]:
    """Two exercises, the second hidden, and two checks that show the seed."""
    open_marks, hidden_marks = min(marks, 6.0), max(marks - 6.0, 0.0)
    exercises = [
        {"name": name, "points": points, "earned": earned, "hidden": hidden, "passed": earned == points, "hint": "",
         "seconds": 0.1}
        for name, points, earned, hidden in (("Open", 6.0, open_marks, False), ("Hidden", 4.0, hidden_marks, True))
    ]  # fmt: skip
    checks = [
        {"exercise": e["name"], "check": "all", "points": e["points"], "earned": e["earned"], "needs": "",
         "status": "passed" if e["passed"] else "failed", "hint": "" if e["passed"] else "sign",
         "feedback": {**no_feedback(), "came": f"seed {seed}"}, "printed": "", "hidden": e["hidden"]}
        for e in exercises
    ]  # fmt: skip
    return {"exercises": exercises, "checks": checks, "total": marks, "possible": POSSIBLE}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    classroom.configure(parser)
    if os.environ.get("FAKE_CLOCK"):
        # Records of two runs are then the same to the byte.
        stopped = SimpleNamespace(monotonic=lambda: 0.0, sleep=time.sleep)
        marking.time = stopped  # type: ignore[assignment]
        marking.now = store.now = lambda: "2024-01-01T00:00:00+00:00"
    options = parser.parse_args(arguments)
    return classroom.run(options, partial(FakeGrader, options.hidden), POSSIBLE)


def merge(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    merging.configure(parser)
    return merging.run(parser.parse_args(arguments), POSSIBLE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
