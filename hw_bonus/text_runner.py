"""Command-line program that trains a network on names or sentences and shows what it learned. Try --help."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Imports find the mytorch beside this file before an installed one. This folder itself is left out, because its file names
# could hide other packages.
ROOT, HERE = Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(HERE))]

from hw_bonus import command  # noqa: E402
from hw_bonus.text import options  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Runs the program. Returns 0, 1 (the loss became NaN), 2 (bad input), 130 (Ctrl-C) or 141 (nobody reads the output)."""
    return command.run("text_runner.py", options.OPTIONS, _session, argv, "--hidden or --embedding")


def _session() -> Callable[[dict[str, Any]], int]:
    from hw_bonus.text import session

    return session.run


if __name__ == "__main__":
    sys.exit(main())
