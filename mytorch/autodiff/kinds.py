"""The kinds of rules: a primitive's derivative is stated once, and forward and reverse mode both come from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.tracer import TABLE, Outline, Reverse, Traced, bind, is_float, plain, walk_back
from mytorch.nn.rules import fit

Function = Callable[..., Any]


class Rule:
    """A primitive and its derivative. Calling it with Traced arguments records it.

    ``pull(g, y, args, kwargs, wanted)``: the gradient of each wanted argument, given the output's (reverse mode).
    ``push(tangents, y, args, kwargs)``: the output's tangent, given those of the arguments or None (forward mode).
    ``reads``: whether the derivative depends on the arguments, which therefore must not be changed in between.
    ``several``: whether there may be several outputs, a tuple.
    ``forgets``: whether ``kept(args, wanted, y)`` tells which of them, and of y, the walk back needs.
    """

    reads = True
    pulls_onto = False
    forgets = False
    several = True

    def __init__(self, fun: Function, name: str) -> None:
        self.fun = fun
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return bind(self, args, kwargs)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: dict, wanted: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: dict) -> Any:
        raise NotImplementedError


class Elementwise(Rule):
    """y[i] depends on the i-th entries alone: one partial derivative ``d(y, *args)`` per argument, None for zero."""

    several = False

    def __init__(self, fun: Function, name: str, partials: Sequence[Function | None], of: str = "xy") -> None:
        super().__init__(fun, name)
        self.partials, self.of = partials, of
        self.forgets = of != "xy"

    def kept(self, args: list, wanted: Sequence[Any], y: Any) -> tuple[list, Any]:
        return ([Outline(args[0])], y) if self.of == "y" else (args, None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and type(args[0]) is Traced:  # the common case, quicker
            x = args[0]
            return x.run.record(self, self.fun(x.value), [x.value], [x.mark], kwargs)
        return bind(self, args, kwargs)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: dict, wanted: Sequence[Any]) -> Sequence[Any]:
        if len(args) == 1:
            return (fit(g * self.partials[0](y, args[0]), args[0]),)  # type: ignore[misc]
        return [
            fit(g * partial(y, *args), x) if number and partial else None
            for partial, x, number in zip(self.partials, args, wanted)
        ]

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: dict) -> Any:
        return _total(t * d(y, *args) for d, t in zip(self.partials, tangents) if d is not None and t is not None)


class Homework(Rule):
    """An elementwise function by the homework's ``f_backward(grad_output, *inputs)``, which serves both modes.

    Its Jacobian is diagonal, hence its own transpose: the backward function applied to a tangent pushes it forward.
    """

    forgets = True
    several = False

    def __init__(self, fun: Function, name: str, backward: Function, factors: Sequence[Sequence[int]]) -> None:
        super().__init__(fun, name)
        self.factors = factors  # per gradient, the arguments that it reads
        self.backward = backward
        self.selective = getattr(backward, "selective", False)
        self.reads = getattr(backward, "reads_inputs", False)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: dict, wanted: Sequence[Any]) -> Sequence[Any]:
        gradients = self.backward(g, *args, needs=wanted) if self.selective else self.backward(g, *args)
        return gradients if len(args) > 1 else (gradients,)

    def kept(self, args: list, wanted: Sequence[Any], y: Any) -> tuple[list, Any]:
        read = [i for number, factors in zip(wanted, self.factors) if number for i in factors]
        return [x if i in read or not hasattr(x, "dtype") else Outline(x) for i, x in enumerate(args)], None

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: dict) -> Any:
        # Everything in the output's shape and dtype first, so that nothing is summed or rounded on the way.
        wide = [_widen(x, y) for x in args]
        marks = [[i == j for j in range(len(args))] for i in range(len(args))]
        return _total(
            self.pull(_widen(t, y), y, wide, kwargs, marks[i])[i] for i, t in enumerate(tangents) if t is not None
        )


class Explicit(Rule):
    """Derivatives by argument: ``vjps[i](g, y, *args, **kwargs)`` and ``jvps[i](t, y, *args, **kwargs)``, None for zero.

    One function instead of a list serves every argument and gets its number first. Without vjps they are found by
    transposing the jvps: a jvp is linear in t, so it is recorded at t = 0 and walked back.
    """

    def __init__(self, fun: Function, name: str, vjps: Any, jvps: Any, reads: bool = True) -> None:
        super().__init__(fun, name)
        self.vjps, self.jvps, self.reads = vjps, jvps, reads

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: dict, wanted: Sequence[Any]) -> Sequence[Any]:
        if self.vjps is None:
            return self._transposed(g, y, args, kwargs, wanted)
        gradients: list[Any] = []
        for i, (x, number) in enumerate(zip(args, wanted)):
            vjp = self._for(self.vjps, i, "vjp") if number else None
            gradients.append(None if vjp is None else fit(vjp(g, y, *args, **kwargs), x))
        return gradients

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: dict) -> Any:
        if self.jvps is None:
            raise NotImplementedError(
                f"{self.name} has a vjp rule but no jvp rule, so forward mode cannot pass it. Give explicit() its jvps "
                "too, or use a reverse-mode transformation (grad, vjp, jacobian)."
            )
        jvps = ((self._for(self.jvps, i, "jvp"), t) for i, t in enumerate(tangents) if t is not None)
        parts = [jvp(t, y, *args, **kwargs) for jvp, t in jvps if jvp is not None]
        if isinstance(y, tuple) and parts:
            return [_total(part for part in column if part is not None) for column in zip(*parts)]
        return _total(parts)

    def _for(self, rules: Any, i: int, what: str) -> Function | None:
        if callable(rules):
            return lambda *args, **kwargs: rules(i, *args, **kwargs)
        if i >= len(rules):
            raise TypeError(
                f"{self.name}: argument {i} is traced, but the rule has a {what} for {len(rules)} argument(s) only. Pass "
                "this argument as a plain value, or register the missing derivative with explicit()."
            )
        return rules[i]

    def _transposed(self, g: Any, y: Any, args: Sequence[Any], kwargs: dict, wanted: Sequence[Any]) -> Sequence[Any]:
        run = Reverse(watching=False)
        tangents = [run.variable(zeros_like(x)) if number else None for x, number in zip(args, wanted)]
        outputs = self.push(tangents, y, args, kwargs)
        run.close()
        pairs = zip(outputs, g) if isinstance(y, tuple) else [(outputs, g)]
        values = y if isinstance(y, tuple) else (y,)
        start: dict[int, Any] = {}
        for (output, part), value in zip(pairs, values):
            if type(output) is Traced and output.run is run and part is not None:
                part = fit(np.broadcast_to(part, value.shape), output)
                start[output.mark] = start[output.mark] + part if output.mark in start else part
        gradients = walk_back(run, start, once=True)
        return [None if t is None else gradients.get(t.mark) for t in tangents]


def elementwise(
    fun: Function,
    *partials: Function | None,
    name: str | None = None,
    call: Function | None = None,
    of: str = "xy",
) -> Rule:
    """Register an elementwise function by its partial derivatives: ``elementwise(np.sin, lambda y, x: np.cos(x))``.

    partials: one ``d(y, *args)`` per argument in the arguments' shapes, y being the function's value; None for zero.
    of: "x" or "y" where the one partial derivative reads nothing else, so that the other array need not be kept.
    Returns the rule, which can be called as the function.
    """
    return _register(fun, Elementwise(call or fun, name or _name(fun), partials, of))


def homework(fun: Function, backward: Function, *factors: Sequence[int]) -> Rule:
    """Register an elementwise function by a backward function of ``mytorch.nn.functional``.

    factors: for each argument, the numbers of those that its gradient reads.
    """
    return _register(fun, Homework(fun, _name(fun), backward, factors))


def linear(fun: Function, *transposes: Any, name: str | None = None, call: Function | None = None) -> Any:
    """Register a function that is linear in each of its first arguments: ``linear(np.flip, lambda g, y, x, axis=None: ...)``.

    transposes: per argument ``transpose(g, y, *args, **kwargs)``, the gradient of that argument; None where the function
    is constant. Forward mode calls the function itself with the tangent in the argument's place.
    """
    rule = Explicit(call or fun, name or _name(fun), transposes, None, reads=sum(t is not None for t in transposes) > 1)
    rule.jvps = [transpose and _in_place_of(rule, i) for i, transpose in enumerate(transposes)]
    return _register(fun, rule)


def explicit(
    fun: Function, vjps: Any = None, jvps: Any = None, name: str | None = None, call: Function | None = None
) -> Any:
    """Register a function by an explicit pair of derivatives; see ``Explicit``.

    vjps: a sequence of ``vjp(g, y, *args, **kwargs)``, the gradient of one argument given the output's gradient g and
    value y. jvps: a sequence of ``jvp(t, y, *args, **kwargs)``, the output's tangent given that of one argument. None in
    a sequence means that the derivative is zero. With jvps alone, reverse mode transposes them. For an output that is a
    tuple, g and the result of a jvp are tuples, in which None stands for zero.
    """
    if vjps is None and jvps is None:
        raise ValueError(f"explicit({_name(fun)}) got neither vjps nor jvps. Give at least one of the two.")
    return _register(fun, Explicit(call or fun, name or _name(fun), vjps, jvps))


def composite(fun: Function, definition: Function) -> Function:
    """Register a function by a definition in other functions of the table, which are recorded in its place."""
    TABLE[fun] = definition
    return definition


def constant(*funs: Function) -> None:
    """Register functions with zero derivative: they are called on the plain arrays and their result is plain."""
    for fun in funs:
        TABLE[fun] = _without_trace(fun)


def zeros_like(x: Any) -> Any:
    """Zeros for the tangent or gradient of a value: of its dtype, or float64 for what is no float."""
    x = plain(x)
    return np.zeros(np.shape(x), x.dtype if is_float(x) else np.float64)


def _without_trace(fun: Function) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        return fun(*[plain(arg) for arg in args], **plain(kwargs))

    return call


def _register(fun: Function, rule: Rule) -> Rule:
    TABLE[fun] = rule
    return rule


def _in_place_of(rule: Rule, i: int) -> Function:
    def jvp(t: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        return rule(*args[:i], t, *args[i + 1 :], **kwargs)

    return jvp


def _total(parts: Any) -> Any:
    total = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _widen(x: Any, y: Any) -> Any:
    if getattr(x, "shape", None) is None:
        return x
    x = x if x.dtype == y.dtype else x.astype(y.dtype)
    return x if x.shape == y.shape else np.broadcast_to(x, y.shape)


def _name(fun: Any) -> str:
    name = getattr(fun, "__name__", type(fun).__name__)
    return f"linalg.{name}" if getattr(fun, "__module__", "") == "numpy.linalg" else name


__all__ = ["Rule", "composite", "constant", "elementwise", "explicit", "homework", "linear", "zeros_like"]
