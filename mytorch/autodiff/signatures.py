"""Arguments that a NumPy function takes and its rule does not: refused by name, never ignored."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.errors import WRITES, full_name, in_place

SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def refusing(fun: Function, definition: Function) -> Function:
    """The definition of fun, called as fun is: what the definition has no parameter for raises, unless it is the default.

    Raises NotImplementedError for a setting without a rule, TypeError for an array to write into (out=) and for an argument
    that fun does not take either.
    """
    theirs, ours = None if isinstance(fun, np.ufunc) else _signature(fun), _signature(definition)
    if ours is None or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in ours.parameters.values()):
        return definition
    if theirs is None:
        return definition if isinstance(fun, np.ufunc) else _refusing_out(fun, definition)
    optional = {name: p for name, p in theirs.parameters.items() if p.default is not p.empty and p.kind not in SEVERAL}
    missing = {name: p for name, p in optional.items() if name not in ours.parameters}
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in ours.parameters.values()):
        missing = {name: p for name, p in missing.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    order = list(theirs.parameters)
    limit = min((order.index(name) for name in missing), default=len(order))
    extra = next((p.name for p in theirs.parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD), None)
    known = ours.parameters.keys()

    @wraps(definition)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if len(args) > limit or not kwargs.keys() <= known:
            bound = theirs.bind(*args, **kwargs)
            for name, parameter in missing.items():
                if name in bound.arguments:
                    _refuse_unless_default(fun, name, bound.arguments.pop(name), parameter.default)
            for name, value in bound.arguments.pop(extra or "", {}).items():
                _refuse_unless_default(fun, name, value, inspect.Parameter.empty)
            args, kwargs = bound.args, bound.kwargs
        return definition(*args, **kwargs)

    return checked


def _refusing_out(fun: Function, definition: Function) -> Function:
    @wraps(definition)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _refuse_unless_default(fun, "out", kwargs.pop("out", None), None)
        return definition(*args, **kwargs)

    return checked


def like_signature(definition: Function, other: Function) -> Function:
    """The definition, which passes its arguments on to another one, with that one's signature."""
    definition.__signature__ = inspect.signature(other)  # type: ignore[attr-defined]
    return definition


def _refuse_unless_default(fun: Function, name: str, value: Any, default: Any) -> None:
    if value is default or (type(value) is type(default) and not hasattr(value, "shape") and value == default):
        return
    if name == "out":
        raise in_place(f"{full_name(fun)} with out=", WRITES["out="])
    raise NotImplementedError(
        f"{full_name(fun)} with {name}={value!r} has no rule of differentiation. Leave {name} out, or write the function in "
        "others that have a rule: mytorch.autodiff.primitives() lists them."
    )


def _signature(fun: Function) -> inspect.Signature | None:
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):  # some functions of older NumPys tell nobody
        return None
