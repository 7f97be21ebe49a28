"""Operation and Autograd: record what was computed in a list, then walk the list back to the gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mytorch.debug import Watch
from mytorch.report import describe_rule, operations_as_table
from mytorch.utils import GradientBuffer, Location, gradient_dtype

Arrays = tuple[np.ndarray, ...]


class Operation:
    """One line of the list: what went in, what came out, and how a gradient gets back across it."""

    __slots__ = ("inputs", "output", "gradients_to_update", "backward_operation", "needs")

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
        # Which inputs' gradients anybody reads, where some were declared to be data; None for all.
        self.needs: list[bool] | None = None

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
        self._data: set[Location] = set()
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
        would lose a gradient without a word. While recording is paused, nothing is recorded.
        """
        if not self.recording:
            return
        if len(inputs) != len(gradients_to_update):
            raise ValueError(
                f"{describe_rule(backward_operation)}: {len(inputs)} inputs but {len(gradients_to_update)} "
                "gradients_to_update were given. Give one entry per input, None where there is no gradient to update."
            )
        for array in output if isinstance(output, tuple) else (output,):
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    f"{describe_rule(backward_operation)}: the output is a {type(array).__name__}, not an array, so it "
                    "has no lasting address by which its gradient could be found. Keep it an array, for example with "
                    "keepdims=True or np.asarray(result), and pass that same array on."
                )
        for index, (array, slot) in enumerate(zip(inputs, gradients_to_update)):
            if not isinstance(array, np.ndarray) or slot is not None:
                _check_input(index, array, slot, backward_operation)
        operation = Operation(inputs, output, gradients_to_update, backward_operation)
        _refuse_overwriting(operation, self.operation_list)
        if self._watch is not None:
            self._watch.before_recording(operation)
        add_spot = self.gradient_buffer.add_spot
        for array in inputs:
            if isinstance(array, np.ndarray):
                add_spot(array)
        if self._data:
            needs = [self._is_needed(array, slot) for array, slot in zip(inputs, gradients_to_update)]
            operation.needs = None if all(needs) else needs
        self.operation_list.append(operation)

    def backward(self, divergence: Any) -> None:
        """Walk the list once, in reverse, and leave the gradients in the layers' arrays and in the buffer.

        divergence: the very array that an operation produced (its gradient is then one), or the gradient to start from:
        a scalar or an array that broadcasts to the shape of the last output (a tuple where the last operation has
        several outputs).

        Gradients in ``gradients_to_update`` are added to, in place, once the whole walk has succeeded; the buffer holds
        the gradients of this walk alone. If a backward function fails, no gradient has been touched.
        """
        operations = self.operation_list
        if not operations:
            raise RuntimeError(
                "There is nothing to walk back: no operation was recorded. Run the forward pass first, outside of "
                "paused(), and call zero_grad() after backward, not before."
            )
        if self._watch is not None:
            self._watch.before_walk(divergence)
        locate = self.gradient_buffer.get_memory_loc
        arrived = self._start(divergence)
        passed: dict[Location, np.ndarray] = {}
        updates: list[tuple[np.ndarray, np.ndarray]] = []
        for number in range(len(operations) - 1, -1, -1):
            operation = operations[number]
            # The output's gradient is taken out, not only read: where an operation wrote over its own input, what
            # follows under that location belongs to the value from before.
            output = operation.output
            if isinstance(output, tuple):
                grad_output = _take_several(output, arrived, passed, locate)
            else:
                location = locate(output)
                grad_output = arrived.pop(location, None)
                if grad_output is None:
                    continue
                passed[location] = grad_output
            if grad_output is None or (operation.needs is not None and not any(operation.needs)):
                continue
            gradients = self._gradients_of(number, operation, grad_output)
            for array, slot, gradient in zip(operation.inputs, operation.gradients_to_update, gradients):
                if gradient is None:
                    continue
                if slot is not None:
                    updates.append((slot, gradient))
                    continue
                location = locate(array)
                so_far = arrived.get(location)
                arrived[location] = gradient if so_far is None else so_far + gradient
        for slot, gradient in updates:
            np.add(slot, gradient, out=slot, casting="same_kind")
        memory = self.gradient_buffer.memory
        for location in memory:
            gradient = arrived.get(location)
            memory[location] = passed.get(location) if gradient is None else gradient

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
        """Declare that nobody will read this array's gradient, so that none is computed until zero_grad().

        Returns the same array. The first layer of a network then saves one matrix product per step.
        """
        if self.recording:
            self.gradient_buffer.add_spot(array)
            self._data.add(self.gradient_buffer.get_memory_loc(array))
        return array

    def __str__(self) -> str:
        return operations_as_table(self.operation_list, self.gradient_buffer.get_memory_loc)

    def _start(self, divergence: Any) -> dict[Location, np.ndarray]:
        """The gradient that each output begins with."""
        locate = self.gradient_buffer.get_memory_loc
        if isinstance(divergence, np.ndarray):
            location = locate(divergence)
            for operation in reversed(self.operation_list):
                for output in operation.outputs:
                    if output is divergence or locate(output) == location:
                        return {location: np.ones(output.shape, gradient_dtype(output))}
        outputs = self.operation_list[-1].outputs
        starts = divergence if isinstance(divergence, (tuple, list)) and len(outputs) > 1 else (divergence,)
        if len(starts) != len(outputs):
            raise ValueError(
                f"The last operation has {len(outputs)} outputs and got {len(starts)} gradients to start from. Pass a "
                "tuple with one gradient for each, or the output to differentiate."
            )
        return {locate(output): _starting_gradient(start, output) for start, output in zip(starts, outputs)}

    def _gradients_of(self, number: int, operation: Operation, grad_output: Any) -> Sequence[np.ndarray | None]:
        """Call the backward function and check, before anything is touched, that what it returns fits its inputs."""
        inputs, rule, needs = operation.inputs, operation.backward_operation, operation.needs
        try:
            if needs is not None and getattr(rule, "selective", False):
                result = rule(grad_output, *inputs, needs=needs)
            else:
                result = rule(grad_output, *inputs)
        except Exception as error:
            if hasattr(error, "add_note"):
                error.add_note(f"This happened in the walk back, in operation {number} ({operation.name}).")
            raise
        gradients = _one_per_input(result, number, operation)
        for index, (array, gradient) in enumerate(zip(inputs, gradients)):
            if gradient is None:
                continue
            if not isinstance(array, np.ndarray) or (needs is not None and not needs[index]):
                gradients[index] = None
                continue
            if not isinstance(gradient, np.ndarray):
                gradients[index] = gradient = np.asarray(gradient)
            if gradient.shape != array.shape:
                raise ValueError(
                    f"Operation {number} ({operation.name}) returned a gradient of shape {gradient.shape} for input "
                    f"{index}, which has shape {array.shape}. A gradient has the shape of its input: sum over what was "
                    "broadcast, and mind which factor is transposed."
                )
            if gradient.dtype is not array.dtype and gradient.dtype != array.dtype:
                gradients[index] = _in_dtype_of(array, gradient, number, operation, index)
        if self._watch is not None:
            self._watch.after_rule(number, operation, gradients)
        return gradients

    def _is_needed(self, array: Any, slot: np.ndarray | None) -> bool:
        if slot is not None or not isinstance(array, np.ndarray):
            return slot is not None
        return self.gradient_buffer.get_memory_loc(array) not in self._data


