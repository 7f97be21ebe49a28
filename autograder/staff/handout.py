"""Builds the handout: the skeleton, the reference's files that students get as they are, and the public autograder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder import declaration
from autograder.staff.agreement import disagreements
from autograder.staff.packing import gzip_bytes, tar_bytes, zip_bytes
from mytorch.viewer import page

ROOT = Path(__file__).resolve().parent.parent.parent
SKELETON = "autograder/staff/skeleton"
TOP = "handout"

# The reference's own files, named one by one: a new file is no part of the handout until somebody decides so.
AS_THEY_ARE = (
    "mytorch/operation.py", "mytorch/utils.py", "mytorch/debug.py", "mytorch/report.py", "mytorch/tables.py",
    "mytorch/gradcheck.py", "mytorch/nn/summary.py",
    "mytorch/nn/modules/__init__.py", "mytorch/nn/modules/module.py",
    "hw_bonus/__init__.py", "hw_bonus/errors.py", "hw_bonus/formats.py", "hw_bonus/datasets.py",
    "hw_bonus/data/digits.npz", "hw_bonus/data/LICENSE", "hw_bonus/data/README.md",
    "docs/writeup.md", "docs/writeup.html", "docs/images/failing-check.png",
    "create_tarball.sh", "create_tarball.py", "LICENSE",
)  # fmt: skip
# The page to step through the list, without its formulas, which students are asked to find, and without its examples.
VIEWER = (
    "__init__.py", "__main__.py", "drawing.py", "layout.py", "names.py", "page.py", "recording.py", "script.py",
    "snapshot.py", "tangents.py", "values.py", "variables.py", "walking.py", "watching.py", "assets/page.html",
    *(f"assets/{name}.css" for name in page.STYLES), *(f"assets/{name}.js" for name in page.SCRIPTS),
)  # fmt: skip
# The declaration of the marks, of which students get the open exercises.
MARKS = "autograder/marks.ini"
# The public autograder. Files for staff alone lie in autograder/staff.
AUTOGRADER = ("autograder/*.py", "autograder/worker/**/*.py")
# The skeleton's own programs. The reference has others under these names, with which they need not agree.
OF_ITS_OWN = ("mytorch/sandbox.py", "hw_bonus/mlp_runner.py")


class Disagreement(Exception):
    """A handout that does not fit the reference. The message names the first place."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the archives (default dist)")


def run(options: argparse.Namespace) -> int:
    """The command ``handout``."""
    try:
        archives = build(options.out)
    except SyntaxError as error:
        return _refuse(f"{error.filename}, line {error.lineno}, does not compile ({error.msg}). Correct it first.")
    except (Disagreement, OSError) as error:
        return _refuse(str(error))
    for path in archives:
        print(f"{path}: {len(contents())} files, {path.stat().st_size:,} bytes")
    return 0


def _refuse(reason: str) -> int:
    print(f"No handout was built. {reason}", file=sys.stderr)
    return 2


def contents(root: Path = ROOT, ending: str = "") -> dict[str, bytes]:
    """Files of the handout by name, or those with this ending. Raises OSError where one is missing."""
    names = [*AS_THEY_ARE, *(f"mytorch/viewer/{name}" for name in VIEWER)]
    names += [path.relative_to(root).as_posix() for pattern in AUTOGRADER for path in root.glob(pattern)]
    files = {name: (root / name).read_bytes() for name in names if name.endswith(ending)}
    marks, own = declaration.for_students(root / MARKS)
    files |= {MARKS: marks.encode()} | own | skeleton(root)
    return {name: files[name] for name in sorted(files) if name.endswith(ending)}


def skeleton(root: Path = ROOT) -> dict[str, bytes]:
    """Files that were written for students, by their names in the handout."""
    top = root / SKELETON
    paths = [path.relative_to(top) for path in top.rglob("*") if path.is_file()]
    hidden = [path for path in paths if any(part.startswith((".", "__pycache__")) for part in path.parts)]
    return {path.as_posix(): (top / path).read_bytes() for path in paths if path not in hidden}


def sources(root: Path = ROOT) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Files that have to agree: the reference's Python files, the skeleton's, and every text file of the handout.

    Raises Disagreement for a file that is not UTF-8, OSError for a missing one.
    """
    paths = [*(root / "mytorch").rglob("*.py"), *(root / "hw_bonus").glob("*.py")]
    reference = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    texts = _decoded({name: data for name, data in contents(root).items() if not name.endswith((".npz", ".png"))})
    own = [name for name in skeleton(root) if name.endswith(".py") and name not in OF_ITS_OWN]
    return _decoded(reference), {name: texts[name] for name in own}, texts


def _decoded(files: dict[str, bytes]) -> dict[str, str]:
    texts = {}
    for name, data in files.items():
        try:
            texts[name] = data.decode()
        except UnicodeDecodeError:
            raise Disagreement(f"{name} is not UTF-8. Save it with this encoding.") from None
    return texts


def disagreements_with_reference(root: Path = ROOT) -> list[str]:
    """Sentences about everything in the handout that does not fit the reference. Raises SyntaxError and OSError."""
    return disagreements(*sources(root))


def build(out: Path, root: Path = ROOT) -> list[Path]:
    """Write handout.tar.gz and handout.zip, the same bytes each time, and return their paths.

    Raises Disagreement, before anything is written, if the skeleton does not fit the reference.
    """
    found = disagreements_with_reference(root)
    if found:
        more = f" There are {len(found) - 1} more; the tests of the skeleton list them." if len(found) > 1 else ""
        raise Disagreement(found[0] + more)
    files = contents(root)
    out.mkdir(parents=True, exist_ok=True)
    archives = [out / "handout.tar.gz", out / "handout.zip"]
    archives[0].write_bytes(gzip_bytes(tar_bytes(files, TOP)))
    archives[1].write_bytes(zip_bytes(files, TOP))
    return archives
