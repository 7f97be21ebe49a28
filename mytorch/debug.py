"""Watch: what ``Autograd(debug=True)`` looks for, each finding named by the operation's number and name."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mytorch.autograd_engine import Operation

from mytorch.utils import GradientBuffer


class DebugError(RuntimeError):
    """A gradient would be wrong: an array was changed after it was recorded, or a value is not finite."""


class DebugWarning(UserWarning):
    """A gradient is probably lost: an input is a copy of an earlier output, or an output was not used."""


class Watch:
    """Remembers a fingerprint of every recorded array, and compares.

    Raises DebugError for an array that was changed after it was recorded (found when the walk back begins) and for NaN
    or infinity in an output or in a gradient. Warns with DebugWarning of an input that has the values of an earlier
    output but is another array, and of an output that nothing used. It reads every array once more, so it is for
    looking for a mistake, not for training.
    """

    def __init__(self, operation_list: list[Operation]) -> None:
        self._operations = operation_list
        self.forget()

    def forget(self) -> None:
        """Start again with an empty list."""
        self._fingerprints: list[list[tuple[str, np.ndarray, bytes]]] = []
        self._output_of: dict[Any, int] = {}
        self._output_values: dict[bytes, tuple[int, np.ndarray]] = {}
        self._used: set[Any] = set()
        self._given: list[tuple[np.ndarray, bytes]] = []

    def before_recording(self, operation: Operation) -> None:
        """Look at an operation that is about to be appended."""
        number = len(self._operations)
        locate = GradientBuffer.get_memory_loc
        seen: list[tuple[str, np.ndarray, bytes]] = []
        for index, array in enumerate(operation.inputs):
            if not isinstance(array, np.ndarray):
                continue
            print_of = _fingerprint(array)
            seen.append((f"input {index}", array, print_of))
            # An array that was there before the output is no copy of it: a skip connection, for instance.
            known = locate(array) in self._used or locate(array) in self._output_of
            self._used.add(locate(array))
            origin, original = self._output_values.get(_values_fingerprint(array), (None, None))
            if origin is not None and not known and not _is_plain(array) and original is not array:
                warnings.warn(
                    f"Operation {number} ({operation.name}): input {index} has the values of the output of operation "
                    f"{origin} ({self._operations[origin].name}) but is another array, so no gradient passes from one to "
                    "the other. Record the very array that the operation returned.",
                    DebugWarning,
                    stacklevel=4,
                )
        for position, output in enumerate(operation.outputs):
            bad = _first_not_finite(output)
            if bad is not None:
                came_with = [i for i, a in enumerate(operation.inputs) if _first_not_finite(a) is not None]
                origin_text = (
                    f"It came in with input {came_with[0]}."
                    if came_with
                    else "Its inputs are all finite, so it arises here."
                )
                raise DebugError(
                    f"Operation {number} ({operation.name}): output {position} is {output[bad]} at index {bad}. {origin_text}"
                )
        for position, output in enumerate(operation.outputs):
            self._output_of[locate(output)] = number
            self._output_values[_values_fingerprint(output)] = (number, output)
            seen.append((f"output {position}", output, _fingerprint(output)))
        self._fingerprints.append(seen)

    def before_walk(self, divergence: Any) -> None:
        """Look at the whole list before it is walked back."""
        if not self._operations:
            return
        locate = GradientBuffer.get_memory_loc
        is_output = isinstance(divergence, np.ndarray) and locate(divergence) in self._output_of
        target = locate(divergence) if is_output else None
        self._refuse_changed_arrays({target} if is_output else {locate(o) for o in self._operations[-1].outputs})
        if not is_output and self._operations:
            self._used.update(locate(output) for output in self._operations[-1].outputs)
            last = self._operations[-1].outputs[-1]
            if (
                np.size(divergence) == last.size
                and np.array_equal(np.ravel(divergence), last.ravel())
                and not _is_plain(last)
            ):
                warnings.warn(
                    f"backward was given the values of the output of operation {len(self._operations) - 1} "
                    f"({self._operations[-1].name}) but not that array, so they are taken for the gradient to start from. "
                    "Pass the very array that was recorded, or 1.",
                    DebugWarning,
                    stacklevel=3,
                )
        if target is not None:
            self._used.add(target)
        for location, number in self._output_of.items():
            if location not in self._used:
                warnings.warn(
                    f"Operation {number} ({self._operations[number].name}): nothing used its output, so no gradient passes "
                    "through it. Was another array passed on?",
                    DebugWarning,
                    stacklevel=3,
                )

    def _refuse_changed_arrays(self, targets: set[Any]) -> None:
        """Compare what the walk will read with its fingerprints; what the walk skips may have been overwritten."""
        locate = GradientBuffer.get_memory_loc
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

    def before_rule(self, grad_output: Any) -> None:
        """Remember what a backward function is about to be given."""
        given = grad_output if isinstance(grad_output, tuple) else (grad_output,)
        self._given = [(gradient, _fingerprint(gradient)) for gradient in given]

    def after_rule(self, number: int, operation: Operation, gradients: Sequence[Any]) -> None:
        """Look at what a backward function returned, and at what it may have changed."""
        for index, gradient in enumerate(gradients):
            bad = None if gradient is None else _first_not_finite(gradient)
            if gradient is not None and bad is not None:
                raise DebugError(
                    f"Operation {number} ({operation.name}), walking back: the gradient of input {index} is {gradient[bad]} "
                    f"at index {bad}."
                )
        if any(_fingerprint(gradient) != print_of for gradient, print_of in self._given):
            raise DebugError(
                f"Operation {number} ({operation.name}), walking back: its backward function changed grad_output, which other "
                "operations may have been given too. A backward function returns new arrays."
            )
        for what, array, print_of in self._fingerprints[number]:
            if what.startswith("input") and _fingerprint(array) != print_of:
                raise DebugError(
                    f"Operation {number} ({operation.name}), walking back: its backward function changed {what}. A backward "
                    "function reads its inputs and returns new arrays."
                )


def _fingerprint(array: np.ndarray) -> bytes:
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()


def _values_fingerprint(array: np.ndarray) -> bytes:
    """The same for a copy in another shape or precision."""
    return _fingerprint(array.astype(np.float64) if array.dtype.kind == "f" else array)


def _is_plain(array: np.ndarray) -> bool:
    """All zeros or all ones: too common for equal values to mean a copy."""
    return array.size == 0 or bool((array == 0).all()) or bool((array == 1).all())


def _first_not_finite(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fc":
        return None
    finite = np.isfinite(value)
    if finite.all():
        return None
    return tuple(int(i) for i in np.argwhere(~finite)[0])
