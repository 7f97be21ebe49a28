"""Operator fusion: do in one sweep over memory what several instructions would do one after the other."""

from __future__ import annotations

from dataclasses import replace

from mytorch.graph.plan import Instruction, Plan, Value
from mytorch.graph.primitives import PRIMITIVES


def fusion(plan: Plan) -> Plan:
    """Join neighbouring elementwise instructions of one shape, and the gradient of a single row with its update.

    Elementwise instructions in a row become one ``fused`` instruction that runs piece by piece: a value that only they use
    never exists as a whole, and each piece is still in the cache when the next of them reads it. Where the batch is a
    single row, the outer product that makes a gradient costs no more than writing it; it moves to the update and joins it,
    so that each entry is used when it is made. (With more rows, a product and an update of their own are as fast.)

    Safe because entries depend on entries of the same place only, and because nothing between a product and its update
    changes what the product reads: parameters are updated last. Compare loop fusion in Allen and Kennedy, "Optimizing
    Compilers for Modern Architectures" (2001).
    """
    return _join_elementwise(_join_updates(plan))


def _join_updates(plan: Plan) -> Plan:
    readers: dict[Value, list[Instruction]] = {}
    for instruction in plan.instructions:
        for value in instruction.inputs:
            readers.setdefault(value, []).append(instruction)
    products = {i.output: i for i in plan.instructions if i.op == "matmul" and len(i.output.shape) == 2}
    moved: set[int] = set()
    joined: dict[int, list[Instruction]] = {}
    for instruction in plan.instructions:
        if instruction.op != "sgd" or not instruction.attrs["momentum"]:
            continue
        gradient = instruction.inputs[0]
        product = products.get(gradient)
        others = [reader for reader in readers[gradient] if reader is not instruction]
        if (
            product is None
            or gradient in plan.outputs
            or any(reader.op != "store" for reader in others)
            or product.inputs[0].shape[1] != 1
            or min(gradient.shape) < 2
        ):
            continue
        both = Instruction(
            "matmul_sgd",
            product.inputs,
            product.outputs,
            instruction.attrs,
            instruction.writes,
            f"{product.origin} + {instruction.origin}",
            flops=product.flops + instruction.flops,
        )
        moved.update(id(one) for one in (product, *others))
        joined[id(instruction)] = [both, *others]
    instructions = []
    for instruction in plan.instructions:
        if id(instruction) not in moved:
            instructions += joined.get(id(instruction), [instruction])
    return replace(plan, instructions=instructions)


def _join_elementwise(plan: Plan) -> Plan:
    last: dict[Value, int] = {}
    for number, instruction in enumerate(plan.instructions):
        last.update((value, number) for value in instruction.inputs)
    last.update((value, len(plan.instructions)) for value in plan.outputs)
    instructions: list[Instruction] = []
    group: list[tuple[int, Instruction]] = []
    views: list[Instruction] = []

    def close() -> None:
        instructions.extend(views)
        if len(group) == 1:
            instructions.append(group[0][1])
        elif group:
            instructions.append(_fused([one for _, one in group], last, group[-1][0]))
        group.clear()
        views.clear()

    for number, instruction in enumerate(plan.instructions):
        made = {value for _, one in group for value in one.outputs}
        if instruction.op == "view" and instruction.inputs[0] not in made:
            views.append(instruction)
            continue
        if not _is_elementwise(instruction) or (group and not _fits(instruction, group[0][1], plan)):
            close()
        if _is_elementwise(instruction):
            group.append((number, instruction))
        else:
            instructions.append(instruction)
    close()
    return replace(plan, instructions=instructions)


def _is_elementwise(instruction: Instruction) -> bool:
    return PRIMITIVES[instruction.op].elementwise


def _fits(instruction: Instruction, first: Instruction, plan: Plan) -> bool:
    """True where an instruction goes over the same entries, in the same order and precision, as the group it follows."""
    output, space = instruction.output, first.output
    same = output.shape == space.shape and (output in plan.transposed) == (space in plan.transposed)
    return same and len(_precisions(instruction) | _precisions(first)) <= 1


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
