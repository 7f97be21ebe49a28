"""Nested tuples, lists and dicts of arrays, taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Rebuild = Callable[[Iterator[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a tree from left to right, and a function that builds the same tree from an iterator of leaves."""
    make: Any
    if isinstance(tree, dict):
        parts, make = [flatten(tree[key]) for key in tree], lambda values: type(tree)(zip(tree, values))
    elif isinstance(tree, (tuple, list)):
        parts = [flatten(part) for part in tree]
        make = (lambda values: tree._make(values)) if hasattr(tree, "_make") else type(tree)
    elif tree is None:
        return [], lambda leaves: None
    else:
        return [tree], next
    return [leaf for leaves, _ in parts for leaf in leaves], lambda leaves: make([build(leaves) for _, build in parts])


def tree_map(fun: Callable[..., Any], tree: Any) -> Any:
    """The tree with ``fun`` applied to each leaf."""
    leaves, build = flatten(tree)
    return build(iter([fun(leaf) for leaf in leaves]))
