"""Refusals: records by which a gradient would be lost, and gradients that do not fit their inputs."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import partial
from typing import Any

import numpy as np

from mytorch.operation import Operation
from mytorch.utils import GradientBuffer, Location, gradient_dtype, owner

ndarray = np.ndarray
locate = GradientBuffer.get_memory_loc


def check_operation(operation: Operation, earlier: Sequence[Operation], held: Container[int], ended: bool) -> None:
    """Raise TypeError or ValueError for a record by which a gradient would be lost, counted twice or wrong.

    earlier: the operations recorded so far. held: the ids of the objects that own their arrays' memory. ended: the last
    of them has a NumPy scalar as its output, so no operation can follow.
    """
    inputs, slots, output = operation.inputs, operation.gradients_to_update, operation.output
    if not isinstance(inputs, (list, tuple)) or not isinstance(slots, (list, tuple)):
        raise TypeError(
            f"{operation.name}: inputs and gradients_to_update are lists with one entry per input, as in [x, W] and "
            f"[None, dW]; a {type(inputs).__name__} and a {type(slots).__name__} were given."
        )
    if len(inputs) != len(slots):
        raise ValueError(
            f"{operation.name}: {len(inputs)} inputs but {len(slots)} gradients_to_update were given. Give one entry per "
            "input, None where there is no gradient to update."
        )
    if not callable(operation.backward_operation):
        raise TypeError(
            f"The backward_operation is a {type(operation.backward_operation).__name__}. Give the function that returns the "
            "gradients of the inputs, such as matmul_backward."
        )
    if ended:
        raise ValueError(
            f"{operation.name}: the last output, of {earlier[-1].name}, is a NumPy scalar, so no gradient can get from here to "
            "it. Keep it an array there (keepdims=True or np.asarray) and pass it on, or call zero_grad() first."
        )
    read = []
    for index, (array, slot) in enumerate(zip(inputs, slots)):
        # An input that is the output itself may be there for the rule to read, as in [x, s] -> s with s = tanh(x). If it was
        # written over instead, the rule returns a gradient for it, which the backward pass refuses.
        own_output = array is output and len(inputs) > 1 and not marked(operation, "same_from_output")
        if isinstance(array, ndarray) and not own_output:
            read.append(id(array if array.base is None else owner(array)))
        # Nearly every slot passes this one look, which takes a fraction of the time of all its checks.
        usual = slot is None or (
            type(array) is type(slot) is ndarray and slot.base is None and slot is not array and slot is not array.base
            and slot.shape == array.shape and slot.dtype is array.dtype and slot.dtype.kind == "f" and slot.flags.writeable
        )  # fmt: skip
        if not usual or isinstance(array, np.generic):
            _check_slot(f"{operation.name}: input {index}", array, slot)
    outputs: tuple[Any, ...] = output if isinstance(output, tuple) else (output,)
    for one in outputs:
        if not isinstance(one, ndarray):
            raise TypeError(
                f"{operation.name}: the output is a {type(one).__name__}, not an array, so it has no lasting address by "
                "which its gradient could be found. Keep it an array, for example with keepdims=True or "
                "np.asarray(result), and pass that same array on."
            )
    if len(outputs) > 1 and len(set(map(locate, outputs))) < len(outputs):
        raise ValueError(f"{operation.name}: one array stands twice among the outputs. Give each its own array.")
    for one in outputs:
        memory = id(one if one.base is None else owner(one))
        if memory in read or memory in held:
            _refuse_overwriting(operation, one, earlier)


def _check_slot(where: str, array: Any, slot: Any) -> None:
    """Refuse an input without a lasting address, and a gradient to update that cannot be its gradient."""
    if isinstance(array, np.generic):
        raise TypeError(
            f"{where} is a NumPy scalar ({type(array).__name__}), which has no lasting address, so its gradient would be "
            "lost. Keep it an array (np.asarray(value)), or pass float(value) if it is a constant."
        )
    if not isinstance(array, ndarray):
        raise TypeError(f"{where} is a {type(array).__name__} with a gradient to update. Only an array has a gradient.")
    if not isinstance(slot, ndarray):
        raise TypeError(
            f"{where}: its gradient to update is a {type(slot).__name__}. Give an array that can be added to."
        )
    if slot is array or _overlap(slot, array):
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


def _refuse_overwriting(operation: Operation, output: ndarray, earlier: Sequence[Operation]) -> None:
    """Refuse an output written over values that a backward function still reads.

    A rule is taken to read its inputs. The marks of ``mytorch.nn.rules`` say otherwise: ``makes_view`` (the output is a
    view and overwrites nothing), ``shapes_only`` (no values are read), ``same_from_output`` (the first input is read, and
    gives the same gradient from what was written over it). An output takes the place of a whole variable or of none: where
    a part of an array is overwritten, or an array of which there is a view, the rest would count for the old values.
    """
    if marked(operation, "makes_view"):
        return
    for index, array in enumerate(operation.inputs):
        if not _overlap(output, array):
            continue
        if not _keeps_what_it_reads(operation, index) or locate(output) != locate(array):
            raise ValueError(
                f"{operation.name}: the output was written over input {index}, whose values the backward pass needs. Write "
                "the result into a new array; if it is only a view, mark the rule with mytorch.nn.rules.makes_view."
            )
    for number, other in enumerate(earlier):
        reads = not (marked(other, "makes_view") or marked(other, "shapes_only"))
        for array, is_read in [(a, reads) for a in other.inputs] + [(a, False) for a in other.outputs]:
            if _overlap(output, array) and (is_read or locate(output) != locate(array)):
                raise ValueError(
                    f"{operation.name}: the output was written over an array that operation {number} ({other.name}) "
                    "needs as it was for the backward pass. Write the result into a new array."
                )


def _keeps_what_it_reads(operation: Operation, index: int) -> bool:
    """True if the rule is marked to give the same from the output in this input's place."""
    marks = ("shapes_only", "makes_view", "same_from_output")[: 2 if index else 3]
    return any(marked(operation, mark) for mark in marks)


