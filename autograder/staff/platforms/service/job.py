"""Grading of the one hand-in of a platform's job. start.py runs it and uses its output if it exits with 0.

Exit code 2 means GRADER_ERROR; the output is then the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[4]
CONFIG, MARKER, TOP, TAR = "config.json", ".mytorch-grader", "mytorch-grader", "autograde.tar"
PUBLIC = "autograder/exercises.py"
# Seconds that the grader needs itself, to start and to print.
MARGIN = 15.0
# Seconds that a submission's process may take beside its checks.
START = 10.0
# Seconds at the end in which no new process starts: as long as one with many slow checks may take.
LONGEST = 40.0
# A process that takes longer is slow by its own fault, not the machine's.
SLOW = 5.0


class CannotFinish(Exception):
    """A bug or a wrong setup of the grader. The message may be shown to a student."""


def main(arguments: list[str] | None = None) -> int:
    """Print the output for Autolab, or the text of results.json; returns the exit code."""
    parser = argparse.ArgumentParser(prog="job.py")
    parser.add_argument("platform", choices=("autolab", "gradescope"))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--site", type=Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(arguments)
    # The platforms read UTF-8, whatever this machine's locale is.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        sys.path.insert(0, str(HOME))
        protect()
        if options.site:
            sys.path.insert(1, str(options.site))
        need_numpy()
        output = run(options)
    except CannotFinish as error:
        print(error)
        return 2
    except Exception as error:
        # The message may contain a hidden input; the place of the error does not.
        traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        known = type(error).__name__ in ("SandboxBroken", "CannotIsolate")
        print(error if known else f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}")
        return 2
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    return 0


def protect() -> None:
    """On Linux: end with start.py, and close this process's memory to other processes of the same user."""
    if sys.platform == "linux":
        from autograder.worker import linux

        for measure in (linux.die_with_parent, linux.hide_memory):
            with contextlib.suppress(OSError):
                measure()


def need_numpy() -> None:
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        python = f"{sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]})"
        raise CannotFinish(
            f"NumPy cannot be imported by {python}. Staff: install it in the image, or build with --wheels. ({error})"
        ) from None


def run(options: argparse.Namespace) -> bytes:
    """Grade and render for the platform. Raises CannotFinish if the platform would refuse the output."""
    from autograder.staff.files import as_json
    from autograder.staff.platforms import formats
    from autograder.staff.platforms.service import autolab, gradescope, limits
    from autograder.staff.record import student_view

    config = json.loads((HOME / CONFIG).read_text(encoding="utf-8"))
    note = ""
    if options.platform == "gradescope":
        verdict = limits.judge_limit(read_metadata(options.root), config["most"], config["hours"])
        note = verdict.note
        if not verdict.graded:
            return as_json(gradescope.not_graded(verdict, config))
    view = student_view(grade_one(options, config))
    if options.platform == "autolab":
        output = autolab.render(view, config)
        wrong = formats.autolab_problems(output, list(config["problems"]), columns=1 if config["scoreboard"] else 0)
    else:
        results = gradescope.results(view, config, note)
        output = as_json(results)
        wrong = formats.gradescope_problems(results, sum(config["problems"].values()))
    if wrong:
        raise CannotFinish(f"the results are not in the platform's format ({wrong[0]})")
    return output


