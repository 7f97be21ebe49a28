"""Mistakes in the backward functions and in the losses."""

# ruff: noqa: E501  (a patch reads best on one line)

from __future__ import annotations

from autograder.exercises import EXERCISES
from tests.autograder.mistakes_engine import CE, Mistake
from tests.autograder.solutions import FUNCTIONAL, LOSS

F = "Functional"
SUB = "return fit(grad_output, a), fit(-grad_output, b)"
MUL = "return fit(grad_output * b, a), fit(grad_output * a, b)"
DIV = "return fit(grad_output / b, a), fit(-grad_output * a / b**2, b)"
MATMUL = "return grad_output @ b.T, a.T @ grad_output"
OUTER = "return (grad_output @ b.ravel()).reshape(a.shape), (a.ravel() @ grad_output).reshape(b.shape)"
EXP = "return grad_output * np.exp(a)"
LOG = "return grad_output / a\n"
ADD_RULE = "return fit(grad_output, a), fit(grad_output, b)"
CE_RULE = "return grad_output * (e / e.sum(axis=1, keepdims=True) - ground_truth) / len(pred), None"
CE_SHIFT = "e = np.exp(pred - pred.max(axis=1, keepdims=True))"
CE_VALUE = "self.loss_val = np.array([-np.sum(y * logs) / len(y)])"
CE_RECORD = "self.autograd_engine.add_operation([y_hat, y], self.loss_val, [None, None], SoftmaxCrossEntropy_backward)"
FORWARD, BACKWARD = f"{CE} Forward", f"{CE} Backward"

# Activations, losses and Linear import this file, so they need it.
NEED_FUNCTIONAL = {e.name for e in EXERCISES if e.points and not e.name.startswith("Autograd")}


def rule(
    name: str, old: str, new: str, hints: set[str], partial: bool = False, costs: set[str] | None = None
) -> Mistake:
    return Mistake(name, [(FUNCTIONAL, old, new)], costs or {F}, hints, partial=partial)


def loss(name: str, old: str, new: str, costs: set[str], hints: set[str], partial: bool = False) -> Mistake:
    return Mistake(name, [(LOSS, old, new)], costs, hints, partial=partial)


