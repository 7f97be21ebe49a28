"""Rebuilds names.txt from the lists in the package ``names``: ``pip install names``, then run this file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def main() -> None:
    """Writes names.txt beside this file."""
    lists = [files("names") / f"dist.{kind}.first" for kind in ("female", "male")]
    names = {line.split()[0].lower() for one in lists for line in one.read_text(encoding="ascii").splitlines()}
    Path(__file__).with_name("names.txt").write_text("\n".join(sorted(names)) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
