"""Contents and settings of the packages for Autolab and Gradescope."""

from __future__ import annotations

import argparse
import hashlib
import re
import secrets
from pathlib import Path
from typing import Any

from autograder import declaration
from autograder.staff import record
from autograder.staff.files import as_json
from autograder.staff.marks.grading import all_exercises
from autograder.staff.platforms.service.job import LONGEST, MARGIN
from autograder.staff.platforms.service.wheels import fits

ROOT = Path(__file__).resolve().parents[3]
# A package takes autograder/*.py without NOT_NEEDED, the folders, and of staff/ the named files.
NOT_NEEDED = ("runner.py", "conftest.py", "debugger.py")
STAFF = (
    "__init__.py",
    "record.py",
    "files.py",
    "handins.py",
    "mirror.py",
    "platforms/__init__.py",
    "platforms/formats.py",
)
FOLDERS = ("worker", "staff/isolation", "staff/marks", "staff/platforms/service")
SEED_FILE = "class_seed.txt"
Files = dict[str, bytes]


class CannotBuild(Exception):
    """No package can be built. The message says what was given and what to do."""


def configure(parser: argparse.ArgumentParser, limit: float, most: float) -> None:
    """Options of both platforms. most: seconds that the platform itself allows."""
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the package (default dist)")
    parser.add_argument("--no-hidden", action="store_true", help="leave out the hidden exercises")
    parser.add_argument(
        "--seed", dest="class_seed", type=record.class_seed, metavar="N",
        help=f"secret number behind all seeds (default: the one in DIR/{SEED_FILE}, which is drawn the first time)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=float, default=limit, metavar="SECONDS", help=f"our own time limit (default {limit:g})"
    )
    parser.add_argument(
        "--platform-limit", type=float, default=most, metavar="SECONDS",
        help=f"the platform's time limit, which has to be longer (default {most:g})",
    )  # fmt: skip
    parser.add_argument("--python", default="python3", help="the platform's Python, 3.10 or newer (default python3)")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="folder of wheels (NumPy) that go into the package")


def settings(options: argparse.Namespace, platform: str, limits: dict[str, float]) -> dict[str, Any]:
    """Contents of a package's config.json. limits: of the sandbox. Raises CannotBuild for options that cannot be."""
    if not options.limit >= MARGIN + LONGEST + 5:
        raise CannotBuild(
            f"--limit {options.limit:g} is too short for a whole submission; give at least {MARGIN + LONGEST + 5:g}."
        )
    if options.limit > options.platform_limit - 10:
        raise CannotBuild(
            f"--limit {options.limit:g} has to end before the platform's {options.platform_limit:g} seconds do, by 10 "
            "at least. Shorten it, or give the platform's own limit with --platform-limit."
        )
    if not re.fullmatch(r"[\w./+-]+", options.python):
        raise CannotBuild(f"--python {options.python!r} is no name of a program; give one such as python3.12.")
    exercises = all_exercises(hidden=not options.no_hidden)
    return {
        "platform": platform,
        "problems": {exercise.name: exercise.points for exercise in exercises if exercise.points},
        "hidden": not options.no_hidden,
        "class_seed": class_seed(options),
        "limit": options.limit,
        "limits": limits,
        # Measures of isolation to leave out, which tests use to try weaker machines.
        "without": [],
    }


def class_seed(options: argparse.Namespace) -> int:
    """The given class seed, or the one kept beside the package, with which the same package can be built again."""
    if options.class_seed is not None:
        return options.class_seed
    path = options.out / SEED_FILE
    if path.exists():
        text = path.read_text(encoding="utf-8").strip()
        if not re.fullmatch(r"-?[0-9]+", text):
            raise CannotBuild(f"{path} should hold one number, the class seed. Mend or delete it, or give --seed.")
        return int(text)
    options.out.mkdir(parents=True, exist_ok=True)
    seed = secrets.randbits(96)
    path.touch(mode=0o600)
    path.write_text(f"{seed}\n", encoding="utf-8")
    return seed


def contents(config: dict[str, Any], wheels: Path | None, root: Path = ROOT) -> Files:
    """Files of a package by name: the grader, config.json and vendored wheels."""
    autograder = root / "autograder"
    paths = [path for path in autograder.glob("*.py") if path.name not in NOT_NEEDED]
    paths += [autograder / "staff" / name for name in STAFF]
    for folder in FOLDERS:
        paths += [p for p in (autograder / folder).rglob("*.py") if "__pycache__" not in p.parts]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sorted(files)]
    marks, own = declaration.for_grader(autograder / "marks.ini")
    files.update({"autograder/marks.ini": marks.encode(), **own})
    build = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()[:12]
    config = {**config, "modules": modules, "grader": build}
    files["config.json"] = as_json(config)
    files.update({f"wheels/{path.name}": path.read_bytes() for path in wheel_files(wheels)})
    return dict(sorted(files.items()))


def wheel_files(wheels: Path | None) -> list[Path]:
    """Wheels in a folder. Raises CannotBuild if NumPy is not among them."""
    if wheels is None:
        return []
    found = sorted(wheels.glob("*.whl"))
    if not any(path.name.lower().startswith("numpy-") for path in found):
        raise CannotBuild(
            f"{wheels} holds no wheel of NumPy. Get one for the platform's Python: pip download --no-deps --only-binary=:all: "
            f"--python-version 3.10 --platform manylinux2014_x86_64 --dest {wheels} numpy"
        )
    return found


def foreign_wheels(wheels: Path | None) -> list[str]:
    """Names of wheels that do not fit this machine's Python. They may fit the platform's."""
    return [path.name for path in wheel_files(wheels) if not fits(path.name)]
