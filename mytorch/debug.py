"""Debug mode: looks for what makes gradients silently wrong, and names the operation's number and name."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.operation import Operation, unwrapped
from mytorch.utils import GradientBuffer

locate = GradientBuffer.get_memory_loc


class DebugError(RuntimeError):
    """A gradient would be wrong: an array was changed after it was recorded, or a value is not finite."""


class DebugWarning(UserWarning):
    """A gradient is probably lost: an input is a copy of an earlier output, or an output was not used."""


def observe(engine: Any) -> None:
    """Let an Observer look at all that this engine records and walks.

    The engine may be any class with ``operation_list``, ``recording``, ``add_operation``, ``backward`` and ``zero_grad``:
    the reference's and a student's are observed in the same way. The observer stands around these methods and around the
    backward functions, so the engine itself knows nothing of it.
    """
    observer = Observer(engine.operation_list)
    plain = type(engine)

    class Observed(plain):  # type: ignore[misc,valid-type]
        def add_operation(self, inputs: Any, output: Any, gradients_to_update: Any, backward_operation: Any) -> None:
            before = len(self.operation_list)
            super().add_operation(inputs, output, gradients_to_update, backward_operation)
            if len(self.operation_list) > before:
                try:
                    observer.recorded(before, self.operation_list[before], output)
                except DebugError:
                    del self.operation_list[before:]
                    raise

        def backward(self, divergence: Any) -> None:
            observer.before_backward(divergence)
            rules = [operation.backward_operation for operation in self.operation_list]
            try:
                for number, operation in enumerate(self.operation_list):
                    operation.backward_operation = observer.watched(number, operation)
                super().backward(divergence)
            finally:
                for operation, rule in zip(self.operation_list, rules):
                    operation.backward_operation = rule

        def zero_grad(self) -> None:
            super().zero_grad()
            observer.forget()

    Observed.__name__ = plain.__name__
    engine.__class__ = Observed


class Observer:
    """Remembers a fingerprint of every recorded array, and compares.

    Raises DebugError for an array that was changed after it was recorded (found when the backward pass begins) and for NaN
    or infinity in an output or in a gradient. Warns with DebugWarning of an input that has the values of an earlier output
    but is another array, and of an output that nothing used. It reads every array once more, so it is for looking for a
    mistake, not for training.
    """

    def __init__(self, operation_list: list[Operation]) -> None:
        self._operations = operation_list
        self.forget()

    def forget(self) -> None:
        """Start again with an empty list."""
        self._fingerprints: list[list[tuple[str, np.ndarray, int]]] = []
        self._output_of: dict[Any, int] = {}
        self._output_values: dict[int, tuple[int, np.ndarray]] = {}
        self._used: set[Any] = set()
        self._last_output: Any = None
        self._walked = 0

    def recorded(self, number: int, operation: Operation, output: Any) -> None:
        """Look at an operation that was just appended. output: as it was given, before a scalar became an array."""
        refuse_not_finite(number, operation)
        self.remember(number, operation, output)

    def remember(self, number: int, operation: Operation, output: Any) -> None:
        """Take the fingerprints of an operation's arrays; warn of an input that is a copy of an earlier output."""
        seen: list[tuple[str, np.ndarray, int]] = []
        for index, array in enumerate(operation.inputs):
            if isinstance(array, np.ndarray):
                self._warn_of_copy(number, operation.name, index, array)
                self._used.add(locate(array))
                seen.append((f"input {index}", array, _fingerprint(array)))
        for position, array in enumerate(operation.outputs):
            self._output_of[locate(array)] = number
            self._output_values[_values_fingerprint(array)] = (number, array)
            seen.append((f"output {position}", array, _fingerprint(array)))
        self._fingerprints.append(seen)
        self._last_output = output

    def _warn_of_copy(self, number: int, name: str, index: int, array: np.ndarray) -> None:
        # An array that was there before the output is no copy of it: a skip connection, for instance.
        known = locate(array) in self._used or locate(array) in self._output_of
        origin, original = self._output_values.get(_values_fingerprint(array), (None, None))
        if origin is not None and not known and not _is_common(array) and original is not array:
            warnings.warn(
                f"Operation {number} ({name}): input {index} has the values of the output of operation {origin} "
                f"({self._operations[origin].name}) but is another array, so no gradient passes from one to the other. "
                "Record the very array that the operation returned.",
                DebugWarning,
                stacklevel=6,
            )

    def before_backward(self, divergence: Any) -> None:
        """Look at the whole list before the backward pass."""
        if not self._operations:
            return
        last = self._operations[-1].outputs
        if divergence is self._last_output:
            divergence = last[-1]
        if isinstance(divergence, np.ndarray) and locate(divergence) in self._output_of:
            targets = {locate(divergence)}
        else:
            targets = {locate(output) for output in last}
            self._warn_of_values(divergence, last[-1])
        self._refuse_changed_arrays(set(targets))
        self._warn_of_old_operations()
        self._used.update(targets)
        for location, number in self._output_of.items():
            if location not in self._used:
                warnings.warn(
                    f"Operation {number} ({self._operations[number].name}): nothing used its output, so no gradient passes "
                    "through it. Was another array passed on?",
                    DebugWarning,
                    stacklevel=4,
                )

    def _warn_of_old_operations(self) -> None:
        """Warn where the list still holds operations of an earlier pass whose arrays, such as weights, have changed since."""
        old, self._walked = self._fingerprints[: self._walked], len(self._fingerprints)
        changed = any(
            _fingerprint(array) != print_of and locate(array) not in self._output_of
            for seen in old
            for what, array, print_of in seen
            if what.startswith("input")
        )
        if changed:
            warnings.warn(
                f"The list still holds {len(old)} operations of an earlier backward pass, whose arrays have changed since. It "
                "grows without end; call engine.zero_grad() before each forward pass.",
                DebugWarning,
                stacklevel=5,
            )

    def _warn_of_values(self, divergence: Any, last: np.ndarray) -> None:
        if np.size(divergence) == last.size and np.array_equal(np.ravel(divergence), last.ravel()):
            if _is_common(last):
                return
            warnings.warn(
                f"backward was given the values of the output of operation {len(self._operations) - 1} "
                f"({self._operations[-1].name}) but not that array, so they are taken for the gradient to start from. Pass "
                "the very array that was recorded, or 1.",
                DebugWarning,
                stacklevel=5,
            )

    def _refuse_changed_arrays(self, targets: set[Any]) -> None:
        """Compare the arrays that the backward pass will read with their fingerprints; the others may have changed."""
        overwritten_by = {locate(o): n for n, op in enumerate(self._operations) for o in op.outputs}
        reached: list[int] = []
        for number in range(len(self._operations) - 1, -1, -1):
            if not targets.isdisjoint(locate(output) for output in self._operations[number].outputs):
                reached.append(number)
                targets.update(locate(a) for a in self._operations[number].inputs if isinstance(a, np.ndarray))
        for number in reversed(reached):
            for what, array, print_of in self._fingerprints[number]:
                by = overwritten_by.get(locate(array), number)
                by_a_later_one = by > number
                if _fingerprint(array) == print_of or (by_a_later_one and what.startswith("output")):
                    continue
                culprit = f", by operation {by} ({self._operations[by].name})" if by_a_later_one else ""
                raise DebugError(
                    f"Operation {number} ({self._operations[number].name}): {what}, an array of shape {array.shape}, was "
                    f"changed in place after it was recorded{culprit}, so gradients would be wrong. Write the new values "
                    "into another array."
                )

    def watched(self, number: int, operation: Operation) -> Callable[..., Any]:
        """The operation's backward function, looked at while it runs: what it returns, and what it may have changed."""
        rule, where = operation.backward_operation, f"Operation {number} ({operation.name}), walking back"

        @functools.wraps(unwrapped(rule))
        def watched_rule(grad_output: Any, *inputs: Any) -> Any:
            given = [(gradient, _fingerprint(gradient)) for gradient in _as_sequence(grad_output)]
            result = rule(grad_output, *inputs)
            for index, gradient in enumerate(_as_sequence(result)):
                bad = first_not_finite(gradient)
                if bad is not None:
                    raise DebugError(f"{where}: the gradient of input {index} is {gradient[bad]} at index {bad}.")
            if any(_fingerprint(gradient) != print_of for gradient, print_of in given):
                raise DebugError(
                    f"{where}: its backward function changed grad_output, which other operations may have been given too. A "
                    "backward function returns new arrays."
                )
            for what, array, print_of in self._fingerprints[number]:
                if what.startswith("input") and _fingerprint(array) != print_of:
                    raise DebugError(
                        f"{where}: its backward function changed {what}. A backward function reads its inputs and returns "
                        "new arrays."
                    )
            return result

        return watched_rule


