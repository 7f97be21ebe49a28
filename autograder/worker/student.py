"""The submission's modules, loaded from its own folder and nowhere else."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

MODULES = {
    "engine": "mytorch.autograd_engine",
    "functional": "mytorch.nn.functional",
    "activation": "mytorch.nn.modules.activation",
    "loss": "mytorch.nn.modules.loss",
    "linear": "mytorch.nn.modules.linear",
    "mlp": "hw_bonus.mlp",
}
PACKAGES = ("mytorch", "mytorch.nn", "mytorch.nn.modules", "hw_bonus")


class Student:
    """Access to the submission's classes for scenarios; remembers the engines that they made."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.engines: list[Any] = []
        self._loaded: dict[str, Any] = {}
        sys.path.insert(0, str(self.folder))

    def load(self, parts: list[str]) -> None:
        """Import the modules of an exercise. A broken neighbour in the same package does no harm.

        Each package's ``__init__`` imports all its modules, so one broken file would break every import. If that
        happens, the modules are imported once more without the ``__init__`` files.
        """
        try:
            self._import(parts)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            for name in [n for n in sys.modules if n.split(".")[0] in ("mytorch", "hw_bonus")]:
                del sys.modules[name]
            for name in PACKAGES:
                package = types.ModuleType(name)
                package.__path__ = [str(self.folder.joinpath(*name.split(".")))]
                sys.modules[name] = package
            self._import(parts)

    def engine(self) -> Any:
        """A new engine of the submission."""
        engine = self._loaded["engine"].Autograd()
        self.engines.append(engine)
        return engine

    def silent_engine(self) -> Any:
        """An engine that records nothing, for forward values that should not depend on a working engine."""
        base = self._loaded["engine"].Autograd

        class Silent(base):  # type: ignore[misc,valid-type]
            def add_operation(self, *args: Any, **kwargs: Any) -> None:
                """Record nothing."""

        return Silent()

    def get(self, part: str, name: str) -> Any:
        """A function or class of one of the submission's files."""
        module = self._loaded[part]
        if not hasattr(module, name):
            raise MissingName(f"{name} is missing from {MODULES[part].replace('.', '/')}.py.")
        return getattr(module, name)

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

    def _import(self, parts: list[str]) -> None:
        for part in parts:
            name = MODULES[part]
            module = importlib.import_module(name)
            where = Path(getattr(module, "__file__", None) or "/nowhere").resolve()
            if self.folder.resolve() not in where.parents:
                raise MissingFile(f"{name.replace('.', '/')}.py is missing from the submission.")
            self._loaded[part] = module


class MissingFile(ImportError):
    """A file of the homework is missing from the submission."""


class MissingName(AttributeError):
    """A function or class of the homework is missing from its file."""
