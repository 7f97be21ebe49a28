"""Traced values and runs: what a function does to its arrays is recorded, or pushed forward, as it happens.

A transformation (one call of grad, vjp or jvp) is a run. Its arguments are wrapped in ``Traced``, and NumPy hands every
operation on them to us. In a reverse run each operation becomes a ``Step`` of the operation list; in a forward run its
tangent is computed at once and nothing is kept. The wrapped value may itself be Traced by a run that began earlier: calling
the NumPy function on it is then recorded there, which is all that nesting takes.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.autograd_engine import Operation

TABLE: dict[Any, Callable[..., Any]] = {}
"""The table of rules: a NumPy function and what is called in its place when an argument is Traced."""

ndarray = np.ndarray

# Which of two runs began later is all that anybody asks of these numbers: an operation belongs to the innermost run among
# its arguments. They are never reset or counted down, so there is nothing for an exception to leave behind.
_began = itertools.count(1)


class Step(Operation):
    """One line of the operation list, with the numbers of the variables that it read (None: a constant) and made."""

    __slots__ = ("kwargs", "makes", "reads", "rule")

    def __init__(self, rule: Any, inputs: list, kwargs: dict, output: Any, reads: list, makes: Any) -> None:
        self.rule = rule
        self.inputs = inputs
        self.kwargs = kwargs
        self.output = output
        self.reads = reads
        self.makes = makes

    @property
    def name(self) -> str:
        return self.rule.name


class Traced:
    """An array, or a scalar, inside a function that is being differentiated. It behaves as its array does.

    ``value`` is what it stands for, ``run`` who traces it, and ``mark`` its number in a reverse run or its tangent in a
    forward run. Operators, methods and attributes are added in ``mytorch.autodiff.surface``.
    """

    __slots__ = ("mark", "run", "value")
    __array_priority__ = 1000

    def __init__(self, value: Any, run: Any, mark: Any) -> None:
        self.value = value
        self.run = run
        self.mark = mark

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            rule = TABLE.get(ufunc)
            if rule is not None:
                return rule(*inputs)
        from mytorch.autodiff.surface import call_ufunc  # the rare case, kept out of the way

        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = TABLE.get(function)
        if rule is not None:
            return rule(*args, **kwargs)
        from mytorch.autodiff.errors import no_rule

        raise no_rule(function)


class Outline:
    """What is left of an array that no rule will read again, so that its memory is free for the next one."""

    __slots__ = ("dtype", "shape")

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype = array.shape, array.dtype


LARGE = 1 << 16  # bytes from which an outline is worth its time


class Reverse:
    """A run that records. ``operation_list`` grows by one step per operation and is walked back by ``walk_back``.

    watching: whether constants are checked for changes. whole: whether steps keep what no rule will read, to be looked at.
    """

    __slots__ = ("append", "constants", "count", "level", "operation_list", "watching", "whole")

    def __init__(self, watching: bool = True, whole: bool = False) -> None:
        self.whole = whole
        self.level = next(_began)
        self.operation_list: list[Step] = []
        self.count = 0  # numbers of variables begin at 1, so that a number is true and None is not
        self.constants: dict[int, tuple[ndarray, Any, str]] = {}
        self.append: Callable[[Step], None] = self.operation_list.append
        self.watching = watching

    def variable(self, value: Any) -> Traced:
        """A new variable that the run's gradients are wanted for."""
        if self.watching:
            self.watch(value, "an argument")
        self.count += 1
        return Traced(value, self, self.count)

    def record(self, rule: Any, output: Any, values: list, marks: list, kwargs: dict) -> Any:
        if None in marks and rule.reads and self.watching:
            for value, mark in zip(values, marks):
                if mark is None and not isinstance(value, (float, int)):
                    self.watch(value, rule.name)
        if rule.several and isinstance(output, tuple):
            numbers = list(range(self.count + 1, self.count + 1 + len(output)))
            self.count += len(output)
            self.append(Step(rule, values, kwargs, output, marks, numbers))
            wrapped = [Traced(o, self, n) if is_float(o) else o for o, n in zip(output, numbers)]
            return output._make(wrapped) if hasattr(output, "_make") else tuple(wrapped)
        self.count = number = self.count + 1
        if rule.forgets and output.nbytes >= LARGE and not self.whole:
            values, kept = rule.kept(values, marks, output)
            self.append(Step(rule, values, kwargs, kept, marks, number))
        else:
            self.append(Step(rule, values, kwargs, output, marks, number))
        return Traced(output, self, number)

    def watch(self, value: Any, where: str) -> None:
        """Remember how a constant array looks, because a backward rule will read it again."""
        if type(value) is tuple or type(value) is list:
            for part in value:
                self.watch(part, where)
        elif type(value) is ndarray and id(value) not in self.constants:
            # The array itself is kept too, so that its id stays its own.
            self.constants[id(value)] = (value, _fingerprint(value), where)

    def check_unchanged(self) -> None:
        for array, fingerprint, where in self.constants.values():
            if _fingerprint(array) != fingerprint:
                raise RuntimeError(
                    f"An array of shape {array.shape}, used as {where if ' ' in where else 'a constant of ' + where}, was "
                    "changed between the forward pass and the walk back, so its gradients would be wrong. Leave arrays as "
                    "they are until the gradient is there, or give the function a copy: array.copy()."
                )

    def close(self) -> None:
        """End the recording. A value that was carried out of its function is refused from here on."""
        self.append = _refuse_escaped


