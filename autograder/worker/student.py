"""The submission's modules, loaded from its own folder and from nowhere else. Runs in the submission's process."""

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
    """Hands the submission's classes to a scenario and remembers the engines that it made."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.engines: list[Any] = []
        self._loaded: dict[str, Any] = {}
        sys.path.insert(0, str(self.folder))

    def load(self, parts: list[str]) -> None:
        """Import what an exercise needs, together. A broken neighbour in the same package does no harm.

        The packages' ``__init__`` import all modules, so one file that cannot be imported would take everything with
        it. Where that happens, the modules are imported once more without the ``__init__`` files.
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
        """An engine that records nothing: what is only computed needs no engine that works."""
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
        """The names of the backward functions that are recorded on the engines at this moment."""
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
    """A file that should be there is not."""


class MissingName(AttributeError):
    """A function or class that should be there is not."""
