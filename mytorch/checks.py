"""What the engine refuses: records that would lose a gradient, and gradients that do not fit their inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mytorch.utils import GradientBuffer, Location, gradient_dtype, owner

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from mytorch.autograd_engine import Operation

ndarray = np.ndarray
locate = GradientBuffer.get_memory_loc


# What a glance at an operation has shown: nothing to think about; something that its rule can be told (data, a large
# gradient); something that only the checks in full can judge.
PLAIN, SPECIAL, UNUSUAL = range(3)

# From this size on, writing a gradient where it belongs beats adding it there, if that place holds only zeros.
LARGE = 1 << 14


def glance(operation: Operation, buffer: GradientBuffer, data: Container[Location]) -> int:
    """Look at an operation and give its inputs their spots, in one pass, as this runs for every operation of every step.

    Where something is UNUSUAL it stops, and some inputs have no spot yet.
    """
    inputs, slots, output = operation.inputs, operation.gradients_to_update, operation.output
    memory, held = buffer.memory, buffer.held
    if (
        type(output) is not ndarray
        or output.base is not None
        or id(output) in memory
        or len(inputs) != len(slots)
        or not callable(operation.backward_operation)
    ):
        return UNUSUAL
    seen = PLAIN
    for array, slot in zip(inputs, slots):
        if type(array) is not ndarray or array is output:
            return UNUSUAL
        if array.base is None:
            location: Location = id(array)
        elif array.base is output:
            return UNUSUAL
        else:
            location = locate(array)
        if slot is None:
            if location in data:
                seen = SPECIAL
                continue
        elif (
            type(slot) is not ndarray
            or slot.base is not None
            or slot is array
            or slot.shape != array.shape
            or slot.dtype is not array.dtype
            or slot.dtype.kind != "f"
            or not slot.flags.writeable
        ):
            return UNUSUAL
        elif slot.size >= LARGE:
            seen = SPECIAL
        if location not in memory:
            memory[location] = None
            held[location] = array
    return seen


def refuse_what_loses_gradients(operation: Operation, earlier: Sequence[Operation], spots: Container[Location]) -> None:
    """Raise TypeError or ValueError for a record by which a gradient would be lost, counted twice or wrong.

    earlier: the operations recorded so far. spots: where the arrays lie that they read.
    """
    name, inputs, slots = operation.name, operation.inputs, operation.gradients_to_update
    if len(inputs) != len(slots):
        raise ValueError(
            f"{name}: {len(inputs)} inputs but {len(slots)} gradients_to_update were given. Give one entry per input, None "
            "where there is no gradient to update."
        )
    if not callable(operation.backward_operation):
        raise TypeError(
            f"The backward_operation is a {type(operation.backward_operation).__name__}. Give the function that returns the "
            "gradients of the inputs, such as matmul_backward."
        )
    for output in operation.outputs:
        if not isinstance(output, ndarray):
            raise TypeError(
                f"{name}: the output is a {type(output).__name__}, not an array, so it has no lasting address by which its "
                "gradient could be found. Keep it an array, for example with keepdims=True or np.asarray(result), and pass "
                "that same array on."
            )
    for index, (array, slot) in enumerate(zip(inputs, slots)):
        _refuse_input(f"{name}: input {index}", array, slot)
    if len({locate(output) for output in operation.outputs}) < len(operation.outputs):
        raise ValueError(f"{name}: one array stands twice among the outputs. Give each output an array of its own.")
    _refuse_overwriting(operation, earlier, spots)


def _refuse_input(where: str, array: Any, slot: Any) -> None:
    """Refuse an input whose gradient would be lost. Python numbers, indices and the like are constants."""
    if isinstance(array, np.generic):
        raise TypeError(
            f"{where} is a NumPy scalar ({type(array).__name__}), which has no lasting address, so its gradient would be "
            "lost. Keep it an array (np.asarray(value)), or pass float(value) if it is a constant."
        )
    if slot is None:
        return
    if not isinstance(array, ndarray):
        raise TypeError(f"{where} is a {type(array).__name__} with a gradient to update. Only an array has a gradient.")
    if not isinstance(slot, ndarray):
        raise TypeError(
            f"{where}: its gradient to update is a {type(slot).__name__}. Give an array that can be added to."
        )
    if np.may_share_memory(slot, array):
        raise ValueError(
            f"{where} was given as its own gradient to update. Give the gradient's array, such as dW for W."
        )
    if slot.shape != array.shape:
        raise ValueError(
            f"{where} has shape {array.shape}, but its gradient to update has shape {slot.shape}. Record the two in the "
            "same form: where W.T is the input, dW.T is the gradient."
        )
    if slot.dtype.kind not in "fc":
        raise TypeError(f"{where}: its gradient to update has dtype {slot.dtype}, which cannot hold one. Use floats.")
    if slot.dtype.kind == "f" and array.dtype.kind == "c":
        raise TypeError(f"{where} is complex, but its gradient to update is {slot.dtype}. Give it the input's dtype.")
    if not slot.flags.writeable:
        raise ValueError(f"{where}: its gradient to update is read-only. Give an array that can be added to.")


def _refuse_overwriting(operation: Operation, earlier: Sequence[Operation], spots: Container[Location]) -> None:
    """Refuse an output written over values that a backward function will still read.

    A rule says that itself, by the mark ``reads_inputs``; one without marks is tried out. Operations whose rule needs
    shapes alone may work in place, and views overwrite nothing.
    """
    if _marked(operation, "makes_view"):
        return
    for output in operation.outputs:
        is_view = False
        for index, array in enumerate(operation.inputs):
            if not _overlap(output, array):
                continue
            if _marked(operation, "reads_inputs") or _depends_on_values(operation, index):
                raise ValueError(
                    f"{operation.name}: the output was written over input {index}, whose values the backward pass needs. "
                    "Write the result into a new array."
                )
            is_view = is_view or locate(output) != locate(array)
        if is_view or (locate(output) not in spots and id(owner(output)) not in spots):
            continue
        for number, other in enumerate(earlier):
            for index, read in enumerate(other.inputs):
                if _overlap(output, read) and (locate(output) != locate(read) or _reads(other, index)):
                    raise ValueError(
                        f"{operation.name}: the output was written over an array that operation {number} ({other.name}) "
                        "needs as it was for the backward pass. Write the result into a new array."
                    )


def _reads(operation: Operation, index: int) -> bool:
    """Whether an operation's rule will look at the values of one of its inputs."""
    if _marked(operation, "makes_view"):
        return False
    marked = _marked(operation, "reads_inputs") or _marked(operation, "may_overwrite")
    return marked or _depends_on_values(operation, index)