def marked(operation: Operation, mark: str) -> bool:
    """The mark of an operation's rule, given to the function itself or to a ``functools.partial`` of it."""
    rule = operation.backward_operation
    while not getattr(rule, mark, False) and isinstance(rule, partial):
        rule = rule.func
    return bool(getattr(rule, mark, False))


def _overlap(one: ndarray, other: Any) -> bool:
    return isinstance(other, ndarray) and owner(one) is owner(other) and np.shares_memory(one, other)


def starting_gradients(divergence: Any, operations: Sequence[Operation]) -> dict[Location, ndarray]:
    """The gradients that the backward pass begins with, by location.

    divergence: an array that an operation produced (ones), or a gradient that broadcasts to the last output's shape, or a
    tuple of them where the last operation has several outputs. Raises RuntimeError for an empty list, ValueError and
    TypeError for what cannot be a gradient of the last output.
    """
    if not operations:
        raise RuntimeError(
            "There is nothing to go back through: no operation was recorded. Run the forward pass first, outside of paused(), "
            "and call zero_grad() after backward, not before."
        )
    if isinstance(divergence, ndarray):
        location = locate(divergence)
        for operation in reversed(operations):
            for output in operation.output if isinstance(operation.output, tuple) else (operation.output,):
                if locate(output) == location:
                    return {location: np.ones(output.shape, gradient_dtype(output))}
    outputs = operations[-1].outputs
    starts = divergence if isinstance(divergence, (tuple, list)) and len(outputs) > 1 else (divergence,)
    if len(starts) != len(outputs):
        raise ValueError(
            f"The last operation has {len(outputs)} outputs and got {len(starts)} gradients to start from. Pass a tuple with "
            "one gradient for each, or the output to differentiate."
        )
    return {locate(output): _starting_gradient(start, output) for start, output in zip(starts, outputs)}


def _starting_gradient(start: Any, output: ndarray) -> ndarray:
    value, dtype = np.asarray(start), gradient_dtype(output)
    if value.dtype.kind not in "fciub":
        raise TypeError(
            f"backward was given a {type(start).__name__}. Pass the array to differentiate, or a number or array as the "
            "gradient to start from."
        )
    if value.dtype.kind == "c" and dtype.kind == "f":
        raise TypeError("backward was given a complex gradient, but the last operation's output is real.")
    try:
        return np.array(np.broadcast_to(value, output.shape), dtype=dtype)
    except ValueError:
        raise ValueError(
            f"backward was given a gradient of shape {value.shape}, but the last operation's output has shape "
            f"{output.shape}. Pass the output itself, a scalar, or an array that broadcasts to that shape."
        ) from None


def one_gradient_per_input(result: Any, operation: Operation, number: int) -> list[ndarray | None]:
    """The result of a backward function as one gradient per input, in its shape and dtype; None where nothing flows.

    A constant gets None. Entries beyond the inputs belong to nothing and are left out. A gradient wider than its input
    (float64 for float32) is narrowed. Raises ValueError or TypeError for a result that cannot be these inputs' gradients.
    """
    inputs, where = operation.inputs, f"Operation {number} ({operation.name}) returned"
    several = isinstance(result, (tuple, list))
    is_array = [isinstance(array, ndarray) for array in inputs]
    gradients = list(result)[: len(inputs)] if several else [result if one else None for one in is_array]
    if len(gradients) != len(inputs) or (not several and sum(is_array) != 1):
        raise ValueError(
            f"{where} {f'{len(result)} gradients' if several else f'one {type(result).__name__}'} for {len(inputs)} inputs. "
            "Return a tuple with one gradient per input, in the order of the inputs, and None where nothing flows."
        )
    return [
        _fitted(gradient, operation, where, index) if gradient is not None and is_array[index] else None
        for index, gradient in enumerate(gradients)
    ]


def _fitted(gradient: Any, operation: Operation, returned: str, index: int) -> ndarray:
    array = operation.inputs[index]
    if array is operation.output and not _keeps_what_it_reads(operation, index):
        raise ValueError(f"{returned} a gradient for input {index}, its own output. Return None, or make a new output.")
    gradient, dtype = np.asarray(gradient), gradient_dtype(array)
    if gradient.dtype.kind not in "fciub":
        raise TypeError(f"{returned} a gradient of dtype {gradient.dtype} for input {index}. Return numbers.")
    if gradient.shape != array.shape:
        raise ValueError(
            f"{returned} a gradient of shape {gradient.shape} for input {index}, which has shape {array.shape}. A gradient "
            "has the shape of its input: sum over what was broadcast, and mind which factor is transposed."
        )
    if gradient.dtype.kind == "c" and dtype.kind == "f":
        raise TypeError(f"{returned} a complex gradient for input {index}, which is real. Return its real part.")
    return gradient.astype(dtype, copy=False)
