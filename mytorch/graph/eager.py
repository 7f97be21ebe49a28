"""The eager step, as a plan has to repeat it: zero the gradients, forward, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any

import numpy as np

from mytorch import optim
from mytorch.autograd_engine import Autograd
from mytorch.graph import guards, updates, walk
from mytorch.graph.recorder import Recording, record
from mytorch.nn.modules.loss import Loss
from mytorch.nn.modules.module import Module

# How far a step has come, as said of one that is interrupted.
BEFORE = "The step was interrupted before its update: no parameter has changed."
UPDATING = "The step was interrupted in its update: parameters and momentum may have changed, the last perhaps in part."
COMPLETE = "The step was complete; only its result is lost."


@dataclass
class Work:
    """The step that a person has asked for. optimizer: None for inference. max_norm: of all gradients, or None."""

    function: Callable[..., Any]
    optimizer: Any = None
    max_norm: float | None = None
    keep_gradients: bool = True
    # Modules that took part in earlier runs though no variable leads to them.
    met: list[Module] = field(default_factory=list)
    # BEFORE, UPDATING or COMPLETE, of the last step that was not a replayed one.
    progress: str = BEFORE

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
        self.progress = BEFORE
        _, modules, engines = self.surroundings()
        if self.optimizer is None:
            with evaluating(modules), paused(engines), forward_only(engines):
                return self.function(*arguments)
        self.zero(engines)
        with watched(engines) as starts:
            returned = self.function(*arguments)
        self.backward(engines, returned, starts)
        return self.finish(returned)

    def finish(self, returned: Any) -> Any:
        """The end of a step whose gradients are there."""
        if self.optimizer is None:
            return returned
        self.progress = UPDATING
        self.optimizer.step()
        self.progress = COMPLETE
        return self.result(returned)

    def trial(self, arguments: Sequence[Any], modules: list[Module], engines: list[Autograd]) -> Recording:
        """The same without the update, recorded."""
        self.progress = BEFORE
        if self.optimizer is None:
            with evaluating(modules), forward_only(engines):
                return record(self.function, arguments, engines, keep=False)
        self.zero(engines)
        with watched(engines) as starts:
            recording = record(self.function, arguments, engines, keep=True)
        self.backward(engines, recording.returned, starts)
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

    def backward(self, engines: Iterable[Autograd], returned: Any, starts: Iterable[Any]) -> None:
        """The backward pass from the loss that the function returned. starts: where the function itself has begun one."""
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
        if any(loss is start for start in starts):
            raise ValueError(
                "The compiled function ran the backward pass from its loss itself, and the step does so again: gradients would "
                "count twice. Leave backward out of the function, and zero_grad and the optimiser's step too."
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
def forward_only(engines: Iterable[Autograd]) -> Iterator[None]:
    """Raise RuntimeError, and say what to do instead, where the function inside runs a backward pass."""
    cause = None
    with watched(engines) as starts:
        try:
            yield
        except Exception as error:
            if not starts and not _is_from(Loss.backward.__code__, error.__traceback__):
                raise
            cause = error
    if cause is None and not starts:
        return
    raise RuntimeError(
        "The compiled function runs a backward pass, but was compiled without an optimiser, which is for the forward pass "
        "alone. Leave backward out of the function and pass the optimiser to compile: the step then zeroes the gradients, goes "
        "backward and updates."
    ) from cause


def _is_from(code: CodeType, trace: TracebackType | None) -> bool:
    """True for an exception that went through a function."""
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return trace is not None


@contextmanager
def watched(engines: Iterable[Autograd]) -> Iterator[list[Any]]:
    """The arrays from which a backward pass begins inside, in a list that fills."""
    starts: list[Any] = []

    def noting(backward: Callable[[Any], None]) -> Callable[[Any], None]:
        def noted(divergence: Any) -> None:
            starts.append(divergence)
            backward(divergence)

        return noted

    mine = [engine for engine in engines if "backward" not in vars(engine)]
    try:
        for engine in mine:
            engine.backward = noting(engine.backward)  # type: ignore[method-assign, assignment]
        yield starts
    finally:
        for engine in mine:
            vars(engine).pop("backward", None)


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
