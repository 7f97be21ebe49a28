"""Marks for backward functions: what the engine should know before it lets an operation write over an array.

The engine takes every backward function to read the values of its inputs, and refuses an operation that writes over them.
A mark says that a function needs less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mytorch.utils import fit, unbroadcast

__all__ = ["fit", "makes_view", "same_from_output", "shapes_only", "unbroadcast"]

Rule = TypeVar("Rule", bound=Callable[..., Any])


def shapes_only(rule: Rule) -> Rule:
    """Mark a backward function that reads the shapes and dtypes of its inputs, but no values."""
    rule.shapes_only = True  # type: ignore[attr-defined]
    return rule


def same_from_output(rule: Rule) -> Rule:
    """Mark a backward function that gives the same from the output, so the operation may overwrite its first input."""
    rule.same_from_output = True  # type: ignore[attr-defined]
    return rule


def makes_view(rule: Rule) -> Rule:
    """Mark the backward function of an operation whose output is a view of its input and overwrites nothing."""
    rule.makes_view = True  # type: ignore[attr-defined]
    return rule
