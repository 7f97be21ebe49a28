"""Replay: the function that tests if a plan serves a call, runs it and hands out the result, as generated Python.

A step of a small net takes microseconds, so everything that is known when the plan is made stands in the source as a name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mytorch.graph import guards

# Returned instead of a result where a plan does not serve a call.
MISSED = object()
# What a guard raises where a variable is gone or of another kind.
GONE = "(AttributeError, KeyError, TypeError, ValueError)"


class Assumptions(NamedTuple):
    """The assumptions of a plan about everything but its arguments.

    conditions: Python expressions, and found: guards, in terms of ``names``. matcher: makes of arrays and direct guards a
    function that tests them all at once (see ``backends.matcher``), or None.
    """

    conditions: list[str]
    found: list[guards.Guard]
    names: dict[str, Any]
    matcher: Callable[..., Callable[..., int]] | None = None


def build(
    arguments: Sequence[Any],
    run: Callable[..., tuple[Any, ...]],
    assumptions: Assumptions,
    stale: Sequence[tuple[dict[str, Any], str, bool]],
    trains: bool,
    outputs: int,
) -> Callable[[str], Callable[[Any], Any]]:
    """A plan's functions by name, each compiled when it is first asked for.

    ``holds(arguments)``: the plan serves this call. ``serve(arguments)``: the result of a step, or MISSED where the plan does
    not hold or a dtype is an equal but other object. ``finish(outputs)``: the result, from what ``run`` has returned.
    stale: the attributes in which layers keep results, as (attributes, name, is the loss): the loss is renewed, of the others
    nothing true is left. trains: the result is a float, not an array.
    """
    conditions, found, names, matcher = assumptions
    names.update(run=run, ndarray=np.ndarray, MISSED=MISSED)
    named = [f"a{number}" for number in range(len(arguments))]
    tests, exact = [], []
    for number, (a, argument) in enumerate(zip(named, arguments)):
        if isinstance(argument, np.ndarray):
            names[f"shape{number}"], names[f"dtype{number}"] = argument.shape, argument.dtype
            form = f"type({a}) is ndarray and {a}.shape == shape{number} and {a}.dtype"
            tests.append(f"{form} == dtype{number}")
            exact += [f"{form} is dtype{number}"] if matcher is None else []
        else:
            names[f"value{number}"], names[f"type{number}"] = argument, type(argument)
            # 0.0 and -0.0 are equal.
            sign = f" and str({a}) == {str(argument)!r}" if isinstance(argument, float) and argument == 0 else ""
            tests.append(f"type({a}) is type{number} and {a} == value{number}{sign}")
            exact.append(tests[-1])
    arrays = ", ".join(a for a, argument in zip(named, arguments) if isinstance(argument, np.ndarray))
    tests += [*conditions, guards.expression(found, names)]
    if matcher is not None:
        names["direct"] = direct = [one for one in found if guards.is_direct(one)]
        names["matches"] = matcher([one for one in arguments if isinstance(one, np.ndarray)], direct)
        exact.append(f"matches({arrays})")
        found = [one for one in found if not guards.is_direct(one)]
    exact += [*conditions, guards.expression(found, names)]
    unpack = f"{', '.join(named)}, = arguments" if named else "() = arguments"
    leave = []
    for number, (attributes, name, is_loss) in enumerate(stale):
        names[f"results{number}"] = attributes
        leave.append(f"results{number}[{name!r}] = {'outputs[0]' if is_loss else None}")
    result = "outputs[0]" if outputs == 1 else "outputs"
    if trains:
        result = "outputs[0].item()" if outputs == 1 else "(outputs[0].item(), *outputs[1:])"
    sources = {
        "serve": [
            "def serve(arguments):",
            " try:",
            f"  {unpack}",
            f"  if not ({' and '.join(exact)}): return MISSED",
            f" except {GONE}: return MISSED",
            " if engine.operation_list: engine.zero_grad()" if trains else "",
            f" outputs = run({arrays})",
            *(f" {line}" for line in leave),
            f" return {result}",
        ],
        "holds": [
            "def holds(arguments):",
            " try:",
            f"  {unpack}",
            f"  return {' and '.join(tests)}",
            f" except {GONE}: return False",
        ],
        "finish": ["def finish(outputs):", *(f" {line}" for line in leave), f" return {result}"],
    }

    @functools.cache
    def function(name: str) -> Any:
        exec(compile("\n".join(sources[name]), "<replay>", "exec"), names)
        return names[name]

    return function
