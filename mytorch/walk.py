"""The walk back: from the gradient of one output to the gradients of everything that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mytorch import checks
from mytorch.utils import GradientBuffer, Location, gradient_dtype

if TYPE_CHECKING:
    from mytorch.autograd_engine import Operation
    from mytorch.debug import Watch

ndarray = np.ndarray
Gradients = dict[Location, np.ndarray]
locate = GradientBuffer.get_memory_loc


def walk_back(
    operations: Sequence[Operation], arrived: Gradients, written: list[ndarray], watch: Watch | None
) -> tuple[list[tuple[ndarray, ndarray]], Gradients]:
    """Call every rule whose output has received a gradient, the last operation first.

    arrived: the gradients to start from, by location; used up. Returns what is to be added to the layers' gradients, as
    (place, gradient), and the gradients of all other arrays. Nothing that anybody else holds has changed by then, except
    the places listed in ``written``: they held zeros before.
    """
    updates: list[tuple[ndarray, ndarray]] = []
    passed: Gradients = {}
    for number in range(len(operations) - 1, -1, -1):
        operation = operations[number]
        # An output's gradient is taken out, not only read: where an operation wrote over its own input, what comes next
        # under that location belongs to the value from before.
        output = operation.output
        if isinstance(output, tuple):
            grad_output: Any = take_several(output, arrived, passed)
        else:
            location = id(output) if output.base is None else locate(output)
            grad_output = arrived.pop(location, None)
            if grad_output is not None:
                passed[location] = grad_output
        if grad_output is None:
            continue
        inputs = operation.inputs
        if watch is not None:
            watch.before_rule(grad_output)
        try:
            if operation.settings is None:
                result = operation.backward_operation(grad_output, *inputs)
            else:
                result = _call_with_settings(operation, grad_output, written, number)
        except Exception as error:
            if hasattr(error, "add_note"):
                error.add_note(f"This happened in the walk back, in operation {number} ({operation.name}).")
            raise
        if type(result) is ndarray and len(inputs) == 1:
            result = (result,)
        elif type(result) is not tuple or len(result) != len(inputs):
            result = checks.one_per_input(result, number, operation)
        if watch is not None:
            watch.after_rule(number, operation, result)
        for array, slot, gradient in zip(inputs, operation.gradients_to_update, result):
            if gradient is None:
                continue
            if (
                type(gradient) is not ndarray
                or type(array) is not ndarray
                or gradient.dtype is not array.dtype
                or gradient.dtype.kind not in "fc"
                or gradient.shape != array.shape
            ):
                gradient = checks.fitting_gradient(gradient, array, number, operation)
                if gradient is None:
                    continue
            if slot is not None:
                if gradient is not slot:
                    updates.append((slot, gradient))
                continue
            location = id(array) if array.base is None else locate(array)
            if location in arrived:
                # Where NumPy adds 0-d arrays, it returns a scalar.
                arrived[location] = np.asarray(arrived[location] + gradient)
            else:
                arrived[location] = gradient
    passed.update(arrived)
    return updates, passed


def _call_with_settings(operation: Operation, grad_output: Any, written: list[ndarray], number: int) -> Any:
    """Call a rule that can leave out what nobody needs, or write where a gradient belongs."""
    rule, settings = operation.backward_operation, operation.settings or {}
    if "out" in settings:
        out = [slot if slot is not None and _only_zeros(slot) else None for slot in settings["out"]]
        written.extend(slot for slot in out if slot is not None)
        settings = {**settings, "out": out}
    needs = settings.get("needs")
    if needs is None or getattr(rule, "selective", False):
        return rule(grad_output, *operation.inputs, **settings)
    result = checks.one_per_input(rule(grad_output, *operation.inputs), number, operation)
    return tuple(gradient if needed else None for gradient, needed in zip(result, needs))


def settings_for(operation: Operation, data: dict[Location, ndarray]) -> dict[str, Any] | None:
    """What a rule that is marked for it can be told: ``needs`` (inputs that are data need no gradient) and ``out``
    (large gradients to update, to write into if they hold only zeros). None if there is nothing to tell.
    """
    settings: dict[str, Any] = {}
    inputs, slots = operation.inputs, operation.gradients_to_update
    if data:
        needs = [
            slot is not None or not (isinstance(a, ndarray) and locate(a) in data) for a, slot in zip(inputs, slots)
        ]
        if not all(needs):
            settings["needs"] = needs
    if getattr(operation.backward_operation, "writes_into", False):
        out = [
            slot if slot is not None and slot.size >= checks.LARGE and slot.dtype == a.dtype else None
            for a, slot in zip(inputs, slots)
        ]
        if any(slot is not None for slot in out):
            settings["out"] = out
    return settings or None


def _only_zeros(array: np.ndarray) -> bool:
    """Whether every byte is zero; as booleans they are read several times faster than as numbers."""
    return array.flags.c_contiguous and not array.reshape(-1).view(np.bool_).any()


def starting_gradients(divergence: Any, operations: Sequence[Operation]) -> Gradients:
    """The gradient that each output begins with, by location.

    divergence: an array that an operation produced (ones), or a gradient that broadcasts to the last output's shape, or a
    tuple of them where the last operation has several outputs. Raises RuntimeError for an empty list, ValueError and
    TypeError for what cannot be a gradient of the last output.
    """
    if not operations:
        raise RuntimeError(
            "There is nothing to walk back: no operation was recorded. Run the forward pass first, outside of paused(), "
            "and call zero_grad() after backward, not before."
        )
    if isinstance(divergence, np.ndarray):
        location = locate(divergence)
        for operation in reversed(operations):
            for output in operation.output if isinstance(operation.output, tuple) else (operation.output,):
                if output is divergence or locate(output) == location:
                    ones = np.empty(output.shape, gradient_dtype(output))
                    ones.fill(1)
                    return {location: ones}
    outputs = operations[-1].outputs
    starts = divergence if isinstance(divergence, (tuple, list)) and len(outputs) > 1 else (divergence,)
    if len(starts) != len(outputs):
        raise ValueError(
            f"The last operation has {len(outputs)} outputs and got {len(starts)} gradients to start from. Pass a tuple with "
            "one gradient for each, or the output to differentiate."
        )
    return {locate(output): _for_output(start, output) for start, output in zip(starts, outputs)}


def _for_output(start: Any, output: np.ndarray) -> np.ndarray:
    value = np.asarray(start)
    if value.dtype.kind not in "fciub":
        raise TypeError(
            f"The walk back was given a {type(start).__name__}. Pass the array to differentiate, or a number or array as the "
            "gradient to start from."
        )
    dtype = gradient_dtype(output)
    if value.dtype.kind == "c" and dtype.kind == "f":
        raise TypeError("The walk back was given a complex gradient, but the last operation's output is real.")
    try:
        return np.array(np.broadcast_to(value, output.shape), dtype=dtype)
    except ValueError:
        raise ValueError(
            f"The walk back was given a gradient of shape {value.shape}, but the last operation's output has shape "
            f"{output.shape}. Pass the output itself, a scalar, or an array that broadcasts to that shape."
        ) from None


def take_several(
    outputs: tuple[np.ndarray, ...], arrived: Gradients, passed: Gradients
) -> tuple[np.ndarray, ...] | None:
    """Move the gradients of several outputs from arrived to passed, with zeros where none arrived; None if none did."""
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
