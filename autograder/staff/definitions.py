"""Definitions of a Python file by their dotted names, in a form in which two files can be compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

Sources = Mapping[str, str]


class Function(NamedTuple):
    """A function or method and the source in which it stands."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    source: str

    @property
    def has_docstring(self) -> bool:
        return ast.get_docstring(self.node) is not None

    @property
    def statements(self) -> list[ast.stmt]:
        """The body without its docstring."""
        return self.node.body[1:] if self.has_docstring else self.node.body

    @property
    def is_stub(self) -> bool:
        """True for what raises NotImplementedError, wherever it does: students write it."""
        raised = (node.exc for node in ast.walk(self.node) if isinstance(node, ast.Raise) and node.exc is not None)
        return any("NotImplementedError" in ast.unparse(error) for error in raised)

    @property
    def decorators(self) -> list[str]:
        return [ast.unparse(decorator) for decorator in self.node.decorator_list]

    @property
    def code(self) -> list[ast.AST | None]:
        """All of it but the name and the decorators."""
        return [self.node.args, self.node.returns, *self.node.body]

    def lines(self) -> list[str]:
        """The source lines of its statements, without indentation."""
        lines = self.source.splitlines()
        return [line.strip() for node in self.statements for line in lines[node.lineno - 1 : node.end_lineno]]

    def parameters(self) -> list[str]:
        """The parameters with their defaults, without annotations: ``a``, ``axis=None``, ``*``."""
        arguments = self.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        required: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        shown = [_parameter(one, default) for one, default in zip(positional, [*required, *arguments.defaults])]
        if arguments.posonlyargs:
            shown.insert(len(arguments.posonlyargs), "/")
        if arguments.vararg or arguments.kwonlyargs:
            shown.append(f"*{arguments.vararg.arg}" if arguments.vararg else "*")
        shown += map(_parameter, arguments.kwonlyargs, arguments.kw_defaults)
        return shown + ([f"**{arguments.kwarg.arg}"] if arguments.kwarg else [])


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    return argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}"


class Value(NamedTuple):
    """A constant, a class attribute, a class by its bases, or a name from another project, as its source text."""

    text: str


Definition = Function | Value


class Module:
    """One file of several, parsed. Names that it imports from another of the files are looked up there."""

    def __init__(self, name: str, sources: Sources) -> None:
        """Raises SyntaxError for a file that does not compile."""
        self.source, self.sources = sources[name], sources
        self.own: dict[str, Definition] = {}
        self.imported: dict[str, str] = {}
        self.exported: set[str] = set()
        self._bases: dict[str, list[str]] = {}
        self._collect(parse(self.source, name).body, "")

    def _collect(self, body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.own[prefix + node.name] = Function(node, self.source)
            elif isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base) for base in node.bases]
                self.own[prefix + node.name] = Value(f"a class of ({', '.join(bases)})")
                self._bases[prefix + node.name] = bases
                self._collect(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.ImportFrom) and node.module:
                self.imported.update({alias.asname or alias.name: node.module for alias in node.names})
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(prefix, target, ast.unparse(node.value))
            elif isinstance(node, ast.AnnAssign):
                self._assign(prefix, node.target, ast.unparse(node.value or node.annotation))

    def _assign(self, prefix: str, target: ast.expr, text: str) -> None:
        if isinstance(target, ast.Name) and target.id == "__all__":
            self.exported = set(ast.literal_eval(text))
        else:
            names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
            self.own.update({prefix + name: Value(text) for name in names})

    def names(self) -> list[str]:
        """Every name that is defined here, and every imported one that ``__all__`` names."""
        return [*self.own, *sorted(self.exported - self.own.keys())]

    def find(self, name: str) -> Definition | None:
        """The definition of a name, also where it is inherited or imported; None if there is none."""
        if name in self.own:
            return self.own[name]
        owner, _, attribute = name.rpartition(".")
        if owner:
            inherited = (self.find(f"{base}.{attribute}") for base in self._bases.get(owner, []))
            found = next((definition for definition in inherited if definition is not None), None)
            return found if found is not None or owner in self.own else self._elsewhere(owner, name)
        return self._elsewhere(name, name)

    def _elsewhere(self, imported: str, name: str) -> Definition | None:
        module = self.imported.get(imported)
        if module is None:
            return None
        file = path_of(module, self.sources)
        if file is not None:
            return Module(file, self.sources).find(name)
        return Value(f"a name from {module}") if imported == name else None

    def has(self, name: str) -> bool:
        """True for a name that another module can import from this one."""
        return name in self.own or name in self.imported

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function and method that is defined here, by its dotted name."""
        return ((name, one) for name, one in self.own.items() if isinstance(one, Function))


@lru_cache(1000)
def parse(source: str, name: str) -> ast.Module:
    """The syntax tree of a file, which nobody may change. Raises SyntaxError."""
    return ast.parse(source, name)


def path_of(module: str, sources: Sources) -> str | None:
    """The file of a module, named with dots; None if it is not among the sources."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in sources), None)


def imports(source: str, name: str) -> Iterator[tuple[str, str]]:
    """Every import in a file, as a module and the name that is taken from it or ``""``."""
    for node in ast.walk(parse(source, name)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)


def is_public(name: str) -> bool:
    """True if no part of a dotted name is private; names such as ``__init__`` are public."""
    return not any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


def same(one: Sequence[ast.AST | None], other: Sequence[ast.AST | None]) -> bool:
    """True for the same code, whatever its layout and comments."""
    return [node and ast.dump(node) for node in one] == [node and ast.dump(node) for node in other]
