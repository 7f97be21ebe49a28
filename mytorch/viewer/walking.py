"""The backward pass as steps: what each operation was given, what it sent to whom, and the sums that come of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.viewer.recording import Finding, Recording, locate
from mytorch.viewer.values import Values
from mytorch.viewer.variables import Variables


class Ledger:
    """The entries of the walk's table: for each variable, and each layer's gradient, the contributions that arrive.

    They are added in the engine's order, so that a sum has the engine's own digits. Where the engine passes on other numbers
    than that sum, a finding says so.
    """

    def __init__(self, recording: Recording, variables: Variables, values: Values) -> None:
        self.recording, self.variables, self.values = recording, variables, values
        self.sums: dict[Any, np.ndarray] = {}
        self.count: dict[Any, int] = {}
        self.findings: list[Finding] = []

    def add(self, number: int, index: int, gradient: np.ndarray) -> dict[str, Any]:
        """Add what operation ``number`` returned for its input ``index``; the contribution as the page has it."""
        variable = self.variables.reads[number][index]
        assert variable is not None  # a constant is sent nothing
        operation = self.recording.records[number].operation
        slot = operation.gradients_to_update[index]
        key: Any = ("slot", locate(slot)) if slot is not None else variable
        nth = self.count[key] = self.count.get(key, 0) + 1
        entry = {"input": index, "variable": variable, "to": "slot" if slot is not None else "buffer", "nth": nth}
        images = self.variables.all[variable].producer is None
        entry["value"] = self.values.put(gradient, images)
        shape = np.shape(operation.inputs[index])
        if gradient.shape != shape:
            entry["wrong"] = f"a gradient of shape {gradient.shape} for an array of shape {shape}"
            return entry
        self.sums[key] = np.asarray(self.sums[key] + gradient) if nth > 1 else gradient
        entry["sum"] = self.values.put(self.sums[key], images)
        return entry

    def expect(self, number: int | None, key: Any, got: Any, what: str) -> None:
        """Compare a gradient that the engine passes on, or leaves behind, with the sum of the contributions."""
        total = self.sums.get(key)
        if got is None or total is None or np.array_equal(got, total, equal_nan=got.dtype.kind in "fc"):
            return
        close = got.shape == total.shape and np.allclose(got, total, rtol=1e-5, atol=0, equal_nan=True)
        if not close:
            text = f"{what} is not the sum of the contributions that arrived."
            self.findings.append(Finding(number, text, serious=True, back=True))


def walk_steps(
    recording: Recording, variables: Variables, values: Values
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The steps of the backward pass, and what is wrong with its sums."""
    walk = recording.walk
    if walk is None or not recording.records:
        return [], []
    ledger = Ledger(recording, variables, values)
    calls = {call.number: call for call in walk.calls}
    first = walk.calls[0].number if walk.calls else len(recording.records) - 1
    steps: list[dict[str, Any]] = []
    if walk.calls:
        seeds = [{"variable": v, "value": values.put(g)} for v, g in zip(variables.makes[first], walk.calls[0].given)]
        steps.append({"kind": "seed", "operation": first, "given": seeds})
    stopped = walk.at if walk.error else -1
    for number in reversed(range(max(stopped, 0), len(recording.records))):
        if number == stopped and number not in calls:
            break
        call = calls.get(number)
        if call is None:
            steps.append({"kind": "skip", "operation": number})
            continue
        for variable, gradient in zip(variables.makes[number], call.given):
            if number != first:
                name = variables.all[variable].name
                ledger.expect(number, variable, gradient, f"The gradient that the engine passed on for {name}")
        step: dict[str, Any] = {
            "kind": "back",
            "operation": number,
            "given": [values.put(g) for g in call.given],
            "sends": [],
        }
        inputs = recording.records[number].operation.inputs
        for index, sent in enumerate(call.returned[: len(inputs)]):
            if sent is not None and isinstance(inputs[index], np.ndarray):
                step["sends"].append(ledger.add(number, index, sent))
        steps.append(step)
    if walk.error:
        steps.append({"kind": "stop", "operation": stopped if stopped >= 0 else first, "text": walk.error})
    else:
        steps.append({"kind": "end", "results": _results(recording, variables, values, ledger)})
    return steps, ledger.findings


def _results(recording: Recording, variables: Variables, values: Values, ledger: Ledger) -> list[dict[str, Any]]:
    """The gradients that are left in the end: of what was given, in the buffer and in the layers' arrays."""
    walk = recording.walk
    assert walk is not None
    results: list[dict[str, Any]] = []
    for index, variable in enumerate(variables.all):
        if variable.slot is not None:
            before, after = walk.before[variable.place], walk.after[variable.place]
            total = ledger.sums.get(("slot", locate(variable.slot)))
            if total is not None:
                ledger.sums["after"] = before + total
                ledger.expect(None, "after", after, f"What d{variable.name} holds in the end")
            results.append(
                {"variable": index, "to": "slot", "value": values.put(after, images=True), "before": bool(before.any())}
            )
        elif variable.producer is None:
            location = locate(variable.array)
            gradient: Any = walk.gradients.get(location)
            ledger.expect(None, index, gradient, f"The gradient of {variable.name} in the buffer")
            kept = location in walk.gradients
            value = values.put(gradient, images=True) if gradient is not None else None
            results.append({"variable": index, "to": "buffer" if kept else "nowhere", "value": value})
    return results
