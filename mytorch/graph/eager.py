"""The eager step, as a plan has to repeat it: zero the gradients, forward, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mytorch import optim
from mytorch.autograd_engine import Autograd
from mytorch.graph import guards, updates, walk
from mytorch.graph.recorder import Recording, record
from mytorch.nn.modules.module import Module


@dataclass
class Work:
    """The step that a person has asked for. optimizer: None for inference. max_norm: of all gradients, or None."""

    function: Callable[..., Any]
    optimizer: Any = None
    max_norm: float | None = None
    keep_gradients: bool = True
    # Modules that took part in earlier runs though no variable leads to them.
    met: list[Module] = field(default_factory=list)

    def surroundings(self) -> tuple[list[guards.Guard], list[Module], list[Autograd]]:
        """The variables that the function reads, the modules that it can reach, and their engines."""
        variables = list(walk.of_function(self.function))
        modules, engines = walk.reachable(self.function, variables)
        modules = unique([*modules, *self.met])
        owners = [parameter.owner for parameter in self.optimizer.parameters] if self.optimizer is not None else []
        found = [getattr(owner, "autograd_engine", None) for owner in [*owners, *modules]]
        engines = unique([*engines, *(engine for engine in found if engine is not None)])
        if not engines:
            raise TypeError(
                "compile found no engine: neither the function's variables nor the optimiser's layers have one. Let the "
                "function use the net by a variable, as in lambda x, y: loss(y, net(x))."
            )
        return variables, modules, engines

    def step(self, arguments: Sequence[Any]) -> Any:
        """One eager step; returns what a compiled step returns."""
        _, modules, engines = self.surroundings()
        if self.optimizer is None:
            with evaluating(modules), paused(engines):
                return self.function(*arguments)
        self.zero(engines)
        returned = self.function(*arguments)
        self.backward(engines, returned)
        self.optimizer.step()
        return self.result(returned)

    def trial(self, arguments: Sequence[Any], modules: list[Module], engines: list[Autograd]) -> Recording:
        """The same without the update, recorded."""
        if self.optimizer is None:
            with evaluating(modules):
                return record(self.function, arguments, engines, keep=False)
        self.zero(engines)
        recording = record(self.function, arguments, engines, keep=True)
        self.backward(engines, recording.returned)
        return recording

    def update(self) -> updates.Update | None:
        """The end of the step in the planner's terms."""
        if self.optimizer is None:
            return None
        return updates.Update(self.optimizer, self.max_norm, self.keep_gradients)

    def zero(self, engines: Iterable[Autograd]) -> None:
        for engine in engines:
            engine.zero_grad()
        self.optimizer.zero_grad()

    def backward(self, engines: Iterable[Autograd], returned: Any) -> None:
        loss = returned[0] if isinstance(returned, tuple) else returned
        if not isinstance(loss, (np.ndarray, np.generic)) or loss.size != 1:
            given = f"an array of shape {loss.shape}" if isinstance(loss, np.ndarray) else f"a {type(loss).__name__}"
            raise TypeError(
                f"The compiled function returned {given}. With an optimiser it returns the loss, the array of one entry that "
                "the loss module returned, or a tuple that begins with it."
            )
        recorded = [engine for engine in engines if engine.operation_list]
        engine = recorded[0] if recorded else next(iter(engines))
        outputs = [output for operation in engine.operation_list for output in operation.outputs]
        # A scalar is kept as an array that the engine made of it.
        if recorded and isinstance(loss, np.ndarray) and not any(loss is output for output in outputs):
            raise ValueError(
                "The compiled function returned an array that no recorded operation has produced, so no gradient leads from it "
                "to the parameters. Return the very array that the loss module returned; record what is done to it."
            )
        engine.backward(loss)
        if self.max_norm is not None:
            optim.clip_grad_norm(self.optimizer.parameters, self.max_norm)

    def result(self, returned: Any) -> Any:
        """The result of a compiled training step: the loss as a float, with the other outputs if there are any."""
        if isinstance(returned, tuple):
            return (returned[0].item(), *(np.array(array) for array in returned[1:]))
        return returned.item()


def unique(objects: Iterable[Any]) -> list[Any]:
    """Each object once, in their order."""
    return list({id(one): one for one in objects}.values())


@contextmanager
def evaluating(modules: Iterable[Module]) -> Iterator[None]:
    """The modules in evaluation mode inside, as they were afterwards."""
    before = [(module, module.training) for module in modules]
    try:
        for module, _ in before:
            module.training = False
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def paused(engines: Sequence[Autograd]) -> Iterator[None]:
    """Pause the recording of all engines inside."""
    before = [(engine, engine.recording) for engine in engines]
    try:
        for engine, _ in before:
            engine.recording = False
        yield
    finally:
        for engine, recording in before:
            engine.recording = recording
