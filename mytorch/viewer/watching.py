"""Watching: an engine tells a recording of all that it does; and a backward pass on copies for one that nobody watched."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np

from mytorch.operation import Operation
from mytorch.viewer.recording import Recording, locate, recording_of

# Classes that stand around an engine's own and only look on.
ONLOOKERS = {"mytorch.debug", __name__}


class watch:
    """``with watch(engine):`` notes the lines, names and values of all that is recorded inside, and the backward pass.

    Nothing is noted, and nothing costs time, outside of it. The engine may be any class with ``operation_list``,
    ``add_operation``, ``backward`` and ``zero_grad``. ``on_walk(recording)`` is called after each walk.
    """

    def __init__(self, engine: Any, on_walk: Any = None) -> None:
        self.engine = engine
        self.plain = type(engine)
        engine.viewer_recording = None
        if engine.operation_list:
            engine.viewer_recording = recording_of(engine.operation_list, sys._getframe(1))
            engine.viewer_recording.watched = True  # from here on
        engine.__class__ = _watched_class(self.plain, on_walk)

    def __enter__(self) -> watch:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.end()

    def end(self) -> None:
        """Leave the engine as it was. What was noted stays with it until its list is emptied and filled again."""
        self.engine.__class__ = self.plain


def _watched_class(plain: Any, on_walk: Any) -> Any:
    class Watched(plain):
        viewer_recording: Recording | None

        def add_operation(self, inputs: Any, output: Any, gradients_to_update: Any, backward_operation: Any) -> None:
            before = len(self.operation_list)
            super().add_operation(inputs, output, gradients_to_update, backward_operation)
            if len(self.operation_list) > before:
                if before == 0 or self.viewer_recording is None:
                    self.viewer_recording = Recording(watched=True)
                self.viewer_recording.recorded(self.operation_list[before], output, sys._getframe(1))

        def backward(self, divergence: Any) -> None:
            if not self.operation_list:
                return super().backward(divergence)
            if self.viewer_recording is None or len(self.viewer_recording.records) != len(self.operation_list):
                # The list was filled without add_operation.
                self.viewer_recording = recording_of(self.operation_list, sys._getframe(1))
            observed_walk(super().backward, self, self.viewer_recording, divergence, sys._getframe(1))
            if on_walk is not None:
                on_walk(self.viewer_recording)
            return None

    Watched.__name__ = plain.__name__
    return Watched


def observed_walk(backward: Any, engine: Any, recording: Recording, start: Any, frame: Any = None) -> None:
    """Call an engine's backward, and note each call of a backward function and the gradients in the end."""
    walk = recording.begin_walk(start, own=frame is None, frame=frame)
    rules = [operation.backward_operation for operation in engine.operation_list]
    walk.before = _slots(engine)
    try:
        for number, operation in enumerate(engine.operation_list):
            operation.backward_operation = recording.watched_rule(number, operation.backward_operation)
        backward(start)
    except Exception as error:
        walk.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        for operation, rule in zip(engine.operation_list, rules):
            operation.backward_operation = rule
    memory = getattr(engine.gradient_buffer, "memory", {})
    walk.gradients = {at: None if gradient is None else np.array(gradient) for at, gradient in memory.items()}
    walk.after = _slots(engine)


def _slots(engine: Any) -> dict[tuple[int, int], np.ndarray]:
    """Copies of the layers' gradients, by operation and input."""
    return {
        (number, index): np.array(slot)
        for number, operation in enumerate(engine.operation_list)
        for index, slot in enumerate(operation.gradients_to_update)
        if slot is not None
    }


def walk_on_copies(engine: Any, recording: Recording) -> None:
    """Walk a list back from its last output with the engine's own backward; its buffer and layers stay untouched."""
    twin = copy.copy(engine)
    twin.__class__ = next(cls for cls in type(engine).__mro__ if cls.__module__ not in ONLOOKERS)
    slots: dict[Any, np.ndarray] = {}
    twin.operation_list = [_on_copies(operation, slots) for operation in engine.operation_list]
    twin.gradient_buffer = type(engine.gradient_buffer)()
    for location in getattr(engine.gradient_buffer, "memory", {}):
        twin.gradient_buffer.memory[location] = None
    for operation in twin.operation_list:
        for array in operation.inputs:
            if isinstance(array, np.ndarray) and locate(array) in engine.gradient_buffer.memory:
                twin.gradient_buffer.add_spot(array)
    try:
        observed_walk(twin.backward, twin, recording, twin.operation_list[-1].outputs[-1])
    except Exception as error:
        # The page shows the walk as far as it came, with the error where it stopped.
        if recording.walk is not None:
            recording.walk.error = f"{type(error).__name__}: {error}"


def _on_copies(operation: Operation, slots: dict[Any, np.ndarray]) -> Operation:
    """The same operation with zeros in the place of the layers' gradients; slots: those that were made already."""
    own = [
        None if slot is None else slots.setdefault(locate(slot), np.zeros_like(slot))
        for slot in operation.gradients_to_update
    ]
    return Operation(operation.inputs, operation.output, own, operation.backward_operation)
