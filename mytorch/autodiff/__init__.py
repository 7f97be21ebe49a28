"""Differentiate any NumPy function: forward, reverse, to any order, on the homework's operation list."""

from typing import Any

from mytorch.autodiff import rules as _rules
from mytorch.autodiff.batching import vmap
from mytorch.autodiff.checking import check_grads
from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.elsewhere import (
    custom_jvp,
    custom_vjp,
    deriv,
    flatten,
    grad_and_aux,
    grad_named,
    hessian_vector_product,
    holomorphic_grad,
    jacfwd,
    jacrev,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    stop_gradient,
    tensor_jacobian_product,
)
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
from mytorch.autodiff.tree import register_pytree_node, tree_map


def primitives() -> list[str]:
    """The names of all functions that have a rule, sorted: NumPy's and those that users have registered."""
    return sorted(
        {name for name, module in map(_name_and_module, _TABLE) if not module.startswith("mytorch.autodiff.")}
    )


def _name_and_module(fun: Any) -> tuple[str, str]:
    return getattr(fun, "__name__", str(fun)), getattr(fun, "__module__", None) or ""


__all__ = [
    "check_grads", "checkpoint", "composite", "constant", "custom_jvp", "custom_vjp", "deriv", "elementwise",
    "elementwise_grad", "explicit", "flatten", "grad", "grad_and_aux", "grad_named", "hessian", "hessian_vector_product",
    "holomorphic_grad", "hvp", "jacfwd", "jacobian", "jacobian_forward", "jacobian_reverse", "jacrev", "jvp", "linear",
    "make_ggnvp", "make_hvp", "make_jvp", "make_vjp", "multigrad_dict", "primitive", "primitives", "register_pytree_node",
    "stop_gradient", "tensor_jacobian_product", "trace", "tree_map", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
del _rules
