"""Recordings: a list of operations and its backward pass as they happened, with values as they were then."""

from __future__ import annotations

import functools
import linecache
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from mytorch.debug import DebugError, DebugWarning, Observer, first_not_finite, refuse_not_finite
from mytorch.operation import Operation, unwrapped
from mytorch.report import calling_frame
from mytorch.utils import GradientBuffer
from mytorch.viewer.names import Names

locate = GradientBuffer.get_memory_loc


@dataclass
class Line:
    """A line of a program: its file, its number, the function that it stands in, and its text."""

    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """The line as it stands in the file, without its indentation; empty where the file cannot be read."""
        return linecache.getline(self.file, self.number).strip()


@dataclass
class Record:
    """An operation as it was recorded: its arrays as they were then, and the user's line that asked for it.

    ``within``: the line that recorded the operation, where this is another one, as in a layer.
    """

    operation: Operation
    inputs: list[Any]
    outputs: list[np.ndarray]
    line: Line | None = None
    within: Line | None = None


@dataclass
class Call:
    """A backward function as it was called in the walk: the gradients that it was given, and those that it returned."""

    number: int
    given: list[np.ndarray]
    returned: list[np.ndarray | None]


@dataclass
class Walk:
    """A backward pass. ``gradients``: what the buffer holds in the end, by location, None for a spot that stayed empty.

    ``before``, ``after``: the layers' gradients, by operation and input. ``error``: why the walk stopped. ``at``: the
    operation whose backward function was called last. ``own``: True if the viewer began it, on copies of the layers'
    gradients, because the program has made none.
    """

    start: Any
    own: bool = False
    calls: list[Call] = field(default_factory=list)
    gradients: dict[Any, np.ndarray | None] = field(default_factory=dict)
    before: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    after: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    error: str = ""
    at: int = -1


@dataclass
class Finding:
    """A sentence of debug mode about an operation; ``back``: found in the backward pass. number: None for the whole list."""

    number: int | None
    text: str
    serious: bool
    back: bool = False


class Recording:
    """A list that is being recorded. It is handed every operation and every call of a backward function as they happen.

    ``watched``: operations are seen when they are recorded. Otherwise the arrays are those of now.
    """

    def __init__(self, watched: bool) -> None:
        self.watched = watched
        self.records: list[Record] = []
        self.walk: Walk | None = None
        self.findings: list[Finding] = []
        self.names = Names()
        self._operations: list[Operation] = []
        self._observer = Observer(self._operations)

    def recorded(self, operation: Operation, output: Any, frame: FrameType | None) -> None:
        """Note an operation that was just appended. frame: where it was recorded; None if that is not known."""
        number = len(self.records)
        arrays = [array for array in (*operation.inputs, *operation.outputs) if isinstance(array, np.ndarray)]
        kept = np.array if self.watched else np.asarray  # what is looked at afterwards will not change any more
        inputs = [kept(x) if isinstance(x, np.ndarray) else x for x in operation.inputs]
        record = Record(operation, inputs, [kept(output) for output in operation.outputs])
        record.line, record.within = _lines(operation, frame)
        self.records.append(record)
        self._operations.append(operation)
        self.names.wanted(arrays)
        self.names.noted(operation)
        if frame is not None:
            slots = operation.gradients_to_update
            parameters = [array for array, slot in zip(operation.inputs, slots) if slot is not None]
            self.names.look(frame, into_objects=self.names.lacks(parameters))
        with self._collecting(number):
            refuse_not_finite(number, operation)
        with self._collecting(number):
            self._observer.remember(number, operation, output)

    def begin_walk(self, start: Any, own: bool = False, frame: FrameType | None = None) -> Walk:
        """Note that a backward pass begins."""
        if frame is not None:
            self.names.look(frame)
        self.findings = [finding for finding in self.findings if not finding.back]
        self.walk = Walk(start, own)
        with self._collecting(None):
            self._observer.before_backward(start)
        return self.walk

    def watched_rule(self, number: int, rule: Any) -> Any:
        """A backward function that notes in the walk what it was given and what it returned."""
        operation = self.records[number].operation

        def watched_rule(grad_output: Any, *inputs: Any) -> Any:
            if self.walk is not None:
                self.walk.at = number
            given = [np.array(g) for g in (grad_output if isinstance(grad_output, tuple) else (grad_output,))]
            result = rule(grad_output, *inputs)
            returned = list(result) if isinstance(result, (tuple, list)) else [result]
            if self.walk is not None:
                copies = [None if g is None else np.array(g) for g in returned]
                self.walk.calls.append(Call(number, given, copies))
                self._look_at_gradients(number, operation, given, copies)
            return result

        # The engine reads a rule's marks, which may stand on a functools.partial too.
        functools.update_wrapper(watched_rule, unwrapped(rule))
        watched_rule.__dict__.update(getattr(rule, "__dict__", {}))
        return watched_rule

    def _look_at_gradients(self, number: int, operation: Operation, given: list, returned: list) -> None:
        for index, gradient in enumerate(returned):
            bad = first_not_finite(gradient)
            if bad is not None:
                came = any(first_not_finite(g) is not None for g in given)
                where = "It came in with the gradient of the output." if came else "It arises here."
                text = f"The gradient of input {index} is {gradient[bad]} at index {bad}. {where}"
                self.findings.append(Finding(number, text, not came, back=True))

    @contextmanager
    def _collecting(self, number: int | None) -> Iterator[None]:
        """Findings of debug mode, noted instead of raised or warned of. number: the operation that they belong to."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DebugWarning)
            try:
                yield
            except DebugError as error:
                self._found(number, str(error), serious="It came in with input" not in str(error))
        for warning in caught:
            if issubclass(warning.category, DebugWarning):
                self._found(number, str(warning.message), serious=True)

    def _found(self, number: int | None, text: str, serious: bool) -> None:
        if number is None:
            begins = text.startswith("Operation ")
            number = int(text.split()[1]) if begins else len(self.records) - 1
        if all((finding.number, finding.text) != (number, text) for finding in self.findings):
            self.findings.append(Finding(number, text, serious))


def _lines(operation: Operation, frame: FrameType | None) -> tuple[Line | None, Line | None]:
    """The user's line, and the line that recorded the operation where this is another one."""
    known = getattr(operation.backward_operation, "line", None)  # a list that autodiff.trace has made
    if known is not None:
        return Line(*known), None
    user = calling_frame(frame) if frame is not None else None
    if user is None:
        return None, None
    return _line(user), None if frame is user or frame is None else _line(frame)


def _line(frame: FrameType) -> Line:
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def recording_of(operation_list: Sequence[Operation], frame: FrameType | None = None) -> Recording:
    """A recording of a list that nobody has watched: its arrays as they are now. frame: where names are looked for."""
    recording = Recording(watched=False)
    for operation in operation_list:
        recording.recorded(operation, operation.output, None)
    recording.names.look(frame or sys._getframe(1))
    return recording
