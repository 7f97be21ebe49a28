"""vjp and jvp, on which every other transformation rests: call a function with traced arguments, and take the gradients out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Tree
from mytorch.autodiff.errors import in_our_words, no_float, no_float_argument, subclass
from mytorch.autodiff.kinds import zeros_like
from mytorch.autodiff.traced import Traced, dtype_of, is_float_or_number
from mytorch.autodiff.tracing import LARGE, Dual, ForwardTrace, ReverseTrace, Variable, backward_pass, refuse_escaped
from mytorch.autodiff.tree import flatten, split, tree_map
from mytorch.utils import fit

Trace = ForwardTrace | ReverseTrace


def vjp(fun: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of ``fun(*primals)``, and a function that pulls gradients of it back to the arguments (reverse mode).

    primals: floating or complex arrays, or trees of them (see ``tree``). Returns ``(value, pull)``, with
    has_aux ``(value, pull, aux)`` for a fun that returns ``(value, aux)``. ``pull(g)`` takes a tree like the value and
    returns a tuple with one tree per argument, each leaf in its argument's shape and dtype; it may be called repeatedly.
    Complex numbers follow JAX: a linear function is transposed, without conjugation. Raises TypeError for what is no
    float, ValueError for a g of the wrong shape, RuntimeError if an array was changed since the forward pass.
    """
    leaves, fill, build = split(primals, is_float_or_number)
    out, pull, aux = record(lambda *args: fun(*fill(iter(args))), leaves, has_aux)
    values, rebuild = flatten(out)

    def pull_tree(g: Any) -> tuple:
        cotangents, _ = flatten(g)
        if len(cotangents) != len(values):
            raise ValueError(f"pull got {len(cotangents)} gradients for {len(values)} outputs. Give one per output.")
        return build(iter(pull([_cotangent(c, v) for c, v in zip(cotangents, values)])))

    # The caller may do with the value as they like: the backward pass reads its own.
    value = rebuild(iter([v.copy() if type(v) is np.ndarray else v for v in values]))
    return (value, pull_tree, aux) if has_aux else (value, pull_tree)


def record(fun: Function, leaves: Sequence[Any], has_aux: bool = False) -> tuple[Any, Function, Any]:
    """Call ``fun(*leaves)`` in reverse mode: its value, a function from cotangents to gradients (both lists), its aux.

    That function may be given gradients of the leaves to add to; it then adds in the order of one single backward pass. With
    once=True it can be called once only, and takes the list apart as it goes.
    """
    values = [as_leaf(leaf) for leaf in leaves]
    trace = ReverseTrace()
    variables = [trace.variable(value) for value in values]
    out, aux = _call_traced(trace, fun, variables, has_aux)
    traced, build = flatten(out)
    _check_outputs(out, traced, trace)
    nodes = [v.node if isinstance(v, Variable) and v.owner is trace else None for v in traced]

    def pull(cotangents: Sequence[Any], so_far: Sequence[Any] | None = None, once: bool = False) -> list[Any]:
        start = {} if so_far is None else {v.node: g for v, g in zip(variables, so_far) if g is not None}
        for node, g in zip(nodes, cotangents):
            if node is not None and g is not None:
                start[node] = start[node] + g if node in start else g
        # Among large arrays the list is taken apart on the way; among small ones that only takes time.
        large = any(getattr(value, "nbytes", 0) >= LARGE for value in values)
        gradients = backward_pass(trace, start, once and large)
        if so_far is not None:
            return [gradients.get(variable.node) for variable in variables]
        seen = {id(g) for g in cotangents}
        return [_own(gradients.get(variable.node), variable.value, seen) for variable in variables]

    return build(iter([_outside(v, trace) for v in traced])), pull, aux


