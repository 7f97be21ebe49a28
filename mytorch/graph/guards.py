"""Guards: what a plan has taken for granted, checked by identity before each replay."""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.nn.modules.module import Module

# Attributes that the layers of mytorch.nn read in forward, besides their arrays. Of other modules every attribute is guarded.
READ = {
    "Linear": (), "Identity": (), "Sigmoid": (), "Tanh": (), "ReLU": (), "GELU": (), "SiLU": (), "Softplus": (),
    "LeakyReLU": ("negative_slope", "backward_operation"), "Softmax": ("axis", "backward_operation"),
    "Dropout": ("training", "p", "rng"), "BatchNorm1d": ("training", "eps", "momentum", "running_mean", "running_var"),
    "LayerNorm": ("eps",), "Embedding": (), "EmbeddingBag": ("mode", "padding_idx"), "MSELoss": (), "SoftmaxCrossEntropy": (),
    "Sequential": ("layers",),
}  # fmt: skip
# Attributes in which the modules of mytorch.nn leave results.
RESULTS = ("state", "loss_val")
# Expected where a dict has no such key; and the key of a guard of a list or dict itself.
ABSENT, ITSELF = object(), object()


class Guard(NamedTuple):
    """``holder[key] is expected`` for a dict, ``holder.cell_contents is expected`` for a closure's cell (key None).

    entries: ``expected`` is a copy of a list, and the list found there still holds the same objects. With the key ITSELF
    that list is the holder, or the keys and values of a holder that is a dict.
    attribute: ``holder.key is expected``. With ``expected`` ABSENT the holder, a dict, has no such key.
    """

    holder: Any
    key: Any
    expected: Any
    what: str
    entries: bool = False
    attribute: bool = False


def guard(holder: Any, key: Any, value: Any, what: str) -> Guard:
    """A guard of what a variable holds now; of a list each entry is compared."""
    if isinstance(value, list):
        return Guard(holder, key, list(value), what, entries=True)
    return Guard(holder, key, value, what)


def same_entries(found: Any, expected: list[Any]) -> bool:
    """True where two lists hold the same objects."""
    return len(found) == len(expected) and all(map(operator.is_, found, expected))


def expression(guards: Iterable[Guard], names: dict[str, Any]) -> str:
    """A Python expression that is true while all guards hold; what it names is entered into ``names``.

    It raises AttributeError, KeyError, TypeError or ValueError where a variable is gone or of another kind.
    """
    names["same_entries"] = same_entries
    tests = []
    for number, one in enumerate({(id(g.holder), g.key, g.attribute): g for g in guards}.values()):
        h, e, k = f"h{number}", f"e{number}", repr(one.key)
        names[h], names[e] = one.holder, one.expected
        if one.key is ITSELF:
            found = f"[*{h}, *{h}.values()]" if isinstance(one.holder, dict) else h
        elif one.attribute:
            found = f"{h}.{one.key}"
        else:
            found = f"{h}.cell_contents" if one.key is None else f"{h}[{k}]"
        if one.expected is ABSENT:
            tests.append(f"{k} not in {h}")
        elif not one.entries:
            tests.append(f"{found} is {e}")
        elif all(_compares_by_identity(item) for item in one.expected):
            tests.append(f"{found} == {e}")
        else:
            tests.append(f"same_entries({found}, {e})")
    return " and ".join(tests) or "True"


def _compares_by_identity(item: Any) -> bool:
    """True where a list that is compared with == finds another object: == takes half as long as a loop.

    == of arrays with more than one entry raises ValueError.
    """
    return item.size > 1 if type(item) is np.ndarray else type(item).__eq__ is object.__eq__


def of_module(module: Module) -> Iterator[Guard]:
    """The attributes of a module that its forward may read."""
    attributes, name = vars(module), type(module).__name__
    yield Guard(module, "__class__", type(module), f"the class of {name}", attribute=True)
    yield Guard(attributes, "autograd_engine", module.autograd_engine, f"{name}.autograd_engine")
    if _is_known(module):
        for key in (*READ.get(name, tuple(attributes)), *module.parameter_names):
            if key not in RESULTS:
                yield guard(attributes, key, attributes.get(key), f"{name}.{key}")
        forward = attributes.get("forward", ABSENT)
        yield Guard(attributes, "forward", forward, f"{name}.forward")
        if forward is ABSENT:
            return
    yield from _walked(module)


def of_function(function: Any) -> Iterator[Guard]:
    """The values that a function reads from outside: closures, globals and defaults, and in turn what lies in the lists, dicts,
    objects, classes and Python modules among them, as far as their names stand in the code.

    Functions among them are followed, except those of NumPy, mytorch, the standard library and installed packages.
    """
    yield from _walked(function)


def _walked(root: Any) -> list[Guard]:
    names: frozenset[str] = frozenset()
    while True:
        walk = Walk(names)
        walk.look_into(root)
        if walk.names == names:
            return walk.guards
        names = frozenset(walk.names)


