"""Replay: the function that tests if a plan serves a call, runs it and hands out the result, as generated Python.

A step of a small net takes microseconds, so everything that is known when the plan is made stands in the source as a name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Returned instead of a result where a plan does not serve a call.
MISSED = object()
# What a guard raises where a variable is gone or of another kind.
GONE = "(AttributeError, KeyError, TypeError, ValueError)"

Functions = tuple[Callable[[tuple[Any, ...]], Any], Callable[[tuple[Any, ...]], bool], Callable[[tuple[Any, ...]], Any]]


def build(
    arguments: Sequence[Any],
    run: Callable[..., tuple[Any, ...]],
    guards: str,
    names: dict[str, Any],
    stale: Sequence[tuple[dict[str, Any], str, bool]],
    trains: bool,
    outputs: int,
) -> Functions:
    """(serve, holds, finish) of a plan.

    serve(arguments) makes a step if holds(arguments) and the dtypes are the very objects. finish(outputs) turns what ``run``
    has returned into the result.
    guards: an expression in terms of ``names``. stale: the attributes in which layers keep results, as (attributes, name, is
    the loss): the loss is renewed, of the others nothing true is left. trains: the result is a float, not an array.
    """
    names = {**names, "run": run, "ndarray": np.ndarray, "MISSED": MISSED}
    named = [f"a{number}" for number in range(len(arguments))]
    tests, exact = ["True"], ["True"]
    for number, (a, argument) in enumerate(zip(named, arguments)):
        if isinstance(argument, np.ndarray):
            names[f"shape{number}"], names[f"dtype{number}"] = argument.shape, argument.dtype
            form = f"type({a}) is ndarray and {a}.shape == shape{number} and {a}.dtype"
            tests.append(f"{form} == dtype{number}")
            exact.append(f"{form} is dtype{number}")
        else:
            names[f"value{number}"], names[f"type{number}"] = argument, type(argument)
            tests.append(f"type({a}) is type{number} and {a} == value{number}")
            exact.append(tests[-1])
    unpack = f"{', '.join(named)}, = arguments" if named else "() = arguments"
    arrays = ", ".join(a for a, argument in zip(named, arguments) if isinstance(argument, np.ndarray))
    leave = []
    for number, (attributes, name, is_loss) in enumerate(stale):
        names[f"results{number}"] = attributes
        leave.append(f"results{number}[{name!r}] = {'outputs[0]' if is_loss else None}")
    result = "outputs[0]" if outputs == 1 else "outputs"
    if trains:
        result = "outputs[0].item()" if outputs == 1 else "(outputs[0].item(), *outputs[1:])"
    empty = ["if engine.operation_list: engine.zero_grad()"] if trains else []
    finish = [*leave, f"return {result}"]
    text = "\n".join([
        "def finish(outputs):",
        *(f" {line}" for line in finish),
        "def serve(arguments):",
        " try:",
        f"  {unpack}",
        f"  if not ({' and '.join(exact[1:] or exact)} and {guards}): return MISSED",
        f" except {GONE}: return MISSED",
        *(f" {line}" for line in empty),
        f" outputs = run({arrays})",
        *(f" {line}" for line in finish),
    ])  # fmt: skip
    exec(compile(text, "<replay>", "exec"), names)
    test = f"{' and '.join(tests[1:] or tests)} and {guards}"

    @functools.lru_cache(maxsize=1)
    def compiled() -> Any:
        lines = f"def holds(arguments):\n try:\n  {unpack}\n  return {test}\n except {GONE}: return False"
        exec(compile(lines, "<replay>", "exec"), names)
        return names["holds"]

    # Compiled when it is first asked for: most steps meet one plan only.
    return names["serve"], lambda arguments: compiled()(arguments), names["finish"]
