"""The NumPy backend: a plan as straight-line Python, one NumPy call per instruction, into planned buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mytorch.graph.backends.numpy_lines import FUNCTIONS, LINES
from mytorch.graph.backends.numpy_updates import LARGE
from mytorch.graph.backends.source import Source
from mytorch.graph.binding import Binding
from mytorch.graph.plan import UPDATES, Instruction, Plan, Value


def build(plan: Plan) -> tuple[Callable[..., tuple[Any, ...]], list[tuple[str, ...]]]:
    """A function of the arguments that makes one step and returns the outputs, and what each of its lines updates."""
    source = Source(Binding(plan), FUNCTIONS)
    source.keep_apart()
    emit(source, plan.instructions)
    return finish(source)


def finish(source: Source) -> tuple[Callable[..., tuple[Any, ...]], list[tuple[str, ...]]]:
    """Compile the lines so far into a function that returns copies of the outputs."""
    plan = source.binding.plan
    # What is returned is the caller's: never memory that the next step overwrites.
    source.line(f"return {', '.join(f'{source(value)}.copy()' for value in plan.outputs)},")
    parameters = ", ".join(f"a{value.index}" for value in plan.arguments)
    text = f"def run({parameters}):\n " + "\n ".join(source.lines) + "\n"
    exec(compile(text, "<plan>", "exec"), source.names)
    return source.names["run"], [(), *source.writes_of]


def emit(source: Source, instructions: Sequence[Instruction]) -> None:
    """Append the lines of instructions that follow each other."""
    lowered = list(_apart(source, instructions))
    numbers = iter(range(len(lowered)))
    for index in numbers:
        instruction = lowered[index]
        if instruction.op in ("sgd", "adam"):
            neighbours = [instruction, *_neighbours(source, lowered, index)]
            source.writing = names_of(neighbours)
            LINES[instruction.op](source, _joined(source, neighbours))
            for _ in neighbours[1:]:
                next(numbers)
        elif instruction.op != "view":
            source.writing = names_of([instruction])
            LINES[instruction.op](source, instruction)
        source.writing = ()


def names_of(instructions: Sequence[Instruction]) -> tuple[str, ...]:
    """The names of what the updates among some instructions change."""
    return tuple(value.name for one in instructions if one.op in UPDATES for value in one.writes)


def _apart(s: Source, instructions: Sequence[Instruction]) -> Iterator[Instruction]:
    """The instructions; a product joined with an update gains nothing here and comes apart.

    Updates of small neighbouring arrays are better done together, so they wait for the end and come in the order of memory. A
    large one comes at once, while some of its gradient is in the cache; so does one whose gradient lies in the arena, where
    the next instruction may write over it.
    """
    waiting: list[Instruction] = []
    for instruction in instructions:
        update = instruction
        if instruction.op == "matmul_update":
            product, update = instruction.parts
            yield product
        is_small = update.op in ("sgd", "adam") and update.writes[0].size <= LARGE
        if is_small and not _is_in_arena(s, update.inputs[0]):
            waiting.append(update)
        else:
            yield update
    yield from sorted(waiting, key=lambda update: _address(s.binding.arrays[update.writes[0]]))


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _is_in_arena(s: Source, value: Value) -> bool:
    return np.may_share_memory(s.binding.arrays[value], s.binding.arena)


def _neighbours(s: Source, instructions: list[Instruction], number: int) -> list[Instruction]:
    """The updates that follow one and whose arrays lie in memory right behind it (see ``mytorch.graph.flat``)."""
    found: list[Instruction] = []
    before = instructions[number]
    for after in instructions[number + 1 :]:
        if after.op != before.op or after.attrs != before.attrs:
            break
        if not all(map(_is_next, _arrays(s, before), _arrays(s, after))):
            break
        found.append(after)
        before = after
    return found


def _arrays(s: Source, update: Instruction) -> list[np.ndarray]:
    return [s.binding.arrays[value] for value in (*update.inputs, *update.writes)]


def _is_next(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        isinstance(one.base, np.ndarray)
        and one.base is other.base
        and one.base.ndim == 1
        and one.flags.c_contiguous
        and other.flags.c_contiguous
        and one.dtype == other.dtype == one.base.dtype
        and _address(other) - _address(one) == one.nbytes
    )


def _joined(s: Source, updates: list[Instruction]) -> Instruction:
    """Updates of neighbouring arrays as one update of the memory that they share."""
    if len(updates) == 1:
        return updates[0]
    values = []
    for arrays in zip(*(_arrays(s, update) for update in updates)):
        base = arrays[0].base
        assert isinstance(base, np.ndarray)
        begin = (_address(arrays[0]) - _address(base)) // base.itemsize
        flat = base[begin : begin + sum(array.size for array in arrays)]
        value = Value(flat.shape, flat.dtype, "held", array=flat)
        s.binding.arrays[value] = flat
        values.append(value)
    count = len(updates[0].inputs)
    return Instruction(updates[0].op, tuple(values[:count]), (), updates[0].attrs, tuple(values[count:]))
