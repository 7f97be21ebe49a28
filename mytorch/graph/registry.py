"""Registry: the table of rules, what an entry of it is, and how a rule of one's own is entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mytorch.graph.builder import Builder
from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Value


@dataclass
class Recorded:
    """A recorded operation in the planner's terms.

    inputs: values; what was no array (a Python number, an index) as it was. settings: the keywords with which the rule was
    recorded. layer: the module whose forward recorded it. shape, dtype: of its output. held: finds the value of an array
    that outlives the step. output, residuals: what forward has left for backward. With several outputs, shape, dtype and
    output are tuples.
    """

    inputs: list[Any]
    settings: dict[str, Any]
    layer: Any
    shape: tuple[Any, ...]
    dtype: Any
    held: Callable[[np.ndarray, str], Value]
    output: Any = None
    residuals: Any = field(default=None)


class Rule(NamedTuple):
    """forward(p, r) returns the output's value; backward(p, r, g) a tuple with the gradient of each input, or None.

    With several outputs, forward returns a tuple and g is one.
    """

    forward: Callable[[Builder, Recorded], Any]
    backward: Callable[[Builder, Recorded, Any], tuple[Value | None, ...]]


RULES: dict[Any, Rule] = {}


def rule_of(backward_operation: Any) -> tuple[Any, dict[str, Any]]:
    """The backward function under ``functools.partial`` and the settings that were bound to it.

    Raises NoPlan for settings bound by position, which have no name.
    """
    settings: dict[str, Any] = {}
    while isinstance(backward_operation, partial):
        if backward_operation.args:
            raise NoPlan("its backward function has arguments bound by position; bind them by keyword")
        settings = {**backward_operation.keywords, **settings}
        backward_operation = backward_operation.func
    return backward_operation, settings


def register(backward_operation: Callable[..., Any], forward: Callable[..., Any] | Rule) -> None:
    """Let operations recorded under a backward function of your own take part in plans.

    forward: a function ``f(*inputs, **settings)`` of arrays that returns what the operation's output was, with the settings
    that were bound to the rule by ``functools.partial``; the plan calls both as they are. Or a ``Rule`` that says in
    primitives how forward and backward are computed, which the passes then see into.

    Both must depend on nothing but their arguments. Raises TypeError for what cannot be called.
    """
    if not callable(backward_operation) or not (callable(forward) or isinstance(forward, Rule)):
        raise TypeError("register takes a backward function and its forward, a function or a mytorch.graph.Rule.")
    RULES[backward_operation] = forward if isinstance(forward, Rule) else called(backward_operation, forward)


def called(backward_operation: Callable[..., Any], forward: Callable[..., Any]) -> Rule:
    """The rule of two Python functions, called as they are."""

    def run_forward(p: Builder, r: Recorded) -> Any:
        for name, setting in r.settings.items():
            if isinstance(setting, np.ndarray):
                raise NoPlan(f"its setting {name} is an array that was computed off the list")

        def output(function: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype) -> Value:
            return p.emit("call", arrays(r.inputs), function=function, given=template(r), shape=shape, dtype=dtype)

        if not isinstance(r.dtype, tuple):
            return output(forward, r.shape, r.dtype)
        # Each output is a call of its own that keeps one entry of the result.
        numbers = range(len(r.dtype))
        return tuple(
            output(partial(_entry, forward, number, 0), r.shape[number], r.dtype[number]) for number in numbers
        )

    def run_backward(p: Builder, r: Recorded, g: Any) -> tuple[Value | None, ...]:
        given = list(g) if isinstance(g, tuple) else [g]
        grads: list[Value | None] = []
        for number, value in enumerate(r.inputs):
            if not isinstance(value, Value) or value.dtype.kind != "f":
                grads.append(None)
                continue
            take = partial(_entry, backward_operation, number, len(given) if isinstance(g, tuple) else 0)
            grads.append(
                p.emit(
                    "call",
                    [*given, *arrays(r.inputs)],
                    function=take,
                    given=template(r, len(given)),
                    shape=value.shape,
                    dtype=value.dtype,
                )
            )
        return tuple(grads)

    return Rule(run_forward, run_backward)


def _entry(function: Callable[..., Any], number: int, together: int, *arguments: Any, **settings: Any) -> Any:
    """One entry of a function's result, 0 where that is None. together: so many arguments are given as one tuple."""
    if together:
        arguments = (arguments[:together], *arguments[together:])
    result = function(*arguments, **settings)
    entry = result[number] if isinstance(result, (tuple, list)) else result
    return 0 if entry is None else entry


def arrays(inputs: list[Any]) -> list[Value]:
    """The values among an operation's inputs."""
    return [value for value in inputs if isinstance(value, Value)]


def template(r: Recorded, before: int = 0) -> tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]:
    """The call of a Python function: (arguments, settings), where an array's place among the arguments holds Ellipsis."""
    given = (Ellipsis,) * before + tuple(... if isinstance(value, Value) else value for value in r.inputs)
    return given, tuple(r.settings.items())


def entry(backward_operation: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward in primitives, to stand beside its forward in the table."""

    def decorate(backward: Callable[..., Any]) -> Callable[..., Any]:
        RULES[backward_operation] = Rule(forward, backward)
        return backward

    return decorate


def unary(backward_operation: Any, forward: Callable[[Builder, Value], Value]) -> Callable[..., Any]:
    """The same for functions of one array: backward(p, g, x, y) with y the output."""

    def decorate(backward: Callable[[Builder, Value, Value, Value], Value]) -> Callable[..., Any]:
        RULES[backward_operation] = Rule(
            lambda p, r: forward(p, p.floating(r.inputs[0])),
            lambda p, r, g: (backward(p, g, p.floating(r.inputs[0]), r.output),),
        )
        return backward

    return decorate


def binary(backward_operation: Any, forward: Callable[..., Value]) -> Callable[..., Any]:
    """The same for functions of two arrays or numbers: backward(p, g, a, b) gives a gradient for each."""

    def decorate(backward: Callable[..., tuple[Value, Value]]) -> Callable[..., Any]:
        RULES[backward_operation] = Rule(lambda p, r: forward(p, *r.inputs), lambda p, r, g: backward(p, g, *r.inputs))
        return backward

    return decorate