def jvp(fun: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[Any, ...]:
    """The value of ``fun(*primals)`` and its directional derivative along ``tangents`` (forward mode).

    primals, tangents: tuples of the arguments and of trees of the same shapes. Returns ``(value, tangent)``, and aux with
    has_aux. Nothing is stored: tangents are computed while the function runs. Raises as vjp does.
    """
    are_tuples = all(isinstance(part, (tuple, list)) for part in (primals, tangents))
    if not are_tuples or len(primals) != len(tangents):
        raise TypeError(
            "jvp takes its arguments and their tangents as two tuples of one length: jvp(fun, (x, y), (dx, dy))."
        )
    leaves, fill, _ = split(tuple(primals), is_float_or_number)
    directions, _ = flatten(tuple(tangents))
    places, _ = flatten(fill(iter([Traced] * len(leaves))))
    if len(directions) == len(places):  # what stands in the place of a constant is no tangent
        directions = [d for d, place in zip(directions, places) if place is Traced]
    if len(leaves) != len(directions):
        raise ValueError(f"jvp got {len(leaves)} arrays and {len(directions)} tangents. Give each array a tangent.")
    value, tangent, aux = push(lambda *args: fun(*fill(iter(args))), leaves, directions, has_aux)
    return (value, tangent, aux) if has_aux else (value, tangent)


def push(fun: Function, leaves: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[Any, Any, Any]:
    """Call ``fun(*leaves)`` in forward mode: its value, its tangent, its aux. A tangent may be None for zero."""
    values = [as_leaf(leaf) for leaf in leaves]
    trace = ForwardTrace()
    duals = [v if t is None else Dual(v, trace, _cotangent(t, v, "tangent")) for v, t in zip(values, tangents)]
    out, aux = _call_traced(trace, fun, duals, has_aux)
    traced, build = flatten(out)
    _check_outputs(out, traced, trace)
    tangent = [v.tangent if isinstance(v, Dual) and v.owner is trace else zeros_like(v)[()] for v in traced]
    return build(iter([_outside(v, trace) for v in traced])), build(iter(tangent)), aux


def as_leaf(leaf: Any) -> Array:
    """An argument to differentiate with respect to, as an array or NumPy scalar. Refuses what is no float."""
    if isinstance(leaf, Traced):
        return leaf
    if type(leaf) not in (np.ndarray, np.memmap) and isinstance(leaf, np.ndarray):
        raise subclass(leaf, "An argument to differentiate")
    array = np.asarray(leaf)
    if array.dtype.kind not in "fc":
        raise no_float_argument(array)
    return array if isinstance(leaf, np.ndarray) else array[()]


def _call_traced(trace: Trace, fun: Function, arguments: Sequence[Any], has_aux: bool) -> tuple[Any, Any]:
    out = call_and_close(trace, lambda: fun(*arguments))
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(
            f"With has_aux=True the function returns a pair (value, aux); it returned a {type(out).__name__}."
        )
    return out[0], tree_map(lambda leaf: _outside(leaf, trace), out[1])


def call_and_close(trace: Trace, call: Callable[[], Any]) -> Any:
    """Call a traced function, and end the trace whatever happens."""
    try:
        return call()
    except (TypeError, ValueError) as error:
        ours = in_our_words(error)
        if ours is None:
            raise
        raise ours.with_traceback(error.__traceback__) from None
    finally:
        trace.close()


def _outside(value: Any, trace: Trace) -> Any:
    """A value as it is outside of a trace. As in NumPy, it is a scalar and not a 0-d array."""
    value = value.value if isinstance(value, Traced) and value.owner is trace else value
    return value[()] if type(value) is np.ndarray and value.ndim == 0 else value


def _check_outputs(out: Tree, leaves: list[Any], trace: Trace) -> None:
    """Refuse None, strings and objects, and traced values of a function that has ended."""
    for leaf in leaves:
        if isinstance(leaf, Traced) and leaf.owner is not trace and not leaf.owner.open:
            refuse_escaped()
        if dtype_of(leaf).kind not in "fciub":
            raise no_float([leaf])
    if out is None:
        raise no_float([])


def floats(out: Tree) -> list[Any]:
    """The leaves of a function's result. Raises TypeError if they are integers, booleans or nothing, without a derivative."""
    leaves, _ = flatten(out)
    for leaf in leaves:
        if dtype_of(leaf).kind in "fc":
            return leaves
    raise no_float(leaves)


def _cotangent(g: Any, value: Any, what: str = "gradient") -> Any:
    """A given gradient or tangent, checked against its value and in its dtype."""
    if not isinstance(g, Traced):
        g = np.asarray(g)
    shape = np.shape(value)
    if g.shape != shape:
        raise ValueError(
            f"A {what} of shape {g.shape} was given for a value of shape {shape}. The shapes have to be equal."
        )
    dtype = dtype_of(value)
    if g.dtype == dtype or dtype.kind not in "fc":
        return g
    return (g.real if g.dtype.kind == "c" and dtype.kind != "c" else g).astype(dtype)


def _own(gradient: Array | None, value: Array, seen: set[int]) -> Any:
    """A gradient that belongs to the caller: no view, not shared with another result, zeros where none arrived."""
    if gradient is None:
        return zeros_like(value)[()]
    gradient = fit(gradient, value)
    if type(gradient) is np.ndarray:
        if gradient.ndim == 0:
            return gradient[()]
        if gradient.base is not None or not gradient.flags.writeable or id(gradient) in seen:
            gradient = gradient.copy()
        seen.add(id(gradient))
    return gradient