def read_metadata(root: Path) -> Any:
    """submission_metadata.json, or None if it is missing or garbled."""
    try:
        return json.loads((root / "submission_metadata.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


class Budget:
    """A sandbox with a time budget for the whole submission. A process that might not end within it is not started."""

    def __init__(self, sandbox: Any, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.sandbox, self.level, self.clock = sandbox, list(sandbox.level), clock
        self.seconds, self.deadline = seconds, clock() + seconds
        self.used_up = self.slow = False

    def run_scenarios(
        self, folder: Path, parts: Sequence[str], scenarios: Sequence[tuple[str, list[Any]]], limit: float = 2.0
    ) -> Iterator[dict[str, Any]]:
        """Frames as from the sandbox while there is time; then a frame with status time."""
        started = self.clock()
        if started + START + limit * len(scenarios) > self.deadline:
            self.used_up = True
            return iter([{"status": "time", "limit": limit}])
        frames = list(self.sandbox.run_scenarios(folder, parts, scenarios, limit))
        self.slow |= self.clock() - started > SLOW or any(frame["status"] == "time" for frame in frames)
        return iter(frames)

    def note(self) -> str:
        """A note for the student if the budget was used up. Raises CannotFinish if the machine was slow, not the submission."""
        if not self.used_up:
            return ""
        if not self.slow:
            raise CannotFinish(f"the machine is too slow: {self.seconds:g} seconds were not enough. Grade again later.")
        return (
            f"The {self.seconds:g} seconds for a whole submission were used up, mostly by slow or endless loops in it. "
            "What had not run by then has no marks; mend the loops first."
        )


def forget(root: Path) -> str:
    """Delete the unpacked grader and its tar from an Autolab job, so that no submission can read them.

    Deletes only a folder of the right name, with the marker, directly below the job directory; and the tar only if it
    contains the marker and is not where it was built. One public file stays, by which the sandbox tests what can be read.
    Returns a word for the level of isolation.
    """
    home = root / TOP
    if home != HOME or home.is_symlink() or not (home / MARKER).is_file():
        return "grader's files left in place"
    tar = root / TAR
    if tar.is_file() and not tar.is_symlink() and not (root / "autograde-Makefile").exists():
        with tarfile.open(tar) as packed:
            ours = f"{TOP}/{MARKER}" in packed.getnames()
        if ours:
            tar.unlink()
    for path in sorted(home.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.rmdir()
        elif path not in (home / MARKER, home / PUBLIC):
            path.unlink()
    return "grader's files left in place" if tar.exists() else "grader's files deleted"


def import_all(config: dict[str, Any]) -> None:
    """Import every module of the package now, because its files may be deleted before they are needed."""
    for name in config["modules"]:
        importlib.import_module(name)


def grade_one(options: argparse.Namespace, config: dict[str, Any]) -> Any:
    """Grade the job's submission; returns its record."""
    import_all(config)
    from autograder.archives import CannotGrade, write
    from autograder.staff.isolation.sandbox import Limits, Sandbox
    from autograder.staff.marks.grading import grade_submission, without_marks
    from autograder.staff.record import UNREADABLE, blank, seeds_for

    started = time.monotonic()
    source = options.root / (config["handin"] if options.platform == "autolab" else "submission")
    with (
        Sandbox(Limits(**config["limits"]), config["without"]) as sandbox,
        # Below the sandbox's own folder, which is removed even if this process is killed.
        tempfile.TemporaryDirectory(dir=sandbox.folder) as scratch,
    ):
        level = list(sandbox.level)
        if options.platform == "autolab":
            level.append("grader's files left in place" if options.keep else forget(options.root))
        record = blank(source=source.name, grader=config["grader"], possible=sum(config["problems"].values()))
        record["level"], record["exercises"] = level, without_marks(config["hidden"])
        opened = open_submission(source)
        record["digest"] = opened.digest
        record["seed"], record["hidden_seed"] = seeds = seeds_for(config["class_seed"], opened.digest)
        try:
            contents = opened.contents()
        except CannotGrade as error:
            return {**record, "status": UNREADABLE, "reason": str(error)}
        record["notes"] += contents.notes
        write(contents.files, Path(scratch))
        budget = Budget(sandbox, config["limit"] - MARGIN)
        graded = grade_submission(
            Path(scratch),
            seeds,
            run_with=budget.run_scenarios,
            hidden=config["hidden"],
            budget=budget.seconds - LONGEST,
        )
        budget.used_up |= any(check["hint"] == "budget" for check in graded["checks"])
        record["notes"] += [note for note in [budget.note()] if note]
    return {**record, **graded, "seconds": round(time.monotonic() - started, 3)}


def open_submission(source: Path) -> Any:
    """The hand-in's digest and code (handins.Opened), from an archive or from a folder with the code or one archive."""
    from autograder.staff.handins import is_archive, open_handin

    if source.is_symlink() or not source.exists():
        raise CannotFinish(
            f"there is no {source.name} here. Staff: give the assessment the hand-in file name that the package has."
        )
    opened = open_handin(source)
    if source.is_dir() and not opened.digest:
        archives = sorted(path for path in source.iterdir() if is_archive(path.name))
        named = [path for path in archives if path.name == "handin.tar"] or archives
        if len(named) == 1:
            opened = open_handin(named[0])
    return opened


if __name__ == "__main__":
    sys.exit(main())
