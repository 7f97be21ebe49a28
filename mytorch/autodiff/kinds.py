"""The kinds of rules: a primitive's derivative is stated once, and forward and reverse mode both come from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Rules, Settings
from mytorch.autodiff.errors import no_rule
from mytorch.autodiff.signatures import refusing
from mytorch.autodiff.traced import TABLE, Traced, plain
from mytorch.autodiff.tracing import Outline, ReverseTrace, Variable, backward_pass, bind, innermost
from mytorch.utils import fit, gradient_dtype

CONSTANT: set[Any] = set()
"""The functions of zero derivative."""


class Rule:
    """A primitive and its derivative. Calling it with Traced arguments records it.

    ``pull(g, y, args, kwargs, wanted)``: the gradient of each wanted argument, given the output's (reverse mode).
    ``push(tangents, y, args, kwargs)``: the output's tangent, given those of the arguments or None (forward mode).
    ``reads``: the derivative depends on the arguments, which therefore must not be changed in between.
    ``arrays_only``: every argument is an array, so that a list stands for one.
    ``multiple_results``: there may be several outputs, a tuple.
    ``selects_residuals``: ``residuals(args, wanted, y)`` tells which of them, and of y, the backward pass needs.
    ``key``: the function that it was registered for.
    ``pulls_onto``: ``pull_onto(g, args, so_far)`` adds to gradients instead of returning new ones.
    """

    reads = True
    arrays_only = False
    multiple_results = True
    selects_residuals = False
    pulls_onto = False

    def __init__(self, fun: Function, name: str) -> None:
        self.fun = fun
        self.key = fun
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return bind(self, args, kwargs)

    def reads_argument(self, i: int, wanted: Sequence[Any]) -> bool:
        """True if the backward pass reads argument i, given for which arguments a gradient is wanted."""
        return True

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        raise NotImplementedError


class Elementwise(Rule):
    """y[i] depends on the i-th entries alone: one partial derivative ``d(y, *args)`` per argument, None for zero.

    A partial derivative may be a number; it then reads nothing. ``of`` names what each of the others reads.
    """

    multiple_results = False
    arrays_only = True

    def __init__(
        self, fun: Function, name: str, partials: Sequence[Function | float | None], of: str | Sequence[str] | None
    ) -> None:
        super().__init__(fun, name)
        self.partials = partials
        self.letters = "x" if len(partials) == 1 else "abcdefgh"[: len(partials)]
        everything = "y" + self.letters
        given = [everything if of is None else of] * len(partials) if of is None or isinstance(of, str) else of
        self.of = [letters if callable(d) else "" for letters, d in zip(given, partials)]
        self.reads = any(letter in letters for letters in self.of for letter in self.letters)
        self.selects_residuals = any(set(letters) < set(everything) for letters in self.of)

    def residuals(self, args: list, wanted: Sequence[Any], y: Array) -> tuple[list, Any]:
        read = "".join(letters for letters, node in zip(self.of, wanted) if node)
        kept = [
            x if letter in read or not hasattr(x, "dtype") else Outline(x.shape, x.dtype)
            for letter, x in zip(self.letters, args)
        ]
        return kept + args[len(kept) :], y if "y" in read else None

    def reads_argument(self, i: int, wanted: Sequence[Any]) -> bool:
        if len(wanted) == 1:
            return self.reads
        return any(node and self.letters[i] in letters for letters, node in zip(self.of, wanted))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) <= 2 and not kwargs and isinstance(args[0], Traced):  # the common cases, quicker
            alone = len(args) == 1 or not isinstance(args[1], Traced)
            return args[0].owner.record(self, args, kwargs) if alone else bind(self, args, kwargs)
        return bind(self, args, kwargs)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        if len(args) == 1 and callable(self.partials[0]):  # the common case, quicker
            return (_fit(g * self.partials[0](y, args[0]), args[0]),)
        if len(args) > len(self.partials):
            self._refuse_others(wanted)
        gradients: list[Any] = []
        for d, x, node in zip(self.partials, args, wanted):
            if node and d is not None:
                gradients.append(_fit(g * d(y, *args) if callable(d) else _scaled(g, d), x))
            else:
                gradients.append(None)
        return gradients

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        self._refuse_others(tangents)
        pairs = zip(self.partials, tangents)
        parts = [t * d(y, *args) if callable(d) else _scaled(t, d) for d, t in pairs if d is not None and t is not None]
        return _total(parts)

    def _refuse_others(self, traced: Sequence[Any]) -> None:
        """Raise if an argument is traced that no partial derivative was given for; None stands for zero."""
        for i in range(len(self.partials), len(traced)):
            if traced[i] is not None:
                raise _no_derivative(self.name, i, "partial derivative", len(self.partials))


def _no_derivative(name: str, i: int, what: str, count: int) -> TypeError:
    return TypeError(
        f"{name}: argument {i} is traced, but the rule has a {what} for {count} argument(s) only. Pass this argument as a "
        "plain value, or register the missing derivative."
    )


def _fit(gradient: Any, x: Any) -> Any:
    """fit, which leaves a number a number: along a chain of numbers no arrays of shape () are made."""
    return gradient if type(gradient) is np.float64 and type(x) is np.float64 else fit(gradient, x)


def _scaled(g: Array, factor: float) -> Array:
    return g if factor == 1 else -g if factor == -1 else g * factor


class Explicit(Rule):
    """Derivatives by argument: ``vjps[i](g, y, *args, **kwargs)`` and ``jvps[i](t, y, *args, **kwargs)``, None for zero.

    One function instead of a list serves every argument and gets its number first. Without vjps they are found by
    transposing the jvps: a jvp is linear in t, so it is recorded at t = 0 and gets a backward pass.
    """

    def __init__(self, fun: Function, name: str, vjps: Rules, jvps: Rules, reads: bool = True) -> None:
        super().__init__(fun, name)
        self.vjps, self.jvps, self.reads = vjps, jvps, reads
        self.is_linear = False

    def reads_argument(self, i: int, wanted: Sequence[Any]) -> bool:
        return not self.is_linear or any(node for j, node in enumerate(wanted) if j != i)

    def pull(self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]) -> Sequence[Any]:
        if self.vjps is None:
            return self._transposed(g, y, args, kwargs, wanted)
        gradients: list[Any] = []
        for i, (x, node) in enumerate(zip(args, wanted)):
            vjp = self._for(self.vjps, i, "vjp") if node else None
            gradients.append(None if vjp is None else fit(vjp(g, y, *args, **kwargs), x))
        return gradients

    def push(self, tangents: Sequence[Any], y: Any, args: Sequence[Any], kwargs: Settings) -> Any:
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

    def _for(self, rules: Rules, i: int, what: str) -> Function | None:
        if callable(rules):
            return lambda *args, **kwargs: rules(i, *args, **kwargs)
        if i >= len(rules):
            raise _no_derivative(self.name, i, what, len(rules))
        return rules[i]

    def _transposed(
        self, g: Any, y: Any, args: Sequence[Any], kwargs: Settings, wanted: Sequence[Any]
    ) -> Sequence[Any]:
        trace = ReverseTrace(watching=False)
        tangents = [trace.variable(zeros_like(x)) if node else None for x, node in zip(args, wanted)]
        outputs = self.push(tangents, y, args, kwargs)
        trace.close()
        pairs = zip(outputs, g) if isinstance(y, tuple) else [(outputs, g)]
        values = y if isinstance(y, tuple) else (y,)
        start: dict[int, Any] = {}
        for (output, part), value in zip(pairs, values):
            if isinstance(output, Variable) and output.owner is trace and part is not None:
                part = fit(np.broadcast_to(part, value.shape), output)
                start[output.node] = start[output.node] + part if output.node in start else part
        gradients = backward_pass(trace, start, once=True)
        return [None if t is None else gradients.get(t.node) for t in tangents]


def elementwise(
    fun: Function,
    *partials: Function | float | None,
    name: str | None = None,
    call: Function | None = None,
    of: str | Sequence[str] | None = None,
) -> Rule:
    """Register an elementwise function by its partial derivatives: ``elementwise(np.sin, lambda y, x: np.cos(x))``.

    partials: one ``d(y, *args)`` per argument in the arguments' shapes, y being the function's value; or a number; None
    for zero. of: what the partial derivatives read, so that other arrays need not be kept: letters among "y" (the value)
    and "x" (the argument), or "a" and "b" (of two arguments); one string for all of them, or one for each.
    Returns the rule, which can be called as the function.
    """
    return register(fun, Elementwise(call or fun, name or _name(fun), partials, of))


def linear(fun: Function, *transposes: Function | None, name: str | None = None, call: Function | None = None) -> Any:
    """Register a function that is linear in each of its first arguments: ``linear(np.flip, lambda g, y, x, axis=None: ...)``.

    transposes: per argument ``transpose(g, y, *args, **kwargs)``, the gradient of that argument; None where the function
    is constant. Forward mode calls the function itself with the tangent in the argument's place.
    """
    rule = Explicit(call or fun, name or _name(fun), transposes, None, reads=sum(t is not None for t in transposes) > 1)
    rule.is_linear = True
    rule.jvps = [transpose and _in_place_of(rule, i) for i, transpose in enumerate(transposes)]
    return register(fun, rule)


def explicit(
    fun: Function, vjps: Rules = None, jvps: Rules = None, name: str | None = None, call: Function | None = None
) -> Any:
    """Register a function by an explicit pair of derivatives; see ``Explicit``.

    vjps: a sequence of ``vjp(g, y, *args, **kwargs)``, the gradient of one argument given the output's gradient g and
    value y. jvps: a sequence of ``jvp(t, y, *args, **kwargs)``, the output's tangent given that of one argument. None in
    a sequence means that the derivative is zero. With jvps alone, reverse mode transposes them. For an output that is a
    tuple, g and the result of a jvp are tuples, in which None stands for zero.
    """
    if vjps is None and jvps is None:
        raise ValueError(f"explicit({_name(fun)}) got neither vjps nor jvps. Give at least one of the two.")
    return register(fun, Explicit(call or fun, name or _name(fun), vjps, jvps))


def primitive(fun: Function) -> Function:
    """Make a function an operation of its own, to be given a rule by elementwise, linear or explicit.

    Until it has one, differentiating it raises NotImplementedError. Inside, it may do anything: it sees plain arrays.
    """

    @wraps(fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        if innermost(args) is None and innermost(list(kwargs.values())) is None:
            return fun(*args, **kwargs)
        rule = TABLE.get(call)
        if rule is None:
            raise no_rule(call)
        return rule(*args, **kwargs)

    return call


def composite(fun: Function, definition: Function) -> Function:
    """Register a function by a definition in other functions of the table, which are recorded in its place.

    An argument that fun takes and the definition does not is refused, unless it has its default value.
    """
    TABLE[fun] = refusing(fun, definition)
    return TABLE[fun]


def constant(*funs: Function) -> None:
    """Register functions with zero derivative: they are called on the plain arrays and their result is plain."""
    for fun in funs:
        TABLE[fun] = _without_trace(fun)
        CONSTANT.add(fun)


def zeros_like(x: Array) -> np.ndarray:
    """Zeros for the tangent or gradient of a value: of its dtype, or float64 for what is no float."""
    x = plain(x)
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return np.zeros(x.shape, gradient_dtype(x))


def _without_trace(fun: Function) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        return fun(*[plain(arg) for arg in args], **plain(kwargs))

    return call


def register(fun: Function, rule: Rule) -> Rule:
    """Enter a rule in the table."""
    TABLE[fun] = rule
    rule.key = fun
    return rule


def _in_place_of(rule: Rule, i: int) -> Function:
    def jvp(t: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        return rule(*args[:i], t, *args[i + 1 :], **kwargs)

    return jvp


def _total(parts: Iterable[Any]) -> Any:
    total = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _name(fun: Function) -> str:
    name = getattr(fun, "__name__", type(fun).__name__)
    return f"linalg.{name}" if getattr(fun, "__module__", "") == "numpy.linalg" else name


__all__ = ["Rule", "composite", "constant", "elementwise", "explicit", "linear", "register", "zeros_like"]