def refuse_not_finite(number: int, operation: Operation) -> None:
    """Raise DebugError for NaN or infinity in an operation's output."""
    for position, output in enumerate(operation.outputs):
        bad = first_not_finite(output)
        if bad is None:
            continue
        came_with = [i for i, array in enumerate(operation.inputs) if first_not_finite(array) is not None]
        origin = (
            f"It came in with input {came_with[0]}." if came_with else "Its inputs are all finite, so it arises here."
        )
        where = f"Operation {number} ({operation.name})"
        raise DebugError(f"{where}: output {position} is {output[bad]} at index {bad}. {origin}")


def _as_sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (tuple, list)) else (value,)


def _fingerprint(array: np.ndarray) -> int:
    """64 bits that differ, as good as surely, where the values do; four times as fast as a cryptographic hash."""
    return hash(array.tobytes())


def _values_fingerprint(array: np.ndarray) -> int:
    """The same for a copy in another shape or precision."""
    return _fingerprint(array.astype(np.float64) if array.dtype.kind == "f" else array)


def _is_common(array: np.ndarray) -> bool:
    """True for all zeros or all ones, too common for equal values to mean a copy."""
    return array.size == 0 or bool((array == 0).all()) or bool((array == 1).all())


def first_not_finite(value: Any) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity; None if there is none."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fc":
        return None
    finite = np.isfinite(value)
    return None if finite.all() else tuple(int(i) for i in np.argwhere(~finite)[0])