class Forward:
    """A run that pushes tangents along and keeps nothing."""

    __slots__ = ("level", "open")

    def __init__(self) -> None:
        self.level = next(_began)
        self.open = True

    def record(self, rule: Any, output: Any, values: list, marks: list, kwargs: dict) -> Any:
        if not self.open:
            _refuse_escaped(None)
        tangent = rule.push(marks, output, values, kwargs)
        if isinstance(output, tuple):
            wrapped = [
                o if t is None or not is_float(o) else Traced(o, self, like(t, o)) for o, t in zip(output, tangent)
            ]
            return output._make(wrapped) if hasattr(output, "_make") else tuple(wrapped)
        return output if tangent is None else Traced(output, self, like(tangent, output))

    def close(self) -> None:
        self.open = False


def bind(rule: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Carry out one operation for the innermost run among its arguments; for all others they are what they wrap."""
    if kwargs and innermost(list(kwargs.values())) is not None:
        args, kwargs = _by_position(rule, args, kwargs)
    run, level = None, 0
    for value in args:
        if type(value) is Traced and value.run is not run and value.run.level > level:
            run = value.run
            level = run.level
    if run is None:
        return rule.fun(*args, **kwargs)
    values, marks = [], []
    for value in args:
        if type(value) is Traced and value.run is run:
            values.append(value.value)
            marks.append(value.mark)
        else:
            values.append(value)
            marks.append(None)
    return run.record(rule, rule.fun(*values, **kwargs), values, marks, kwargs)


def walk_back(run: Reverse, gradients: dict[int, Any], once: bool = False) -> dict[int, Any]:
    """Walk a run's list once, in reverse. gradients: by number of variable, those to start from; the same dict is returned.

    A gradient is let go as soon as it has been passed on. What an operation without gradient read costs nothing.
    once: nobody will walk this list again, so each step is let go as well, and the memory of its arrays serves for the
    gradients.
    """
    if run.constants:
        run.check_unchanged()
    take = gradients.pop
    steps: Any = reversed(run.operation_list)
    if once:
        run.operation_list.insert(0, None)  # type: ignore[arg-type]
        steps = iter(run.operation_list.pop, None)
    for step in steps:
        makes = step.makes
        if type(makes) is int:
            g = take(makes, None)
            if g is None:
                continue
        else:
            g = tuple([take(number, None) for number in makes])
            if all(part is None for part in g):
                continue
            if step.rule.pulls_onto:  # a recomputed part adds to what is there, in the order of an unbroken walk
                so_far = [gradients.get(number) for number in step.reads]
                totals = step.rule.pull_onto(g, step.inputs, so_far)
                gradients.update((number, total) for number, total in zip(step.reads, totals) if total is not None)
                continue
        reads = step.reads
        for number, gradient in zip(reads, step.rule.pull(g, step.output, step.inputs, step.kwargs, reads)):
            if number is not None and gradient is not None:
                gradients[number] = gradients[number] + gradient if number in gradients else gradient
    return gradients


def innermost(values: Sequence[Any]) -> Any:
    """The run that began last among Traced values; None if none is traced."""
    runs = [value.run for value in values if type(value) is Traced]
    return max(runs, key=lambda run: run.level) if runs else None


def plain(value: Any) -> Any:
    """The array under all runs, also inside tuples, lists and dicts: for what has no derivative."""
    while type(value) is Traced:
        value = value.value
    if type(value) in (tuple, list):
        return type(value)(plain(part) for part in value)
    return {key: plain(part) for key, part in value.items()} if type(value) is dict else value


def is_float(value: Any) -> bool:
    """Whether a gradient can flow through the value: a real or complex floating dtype."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind in "fc"


def like(tangent: Any, value: Any) -> Any:
    """A tangent in the shape and dtype of its value: broadcast, and never wider."""
    if tangent.shape != value.shape:
        tangent = np.broadcast_to(tangent, value.shape)
    if tangent.dtype is not value.dtype and tangent.dtype != value.dtype:
        tangent = tangent.real if tangent.dtype.kind == "c" and value.dtype.kind == "f" else tangent
        tangent = tangent.astype(value.dtype)
    return tangent


def _by_position(rule: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple, dict]:
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


def _fingerprint(array: ndarray) -> Any:
    """What changes if the array does. Small arrays are compared whole, large ones by the sums of their rows and columns.

    The sums run over the bits as integers in rows of 256: two entries that change places change a row's sum or a column's.
    """
    if array.nbytes < 4096 or array.dtype.hasobject:
        return array.tobytes()
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    body = raw[: raw.size // 2048 * 2048].view(np.uint64).reshape(-1, 256)
    return hash((body.sum(axis=0).tobytes(), body.sum(axis=1).tobytes(), raw[body.nbytes :].tobytes()))


def _refuse_escaped(_: Any) -> None:
    raise RuntimeError(
        "A traced value was used after its transformation had ended: it was stored outside of the function and read again. "
        "Return what you need from the function (has_aux=True passes it on beside the value)."
    )
