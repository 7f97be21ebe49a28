"""Autograd: record operations in a list on the way forward, then go through it in reverse to the gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mytorch import checks
from mytorch.debug import observe
from mytorch.operation import Operation
from mytorch.report import Readable
from mytorch.utils import GradientBuffer, Location, gradient_dtype


class Autograd(Readable):
    """The engine: records operations on the way forward and walks them in reverse on the way back.

    ``print(engine)`` shows the list as a table, ``engine.show()`` as a page to step through.
    ``Autograd(debug=True)`` also looks for what makes gradients silently wrong: see ``mytorch.debug``.
    """

    def __init__(self, debug: bool = False) -> None:
        self.operation_list: list[Operation] = []
        self.gradient_buffer = GradientBuffer()
        self.recording = True
        self.on_gradient: Callable[[int, np.ndarray, np.ndarray], bool] | None = None
        self._data: set[Location] = set()
        self._last_scalar: Any = None
        if debug:
            observe(self)

    def add_operation(
        self,
        inputs: Sequence[Any],
        output: np.ndarray | tuple[np.ndarray, ...],
        gradients_to_update: Sequence[np.ndarray | None],
        backward_operation: Callable[..., Any],
    ) -> None:
        """Append an operation to the list and give each of its inputs a spot in the buffer.

        The arguments are those of ``Operation``. A NumPy scalar as output, such as ``np.sum(x)`` returns, is kept as an
        array of shape (); nothing can be recorded after it. Raises TypeError or ValueError, before anything is recorded,
        for what would lose a gradient silently (see ``mytorch.checks``). While recording is paused, nothing is recorded.
        """
        if not self.recording:
            return
        made = np.asarray(output) if isinstance(output, np.generic) else output
        operation = Operation(inputs, made, gradients_to_update, backward_operation)
        checks.check_operation(operation, self.operation_list, self.gradient_buffer.held, self._last_scalar is not None)
        operation.inputs, operation.gradients_to_update = list(inputs), list(gradients_to_update)
        for array in operation.inputs:
            if isinstance(array, np.ndarray) and not self.is_data(array):
                self.gradient_buffer.add_spot(array)
        for array in operation.output if isinstance(operation.output, tuple) else (operation.output,):
            self.gradient_buffer.hold(array)
        self.operation_list.append(operation)
        self._last_scalar = output if made is not output else None

    def backward(self, divergence: Any) -> None:
        """Go through the list once, in reverse, and leave the gradients in the layers' arrays and in the buffer.

        divergence: the very array that an operation produced (its gradient is then one), or the gradient to start from:
        a scalar or an array that broadcasts to the shape of the last output (a tuple where the last operation has
        several outputs).

        Gradients in ``gradients_to_update`` are added to, in place, once the whole walk has succeeded; the buffer holds
        the gradients of this walk alone. If a backward function fails, no gradient has been touched.

        ``on_gradient(number, slot, gradient)`` is called, where it is set, for each gradient that operation ``number``
        sends to a slot. If it returns True, it has taken the gradient, and the slot stays as it is.
        """
        if divergence is self._last_scalar and divergence is not None:
            divergence = self.operation_list[-1].output
        pending = checks.starting_gradients(divergence, self.operation_list)
        complete: dict[Location, Any] = {}
        updates: list[tuple[np.ndarray, np.ndarray]] = []
        locate = self.gradient_buffer.get_memory_loc

        for number in reversed(range(len(self.operation_list))):
            operation = self.operation_list[number]
            if isinstance(operation.output, tuple):
                grad_output = _take_several(operation.output, pending, complete)
            else:
                # Taken out, not only read: where an operation wrote over its own input, what arrives next under this
                # location belongs to the values from before.
                location = locate(operation.output)
                grad_output = pending.pop(location, None)
                if grad_output is not None:
                    complete[location] = grad_output
            if grad_output is None:
                continue
            gradients = _call_rule(operation, number, grad_output)
            for array, slot, gradient in zip(operation.inputs, operation.gradients_to_update, gradients):
                if gradient is None:
                    continue
                if slot is not None:
                    # A rule that wrote into the slot itself has added it already.
                    if gradient is not slot and not (self.on_gradient and self.on_gradient(number, slot, gradient)):
                        updates.append((slot, gradient))
                    continue
                location = locate(array)
                if location in pending:
                    # Where NumPy adds 0-d arrays, it returns a scalar.
                    pending[location] = np.asarray(pending[location] + gradient)
                elif location not in self._data:
                    pending[location] = gradient

        for slot, gradient in updates:
            slot += gradient
        complete.update(pending)
        for location in self.gradient_buffer.memory:
            self.gradient_buffer.memory[location] = complete.get(location)

    # Other generations of the homework know the buffer by this name.
    memory_buffer = property(lambda self: self.gradient_buffer)

    def zero_grad(self) -> None:
        """Empty the list and the buffer and let go of every array. The layers' own gradients are theirs to zero."""
        self.operation_list.clear()
        self.gradient_buffer.clear()
        self._data.clear()
        self._last_scalar = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """``with engine.paused():`` records nothing inside, so that evaluation keeps nothing alive."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before

    def data(self, array: np.ndarray) -> np.ndarray:
        """Declare that nobody will read this array's gradient, so that operations recorded from now on leave it out.

        Returns the same array, which then has no spot in the buffer. An array that was recorded before keeps its spot and
        its gradient. The declaration holds until zero_grad(), and saves the first layer of a network a matrix product.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"Only an array can be declared to be data; a {type(array).__name__} was given.")
        if any(array is output for operation in self.operation_list for output in operation.outputs):
            raise ValueError(
                "This array was produced by a recorded operation. Declared to be data, it would stop every gradient on its "
                "way to what it was computed from; declare the inputs of the network."
            )
        if self.recording and not self.gradient_buffer.is_in_memory(array):
            self._data.add(self.gradient_buffer.get_memory_loc(array))
            self.gradient_buffer.hold(array)
        return array

    def is_data(self, array: np.ndarray) -> bool:
        """True if an array was declared to be data."""
        return bool(self._data) and self.gradient_buffer.get_memory_loc(array) in self._data


