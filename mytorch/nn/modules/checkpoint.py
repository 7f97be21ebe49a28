"""Checkpoint: a module whose activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mytorch.nn.modules.module import Module, Parameter, Sequential


class Checkpoint(Module):
    """A module that keeps its input and its output alone. The backward pass runs it again to have what lies between.

    The gradients are the same, bit for bit: Dropout draws the same numbers again, and running statistics move once. It costs a
    second forward pass of the module. Source: T. Chen et al., Training deep nets with sublinear memory cost (2016).

    module: of layers of one engine, one array to one array. What is random in it takes its numbers from attributes ``rng``.
    """

    def __init__(self, module: Module) -> None:
        super().__init__(module.autograd_engine)
        self.module = module

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The module's output for x."""
        engine, parameters = self.autograd_engine, self.module.parameters()
        if not engine.recording:
            return self.module.forward(x)
        before = _random_states(self.module)
        with engine.paused():
            y = self.module.forward(x)
        if y is x:
            raise ValueError("A Checkpoint was given a module that returns its input; leave the Checkpoint out.")
        _forget_states(self.module)
        rule = partial(
            checkpoint_backward,
            module=self.module,
            parameters=parameters,
            random_states=before,
            with_x=not engine.is_data(x),
        )
        arrays = [parameter.value for parameter in parameters]
        engine.add_operation([x, *arrays], y, [None, *(parameter.gradient for parameter in parameters)], rule)
        return y

    def __repr__(self) -> str:
        return f"Checkpoint({self.module!r})"


def in_segments(layers: Sequence[Module], segments: int | None = None) -> Sequential:
    """A Sequential of the layers in segments, each a Checkpoint. Without ``segments`` there are about sqrt(number of layers).

    With n layers in k segments, k outputs are kept, and n / k layers' activations while one segment is worked off: the sum is
    smallest for k = sqrt(n).
    """
    if not layers:
        return Sequential()
    count = segments or max(1, round(math.sqrt(len(layers))))
    cuts = np.linspace(0, len(layers), min(count, len(layers)) + 1).round().astype(int)
    return Sequential(*(Checkpoint(Sequential(*layers[a:b])) for a, b in pairwise(cuts)))


def checkpoint_backward(
    grad_output: np.ndarray,
    x: np.ndarray,
    *values: np.ndarray,
    module: Module,
    parameters: list[Parameter],
    random_states: dict[int, Any],
    with_x: bool,
) -> tuple[np.ndarray | None, ...]:
    """The gradients of x and of every parameter, from the module run again on an engine of its own."""
    engine = type(module.autograd_engine)()
    kept = {name: np.copy(array) for name, array in _buffers(module)}
    slots = [np.zeros_like(parameter.gradient) for parameter in parameters]
    # Another array object on the same memory, so that x gets an entry of its own where it is a parameter's array.
    source = x.view()
    now = _random_states(module)
    with _lent(module, engine, parameters, slots):
        _set_random_states(module, random_states)
        try:
            y = module.forward(source if with_x else engine.data(source))
        finally:
            _set_random_states(module, now)
            for name, array in _buffers(module):
                array[...] = kept[name]
        if not engine.operation_list or engine.operation_list[-1].output is not y:
            raise ValueError("A Checkpoint's module has to return the output of the last operation that it records.")
        engine.backward(grad_output)
    _forget_states(module)
    grad_x = engine.gradient_buffer.get_param(source) if with_x else None
    return grad_x, *slots


@contextmanager
def _lent(module: Module, engine: Any, parameters: list[Parameter], slots: list[np.ndarray]) -> Iterator[None]:
    """The module on another engine, with other arrays for its gradients."""
    modules = [each for _, each in module.modules()]
    engines = [each.autograd_engine for each in modules]
    gradients = [parameter.gradient for parameter in parameters]
    try:
        for each in modules:
            each.autograd_engine = engine
        for parameter, slot in zip(parameters, slots):
            setattr(parameter.owner, parameter.gradient_name, slot)
        yield
    finally:
        for each, own in zip(modules, engines):
            each.autograd_engine = own
        for parameter, gradient in zip(parameters, gradients):
            setattr(parameter.owner, parameter.gradient_name, gradient)


def _buffers(module: Module) -> Iterator[tuple[str, np.ndarray]]:
    for name, each in module.modules():
        for attribute in each.buffer_names:
            yield f"{name}.{attribute}", getattr(each, attribute)


def _random_states(module: Module) -> dict[int, Any]:
    """States of the generators in a module, by their identity."""
    generators = (getattr(each, "rng", None) for _, each in module.modules())
    return {id(one): one.bit_generator.state for one in generators if isinstance(one, np.random.Generator)}


def _set_random_states(module: Module, states: dict[int, Any]) -> None:
    for _, each in module.modules():
        one: Any = getattr(each, "rng", None)
        if id(one) in states:
            one.bit_generator.state = states[id(one)]


def _forget_states(module: Module) -> None:
    """Let go of the outputs that activations keep."""
    for _, each in module.modules():
        if isinstance(getattr(each, "state", None), np.ndarray):
            each.state = None  # type: ignore[attr-defined]
