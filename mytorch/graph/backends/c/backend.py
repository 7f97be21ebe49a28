"""The C backend: runs of instructions as tables for the library, and NumPy for what the library does not know."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.graph.backends import numpy_backend, numpy_lines, numpy_updates
from mytorch.graph.backends.c import encode, library, table
from mytorch.graph.backends.source import Source
from mytorch.graph.binding import Binding, aligned_bytes
from mytorch.graph.builder import Builder
from mytorch.graph.plan import UPDATES, Instruction, Plan, Value

# Steps of more floating-point operations than this let other threads of Python run meanwhile.
SHORT = 1 << 22
# What the library returns: the step is made; an argument does not lie in rows. Else a check has failed.
DONE, LIES_OTHERWISE = -1, -2


def build(plan: Plan) -> tuple[Callable[..., tuple[Any, ...]], list[tuple[str, ...]]]:
    """As the NumPy backend's ``build``. Raises library.Unavailable."""
    reason = unavailable()
    if reason is not None:
        raise library.Unavailable(reason)
    return _built(plan)


@functools.lru_cache(maxsize=1)
def unavailable() -> str | None:
    """The reason why plans cannot run in C, or None. A process asks once: a compiler that hangs is not called again."""
    try:
        self_test()
    except library.Unavailable as reason:
        return str(reason)
    return None


def _built(plan: Plan) -> tuple[Callable[..., tuple[Any, ...]], list[tuple[str, ...]]]:
    loaded = library.load()
    source = Source(Binding(plan), numpy_lines.FUNCTIONS)
    if len(plan.arguments) > table.ARGUMENTS:
        source.keep_apart()
        numpy_backend.emit(source, plan.instructions)
        return numpy_backend.finish(source)

    def scalars(instruction: Instruction) -> list[np.ndarray]:
        return [source.names[name] for name in numpy_updates.scalars(source, instruction)]

    encoder = encode.Encoder(source.binding, scalars, loaded.largest)
    # The tables hold bare addresses of its arrays.
    encoder.kept.append(source.binding)
    segment: list[Instruction] = []
    rows: list[table.Row] = []
    tables: list[np.ndarray] = []

    is_apart = False

    def close() -> None:
        """Turn the segment so far into one call; the first of them looks at where the arguments lie."""
        nonlocal is_apart
        if rows:
            made = table.table_of(rows, may_wait=plan.flops >= SHORT)
            if not is_apart:
                table.watch(made, plan, encoder.kept)
            is_apart = True
            _call(source, loaded.walker(made), segment)
            tables.append(made)
        segment.clear()
        rows.clear()

    for instruction in plan.instructions:
        try:
            rows += encoder.rows(instruction)
            segment.append(instruction)
        except encode.NotEncoded:
            close()
            if not is_apart:
                source.keep_apart()
            is_apart = True
            numpy_backend.emit(source, [instruction])
            for value in set(instruction.outputs) & source.indices.keys():
                # NumPy's lines keep a single entry in a variable; the table looks for it in its buffer.
                source.line(f"{source.entry(value)}[()] = {source.indices.pop(value)}")
    close()
    scratch = aligned_bytes(encoder.scratch_bytes)
    source.names["kept"] = [*encoder.kept, scratch]
    for made in tables:
        made[0]["p"][0] = scratch.__array_interface__["data"][0]
    return numpy_backend.finish(source)


def _call(source: Source, walk: Callable[..., int], segment: list[Instruction]) -> None:
    """Append the lines that let the library walk the table of a segment."""
    given = [f"a{value.index}" for value in source.binding.plan.arguments]
    name = source.bind(walk, "walk")
    source.writing = numpy_backend.names_of(segment)
    source.line(f"code = {name}({', '.join(given)})")
    # Arguments that do not lie in rows, or lie where the step changes something, are copied first.
    copies = ", ".join(f"apart({one})" for one in given)
    if given:
        source.line(f"if code == {LIES_OTHERWISE}: {', '.join(given)}, = {copies},; code = {name}({', '.join(given)})")
    checks = [(source(i.inputs[0]), source.bind(i.attrs)) for i in segment if i.op == "check_index"]
    if checks:
        pairs = ", ".join(f"({indices}, {attrs})" for indices, attrs in checks)
        counted = next((source.bind(i.attrs["optimizer"]) for i in segment if i.op in UPDATES), "None")
        source.line(f"if code != {DONE}: refuse(({pairs},), {counted})")
    source.writing = ()
    source.names["refuse"] = refuse


def refuse(checks: tuple[tuple[np.ndarray, dict[str, Any]], ...], optimizer: Any) -> None:
    """Raise the error of the first check that fails.

    Checks stand before all updates: the step is not counted, and the error's attribute ``nothing_changed`` says so.
    """
    if optimizer is not None:
        optimizer.steps -= 1
    for indices, attrs in checks:
        if indices.min() < 0 or indices.max() >= attrs["below"]:
            try:
                numpy_lines.out_of_range(indices, attrs)
            except (IndexError, ValueError) as error:
                vars(error)["nothing_changed"] = True
                raise
    raise RuntimeError("the C backend refused an index that is in range")


@functools.lru_cache(maxsize=1)
def self_test() -> None:
    """Compare plans with products, elementwise runs and reductions with NumPy. Raises library.Unavailable where they differ."""
    x, weight = (np.linspace(-2, 2, size).reshape(shape) for size, shape in ((35, (7, 5)), (15, (3, 5))))
    z = np.exp(x @ weight.T + 0.25)
    z /= z.sum(1, keepdims=True)
    expected = np.tanh(z) * z.max(0, keepdims=True)
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-12)):
        p = Builder()
        given = Value(x.shape, np.dtype(dtype), "argument", index=0)
        held = Value(weight.shape, np.dtype(dtype), "held", array=weight.astype(dtype))
        y = p.exp(p.add(p.matmul(given, p.transpose(held)), 0.25))
        y = p.div(y, p.sum(y, 1, keepdims=True))
        y = p.mul(p.tanh(y), p.max(y, 0, keepdims=True))
        (found,) = _built(Plan(p.instructions, [given], [y]))[0](x.astype(dtype))
        if not np.allclose(found, expected, rtol=tolerance, atol=0):
            raise library.Unavailable("its self-test gave other numbers than NumPy")
