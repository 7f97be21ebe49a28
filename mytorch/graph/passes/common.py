"""Common subexpressions: compute once what is computed twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from mytorch.graph.plan import Instruction, Plan, Value
from mytorch.graph.primitives import PRIMITIVES


def common_subexpressions(plan: Plan) -> Plan:
    """Replace an instruction by an earlier one with the same primitive, settings and inputs.

    Safe because values are written once, so equal instructions give equal values; a held array that is changed in between
    (the running mean of a layer used twice) counts as another input from then on. Forward and backward of one activation
    share much: exp(-|x|) of a sigmoid, the difference x - mean of a normalisation. Local value numbering; Cocke and Schwartz,
    "Programming Languages and Their Compilers" (1970).
    """
    same: dict[Value, Value] = {}
    first: dict[Any, Instruction] = {}
    version: Counter[Value] = Counter()
    root: dict[Value, Value] = {}
    kept = []
    for instruction in plan.instructions:
        instruction = instruction.reading([same.get(value, value) for value in instruction.inputs])
        if instruction.writes:
            version.update(instruction.writes)
        if instruction.op == "view":
            base = instruction.inputs[0]
            root[instruction.output] = root.get(base, base)
        if _is_pure(instruction):
            roots = [root.get(value, value) for value in instruction.inputs]
            changes = () if instruction.op == "view" else tuple(version[value] for value in roots)
            key = (
                instruction.op,
                instruction.inputs,
                tuple(sorted(instruction.attrs.items())) if instruction.attrs else (),
                changes,
            )
            earlier = first.setdefault(key, instruction)
            if earlier is not instruction:
                same[instruction.output] = earlier.output
                continue
        kept.append(instruction)
    return replace(plan, instructions=kept, outputs=[same.get(value, value) for value in plan.outputs])


def _is_pure(instruction: Instruction) -> bool:
    return instruction.op != "call" and not PRIMITIVES[instruction.op].effect
