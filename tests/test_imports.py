"""Imports point one way: no cycle anywhere in mytorch, and the engine knows nothing of what is built on it."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "mytorch").rglob("*.py"))
}
# Extras that a part of the framework may use where it is asked to.
EXTRAS = {"mytorch.autodiff.scipy": {"scipy"}, "mytorch.distributed": {"mpi4py"}}


def imported(source: str, package: str) -> set[str]:
    """The modules that a source imports anywhere: at the top, inside of functions, for type hints alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            origin = base if node.level else node.module or ""
            names = {f"{origin}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name in MODULES}
            # ``from mytorch import checks`` reads the submodule, not the package.
            found.update(modules if modules == names else modules | {origin})
    return found


@cache
def graph() -> dict[str, set[str]]:
    return {
        name: imported(
            path.read_text(encoding="utf-8"), name if path.name == "__init__.py" else name.rpartition(".")[0]
        )
        for name, path in MODULES.items()
    }


def a_cycle(edges: dict[str, set[str]]) -> list[str]:
    """The modules along a cycle, the first again at the end; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(edges.get(name, ())):
            found = visit(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in edges)), [])


def test_no_module_of_mytorch_imports_itself_by_way_of_others():
    assert a_cycle(graph()) == []


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, ["a", "b", "c", "a"]),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"a"}}, ["a", "a"]),
    ],
)
def test_a_cycle_would_be_found(edges, cycle):
    assert a_cycle(edges) == cycle


def test_imports_are_found_wherever_they_stand():
    source = """
import mytorch.utils as u
if TYPE_CHECKING:
    from mytorch.operation import Operation
def f():
    from mytorch import checks
    from .nn import functional
"""
    expected = {"mytorch.utils", "mytorch.operation", "mytorch.checks", "mytorch.nn.functional"}
    assert imported(source, "mytorch") == expected


@pytest.mark.slow
def test_the_engine_knows_nothing_of_what_is_built_on_it():
    engine = {"operation", "autograd_engine", "utils", "checks", "debug", "report", "tables"}
    allowed = {f"mytorch.{name}" for name in engine}
    for name in allowed:
        ours = {other for other in graph()[name] if other.startswith("mytorch")}
        assert ours <= allowed, f"{name} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("name", MODULES)
def test_mytorch_needs_numpy_alone(name):
    others = {module.partition(".")[0] for module in graph()[name]}
    extras = {extra for package in EXTRAS if f"{name}.".startswith(f"{package}.") for extra in EXTRAS[package]}
    assert others <= {"mytorch", "numpy", *sys.stdlib_module_names, *extras}
