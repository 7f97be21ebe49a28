"""Traces: the operations of a function are recorded, or tangents are pushed through them, while it runs.

A transformation (one call of grad, vjp or jvp) is a trace. Its arguments are wrapped in ``Traced``, and NumPy hands every
operation on them to us. In a reverse trace each operation becomes a ``Step`` of the operation list; in a forward trace its
tangent is computed at once and nothing is kept. The wrapped value may itself be Traced by a trace that began earlier:
calling the NumPy function on it is then recorded there, which is all that nesting takes.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Settings
from mytorch.autodiff.errors import changed, subclass
from mytorch.autodiff.fingerprints import fingerprint, is_same
from mytorch.autodiff.traced import Traced, is_float

# These numbers only tell which of two traces began later: an operation belongs to the innermost trace among its arguments.
# They are never reset or counted down, so there is nothing for an exception to leave behind.
BEGAN = itertools.count(1)

UNSUSPICIOUS = {np.ndarray, float, int, type(None), tuple, np.float64, np.float32}  # types that need no further look

ARRAYS = {np.ndarray, tuple, list}  # types that hold what may be written into

LARGE = 1 << 16  # bytes from which an outline is worth its time


class Variable(Traced):
    """A value of a reverse trace; ``node`` is its number there."""

    __slots__ = ("node",)

    def __init__(self, value: Array, trace: ReverseTrace, node: int) -> None:
        self.value = value
        self.owner = trace
        self.node = node


class Dual(Traced):
    """A value of a forward trace, with its tangent: a dual number."""

    __slots__ = ("tangent",)

    def __init__(self, value: Array, trace: ForwardTrace, tangent: Array) -> None:
        self.value = value
        self.owner = trace
        self.tangent = tangent


class Step:
    """One line of the operation list: a rule, the inputs it was applied to, and the node or nodes that it made.

    ``parents``: the node of each input, None for a constant. ``node``: a number, or a list of them for several outputs.
    """

    __slots__ = ("inputs", "kwargs", "node", "output", "parents", "rule")

    def __init__(self, rule: Any, inputs: list, kwargs: Settings, output: Any, parents: list, node: Any) -> None:
        self.rule = rule
        self.inputs = inputs
        self.kwargs = kwargs
        self.output = output
        self.parents = parents
        self.node = node

    def __repr__(self) -> str:
        made = ", ".join(f"#{node}" for node in (self.node if isinstance(self.node, list) else [self.node]))
        read = [f"#{node}" if node else _describe(x) for x, node in zip(self.inputs, self.parents)]
        read += [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"{made} = {self.rule.name}({', '.join(read)})"


class Outline:
    """The shape and dtype of an array that no rule will read again, so that its memory is free for the next one."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype


class ReverseTrace:
    """A trace that records. ``operation_list`` grows by one step per operation; ``backward_pass`` walks it in reverse.

    watching: check constants for changes. whole: steps keep what no rule will read, to be looked at.
    """

    __slots__ = ("arguments", "constants", "count", "level", "open", "operation_list", "watching", "whole")

    def __init__(self, watching: bool = True, whole: bool = False) -> None:
        self.whole = whole
        self.level = next(BEGAN)
        self.operation_list: list[Step] = []
        self.count = 0  # nodes are numbered from 1, so that a number is true and None is not
        self.arguments: dict[int, Array] = {}
        self.constants: dict[int, tuple[np.ndarray, Any, str]] = {}
        self.watching = watching
        self.open = True

    def variable(self, value: Array) -> Variable:
        """A new variable, with respect to which gradients are wanted."""
        self.arguments[id(value)] = value
        self.count += 1
        return Variable(value, self, self.count)

    def record(self, rule: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        """Carry out an operation and append it to the list."""
        if not self.open:
            refuse_escaped()
        values: list[Any] = []
        parents: list[int | None] = []
        for x in args:
            if type(x) is Variable and x.owner is self:
                values.append(x.value)
                parents.append(x.node)
            else:
                values.append(x if type(x) in UNSUSPICIOUS else _checked(x, rule))
                parents.append(None)
        output = rule.fun(*values, **kwargs)
        if type(output) is complex:  # Python's operators make one of 1j and np.float64
            output = np.complex128(output)
        if self.watching and rule.reads:
            for i, value in enumerate(values):
                if type(value) in ARRAYS and self.may_change(value, parents[i]) and rule.reads_argument(i, parents):
                    self.watch(value, "an argument" if parents[i] else rule.name)
        if rule.multiple_results and isinstance(output, tuple):
            nodes = list(range(self.count + 1, self.count + 1 + len(output)))
            self.count += len(output)
            self.operation_list.append(Step(rule, values, kwargs, output, parents, nodes))
            return like_tuple(output, [Variable(o, self, n) if is_float(o) else o for o, n in zip(output, nodes)])
        self.count = node = self.count + 1
        if rule.selects_residuals and output.nbytes >= LARGE and not self.whole:
            values, residual = rule.residuals(values, parents, output)
            self.operation_list.append(Step(rule, values, kwargs, residual, parents, node))
        else:
            self.operation_list.append(Step(rule, values, kwargs, output, parents, node))
        return Variable(output, self, node)

    def may_change(self, value: Any, node: int | None) -> bool:
        """True if somebody else may write into a value: what was computed here is out of reach, unless it is a view."""
        return node is None or value.base is not None or id(value) in self.arguments

    def watch(self, value: Any, where: str) -> None:
        """Remember how a constant array looks, because a backward rule will read it again."""
        if type(value) is tuple or type(value) is list:
            for part in value:
                self.watch(part, where)
        elif type(value) is np.ndarray and id(value) not in self.constants:
            # The array itself is kept too, so that its id stays its own.
            self.constants[id(value)] = (value, fingerprint(value), where)

    def check_unchanged(self) -> None:
        for array, before, where in self.constants.values():
            if not is_same(array, before):
                raise changed(array, where)

    def close(self) -> None:
        """End the recording. A value that was carried out of its function is refused from here on."""
        self.open = False


class ForwardTrace:
    """A trace that pushes tangents along and keeps nothing."""

    __slots__ = ("level", "open")

    def __init__(self) -> None:
        self.level = next(BEGAN)
        self.open = True

    def record(self, rule: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        """Carry out an operation and compute its tangent."""
        if not self.open:
            refuse_escaped()
        values: list[Any] = []
        tangents: list[Array | None] = []
        for x in args:
            if type(x) is Dual and x.owner is self:
                values.append(x.value)
                tangents.append(x.tangent)
            else:
                values.append(x if type(x) in UNSUSPICIOUS else _checked(x, rule))
                tangents.append(None)
        output = rule.fun(*values, **kwargs)
        if type(output) is complex:  # Python's operators make one of 1j and np.float64
            output = np.complex128(output)
        tangent = rule.push(tangents, output, values, kwargs)
        if isinstance(output, tuple):
            parts = zip(output, tangent)
            return like_tuple(
                output, [o if t is None or not is_float(o) else Dual(o, self, like(t, o)) for o, t in parts]
            )
        return output if tangent is None else Dual(output, self, like(tangent, output))

    def close(self) -> None:
        self.open = False


def bind(rule: Any, args: Sequence[Any], kwargs: Settings) -> Any:
    """Carry out one operation for the innermost trace among its arguments. Their values may belong to outer traces."""
    for value in kwargs.values():
        if isinstance(value, Traced):
            args, kwargs = _by_position(rule, args, kwargs)
            break
    trace, level = None, 0
    for value in args:
        if isinstance(value, Traced) and value.owner is not trace and value.owner.level > level:
            trace = value.owner
            level = trace.level
    if trace is None:
        return rule.fun(*args, **kwargs)
    return trace.record(rule, args, kwargs)


def backward_pass(trace: ReverseTrace, gradients: dict[int, Array], once: bool = False) -> dict[int, Array]:
    """Walk a trace's list once, in reverse. gradients: by node, those to start from; the same dict is returned.

    A gradient is let go as soon as it has been passed on. An operation whose output got no gradient costs nothing.
    once: nobody will walk this list again, so each step is let go as well, and the memory of its arrays serves for the
    gradients.
    """
    if trace.constants:
        trace.check_unchanged()
    take = gradients.pop
    steps: Any = reversed(trace.operation_list)
    if once:
        trace.operation_list.insert(0, None)  # type: ignore[arg-type]
        steps = iter(trace.operation_list.pop, None)
    for step in steps:
        parents = step.parents
        if type(step.node) is int:
            g = take(step.node, None)
            if g is None:
                continue
        else:
            g = tuple([take(node, None) for node in step.node])
            if all(part is None for part in g):
                continue
            if step.rule.pulls_onto:  # a recomputed part adds to what is there, in the order of an unbroken pass
                so_far = [gradients.get(node) for node in parents]
                totals = step.rule.pull_onto(g, step.inputs, so_far)
                gradients.update((node, total) for node, total in zip(parents, totals) if total is not None)
                continue
        for node, gradient in zip(parents, step.rule.pull(g, step.output, step.inputs, step.kwargs, parents)):
            if node is not None and gradient is not None:
                gradients[node] = gradients[node] + gradient if node in gradients else gradient
    return gradients


def innermost(values: Sequence[Any]) -> Any:
    """The trace that began last among Traced values; None if none is traced."""
    traces = [value.owner for value in values if isinstance(value, Traced)]
    return max(traces, key=lambda trace: trace.level) if traces else None


def like(tangent: Array, value: Array) -> Array:
    """A tangent in the shape and dtype of its value."""
    if tangent.shape != value.shape:
        tangent = np.broadcast_to(tangent, value.shape)
    if tangent.dtype is not value.dtype and tangent.dtype != value.dtype:
        tangent = tangent.real if tangent.dtype.kind == "c" and value.dtype.kind == "f" else tangent
        tangent = tangent.astype(value.dtype)
    return tangent


def like_tuple(output: tuple, parts: list) -> tuple:
    """The parts as a tuple of the output's own class, which may be a namedtuple."""
    return output._make(parts) if hasattr(output, "_make") else tuple(parts)


def _by_position(rule: Any, args: Sequence[Any], kwargs: Settings) -> tuple[tuple, Settings]:
    """Arguments that were given by name, np.transpose(a=x), in the order in which the rule counts them."""
    try:
        bound = inspect.signature(rule.fun).bind(*args, **kwargs)
    except ValueError:
        bound = None
    if bound is None or innermost(list(bound.kwargs.values())) is not None:
        raise TypeError(
            f"{rule.name} got a traced array by name. Pass the arrays by position and only settings by name."
        )
    return bound.args, bound.kwargs


def _checked(value: Any, rule: Any) -> Any:
    """A constant argument, as an array if the rule takes nothing else. Refuses masked arrays and other subclasses."""
    if rule.arrays_only and isinstance(value, list):
        return np.asarray(value)
    if (
        isinstance(value, np.ndarray)
        and not issubclass(type(value), (Traced, np.memmap))
        and type(value) is not np.ndarray
    ):
        raise subclass(value, f"An argument of {rule.name}")
    return value


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"{value.dtype}{list(shape)}"


def refuse_escaped() -> None:
    raise RuntimeError(
        "A traced value was used after its transformation had ended: it was stored outside of the function and read again. "
        "Return what you need from the function (has_aux=True passes it on beside the value)."
    )
