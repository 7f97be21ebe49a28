"""Capture: from a recording of one step to a plan, forward, backward and update, before any pass has worked on it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from mytorch.graph import guards, updates
from mytorch.graph import layer_rules as _rules  # noqa: F401  enters all rules into the table
from mytorch.graph.builder import Builder
from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Plan, Value
from mytorch.graph.recorder import Line, Recording, locate
from mytorch.graph.registry import RULES, Recorded, rule_of
from mytorch.nn.modules.module import Module
from mytorch.operation import describe_rule


class Held:
    """The arrays that outlive a step, by where they lie: their values in the plan, and the guards that keep watch.

    An array is known here because a module that took part, the optimiser or a variable of the function holds it.
    """

    def __init__(self, variables: Sequence[guards.Guard], modules: Iterable[Module], parameters: Iterable[Any]) -> None:
        self.values: dict[Any, Value] = {}
        self.guards: list[guards.Guard] = list(variables)
        self._owners: dict[Any, tuple[np.ndarray, str, list[guards.Guard]]] = {}
        for array, name, guard in guards.arrays_of(variables):
            self._own(array, name, guard)
        numbers: dict[str, int] = {}
        parameters = list(parameters)
        owners = [*modules, *(parameter.owner for parameter in parameters)]
        for owner in {id(owner): owner for owner in owners}.values():
            kind = type(owner).__name__
            number = numbers[kind] = numbers.get(kind, -1) + 1
            for key, value in getattr(owner, "__dict__", {}).items():
                if isinstance(value, np.ndarray) and key not in guards.RESULTS:
                    self._own(value, f"{kind}{number}.{key}", guards.guard(vars(owner), key, value, f"{kind}.{key}"))
        for parameter in parameters:  # those that are a property or a slot of their owner; the update guards them
            for array in (parameter.value, parameter.gradient):
                self._own(array, f"{type(parameter.owner).__name__}.{parameter.name}")

    def _own(self, array: np.ndarray, name: str, *watched: guards.Guard) -> None:
        self._owners.setdefault(locate(array), (array, name, []))[2].extend(watched)

    def value(self, array: np.ndarray, name: str = "") -> Value:
        """The value of a held array; from now on it is guarded. Raises NoPlan for one that nobody holds."""
        location = locate(array)
        if location not in self.values:
            if location not in self._owners:
                raise NoPlan(
                    f"{name or 'an array'} of shape {array.shape} is neither an argument, nor held by a module, nor an earlier "
                    "output: it was computed off the list, so that it cannot be computed anew"
                )
            _, known, watched = self._owners[location]
            self.guards += watched
            self.values[location] = Value(array.shape, array.dtype, "held", known, array)
        return self.values[location]

    def add(self, array: np.ndarray, name: str) -> Value:
        """The value of an array that the optimiser keeps in a list of its own."""
        location = locate(array)
        if location not in self._owners:
            self._owners[location] = array, name, []
        return self.value(array)


class Capture:
    """Turns a recording into instructions: each line forward, the list in reverse, then the update."""

    def __init__(self, recording: Recording, arguments: Sequence[Any], held: Held) -> None:
        self.builder = Builder()
        self.recording, self.held = recording, held
        self.arguments = [
            Value(a.shape, a.dtype, "argument", f"arg{number}", index=number)
            for number, a in enumerate(arguments)
            if isinstance(a, np.ndarray)
        ]
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        self.scalars: dict[int, np.ndarray] = {}
        self.known: dict[Any, Value] = {locate(a): value for a, value in zip(arrays, self.arguments)}
        self.recorded: list[Recorded] = []
        self.entries: list[list[Value | None]] = []
        self.signature: list[Any] = []
        for number, line in enumerate(recording.lines):
            name = describe_rule(line.backward_operation)
            self.builder.origin = f"{number} {name}"
            try:
                self._forward(line)
            except Exception as error:
                raise _refusal(number, name, error) from error

    def _forward(self, line: Line) -> None:
        operation, settings = rule_of(line.backward_operation)
        rule = RULES.get(operation) if isinstance(operation, Hashable) else None
        if rule is None:
            raise NoPlan(
                "its forward is not known to the planner; mytorch.graph.register(backward_function, forward) makes it known"
            )
        if isinstance(line.output, np.generic):
            # The engine keeps a scalar as an array; the function returns the scalar.
            self.scalars[id(line.output)] = line.output = np.asarray(line.output)
        outputs = line.outputs
        inputs: list[Any] = []
        for index, (array, slot) in enumerate(zip(line.inputs, line.gradients_to_update)):
            value = self._input(array, f"input {index},")
            if slot is not None and value.kind != "held":
                raise NoPlan(f"input {index} has a gradient to update but is no parameter that a module holds")
            inputs.append(value)
        several = isinstance(line.output, tuple)
        shapes, dtypes = tuple(array.shape for array in outputs), tuple(array.dtype for array in outputs)
        recorded = Recorded(
            inputs,
            settings,
            line.layer,
            shapes if several else shapes[0],
            dtypes if several else dtypes[0],
            lambda a, name: self._input(a, name),
        )
        result = rule.forward(self.builder, recorded)
        found = list(result) if several else [result]
        if len(found) != len(outputs):
            raise NoPlan(f"its forward gives {len(found)} outputs, but {len(outputs)} were recorded")
        for number, (value, array) in enumerate(zip(found, outputs)):
            if value.dtype != array.dtype or value.size != array.size:
                raise NoPlan(
                    f"its forward gives {value.dtype} of shape {value.shape}, but {array.dtype} of shape "
                    f"{array.shape} was recorded"
                )
            found[number] = self.known[locate(array)] = self.builder.reshape(value, array.shape)
        recorded.output = tuple(found) if several else found[0]
        self.recorded.append(recorded)
        self.signature.append((
            operation, shapes, dtypes, id(line.layer),
            tuple(_identity(value) for value in inputs),
            tuple(None if slot is None else id(slot) for slot in line.gradients_to_update),
            tuple((key, _setting(value)) for key, value in sorted(settings.items())),
        ))  # fmt: skip

    def _input(self, array: Any, name: str) -> Any:
        if not isinstance(array, np.ndarray):
            return array
        if array.dtype.kind == "f" and array.dtype not in (np.float32, np.float64):
            raise NoPlan(f"{name} has dtype {array.dtype}; plans compute in float32 and float64")
        if array.dtype.kind not in "fiub" or not array.dtype.isnative:
            raise NoPlan(
                f"{name} has dtype {array.dtype}; plans compute with real numbers in this machine's byte order"
            )
        location = locate(array)
        return self.known[location] if location in self.known else self.held.value(array, f"{name} an array".strip())

    def result(self, array: Any) -> Value:
        """The value of what the function returned. Raises NoPlan for anything but an output of the list."""
        array = self.scalars.get(id(array), array)
        if not isinstance(array, np.ndarray) or locate(array) not in self.known:
            raise NoPlan("the function returned something that no recorded operation has produced")
        return self.known[locate(array)]

    def gradients(self, loss: Value) -> dict[int, tuple[Value, np.ndarray]]:
        """Walk the list in reverse; the sum of the gradients for each array to update, by its id."""
        p = self.builder
        arrived: dict[Value, Value] = {loss: p.constant(1, loss.dtype, loss.shape)}
        slots: dict[int, tuple[Value, np.ndarray]] = {}
        for number in range(len(self.recorded) - 1, -1, -1):
            line, recorded = self.recording.lines[number], self.recorded[number]
            outputs = recorded.output if isinstance(recorded.output, tuple) else (recorded.output,)
            taken = [arrived.pop(output, None) for output in outputs]
            if all(gradient is None for gradient in taken):
                continue
            grad_output: Any = taken[0]
            if isinstance(recorded.output, tuple):
                zeros = [p.constant(0, output.dtype, output.shape) for output in outputs]
                grad_output = tuple(zero if g is None else g for zero, g in zip(zeros, taken))
            operation, _ = rule_of(line.backward_operation)
            p.origin = f"{number} {describe_rule(operation)}, backward"
            try:
                grads = [
                    None if gradient is None or not isinstance(value, Value) else p.fit(gradient, value)
                    for value, gradient in zip(recorded.inputs, RULES[operation].backward(p, recorded, grad_output))
                ]
            except Exception as error:
                raise _refusal(number, describe_rule(operation), error) from error
            for value, slot, gradient in zip(recorded.inputs, line.gradients_to_update, grads):
                if gradient is None:
                    continue
                if slot is not None:
                    before = slots.get(id(slot))
                    slots[id(slot)] = (gradient if before is None else p.add(before[0], gradient), slot)
                else:
                    arrived[value] = p.add(arrived[value], gradient) if value in arrived else gradient
        return slots


def _refusal(number: int, name: str, error: Exception) -> NoPlan:
    """The refusal of a plan, with the operation whose rule has raised an error, perhaps one of its own."""
    reason = str(error) if isinstance(error, NoPlan) else f"its rule raised {type(error).__name__}: {error}"
    return NoPlan(f"operation {number} ({name}): {reason}")


def _identity(value: Any) -> Any:
    if not isinstance(value, Value):
        return repr(value)
    return value.kind, value.index, id(value.array), value.shape, value.dtype


def _setting(value: Any) -> Any:
    return ("array", value.shape, value.dtype) if isinstance(value, np.ndarray) else repr(value)


def plan_of(
    recording: Recording, arguments: Sequence[Any], held: Held, update: updates.Update | None
) -> tuple[Plan, list[Any]]:
    """The plan of a recorded step and the list's signature, which another recording of the same step shares.

    update: None for the forward pass alone. Raises NoPlan, with the reason, where the list cannot be replayed.
    """
    if recording.engines > 1:
        raise NoPlan("its operations are recorded by several engines; give all layers one engine")
    if update is None and isinstance(recording.returned, tuple) and type(recording.returned) is not tuple:
        raise NoPlan(f"the function returned a {type(recording.returned).__name__}, where plans return plain tuples")
    capture = Capture(recording, arguments, held)
    returned = recording.returned if isinstance(recording.returned, tuple) else (recording.returned,)
    outputs = [capture.result(array) for array in returned]
    zeroed: tuple[np.ndarray, ...] = ()
    if update is not None:
        updates.emit(capture.builder, held, update, capture.gradients(outputs[0]))
        zeroed = tuple(parameter.gradient for parameter in update.optimizer.parameters)
    return Plan(capture.builder.instructions, capture.arguments, outputs, zeroed=zeroed), capture.signature
