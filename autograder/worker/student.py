"""The submission's modules, loaded from its own folder and nowhere else."""

from __future__ import annotations

import ast
import gc
import importlib
import sys
import types
import weakref
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

# The file in which the functions and classes of each part are looked for first.
MODULES = {
    "engine": "mytorch.autograd_engine",
    "functional": "mytorch.nn.functional",
    "activation": "mytorch.nn.modules.activation",
    "loss": "mytorch.nn.modules.loss",
    "linear": "mytorch.nn.modules.linear",
    "mlp": "hw_bonus.mlp",
}
# A name by which a part is found where its file is missing: other generations of the homework have other places.
KNOWN_BY = {
    "engine": "Autograd",
    "functional": "matmul_backward",
    "activation": "Sigmoid",
    "loss": "SoftmaxCrossEntropy",
    "linear": "Linear",
    "mlp": "MLP",
}
TOPS = ("mytorch", "hw_bonus")
PACKAGES = ("mytorch", "mytorch.nn", "mytorch.nn.modules", "hw_bonus")


class Student:
    """Access to the submission's classes for scenarios; remembers the engines that they made."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.engines: list[Any] = []
        self._loaded: dict[str, Any] = {}
        self._found: dict[tuple[str, str], Any] = {}
        self._latest: Any = None
        sys.meta_path.insert(0, _Tops(self.folder))

    def load(self, parts: list[str]) -> None:
        """Import the modules of an exercise. A broken neighbour in the same package does no harm.

        Each package's ``__init__`` imports all its modules, so one broken file would break every import. If that
        happens, the modules are imported once more without the ``__init__`` files.
        """
        # A package without __init__ would otherwise lose against one of the same name that is installed.
        self._stand_in([name for name in PACKAGES if not self._path(name).joinpath("__init__.py").is_file()])
        try:
            self._import(parts)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            for name in [n for n in sys.modules if n.split(".")[0] in TOPS]:
                del sys.modules[name]
            self._stand_in(list(PACKAGES))
            self._import(parts)

    def engine(self) -> Any:
        """A new engine of the submission. Raises OneEngine for a class that allows no other beside one in use."""
        engine: Any = self._make(self.get("engine", "Autograd"))
        if any(engine is other for other in self.engines):
            raise OneEngine
        if self._latest is not None and self._latest() is engine:
            # A class that makes its only object once gives it out as the last scenario left it.
            engine.zero_grad()
        self._latest = weakref.ref(engine)
        self.engines.append(engine)
        return engine

    def silent_engine(self) -> Any:
        """An engine that records nothing, for forward values that should not depend on a working engine."""
        base = self.get("engine", "Autograd")

        class Silent(base):  # type: ignore[misc,valid-type]
            def add_operation(self, *args: Any, **kwargs: Any) -> None:
                """Record nothing."""

        return self._make(Silent)

    def get(self, part: str, name: str) -> Any:
        """A function or class of one of the submission's files: the part's own file, else the only one that defines it."""
        if (part, name) not in self._found:
            module = self._loaded.get(part)
            if module is None or not hasattr(module, name):
                module = self._home(part, name)
            self._found[part, name] = getattr(module, name)
        return self._found[part, name]

    def rules_used(self) -> list[str]:
        """Names of the backward functions that are recorded on the engines now."""
        names: list[str] = []
        for engine in self.engines:
            for operation in list(getattr(engine, "operation_list", []) or [])[:200]:
                rule = getattr(operation, "backward_operation", None)
                rule = getattr(rule, "func", rule)
                name = str(getattr(rule, "__name__", ""))
                if name and name not in names:
                    names.append(name)
        return names

    def _make(self, engine_class: Any) -> Any:
        """An engine. The original homework's class refuses a second one as long as the first is alive."""
        try:
            return engine_class()
        except Exception as error:
            if self.engines:
                raise OneEngine from error
        # Layers and engines hold each other, so only a collection ends the engine of the last scenario.
        gc.collect()
        return engine_class()

    def _path(self, module: str) -> Path:
        return self.folder.joinpath(*module.split("."))

    def _stand_in(self, packages: list[str]) -> None:
        """Put empty packages with the submission's folders in place of these."""
        for name in packages:
            package = types.ModuleType(name)
            package.__path__ = [str(self._path(name))]
            sys.modules[name] = package

    def _import(self, parts: list[str]) -> None:
        for part in parts:
            path = self._path(MODULES[part])
            if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
                self._loaded[part] = self._module(MODULES[part])
            else:
                self._loaded[part] = self._home(part, KNOWN_BY[part])

    def _module(self, name: str) -> Any:
        module = importlib.import_module(name)
        where = Path(getattr(module, "__file__", None) or "/nowhere").resolve()
        if self.folder.resolve() not in where.parents:
            raise MissingFile(f"{_as_file(name)} is missing from the submission.")
        return module

    def _home(self, part: str, name: str) -> Any:
        """The module that defines a name which the part's own file lacks. Raises MissingFile or MissingName."""
        own = _as_file(MODULES[part])
        there = part in self._loaded
        files = [path for top in TOPS for path in sorted((self.folder / top).rglob("*.py"))]
        places = [path.relative_to(self.folder).as_posix() for path in files if name in _definitions(path)]
        if not places:
            if there:
                raise MissingName(f"{name} is missing from {own}.")
            raise MissingFile(f"{own} is missing from the submission, and no other file of it defines {name}.")
        if len(places) > 1:
            raise MissingName(
                f"{name} is looked for in {own}, which {'lacks it' if there else 'is missing'}. It is defined in "
                f"{' and '.join(places)}. Rename the file that counts to {own}."
            )
        return self._module(places[0].removesuffix(".py").removesuffix("/__init__").replace("/", "."))


class _Tops:
    """Finder of mytorch and hw_bonus in the submission. A module that lies beside them is not handed in, so not found."""

    def __init__(self, folder: Path) -> None:
        self.places = [str(folder)]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The submission's package of this name; None for any other module."""
        return PathFinder.find_spec(name, self.places) if path is None and name in TOPS else None


def _as_file(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def _definitions(path: Path) -> set[str]:
    """Names that a file defines at its top level: functions, classes and variables; none for a file with wrong syntax."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


class OneEngine(Exception):
    """The submission's engine class allows no second engine as long as one is in use."""


class MissingFile(ImportError):
    """A file of the homework is missing from the submission."""


class MissingName(AttributeError):
    """A function, class or attribute of the homework is missing from its place, or is another thing than it should be."""
