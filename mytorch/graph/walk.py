"""Walk: what a function or a layer reads from outside, as guards; and the modules and engines that it can reach."""

from __future__ import annotations

import contextlib
import contextvars
import random
import sys
import types
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.graph import foreign
from mytorch.graph.guards import ABSENT, BYTES, IN_CONTEXT, ITSELF, MAPPINGS, RESULTS, UNSEEN, Guard, guard
from mytorch.nn.modules.module import Module

# Attributes that the layers of mytorch.nn read in forward, besides their arrays. Of other modules every attribute is guarded.
READ = {
    "Linear": (), "Identity": (), "Sigmoid": (), "Tanh": (), "ReLU": (), "GELU": (), "SiLU": (), "Softplus": (),
    "LeakyReLU": ("negative_slope", "backward_operation"), "Softmax": ("axis", "backward_operation"),
    "Dropout": ("training", "p", "rng"), "BatchNorm1d": ("training", "eps", "momentum", "running_mean", "running_var"),
    "LayerNorm": ("eps",), "Embedding": (), "EmbeddingBag": ("mode", "padding_idx"), "MSELoss": (), "SoftmaxCrossEntropy": (),
    "Sequential": ("layers",),
}  # fmt: skip
# Objects that hold nothing, or whose values are read anew at each call.
PLAIN = (np.ndarray, Autograd, bytes, int, float, type(None))
# Containers of which each entry is compared, and random generators, whose positions a proof compares.
CONTAINERS = (list, set, frozenset, deque, bytearray, array)
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
# Buffers of more bytes are not compared at every call.
LARGEST_BUFFER = 1 << 10
# Functions and attributes that read every attribute of an object; so does getattr, where the name is put together.
ALL_ATTRIBUTES = {"vars", "__dict__", "asdict", "astuple"}
# Methods that Python calls by itself, but not in the middle of a step. __eq__ of a dataclass would name all of its fields.
ASIDE = {
    "__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "__class_getitem__", "__del__", "__repr__",
    "__str__", "__eq__", "__hash__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__",
}  # fmt: skip


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
    """The values that a function reads from outside: closures, globals, defaults and its own attributes, and in turn what lies
    in the containers, objects, classes and Python modules among them, as far as their names stand in the code.

    Functions and classes among them are followed, except those of NumPy, mytorch, the standard library and installed packages;
    those of the function's own package are always followed. Of any object, the attributes that are named are guarded.
    """
    yield from _walked(function)


def _walked(root: Any) -> list[Guard]:
    function = root
    while isinstance(function, partial):
        function = function.func
    home = str(getattr(function, "__module__", None)).split(".")[0]
    names: frozenset[str] = frozenset()
    while True:
        walk = Walk(names, home)
        walk.look_into(root)
        if walk.names == names:
            return walk.guards
        names = frozenset(walk.names)


