"""grad and its relatives: gradients, Jacobians, Hessians and products with them, recomputation, the operation list."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Function, Settings
from mytorch.autodiff.batching import along_basis
from mytorch.autodiff.core import as_leaf, floats, jvp, push, record
from mytorch.autodiff.errors import complex_result, not_one_number
from mytorch.autodiff.kinds import Rule, zeros_like
from mytorch.autodiff.traced import Traced, dtype_of, is_float_or_number
from mytorch.autodiff.tracing import bind, innermost
from mytorch.autodiff.tree import flatten, split

Argnums = int | str | Sequence[int | str]
PLAIN = {np.ndarray, float, np.float64}  # types of arguments that are no trees


def _takes_argnum(transform: Function) -> Function:
    """Let a transformation be told argnum= for argnums=, as in autograd."""

    @wraps(transform)
    def either(fun: Function, *args: Any, **kwargs: Any) -> Any:
        if "argnum" in kwargs:
            kwargs["argnums"] = kwargs.pop("argnum")
        return transform(fun, *args, **kwargs)

    return either


@_takes_argnum
def grad(fun: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """A function that computes the gradient of a scalar function, in reverse mode.

    fun: its arguments at argnums are floating or complex arrays, or trees of them (see ``tree``); it returns one number, a
    scalar or an array with a single entry, with has_aux a pair (number, aux). All other arguments pass through as they are.
    argnums: the number or name of an argument, or a tuple of them for a tuple of gradients; argnum is the same. Returns
    gradients in the arguments' structure, shapes and dtypes; with has_aux a pair (gradients, aux).

    Complex: for real-valued fun of z = x + iy the gradient is df/dx - i df/dy, as in JAX (step against its conjugate to
    descend). A complex value is refused unless holomorphic=True says that fun has a complex derivative, which is then
    returned. Raises TypeError for a result that is not one number or no float, and for integer arguments.
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic)

    @named(fun, "grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


@_takes_argnum
def value_and_grad(fun: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """Like grad, but returns ``(value, gradients)``, with has_aux ``((value, aux), gradients)``."""

    @named(fun, "value_and_grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call, leaves, build = _split_arguments(fun, argnums, args, kwargs)
        value, pull, aux = record(call, leaves, has_aux)
        outputs = floats(value)
        dtype = dtype_of(outputs[0])
        shape = np.shape(value) if outputs[0] is value else None
        if shape is None or math.prod(shape) != 1:
            raise not_one_number(value, shape)
        if holomorphic and not all(dtype_of(as_leaf(leaf)).kind == "c" for leaf in leaves):
            raise TypeError(
                "holomorphic=True takes complex arguments. Pass x.astype(complex), or leave holomorphic out."
            )
        if dtype.kind == "c" and not holomorphic:
            raise complex_result()
        gradients = build(pull([np.ones(shape, dtype) if shape else dtype.type(1)], once=True))
        return ((value, aux) if has_aux else value), gradients

    return gradient


@_takes_argnum
def elementwise_grad(fun: Function, argnums: Argnums = 0) -> Function:
    """The derivative at every entry of a function that works entry by entry, in the argument's shape.

    It is the gradient of the sum of the outputs, so for any other function it is the sum of the Jacobian's rows.
    """

    @named(fun, "elementwise_grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call, leaves, build = _split_arguments(fun, argnums, args, kwargs)
        value, pull, _ = record(call, leaves)
        return build(pull([zeros_like(v) + 1 for v in floats(value)], once=True))

    return gradient


@_takes_argnum
def jacobian(fun: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The Jacobian, in the mode that the shapes suggest: forward if inputs are fewer than outputs, otherwise reverse.

    Returns, for each array that fun returns and each that it is differentiated by, an array of shape
    ``output.shape + input.shape`` in the input's dtype (trees of outputs hold trees of inputs). fun is recorded once, in
    forward mode called once more (inputs and outputs of one real dtype), and many directions go through it at a time. Raises
    TypeError for complex outputs unless holomorphic=True, and as grad does for arguments.
    """
    return _jacobian(fun, argnums, holomorphic, by_shape=True)


@_takes_argnum
def jacobian_reverse(fun: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The Jacobian in reverse mode: one gradient per entry of the output, many at a time. Returns what jacobian returns."""
    return _jacobian(fun, argnums, holomorphic, by_shape=False)


def _jacobian(fun: Function, argnums: Argnums, holomorphic: bool, by_shape: bool) -> Function:
    @named(fun, "jacobian")
    def rows(*args: Any, **kwargs: Any) -> Any:
        call, leaves, build = _split_arguments(fun, argnums, args, kwargs)
        value, pull, _ = record(call, leaves)
        outputs, (_, rebuild) = floats(value), flatten(value)
        _check_complex(outputs, holomorphic, "output")
        fewer = sum(map(np.size, leaves)) < sum(map(np.size, outputs))
        dtypes = {dtype_of(x) for x in (*leaves, *outputs)}
        if by_shape and fewer and len(dtypes) == 1 and dtypes.pop().kind == "f":
            with suppress(NotImplementedError):  # a rule for reverse mode alone
                return _columns(call, leaves, build)
        blocks = []
        for k, output in enumerate(outputs):
            found = along_basis(output, partial(_pull_one, pull, k, len(outputs)))
            blocks.append(build([np.reshape(x, np.shape(output) + np.shape(x)[1:]) for x in found]))
        return rebuild(iter(blocks))

    return rows


def _pull_one(pull: Function, k: int, n: int, g: Any) -> list[Any]:
    return pull([g if j == k else None for j in range(n)])


@_takes_argnum
def jacobian_forward(fun: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The Jacobian in forward mode: one direction per entry of the input, many at a time. Returns what jacobian returns.

    Best where the input is the smaller side; nothing is stored. Raises TypeError for complex inputs unless holomorphic=True.
    """

    @named(fun, "jacobian_forward")
    def columns(*args: Any, **kwargs: Any) -> Any:
        call, leaves, build = _split_arguments(fun, argnums, args, kwargs)
        _check_complex(leaves, holomorphic, "input")
        return _columns(call, leaves, build)

    return columns


def _columns(call: Function, leaves: list[Any], build: Function) -> Any:
    """The Jacobian of a function of leaves in forward mode."""
    value, found = None, []
    for k, leaf in enumerate(leaves):

        def along(direction: Any, k: int = k) -> list[Any]:
            nonlocal value
            value, tangent, _ = push(call, leaves, [direction if j == k else None for j in range(len(leaves))])
            return flatten(tangent)[0]

        found.append(along_basis(as_leaf(leaf), along))
    value = call(*leaves) if value is None else value
    outputs, (_, rebuild) = floats(value), flatten(value)
    blocks = []
    for j in range(len(outputs)):
        parts = [np.moveaxis(tangents[j], 0, -1) for tangents in found]
        blocks.append(build([np.reshape(p, np.shape(p)[:-1] + np.shape(x)) for p, x in zip(parts, leaves)]))
    return rebuild(iter(blocks))


@_takes_argnum
def hessian(fun: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The second derivatives, forward over reverse: shape ``output.shape + input.shape + input.shape``."""
    return jacobian_forward(jacobian(fun, argnums, holomorphic), argnums, holomorphic)


@_takes_argnum
def hvp(fun: Function, argnums: int = 0) -> Function:
    """``hvp(fun)(*args, vector)``: the Hessian of a scalar function times a vector, without the Hessian.

    vector: a tree like the argument at argnums. Forward over reverse: a small multiple of one gradient in time and memory.
    """

    @named(fun, "hvp")
    def product(*args: Any, **kwargs: Any) -> Any:
        *args_, vector = args

        def gradient(x: Any) -> Any:
            return grad(fun, argnums)(*args_[:argnums], x, *args_[argnums + 1 :], **kwargs)

        return jvp(gradient, (args_[argnums],), (vector,))[1]

    return product


def checkpoint(fun: Function) -> Function:
    """The same function, but its intermediate results are not kept: the backward pass calls it once more.

    Inside a chain of n calls, memory falls from all operations to those of one call, plus one value per call. Arguments
    are trees; what is traced has to be an argument: a traced value from an enclosing scope raises ValueError. The function
    must compute the same when it is called again.
    """

    @named(fun, "checkpoint")
    def recomputed(*args: Any, **kwargs: Any) -> Any:
        leaves, build = flatten((args, kwargs))
        trace = innermost(leaves)
        if trace is None:
            return fun(*args, **kwargs)
        traced = list({id(leaf): leaf for leaf in leaves if isinstance(leaf, Traced)}.values())  # each variable once
        places = [[i for i, leaf in enumerate(leaves) if leaf is variable] for variable in traced]
        built: list[Any] = []

        def call(*values: Any) -> Any:
            filled = list(leaves_without_trace)
            for same, value in zip(places, values):
                for place in same:
                    filled[place] = value
            again, keywords = build(iter(filled))
            parts, rebuild = flatten(fun(*again, **keywords))
            built[:] = [rebuild]
            return tuple(parts)

        leaves_without_trace = [None if isinstance(leaf, Traced) else leaf for leaf in leaves]
        rule = _Recomputed(call, f"checkpoint({getattr(fun, '__name__', 'function')})", trace.level)
        outputs = bind(rule, traced, {})
        return built[0](iter(outputs))

    return recomputed


class _Recomputed(Rule):
    """The rule of one checkpointed call, whose outputs are a tuple."""

    pulls_onto = True

    def __init__(self, fun: Function, name: str, level: int) -> None:
        super().__init__(self._values, name)
        self.again, self.level = fun, level

    def _values(self, *values: Any) -> tuple:
        outputs = self.again(*values)
        outer = innermost(outputs)
        if outer is not None and outer.level >= self.level:
            raise ValueError(
                f"{self.name} reads a traced value from an enclosing scope, whose gradient would be lost when the function "
                "is called again. Pass that value as an argument."
            )
        return tuple(v if hasattr(v, "dtype") else np.asarray(v) for v in outputs)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        return self.pull_onto(g, args, [None] * len(args))

    def pull_onto(self, g: Any, args: Sequence[Any], so_far: Sequence[Any]) -> Sequence[Any]:
        return record(self.again, args)[1](g, so_far, once=True)

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        return push(self.again, args, tangents)[1]


def named(fun: Function, what: str) -> Callable[[Function], Function]:
    def name(transformed: Function) -> Function:
        transformed.__name__ = f"{what}({getattr(fun, '__name__', 'function')})"
        transformed.__doc__ = f"{what} of {getattr(fun, '__name__', 'a function')}: see help({what})."
        return transformed

    return name


def _split_arguments(fun: Function, argnums: Argnums, args: tuple, kwargs: Settings) -> tuple[Function, list, Function]:
    """fun as a function of the leaves at argnums, those leaves, and a function that builds the result from its leaves."""
    if type(argnums) is int and 0 <= argnums < len(args) and type(args[argnums]) in PLAIN:  # the common case, quicker
        before, after = args[:argnums], args[argnums + 1 :]
        return lambda x: fun(*before, x, *after, **kwargs), [args[argnums]], lambda found: found[0]
    single = isinstance(argnums, (int, np.integer, str))
    wanted: Any = [argnums] if single else list(argnums)  # type: ignore[arg-type]
    given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
    places = [_place(fun, which, args, kwargs) for which in wanted]
    leaves, fill, build = split(tuple(given[place] for place in places), is_float_or_number)

    def call(*values: Any) -> Any:
        filled = {**given, **dict(zip(places, fill(iter(values))))}
        return fun(*[filled[i] for i in range(len(args))], **{name: filled[name] for name in kwargs})

    return call, leaves, lambda found: build(iter(found))[0] if single else build(iter(found))


def _place(fun: Function, which: int | str, args: tuple, kwargs: Settings) -> int | str:
    """An argument that was asked for by number or name: its number, or its name if it was given by name."""
    number: Any = which
    if isinstance(which, str):
        if which in kwargs:
            return which
        names = list(inspect.signature(fun).parameters)
        number = names.index(which) if which in names else len(args)
    if not -len(args) <= number < len(args):
        raise TypeError(
            f"argnums={which!r} asks for argument {which}, but {len(args)} positional argument(s) were given, and "
            f"{', '.join(kwargs) or 'none'} by name. Count from 0, and pass what is differentiated."
        )
    return number % len(args)


def _check_complex(leaves: Sequence[Any], holomorphic: bool, what: str) -> None:
    if not holomorphic and any(dtype_of(leaf).kind == "c" for leaf in leaves):
        raise TypeError(
            f"A complex {what} has no Jacobian of one complex number per entry, unless the function is holomorphic: pass "
            "holomorphic=True, or differentiate its real and imaginary parts by those of its argument."
        )
