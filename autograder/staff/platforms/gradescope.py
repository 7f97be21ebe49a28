"""The package for Gradescope: autograder.zip with setup.sh and run_autograder at its root."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from autograder.staff.packing import zip_bytes
from autograder.staff.platforms import package

NAME = "autograder.zip"
NUMPY = "numpy>=1.26"
# Address space of a submission's process; the smallest container has 768 MB in all.
MEMORY = 448 << 20
SETUP = r"""#!/usr/bin/env bash
# Gradescope runs this once, as root, while it builds the image: a Python of 3.10 or newer with NumPy.
set -euo pipefail
SOURCE=${AUTOGRADER_ROOT:-/autograder}/source
PYTHON=@PYTHON@
WHEELS=$SOURCE/wheels

stop() {
    echo "setup.sh: $1" >&2
    exit 1
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends "$@" \
        || stop "apt-get could not install $*; build the image again later"
}

command -v "$PYTHON" >/dev/null || install @APT@
"$PYTHON" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
    || stop "$PYTHON is $("$PYTHON" --version 2>&1), and 3.10 or newer is needed; choose a base image of Ubuntu 22.04 or newer"

if [ -d "$WHEELS" ]; then
    # Without a network: the wheels that fit are unpacked to where this Python looks.
    "$PYTHON" -I -B "$SOURCE/autograder/staff/platforms/service/wheels.py" "$WHEELS" \
        "$("$PYTHON" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || stop "the wheels cannot be used"
elif ! "$PYTHON" -I -c 'import numpy' 2>/dev/null; then
    "$PYTHON" -I -m pip --version >/dev/null 2>&1 || install python3-pip
    # The container is ours alone, so newer systems may be told to let pip write.
    PIP_BREAK_SYSTEM_PACKAGES=1 "$PYTHON" -m pip install --no-cache-dir --only-binary=:all: '@NUMPY@' \
        || stop "pip could not install NumPy; build the image again later, or build the package with --wheels"
fi
"$PYTHON" -I -c 'import numpy; print("NumPy", numpy.__version__)' || stop "NumPy is installed and cannot be imported"
"""
# If the grader fails, no result is written. Gradescope then reports that the autograder failed and gives no mark.
RUN = r"""#!/usr/bin/env bash
# Gradescope runs this for each submission. It writes results/results.json, whole, or ends with an error and writes none.
# AUTOGRADER_ROOT takes the place of /autograder; STAFF reads what is printed here, students do not.
ROOT=${AUTOGRADER_ROOT:-/autograder}
cd "$ROOT" || exit 1
@PYTHON@ -I -B "$ROOT/source/autograder/staff/platforms/service/start.py" gradescope --root "$ROOT" </dev/null
"""


def configure(parser: argparse.ArgumentParser) -> None:
    package.configure(parser, limit=540, most=600)
    parser.add_argument(
        "--most", type=int, default=0, metavar="N",
        help="grade at most N submissions of a student in --per hours (default: no limit)",
    )  # fmt: skip
    parser.add_argument("--per", type=float, default=24.0, metavar="HOURS", help="span of time of --most (default 24)")
    parser.add_argument(
        "--hidden-visibility", choices=("hidden", "after_published", "visible"), default="hidden",
        help="when students see the status of hidden exercises (default: never, and then their total is hidden too)",
    )  # fmt: skip
    parser.add_argument("--leaderboard", action="store_true", help="add a leaderboard of the open exercises' marks")


def run(options: argparse.Namespace) -> int:
    """The command ``gradescope``; returns the exit code."""
    try:
        config, data = build(options)
        path = options.out / NAME
        options.out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except (package.CannotBuild, OSError) as error:
        print(f"No package was built. {error}", file=sys.stderr)
        return 2
    print("\n".join([f"{path}: {len(data):,} bytes", *advice(options, config)]))
    return 0


def build(options: argparse.Namespace) -> tuple[dict[str, Any], bytes]:
    """The settings, and the bytes of the zip. Raises CannotBuild."""
    if options.most < 0 or not (math.isfinite(options.per) and 0 < options.per <= 24 * 366):
        raise package.CannotBuild(
            "--most takes a number of submissions from 0 on, --per a number of hours, such as 24."
        )
    config = {
        **package.settings(options, "gradescope", {"memory": MEMORY}),
        "most": options.most,
        "hours": options.per,
        "hidden_visibility": options.hidden_visibility,
        "leaderboard": options.leaderboard,
    }
    files = {"setup.sh": script(SETUP, options), "run_autograder": script(RUN, options)}
    files.update(package.contents(config, options.wheels))
    return config, zip_bytes(dict(sorted(files.items())))


def script(text: str, options: argparse.Namespace) -> bytes:
    """A shell script with the platform's Python filled in."""
    apt = "python3" if "/" in options.python or not options.python.startswith("python") else options.python
    return text.replace("@PYTHON@", options.python).replace("@APT@", apt).replace("@NUMPY@", NUMPY).encode()


def advice(options: argparse.Namespace, config: dict[str, Any]) -> list[str]:
    """Lines of advice about the settings on Gradescope."""
    points = sum(config["problems"].values())
    lines = [
        "",
        "Make a Programming Assignment on Gradescope, with these settings:",
        f"  autograder points  {points:g}",
        f"  upload             {options.out / NAME} (configure autograder, zip file, base image Ubuntu 22.04 or newer)",
        "  container          0.5 CPU and 0.75 GB are enough",
        f"  timeout            {options.platform_limit / 60:g} minutes",
    ]
    if config["hidden"] and options.hidden_visibility != "visible":
        lines.append("Hidden exercises are not shown, and so Gradescope hides the students' totals too.")
    if other := package.foreign_wheels(options.wheels):
        lines.append(f"Not for this machine's Python, so see that the image's is meant: {', '.join(other)}")
    return lines
