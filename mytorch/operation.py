"""Operation: one line of the operation list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mytorch.report import ReadableOperation


@dataclass(slots=True, eq=False, repr=False)
class Operation(ReadableOperation):
    """The record of one operation: its inputs, its output, and the function that takes a gradient back across it.

    inputs: the arrays that the operation read. A Python number or an index may stand among them as a constant.
    output: the array that it made, or a tuple of arrays.
    gradients_to_update: one entry per input, a layer's gradient array (``dW``) or None.
    backward_operation: ``f(grad_output, *inputs)``, which returns the gradient of each input.
    """

    inputs: Sequence[Any]
    output: np.ndarray | tuple[np.ndarray, ...]
    gradients_to_update: Sequence[np.ndarray | None]
    backward_operation: Callable[..., Any]

    @property
    def name(self) -> str:
        """The operation's name for people: ``matmul`` for ``matmul_backward``."""
        return describe_rule(self.backward_operation)

    @property
    def outputs(self) -> tuple[np.ndarray, ...]:
        """The outputs as a tuple, also when there is only one."""
        return self.output if isinstance(self.output, tuple) else (self.output,)


def describe_rule(rule: Callable[..., Any]) -> str:
    """``matmul`` for ``matmul_backward``; the function's or class's own name for anything else."""
    rule = unwrapped(rule)
    return str(getattr(rule, "__name__", type(rule).__name__)).removesuffix("_backward")


def unwrapped(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside of a ``functools.partial``, which a rule with settings is recorded as."""
    while isinstance(rule, partial):
        rule = rule.func
    return rule
