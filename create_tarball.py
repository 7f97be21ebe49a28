"""The hand-in: ``python create_tarball.py`` packs mytorch/, hw_bonus/mlp.py and what that imports into handin.tar."""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# What has to be handed in, by a name that tells where it is: the file may have another place, as in older generations.
REQUIRED = {
    "mytorch/autograd_engine.py": "Autograd", "mytorch/nn/functional.py": "matmul_backward",
    "mytorch/nn/modules/activation.py": "Sigmoid", "mytorch/nn/modules/linear.py": "Linear",
    "mytorch/nn/modules/loss.py": "SoftmaxCrossEntropy",
}  # fmt: skip
OPTIONAL = ("hw_bonus/__init__.py", "hw_bonus/mlp.py")
OWN = {"mytorch", "hw_bonus", "numpy", "__future__"}
# 2 January 1980, which zip can store in every time zone: its calendar begins with 1980.
DATE = 315_619_200


class Refused(Exception):
    """A hand-in that cannot be packed; the message says why, in one line."""


def files(root: Path) -> list[str]:
    """Names of the files to pack, sorted: the Python files of mytorch/, and of hw_bonus/ the MLP and what is imported."""
    names = [path.relative_to(root).as_posix() for path in (root / "mytorch").rglob("*.py") if path.is_file()]
    names = [
        name for name in names if not any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
    ]
    names += [name for name in OPTIONAL if (root / name).is_file()]
    for name in names:
        # The list grows by what is found, so that what those files import is found too.
        names += [other for other in _of_hw_bonus(root, name) if other not in names]
    return sorted(names)


def _of_hw_bonus(root: Path, name: str) -> list[str]:
    """The files of hw_bonus/ that a file imports; none for one that does not compile, which check() refuses."""
    try:
        tree = ast.parse((root / name).read_bytes())
    except (SyntaxError, ValueError):
        return []
    package = name.split("/")[:-1]
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            modules |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    # A module's packages are imported before it.
    parts = [module.split(".") for module in sorted(modules) if module.startswith("hw_bonus.")]
    places = ["/".join(words[: n + 1]) for words in parts for n in range(1, len(words))]
    found = [f"{place}{end}" for place in places for end in (".py", "/__init__.py")]
    return list(dict.fromkeys(place for place in found if (root / place).is_file()))


def check(root: Path, names: list[str]) -> list[str]:
    """Warnings about imports. Raises Refused for a missing file or one that does not compile."""
    warnings, defined = [], set()
    for name in names:
        try:
            tree = ast.parse((root / name).read_bytes(), name)
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            raise Refused(
                f"{name}{line} does not compile ({getattr(error, 'msg', error)}); nothing was packed. Fix it first."
            ) from None
        warnings += [_warning(root, name, module) for module in sorted(_foreign(tree))]
        defined |= {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    missing = [name for name, part in REQUIRED.items() if name not in names and part not in defined]
    if missing:
        raise Refused(f"{missing[0]} is missing; nothing was packed. Put it back, from the handout if need be.")
    return warnings


def _warning(root: Path, name: str, module: str) -> str:
    if (root / f"{module}.py").is_file() or (root / module).is_dir():
        return (
            f"{name} imports {module}, which lies outside of mytorch/ and is not handed in. Move it into mytorch/ and "
            f"import it from there (from mytorch.{module} import ...)."
        )
    return f"{name} imports {module}, which the grader does not have: only NumPy and Python's own modules are there."


def _foreign(tree: ast.AST) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add((node.module or "").split(".")[0])
    standard = getattr(sys, "stdlib_module_names", modules)
    return {module for module in modules if module not in OWN and module not in standard}


def pack(root: Path, names: list[str], target: Path) -> None:
    """Write the archive with one date, plain modes and no owner, so that the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            data = (root / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o644, DATE
            tar.addfile(member, io.BytesIO(data))
    target.write_bytes(packed.getvalue())


def main(argv: list[str] | None = None) -> int:
    """Packs the hand-in; returns 0, or 1 if nothing was packed. Bad options end the program with 2."""
    about = "Packs mytorch/, and hw_bonus/mlp.py with what it imports, into handin.tar, beside this program."
    argparse.ArgumentParser(prog="create_tarball", description=about).parse_args(argv)
    target = ROOT / "handin.tar"
    try:
        names = files(ROOT)
        warnings = check(ROOT, names)
        pack(ROOT, names, target)
    except (Refused, OSError) as error:
        print(f"create_tarball: {error}", file=sys.stderr)
        return 1
    for name in names:
        print(f"  {name}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{target.name}: {len(names)} files, {target.stat().st_size:,} bytes, beside create_tarball.sh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
