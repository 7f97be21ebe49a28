"""``python -m autograder.staff COMMAND``: what staff does with the homework."""

from __future__ import annotations

import argparse
import importlib
import sys

from autograder.archives import CannotGrade

# Each command is a module with configure(parser) and run(options) -> exit code.
COMMANDS = {
    "grade": ("autograder.staff.classroom.command", "grade a class: a folder of hand-ins"),
    "merge": ("autograder.staff.classroom.merging", "make one class of the parts that grade --shard has graded"),
    "handout": ("autograder.staff.handout", "build dist/handout.tar.gz and dist/handout.zip"),
    "autolab": ("autograder.staff.platforms.autolab", "build autograde-Makefile and autograde.tar for Autolab"),
    "gradescope": ("autograder.staff.platforms.gradescope", "build autograder.zip for Gradescope"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m autograder.staff")
    commands = parser.add_subparsers(dest="command", required=True)
    modules = {}
    for name, (where, about) in COMMANDS.items():
        try:
            modules[name] = importlib.import_module(where)
        except CannotGrade as error:
            # A declaration of marks that does not add up.
            print(error, file=sys.stderr)
            return 2
        modules[name].configure(commands.add_parser(name, help=about, description=about))
    given = parser.parse_args(arguments)
    return int(modules[given.command].run(given))


if __name__ == "__main__":
    sys.exit(main())
