"""Registering rules of SciPy: for ufuncs of scipy.special, for functions that NumPy cannot dispatch, and refusals by name."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import scipy.special as sc

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.errors import full_name
from mytorch.autodiff.kinds import Elementwise, Explicit, explicit, primitive
from mytorch.autodiff.traced import TABLE, Traced, plain


class Unknown(str):
    """The name of an argument in which the function has a derivative that nobody has a formula for, or SciPy no function."""


def no_derivative(function: str, argument: str) -> NotImplementedError:
    """The error for a function that cannot be differentiated in one of its arguments."""
    return NotImplementedError(
        f"{function} has no derivative with respect to {argument} here. Pass {argument} as a plain number, or write a function "
        "around it with mytorch.autodiff.primitive and give that one a rule."
    )


class SpecialFunction(Elementwise):
    """An elementwise function of SciPy; refuses to be differentiated in the arguments that are Unknown."""

    def __init__(self, fun: Function, name: str, partials: tuple, of: Any = None) -> None:
        super().__init__(fun, name, [None if isinstance(d, Unknown) else d for d in partials], of)
        self.unknown = [(i, str(d)) for i, d in enumerate(partials) if isinstance(d, Unknown)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for i, argument in self.unknown:
            if isinstance(args[i], Traced):
                raise no_derivative(self.name, argument)
        return super().__call__(*args, **kwargs)


def ufunc(name: str, *partials: Any, of: str | None = None) -> None:
    """Register the ufunc scipy.special.<name> by one partial derivative ``d(y, *args)`` per argument; see elementwise."""
    fun = getattr(sc, name, None)  # releases of SciPy differ in what they have
    if fun is not None:
        TABLE[fun] = SpecialFunction(fun, f"scipy.special.{name}", partials, of)


def several(name: str, jvp: Function, *unknown: str) -> None:
    """Register a ufunc with several results by the tangents ``jvp(y, *args)`` that its last argument's tangent 1 gives.

    unknown: the names of the arguments before it, in which it is refused.
    """
    fun = getattr(sc, name, None)
    if fun is None:
        return
    last = len(unknown)
    jvps = [None] * last + [lambda t, y, *args: tuple(t * slope for slope in jvp(y, *args))]
    TABLE[fun] = refusing(Explicit(fun, f"scipy.special.{name}", None, jvps), *unknown)


def refusing(rule: Any, *unknown: str) -> Function:
    """The rule, which raises if one of its first arguments, here named in order, is traced."""

    def call(*args: Any, **kwargs: Any) -> Any:
        for argument, value in zip(unknown, args):
            if isinstance(value, Traced):
                raise no_derivative(rule.name, argument)
        return rule(*args, **kwargs)

    return call if unknown else rule


def without_derivative(*names: str) -> None:
    """Register ufuncs of scipy.special that are refused whatever is traced."""
    for name in names:
        fun = getattr(sc, name, None)
        if fun is not None:
            TABLE[fun] = functools.partial(_refuse, f"scipy.special.{name}")


def _refuse(name: str, *args: Any, **kwargs: Any) -> Any:
    raise no_derivative(name, "its arguments").with_traceback(None)


def is_traced(value: Any) -> bool:
    """True if a value is traced, or holds one that is: in a tuple, a list or a dict."""
    if isinstance(value, (tuple, list)):
        return any(map(is_traced, value))
    return any(map(is_traced, value.values())) if isinstance(value, dict) else isinstance(value, Traced)


def opaque(original: Function, vjps: Any = None, jvps: Any = None, name: str | None = None) -> Function:
    """A function that calls SciPy's own on plain arrays, and has derivatives as explicit() takes them on traced ones."""
    function = primitive(original)
    function.__name__ = (name or full_name(original)).rpartition(".")[2]  # a lambda has none of its own
    explicit(function, vjps, jvps, name or full_name(original))
    return function


def opaque_elementwise(original: Function, *partials: Any) -> Function:
    """The same for an elementwise function that is no ufunc, by its partial derivatives."""
    function = primitive(original)
    TABLE[function] = SpecialFunction(function, full_name(original), partials)
    return function


# Settings that change neither the value nor its derivative: permissions to overwrite, and the size of a work array.
WITHOUT_EFFECT = ("overwrite_a", "overwrite_b", "overwrite_ab", "lwork")


def differentiable(original: Function, name: str | None = None) -> Function:
    """Decorate a definition for traced arguments: all other calls go to SciPy's own function, whose name and text it takes.

    What SciPy's function takes and the definition has no parameter for raises NotImplementedError, unless it is the default
    or without effect. check_finite=True raises ValueError for NaN and infinity, as it does there.
    """
    title = name or full_name(original)
    theirs = inspect.signature(original)

    def decorate(definition: Function) -> Function:
        ours = inspect.signature(definition).parameters
        rest = next((p.name for p in theirs.parameters.values() if p.kind is p.VAR_KEYWORD), None)

        @functools.wraps(original)
        def function(*args: Any, **kwargs: Any) -> Any:
            if not (is_traced(args) or is_traced(kwargs)):
                return original(*args, **kwargs)
            bound = theirs.bind(*args, **kwargs)
            given = bound.arguments
            options = given.pop(rest, {}) if rest else {}  # named in SciPy's description of **options alone
            for key, value in [*given.items(), *options.items()]:
                if key not in ours:
                    _refuse_setting(title, key, value, theirs.parameters[key].default if key in given else None)
            if "check_finite" in theirs.parameters and given.get("check_finite", True):
                for value in given.values():
                    _check_finite(plain(value))
            return definition(**{key: value for key, value in {**given, **options}.items() if key in ours})

        return function

    return decorate


def _refuse_setting(function: str, key: str, value: Any, default: Any) -> None:
    if key == "check_finite" or key in WITHOUT_EFFECT or (type(value) is type(default) and value == default):
        return
    if value is not default:
        raise NotImplementedError(
            f"{function} with {key}={value!r} has no rule of differentiation. Leave {key} out, or give the function a rule of "
            "your own with mytorch.autodiff.primitive and explicit."
        )


def _check_finite(value: Any) -> None:
    for part in value if isinstance(value, (tuple, list)) else (value,):
        if getattr(part, "dtype", np.dtype(object)).kind in "fc":
            np.asarray_chkfinite(part)


def at(condition: Any, x: Any, safe: float) -> Any:
    """x where the condition holds and elsewhere a safe number, so that no branch of a np.where divides by zero."""
    return np.where(condition, x, safe)
