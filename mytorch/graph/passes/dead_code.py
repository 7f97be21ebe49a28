"""Dead code elimination: leave out what nobody reads."""

from __future__ import annotations

from dataclasses import replace

from mytorch.graph.plan import Plan, Value
from mytorch.graph.primitives import PRIMITIVES


def dead_code(plan: Plan) -> Plan:
    """Drop every instruction whose output is neither returned nor read by an instruction that is kept.

    Safe because a primitive without an effect does nothing but write its output. What changes a held array, draws random
    numbers or may refuse its input stays. The largest gain is the gradient of the data: one product less in the first layer.
    Found by one sweep from the end; Aho, Lam, Sethi and Ullman, "Compilers" (2006), section 9.1.6.
    """
    alive: set[Value] = set(plan.outputs)
    kept = []
    for instruction in reversed(plan.instructions):
        if PRIMITIVES[instruction.op].effect or instruction.writes or not alive.isdisjoint(instruction.outputs):
            kept.append(instruction)
            alive.update(instruction.inputs)
    return replace(plan, instructions=kept[::-1])
