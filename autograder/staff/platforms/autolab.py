"""The package for Autolab: autograde-Makefile and autograde.tar, and advice about the assessment's settings."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from autograder.staff.packing import tar_bytes
from autograder.staff.platforms import package
from autograder.staff.platforms.formats import one_line
from autograder.staff.platforms.service.job import MARKER, TAR, TOP

COLUMNS = {"scoreboard": [{"hdr": "Total", "asc": False}]}
LOST = (
    "GRADER_ERROR - the grading did not come to an end. The zeros below stand for no marks, they are no judgement of your "
    "work. Unless your code ends or stops processes, this is not your fault; tell staff, who can grade it again."
)
# Each line of the recipe exits with 0, so that make prints nothing of its own. The line of zeros comes first: if make is
# killed or everything is stopped, it is also the last line. The recipe's second line handles a killed shell. $$ is a dollar
# of the shell.
MAKEFILE = r"""# Grades the hand-in @HANDIN@ with autograde.tar. Upload this file to Autolab as autograde-Makefile.
# make KEEP=1 leaves the unpacked grader and autograde.tar in place.

SHELL := /bin/sh
PYTHON := @PYTHON@
KEEP :=
ZERO := @ZERO@
FAILED := @FAILED@
LOST := @LOST@
MAKEFLAGS += --no-print-directory

.PHONY: all autograde
all:
	@printf '%s\n' 'Grading. Should the next line be the last one, the grading was cut off - then tell staff.' '$(ZERO)'
	-@umask 077; rm -rf .mytorch-running; mkdir .mytorch-running; why=; out=; whole=; \
	if test -f @TOP@/@MARKER@; then rm -rf @TOP@; fi; \
	if test -e @TOP@; then why='there is something else called @TOP@ here'; \
	elif ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' </dev/null >/dev/null 2>&1; \
	then why='$(PYTHON) is missing here or older than 3.10. Staff - choose another image, or build with --python'; \
	elif ! tar -xf @TAR@ >/dev/null 2>&1; then why='@TAR@ cannot be unpacked. Staff - upload it again'; \
	elif out=$$("$(PYTHON)" -I -B @TOP@/autograder/staff/platforms/service/start.py autolab $(if $(KEEP),--keep) \
		</dev/null 2>/dev/null); \
	then whole=yes; fi; \
	if test -n "$$whole" && test -n "$$out"; then printf '\n%s\n' "$$out"; \
	else printf '\n%s\n' "$${why:-$${out:-GRADER_ERROR - the grader was ended from outside}}"; \
	printf '%s\n' '$(LOST)' '$(FAILED)' '$(ZERO)'; fi; \
	rmdir .mytorch-running; \
	if test -z '$(KEEP)' && test -f @TOP@/@MARKER@; then rm -rf @TOP@; fi; exit 0
	@if test -e .mytorch-running; then rm -rf .mytorch-running; \
	if test -z '$(KEEP)' && test -f @TOP@/@MARKER@; then rm -rf @TOP@; fi; \
	printf '\n'; printf '%s\n' '$(LOST)' '$(FAILED)' '$(ZERO)'; fi; exit 0

autograde: all
"""


def configure(parser: argparse.ArgumentParser) -> None:
    package.configure(parser, limit=150, most=180)
    parser.add_argument(
        "--handin", default="handin.tar", help="the assessment's hand-in file name (default handin.tar)"
    )
    parser.add_argument("--scoreboard", action="store_true", help="add the total for a scoreboard of one column")


def run(options: argparse.Namespace) -> int:
    """The command ``autolab``; returns the exit code."""
    try:
        config, files = build(options)
        paths = [options.out / name for name in files]
        for path, data in zip(paths, files.values()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except (package.CannotBuild, OSError) as error:
        print(f"No package was built. {error}", file=sys.stderr)
        return 2
    print("\n".join([f"{path}: {path.stat().st_size:,} bytes" for path in paths] + advice(options, config)))
    return 0


def build(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The settings, and the two files by name. Raises CannotBuild."""
    if not re.fullmatch(r"[\w.+-]+", options.handin) or options.handin in ("Makefile", TAR, TOP):
        raise package.CannotBuild(f"--handin {options.handin!r} is no plain file name; give one such as handin.tar.")
    config = {
        **package.settings(options, "autolab", {}),
        "handin": options.handin,
        "scoreboard": options.scoreboard,
    }
    inside = {MARKER: b"The recipe of Autolab's Makefile unpacked this folder and may delete it.\n"}
    inside.update(package.contents(config, options.wheels))
    return config, {
        "autograde-Makefile": makefile(options, config).encode(),
        TAR: tar_bytes(inside, TOP),
    }


def makefile(options: argparse.Namespace, config: dict[str, Any]) -> str:
    """The Makefile with the lines that it prints if the grading fails. Raises CannotBuild."""
    zero: dict[str, Any] = {"scores": dict.fromkeys(config["problems"], 0)}
    if config["scoreboard"]:
        zero["scoreboard"] = [0]
    failed = {
        "_presentation": "semantic", "stages": ["Grader"],
        "Grader": {"GRADER_ERROR": {"passed": False, "hint": "The grading did not come to an end, so tell staff."}},
    }  # fmt: skip
    values = {
        "HANDIN": options.handin, "PYTHON": options.python, "ZERO": one_line(zero), "FAILED": one_line(failed), "LOST": LOST,
        "TOP": TOP, "MARKER": MARKER, "TAR": TAR,
    }  # fmt: skip
    for value in values.values():
        # The values stand in make variables and in single quotes of the shell.
        if re.search(r"['#$\\\n]", value):
            raise package.CannotBuild(f"{value[:60]!r} holds a character that a Makefile would not keep. Rename it.")
    return re.sub("@([A-Z]+)@", lambda found: values[found[1]], MAKEFILE)


def advice(options: argparse.Namespace, config: dict[str, Any]) -> list[str]:
    """Lines of advice about the settings on Autolab."""
    lines = [
        "",
        "Upload both in the assessment's autograder settings, and set there:",
        f"  hand-in file name  {options.handin}",
        f"  timeout            {options.platform_limit:g} seconds",
        f"  image              one with make, tar, {options.python} (3.10 or newer)"
        + ("" if options.wheels else " and NumPy"),
        "Problems of the assessment, with exactly these names:",
        *(f"  {name:<30}{points:>5g}" for name, points in config["problems"].items()),
        f"These are {len(config['problems'])} problems, of {sum(config['problems'].values()):g} marks together.",
    ]
    if config["scoreboard"]:
        lines += ["Column specification of the scoreboard:", f"  {json.dumps(COLUMNS)}"]
    if other := package.foreign_wheels(options.wheels):
        lines += [f"Not for this machine's Python, so see that the image's is meant: {', '.join(other)}"]
    return lines