def _one_per_input(result: Any, number: int, operation: Operation) -> list[Any]:
    """What a backward function returned as a list with one entry per input. A constant needs no entry."""
    inputs = operation.inputs
    if isinstance(result, (tuple, list)) and len(result) == len(inputs):
        return list(result)
    arrays = [isinstance(array, np.ndarray) for array in inputs]
    if not isinstance(result, (tuple, list)) and sum(arrays) == 1:
        return [result if is_array else None for is_array in arrays]
    what = f"{len(result)} gradients" if isinstance(result, (tuple, list)) else f"one {type(result).__name__}"
    raise ValueError(
        f"Operation {number} ({operation.name}) returned {what} for {len(inputs)} inputs. Return a tuple with one gradient "
        "per input, in the order of the inputs, and None where nothing flows."
    )


def _check_input(index: int, array: Any, slot: Any, rule: Callable[..., Any]) -> None:
    """Refuse an input whose gradient would be lost. Python numbers, indices and the like are constants."""
    where = f"{describe_rule(rule)}: input {index}"
    if isinstance(array, np.generic):
        raise TypeError(
            f"{where} is a NumPy scalar ({type(array).__name__}), which has no lasting address, so its gradient would "
            "be lost. Keep it an array (np.asarray(value)), or pass float(value) if it is a constant."
        )
    if slot is None:
        return
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{where} is a {type(array).__name__} with a gradient to update. Only an array has a gradient.")
    if not isinstance(slot, np.ndarray):
        raise TypeError(f"{where}: its gradient to update is a {type(slot).__name__}. Give an array that can be added to.")
    if slot.shape != array.shape:
        raise ValueError(
            f"{where} has shape {array.shape}, but its gradient to update has shape {slot.shape}. Record the two in the "
            "same form: where W.T is the input, dW.T is the gradient."
        )
    if slot.dtype.kind not in "fc":
        raise TypeError(f"{where}: its gradient to update has dtype {slot.dtype}, which cannot hold a gradient. Use floats.")
    if not slot.flags.writeable:
        raise ValueError(f"{where}: its gradient to update is read-only, so nothing can be added to it. Give a plain array.")


