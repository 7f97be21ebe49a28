"""Guards: what a plan has taken for granted, checked by identity before each replay."""

from __future__ import annotations

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
    "LayerNorm": ("eps",), "Embedding": (), "MSELoss": (), "SoftmaxCrossEntropy": (), "Sequential": ("layers",),
}  # fmt: skip
# Attributes in which modules leave results.
RESULTS = ("state", "loss_val")


class Guard(NamedTuple):
    """``holder[key] is expected`` for a dict, ``holder.cell_contents is expected`` for a closure's cell (key None).

    entries: ``expected`` is a copy of a list, and the list found there still holds the same objects.
    """

    holder: Any
    key: Any
    expected: Any
    what: str
    entries: bool = False


def guard(holder: Any, key: Any, value: Any, what: str) -> Guard:
    """A guard of what a variable holds now; of a list of modules or arrays each entry is compared."""
    if isinstance(value, list) and any(isinstance(item, (Module, np.ndarray)) for item in value):
        return Guard(holder, key, list(value), what, entries=True)
    return Guard(holder, key, value, what)


def expression(guards: Iterable[Guard], names: dict[str, Any]) -> str:
    """A Python expression that is true while all guards hold; what it names is entered into ``names``.

    It raises KeyError or ValueError where a variable is gone.
    """
    tests = []
    for number, one in enumerate({(id(g.holder), g.key): g for g in guards}.values()):
        names[f"h{number}"], names[f"e{number}"] = one.holder, one.expected
        found = f"h{number}.cell_contents" if one.key is None else f"h{number}[{one.key!r}]"
        # Lists compare their entries by identity first; other arrays raise ValueError.
        tests.append(f"{found} {'==' if one.entries else 'is'} e{number}")
    return " and ".join(tests) or "True"


def of_module(module: Module) -> Iterator[Guard]:
    """What the forward of a module may read from it."""
    attributes, name = vars(module), type(module).__name__
    known = type(module).__module__.startswith("mytorch.nn.")
    if known:
        keys: Iterable[str] = (*READ.get(name, tuple(attributes)), *module.parameter_names)
        if "forward" in attributes:
            keys = (*keys, "forward")
    else:
        keys = tuple(attributes)
    for key in keys:
        value = attributes.get(key)
        if key in RESULTS:
            continue
        yield guard(attributes, key, value, f"{name}.{key}")


def of_function(function: Any) -> Iterator[Guard]:
    """The variables that a function reads from outside: closures, globals, the attributes of the object it is bound to.

    Python functions among them are followed, those of NumPy and mytorch are not.
    """
    waiting, seen = [function], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, partial):
            waiting.append(one.func)
            continue
        if isinstance(one, types.MethodType):
            waiting.append(one.__func__)
            owner = one.__self__
            found = [] if isinstance(owner, Module) else _attributes(owner)
        elif isinstance(one, types.FunctionType):
            found = _variables(one)
        else:
            # An object that is called: a module's own guards are found while it runs.
            call = vars(type(one)).get("__call__")
            if not isinstance(one, (Module, type)) and isinstance(call, types.FunctionType):
                waiting.append(types.MethodType(call, one))
            continue
        for variable in found:
            value = variable.expected
            if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type)):
                continue
            if isinstance(value, (types.FunctionType, types.MethodType, partial)):
                root = str(getattr(getattr(value, "func", value), "__module__", "")).split(".")[0]
                if root not in ("numpy", "mytorch"):
                    waiting.append(value)
            yield variable


def _attributes(owner: Any) -> list[Guard]:
    attributes = getattr(owner, "__dict__", {})
    return [guard(attributes, key, value, f"{type(owner).__name__}.{key}") for key, value in attributes.items()]


def _variables(function: types.FunctionType) -> list[Guard]:
    code, found = function.__code__, []
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        found.append(guard(cell, None, value, name))
    names, codes = set(code.co_names), [code]
    while codes:  # functions and comprehensions defined inside have names of their own
        for constant in codes.pop().co_consts:
            if isinstance(constant, types.CodeType):
                names |= set(constant.co_names)
                codes.append(constant)
    variables = function.__globals__
    found.extend(guard(variables, name, variables[name], name) for name in sorted(names) if name in variables)
    return found


def reachable(function: Any, guards: Iterable[Guard]) -> tuple[list[Module], list[Autograd]]:
    """The modules and engines that a function can reach through the variables it reads."""
    roots = [one.expected for one in guards]
    roots += [getattr(function, "__self__", None), function]
    roots += [item for root in roots if isinstance(root, (list, tuple)) for item in root]
    modules: dict[int, Module] = {}
    engines: dict[int, Autograd] = {}
    for root in roots:
        if isinstance(root, Module):
            modules.update((id(module), module) for _, module in root.modules())
        elif isinstance(root, Autograd):
            engines[id(root)] = root
        elif isinstance(root, dict):
            for item in root.values():
                if isinstance(item, Module):
                    modules.update((id(module), module) for _, module in item.modules())
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
