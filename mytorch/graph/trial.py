"""Trial: one step made twice from the same state, eagerly and by a plan, which is made first if there is none."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mytorch.graph import backends, capture, guards, passes, proof, replay, updates, walk
from mytorch.graph.copies import copies
from mytorch.graph.eager import BEFORE, COMPLETE, UPDATING, Work, unique
from mytorch.graph.errors import NoPlan
from mytorch.graph.flat import side_by_side
from mytorch.graph.plan import Plan
from mytorch.graph.recorder import Recording, is_observed, locate
from mytorch.nn.modules.module import Module


@dataclass
class Entry:
    """A plan with all that it needs to run and to be doubted.

    run: a function of the arrays among the arguments that returns copies of the outputs. writes_of: the names of what each of
    its lines updates. function: finds ``serve``, ``holds`` and ``finish``, see ``replay.build``. held: the arrays that the plan
    reads or changes.
    """

    plan: Plan
    signature: list[Any]
    run: Callable[..., tuple[Any, ...]]
    writes_of: list[tuple[str, ...]]
    function: Callable[[str], Callable[[Any], Any]]
    held: list[np.ndarray]
    proofs: int = 0
    calls: int = 0


class Trial(NamedTuple):
    """The step's result, and an entry that may be replayed or the reason why there is none. lasting: the reason will hold
    for all later calls too.
    """

    result: Any
    entry: Entry | None = None
    refusal: str | None = None
    lasting: bool = True


class Options(NamedTuple):
    """Options for making plans: the names of the passes and of the backend."""

    passes: tuple[str, ...]
    backend: str


def attempt(work: Work, options: Options, arguments: Sequence[Any], entry: Entry | None) -> Trial:
    """Make one step. Where plan and eager step agree, the plan's numbers stay: a run that is resumed repeats them."""
    variables, modules, engines = work.surroundings()
    if any(is_observed(engine) for engine in engines):
        return Trial(
            work.step(arguments), refusal="the engine is in debug mode, which looks at every step", lasting=False
        )
    if entry is None and work.optimizer is not None and updates.kind_of(work.optimizer) != "optimizer":
        side_by_side(work.optimizer)
    watched = [*variables, *(one for module in modules for one in walk.of_module(module))]
    unseen = next((one.what for one in watched if one.expected is guards.UNSEEN), None)
    if unseen is not None:
        return Trial(work.step(arguments), refusal=unseen)
    if work.optimizer is not None:
        work.zero(engines)  # before an argument that is a gradient, or a part of one, is copied
    arguments = _apart(arguments, watched)
    before = _state(work, variables, modules, arguments, entry)
    drawn = _global_generators()
    attributes = {id(module): dict(vars(module)) for module in modules}
    recording = work.trial(arguments, modules, engines)
    unknown = [module for module in recording.modules if id(module) not in attributes]
    if unknown:
        # Their state was not saved in time: this step stays eager, the next one makes the plan.
        work.met += unknown
        return Trial(work.finish(recording.returned) if work.optimizer is not None else work.step(arguments))
    try:
        if _global_generators() != drawn:
            raise NoPlan("it draws from a random generator that all programs share, which no plan repeats")
        _refuse_side_effects(modules, recording, attributes)
        held = capture.Held(
            variables, recording.modules, work.optimizer.parameters if work.optimizer is not None else ()
        )
        plan, signature = capture.plan_of(recording, arguments, held, work.update())
        if entry is None:
            entry = _entry(work, options, recording, arguments, modules, engines, held, plan, signature)
        elif signature != entry.signature:
            raise NoPlan("the list of operations differs between two batches of the same shapes")
        _refuse_changes(work, before, entry)
    except NoPlan as reason:
        return Trial(work.finish(recording.returned), refusal=str(reason))
    entry.function("finish")  # compiled by now, so that hardly anything is left to interrupt behind the update
    work.progress = UPDATING
    try:
        difference, result = _compare(work, entry, arguments, before, recording, engines)
        work.progress = COMPLETE
    except BaseException:
        # Interrupted in the middle of an update, perhaps.
        before.restore()
        work.progress = BEFORE
        raise
    if difference is None:
        # An update of rate 0 shows nothing of gradients that are not kept.
        entry.proofs += work.optimizer is None or work.keep_gradients or work.optimizer.lr != 0
        return Trial(result, entry)
    work.progress = UPDATING
    before.restore()
    return Trial(work.step(arguments), refusal=f"the plan did not prove itself: {difference}")


