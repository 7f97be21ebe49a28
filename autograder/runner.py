"""Marks your MyTorch: ``python autograder/runner.py``. Needs NumPy and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts the script's own folder first on the path; imports need the folder above it.
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "autograder")]

USAGE = """exit codes: 0 everything passed, 1 something failed, 2 could not run"""


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="runner.py", description="Marks your MyTorch and explains what is wrong.", epilog=USAGE
    )
    parser.add_argument("--only", metavar="PATTERN", help="run what has PATTERN in its name, such as sigmoid or matmul")
    parser.add_argument("--list", action="store_true", help="list the exercises and their checks, and stop")
    parser.add_argument("--verbose", action="store_true", help="show every check, passed ones too")
    parser.add_argument("--debug", action="store_true", help="stop in the debugger (pdb) at the line that fails first")
    parser.add_argument(
        "--show",
        metavar="FILE",
        nargs="?",
        const="failing_check.html",
        help="write a page to step through the first check that fails (default failing_check.html)",
    )
    parser.add_argument("--json", metavar="FILE", help="write all results to FILE")
    parser.add_argument(
        "--submission", metavar="PATH", help="grade this folder or handin.tar instead of the folder above"
    )
    parser.add_argument("--time-limit", metavar="SECONDS", type=float, default=5.0, help="for each check (default 5)")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="other numbers of the same kind; a graded hand-in names its N (default 0)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.seed < 0:
        parser.error(f"--seed {chosen.seed} is negative. Give 0 or the number that the feedback names.")
    if not 0 < chosen.time_limit <= 3600:
        parser.error(f"--time-limit {chosen.time_limit:g} is no limit. Give seconds above 0, at most 3600.")
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """Run the autograder; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A character that the console cannot show is replaced instead of stopping the run.
            stream.reconfigure(errors="replace")
    try:
        try:
            return started(options(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe has left, as `head` does. What Python would write at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def started(chosen: argparse.Namespace) -> int:
    """Run with these options, in a folder that is removed at the end; returns the exit code."""
    try:
        import numpy as np  # noqa: F401
    except ImportError as error:
        print(
            f"NumPy cannot be imported ({error}). Install it: {Path(sys.executable).name} -m pip install numpy",
            file=sys.stderr,
        )
        return 2
    from autograder.submission import CannotGrade

    with tempfile.TemporaryDirectory() as scratch:
        try:
            return run(chosen, Path(scratch))
        except CannotGrade as error:
            print(error, file=sys.stderr)
        except BrokenPipeError:
            raise
        except OSError as error:
            print(f"The autograder could not run: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
    return 2


def run(chosen: argparse.Namespace, scratch: Path) -> int:
    import json

    from autograder.exercises import CHECKS, EXERCISES
    from autograder.feedback import number
    from autograder.grade import grade
    from autograder.helpers import Check
    from autograder.outcome import Grades, Result
    from autograder.report import as_data, feedback_for_all, scores_line, table, table_row
    from autograder.submission import CannotGrade, find_submission

    def keep(check: Check) -> bool:
        return not chosen.only or chosen.only.lower() in f"{check.exercise}: {check.name}".lower()

    kept = [check for check in CHECKS if keep(check)]
    if not kept:
        raise CannotGrade(f"No check has {chosen.only!r} in its name. See --list for the names.")
    if chosen.list:
        for exercise in EXERCISES:
            for check in (c for c in kept if c.exercise == exercise.name):
                print(f"{number(check.points) if check.points else 'practice':>9}  {check.exercise}: {check.name}")
        return 0
    notes: list[str] = []
    folder = find_submission(chosen.submission, ROOT, scratch, notes)
    shown = chosen.submission or str(folder)
    if chosen.debug:
        from autograder.debugger import debug

        return debug(folder, kept, chosen.seed)
    if chosen.show:
        from autograder.showing import show as show_page

        return show_page(folder, kept, chosen.seed, Path(chosen.show))
    print(f"Grading {Path(shown) / 'mytorch' if Path(shown).is_dir() and not shown.endswith('mytorch') else shown}\n")
    for note in notes:
        print(f"note: {note}")

    def show(results: list[Result]) -> None:
        # Each exercise as it finishes, through a pipe too.
        print("\n".join(table(Grades(results))), flush=True)

    grades = grade(folder, EXERCISES, keep=keep, seed=chosen.seed, limit=chosen.time_limit, done=show)
    total = sum(grades.scores().values())
    possible = sum(check.points for check in kept)
    print(table_row("Total", total, possible, "") + "\n" if possible else "")
    lines = feedback_for_all(grades, chosen.verbose)
    if lines:
        print("What to look at, in this order:")
        print("\n".join(lines) + "\n")
    if chosen.json:
        try:
            Path(chosen.json).write_text(json.dumps(as_data(grades, shown), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise CannotGrade(f"{chosen.json} cannot be written: {error.strerror}.") from None
    print(scores_line(grades), flush=True)
    # Practice does not count for the exit code, unless only practice was chosen.
    decisive = [r for r in grades.results if r.check.points] or grades.results
    return 0 if all(r.status == "passed" for r in decisive) else 1


def mark(only: str = "", submission: str = "", verbose: bool = False, seed: int = 0) -> None:
    """Mark in a notebook: prints the table and the explanations that the command prints, with the same options.

    The code is read anew each time, in a process of its own. A changed file counts without a restart of the notebook.
    """
    chosen = [f"--seed={seed}", *(["--verbose"] if verbose else [])]
    chosen += [f"--{name}={value}" for name, value in (("only", only), ("submission", submission)) if value]
    main(chosen)


if __name__ == "__main__":
    sys.exit(main())
