"""Backends: what runs a plan. Each gives a function of the arguments that makes one step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mytorch.graph.backends import numpy_backend
from mytorch.graph.plan import Plan

NAMES = ("auto", "numpy", "c")


def chosen(name: str | None) -> str:
    """The backend asked for: by argument, else by MYTORCH_BACKEND, else auto. Raises ValueError for another name."""
    name = name or os.environ.get("MYTORCH_BACKEND") or "auto"
    if name not in NAMES:
        raise ValueError(f"There is no backend {name!r}; choose numpy, c or auto.")
    return name


def build(plan: Plan, name: str) -> tuple[Plan, Callable[..., tuple[Any, ...]], list[tuple[str, ...]]]:
    """The plan with the backend that runs it, the function, and the names of what each of its lines updates.

    Where the C backend was asked for or left open and is not available, NumPy's takes over; the plan's ``backend`` says why.
    """
    shown = "numpy"
    if name != "numpy":
        try:
            from mytorch.graph.backends import c
        except ImportError:
            shown = "numpy (the C backend is not installed)"
        else:
            try:
                return replace(plan, backend="c"), *c.build(plan)
            except c.Unavailable as reason:
                shown = f"numpy (C is not available: {reason})"
    return replace(plan, backend=shown), *numpy_backend.build(plan)


def matcher(plan: Plan) -> Callable[..., Callable[..., int]] | None:
    """Makes the function that tells if a plan in C still holds (``backends.c.matcher``); None for NumPy's backend."""
    if plan.backend != "c":
        return None
    from mytorch.graph.backends import c

    return c.matcher