def _refuse_overwriting(operation: Operation, earlier: list[Operation]) -> None:
    """Refuse an output written over values that a backward function will still read.

    A rule says so itself: ``reads_inputs`` (see ``mytorch.nn.functional``). Rules without the mark need shapes only,
    so their operations may work in place.
    """
    rule = getattr(operation.backward_operation, "func", operation.backward_operation)
    reads, makes_view = getattr(rule, "reads_inputs", False), getattr(rule, "makes_view", False)
    for output in operation.outputs:
        for index, array in enumerate(operation.inputs):
            if not isinstance(array, np.ndarray) or (output is not array and not _same_owner(output, array)):
                continue
            if makes_view or not np.shares_memory(output, array):
                continue
            if reads:
                raise ValueError(
                    f"{operation.name}: the output was written over input {index}, whose values the backward pass needs. "
                    "Write the result into a new array."
                )
            for number, other in enumerate(earlier):
                other_rule = getattr(other.backward_operation, "func", other.backward_operation)
                if getattr(other_rule, "reads_inputs", False) and any(
                    isinstance(a, np.ndarray) and _same_owner(a, output) and np.shares_memory(a, output) for a in other.inputs
                ):
                    raise ValueError(
                        f"{operation.name}: the output was written over an array whose values operation {number} "
                        f"({other.name}) needs for its backward pass. Write the result into a new array."
                    )


def _same_owner(one: np.ndarray, other: np.ndarray) -> bool:
    return (one if one.base is None else one.base) is (other if other.base is None else other.base)


def _take_several(
    outputs: Arrays,
    arrived: dict[Location, np.ndarray],
    passed: dict[Location, np.ndarray],
    locate: Callable[[np.ndarray], Location],
) -> Arrays | None:
    """The gradients of several outputs, zeros where none arrived; None if none arrived at all."""
    locations = [locate(output) for output in outputs]
    taken = [arrived.pop(location, None) for location in locations]
    if all(gradient is None for gradient in taken):
        return None
    complete = tuple(
        np.zeros(output.shape, gradient_dtype(output)) if gradient is None else gradient
        for output, gradient in zip(outputs, taken)
    )
    passed.update(zip(locations, complete))
    return complete


def _starting_gradient(start: Any, output: np.ndarray) -> np.ndarray:
    value = np.asarray(start)
    try:
        return np.array(np.broadcast_to(value, output.shape), dtype=gradient_dtype(output))
    except ValueError:
        raise ValueError(
            f"The walk back was given a gradient of shape {value.shape}, but the last operation's output has shape "
            f"{output.shape}. Pass the output itself, a scalar, or an array that broadcasts to that shape."
        ) from None
    except TypeError:
        raise TypeError(
            f"The walk back was given a {type(start).__name__}. Pass the array to differentiate, or a number or array "
            "as the gradient to start from."
        ) from None


def _in_dtype_of(array: np.ndarray, gradient: np.ndarray, number: int, operation: Operation, index: int) -> np.ndarray:
    dtype = gradient_dtype(array)
    if gradient.dtype.kind == "c" and dtype.kind == "f":
        raise TypeError(
            f"Operation {number} ({operation.name}) returned a complex gradient for input {index}, which is real. Return its "
            "real part, where that is what the formula means."
        )
    return gradient.astype(dtype, copy=False)
