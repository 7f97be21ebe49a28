"""The command ``merge``: makes one folder of reports from the parts that ``grade --shard`` has graded."""

from __future__ import annotations

import argparse
import sys

from autograder.archives import CannotGrade, shown
from autograder.staff.classroom import command, shards
from autograder.staff.classroom.marking import Outcome
from autograder.staff.classroom.store import Reports
from autograder.staff.isolation import claims
from autograder.staff.pages.render import environment
from autograder.staff.record import GRADED, GRADER_ERROR, UNREADABLE


def configure(parser: argparse.ArgumentParser) -> None:
    command.configure_class(parser)
    parser.set_defaults(only=None, shard=None)
    parser.epilog = "exit codes: 0 everything graded, 1 an error of the grader in a part, 2 the parts are no whole"


def run(options: argparse.Namespace, most: float | None = None) -> int:
    """The command ``merge``; returns the exit code. Tests replace most (the possible marks)."""
    try:
        return _run(options, most)
    except CannotGrade as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"Nothing was merged: {error}. The parts are as they were.", file=sys.stderr)
    return 2


def _run(options: argparse.Namespace, most: float | None) -> int:
    environment()
    reports = Reports(options.out)
    reports.check(options.submissions)
    mark = command.fingerprint(hidden=options.hidden, time_limit=options.time_limit)
    with claims.scratch() as scratch:
        klass = command.read_class(options, scratch, most)
        chosen = command.Chosen(options, klass)
        with reports.locked():
            records = shards.merge(reports, chosen.about, chosen.name_of, chosen.owner_of, mark)
            outcome = Outcome(
                kept=sum(record["status"] == GRADED for record in records),
                unreadable=sum(record["status"] == UNREADABLE for record in records),
                errors=[shown(record["source"]) for record in records if record["status"] == GRADER_ERROR],
            )
            for remark in command.finish_class(reports, klass, chosen.name_of, outcome):
                print(f"note: {remark}", file=sys.stderr)
    return command.summary(outcome, len(records), reports)