RULE_MISTAKES = [
    Mistake(
        "every function is a copy of add",
        [(FUNCTIONAL, old, ADD_RULE) for old in (SUB, MUL, DIV, MATMUL, OUTER)] + [(FUNCTIONAL, EXP, "return grad_output"), (FUNCTIONAL, LOG, "return grad_output\n")],
        {F}, {"sign"},
    ),
    rule("sub: both signs plus", SUB, ADD_RULE, {"sign"}),
    rule("sub: the minus on the first", SUB, "return fit(-grad_output, a), fit(grad_output, b)", {"sign", "swapped"}),
    rule("sub: no sum over broadcast axes", SUB, "return grad_output, -grad_output", {"not_summed"}, partial=True),
    rule("mul: no sum over broadcast axes", MUL, "return grad_output * b, grad_output * a", {"not_summed"}, partial=True),
    rule("div: no sum over broadcast axes", DIV, "return grad_output / b, -grad_output * a / b**2", {"not_summed"}, partial=True),
    rule("sub: mean over broadcast axes", SUB, "return fit(grad_output, a), -fit(grad_output, b) * b.size / grad_output.size", {"batch_mean", "factor"}, partial=True),
    rule("mul: the first row in place of the sum", MUL, "return fit(grad_output * b, a), (grad_output * a)[:1].reshape(b.shape) if b.size == a.shape[-1] and b.ndim < 3 else fit(grad_output * a, b)", {"first_row", "shapes_clash"}, partial=True),
    rule("mul: swapped", MUL, "return fit(grad_output * a, a), fit(grad_output * b, b)", {"other_input", "swapped"}),
    rule("mul: without grad_output", MUL, "return fit(b + 0 * grad_output, a), fit(a + 0 * grad_output, b)", {"grad_ignored"}),
    rule("mul: returns the product", MUL, "return fit(grad_output * a * b, a), fit(grad_output * a * b, b)", {"times_forward"}),
    rule("mul: changes grad_output", MUL, "keep = grad_output * a\n    grad_output *= np.broadcast_to(b, grad_output.shape)\n    return fit(grad_output, a), fit(keep, b)", {"in_place"}),
    rule("div: sign forgotten", DIV, "return fit(grad_output / b, a), fit(grad_output * a / b**2, b)", {"sign"}),
    rule("div: square forgotten", DIV, "return fit(grad_output / b, a), fit(-grad_output * a / b, b)", {"derivative", "times_forward", "sign"}),
    rule("div: the other way up", DIV, "return fit(grad_output * b, a), fit(-grad_output * a / b**2, b)", {"derivative"}),
    rule("div: whole numbers", DIV, "return fit(grad_output // b, a), fit(-grad_output * a / b**2, b)", {"derivative"}),
    rule("exp: times the exponent", EXP, "return grad_output * a * np.exp(a)", {"derivative"}),
    rule("exp: without grad_output", EXP, "return np.exp(a)", {"grad_ignored", "forward_value"}),
    rule("exp: the exponent alone", EXP, "return grad_output * a", {"derivative"}),
    rule("exp: grad_output passed through", EXP, "return grad_output", {"passed_through"}),
    rule("exp: None comes back", EXP, "grad_output * np.exp(a)", {"none"}),
    rule("log: forward value", LOG, "return np.log(a)\n", {"forward_value"}),
    rule("log: times log", LOG, "return grad_output * np.log(a)\n", {"times_forward"}),
    rule("log: a square too much", LOG, "return grad_output / a**2\n", {"derivative"}),
    rule("log: base ten", LOG, "return grad_output / (a * np.log(10))\n", {"factor"}),
    rule("log: changes its input", LOG, "a **= -1\n    return grad_output * a\n", {"in_place"}),
    rule("matmul: factors not transposed", MATMUL, "return grad_output @ b, a @ grad_output", {"shapes_clash"}),
    rule("matmul: right for square arrays alone", MATMUL, "return grad_output @ (b if b.shape[0] == b.shape[1] else b.T), a.T @ grad_output", {"derivative"}, partial=True),
    rule("matmul: the second transposed", MATMUL, "return grad_output @ b.T, grad_output.T @ a", {"transposed"}),
    rule("matmul: swapped", MATMUL, "return a.T @ grad_output, grad_output @ b.T", {"swapped"}),
    rule("matmul: mean over the batch", MATMUL, "return grad_output @ b.T, a.T @ grad_output / len(a)", {"batch_mean"}, partial=True),
    rule("matmul: only the first row", MATMUL, "return grad_output @ b.T, np.outer(a[0], grad_output[0])", {"first_row"}, partial=True),
    rule("matmul: one gradient alone", MATMUL, "return grad_output @ b.T", {"not_tuple"}),
    rule("outer: swapped", OUTER, "return a @ grad_output, grad_output @ b", {"swapped"}),
    rule("outer: right for equal lengths alone", OUTER, "return grad_output @ b, grad_output @ a", {"shapes_clash"}),
    rule("outer: sums forgotten", OUTER, "return grad_output * b, grad_output.T * a", {"not_summed"}),
    rule("a syntax error", LOG, "return grad_output / a)\n", {"cannot_import"}, costs=NEED_FUNCTIONAL),
    rule("a name that was deleted", "def outer_backward", "def outer_backwards", {"missing_name"}),
]  # fmt: skip