class Walk:
    """Collects guards of all that a function can reach by the given names.

    names: with those that the code met on the way reads; a walk with all of them finds everything.
    home: the package that the function is from.
    """

    def __init__(self, names: Iterable[str], home: str) -> None:
        self.names = set(names)
        self.home = home
        self.guards: list[Guard] = []
        self._seen: dict[int, Any] = {}

    def look_into(self, value: Any) -> None:
        """Add guards of what a value holds."""
        if isinstance(value, str):  # perhaps the name in a getattr
            self._name(value)
            return
        if id(value) in self._seen or isinstance(value, PLAIN):
            return
        self._seen[id(value)] = value
        if isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.ModuleType):
            if self._is_ours(value.__name__):
                self._named(vars(value), value.__name__)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, (*CONTAINERS, *MAPPINGS, tuple)):
            self._container(value)
        elif isinstance(value, GENERATORS):
            self.guards.append(Guard(value, ITSELF, value, "a random generator"))
        elif isinstance(value, Module):
            self._module(value)
        elif isinstance(value, contextvars.ContextVar):
            self._hold(Guard(value, IN_CONTEXT, value.get(ABSENT), value.name))
            with contextlib.suppress(LookupError):
                self.look_into(value.get())  # its default, where none is set
        elif hasattr(type(value), "__next__") and not self._is_ours(type(value).__module__):
            self._unseen(value, "gives something else each time")
        elif foreign.is_buffer(value):
            self._buffer(value)
        elif foreign.is_closed(value):
            self._unseen(value, "may change where no guard can look")
        else:
            if isinstance(value, types.MethodType):
                self.names.add(value.__name__)
            for inner in foreign.wrapped(value):
                self.look_into(inner)
            self._object(value)

    def _hold(self, one: Guard) -> None:
        self.guards.append(one)
        for item in one.expected if one.entries else [one.expected]:
            self.look_into(item)

    def _unseen(self, value: Any, why: str) -> None:
        self.guards.append(Guard(value, ITSELF, UNSEEN, f"the function reads a {type(value).__name__}, which {why}"))

    def _buffer(self, value: Any) -> None:
        """An object that shows memory: a number or array of ctypes, a memoryview, a mapped file."""
        shown = memoryview(value)
        if isinstance(shown.obj, np.ndarray) or shown.nbytes <= LARGEST_BUFFER:
            self.guards.append(Guard(value, BYTES, bytes(value), type(value).__name__))
        else:
            self._unseen(value, f"holds {shown.nbytes} bytes that may change; pass an array of them as an argument")

    def _name(self, text: str) -> None:
        """A name that stands in a string, or several with dots between them."""
        self.names.update(part for part in text.split(".") if part.isidentifier())

    def _container(self, value: Any) -> None:
        entries = [*value, *value.values()] if isinstance(value, MAPPINGS) else list(value)
        if not isinstance(value, tuple):
            self.guards.append(Guard(value, ITSELF, entries, type(value).__name__, entries=True))
        for one in entries:
            self.look_into(one)
        if type(value).__module__ not in ("builtins", "collections"):
            self._object(value)

    def _function(self, function: types.FunctionType) -> None:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                self._hold(guard(cell, None, cell.cell_contents, name))
            except ValueError:
                continue
        if not self._is_ours(function.__module__):
            return
        self.guards.append(Guard(function, "__code__", function.__code__, function.__name__, attribute=True))
        waiting: list[Any] = [function.__code__]
        while waiting:  # functions and comprehensions defined inside have names of their own
            one = waiting.pop()
            if isinstance(one, types.CodeType):
                self.names.update(one.co_names)
                waiting += one.co_consts
                if "getattr" in one.co_names and foreign.joins_text(one):
                    self.names.update(ALL_ATTRIBUTES)
            elif isinstance(one, tuple):
                waiting += one
            elif isinstance(one, str):  # perhaps the name in a getattr
                self._name(one)
        for name in ("__defaults__", "__kwdefaults__"):
            value = getattr(function, name)
            if value is not None:
                self._hold(Guard(function, name, value, f"{function.__name__}.{name}", attribute=True))
        self._named(vars(function), function.__name__)
        self._named(function.__globals__, "")

    def _named(self, variables: Any, what: str) -> None:
        """The variables whose names stand in the code."""
        for name in sorted(self.names & variables.keys()):
            value = variables[name]
            if isinstance(value, types.ModuleType) and not self._is_ours(value.__name__):
                continue
            self._hold(guard(variables, name, value, f"{what}.{name}".lstrip(".")))

    def _class(self, kind: type) -> None:
        """Guards of what the class and its bases define under the names, and of what no class before them defines."""
        ours = [owner for owner in kind.__mro__ if self._is_ours(owner.__module__)]
        for name in sorted(self.names & {name for owner in ours for name in vars(owner)}):
            is_found = False
            for owner in ours:
                if name in vars(owner):
                    is_found = True
                    self._hold(Guard(vars(owner), name, vars(owner)[name], f"{owner.__name__}.{name}"))
                elif not is_found:
                    self.guards.append(Guard(vars(owner), name, ABSENT, f"{owner.__name__}.{name}"))
        self.look_into(type(kind))

    def _object(self, value: Any) -> None:
        kind, attributes = type(value), getattr(value, "__dict__", {})
        if self._is_ours(kind.__module__):
            self.guards.append(Guard(value, "__class__", kind, f"the class of {kind.__name__}", attribute=True))
            self._implicit(kind)
        elif kind.__module__ == "collections":  # UserDict, ChainMap and the like
            self.names.update(attributes)
        else:
            self._foreign(kind)
        if self.names & ALL_ATTRIBUTES and self._is_ours(kind.__module__):
            self.names.update(attributes)
        self._named(attributes, kind.__name__)
        for owner in kind.__mro__:
            for name in self.names & vars(owner).keys():
                is_slot = isinstance(vars(owner)[name], types.MemberDescriptorType) and owner.__module__ != "builtins"
                if is_slot and hasattr(value, name):
                    self._hold(guard(value, name, getattr(value, name), f"{kind.__name__}.{name}", attribute=True))
        self._of_class(value)

    def _foreign(self, kind: type) -> None:
        """Add the names in those methods of an installed class that the code calls; they lead to its objects' attributes."""
        for owner in kind.__mro__:
            if owner.__module__.split(".")[0] in ("builtins", "numpy", "mytorch"):
                continue
            for name, value in vars(owner).items():
                if name in self.names or (name[:2] == name[-2:] == "__" and name not in ASIDE):
                    function = value.fget if isinstance(value, property) else value
                    if isinstance(function, types.FunctionType):
                        self.names.update(function.__code__.co_names)

    def _implicit(self, kind: type) -> None:
        """Add the names of the methods that operators, indexing and the like call."""
        for owner in kind.__mro__:
            if self._is_ours(owner.__module__):
                self.names.update(name for name in vars(owner) if name[:2] == name[-2:] == "__" and name not in ASIDE)

    def _of_class(self, value: Any) -> None:
        """Attributes that an object has from its class, and still has from there."""
        attributes, kind = getattr(value, "__dict__", {}), type(value)
        for name in sorted(self.names & self._own_attributes(kind) - attributes.keys()):
            self.guards.append(Guard(attributes, name, ABSENT, f"{kind.__name__}.{name}"))
        self.look_into(kind)

    def _module(self, module: Module) -> None:
        """A layer of mytorch.nn by names only, as its own guards know what it reads; of another everything."""
        attributes, kind = vars(module), type(module)
        is_known = _is_known(module)
        if not is_known:
            self.guards.append(Guard(module, "__class__", kind, f"the class of {kind.__name__}", attribute=True))
            self.names.add("forward")
            self._implicit(kind)
        for key, value in attributes.items():
            if not is_known or (key in self.names and key not in RESULTS):
                self._hold(guard(attributes, key, value, f"{kind.__name__}.{key}"))
            elif isinstance(value, (Module, list, tuple)) or key == "forward":
                self.look_into(value)
        if not is_known:
            self._of_class(module)

    def _own_attributes(self, kind: type) -> set[str]:
        """The names that a class and its bases define, without those of installed classes."""
        return {name for owner in kind.__mro__ if self._is_ours(owner.__module__) for name in vars(owner)}

    def _is_ours(self, module: Any) -> bool:
        """True for the name of a Python module that a person works on, not one that is installed."""
        root = str(module).split(".")[0]
        if root in ("numpy", "mytorch") or root in sys.stdlib_module_names:
            return False
        if root in ("__main__", self.home):
            return True
        path = getattr(sys.modules.get(root), "__file__", None) or ""
        return "site-packages" not in path and "dist-packages" not in path


def _is_known(module: Module) -> bool:
    return type(module).__module__.startswith("mytorch.nn.")


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
