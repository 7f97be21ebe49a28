"""Operator fusion: do in one sweep over memory what several instructions would do one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mytorch.graph.plan import Instruction, Plan, Value
from mytorch.graph.primitives import PRIMITIVES
from mytorch.utils import owner


def fusion(plan: Plan) -> Plan:
    """Join neighbouring elementwise instructions of one shape, and the product that makes a gradient with its update.

    Elementwise instructions in a row become one ``fused`` instruction that runs piece by piece: a value that only they use
    never exists as a whole, and each piece is still in the cache when the next of them reads it. An update moves up to the
    product that makes its gradient, and a backend may then update some rows while they are still in the cache.

    Safe because entries depend on entries of the same place only, and because no instruction between a product and its update
    reads or writes what the update changes. Compare loop fusion in Allen and Kennedy, "Optimizing Compilers for Modern
    Architectures" (2001).
    """
    return _join_elementwise(_join_updates(plan))


def _join_updates(plan: Plan) -> Plan:
    readers: dict[Value, list[Instruction]] = {}
    products: dict[Value, int] = {}
    for number, instruction in enumerate(plan.instructions):
        for value in instruction.inputs:
            readers.setdefault(value, []).append(instruction)
        if instruction.op == "matmul" and len(instruction.output.shape) == 2:
            products[instruction.output] = number
    touched = _touched(plan)
    moved: set[int] = set()
    joined: dict[int, list[Instruction]] = {}
    for update in plan.instructions:
        if update.op not in ("sgd", "adam") or update.inputs[0] not in products:
            continue
        gradient = update.inputs[0]
        number = products[gradient]
        stores = [reader for reader in readers[gradient] if reader is not update]
        is_alone = gradient not in plan.outputs and all(reader.op == "store" for reader in stores)
        if is_alone and min(gradient.shape) > 1 and _is_free(update, number, touched):
            joined[number] = [_updating(plan.instructions[number], update), *stores]
            moved.update(id(one) for one in (update, *stores))
    instructions = []
    for number, instruction in enumerate(plan.instructions):
        if id(instruction) not in moved:
            instructions += joined.get(number, [instruction])
    return replace(plan, instructions=instructions)


def _updating(product: Instruction, update: Instruction) -> Instruction:
    return Instruction(
        "matmul_update",
        product.inputs,
        product.outputs,
        update.attrs,
        update.writes,
        f"{product.origin} + {update.origin}",
        (product, update),
        product.flops + update.flops,
    )


def _touched(plan: Plan) -> dict[int, list[tuple[int, Instruction, np.ndarray]]]:
    """The held arrays that instructions read or write, directly or by a view, by the id of who owns their memory."""
    roots: dict[Value, Value] = {}
    found: dict[int, list[tuple[int, Instruction, np.ndarray]]] = {}
    for number, instruction in enumerate(plan.instructions):
        if instruction.op == "view":
            base = instruction.inputs[0]
            roots[instruction.output] = roots.get(base, base)
            continue
        for value in (*instruction.inputs, *instruction.writes):
            array = roots.get(value, value).array
            if array is not None and value.number is None:
                found.setdefault(id(owner(array)), []).append((number, instruction, array))
    return found


def _is_free(update: Instruction, after: int, touched: dict[int, list[tuple[int, Instruction, np.ndarray]]]) -> bool:
    """True where no instruction after this number reads or writes what an update changes, except the update itself."""
    return not any(
        number > after and instruction is not update and np.may_share_memory(array, value.array)
        for value in update.writes
        if value.array is not None
        for number, instruction, array in touched[id(owner(value.array))]
    )


def _join_elementwise(plan: Plan) -> Plan:
    last: dict[Value, int] = {}
    for number, instruction in enumerate(plan.instructions):
        last.update((value, number) for value in instruction.inputs)
    last.update((value, len(plan.instructions)) for value in plan.outputs)
    instructions: list[Instruction] = []
    group: list[tuple[int, Instruction]] = []
    made: set[Value] = set()
    views: list[Instruction] = []

    def close() -> None:
        instructions.extend(views)
        if len(group) == 1:
            instructions.append(group[0][1])
        elif group:
            instructions.append(_fused([one for _, one in group], last, group[-1][0]))
        group.clear()
        made.clear()
        views.clear()

    for number, instruction in enumerate(plan.instructions):
        if instruction.op == "view" and instruction.inputs[0] not in made:
            views.append(instruction)
            continue
        is_elementwise = PRIMITIVES[instruction.op].elementwise
        if not is_elementwise or (group and not _fits(instruction, group[0][1], plan)):
            close()
        if is_elementwise:
            group.append((number, instruction))
            made.update(instruction.outputs)
        else:
            instructions.append(instruction)
    close()
    return replace(plan, instructions=instructions)


def _fits(instruction: Instruction, first: Instruction, plan: Plan) -> bool:
    """True where an instruction goes over the same entries, in the same order and precision, as the group it follows."""
    output, space = instruction.output, first.output
    if output.shape != space.shape or (output in plan.transposed) != (space in plan.transposed):
        return False
    return len(_precisions(instruction) | _precisions(first)) <= 1


def _precisions(instruction: Instruction) -> set[str]:
    values = (*instruction.inputs, *instruction.outputs)
    return {value.dtype.char for value in values if value.dtype.kind == "f"}


def _fused(parts: list[Instruction], last: dict[Value, int], number: int) -> Instruction:
    made = [part.output for part in parts]
    inputs = dict.fromkeys(value for part in parts for value in part.inputs if value not in made)
    outputs = tuple(value for value in made if last.get(value, -1) > number)
    origins = list(dict.fromkeys(part.origin for part in parts))
    return Instruction(
        "fused",
        tuple(inputs),
        outputs,
        origin=", ".join(origins),
        parts=tuple(parts),
        flops=sum(p.flops for p in parts),
    )
