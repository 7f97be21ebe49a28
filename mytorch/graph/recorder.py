"""Recorder: run a function once and note what it records, with the module that recorded each operation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from mytorch.autograd_engine import Autograd
from mytorch.nn.modules.module import Module
from mytorch.utils import GradientBuffer


@dataclass
class Line:
    """An operation as it was recorded, and the module whose method recorded it (None outside of modules)."""

    inputs: list[Any]
    output: Any
    gradients_to_update: list[Any]
    backward_operation: Callable[..., Any]
    layer: Any

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The outputs as a tuple, also when there is only one."""
        return self.output if isinstance(self.output, tuple) else (self.output,)


@dataclass
class Recording:
    """The lines of one run, the modules that took part, what the function returned, and how many engines recorded."""

    lines: list[Line]
    modules: list[Module]
    returned: Any
    engines: int


def record(
    function: Callable[..., Any], arguments: Sequence[Any], engines: Iterable[Autograd], keep: bool
) -> Recording:
    """Run function(*arguments) and return its recording.

    keep: the engines record as usual too, so that they can run backward. Without it their lists stay as they are.
    """
    engines = list(engines)
    lines: list[Line] = []
    modules: dict[int, Module] = {}
    used: set[int] = set()

    def observe(engine: Autograd) -> Callable[..., None]:
        add_operation = engine.add_operation

        def observed(
            inputs: Sequence[Any], output: Any, gradients_to_update: Sequence[Any], backward_operation: Any
        ) -> None:
            if keep and not engine.recording:
                return
            if keep:
                add_operation(inputs, output, gradients_to_update, backward_operation)
            chain = _modules_that_call(sys._getframe(1))
            modules.update((id(module), module) for module in reversed(chain))
            used.add(id(engine))
            layer = chain[0] if chain and _is_direct(sys._getframe(1), chain[0]) else None
            lines.append(Line(list(inputs), output, list(gradients_to_update), backward_operation, layer))

        return observed

    try:
        for engine in engines:
            engine.add_operation = observe(engine)  # type: ignore[method-assign]
        returned = function(*arguments)
    finally:
        for engine in engines:
            vars(engine).pop("add_operation", None)
    return Recording(lines, list(modules.values()), returned, len(used))


def is_observed(engine: Autograd) -> bool:
    """True in debug mode, or where something else has taken the place of the engine's methods."""
    return (
        type(engine) is not Autograd or "add_operation" in vars(engine) or getattr(engine, "_watch", None) is not None
    )


def _self_of(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _is_direct(frame: FrameType, module: Module) -> bool:
    return _self_of(frame) is module


def _modules_that_call(frame: FrameType | None) -> list[Module]:
    """The modules whose methods are running, the innermost first."""
    found: list[Module] = []
    while frame is not None and frame.f_code is not record.__code__:
        module = _self_of(frame)
        if isinstance(module, Module) and not any(module is other for other in found):
            found.append(module)
        frame = frame.f_back
    return found


def locate(array: np.ndarray) -> Any:
    """The location of an array, as the engine's buffer knows it."""
    return GradientBuffer.get_memory_loc(array)
