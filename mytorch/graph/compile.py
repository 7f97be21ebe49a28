"""compile: a step that is recorded once for each set of shapes and replayed from then on."""

from __future__ import annotations

import html
import inspect
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from numpy import ndarray

from mytorch import optim
from mytorch.graph import backends
from mytorch.graph import passes as _passes
from mytorch.graph.copies import give_back
from mytorch.graph.eager import BEFORE, COMPLETE, UPDATING, Work
from mytorch.graph.plan import Plan
from mytorch.graph.registry import RULES
from mytorch.graph.replay import MISSED
from mytorch.graph.trial import Entry, Options, Trial, attempt

# A plan is proved at its first calls; two, because what differs between two batches shows only then.
PROOFS = 2
# Plans for one set of shapes, as for training and evaluation; and recordings in a row without a replay in between.
MOST_PLANS = 4
MOST_RECORDINGS = 8
# From this many bytes of parameters, gradients and state on, the memory that eager steps have left free is given back.
LARGE = 1 << 20
# Sets of shapes and values that a step keeps plans or reasons for.
MOST_KEYS = 32


class Step:
    """A compiled step, called like the function it was made from.

    plan: the plan of the last call, or None where it ran eagerly; then ``reason`` says why. ``print(step)`` shows all plans and
    reasons. Threads that call steps of one engine wait for each other.
    """

    def __init__(self, work: Work, options: Options, check_every: int) -> None:
        self.work, self.options, self.check_every = work, options, check_every
        # By this name a function that calls the step is followed into it.
        self.__wrapped__ = work.function
        self.plan: Plan | None = None
        self.reason: str | None = None
        self.plans: dict[Any, list[Entry]] = {}
        self.refusals: dict[Any, str] = {}
        # The plan of the last call and its function, where the next call may try that first.
        self._last: Entry | None = None
        self._serve: Callable[[tuple[Any, ...]], Any] | None = None
        self._recordings: dict[Any, int] = {}
        self._rules = dict(RULES)
        self._lock = _lock_of(work)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if keywords:
            arguments = self._in_order(arguments, keywords)
        with self._lock:
            serve = self._serve
            if serve is not None:
                # Written out here, as for small nets each call of Python's counts.
                try:
                    result = serve(arguments)
                except BaseException as error:
                    explain(self._last, error)
                    raise
                if result is not MISSED:
                    return result
            self.work.progress = BEFORE
            try:
                return self._find(arguments)
            except BaseException as error:
                add_note(error, self.work.progress)
                raise

    def _in_order(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position. Raises TypeError for those that the function does not take so."""
        bound = inspect.signature(self.work.function).bind(*arguments, **keywords)
        if bound.kwargs:
            raise TypeError(
                f"A compiled step passes its arguments on by position; the function takes {', '.join(bound.kwargs)} by keyword "
                "only. Write the function without the * before it."
            )
        bound.apply_defaults()
        return bound.args

    def __reduce__(self) -> Any:
        raise TypeError(
            "A compiled step cannot be copied or pickled: its plans belong to the arrays of one network. Copy the network and "
            "its optimiser, and compile a step for them."
        )

    def _find(self, arguments: tuple[Any, ...]) -> Any:
        """A call that is not served by the plan of the last one."""
        self._serve = None
        key = _key(arguments)
        for entry in self.plans.get(key, ()):
            if entry.function("holds")(arguments):
                entry.calls += 1
                if entry.proofs < PROOFS or (self.check_every and entry.calls % self.check_every == 0):
                    return self._keep(key, attempt(self.work, self.options, arguments, entry))
                self._recordings[key] = 0
                self.plan, self.reason = entry.plan, None
                # Where steps have to be counted, every call comes this way.
                self._last, serve = entry, entry.function("serve")
                self._serve = None if self.check_every else serve
                self.work.progress = UPDATING
                try:
                    return serve(tuple(map(_plain, arguments)))
                except BaseException as error:
                    explain(entry, error)
                    raise
        return self._record(key, arguments)

    def _record(self, key: Any, arguments: tuple[Any, ...]) -> Any:
        """A step without a plan that holds: make one, unless that is hopeless."""
        if self._rules != RULES:
            # A rule has been registered since: what was refused for want of it may be planned now.
            self._rules = dict(RULES)
            self.refusals.clear()
            self._recordings.clear()
        if key is None:
            self.refusals[key] = "the arguments are not plain arrays, numbers, strings or None"
        elif key not in self._recordings and len(self._recordings) >= MOST_KEYS:
            self.plan, self.reason = None, "it is called with ever other shapes or values"
            return self.work.step(arguments)
        elif key not in self.refusals:
            count = self._recordings.get(key, 0)
            if count < MOST_RECORDINGS:
                trial = attempt(self.work, self.options, arguments, None)
                # A call that raises is not counted: labels that are out of range say nothing about the next ones.
                self._recordings[key] = count + 1
                return self._keep(key, trial)
            self.plans.pop(key, None)
            self.refusals[key] = "something that the plan depends on is another at every call"
        self.plan, self.reason = None, self.refusals[key]
        return self.work.step(arguments)

    def _keep(self, key: Any, trial: Trial) -> Any:
        """Note what a trial has found and return its result."""
        entries = self.plans.setdefault(key, [])
        self.plan, self.reason = None if trial.entry is None else trial.entry.plan, trial.refusal
        if trial.entry is None:
            if trial.refusal is not None:
                self.plans.pop(key)
                if trial.lasting:
                    self.refusals[key] = trial.refusal
            return trial.result
        if trial.entry not in entries:
            entries.insert(0, trial.entry)
            del entries[MOST_PLANS:]
        if trial.entry.proofs == PROOFS and sum(array.nbytes for array in trial.entry.held) >= LARGE:
            give_back()
        return trial.entry.function("finish")(trial.result)

    def __repr__(self) -> str:
        eager = "" if self.reason is None else f"; last call eager, because {self.reason}"
        return f"<Step: {_plans(sum(map(len, self.plans.values())))}{eager}>"

    def _repr_html_(self) -> str:
        """All plans in a notebook, each under the shapes that it is for, and the reasons of eager calls."""
        parts = [f"<p>{html.escape(repr(self)[1:-1])}</p>"]
        for key, entries in self.plans.items():
            parts += [f"<p>for {html.escape(_shown(key))}:</p>{entry.plan._repr_html_()}" for entry in entries]
        for key, reason in self.refusals.items():
            parts.append(f"<p>for {html.escape(_shown(key))}: eager, because {html.escape(reason)}</p>")
        return "".join(parts)

    def __str__(self) -> str:
        parts = [f"Step: {sum(map(len, self.plans.values()))} plans"]
        for key, entries in self.plans.items():
            parts += [f"for {_shown(key)}:\n{entry.plan}" for entry in entries]
        parts += [f"for {_shown(key)}: eager, because {reason}" for key, reason in self.refusals.items()]
        if self.reason is not None and self.reason not in self.refusals.values():
            parts.append(f"last call: eager, because {self.reason}")
        return "\n\n".join(parts)


def explain(entry: Entry | None, error: BaseException) -> None:
    """Add to an exception from the middle of a replay what the step has changed by then."""
    assert entry is not None
    line, is_complete, trace = 0, False, error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename == "<plan>":
            line = trace.tb_lineno
        elif frame.f_code.co_filename == "<replay>":
            is_complete = "outputs" in frame.f_locals
        trace = trace.tb_next
    changed = sorted({name for names in entry.writes_of[:line] for name in names})
    if is_complete:
        text = COMPLETE
    elif changed and not getattr(error, "nothing_changed", False):
        text = (
            f"The step was interrupted in its update; changed by then, the last perhaps in part: {', '.join(changed)}."
        )
    else:
        text = BEFORE
    add_note(error, text)


def add_note(error: BaseException, text: str) -> None:
    """Tell an exception how far the step has come, unless it knows; from Python 3.11 on."""
    is_known = any(str(note).startswith("The step was") for note in getattr(error, "__notes__", ()))
    if hasattr(error, "add_note") and not is_known:
        error.add_note(text)


def compile(
    function: Callable[..., Any],
    optimizer: Any = None,
    *,
    clip_grad_norm: float | None = None,
    keep_gradients: bool = True,
    check_every: int = 0,
    passes: Sequence[str] | None = None,
    backend: str | None = None,
) -> Step:
    """Compile a training step, or without an optimiser the forward pass in evaluation mode.

    function: computes the loss of its arguments, as in ``lambda x, y: loss(y, net(x))``, and returns the very array that the
    loss returned, or a tuple of that and other recorded outputs. Without an optimiser it returns any recorded outputs.
    optimizer: one of ``mytorch.optim``. A call of the step zeroes the gradients, goes forward and backward, updates, and
    returns the loss as a float. lr is read at every call.
    clip_grad_norm: the largest norm of all gradients together, see ``mytorch.optim.clip_grad_norm``.
    keep_gradients: leave ``dW`` and ``db`` as an eager step does. With False they are undefined after a step.
    check_every: compare every so many steps with an eager one; with 0 only the first two of each plan.
    passes: the names of the passes that work on a plan, by default all (``mytorch.graph.PASSES``).
    backend: ``numpy``, ``c`` or ``auto``; by default the environment variable MYTORCH_BACKEND, else auto.

    The first call for a set of shapes and dtypes records, later ones replay. What no plan can repeat runs eagerly, and
    ``print(step)`` says why. Raises TypeError and ValueError for arguments that are none of these.
    """
    if not callable(function):
        raise TypeError(f"compile takes a function that computes the loss; a {type(function).__name__} was given.")
    if optimizer is not None and not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"The optimiser is a {type(optimizer).__name__}; give one of mytorch.optim, or none to infer.")
    if clip_grad_norm is not None and not clip_grad_norm > 0:
        raise ValueError(f"clip_grad_norm is above 0; it was {clip_grad_norm}.")
    if isinstance(check_every, bool) or not isinstance(check_every, int) or check_every < 0:
        raise ValueError(f"check_every is a whole number of steps, 0 for never; it was {check_every!r}.")
    options = Options(_passes.chosen(passes), backends.chosen(backend))
    return Step(Work(function, optimizer, clip_grad_norm, keep_gradients), options, check_every)


# The lock of each engine: two steps of one net must not meet, as one may switch the net to evaluation for a while.
_LOCKS: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def _lock_of(work: Work) -> Any:
    """The lock of the step's engine; one of its own where the function leads to no engine yet."""
    try:
        engine = work.surroundings()[2][0]
    except TypeError:
        return threading.RLock()
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(engine, threading.RLock())


def _key(arguments: tuple[Any, ...]) -> Any:
    """The key of the plans that can serve a call: shapes and dtypes of arrays, the values of all else. None if none can."""
    key = []
    for argument in arguments:
        if type(argument) is ndarray:
            key.append((argument.shape, argument.dtype))
        elif argument is None or isinstance(argument, (bool, int, float, str)):
            key.append((type(argument), argument))
        else:
            return None
    return tuple(key)


def _plain(argument: Any) -> Any:
    """An array whose dtype equals the usual one but is another object, as after unpickling, with the usual one."""
    return argument.view(argument.dtype.str) if isinstance(argument, ndarray) else argument


def _plans(count: int) -> str:
    return f"{count} plan{'' if count == 1 else 's'}"


def _shown(key: Any) -> str:
    if key is None:
        return "other arguments"
    parts = [f"{b}{a}".replace(" ", "") if isinstance(a, tuple) else repr(b) for a, b in key]
    return ", ".join(parts) or "no arguments"
