"""``python -m autograder.staff COMMAND``: what staff does with the homework."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m autograder.staff")
    commands = parser.add_subparsers(dest="command", required=True)
    handout = commands.add_parser("handout", help="build dist/handout.tar.gz and dist/handout.zip")
    handout.add_argument("--out", type=Path, default=Path("dist"), help="folder for the archives (default dist)")
    given = parser.parse_args(arguments)
    return build_handout(given.out)


def build_handout(out: Path) -> int:
    from autograder.staff.handout import build, contents
    from autograder.staff.markers import MarkerError

    try:
        archives = build(out)
    except (MarkerError, SyntaxError, OSError) as error:
        print(f"No handout was built. {error}", file=sys.stderr)
        return 2
    for path in archives:
        print(f"{path}: {len(contents())} files, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
