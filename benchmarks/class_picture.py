"""Draws the picture of a class page in docs/ anew: ``python -m benchmarks.class_picture``. It needs Chromium or Chrome."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.class_grading import ROOT, grade, submissions, write_tar

PICTURE = ROOT / "docs" / "images" / "class.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STUDENTS, SIZE = 36, "900,1100"


def screenshot(page: Path, picture: Path, browser: str) -> None:
    """Save the upper part of a page as a picture. Raises subprocess.CalledProcessError where the browser fails."""
    with tempfile.TemporaryDirectory(prefix="mytorch-browser-") as profile:
        # Of a file of our own that loads nothing; without a display, and as root in a container.
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        options += [f"--user-data-dir={profile}", f"--window-size={SIZE}", f"--screenshot={picture}"]
        subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True, timeout=120)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_picture", description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURE, metavar="PNG")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"No browser was found. Install one of these: {', '.join(BROWSERS)}.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mytorch-class-") as scratch:
        folder, reports = Path(scratch) / "class", Path(scratch) / "reports"
        folder.mkdir()
        for number, (_, files) in enumerate(submissions(STUDENTS)):
            write_tar(files, folder / f"student{number:04}_1_handin.tar")
        grade(folder, reports, jobs=2)
        screenshot(reports / "class.html", options.out.resolve(), browser)
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
