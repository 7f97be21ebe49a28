"""Words: a docstring begins with the field's noun or a verb."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("mytorch", "hw_bonus", "autograder", "benchmarks", "tests")
PATHS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))] + [ROOT / "create_tarball.py"]
AVOIDED = {"What", "Whatever", "Whether", "Who", "Whoever", "Where", "How", "Everything", "Nothing"}


def docstrings(source: str) -> list[str]:
    """All docstrings of a module: its own, and those of its classes and functions."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, nodes)]
    return [docstring for docstring in found if docstring]


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_docstrings_begin_with_a_noun_or_a_verb(folder):
    paths = [path for path in PATHS if path.relative_to(ROOT).parts[0] == folder or path.parent == ROOT / folder]
    assert paths
    wrong = [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for path in paths
        for docstring in docstrings(path.read_text(encoding="utf-8"))
        if docstring.split(maxsplit=1)[0].strip(",.:;") in AVOIDED
    ]
    assert not wrong, "\n".join(wrong)
