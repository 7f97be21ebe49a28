"""Batching: an operation on a stack of examples in place of one operation per example.

A ``BatchTrace`` is the third trace beside the forward and the reverse one. Its values carry one example per entry of a
leading axis that nobody sees: the shape of a ``Batched`` array is that of one example. A rule with a ``batch`` form works on
the whole stack at once; any other is called once per example, which is what batching means. A branch on a value is taken if
all examples agree, and refused if they do not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.kinds import CONSTANT, Elementwise, zeros_like
from mytorch.autodiff.traced import Traced, plain
from mytorch.autodiff.tracing import BEGAN, innermost, like_tuple, refuse_escaped
from mytorch.autodiff.tree import flatten

FIRST = 64  # examples in the first of several batches
ENTRIES = 1 << 23  # entries that the arrays of a later batch may have
STRUCTURE = {
    np.shape, np.ndim, np.size, np.result_type, np.common_type, np.can_cast, np.min_scalar_type, np.isrealobj,
    np.iscomplexobj, np.zeros_like, np.ones_like, np.empty_like,
}  # fmt: skip
"""Functions that read shapes and dtypes only, which are the same for all examples."""

OPERATORS: dict[str, Any] = {
    "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal, "gt": np.greater, "ge": np.greater_equal,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip

BATCHES: dict[Any, Function] = {}
"""The batch forms, ``form(rule, n, own, values, kwargs)``, by the function that a rule was registered for."""


class Batched(Traced):
    """A value of a batch trace: the examples' values along the first axis of ``value``."""

    __slots__ = ()
    mapped = True

    def __init__(self, value: Array, trace: BatchTrace) -> None:
        self.value = value
        self.owner = trace

    shape = property(lambda self: self.value.shape[1:])
    ndim = property(lambda self: self.value.ndim - 1)
    size = property(lambda self: self.value.size // max(len(self.value), 1))
    nbytes = property(lambda self: self.value.nbytes)
    flags = property(lambda self: plain(self.value)[0].flags)
    strides = property(lambda self: plain(self.value)[0].strides)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return np.ndarray if self.ndim else self.dtype.type

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        by_rule = partial(Traced.__array_ufunc__, self, ufunc, method, *inputs, **kwargs)
        if method == "__call__":
            return by_rule() if kwargs else self.owner.once(ufunc, inputs, kwargs, by_rule)
        return self.owner.once(getattr(ufunc, method), inputs, kwargs, by_rule)

    def __array_function__(self, function: Function, types: Any, args: tuple, kwargs: Settings) -> Any:
        by_rule = partial(Traced.__array_function__, self, function, types, args, kwargs)
        return self.owner.once(function, args, kwargs, by_rule)

    def plain(self) -> Batched:
        """The value without its derivatives: the examples stay."""
        return Batched(plain(self.value), self.owner)

    def agreed(self) -> Any:
        """The value as a plain one, if it is the same for all examples."""
        stack = self.value
        while isinstance(stack, Traced):
            stack = stack.value
        examples = np.reshape(stack, (-1, *self.shape))
        if not len(examples) or not np.array_equal(examples, np.broadcast_to(examples[0], examples.shape)):
            raise TypeError(
                "A branch or an index depends on a value that differs between the examples of a batch. Choose by "
                "np.where(condition, a, b), which takes each example's own side."
            )
        return examples[0][()]

    def __bool__(self) -> bool:
        truth: Any = self if self.dtype.kind == "b" else self != 0
        return bool(truth.agreed())

    def __int__(self) -> int:
        return int(self.agreed())

    def __index__(self) -> int:
        return operator.index(self.agreed())

    def __round__(self, ndigits: int | None = None) -> Any:
        return self.agreed().__round__(ndigits)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)} of each of {len(self.value)} examples"

    def __format__(self, spec: str) -> str:
        return str(self)

    def __invert__(self) -> Any:
        return constant_call(np.invert, (self,), {})

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        if np.dtype(dtype).kind in "fc":
            return super().astype(dtype, *args, **kwargs)
        return Batched(plain(self.value).astype(dtype, *args, **kwargs), self.owner)


