"""Data layout: keep activations as (features, samples) inside the plan."""

from __future__ import annotations

from dataclasses import replace

from mytorch.graph.plan import Instruction, Plan, Value
from mytorch.graph.primitives import PRIMITIVES

# Primitives that write rows one after the other, or whose output somebody outside sees as it lies.
BY_ROWS = {"random", "concatenate", "take_rows", "scatter_rows", "call", "store", "accumulate", "clip", "sgd", "adam"}
# From MANY_SAMPLES on, products are at least as fast row by row. From SOME_SAMPLES on that holds where wide data, which come
# in rows, are multiplied into FEW_OUTPUTS. Measured with OpenBLAS; a rule and no clock, so that the same net rounds alike.
FEW_OUTPUTS, WIDE_DATA, SOME_SAMPLES, MANY_SAMPLES = 64, 256, 64, 512


def layout(plan: Plan) -> Plan:
    """Let matrices of activations and of their gradients lie in memory column by column, where that suits the products.

    With y = x W^T, BLAS computes y^T = W x^T up to twice as fast: it reads W as it lies. Reductions over the classes then
    also go along long rows. Values that meet in one elementwise instruction get one layout, so that none of these has to
    jump through memory. Safe because shape and entries of a value stay the same; only strides change, and no view is taken
    of a transposed buffer that needs its rows. Compare layout assignment in XLA.
    """
    groups = _Groups()
    fixed: set[Value] = set(plan.outputs)
    wanted: set[Value] = set()
    unwanted: set[Value] = set()
    for instruction in plan.instructions:
        if instruction.op in BY_ROWS:
            fixed.update(instruction.inputs, instruction.outputs)
        elif instruction.op == "view":
            if not _is_harmless(instruction):
                fixed.add(instruction.inputs[0])
        elif instruction.op == "matmul":
            if _is_matrix(instruction.output):
                samples, outputs = instruction.output.shape
                data = instruction.inputs[0]
                is_wide = data.kind == "argument" and data.shape[1] >= WIDE_DATA and outputs <= FEW_OUTPUTS
                if samples < (SOME_SAMPLES if is_wide else MANY_SAMPLES):
                    wanted.add(instruction.output)
                elif is_wide:
                    unwanted.add(instruction.output)
        elif (
            instruction.op in ("sum", "max") and _is_matrix(instruction.inputs[0]) and instruction.attrs["axes"] == (1,)
        ):
            # A reduction over few classes goes along long rows instead.
            if instruction.inputs[0].shape[0] > instruction.inputs[0].shape[1]:
                wanted.add(instruction.inputs[0])
        elif PRIMITIVES[instruction.op].elementwise or instruction.op in ("put", "entries", "pick"):
            matrices = [v for v in (*instruction.inputs, *instruction.outputs) if _is_matrix(v)]
            for value in matrices:
                if value.shape != matrices[0].shape:
                    continue
                groups.join(matrices[0], value)
                if value.kind != "buffer":
                    fixed.add(value)
    # Random numbers are drawn row by row, as the eager step does; one instruction turns them round.
    drawn = {i.output for i in plan.instructions if i.op == "random"}
    by_rows = {groups.find(value) for value in (fixed - drawn) | unwanted}
    chosen = {groups.find(value) for value in wanted} - by_rows
    transposed = {value for value in plan.buffers() if _is_matrix(value) and groups.find(value) in chosen} - drawn
    return replace(plan, transposed=frozenset(transposed))


def _is_matrix(value: Value) -> bool:
    return len(value.shape) == 2 and min(value.shape) > 1


def _is_harmless(view: Instruction) -> bool:
    """True for a view that needs no rows that lie one after the other: axes exchanged, repeated, or of length one."""
    if view.attrs["kind"] != "reshape":
        return True
    before, after = ([n for n in value.shape if n != 1] for value in (view.inputs[0], view.output))
    return before == after


class _Groups:
    """Sets of values that share a layout (union-find)."""

    def __init__(self) -> None:
        self.parent: dict[Value, Value] = {}

    def find(self, value: Value) -> Value:
        while value in self.parent:
            value = self.parent[value]
        return value

    def join(self, one: Value, other: Value) -> None:
        one, other = self.find(one), self.find(other)
        if one is not other:
            self.parent[other] = one