class Walk:
    """Collects guards of all that a function can reach by the given names.

    names: with those that the code met on the way reads; a walk with all of them finds everything.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)
        self.guards: list[Guard] = []
        self._seen: dict[int, Any] = {}

    def look_into(self, value: Any) -> None:
        """Add guards of what a value holds."""
        if id(value) in self._seen or isinstance(value, (np.ndarray, Autograd, str, bytes, int, float, type(None))):
            return
        self._seen[id(value)] = value
        if isinstance(value, partial):
            for one in (value.func, *value.args, *value.keywords.values()):
                self.look_into(one)
        elif isinstance(value, types.MethodType):
            self.look_into(value.__self__)
            self.look_into(value.__func__)
        elif isinstance(value, types.FunctionType):
            if _is_ours(value.__module__):
                self._function(value)
        elif isinstance(value, types.ModuleType):
            if _is_ours(value.__name__):
                self._named(vars(value), value.__name__)
        elif isinstance(value, type):
            if _is_ours(value.__module__):
                self._class(value)
        elif isinstance(value, (list, dict, tuple)):
            entries = [*value, *value.values()] if isinstance(value, dict) else list(value)
            if not isinstance(value, tuple):
                self.guards.append(Guard(value, ITSELF, entries, type(value).__name__, entries=True))
            for one in entries:
                self.look_into(one)
        elif isinstance(value, Module):
            self._module(value)
        elif type(value) is types.SimpleNamespace or _is_ours(type(value).__module__):
            self._object(value)

    def _hold(self, one: Guard) -> None:
        self.guards.append(one)
        for item in one.expected if one.entries else [one.expected]:
            self.look_into(item)

    def _function(self, function: types.FunctionType) -> None:
        codes = [function.__code__]
        while codes:  # functions and comprehensions defined inside have names of their own
            code = codes.pop()
            self.names.update(code.co_names)
            codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for name in ("__defaults__", "__kwdefaults__"):
            value = getattr(function, name)
            if value is not None:
                self._hold(Guard(function, name, value, f"{function.__name__}.{name}", attribute=True))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                self._hold(guard(cell, None, cell.cell_contents, name))
            except ValueError:
                continue
        self._named(function.__globals__, "")

    def _named(self, variables: Any, what: str) -> None:
        """The variables whose names stand in the code."""
        for name in sorted(self.names & variables.keys()):
            value = variables[name]
            if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type)):
                self.look_into(value)
            else:
                self._hold(guard(variables, name, value, f"{what}.{name}".lstrip(".")))

    def _class(self, kind: type) -> None:
        for name in sorted(self.names & _own_attributes(kind)):
            value = getattr(kind, name)
            if value is getattr(kind, name):  # a class method is another object each time
                self.guards.append(Guard(kind, name, value, f"{kind.__name__}.{name}", attribute=True))
            self.look_into(value.fget if isinstance(value, property) else value)

    def _object(self, value: Any) -> None:
        kind, attributes = type(value), getattr(value, "__dict__", {})
        self.guards.append(Guard(value, "__class__", kind, f"the class of {kind.__name__}", attribute=True))
        self.names.add("__call__")
        self._named(attributes, kind.__name__)
        self._of_class(value)

    def _of_class(self, value: Any) -> None:
        """Attributes that an object has from its class, and still has from there."""
        attributes, kind = getattr(value, "__dict__", {}), type(value)
        for name in sorted(self.names & _own_attributes(kind) - attributes.keys()):
            self.guards.append(Guard(attributes, name, ABSENT, f"{kind.__name__}.{name}"))
        self.look_into(kind)

    def _module(self, module: Module) -> None:
        """A layer of mytorch.nn by names only, as its own guards know what it reads; of another everything."""
        attributes, kind = vars(module), type(module)
        is_known = _is_known(module)
        if not is_known:
            self.guards.append(Guard(module, "__class__", kind, f"the class of {kind.__name__}", attribute=True))
            self.names.add("forward")
        for key, value in attributes.items():
            if not is_known or (key in self.names and key not in RESULTS):
                self._hold(guard(attributes, key, value, f"{kind.__name__}.{key}"))
            elif isinstance(value, (Module, list, tuple)) or key == "forward":
                self.look_into(value)
        if not is_known:
            self._of_class(module)


def _own_attributes(kind: type) -> set[str]:
    """The names that a class and its bases define, without those of installed classes."""
    return {name for owner in kind.__mro__ if _is_ours(owner.__module__) for name in vars(owner)}


def _is_known(module: Module) -> bool:
    return type(module).__module__.startswith("mytorch.nn.")


def _is_ours(module: str | None) -> bool:
    """True for the name of a Python module that a person works on, not one that is installed."""
    root = str(module).split(".")[0]
    if root == "__main__":
        return True
    if root in ("numpy", "mytorch") or root in sys.stdlib_module_names:
        return False
    path = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" not in path and "dist-packages" not in path


def reachable(function: Any, guards: Iterable[Guard]) -> tuple[list[Module], list[Autograd]]:
    """The modules and engines that a function can reach through the variables it reads."""
    roots = [one.expected for one in guards]
    roots += [getattr(function, "__self__", None), function]
    waiting, seen = roots, set()
    modules: dict[int, Module] = {}
    engines: dict[int, Autograd] = {}
    while waiting:
        root = waiting.pop(0)
        if id(root) in seen:
            continue
        seen.add(id(root))
        if isinstance(root, Module):
            modules.update((id(module), module) for _, module in root.modules())
        elif isinstance(root, Autograd):
            engines[id(root)] = root
        elif isinstance(root, (list, tuple)):
            waiting += root
        elif isinstance(root, dict):
            waiting += root.values()
        elif isinstance(root, partial):
            waiting += (root.func, *root.args, *root.keywords.values())
        elif isinstance(root, types.MethodType):
            waiting.append(root.__self__)
    for module in modules.values():
        if isinstance(module.autograd_engine, Autograd):
            engines[id(module.autograd_engine)] = module.autograd_engine
    return list(modules.values()), list(engines.values())


def arrays_of(guards: Iterable[Guard]) -> Iterator[tuple[np.ndarray, str, Guard]]:
    """The arrays that guards hold, with their names."""
    for one in guards:
        for item in one.expected if one.entries else [one.expected]:
            if isinstance(item, np.ndarray):
                yield item, one.what, one