class BatchTrace:
    """A trace that carries out each operation for all examples. ``largest``: the most entries an example's array had."""

    __slots__ = ("inside", "largest", "level", "open", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.level = next(BEGAN)
        self.open = True
        self.largest = 1
        self.inside: set[Any] = set()

    def record(self, rule: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        """Carry out an operation on all examples, at once where the rule has a batch form."""
        if not self.open:
            refuse_escaped()
        own = [isinstance(x, Batched) and x.owner is self for x in args]
        form = BATCHES.get(rule.key, together if isinstance(rule, Elementwise) else None)
        if form is not None and innermost(list(kwargs.values())) is None:
            values = [x.value if mine else x for x, mine in zip(args, own)]
            with suppress(Exception):  # not for these arguments, or for no example at all: the loop tells
                return self.wrap(form(rule, self.size, own, values, kwargs))
        return self.loop(rule, args, kwargs)

    def once(self, fun: Function, args: Sequence[Any], kwargs: Settings, by_rule: Callable[[], Any]) -> Any:
        """Call a function by its rule. A rule that asks for the same function without derivatives gets NumPy's."""
        if fun in CONSTANT or fun in self.inside:
            return constant_call(fun, args, kwargs)
        self.inside.add(fun)
        try:
            return by_rule()
        finally:
            self.inside.discard(fun)

    def loop(self, fun: Function, args: Sequence[Any], kwargs: Settings) -> Any:
        """Call a function once per example, and stack the results."""
        results = [fun(*self.example(list(args), i), **self.example(kwargs, i)) for i in range(self.size)]
        if not results:
            raise ValueError(
                f"{getattr(fun, 'name', fun)} cannot be batched over no examples: nothing tells the shape."
            )
        first = results[0]
        if isinstance(first, (tuple, list)):
            return like_tuple(
                first if isinstance(first, tuple) else tuple(first),
                [self.joined([part[k] for part in results]) for k in range(len(first))],
            )
        return self.joined(results)

    def joined(self, results: list[Any]) -> Any:
        """Results of the examples as one batched value; what is no array has to be the same for all."""
        if hasattr(results[0], "dtype"):
            return self.wrap(np.stack(results))
        if any(result != results[0] for result in results):
            raise TypeError(
                f"The examples of a batch gave different values ({results[0]!r} and others) where one is needed. Choose by "
                "np.where(condition, a, b), which takes each example's own side."
            )
        return results[0]

    def wrap(self, stacks: Any) -> Any:
        """The stack that an operation gave, or each of several, as batched values."""
        if type(stacks) is tuple or hasattr(stacks, "_fields"):
            return like_tuple(stacks, [self.wrap(stack) for stack in stacks])
        self.largest = max(self.largest, stacks.size // max(self.size, 1))
        return Batched(stacks, self)

    def example(self, value: Any, i: int) -> Any:
        """The i-th example of a value, also inside tuples, lists and dicts."""
        if isinstance(value, Traced):
            return value.value[i] if isinstance(value, Batched) and value.owner is self else value
        if type(value) in (tuple, list):
            return type(value)(self.example(part, i) for part in value)
        return {key: self.example(part, i) for key, part in value.items()} if type(value) is dict else value

    def stack(self, value: Any) -> Any:
        """A result's examples along a new first axis; a result that is the same for all is repeated."""
        if isinstance(value, Batched) and value.owner is self:
            return value.value
        value = value if isinstance(value, Traced) else np.asarray(value)
        if not isinstance(value, Traced) and value.dtype.kind not in "fciub":
            raise TypeError(f"A batched function returned a value of dtype {value.dtype}. It has to return numbers.")
        return np.broadcast_to(value, (self.size, *value.shape)).copy()


def constant_call(fun: Function, args: Sequence[Any], kwargs: Settings) -> Any:
    """A function of zero derivative, of batched values: at once if it works entry by entry or has a batch form."""
    args, kwargs = plain(tuple(args)), plain(kwargs)
    found = [leaf for leaf in flatten((list(args), kwargs))[0] if isinstance(leaf, Batched)]
    trace = innermost(found)
    if fun in STRUCTURE:  # shapes and dtypes are those of every example
        return fun(*trace.example(list(args), 0), **trace.example(kwargs, 0))
    own = [isinstance(x, Batched) and x.owner is trace for x in args]
    values = [x.value if mine else x for x, mine in zip(args, own)]
    form = BATCHES.get(fun, together if isinstance(fun, np.ufunc) else None)
    if form is not None:
        with suppress(Exception):
            return trace.wrap(form(fun, trace.size, own, values, kwargs))
    return trace.loop(fun, args, kwargs)


def together(rule: Function, n: int, own: Sequence[bool], values: Sequence[Any], kwargs: Settings) -> Any:
    """The batch form of what broadcasts."""
    return rule(*aligned(own, values), **kwargs)


def aligned(own: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    """Stacks of examples of unequal dimensions, with axes of length 1 so that the examples broadcast as one would."""
    ndims = [np.ndim(x) - mine for x, mine in zip(values, own)]
    widest = max(ndims)
    return [
        np.reshape(x, (x.shape[0], *[1] * (widest - ndim), *x.shape[1:])) if mine and ndim < widest else x
        for x, mine, ndim in zip(values, own, ndims)
    ]


def vmap(fun: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """A function of stacks of examples that does what fun does with one example: a loop, carried out as a batch.

    in_axes: the axis along which the examples of an argument lie, one for all arguments or a tuple with one for each; None for
    an argument that all examples share. Arguments by name have their examples along the first axis. Arguments and results may
    be trees. out_axes: the axis of the results along which the examples are put. Where the examples take different branches,
    fun is called for one after the other. Raises ValueError if the numbers of examples differ or none is mapped.
    """

    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ValueError(f"vmap got in_axes for {len(axes)} argument(s), and {len(args)} were given.")
        parts = [flatten(arg) for arg in args]
        named, build_named = flatten(kwargs)
        leaves = [leaf for found, _ in parts for leaf in found] + named
        where = [axis for (found, _), axis in zip(parts, axes) for _ in found] + [0] * len(named)
        stacks = [x if axis is None else _examples_first(x, axis) for x, axis in zip(leaves, where)]
        sizes = {np.shape(x)[0] for x, axis in zip(stacks, where) if axis is not None}
        if len(sizes) != 1:
            raise ValueError(
                f"vmap takes one number of examples along the mapped axes and got {sorted(sizes) or 'none'}. in_axes names the "
                "axis of each argument, None for one that all examples share."
            )

        def call(values: Sequence[Any]) -> tuple[list[Any], Callable]:
            rest = iter(values)
            positional = [build(rest) for _, build in parts]
            return flatten(fun(*positional, **build_named(rest)))

        results, rebuild = _all_examples(call, stacks, where, sizes.pop())
        return rebuild(iter([np.moveaxis(result, 0, out_axes) for result in results]))

    mapped.__name__ = f"vmap({getattr(fun, '__name__', 'function')})"
    return mapped


def _all_examples(call: Callable, stacks: list[Any], where: list[Any], n: int) -> tuple[list[Any], Callable]:
    try:
        return batch_call(call, stacks, where, n)
    except Exception:
        if not n:
            raise
    done = [call([x if axis is None else x[i] for x, axis in zip(stacks, where)]) for i in range(n)]
    return [np.stack(column) for column in zip(*[results for results, _ in done])], done[0][1]


def batch_call(call: Callable, stacks: list[Any], where: list[Any], n: int) -> tuple[list[Any], Callable]:
    """One call on n examples at once. where: None for what all of them share. Raises where they part ways."""
    trace = BatchTrace(n)
    try:
        results, rebuild = call([x if axis is None else Batched(x, trace) for x, axis in zip(stacks, where)])
        return [trace.stack(result) for result in results], rebuild
    finally:
        trace.open = False


def _examples_first(x: Any, axis: int) -> Any:
    x = x if isinstance(x, Traced) else np.asarray(x)
    if x.dtype.kind not in "fciub" or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"vmap maps over axis {axis} of an argument of shape {x.shape} and dtype {x.dtype}. Arguments that are no stack of "
            "examples get in_axes=None."
        )
    return np.moveaxis(x, axis, 0).copy()  # what the caller does with theirs is of no account


def along_basis(x: Array, linear: Callable[[Any], list[Any]]) -> list[Any]:
    """A linear function of every one-hot array like x: each of its results, stacked along a new first axis.

    The basis goes through in batches: the first is small, the others as large as the arrays met in it allow. What cannot be
    batched is done one by one.
    """
    zeros = zeros_like(x)
    n, begin, size = zeros.size, 0, FIRST
    if n == 0:
        return [np.zeros((0, *np.shape(result)), plain(result).dtype) for result in linear(zeros)]
    if n == 1:
        return [np.expand_dims(result, 0) for result in linear(zeros + 1)]
    parts: list[list[Any]] = []
    while begin < n:
        end = min(begin + size, n)
        basis = np.zeros((end - begin, n), zeros.dtype)
        basis[np.arange(end - begin), np.arange(begin, end)] = 1
        basis = basis.reshape(-1, *zeros.shape)
        trace = BatchTrace(end - begin)
        try:
            parts.append([trace.stack(result) for result in linear(Batched(basis, trace))])
        except Exception:  # some rule does not go with batches
            parts.append([np.stack(column) for column in zip(*[linear(one) for one in basis])])
        trace.open = False
        begin, size = end, max(1, ENTRIES // trace.largest)
    return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts)]


def _add_operators() -> None:
    for name, ufunc in OPERATORS.items():
        setattr(Batched, f"__{name}__", lambda a, b, ufunc=ufunc: constant_call(ufunc, (a, b), {}))
        setattr(Batched, f"__r{name}__", lambda a, b, ufunc=ufunc: constant_call(ufunc, (b, a), {}))


_add_operators()
