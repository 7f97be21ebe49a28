"""Differentiate any NumPy function: forward, reverse, to any order, on the homework's operation list."""

from typing import Any

from mytorch.autodiff import rules as _rules
from mytorch.autodiff.checking import check_grads
from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.kinds import composite, constant, elementwise, explicit, linear
from mytorch.autodiff.traced import TABLE as _TABLE
from mytorch.autodiff.transforms import (
    checkpoint,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jacobian_forward,
    primitive,
    trace,
    value_and_grad,
)


def primitives() -> list[str]:
    """The names of all functions that have a rule, sorted: NumPy's and those that users have registered."""
    return sorted(
        {name for name, module in map(_name_and_module, _TABLE) if not module.startswith("mytorch.autodiff.")}
    )


def _name_and_module(fun: Any) -> tuple[str, str]:
    return getattr(fun, "__name__", str(fun)), getattr(fun, "__module__", None) or ""


__all__ = [
    "check_grads", "checkpoint", "composite", "constant", "elementwise", "elementwise_grad", "explicit", "grad", "hessian",
    "hvp", "jacobian", "jacobian_forward", "jvp", "linear", "primitive", "primitives", "trace", "value_and_grad", "vjp",
]  # fmt: skip
del _rules