LOSS_MISTAKES = [
    rule("cross-entropy: gradient not divided by N", CE_RULE, CE_RULE.replace(" / len(pred)", ""), {"not_averaged"}, True, {BACKWARD}),
    rule("cross-entropy: divided by N twice", CE_RULE, CE_RULE.replace("len(pred)", "len(pred) ** 2"), {"divided_twice"}, True, {BACKWARD}),
    rule("cross-entropy: divided by all entries", CE_RULE, CE_RULE.replace("len(pred)", "pred.size"), {"mean_over_entries"}, costs={BACKWARD}),
    rule("cross-entropy: labels ignored", CE_RULE, CE_RULE.replace(" - ground_truth", ""), {"labels_ignored"}, costs={BACKWARD}),
    rule("cross-entropy: opposite sign", CE_RULE, CE_RULE.replace("grad_output * (", "-grad_output * ("), {"sign"}, costs={BACKWARD}),
    rule("cross-entropy: no softmax in the gradient", CE_RULE, "return grad_output * (pred - ground_truth) / len(pred), None", {"no_softmax"}, costs={BACKWARD}),
    rule("cross-entropy: no max shift in the gradient", CE_SHIFT, "e = np.exp(pred)", {"overflow"}, True, {BACKWARD}),
    rule("cross-entropy: one maximum for all rows and no keepdims", CE_RULE, CE_RULE.replace("e.sum(axis=1, keepdims=True)", "e.sum()"), {"softmax_axis"}, True, {BACKWARD}),
    rule("cross-entropy: the truth's gradient first", CE_RULE, CE_RULE.replace("return ", "return None, ").replace(", None\n", "").removesuffix(", None"), {"zero", "empty_spot"}, costs={BACKWARD}),
    loss("cross-entropy: summed over the batch", CE_VALUE, CE_VALUE.replace(" / len(y)", ""), {FORWARD}, {"not_averaged"}, True),
    loss("cross-entropy: mean over all entries", CE_VALUE, "self.loss_val = np.array([-np.mean(y * logs)])", {FORWARD}, {"mean_over_entries"}),
    loss("cross-entropy: minus forgotten", CE_VALUE, CE_VALUE.replace("[-", "["), {FORWARD}, {"sign"}),
    loss("cross-entropy: base two", CE_VALUE, CE_VALUE.replace("logs)", "logs) / np.log(2)"), {FORWARD}, {"log_base"}),
    loss("cross-entropy: one sample alone", CE_VALUE, "self.loss_val = np.array([-np.sum(y[0] * logs[0])])", {FORWARD}, {"first_row"}, True),
    loss("cross-entropy: labels ignored in the value", CE_VALUE, CE_VALUE.replace("y * logs", "logs"), {FORWARD}, {"labels_ignored"}),
    loss("cross-entropy: no max shift", "shifted = y_hat - y_hat.max(axis=1, keepdims=True)", "shifted = y_hat + 0", {FORWARD}, {"overflow"}, True),
    loss("cross-entropy: softmax over the samples", "np.exp(shifted).sum(axis=1, keepdims=True)", "np.exp(shifted).sum(axis=0)", {FORWARD}, {"wrong", "softmax_axis"}),
    loss("cross-entropy: an epsilon inside of the log", "np.log(np.exp(shifted).sum(axis=1, keepdims=True))", "np.log(np.exp(shifted).sum(axis=1, keepdims=True) + 1e-3)", {FORWARD}, {"clipped"}),
    loss("cross-entropy: records nothing", CE_RECORD, "pass", {BACKWARD}, {"nothing_recorded"}),
    loss("cross-entropy: records a copy of the scores", CE_RECORD, CE_RECORD.replace("[y_hat, y]", "[y_hat.copy(), y]"), {BACKWARD}, {"no_spot", "zero"}),
    loss("cross-entropy: records the shifted scores", CE_RECORD, CE_RECORD.replace("[y_hat, y]", "[shifted, y]"), {BACKWARD}, {"no_spot", "zero"}),
    loss("cross-entropy: changes the scores", "shifted = y_hat - y_hat.max(axis=1, keepdims=True)", "y_hat -= y_hat.max(axis=1, keepdims=True)\n        shifted = y_hat", {FORWARD, BACKWARD}, {"in_place"}),
    loss("cross-entropy: truth and scores recorded in the other order", CE_RECORD, CE_RECORD.replace("[y_hat, y]", "[y, y_hat]"), {BACKWARD}, {"truth_first"}),
    loss("mean squared error: summed", "self.loss_val = np.array([np.mean((y - y_hat) ** 2)])", "self.loss_val = np.array([np.sum((y - y_hat) ** 2)])", set(), {"not_averaged"}),
    loss("mean squared error: scaled by its own loss", "slope = grad * 2", "slope = self.loss_val * 2", set(), {"own_loss"}),
]  # fmt: skip