def _call_rule(operation: Operation, number: int, grad_output: Any) -> Sequence[np.ndarray | None]:
    """Call an operation's backward function: one gradient per input, None where nothing flows."""
    inputs = operation.inputs
    try:
        result = operation.backward_operation(grad_output, *inputs)
    except Exception as error:
        if hasattr(error, "add_note"):
            error.add_note(f"This happened in the backward pass, in operation {number} ({operation.name}).")
        raise
    gradients = result if isinstance(result, tuple) else (result,)
    if len(gradients) == len(inputs):
        for gradient, array in zip(gradients, inputs):
            if gradient is not None and not (
                type(gradient) is type(array) is np.ndarray
                and gradient.dtype is array.dtype
                and gradient.shape == array.shape
                and gradient.dtype.kind == "f"
                and array is not operation.output
            ):
                break
        else:
            return gradients
    return checks.one_gradient_per_input(result, operation, number)


def _take_several(outputs: tuple[Any, ...], pending: dict[Location, Any], complete: dict[Location, Any]) -> Any:
    """Take out the gradients of several outputs, zeros for those that received nothing; None if none of them did."""
    locations = [GradientBuffer.get_memory_loc(output) for output in outputs]
    taken = [pending.pop(location, None) for location in locations]
    if all(gradient is None for gradient in taken):
        return None
    zeros = (np.zeros(output.shape, gradient_dtype(output)) for output in outputs)
    gradients = tuple(zero if gradient is None else gradient for zero, gradient in zip(zeros, taken))
    complete.update(zip(locations, gradients))
    return gradients
