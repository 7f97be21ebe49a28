"""Reasons for which a mutant may keep all its marks."""

# ruff: noqa: E501  (a pattern reads best on one line)

from __future__ import annotations

import re

SAME = "it computes the same"
COPY = "a copy or another list, where only the arrays in it count"
AGAIN = "the same thing a second time, which changes nothing"
ORDER = "two statements that do not depend on each other change places"
ZEROS = "a spot that is empty counts as zeros"
UNUSED = "nothing reads it"
PAUSE = "practice: the pause is worth no marks"
PRACTICE = "practice: this exercise is worth no marks"

# Function, change and reason; the first two are regular expressions. A change reads "lines that went  ->  lines that came",
# or "moved" and the lines whose place changed.
REASONS: list[tuple[str, str, str]] = [
    (r"MLP\.|get_training_stats|MSELoss|max_backward|sum_backward", "", PRACTICE),
    (r"Autograd\.add_operation", r"^(if not self\.recording|return  ->  pass)", PAUSE),
    # Engines
    (r"Autograd\.add_operation", r"^moved  ", ORDER),
    (r"Autograd\.add_operation", r"Operation\(.*->.*(inputs\.copy|update\.copy|Operation\(inputs, output, list|list\(inputs\), output, grad)", COPY),
    (r"Autograd\.add_operation", r"^self\.operation_list \+= .*->  self\.operation_list = self\.operation_list \+ ", SAME),
    (r"Autograd\.add_operation", r"^nothing  ->  .*(add_spot|set_param)", AGAIN),
    (r"Autograd\.add_operation", r"is_in_memory\(one\)\]  ->  .* for one in inputs\]$", AGAIN),
    (r"Autograd\.add_operation", r"is_in_memory\(array\):  ->  if True:", AGAIN),
    (r"Autograd\.add_operation", r"set_param\(array, np\.zeros\(array\.shape\)\)  ->", ZEROS),
    (r"Autograd\.backward", r"^moved  ", ORDER),
    (r"Autograd\.backward", r"^nothing  ->  return$", "a return at the end of the function"),
    (r"Autograd\.backward", r"number > 0:  ->  if number( != 0)?:", SAME),
    (r"Autograd\.backward", r"\(tuple, list\).*->.*(\(list, tuple\)|\(tuple,\))|\(list, tuple\).*->.*\(tuple, list\)", "a rule of several inputs returns a tuple"),
    (r"Autograd\.backward", r"->.*(value|gradients|below|result)\.copy\(\)", COPY),
    (r"Autograd\.backward", r"index -= 1  ->  index = index - 1|np\.add\(.*->  np\.add\(below", SAME),
    (r"Autograd\.backward", r"^nothing  ->  self\.gradient_buffer\.(set_param|add_spot)\(", AGAIN),
    (r"Autograd\.backward", r"set_param\(last\.output.*->  self\.gradient_buffer\.update_param", "the last output's spot is new, so adding is setting"),
    (r"Autograd\.backward", r"\[\.\.\.\] \+= gradient  ->  .*\[\.\.\.\] \+ gradient$", SAME),
    # Backward functions
    (r"(log|exp|mul)_backward", r"\.copy\(\)$", COPY),
    (r"outer_backward", r"\(a\.ravel\(\) @ grad_output\).*->.*\(a @ grad_output\)\.reshape", "a row times a matrix is reshaped to the same"),
    (r"SoftmaxCrossEntropy_backward", r"->  e = -np\.exp", "the sign goes out of the quotient"),
    (r"SoftmaxCrossEntropy", r"len\((pred|y)\).*->.*len\((ground_truth|y_hat)\)", "truth and scores have the same number of rows"),
    (r"SoftmaxCrossEntropy_backward", r"grad_output\[0\].*->.*grad_output(\[-1\])?, None", "grad_output has one entry"),
    (r"SoftmaxCrossEntropy", r"(None\)\)?|, None\))  ->.*,\)\)?$", "None for the last input may be left out of the tuple where the engine pairs inputs and gradients"),
    # Activations
    (r"(Sigmoid|Tanh)\.forward", r"^moved  ", ORDER),
    (r"(Sigmoid|Tanh)\.forward", r"self\.state = y = ", SAME),
    (r"(Sigmoid|Tanh)\.forward", r"->  record\(\[-?(zero|one)(\.copy\(\))?, |-np\.zeros_like\(x\)", "a constant's sign, place and gradient do not count in a sum"),
    (r"(Sigmoid|Tanh)\.forward", r"->  record\(\[(power, one|down, up)\], below", "a sum's inputs change places, with the same gradients"),
    (r"Sigmoid\.forward", r"getattr\(self, 'history'", UNUSED),
    (r"Sigmoid\.forward", r"^positive = x >= 0  ->  positive = (True|False|x|x < 0)$", "practice: values beyond 30 are worth no marks"),
    (r"Sigmoid\.forward", r"^positive = x >= 0  ->  positive = x >", "near 0 both formulas give the same numbers"),
    (r"ReLU\.forward", r"np\.maximum\(x, 0\)  ->  self\.state = np\.maximum\(0, x\)", SAME),
    # Losses and Linear
    (r"SoftmaxCrossEntropy\.forward", r"^moved  ", ORDER),
    (r"SoftmaxCrossEntropy\.forward", r"->  self\.loss_val = np\.mean\(", "practice: the loss's shape is worth no marks"),
    (r"SoftmaxCrossEntropy\.forward", r"float\(len\(y\)\)  ->", SAME),
    (r"SoftmaxCrossEntropy\.forward", r"->.*\[(y_hat|difference), (y\.copy\(\)|-top|top\.copy\(\))\]", "no gradient flows to this input, and its rule does not read it"),
    (r"SoftmaxCrossEntropy\.forward", r"lambda g, a: g \* np\.ones_like\(a\).*->.*lambda g, a: g(\)|  / np|  ?/ np\.ones_like\(a\)\))$", "the engine's addition broadcasts the gradient"),
    (r"SoftmaxCrossEntropy\.forward|Linear\.forward", r"->.*g\.copy\(\)", COPY),
    (r"Linear\.forward", r"^moved  ", ORDER),
    (r"Linear\.forward", r"^self\.x = x  ->", UNUSED),
    (r"Linear\.forward", r"->.*\[.*(-self\.b|self\.b\.copy|self\.b\.T\.copy|-self\.b\.T|self\.W\.copy|self\.W\.T\.copy)", "the gradient goes to the slot, and the rule reads the same numbers or none"),
    (r"Linear\.forward", r"np\.ones\(\(len\(x\), 1\)\).*->", "a row is broadcast to all samples"),
    (r"Linear\.forward", r"self\.b\[:, 0\]  ->.*self\.b\[:, -1\]$", "b has one column"),
    (r"Identity\.forward", r"^moved  |zero", "zeros are added, whose sign, place and gradient do not count"),
]  # fmt: skip


def reason(style: str, function: str, change: str) -> str:
    """The reason for a mutant that survives; empty if none is known."""
    return next((why for where, what, why in REASONS if re.match(where, function) and re.search(what, change)), "")
