"""Differentiate any NumPy function: forward, reverse, to any order, on the homework's operation list."""

from mytorch.autodiff import rules as _rules
from mytorch.autodiff.batching import vmap
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
    jacobian_reverse,
    primitive,
    trace,
    value_and_grad,
)


def primitives() -> list[str]:
    """The names of all functions that have a rule, sorted."""
    return sorted({getattr(fun, "__name__", str(fun)).lstrip("_") for fun in _TABLE})


__all__ = [
    "check_grads", "checkpoint", "composite", "constant", "elementwise", "elementwise_grad", "explicit", "grad", "hessian",
    "hvp", "jacobian", "jacobian_forward", "jacobian_reverse", "jvp", "linear", "primitive", "primitives", "trace", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
del _rules
