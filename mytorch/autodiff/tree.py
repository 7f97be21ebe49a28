"""Trees: tuples, lists, dicts, dataclasses and registered classes of arrays, taken apart into leaves and put together again."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Rebuild = Callable[[Iterator[Any]], Any]

REGISTERED: dict[type, tuple[Callable, Callable]] = {}
LEAVES: set[type] = set()  # classes met that are no trees, so that they need no second look


def register_pytree_node(cls: type, flatten_fun: Callable, unflatten_fun: Callable) -> None:
    """Let objects of a class be trees, as in JAX: ``flatten_fun(object)`` returns (parts, rest), the second one joins them.

    ``unflatten_fun(rest, parts)`` gets what flatten_fun returned, with other parts in the same order.
    """
    REGISTERED[cls] = flatten_fun, unflatten_fun
    LEAVES.discard(cls)


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a tree from left to right, and a function that builds the same tree from an iterator of leaves."""
    if type(tree) in LEAVES:
        return [tree], next
    if tree is None:
        return [], lambda leaves: None
    inside, make, _ = _node(tree)
    if inside is None:
        return [tree], next
    parts = [flatten(part) for part in inside]
    return [leaf for leaves, _ in parts for leaf in leaves], lambda leaves: make([build(leaves) for _, build in parts])


def _node(tree: Any) -> tuple[Sequence[Any] | None, Any, bool]:
    """The parts of a tree, a function that joins such parts, and whether they have names; no parts for a leaf."""
    kind = type(tree)
    if kind in REGISTERED:
        parts, rest = REGISTERED[kind][0](tree)
        return list(parts), lambda values: REGISTERED[kind][1](rest, values), True
    if issubclass(kind, dict):
        return list(tree.values()), lambda values: _changed(tree, dict.__setitem__, list(tree), values), True
    if issubclass(kind, (tuple, list)):
        named = hasattr(tree, "_make")
        return tree, tree._make if named else kind, named
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(tree)]
        return [getattr(tree, n) for n in names], lambda values: _changed(tree, object.__setattr__, names, values), True
    LEAVES.add(kind)
    return None, None, False


def _changed(tree: Any, write: Callable, names: Sequence[Any], values: Sequence[Any]) -> Any:
    """A copy of the object with other values, whatever its class needs to be made."""
    made = copy.copy(tree)
    for name, value in zip(names, values):
        write(made, name, value)
    return made


def split(tree: tuple, is_float: Callable[[Any], bool]) -> tuple[list[Any], Rebuild, Rebuild]:
    """The leaves to differentiate, a function that puts others in their place, and one that builds the tree of gradients.

    Strings in a tree, and integers under a name (a key, a field), are constants: they stay as they are, and have None for
    a gradient. A number that is an argument itself or an entry of a list is meant to be differentiated, and refused later.
    """
    leaves, build = flatten(tree)
    if len(leaves) == len(tree) and all(leaf is part for leaf, part in zip(leaves, tree)):  # plain arguments
        return leaves, tuple, tuple
    fixed = _constants(tree, None, is_float)
    fixed = [False] * len(fixed) if all(fixed) else fixed

    def fill(values: Iterator[Any]) -> Any:
        return build(iter([leaf if constant else next(values) for leaf, constant in zip(leaves, fixed)]))

    def gradients(values: Iterator[Any]) -> Any:
        return build(iter([None if constant else next(values) for constant in fixed]))

    return [leaf for leaf, constant in zip(leaves, fixed) if not constant], fill, gradients


def _constants(tree: Any, named: bool | None, is_float: Callable[[Any], bool]) -> list[bool]:
    """For each leaf, True if it is a constant. named: the leaf has a name in its tree; None for no tree."""
    if tree is None:
        return []
    inside, _, names = _node(tree)
    if inside is None:
        is_string = isinstance(tree, (str, bytes)) and named is not None
        return [is_string or (bool(named) and not is_float(tree))]
    return [constant for part in inside for constant in _constants(part, names, is_float)]


def tree_map(fun: Callable[..., Any], tree: Any) -> Any:
    """The tree with ``fun`` applied to each leaf."""
    leaves, build = flatten(tree)
    return build(iter([fun(leaf) for leaf in leaves]))
