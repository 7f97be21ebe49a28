"""Names under which autograd, JAX and PyTorch know the same things, with the same arguments and results as there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Function, Settings
from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.kinds import Explicit, explicit, primitive, register, zeros_like
from mytorch.autodiff.traced import plain
from mytorch.autodiff.transforms import (
    elementwise_grad,
    grad,
    hvp,
    jacobian,
    jacobian_forward,
    jacobian_reverse,
)
from mytorch.autodiff.tree import flatten as leaves_of
from mytorch.autodiff.tree import tree_map
from mytorch.utils import fit

deriv = elementwise_grad
jacfwd = jacobian_forward
jacrev = jacobian_reverse
hessian_vector_product = hvp
holomorphic_grad = partial(grad, holomorphic=True)


def _at(fun: Function, argnum: int, args: tuple, kwargs: Settings) -> tuple[Function, Any]:
    """fun as a function of one argument, and that argument."""
    return lambda x: fun(*args[:argnum], x, *args[argnum + 1 :], **kwargs), args[argnum]


def make_vjp(fun: Function, argnum: int = 0) -> Function:
    """autograd: ``make_vjp(fun)(*args)`` returns (pull, value), where pull(g) is the gradient of one argument."""

    def made(*args: Any, **kwargs: Any) -> tuple[Function, Any]:
        value, pull = vjp(*_at(fun, argnum, args, kwargs))
        return lambda g: pull(g)[0], value

    return made


def make_jvp(fun: Function, argnum: int = 0) -> Function:
    """autograd: ``make_jvp(fun)(*args)(v)`` returns (value, tangent)."""

    def made(*args: Any, **kwargs: Any) -> Function:
        f, x = _at(fun, argnum, args, kwargs)
        return lambda v: jvp(f, (x,), (v,))

    return made


def make_hvp(fun: Function, argnum: int = 0) -> Function:
    """autograd: ``make_hvp(fun)(*args)`` returns (product, gradient), where product(v) is the Hessian times v."""
    return make_vjp(grad(fun, argnum), argnum)


def make_ggnvp(f: Function, g: Function = lambda y: np.sum(y * y) / 2, f_argnum: int = 0) -> Function:
    """autograd: the generalised Gauss-Newton matrix J^T H J of g(f(x)) times a vector, ``make_ggnvp(f)(*args)(v)``."""

    def made(*args: Any, **kwargs: Any) -> Function:
        call, x = _at(f, f_argnum, args, kwargs)
        y, pull = vjp(call, x)
        return lambda v: pull(hvp(g)(y, jvp(call, (x,), (v,))[1]))[0]

    return made


def tensor_jacobian_product(fun: Function, argnum: int = 0) -> Function:
    """autograd: ``tensor_jacobian_product(fun)(*args, tensor)``, the Jacobian's product with a tensor over its first axes.

    Of a tensor of the output's shape it is the gradient of one argument.
    """

    def product(*args: Any, **kwargs: Any) -> Any:
        *rest, tensor = args
        return jacobian(lambda *xs: np.tensordot(tensor, fun(*xs, **kwargs), np.ndim(tensor)), argnum)(*rest)

    return product


def grad_and_aux(fun: Function, argnum: int = 0) -> Function:
    """autograd: the gradient, and what fun returns beside its value."""
    return grad(fun, argnum, has_aux=True)


def grad_named(fun: Function, argname: str) -> Function:
    """autograd: the gradient by an argument's name."""
    return grad(fun, argname)


def multigrad_dict(fun: Function) -> Function:
    """autograd: the gradients by all arguments, as a dict by their names."""

    def gradients(*args: Any, **kwargs: Any) -> dict[str, Any]:
        given = inspect.signature(fun).bind(*args, **kwargs).arguments
        return dict(zip(given, grad(fun, tuple(given))(*args, **kwargs)))

    return gradients


def flatten(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """autograd.misc: a tree as one vector, and a function that makes such a tree of a vector. Both can be differentiated."""
    leaves, build = leaves_of(tree)
    shapes = [np.shape(leaf) for leaf in leaves]
    ends = np.cumsum([0, *(np.size(leaf) for leaf in leaves)]).tolist()

    def unflatten(vector: Any) -> Any:
        return build(iter([np.reshape(vector[a:b], shape) for a, b, shape in zip(ends, ends[1:], shapes)]))

    return np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.zeros(0), unflatten


def stop_gradient(tree: Any) -> Any:
    """jax.lax: the same values, of which no gradient is taken; in PyTorch x.detach()."""
    return tree_map(plain, tree)


class _ByHand(Explicit):
    """The rule of a function with a backward or forward pass of its own, for all arguments at once."""

    backward: Function

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        if self.vjps is None:
            return super().pull(g, y, args, kwargs, wanted)
        if isinstance(y, tuple):
            g = tuple(zeros_like(part) if one is None else one for part, one in zip(y, g))
        forward, backward = self.vjps
        gradients = backward(forward(*args, **kwargs)[1], g)
        if not isinstance(gradients, (tuple, list)) or len(gradients) != len(args):
            raise TypeError(
                f"The backward function of {self.name} has to return a tuple of {len(args)} gradients, one per argument, None "
                "where nothing flows."
            )
        gradients = [g if g is None or hasattr(g, "dtype") else np.asarray(g) for g in gradients]
        return [None if g is None else fit(g, x) for g, x in zip(gradients, args)]

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        if self.jvps is None:
            return super().push(tangents, y, args, kwargs)
        tangents = tuple(zeros_like(x) if t is None else t for t, x in zip(tangents, args))
        return self.jvps(tuple(args), tangents, **kwargs)[1]


def custom_vjp(fun: Function) -> Any:
    """jax: a function whose backward pass is given by ``defvjp(forward, backward)``. Reverse mode alone can pass it.

    ``forward(*args)`` returns (value, residuals) and is called in the backward pass, ``backward(residuals, g)`` a tuple of one
    gradient per argument.
    """
    call: Any = primitive(fun)
    call.defvjp = lambda forward, backward: register(call, _ByHand(fun, fun.__name__, (forward, backward), None))
    return call


def custom_jvp(fun: Function) -> Any:
    """jax: a function whose tangent is given by ``defjvp``, which both modes use.

    ``defjvp(rule)``: ``rule(primals, tangents)`` returns (value, tangent). ``defjvps(*rules)``: a ``rule(t, value, *primals)``
    per argument, or None.
    """
    call: Any = primitive(fun)

    def defjvp(rule: Function) -> Function:
        register(call, _ByHand(fun, fun.__name__, None, rule))
        return rule

    call.defjvp = defjvp
    call.defjvps = lambda *rules: explicit(call, jvps=list(rules), call=fun)
    return call