def _apart(arguments: Sequence[Any], held: Iterable[guards.Guard]) -> tuple[Any, ...]:
    """The arguments, no two of them the same array and none that a module or variable holds, as copies where necessary.

    Otherwise a plan could not tell them apart, and would take one for the other when it is given different ones.
    """
    seen = {locate(array) for array, _, _ in guards.arrays_of(held)}
    found = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            if locate(argument) in seen:
                argument = argument.copy()
            seen.add(locate(argument))
        found.append(argument)
    return tuple(found)


def _global_generators() -> tuple[bytes, Any]:
    """The present state of the random generators that NumPy and Python share among all programs."""
    return pickle.dumps(np.random.get_state()), random.getstate()  # noqa: NPY002


def _state(
    work: Work,
    variables: Sequence[guards.Guard],
    modules: Sequence[Module],
    arguments: Sequence[Any],
    entry: Entry | None,
) -> proof.State:
    """Copies of all that a step may change: the modules' arrays and generators, the optimiser's arrays and count; and of
    what it should not change: the arguments, and the arrays that the function reads.
    """
    arrays = [] if entry is None else list(entry.held)
    arrays += [array for array in arguments if isinstance(array, np.ndarray)]
    arrays += [array for array, _, _ in guards.arrays_of(variables)]
    generators = [found for found, _ in guards.of_kind(variables, walk.GENERATORS)]
    optimizer = work.optimizer
    # Gradients that the step zeroes first need no way back.
    zeroed = {id(parameter.gradient) for parameter in optimizer.parameters} if optimizer is not None else set()
    owners: list[Any] = list(modules)
    if optimizer is not None:
        owners += [parameter.owner for parameter in optimizer.parameters if hasattr(parameter.owner, "__dict__")]
        arrays += [parameter.value for parameter in optimizer.parameters]
        arrays += [array for index in range(len(optimizer.parameters)) for array in optimizer._state_of(index)]
    for owner in unique(owners):
        for key, value in vars(owner).items():
            if isinstance(value, np.ndarray) and key not in guards.RESULTS:
                arrays.append(value)
            elif isinstance(value, walk.GENERATORS):
                generators.append(value)
    return proof.State([array for array in arrays if id(array) not in zeroed], generators, optimizer)


def _outputs(recording: Recording) -> set[int]:
    return {id(output) for line in recording.lines for output in line.outputs}


def _refuse_side_effects(modules: Sequence[Module], recording: Recording, before: dict[int, dict[str, Any]]) -> None:
    """Raise NoPlan where a module's forward has rebound one of its attributes to anything but an output of the list."""
    outputs = _outputs(recording)
    for module in modules:
        if type(module).__module__.startswith("mytorch.nn."):
            continue
        for name, value in vars(module).items():
            old = before[id(module)]
            if name in old and value is not old[name] and id(value) not in outputs:
                raise NoPlan(
                    f"the forward of {type(module).__name__} changes its attribute {name}, which no plan repeats"
                )


def _refuse_changes(work: Work, before: proof.State, entry: Entry) -> None:
    """Raise NoPlan where the forward pass has changed an array in place off the list."""
    written = {locate(np.asarray(value.array)) for value in entry.plan.written()}
    for array in before.changed(written):
        raise NoPlan(f"an array of shape {array.shape} was changed in place off the list")


def _entry(
    work: Work,
    options: Options,
    recording: Recording,
    arguments: Sequence[Any],
    modules: Sequence[Module],
    engines: Sequence[Any],
    held: capture.Held,
    plan: Plan,
    signature: list[Any],
) -> Entry:
    """Let the passes work on a plan, build it and collect its guards."""
    plan = passes.run(plan, options.passes)
    plan, run, writes_of = backends.build(plan, options.backend)
    outputs = _outputs(recording)
    loss = recording.returned[0] if isinstance(recording.returned, tuple) else recording.returned
    stale = [
        (vars(module), name, value is loss)
        for module in recording.modules
        for name, value in vars(module).items()
        if id(value) in outputs
    ]
    results = {(id(attributes), name) for attributes, name, _ in stale}
    engine = next((engine for engine in engines if engine.operation_list), engines[0])
    found = [*held.guards, *(one for module in modules for one in walk.of_module(module))]
    conditions, names = ["engine.__class__ is Autograd"], {"engine": engine, "Autograd": type(engine)}
    found += [
        guards.Guard(vars(engine), name, guards.ABSENT, f"engine.{name}") for name in ("add_operation", "backward")
    ]
    if work.optimizer is None:
        modes = {id(vars(module)) for module in modules}
        found = [one for one in found if not (one.key == "training" and id(one.holder) in modes)]
    else:
        conditions.append("engine.recording")
        found += updates.guards_of(work.optimizer)
        more, further = updates.conditions_of(work.optimizer)
        conditions += more
        names.update(further)
    found += _of_values(found, held, plan, modules, recording)
    assumptions = replay.Assumptions(
        conditions,
        guards.distinct(g for g in found if (id(g.holder), g.key) not in results),
        names,
        backends.matcher(plan),
    )
    function = replay.build(arguments, run, assumptions, stale, work.optimizer is not None, len(plan.outputs))
    arrays = [value.array for value in held.values.values() if value.array is not None]
    return Entry(plan, signature, run, writes_of, function, arrays)


