"""Mistakes in the engine: each a small patch, the exercises that it must cost and the hints of which one must come."""

# ruff: noqa: E501  (a patch reads best on one line)

from __future__ import annotations

from dataclasses import dataclass

from tests.autograder import workshop
from tests.autograder.solutions import ENGINE, SIMPLE, STYLES

ADD, BACK = "Autograd Add Operation", "Autograd Backward"
LINEAR, SKIP = "Linear", "Linear with Skip"
CE = "SoftmaxCrossEntropy"
CE_BACK = f"{CE} Backward"


@dataclass(frozen=True)
class Mistake:
    """base: "student" (the handout with the simple solution filled in), another style of solutions.py, or "reference".

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
        styles = {"student": SIMPLE, **STYLES}
        base = workshop.fill(styles[self.base]) if self.base in styles else workshop.reference()
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
LENGTHS = "if len(inputs) != len(gradients_to_update):"
ZIP = "for array, slot, value in zip(operation.inputs, operation.gradients_to_update, gradients):"
NOTHING = "if value is None:\n                    continue"
SLOT = "if slot is not None:"

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
    engine("the first operation is left out", LOOP, "for number, operation in enumerate(reversed(self.operation_list[1:])):", {BACK}, {"empty_spot"}),
    engine("the last operation is left out", LOOP, "for number, operation in enumerate(self.operation_list[-2::-1]):", {BACK}, {"empty_spot"}),
    engine("the list is reversed in place", LOOP, "self.operation_list.reverse()\n        for number, operation in enumerate(self.operation_list[:1] * 1):", {BACK}, {"zero", "lookup"}),
    engine("only the first input gets a gradient", "if value is None:\n                    continue", "if value is None or array is not operation.inputs[0]:\n                    continue", {BACK}, {"empty_spot"}, partial=True),
    engine("the buffer is not consulted", LOOKUP, "pass", {BACK}, {"start_everywhere"}, partial=True),
    engine("every value becomes float32", UPDATE, "self.gradient_buffer.update_param(array, value.astype(np.float32))", {BACK}, {"narrowed"}),
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
    # Gradients that share memory
    engine("the first gradient is kept uncopied and added to in place", UPDATE, "spots, key = self.gradient_buffer.memory, self.gradient_buffer.get_memory_loc(array)\n                    if spots[key] is None:\n                        spots[key] = value\n                    else:\n                        spots[key] += value", {BACK}, {"shared_gradient"}, partial=True),
    engine("what is there is added to the rule's own array", UPDATE, "value += self.gradient_buffer.get_param(array)\n                    self.gradient_buffer.set_param(array, value)", {BACK}, {"in_place"}, partial=True),
    # Inputs and their own arrays
    engine("an operation with one input has no slot", SLOT, "if slot is not None and len(operation.inputs) > 1:", {BACK}, {"slot_unchanged"}, partial=True),
    engine("the last slot counts for every input", SLOT, "slot = operation.gradients_to_update[-1]\n                if slot is not None:", {BACK}, {"slot_place"}, partial=True),
    engine("the first slot counts for every input", SLOT, "slot = operation.gradients_to_update[0]\n                if slot is not None:", {BACK}, {"slot_unchanged"}),
    engine("the slots are read from their end", ZIP, ZIP.replace("operation.gradients_to_update", "operation.gradients_to_update[::-1]"), {BACK}, {"slot_place"}, partial=True),
    engine("the slots of the last operation count for all", ZIP, ZIP.replace("operation.gradients_to_update", "self.operation_list[-1].gradients_to_update"), {BACK}, {"slot_place"}, partial=True),
    engine("an array that is zero counts as no slot", SLOT, "if np.any(slot):", {BACK}, {"slot_unchanged"}, partial=True),
    engine("a slot's gradient goes into the buffer too", "                else:\n                    " + UPDATE, "                if True:\n                    " + UPDATE, {BACK}, {"slot_place"}, partial=True),
    engine("an array that had a slot once has no gradient in the buffer", "                else:\n                    " + UPDATE, "                elif not any(array is a and s is not None for o in self.operation_list for a, s in zip(o.inputs, o.gradients_to_update)):\n                    " + UPDATE, {BACK}, {"empty_spot"}, partial=True),
    engine("at most two inputs", ZIP, ZIP.replace("operation.inputs", "operation.inputs[:2]"), {BACK}, {"further_inputs"}, partial=True),
    engine("at most three inputs", ZIP, ZIP.replace("operation.inputs", "operation.inputs[:3]"), {BACK}, {"further_inputs"}, partial=True),
    engine("the last input is left out", ZIP, ZIP.replace("operation.inputs", "operation.inputs[:max(1, len(operation.inputs) - 1)]"), {BACK}, {"empty_spot"}),
    engine("an array twice among the inputs counts once", ZIP, "once = {id(a): (a, s, v) for a, s, v in zip(operation.inputs, operation.gradients_to_update, gradients)}\n            for array, slot, value in once.values():", {BACK}, {"one_path"}, partial=True),
    engine("the inputs' gradients in the other order", ZIP, ZIP.replace("gradients)", "gradients[::-1])"), {BACK}, {"swapped"}),
    engine("arrays with the same numbers count as one", UPDATE, "same = {id(a): a for o in self.operation_list for a in o.inputs if np.array_equal(a, array)}\n                    for one in same.values():\n                        self.gradient_buffer.update_param(one, value)", {BACK}, {"same_numbers"}, partial=True),
    # None, and operations without a gradient
    engine("None ends the operation", NOTHING, NOTHING.replace("continue", "break"), {BACK}, {"none_stops"}, partial=True),
    engine("None ends the walk", NOTHING, NOTHING.replace("continue", "return"), {BACK}, {"none_stops"}, partial=True),
    engine("None stands for the gradient from above", NOTHING, "if value is None:\n                    value = gradient", {BACK}, {"none_starts"}, partial=True),
    engine("None is added like a number", NOTHING, "pass", {BACK}, {"none_not_skipped", "none_used"}, partial=True),
    engine("an operation without a gradient gets the start", LOOKUP, LOOKUP + " if self.gradient_buffer.is_in_memory(operation.output) else divergence", {BACK}, {"none_starts"}, partial=True),
    engine("an output without a spot ends the walk", LOOKUP, "if not self.gradient_buffer.is_in_memory(operation.output):\n                    break\n                " + LOOKUP, {BACK}, {"none_stops"}, partial=True),
    engine("a gradient of zeros ends the walk", CALL, "if not gradient.any():\n                break\n            " + CALL, {BACK}, {"none_stops"}, partial=True),
    engine("an empty spot stands for the start", CALL, "if not gradient.any():\n                gradient = divergence\n            " + CALL, {BACK}, {"none_starts"}, partial=True),
    # The start
    engine("the output is known by its numbers", "elif divergence is operation.output:", "elif np.array_equal(divergence, operation.output):", {BACK}, {"start_by_value"}, partial=True),
    engine("a start of the output's shape counts as the output", "elif divergence is operation.output:", "elif divergence.shape == operation.output.shape:", {BACK}, {"start_ignored"}),
    engine("the start is the mean's gradient", ONES, "gradient = np.ones_like(divergence) / divergence.size", {BACK}, {"factor"}),
    engine("the start is negative", ONES, "gradient = -np.ones_like(divergence)", {BACK}, {"sign"}),
    engine("the start is divided by its size", "gradient = divergence\n", "gradient = divergence / divergence.size\n", {BACK}, {"factor"}),
    engine("the start's sign is lost", "gradient = divergence\n", "gradient = np.abs(divergence)\n", {BACK}, {"sign_lost"}),
    # The walk
    engine("every other operation is left out", LOOP, LOOP.replace("self.operation_list)", "self.operation_list[::-2][::-1])"), {BACK}, {"lookup"}),
    engine("the rule gets the output among its inputs", CALL, "gradients = operation.backward_operation(gradient, operation.output, *operation.inputs)", {BACK}, {"arguments"}),
    engine("the rule gets the output in place of the gradient", CALL, "gradients = operation.backward_operation(operation.output, *operation.inputs)", {BACK}, {"output_as_gradient"}),
    engine("the rule gets ones in place of the gradient", CALL, "gradients = operation.backward_operation(np.ones_like(gradient), *operation.inputs)", {BACK}, {"start_ignored"}),
    engine("the rule is called without the inputs", CALL, "gradients = operation.backward_operation(gradient)", {BACK}, {"arguments"}),
    engine("gradients lose their sign", UPDATE, "self.gradient_buffer.update_param(array, np.abs(value))", {BACK}, {"sign_lost"}, partial=True),
    engine("gradients are clipped", UPDATE, "self.gradient_buffer.update_param(array, np.clip(value, -1, 1))", {BACK}, {"cut_off"}, partial=True),
    engine("gradients are rounded", UPDATE, "self.gradient_buffer.update_param(array, np.round(value, 6))", {BACK}, {"rounded"}, partial=True),
    engine("gradients become whole numbers", UPDATE, "self.gradient_buffer.update_param(array, value.astype(int))", {BACK}, {"integer"}),
    engine("gradients are averaged over the uses", UPDATE, "before = self.gradient_buffer.get_param(array)\n                    self.gradient_buffer.set_param(array, (before + value) / 2 if before.any() else value)", {BACK}, {"factor"}, partial=True),
    engine("the larger contribution wins", UPDATE, "self.gradient_buffer.set_param(array, np.maximum(self.gradient_buffer.get_param(array), value))", {BACK}, {"cut_at_zero"}, partial=True),
    engine("contributions are multiplied", UPDATE, "before = self.gradient_buffer.get_param(array)\n                    self.gradient_buffer.set_param(array, before * value if before.any() else value)", {BACK}, {"multiplied"}, partial=True),
    engine("gradients are set under a copy of the array", UPDATE, "self.gradient_buffer.update_param(array.copy(), value)", {BACK}, {"lost_lookup"}),
    engine("gradients go to the output's spot", UPDATE, "self.gradient_buffer.update_param(operation.output, value)", {BACK}, {"lost_lookup"}),
    # Recording
    engine("lists of different lengths are accepted", LENGTHS, "if False:", {ADD}, {"lengths"}),
    engine("too many slots are accepted", LENGTHS, "if len(inputs) > len(gradients_to_update):", {ADD}, {"lengths"}),
    engine("too few slots are accepted", LENGTHS, "if len(inputs) < len(gradients_to_update):", {ADD}, {"lengths"}),
    engine("different lengths are only printed", 'raise ValueError("inputs and gradients_to_update have different lengths")', 'print("different lengths")', {ADD}, {"lengths"}),
    engine("an input with a slot gets no spot", SPOTS, "for array, slot in zip(inputs, gradients_to_update):\n            if slot is None:\n                self.gradient_buffer.add_spot(array)", {ADD}, {"spot_missing"}, partial=True),
    engine("copies of the inputs get the spots", SPOTS, SPOTS.replace("add_spot(array)", "add_spot(array.copy())"), {ADD}, {"spot_missing"}),
    engine("the spots are for the slots", SPOTS, "for array in gradients_to_update:\n            if array is not None:\n                self.gradient_buffer.add_spot(array)", {ADD}, {"spot_missing"}),
    engine("the first two inputs get spots", SPOTS, SPOTS.replace("in inputs", "in inputs[:2]"), {ADD}, {"spot_missing"}, partial=True),
    engine("the pause is turned round", "if not self.recording:", "if self.recording:", {ADD}, {"not_recorded"}),
    engine("slots and output change places", APPEND, APPEND.replace("output, gradients_to_update", "gradients_to_update, output"), {ADD}, {"record_identity"}),
    engine("the rule is called at once", APPEND, APPEND.replace("backward_operation)", "backward_operation(output, *inputs))"), {ADD}, {"record_identity"}),
    engine("the first operation alone is kept", APPEND, "if not self.operation_list:\n            " + APPEND, {ADD}, {"not_recorded"}),
    engine("each operation replaces the one before", APPEND, "self.operation_list = [Operation(inputs, output, gradients_to_update, backward_operation)]", {ADD}, {"not_recorded"}),
    # Slips of Python and of NumPy
    engine("the buffer is emptied at the end", UPDATE, UPDATE + "\n        self.gradient_buffer.clear()", {BACK}, {"spot_gone"}),
    engine("the buffer is emptied at the beginning", LOOP, "self.gradient_buffer.clear()\n        " + LOOP, {BACK}, {"lost_lookup"}),
    engine("backward returns after the first operation", UPDATE, UPDATE + "\n            return", {BACK}, {"lookup"}, partial=True),
    engine("the start is zero", ONES, "gradient = np.zeros_like(divergence)", {BACK}, {"lookup"}),
    engine("the start is a plain number", ONES, "gradient = 1", {CE_BACK}, {"engine_after_all"}, partial=True),
    engine("the output is compared by ==", "elif divergence is operation.output:", "elif divergence == operation.output:", {BACK}, {"condition"}),
    engine("the slot is asked for its truth", SLOT, "if slot:", {BACK}, {"condition"}, partial=True),
    engine("None is compared by ==", "if value is None:", "if value == None:", {BACK}, {"condition"}),
    engine("the list of slots is taken for a slot", SLOT, "if operation.gradients_to_update is not None:", {BACK}, {"none_used"}),
    engine("the list is bound to what append returns", "self.operation_list.append(", "self.operation_list = self.operation_list.append(", {ADD, BACK}, {"none_used"}),
    engine("the walk begins behind the end", LOOP, "for number in range(len(self.operation_list), 0, -1):\n            operation = self.operation_list[number]", {BACK}, {"raised"}),
    engine("two lengths alone are looked at", LENGTHS, "if len(inputs) == 2 != len(gradients_to_update):", {ADD}, {"lengths"}),
    engine("gradients are summed over the batch", UPDATE, "self.gradient_buffer.update_param(array, value.sum(axis=0, keepdims=True))", {BACK}, {"oversummed"}),
    engine("gradients lose axes of one entry", UPDATE, "self.gradient_buffer.update_param(array, np.squeeze(value))", {BACK}, {"single_array"}),
    engine("None is left out of the slots", APPEND, APPEND.replace("gradients_to_update,", "[s for s in gradients_to_update if s is not None],"), {ADD}, {"record_identity"}),
]  # fmt: skip
