"""Operation and Autograd: record what was computed in a list, then walk the list back to the gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mytorch import checks
from mytorch.debug import Watch
from mytorch.report import describe_rule, operations_as_table
from mytorch.utils import GradientBuffer, Location
from mytorch.walk import settings_for, starting_gradients, walk_back

ndarray = np.ndarray
Arrays = tuple[np.ndarray, ...]


class Operation:
    """One line of the list: what went in, what came out, and how a gradient gets back across it."""

    __slots__ = ("backward_operation", "gradients_to_update", "inputs", "output", "settings")

    def __init__(
        self,
        inputs: Sequence[Any],
        output: np.ndarray | Arrays,
        gradients_to_update: Sequence[np.ndarray | None],
        backward_operation: Callable[..., Any],
    ) -> None:
        """
        inputs: the arrays that the operation read. A Python number or an index may stand among them as a constant.
        output: the array that it made, or a tuple of arrays.
        gradients_to_update: one entry per input, a layer's gradient array (``dW``) or None.
        backward_operation: ``f(grad_output, *inputs)``, which returns the gradient of each input.
        """
        self.inputs = inputs
        self.output = output
        self.gradients_to_update = gradients_to_update
        self.backward_operation = backward_operation
        # Keyword arguments for a rule that is marked to take them; see ``mytorch.walk.settings_for``.
        self.settings: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The operation's name for people: ``matmul`` for ``matmul_backward``."""
        return describe_rule(self.backward_operation)

    @property
    def outputs(self) -> Arrays:
        """The outputs as a tuple, also when there is only one."""
        return self.output if isinstance(self.output, tuple) else (self.output,)

    def __repr__(self) -> str:
        shapes = ", ".join(str(getattr(array, "shape", array)) for array in self.inputs)
        return f"Operation({self.name}: {shapes} -> {', '.join(str(array.shape) for array in self.outputs)})"


class Autograd:
    """Records operations on the way forward and walks them in reverse on the way back.

    ``Autograd(debug=True)`` also looks for what makes gradients silently wrong: see ``mytorch.debug``.
    """

    def __init__(self, debug: bool = False) -> None:
        self.operation_list: list[Operation] = []
        self.gradient_buffer = GradientBuffer()
        self.recording = True
        self._data: dict[Location, np.ndarray] = {}
        self._watch = Watch(self.operation_list) if debug else None

    def add_operation(
        self,
        inputs: Sequence[Any],
        output: np.ndarray | Arrays,
        gradients_to_update: Sequence[np.ndarray | None],
        backward_operation: Callable[..., Any],
    ) -> None:
        """Append an operation to the list and give each of its inputs a spot in the buffer.

        The arguments are those of ``Operation``. Raises TypeError or ValueError, before anything is recorded, for what
        would lose a gradient without a word (see ``mytorch.checks``). While recording is paused, nothing is recorded.
        """
        if not self.recording:
            return
        if not isinstance(inputs, (list, tuple)) or not isinstance(gradients_to_update, (list, tuple)):
            raise TypeError(
                f"{describe_rule(backward_operation)}: inputs and gradients_to_update are lists with one entry per input, as "
                f"in [x, W] and [None, dW]; a {type(inputs).__name__} and a {type(gradients_to_update).__name__} were given."
            )
        inputs, gradients_to_update = list(inputs), list(gradients_to_update)
        operation = Operation(inputs, output, gradients_to_update, backward_operation)
        buffer = self.gradient_buffer
        spots_before = len(buffer.memory)
        seen = checks.glance(operation, buffer, self._data)
        try:
            if seen == checks.UNUSUAL:
                buffer.keep_first(spots_before)
                checks.refuse_what_loses_gradients(operation, self.operation_list, buffer.memory)
                data = self._data
                buffer.add_spots(
                    a for a in inputs if not isinstance(a, ndarray) or buffer.get_memory_loc(a) not in data
                )
            if seen != checks.PLAIN:
                operation.settings = settings_for(operation, self._data)
            if self._watch is not None:
                self._watch.before_recording(operation)
        except Exception:
            buffer.keep_first(spots_before)
            raise
        self.operation_list.append(operation)

    def backward(self, divergence: Any) -> None:
        """Walk the list once, in reverse, and leave the gradients in the layers' arrays and in the buffer.

        divergence: the very array that an operation produced (its gradient is then one), or the gradient to start from:
        a scalar or an array that broadcasts to the shape of the last output (a tuple where the last operation has
        several outputs).

        Gradients in ``gradients_to_update`` are added to, in place, once the whole walk has succeeded; the buffer holds
        the gradients of this walk alone. If a backward function fails, no gradient has been touched.
        """
        if self._watch is not None:
            self._watch.before_walk(divergence)
        arrived = starting_gradients(divergence, self.operation_list)
        written: list[ndarray] = []
        try:
            updates, gradients = walk_back(self.operation_list, arrived, written, self._watch)
        except BaseException:
            for slot in written:
                slot.fill(0)
            raise
        for slot, gradient in updates:
            slot += gradient
        self.gradient_buffer.replace(gradients)

    def zero_grad(self) -> None:
        """Empty the list and the buffer and let go of every array. The layers' own gradients are theirs to zero."""
        self.operation_list.clear()
        self.gradient_buffer.clear()
        self._data.clear()
        if self._watch is not None:
            self._watch.forget()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """``with engine.paused():`` records nothing inside, so that evaluation keeps nothing alive."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before

    def data(self, array: np.ndarray) -> np.ndarray:
        """Declare that nobody will read this array's gradient, so that operations recorded from now on compute none.

        Returns the same array, which then has no spot in the buffer unless it had one before. It holds until zero_grad(),
        and saves the first layer of a network a matrix product.
        """
        if not isinstance(array, ndarray):
            raise TypeError(f"Only an array can be declared to be data; a {type(array).__name__} was given.")
        if any(array is output for operation in self.operation_list for output in operation.outputs):
            raise ValueError(
                "This array was produced by a recorded operation. Declared to be data, it would stop every gradient on its "
                "way to what it was computed from; declare the inputs of the network."
            )
        if self.recording:
            self._data[self.gradient_buffer.get_memory_loc(array)] = array
        return array

    def __str__(self) -> str:
        return operations_as_table(self.operation_list, self.gradient_buffer.get_memory_loc)
