"""Builds the handout: the reference without its solutions, the public autograder, data and the assignment."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.staff.markers import MarkerError, solution_lines, strip
from autograder.staff.packing import gzip_bytes, tar_bytes, zip_bytes

ROOT = Path(__file__).resolve().parent.parent.parent
OVERLAY = Path(__file__).resolve().parent / "student_files"
TOP = "handout"

# Named one by one: a new file of the reference is no part of the handout until somebody decides so.
MYTORCH = (
    "__init__.py", "autograd_engine.py", "utils.py", "debug.py", "report.py", "gradcheck.py", "nn/__init__.py",
    "nn/functional.py", "nn/rules.py", "nn/modules/__init__.py", "nn/modules/module.py", "nn/modules/activation.py",
    "nn/modules/linear.py", "nn/modules/loss.py",
)  # fmt: skip
HW_BONUS = (
    "__init__.py",
    "errors.py",
    "formats.py",
    "datasets.py",
    "mlp.py",
    "data/digits.npz",
    "data/LICENSE",
    "data/README.md",
)
OTHERS = ("docs/writeup.md", "create_tarball.sh", "create_tarball.py", "LICENSE")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the archives (default dist)")


def run(options: argparse.Namespace) -> int:
    """The command ``handout``."""
    try:
        archives = build(options.out)
    except (MarkerError, SyntaxError, OSError) as error:
        print(f"No handout was built. {error}", file=sys.stderr)
        return 2
    for path in archives:
        print(f"{path}: {len(contents())} files, {path.stat().st_size:,} bytes")
    return 0


def contents(root: Path = ROOT) -> dict[str, bytes]:
    """Every file of the handout by its name. Raises MarkerError, or OSError where a file is missing."""
    names = [f"mytorch/{name}" for name in MYTORCH] + [f"hw_bonus/{name}" for name in HW_BONUS] + list(OTHERS)
    ours = [*(root / "autograder").glob("*.py"), *(root / "autograder" / "worker").rglob("*.py")]
    names += [path.relative_to(root).as_posix() for path in ours]
    files: dict[str, bytes] = {}
    for name in names:
        data = (root / name).read_bytes()
        files[name] = strip(data.decode(), name).encode() if name.endswith(".py") else data
    for path in OVERLAY.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            files[path.relative_to(OVERLAY).as_posix()] = path.read_bytes()
    for name, data in files.items():
        if name.endswith(".py"):
            compile(data, name, "exec", dont_inherit=True)
    return dict(sorted(files.items()))


def solutions(root: Path = ROOT) -> dict[str, list[str]]:
    """The lines that must not be found in a handout, by the reference's file, in which they stand."""
    found = {}
    for path in sorted([*(root / "mytorch").rglob("*.py"), *(root / "hw_bonus").glob("*.py")]):
        name = path.relative_to(root).as_posix()
        lines = solution_lines(path.read_text(encoding="utf-8"), name)
        if lines:
            found[name] = lines
    return found


def build(out: Path, root: Path = ROOT) -> list[Path]:
    """Write handout.tar.gz and handout.zip, the same bytes each time, and return their paths."""
    files = contents(root)
    out.mkdir(parents=True, exist_ok=True)
    archives = [out / "handout.tar.gz", out / "handout.zip"]
    archives[0].write_bytes(gzip_bytes(tar_bytes(files, TOP)))
    archives[1].write_bytes(zip_bytes(files, TOP))
    return archives
