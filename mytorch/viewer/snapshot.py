"""Snapshot: a recorded list as plain data, all that the page shows."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from importlib import import_module
from typing import Any

import numpy as np

from mytorch.operation import unwrapped
from mytorch.viewer.drawing import drawings
from mytorch.viewer.recording import Finding, Line, Record, Recording
from mytorch.viewer.tangents import forward_mode
from mytorch.viewer.values import SMALL, Values, cells_for
from mytorch.viewer.variables import Variables, variables_of
from mytorch.viewer.walking import walk_steps

LONGEST = 60  # letters of a name, and of a constant
TEXT = 700  # letters of a finding
NUMBERS = 60_000  # numbers of small arrays that the page has room for


def snapshot(
    recording: Recording,
    title: str = "",
    notes: list[str] | None = None,
    comparison: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The page's data. notes: sentences to put at the top, such as the error that ended the program.

    comparison: what (a name), expected and received (arrays or None), hint and given (texts), to stand side by side.
    """
    variables = variables_of(recording)
    arrays = _number_of_arrays(recording)
    values = Values(cells_for(arrays), max(4, min(SMALL, NUMBERS // max(arrays, 1))))
    shown = [_variable(variables, index, values) for index in range(len(variables.all))]
    steps, wrong = walk_steps(recording, variables, values)
    sentences = list(notes or [])
    try:
        forward = forward_mode(recording, variables, values)
    except (NotImplementedError, TypeError, ValueError) as error:
        forward = []
        sentences.append(f"Tangents are left out: {error}")
    rules = Rules()
    operations = [_operation(record, variables, n, values, rules) for n, record in enumerate(recording.records)]
    findings = [*recording.findings, *wrong]
    return {
        "title": title,
        "own": recording.walk is not None and recording.walk.own,
        "notes": [*sentences, *_about(recording), *_left_out(values, recording)],
        "variables": shown,
        "operations": operations,
        "rules": rules.all,
        "steps": [{"kind": "begin"}] + [{"kind": "record", "operation": n} for n in range(len(operations))] + steps,
        "findings": [_finding(finding) for finding in findings],
        "forward": forward,
        "comparison": _comparison(comparison, values),
        "drawings": drawings([operation["name"] for operation in operations], variables, _copies(findings)),
        "values": values.pool,
    }


def _comparison(comparison: dict[str, Any] | None, values: Values) -> dict[str, Any] | None:
    if comparison is None:
        return None
    sides = {
        side: values.put(comparison[side])
        if isinstance(comparison[side], (np.ndarray, np.generic, int, float))
        else None
        for side in ("expected", "received")
    }
    return {**{name: str(comparison[name])[:TEXT] for name in ("what", "hint", "given")}, **sides}


def _number_of_arrays(recording: Recording) -> int:
    walk = recording.walk
    calls = walk.calls if walk else []
    back = sum(len(call.given) + 2 * len(call.returned) for call in calls)
    return sum(len(record.outputs) + len(record.inputs) for record in recording.records) + back


def _variable(variables: Variables, index: int, values: Values) -> dict[str, Any]:
    variable = variables.all[index]
    return {
        "name": _short(variable.name), "path": variable.path,
        "value": values.put(variable.value, images=variable.producer is None),
        "producer": variable.producer, "readers": variable.readers, "parameter": variable.slot is not None,
        "address": variable.address,
    }  # fmt: skip


def _operation(record: Record, variables: Variables, number: int, values: Values, rules: Rules) -> dict[str, Any]:
    reads = variables.reads[number]
    inputs: list[Any] = [
        {"constant": _constant(value)} if index is None else {"variable": index}
        for index, value in zip(reads, record.inputs)
    ]
    return {
        "name": _short(record.operation.name), "inputs": inputs, "outputs": variables.makes[number],
        "rule": rules.number_of(record.operation), "line": _line(record.line), "within": _line(record.within),
    }  # fmt: skip


class Rules:
    """The backward functions of a list: for each its formula, or docstring and source where users wrote it."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._known: dict[Any, int] = {}

    def number_of(self, operation: Any) -> int:
        """The number of an operation's backward function."""
        rule = operation.backward_operation
        key = getattr(rule, "__name__", None) if hasattr(rule, "push") else unwrapped(rule)
        key = (key if key.__hash__ else id(key), len(operation.inputs))
        if key not in self._known:
            self._known[key] = len(self.all)
            self.all.append(_about_rule(rule, operation))
        return self._known[key]


def _about_rule(rule: Any, operation: Any) -> dict[str, Any]:
    formula = _formula(rule, operation)
    if formula is not None:
        return {"output": formula.output, "gradients": formula.gradients, "elementwise": formula.elementwise}
    function = unwrapped(rule)
    if hasattr(rule, "push"):  # the function's name says what it is, and its rule belongs to the library
        return {}
    about = {"doc": (inspect.getdoc(function) or "").split("\n\n")[0][:400]} if inspect.isroutine(function) else {}
    try:
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):
        return about
    return about | ({"source": source} if source.count("\n") < 14 and len(source) < 900 else {})


def _formula(rule: Any, operation: Any) -> Any:
    """The formula of a rule of the library's own. One that users wrote is shown as they wrote it."""
    try:
        formulas = import_module("mytorch.viewer.formulas")
    except ModuleNotFoundError:  # students get the page without the formulas, which they are asked to find
        return None
    recorded = hasattr(rule, "push")
    if not recorded and not getattr(unwrapped(rule), "__module__", "").startswith("mytorch.nn."):
        return None
    name = operation.name
    if name == "max":
        name = "maximum" if len(operation.inputs) == 2 else "" if recorded else name
    return formulas.FORMULAS.get(name)


def _line(line: Line | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "file": os.path.basename(line.file), "number": line.number, "function": line.function, "text": line.text[:300]
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "operation": finding.number, "text": finding.text[:TEXT], "serious": finding.serious, "back": finding.back
    }  # fmt: skip


def _copies(findings: list[Finding]) -> list[tuple[int, int, int]]:
    """The copies among the findings: the operation that reads it, its input, and the operation it was copied from."""
    found = re.compile(r"input (\d+) has the values of the output of operation (\d+)")
    matches = [(finding.number, found.search(finding.text)) for finding in findings]
    return [(n, int(match[1]), int(match[2])) for n, match in matches if match and n is not None]


def _constant(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _about(recording: Recording) -> list[str]:
    """A sentence on what the page does not know, because nobody watched the program. Traces have noted it themselves."""
    if recording.watched or all(record.line for record in recording.records):
        return []
    return [
        "Arrays are shown as they were when this page was written, without the lines of the program. With "
        "mytorch.viewer.watch(engine) or python -m mytorch.viewer SCRIPT.py both are noted while the program runs."
    ]


def _left_out(values: Values, recording: Recording) -> list[str]:
    if not values.sampled:
        return []
    count = sum(array.size for record in recording.records for array in record.outputs if isinstance(array, np.ndarray))
    return [
        f"The {len(recording.records):,} operations made {count:,} values. {values.sampled} of the arrays are shown by at "
        f"most {values.cells:,} of their entries each, taken at equal distances; shape, range and mean are those of the "
        "whole array."
    ]