def _of_values(
    found: Iterable[guards.Guard], held: capture.Held, plan: Plan, modules: Iterable[Module], recording: Recording
) -> list[guards.Guard]:
    """Guards of the entries of small arrays that the function or a module reads, but no instruction of the plan: perhaps a
    number was made of them. Parameters are left out, as another step may train them; so is all that such a step changes.
    """
    trained: set[int] = set()
    for module in modules:
        names = {f"{prefix}{name}" for name in module.parameter_names for prefix in ("", "d", "momentum_")}
        if module not in recording.modules:
            names.update(module.buffer_names)
        trained.update(id(vars(module).get(name)) for name in names)
    arrays = {id(array): (array, what) for array, what, _ in guards.arrays_of(found) if id(array) not in trained}
    changed = plan.changed()
    return [
        guards.Guard(array, guards.BYTES, array.tobytes(), what)
        for array, what in arrays.values()
        if array.nbytes <= walk.LARGEST_BUFFER
        and locate(array) not in held.values
        and not any(np.may_share_memory(array, other) for other in changed)
    ]


def _compare(
    work: Work,
    entry: Entry,
    arguments: Sequence[Any],
    before: proof.State,
    recording: Recording,
    engines: Sequence[Any],
) -> tuple[str | None, Any]:
    """Run the plan from the state before, and compare. Returns (the first difference or None, the plan's result)."""
    optimizer = work.optimizer
    returned = recording.returned if isinstance(recording.returned, tuple) else (recording.returned,)
    expected = [np.array(array) for array in returned]
    written = entry.plan.written()
    kept = [value for value, is_updated in written.items() if not is_updated]
    stored = list(zip(kept, copies([np.asarray(value.array) for value in kept])))
    is_known = optimizer is not None and updates.kind_of(optimizer) != "optimizer"
    updated = {
        locate(np.asarray(value.array)): value.name for value, is_updated in written.items() if is_updated and is_known
    }
    gradients: list[np.ndarray] = []
    if optimizer is not None:
        gradients = [parameter.gradient for parameter in optimizer.parameters]
        if not work.keep_gradients:
            gradients = [gradient.copy() for gradient in gradients]
        for engine in engines:
            engine.zero_grad()
    drawn = before.positions()
    # What the update alone changes is still there: were it not, the updates would differ in the end.
    before.restore(updated)
    try:
        outputs = entry.run(*(a for a in arguments if isinstance(a, np.ndarray)))
    except Exception as error:
        return f"it raised {type(error).__name__}: {error}", None
    if before.positions() != drawn:
        return "random numbers are drawn off the list, which no plan repeats", outputs
    for number, (array, other) in enumerate(zip(map(np.asarray, outputs), expected)):
        if array.shape != other.shape:
            return f"output {number} has shape {array.shape} in the plan and {other.shape} in the eager step", outputs
    tolerance = proof.tolerance_of(entry.plan)
    pairs = [(f"output {number}", array, other) for number, (array, other) in enumerate(zip(outputs, expected))]
    with np.errstate(all="ignore"):
        difference = proof.first_difference([proof.Gap.between(*pair, tolerance) for pair in pairs], tolerance)
        if difference is None:
            gaps = [proof.Gap.between(value.name, np.asarray(value.array), eager, tolerance) for value, eager in stored]
            difference = proof.first_difference(gaps, tolerance, together=True)
        if difference is None and updated:
            tolerance = proof.UPDATE_TOLERANCE if work.keep_gradients else proof.LOOSE_TOLERANCE
            gaps = list(proof.update_gaps(optimizer, before, updated, gradients, tolerance))
            difference = proof.first_difference(gaps, tolerance, together=True)
    return difference, outputs
