"""Memory planning by liveness: buffers that never live at the same time share memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mytorch.graph.binding import ALIGNMENT
from mytorch.graph.plan import Instruction, Plan, Value, piece_bytes
from mytorch.graph.primitives import PRIMITIVES
from mytorch.utils import owner

# Inputs over which the output may be written, where not all are.
OVERWRITES = {"where": (2,), "put": (0,), "clip": ()}


def memory(plan: Plan) -> Plan:
    """Give every buffer its place: in the array where its values belong, or at an offset of one arena.

    A buffer lives from the instruction that writes it to the last one that reads it or a view of it. A gradient that is only
    stored afterwards is written where it belongs at once. Any other takes the first gap in the arena that is free while it
    lives; an elementwise instruction may write over an input that dies with it. Safe because the order of instructions is
    fixed, so that liveness is exact. First fit after liveness analysis, as in register allocation (Chaitin et al., 1981).
    """
    roots = _roots(plan)
    homes = _homes(plan, roots)
    kept = [i for i in plan.instructions if not (i.op == "store" and _stored_at_once(i, homes, roots))]
    last = _last_uses(kept, plan.outputs, roots)
    arena = _Arena()
    offsets: dict[Value, int] = {}
    for number, instruction in enumerate(kept):
        if instruction.op == "view":
            continue
        dying = {v for v in (roots.get(u, u) for u in instruction.inputs) if v in offsets and last.get(v, -1) == number}
        inner = instruction.inner
        parts = instruction.parts or (instruction,)
        within = _last_uses(parts, (), roots) if instruction.parts else dict.fromkeys(instruction.inputs, 0)
        for place, part in enumerate(parts):
            # An input of a fused instruction may be overwritten by the part that reads it last, not earlier.
            mine = {v for v in part.inputs if v in inner and within[v] == place}
            free = [v for v in _overwritable(part) if v in mine or (v in dying and within[v] == place)]
            for output in part.outputs:
                if output.kind != "buffer" or part.op == "view" or output in homes:
                    continue
                same = next((v for v in free if _may_overwrite(v, output, part, inner, plan, roots)), None)
                if same is None:
                    needs = piece_bytes(instruction, output, plan.transposed) if output in inner else output.nbytes
                    offsets[output] = arena.take(needs)
                else:
                    offsets[output] = offsets[same]
                    free.remove(same)
                    dying.discard(same)
                    mine.discard(same)
            for value in mine:
                arena.give_back(offsets[value])
            for output in part.outputs:
                if output in inner and output not in within:
                    arena.give_back(offsets[output])
        for value in dying:
            arena.give_back(offsets[value])
        for output in instruction.outputs:
            if output in offsets and last.get(output, -1) < number:
                arena.give_back(offsets[output])
    return replace(plan, instructions=kept, homes=homes, offsets=offsets, arena_bytes=arena.most)


def _roots(plan: Plan) -> dict[Value, Value]:
    """The buffer or array of which each view shows a part."""
    roots: dict[Value, Value] = {}
    for instruction in plan.instructions:
        if instruction.op == "view":
            base = instruction.inputs[0]
            roots[instruction.output] = roots.get(base, base)
    return roots


def _homes(plan: Plan, roots: dict[Value, Value]) -> dict[Value, Value]:
    """The buffers that can be written where they are stored later."""
    uses: dict[int, int] = {}
    # The held arrays by the id of who owns their memory.
    arrays: dict[int, dict[int, np.ndarray]] = {}
    for instruction in plan.instructions:
        for value in {*instruction.inputs, *instruction.writes}:
            root = roots.get(value, value)
            if root.kind == "held" and root.array is not None:
                uses[id(root.array)] = uses.get(id(root.array), 0) + 1
                arrays.setdefault(id(owner(root.array)), {})[id(root.array)] = root.array
    written = {v for i in plan.instructions if i.op != "view" for v in i.outputs if v.kind == "buffer"}
    making = {i.output: i for i in plan.instructions if i.op == "view"}
    homes: dict[Value, Value] = {}
    for instruction in plan.instructions:
        if instruction.op != "store":
            continue
        slot, value = instruction.writes[0], roots.get(instruction.inputs[0], instruction.inputs[0])
        array = slot.array
        assert array is not None
        if (
            value in written
            and value not in homes
            and value not in plan.transposed
            and value.dtype == array.dtype
            and value.size == array.size
            and array.flags.c_contiguous
            and uses[id(array)] == 1
            and not any(o is not array and np.may_share_memory(o, array) for o in arrays[id(owner(array))].values())
            and _shows_all(instruction.inputs[0], value, making)
        ):
            homes[value] = slot
    # What is overwritten on the way to such a buffer is best written there too.
    last = _last_uses(plan.instructions, plan.outputs, roots)
    for number in range(len(plan.instructions) - 1, -1, -1):
        instruction = plan.instructions[number]
        if instruction.op not in ("clip", "put"):
            continue
        for source, target in zip(instruction.inputs, instruction.outputs):
            is_free = source in written and source not in homes and last[source] == number
            if target in homes and is_free and _same_form(source, target, plan):
                homes[source] = homes[target]
    return homes


def _shows_all(view: Value, root: Value, making: dict[Value, Instruction]) -> bool:
    """True where a view is its root in another shape, entry after entry. making: the instruction of each view."""
    while view is not root:
        instruction = making[view]
        kind, base = instruction.attrs["kind"], instruction.inputs[0]
        if kind != "reshape" and not (kind == "transpose" and sum(n != 1 for n in base.shape) <= 1):
            return False
        view = base
    return True


def _stored_at_once(store: Instruction, homes: dict[Value, Value], roots: dict[Value, Value]) -> bool:
    value = store.inputs[0]
    return homes.get(roots.get(value, value)) is store.writes[0]


def _last_uses(kept: Iterable[Instruction], outputs: Iterable[Value], roots: dict[Value, Value]) -> dict[Value, int]:
    last: dict[Value, int] = {}
    number = 0
    for number, instruction in enumerate(kept):
        if instruction.op != "view":
            for value in instruction.inputs:
                last[roots.get(value, value)] = number
    last.update((roots.get(value, value), number + 1) for value in outputs)
    return last


def _overwritable(instruction: Instruction) -> list[Value]:
    if instruction.op in OVERWRITES:
        return [instruction.inputs[index] for index in OVERWRITES[instruction.op]]
    return list(instruction.inputs) if PRIMITIVES[instruction.op].elementwise else []


def _same_form(one: Value, other: Value, plan: Plan) -> bool:
    return (
        one.shape == other.shape and one.dtype == other.dtype and (one in plan.transposed) == (other in plan.transposed)
    )


def _may_overwrite(
    value: Value, output: Value, part: Instruction, inner: set[Value], plan: Plan, roots: dict[Value, Value]
) -> bool:
    """True where an output may take the memory of an input that dies: same form, both whole or both a piece."""
    return (
        _same_form(value, output, plan)
        and (value in inner) == (output in inner)
        and _is_read_as_it_is(value, part, roots)
    )


def _is_read_as_it_is(value: Value, instruction: Instruction, roots: dict[Value, Value]) -> bool:
    """True where no input of the instruction is another view of the value's memory."""
    return all(other is value or roots.get(other, other) is not value for other in instruction.inputs)


class _Arena:
    """Places in one piece of memory: the lowest gap that is large enough."""

    def __init__(self) -> None:
        self.taken: dict[int, int] = {}
        self.most = 0

    def take(self, nbytes: int) -> int:
        size = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        begin = 0
        for offset in sorted(self.taken):
            if offset - begin >= size:
                break
            begin = offset + self.taken[offset]
        self.taken[begin] = size
        self.most = max(self.most, begin + size)
        return begin

    def give_back(self, offset: int) -> None:
        del self.taken[offset]
