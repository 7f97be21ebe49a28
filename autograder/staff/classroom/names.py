"""Names of handed-in files and folders as Autolab, Canvas and Moodle export them: whose each one is, and which version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autograder.staff.handins import ARCHIVES

AUTOLAB, CANVAS, MOODLE, GRADESCOPE = "Autolab", "Canvas", "Moodle", "Gradescope"
# <full name>_<participant>_assignsubmission_<plugin>_<file>; a folder's name ends after the plugin.
IN_MOODLE = re.compile(
    r"(?P<prefix>(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<plugin>[a-z]+)_?)(?P<file>.*)", re.DOTALL
)
# <last name first name>_<user>_<attachment>_<file>. A short last number is a version: see WITHOUT.
IN_CANVAS = re.compile(r"(?P<prefix>(?P<name>[^_@]+)(?P<late>_LATE)?_(?P<number>\d+)_\d{4,}_)(?P<file>.+)", re.DOTALL)
# Canvas numbers the files that replace an earlier one: handin.tar, handin-1.tar, handin-2.tar.
AGAIN = re.compile(r".+?-(\d{1,4})(?:\.\w{1,4}){1,2}", re.DOTALL)
# <email>_<version>_<configured name>. A domain has no underscore, so the number after it is the version. Without an @,
# the last number is the version.
IN_AUTOLAB = re.compile(r"(?P<student>[^@]+@[^@_]+)_(?P<version>\d{1,9})_(?P<file>.+)", re.DOTALL)
WITHOUT = re.compile(r"(?P<student>.+)_(?P<version>\d{1,9})_(?P<file>.*handin.*)", re.DOTALL)


@dataclass(frozen=True)
class Name:
    """The parts of a name.

    student: differs between any two students of a class. version: 0 if the name has none. platform: that exported it, or
    empty. person: the student's own name. number: the platform's number of the student. late: the platform says so.
    prefix: what the platform expects before the name of a feedback file. is_file: False for a text typed on the platform.
    """

    student: str
    version: int = 0
    platform: str = ""
    person: str = ""
    number: str = ""
    late: bool = False
    prefix: str = ""
    is_file: bool = True


def parse(name: str) -> Name:
    """The parts of the name of a file or folder."""
    if found := IN_MOODLE.fullmatch(name):
        # The number stays in the student's name: two students may have one name.
        student = f"{found['name']}_{found['number']}"
        return Name(
            student,
            0,
            MOODLE,
            found["name"],
            found["number"],
            prefix=found["prefix"],
            is_file=found["plugin"] == "file",
        )
    if found := IN_CANVAS.fullmatch(name):
        again = AGAIN.fullmatch(found["file"])
        return Name(
            f"{found['name']}_{found['number']}", int(again[1]) + 1 if again else 1, CANVAS, found["name"],
            found["number"], bool(found["late"]), found["prefix"],
        )  # fmt: skip
    if found := IN_AUTOLAB.fullmatch(name):
        return Name(found["student"], int(found["version"]), AUTOLAB)
    if found := WITHOUT.fullmatch(name):
        return Name(found["student"], int(found["version"]))
    ending = next((e for e in ARCHIVES if name.lower().endswith(e) and len(name) > len(e)), "")
    return Name(name[: len(name) - len(ending)])