def _depends_on_values(operation: Operation, index: int) -> bool:
    """Whether a rule gives another gradient for other values of one input, or cannot be tried out."""
    if _marked(operation, "may_overwrite"):
        return False
    grads = [np.ones(output.shape, gradient_dtype(output)) for output in operation.outputs]
    grad_output = tuple(grads) if isinstance(operation.output, tuple) else grads[0]
    tries = []
    for value in (-0.75, 0.25, 0.75):
        inputs = list(operation.inputs)
        inputs[index] = np.full(inputs[index].shape, value, gradient_dtype(inputs[index]))
        try:
            result = operation.backward_operation(grad_output, *inputs)
        except Exception:
            return True
        tries.append(result if isinstance(result, (tuple, list)) else (result,))
    return any(len(tries[0]) != len(other) or not all(map(np.array_equal, tries[0], other)) for other in tries[1:])


def _marked(operation: Operation, mark: str) -> bool:
    rule = operation.backward_operation
    return getattr(getattr(rule, "func", rule), mark, False)


def _overlap(one: Any, other: Any) -> bool:
    if not isinstance(one, ndarray) or not isinstance(other, ndarray) or owner(one) is not owner(other):
        return False
    return np.shares_memory(one, other)


def fitting_gradient(gradient: Any, array: Any, number: int, operation: Operation) -> np.ndarray | None:
    """A gradient in its input's shape and dtype; None for a constant.

    One that is wider than its input (float64 for float32) is narrowed. Raises ValueError or TypeError for what cannot be
    the gradient of that array.
    """
    if not isinstance(array, ndarray):
        return None
    where = f"Operation {number} ({operation.name})"
    index = next(i for i, other in enumerate(operation.inputs) if other is array)
    gradient, dtype = np.asarray(gradient), gradient_dtype(array)
    if gradient.dtype.kind not in "fciub":
        raise TypeError(f"{where} returned a gradient of dtype {gradient.dtype} for input {index}. Return numbers.")
    if gradient.shape != array.shape:
        raise ValueError(
            f"{where} returned a gradient of shape {gradient.shape} for input {index}, which has shape {array.shape}. A "
            "gradient has the shape of its input: sum over what was broadcast, and mind which factor is transposed."
        )
    if gradient.dtype.kind == "c" and dtype.kind == "f":
        raise TypeError(
            f"{where} returned a complex gradient for input {index}, which is real. Return its real part, where that is "
            "what the formula means."
        )
    return gradient.astype(dtype, copy=False)


def one_per_input(result: Any, number: int, operation: Operation) -> list[Any]:
    """What a backward function returned as a list with one entry per input. A constant needs no entry."""
    inputs, where = operation.inputs, f"Operation {number} ({operation.name})"
    if isinstance(result, (tuple, list)) and len(result) == len(inputs):
        return list(result)
    is_array = [isinstance(array, ndarray) for array in inputs]
    if not isinstance(result, (tuple, list)) and sum(is_array) == 1:
        return [result if one else None for one in is_array]
    what = f"{len(result)} gradients" if isinstance(result, (tuple, list)) else f"one {type(result).__name__}"
    raise ValueError(
        f"{where} returned {what} for {len(inputs)} inputs. Return a tuple with one gradient per input, in the order of the "
        "inputs, and None where nothing flows."
    )
