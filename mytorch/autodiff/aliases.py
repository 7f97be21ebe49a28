"""Names for annotations. Each says what a value may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any
"""An array, a NumPy scalar, or either of them Traced: NumPy's functions take all three."""

Tree = Any
"""Nested tuples, lists and dicts whose leaves are arrays."""

Function = Callable[..., Any]
"""A function to differentiate, or the result of a transformation."""

Rules = Any
"""Derivatives by argument: a sequence of functions (None: zero), or one function that gets the argument's number first."""

Settings = dict[str, Any]
"""The keyword arguments of a call."""
