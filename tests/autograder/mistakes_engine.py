"""Mistakes in the engine: each a small patch, the exercises that it must cost and the hints of which one must come."""

# ruff: noqa: E501  (a patch reads best on one line)

from __future__ import annotations

from dataclasses import dataclass

from tests.autograder import workshop
from tests.autograder.solutions import ENGINE, SIMPLE

ADD, BACK = "Autograd Add Operation", "Autograd Backward"
LINEAR, SKIP = "Linear", "Linear with Skip"
CE = "SoftmaxCrossEntropy"


@dataclass(frozen=True)
class Mistake:
    """base: "student" (the handout with the simple solution filled in) or "reference".

    costs: the exercises that lose marks for a reason of their own; what only waits for them is not named.
    partial: right for batch 1, square shapes or a single use only.
    """

    name: str
    changes: list[tuple[str, str, str]]
    costs: set[str]
    hints: set[str]
    base: str = "student"
    partial: bool = False

    def files(self) -> workshop.Files:
        """The submission that has it."""
        base = workshop.fill(SIMPLE) if self.base == "student" else workshop.reference()
        return workshop.patch(base, self.changes)


def engine(name: str, old: str, new: str, costs: set[str], hints: set[str], partial: bool = False) -> Mistake:
    return Mistake(name, [(ENGINE, old, new)], costs, hints, partial=partial)


PAUSE = "if not self.recording:\n            return\n        "
APPEND = "self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))"
SPOTS = "for array in inputs:\n            self.gradient_buffer.add_spot(array)"
LOOP = "for number, operation in enumerate(reversed(self.operation_list)):"
LOOKUP = "gradient = self.gradient_buffer.get_param(operation.output)"
CALL = "gradients = operation.backward_operation(gradient, *operation.inputs)"
UPDATE = "self.gradient_buffer.update_param(array, value)"
ONES = "gradient = np.ones_like(divergence)"

ENGINE_MISTAKES = [
    engine("the list is walked forwards", LOOP, "for number, operation in enumerate(self.operation_list):", {BACK}, {"forwards", "lost_lookup"}),
    engine("the gradient is looked up by the inputs", LOOKUP, "gradient = self.gradient_buffer.get_param(operation.inputs[0])", {BACK}, {"lookup", "forwards"}),
    engine("the gradient comes last in the call", CALL, "gradients = operation.backward_operation(*operation.inputs, gradient)", {BACK}, {"gradient_last"}),
    engine("the inputs are not unpacked", CALL, "gradients = operation.backward_operation(gradient, operation.inputs)", {BACK}, {"arguments"}),
    engine("adds what the buffer adds already", UPDATE, "self.gradient_buffer.update_param(array, self.gradient_buffer.get_param(array) + value)", {BACK}, {"engine_doubles"}, partial=True),
    engine("the buffer is updated twice", UPDATE, f"{UPDATE}\n                    {UPDATE}", {BACK}, {"twice"}),
    engine("= in place of += in the buffer", UPDATE, "self.gradient_buffer.set_param(array, value)", {BACK}, {"one_path"}, partial=True),
    engine("the first contribution wins", UPDATE, "if not self.gradient_buffer.get_param(array).any():\n                        " + UPDATE, {BACK}, {"one_path"}, partial=True),
    engine("layers' gradients are rebound", "slot += value", "slot = slot + value", {BACK}, {"slot_unchanged"}),
    engine("layers' gradients are overwritten", "slot += value", "slot[...] = value", {BACK}, {"slot_overwritten"}, partial=True),
    engine("layers' gradients are subtracted", "slot += value", "slot -= value", {BACK}, {"slot_subtracted"}),
    engine("layers' gradients are added twice", "slot += value", "slot += 2 * value", {BACK}, {"slot_doubled"}),
    engine("the walk always starts from ones", "gradient = divergence\n", "gradient = np.ones_like(divergence)\n", {BACK}, {"start_ignored"}),
    engine("the output is taken for its gradient", ONES, "gradient = divergence", {BACK}, {"start_is_output"}),
    engine("the first operation is left out", LOOP, "for number, operation in enumerate(reversed(self.operation_list[1:])):", {BACK}, {"zero", "lookup"}),
    engine("the last operation is left out", LOOP, "for number, operation in enumerate(self.operation_list[-2::-1]):", {BACK}, {"derivative", "zero", "start_is_output", "start_ignored"}),
    engine("the list is reversed in place", LOOP, "self.operation_list.reverse()\n        for number, operation in enumerate(self.operation_list[:1] * 1):", {BACK}, {"zero", "lookup"}),
    engine("only the first input gets a gradient", "if value is None:\n                    continue", "if value is None or array is not operation.inputs[0]:\n                    continue", {BACK}, {"zero", "one_path", "slot_unchanged", "lookup"}, partial=True),
    engine("the buffer is not consulted", LOOKUP, "pass", {BACK}, {"start_everywhere"}, partial=True),
    engine("every value becomes float32", UPDATE, "self.gradient_buffer.update_param(array, value.astype(np.float32))", {BACK}, {"derivative", "not_array", "wrong"}),
    engine("backward returns early", LOOP, "return\n        " + LOOP, {BACK}, {"zero", "empty_spot", "lookup"}),
    engine("backward never ends", LOOP, "while True:\n            pass\n        " + LOOP, {BACK}, {"time"}),
    engine("copies of the inputs are recorded", APPEND, APPEND.replace("Operation(inputs", "Operation([i.copy() for i in inputs]"), {ADD}, {"record_identity"}),
    engine("wraps the inputs in np.array", SPOTS, "inputs = [np.array(array) for array in inputs]\n        " + SPOTS, {ADD}, {"record_identity"}),
    engine("a copy of the output is recorded", APPEND, APPEND.replace("output,", "output.copy(),"), {ADD}, {"record_identity"}),
    engine("the slots are copied", APPEND, APPEND.replace("gradients_to_update,", "[s if s is None else s.copy() for s in gradients_to_update],"), {ADD}, {"record_identity"}),
    engine("inputs and output change places", APPEND, APPEND.replace("inputs, output", "output, inputs"), {ADD}, {"record_identity"}),
    engine("new operations go to the front", "self.operation_list.append(", "self.operation_list.insert(0, ", {ADD}, {"record_order"}),
    engine("every operation is appended twice", APPEND, f"{APPEND}\n        {APPEND}", {ADD}, {"not_recorded"}),
    engine("nothing is appended", APPEND, "Operation(inputs, output, gradients_to_update, backward_operation)", {ADD}, {"not_recorded"}),
    engine("the pause is not looked at", PAUSE, "", set(), {"recorded_in_pause"}),
    engine("only the first input gets a spot", SPOTS, "self.gradient_buffer.add_spot(inputs[0])", {ADD}, {"spot_missing"}, partial=True),
    engine("no input gets a spot", SPOTS, "pass", {ADD}, {"spot_missing"}),
    engine("the output gets the spot", SPOTS, "self.gradient_buffer.add_spot(output)", {ADD}, {"spot_missing"}),
    engine("spots begin with ones", SPOTS, "for array in inputs:\n            self.gradient_buffer.add_spot(array)\n            self.gradient_buffer.set_param(array, np.ones(array.shape))", {ADD}, {"spot_not_empty"}),
    engine("recorded as a dictionary", APPEND, "self.operation_list.append({'inputs': inputs, 'output': output})", {ADD}, {"record_identity"}),
]  # fmt: skip
