"""Hints by key: one or two sentences about a misconception and where to look."""

from __future__ import annotations

from autograder.hints_errors import HINTS_OF_ERRORS

HINTS: dict[str, str] = {
    # Values
    "sign": "Every number is right except for its sign. Look at which way the output moves when this input grows.",
    "transposed": (
        "This is the transpose of what was expected. Write the shapes next to each factor: the gradient of an array "
        "has the array's own shape, and only one order of factors gives it."
    ),
    "twice": (
        "The gradient is exactly twice what it should be: something is counted two times. Does the engine add what "
        "the buffer adds already, or is an output recorded that is the same array as its input?"
    ),
    "counted_n": (
        "The gradient is a whole multiple of what was expected, so a contribution is counted several times. Follow "
        "how often each gradient is added to the buffer."
    ),
    "not_averaged": (
        "The result is N times too large, with N the batch size: it was summed over the batch where the exercise asks "
        "for the mean."
    ),
    "divided_twice": (
        "The result is N times too small, with N the batch size: the batch was averaged once too often. Decide in "
        "which one place the division belongs."
    ),
    "batch_mean": (
        "The gradient is N times too small, with N the batch size. A parameter that is used by N samples collects the "
        "sum of N gradients; an average belongs into the loss alone."
    ),
    "mean_over_entries": (
        "The result is too small by the number of classes. Divide by the number of samples, not by that of classes or entries."
    ),
    "own_loss": (
        "The gradient is right up to a factor, and that factor is the loss itself: the loss value was used as the "
        "gradient to start from. The derivative of the loss with respect to itself is one."
    ),
    "factor": (
        "The numbers are right up to one constant factor (about {factor:.6g}). Look for a constant that was lost or "
        "counted twice."
    ),
    "zero": (
        "All zeros: no gradient arrived here. The array that was passed on is not the very array that was recorded, "
        "so the path is cut; a copy, a cast or a new array made of it breaks the path. Record the arrays you were "
        "given and return the array you recorded."
    ),
    "no_spot": (
        "The buffer doesn't know this array, so no operation recorded it as an input. A copy (np.array(x), x.copy(), "
        "a cast, a temporary) is another variable; record the very array that was given."
    ),
    "empty_spot": (
        "The spot of this array is there, but nothing ever arrived in it. Follow the list from the end: which "
        "operation should have sent it a gradient?"
    ),
    "first_row": "Only the first row (the first sample) was used; the others count too.",
    "forward_value": (
        "This is the forward value, not a gradient. A backward function returns grad_output times the derivative."
    ),
    "times_forward": "This is grad_output times the function's own value. That is not its derivative here.",
    "grad_ignored": (
        "This is the derivative alone, as if grad_output were one everywhere. The chain rule multiplies by what came "
        "from above."
    ),
    "negative_side": (
        "ReLU is 0 for every negative input and the input itself for every positive one. Look at what your function makes "
        "of one negative number."
    ),
    "scaled_input": "This is the function of twice or half its input. Look at the factor in the exponent.",
    "offset": "Every number is off by the same amount. Look at what is added or left out outside of the exponential.",
    "inverted": (
        "This is one divided by the right result. Have numerator and denominator changed places, or are brackets missing? "
        "1 / 1 + e is (1 / 1) + e."
    ),
    "digits": (
        "Only the first six or seven digits are right. A step computes in float32, or adds a small constant; keep float64 and "
        "the formula as it is."
    ),
    "at_zero": (
        "At exactly 0 this function has a kink, and its derivative there is set to 0. Let the gradient through where the "
        "input is greater than 0, and nowhere else."
    ),
    "passed_through": (
        "grad_output was passed through unchanged, as an addition does. This operation has a derivative of its own."
    ),
    "swapped": "The two gradients are right but in each other's place. Return them in the order of the inputs.",
    "other_input": (
        "One input's gradient was returned for the other as well. Differentiate with respect to each in turn."
    ),
    "one_path": (
        "Only one of the paths through which this array acts has arrived. An array that is used several times "
        "collects the sum, so a new contribution is added to what is there (+=), not put in its place (=)."
    ),
    "wrong_point": (
        "The derivative was taken at the wrong point: it looks evaluated at the output where the input is meant, or "
        "the other way round."
    ),
    "derivative": (
        "The derivative itself differs. Try one number by hand: change one entry of the input by a tiny h, see how "
        "much the output moves, divide by h, and compare with your formula (mytorch/gradcheck.py does this for you)."
    ),
    "engine_unknown": (
        "The gradient is wrong, in a way that none of the known mistakes explains. The backward functions here are the "
        "autograder's own and right. Take the smallest case, print(engine), and follow the list from its end by hand: "
        "which gradient does each operation get, and where do its results go?"
    ),
    "layer_unknown": (
        "The gradient is wrong, in a way that none of the known mistakes explains. Print the engine after forward: is "
        "each step in the list, with its own inputs, in their order, and with the backward function of just this step? "
        "Then compare each step's derivative with a small change of its input."
    ),
    "inputs_mismatch": (
        "This operation's output does not come from the recorded inputs by the operation to which the backward function "
        "belongs (sub_backward belongs to a - b, div_backward to a / b). Are the inputs, their order and the function "
        "those of this step? Is a step after it missing from the list?"
    ),
    "missing_bias": "The output is what it would be without the bias.",
    "bias_twice": "The bias was added more than once.",
    "labels_ignored": "This is what comes out if the labels are ignored: the ground truth has to enter too.",
    "truth_masks": (
        "The gradient is right at the wrong classes and zero at the true one. The truth is subtracted from the softmax, at "
        "every class; it does not choose entries."
    ),
    "labels_swapped": "Prediction and ground truth are swapped. The order is (y, y_hat), the truth first.",
    "no_softmax": "The scores were used as if they were probabilities already; the softmax is part of this loss.",
    "softmax_axis": "The softmax was taken over the wrong axis. Each row is a sample and its probabilities sum to one.",
    "log_base": "The logarithm has another base; the natural logarithm is meant.",
    "overflow": (
        "NaN or infinity: an exponential overflowed, or a logarithm was taken of a probability that rounds to 0. Subtract "
        "each row's maximum before exp; the softmax stays the same. A logarithm of the softmax becomes a difference on "
        "paper first."
    ),
    "nonfinite": (
        "NaN or infinity came out for finite inputs. Look for a division by zero, a logarithm of zero or an overflow."
    ),
    "clipped": (
        "This is what comes out with an epsilon or a clip inside of the logarithm. It changes the value it should "
        "protect; take the logarithm of the softmax as score minus log of the sum of exponentials, which needs "
        "neither."
    ),
    # Shapes and kinds
    "not_summed": (
        "The gradient has the shape of the broadcast result. An input that NumPy stretched was read several times, so "
        "its gradient is summed over the stretched axes until it has the input's own shape again."
    ),
    "wrong_shape": (
        "A gradient has the shape of the array it belongs to. Check each axis, with a batch that is not square."
    ),
    "oversummed": "The gradient was summed over too much. Sum only over the axes along which this input was stretched.",
    "scalar_loss": (
        "A loss is the mean over the batch as an array of one entry, shape (1,); an array keeps its place in memory."
    ),
    "none": "None came where an array was expected. Does every branch of the function end in a return?",
    "not_tuple": (
        "A backward function of several inputs returns a tuple with one gradient per input, in the order of the inputs."
    ),
    "not_array": "What came is not an array of numbers.",
    "widened": (
        "float32 came in and another precision went out. A constant or np.zeros without dtype widens everything after "
        "it."
    ),
    "narrowed": (
        "float64 came in and a smaller precision went out, so digits were lost. Keep the dtype of what you were given."
    ),
    "integer": "The result holds integers, so fractions are cut off. Allocate it as float.",
    "in_place": (
        "An array that was only lent has been changed. Operations such as x[...] = , x *= or out= write into the "
        "caller's array, and into whatever was recorded with it. Compute into a new array."
    ),
    "same_array": (
        "An operation was recorded whose output is the same array as one of its inputs, so the two share one "
        "gradient. y = h makes no new array, and y += b then writes into h as well; compute into a new array (y = h + "
        "b)."
    ),
    "copied": (
        "This input has the numbers of an earlier output, but it is another array, so the path is cut there. Record "
        "and pass on the very array that the earlier operation recorded, not a copy or the same computation once "
        "more."
    ),
    "not_proportional": (
        "This backward function's result is not proportional to grad_output: minus grad_output does not give minus "
        "the gradient. The chain rule multiplies grad_output by the derivative; a mask or a condition looks at the "
        "input, never at grad_output."
    ),
    "truth_first": (
        "The loss was recorded with the truth as its first input, so what the backward function returns for the "
        "scores arrives at the truth. It is called as f(grad_output, *inputs) with the inputs in the recorded order: "
        "record [y_hat, y]."
    ),
    "gradient_for_truth": (
        "The scores were recorded, but the backward function returns None for them. Its results belong to the inputs "
        "in the order in which they were recorded: the gradient of the scores where y_hat stands, None where y "
        "stands."
    ),
    "engine_after_all": (
        "The operations that were recorded here are right: worked out another way, they give the expected numbers. So "
        "the mistake is in backward of Autograd, although its own checks did not meet it. See what is particular "
        "here, such as a None among the returned gradients, or many operations."
    ),
    "single_array": (
        "The gradient has lost its first axis. Was a row of it taken for the gradient? With one input a backward function "
        "returns the array itself, not a tuple; put it into a tuple before you loop over it."
    ),
    "none_not_skipped": (
        "A None among the returned gradients was used as if it were an array. It means that nothing flows to that "
        "input, so backward goes on with the next one."
    ),
    "start_everywhere": (
        "The gradient that backward was given was used for every operation. Only the last one starts with it; each "
        "other one starts with what the buffer has for its own output."
    ),
    "record_order": (
        "The operations are in the list in the opposite order. A new one goes to the end (append), because backward "
        "walks the list from its end."
    ),
    "spot_not_empty": (
        "The spot holds something before backward has run. A new spot is empty (or zero), because contributions are "
        "added to it."
    ),
    "slot_subtracted": "The gradient was subtracted from the array in gradients_to_update; it is added to it.",
    "sign_lost": "These are the right numbers without their signs: look for an absolute value.",
    "cut_at_zero": (
        "The positive numbers are right and the negative ones became zero: look for a maximum with zero, or with what was "
        "there before. Contributions are added."
    ),
    "cut_off": "The numbers are right, but the large ones were cut off at a limit (np.clip).",
    "multiplied": "The contributions were multiplied with each other. The gradients of several paths are added.",
    "output_as_gradient": (
        "The backward function got the operation's output where the gradient of that output belongs: f(grad_output, *inputs)."
    ),
    "rounded": "These are the right numbers, rounded. Keep all digits; rounding also makes the derivative zero.",
    "not_transposed": (
        "This is the product with W where W.T is meant: y = x W.T + b.T. Square weights hide it from the shapes."
    ),
    "returned_class": (
        "A class came back where an array was expected. An exception is raised (raise NotImplementedError), not "
        "returned."
    ),
    "state_unset": (
        ".state is None after the call: forward keeps its output there (self.state = ...), and returns that same array."
    ),
    "shared_state": (
        "The gradient uses what another object of the same class has kept. A network has several of them: keep arrays in "
        "self or in the backward function, not in the class or in a global variable."
    ),
    "earlier_output": (
        "This is the output of an earlier call of the same layer. Compute it anew in each forward, whatever the layer has kept."
    ),
    "layer_shape": "The checks put weights of their own into the layer, so its arrays have the shapes of the handout.",
    "missing_file": (
        "Every exercise in this file waits for it. Put the file back where the handout has it, with its name as it was."
    ),
    "missing_module": (
        "This file is not among those that are handed in. If the handout has it, put it back; if it is your own, it belongs "
        "into mytorch/, with the name by which it is imported."
    ),
    "state": ".state should hold the output of the last forward call.",
    # The engine
    "forwards": (
        "This is what comes out if backward goes through the list from its beginning. Which operation's output is the "
        "one whose gradient you know at the start?"
    ),
    "lookup": (
        "Nothing arrived beyond the last operation. Is the gradient to start from right (for the very output, ones)? Does the "
        "walk go on after the first step (no return or break inside the loop)? Does every other operation start with the "
        "gradient of its output, for which the buffer is asked with that very array?"
    ),
    "lost_lookup": (
        "The buffer was asked for an array without a spot. Every input has one, the last output has none: its gradient is "
        "the one that backward was given. Does backward begin at the end of the list, ask for the gradient of the output, "
        "and leave the spots where they are?"
    ),
    "unused_lookup": (
        "Nobody used the output of this operation, so it has neither a spot nor a gradient. Pass the operation over; "
        "is_in_memory of the buffer tells whether there is a spot."
    ),
    "spot_gone": (
        "The array was recorded as an input, but after backward it has no spot. backward leaves the gradients in the buffer, "
        "where they are read; zero_grad() is what empties it."
    ),
    "gradient_last": (
        "The arguments of the backward function are in another order: it is called as f(grad_output, *inputs), "
        "gradient first."
    ),
    "engine_doubles": (
        "One contribution was counted twice on top of the other. The buffer's update_param already adds; see what "
        "else is added."
    ),
    "start_ignored": "The gradient that backward was given is ignored; backward starts as if it were all ones.",
    "start_is_output": (
        "The output's values were used as the gradient to start from. When backward gets the very array that an "
        "operation produced, its gradient is one."
    ),
    "slot_unchanged": (
        "The array in gradients_to_update was not changed. It is the layer's own dW: add into that array, in place, "
        "so that the layer sees it (dW = dW + g only makes a new array with that name)."
    ),
    "slot_overwritten": (
        "What had been in gradients_to_update is gone. Gradients are added to it until someone sets them to zero."
    ),
    "not_listed": (
        "An array was recorded in place of a list, so each of its rows counted as an input. inputs and gradients_to_update "
        "have one entry per input, also for a single one: [x] and [None]."
    ),
    "slot_shape": (
        "This input and its entry in gradients_to_update have different shapes. The entry stands at its input's own place "
        "and in the same form: where W.T is the input, dW.T is the array to update."
    ),
    "slot_doubled": "The contribution arrived twice in gradients_to_update.",
    "slot_count": (
        "gradients_to_update has another number of entries than inputs. It has one entry per input, None for one whose "
        "gradient belongs into the buffer."
    ),
    "slot_is_input": (
        "The input itself stands in gradients_to_update, so its gradient was added to its own numbers. The entry for W.T is "
        "dW.T."
    ),
    "slot_hides": (
        "gradients_to_update holds an array for this input, so the gradient went there and not on to the operation before. "
        "Only a layer's own dW and db stand there; for every other input write None."
    ),
    "recorded_late": (
        "This operation was recorded before the one that computes its input, so backward reaches it too late. Record each step "
        "right after you have computed it."
    ),
    "slot_place": (
        "A gradient went to the wrong place. gradients_to_update belongs to one operation and has one entry per input: use "
        "the entry at the input's own place, and the buffer where that entry is None."
    ),
    "further_inputs": (
        "The first two inputs got their gradients and a later one did not. An operation may have any number of inputs: go "
        "through all of them."
    ),
    "shared_gradient": (
        "A backward function may return one array for two inputs, or the very array that it was given. If you store it and "
        "later add to it in place, the gradient of another array changes too. Make a new array (old + new), or store a copy."
    ),
    "none_stops": (
        "The walk ended, or left an operation out, where no gradient came. Nothing flows there, so go on with the next input "
        "and the next operation: continue, not break or return."
    ),
    "none_starts": (
        "An operation to which no gradient flowed got the gradient that backward was given. That one belongs to the last "
        "operation's output alone."
    ),
    "same_numbers": (
        "Two arrays with the same numbers were taken for one. An array is known by its place in memory, not by its numbers; "
        "ask the buffer with the very array."
    ),
    "start_by_value": (
        "An array with the same numbers as the output was taken for the output itself. It is another variable: compare with "
        "`is`, not by value."
    ),
    "lengths": (
        "inputs and gradients_to_update of different lengths were accepted, and equal ones must be. Raise an error if the "
        "lengths differ, before anything is recorded."
    ),
    "not_recorded": "Operations are missing from operation_list, or there are too many. Each call appends exactly one.",
    "record_identity": (
        "The list does not hold the very object that was given. Append an Operation that keeps the arrays themselves, not "
        "copies, each under its own name."
    ),
    "recorded_in_pause": (
        "An operation was recorded inside of paused(). There self.recording is False: add_operation then returns "
        "before it records anything."
    ),
    "spot_missing": "An input has no spot in the gradient buffer. Every input gets one, also the second and the third.",
    "stale": (
        "Something of the first step is left over in the second. After zero_grad() nothing of the old list may count."
    ),
    "accumulate": (
        "Gradients of a second backward are added to the first ones until zero_grad() is called; here they are not."
    ),
    "wrong": (
        "The numbers differ from the expected ones. Take the smallest case, work it out by hand and compare step by "
        "step."
    ),
    **HINTS_OF_ERRORS,
}
# Hints that claim no misconception: they say that the cause is not known, and how to look for it.
UNSPECIFIC = frozenset({"wrong", "engine_unknown", "layer_unknown", "raised", "died", "malformed"})
