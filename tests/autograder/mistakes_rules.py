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
    rule("sub: no sum for the first input", SUB, "return grad_output, fit(-grad_output, b)", {"not_summed"}, partial=True),
    rule("sub: the first input's sum over every axis", SUB, "return fit(grad_output, a), np.full(b.shape, -grad_output.sum() / b.size)", {"derivative"}),
    rule("sub: changes grad_output's sign in place", SUB, "return fit(grad_output.copy(), a), fit(np.negative(grad_output, out=grad_output), b)", {"in_place"}),
    rule("sub: the second is None", SUB, "return fit(grad_output, a), None", {"none"}),
    rule("mul: always a sum over the first axis", MUL, "return fit(grad_output * b, a), (grad_output * a if a.shape == b.shape else (grad_output * a).sum(axis=0))", {"wrong_shape", "not_summed", "oversummed"}, partial=True),
    rule("mul: kept axes are lost", MUL, "def lost(g, x):\n        g = fit(g, x)\n        return g if x.shape == grad_output.shape else g.reshape(-1)\n\n    return lost(grad_output * b, a), lost(grad_output * a, b)", {"wrong_shape"}, partial=True),
    rule("mul: sums over kept axes alone", MUL, "def kept(g, x):\n        axes = tuple(i for i, n in enumerate(x.shape) if n == 1 and g.ndim == x.ndim)\n        return g.sum(axis=axes, keepdims=True) if axes else g\n\n    return kept(grad_output * b, a), kept(grad_output * a, b)", {"not_summed"}, partial=True),
    rule("mul: sums over added axes alone", MUL, "def added(g, x):\n        return g.sum(axis=tuple(range(g.ndim - x.ndim)))\n\n    return added(grad_output * b, a), added(grad_output * a, b)", {"not_summed"}, partial=True),
    rule("mul: the mean over stretched axes", MUL, "return fit(grad_output * b, a) * a.size / grad_output.size, fit(grad_output * a, b) * b.size / grad_output.size", {"batch_mean", "factor"}, partial=True),
    rule("mul: narrow floats", MUL, "return fit(grad_output * b, a).astype(np.float32), fit(grad_output * a, b).astype(np.float32)", {"narrowed"}),
    rule("mul: sign lost", MUL, "return fit(grad_output * np.abs(b), a), fit(grad_output * np.abs(a), b)", {"derivative"}),
    rule("div: the divisor's size alone counts", DIV, "return fit(grad_output / np.abs(b), a), fit(-grad_output * a / (b * np.abs(b)), b)", {"derivative"}, partial=True),
    rule("div: the divisor's sign is lost in its own gradient", DIV, "return fit(grad_output / b, a), fit(-grad_output * a / (np.abs(b) * b), b)", {"derivative"}, partial=True),
    rule("div: logarithm of a negative divisor", DIV, "return fit(grad_output / b, a), fit(-grad_output * a * np.exp(-2 * np.log(b)), b)", {"nonfinite"}, partial=True),
    rule("div: numerator and divisor exchanged", DIV, "return fit(grad_output / a, a), fit(-grad_output * b / a**2, b)", {"derivative"}),
    rule("div: the numerator is forgotten", DIV, "return fit(grad_output / b, a), fit(-grad_output / b**2, b)", {"derivative"}),
    rule("div: the quotient's gradient for both", DIV, "return fit(grad_output / b, a), fit(grad_output / b, b)", {"other_input", "derivative"}),
    rule("exp: opposite sign", EXP, "return -grad_output * np.exp(a)", {"sign"}),
    rule("exp: negative exponent", EXP, "return grad_output * np.exp(-a)", {"derivative"}),
    rule("exp: minus one", EXP, "return grad_output * np.expm1(a)", {"derivative"}),
    rule("exp: base two", EXP, "return grad_output * 2.0**a", {"derivative"}),
    rule("exp: grad_output in the exponent", EXP, "return np.exp(a * grad_output)", {"derivative"}),
    rule("exp: writes into grad_output", EXP, "grad_output *= np.exp(a)\n    return grad_output", {"in_place"}),
    rule("exp: right for positive numbers alone", EXP, "return grad_output * np.exp(np.abs(a))", {"derivative"}, partial=True),
    rule("exp: narrow floats", EXP, "return (grad_output * np.exp(a)).astype(np.float32)", {"narrowed"}),
    rule("exp: three terms of its series", EXP, "return grad_output * (1 + a + a**2 / 2)", {"derivative"}),
    rule("log: the other way up", LOG, "return a / grad_output\n", {"derivative"}),
    rule("log: grad_output forgotten", LOG, "return 1 / a\n", {"grad_ignored"}),
    rule("log: times its input", LOG, "return grad_output * a\n", {"derivative"}),
    rule("log: an epsilon in the divisor", LOG, "return grad_output / (a + 1e-6)\n", {"digits"}),
    rule("matmul: element by element", MATMUL, "return grad_output * b, grad_output * a", {"shapes_clash"}),
    rule("matmul: opposite sign of the second", MATMUL, "return grad_output @ b.T, -(a.T @ grad_output)", {"sign"}),
    rule("matmul: the first is the product's gradient alone", MATMUL, "return grad_output, a.T @ grad_output", {"passed_through", "wrong_shape", "oversummed"}),
    rule("matmul: ones in place of the second factor", MATMUL, "return grad_output @ np.ones_like(b).T, a.T @ grad_output", {"derivative"}),
    rule("matmul: a vector out of a row", MATMUL, "return (grad_output @ b.T).squeeze(), a.T @ grad_output", {"wrong_shape"}, partial=True),
    rule("matmul: narrow floats", MATMUL, "return (grad_output @ b.T).astype(np.float32), (a.T @ grad_output).astype(np.float32)", {"narrowed"}),
    rule("outer: vectors of one axis alone", OUTER, "return grad_output @ b, a @ grad_output", {"shapes_clash"}, partial=True),
    rule("outer: flat gradients for rows", OUTER, "return grad_output @ b.ravel(), a.ravel() @ grad_output", {"wrong_shape"}, partial=True),
    rule("outer: opposite sign of the second", OUTER, OUTER.replace("(a.ravel() @ grad_output)", "(-a.ravel() @ grad_output)"), {"sign"}),
    rule("mul: summed over all axes", MUL, "return tuple(g if g.shape == x.shape else np.sum(g) for g, x in ((grad_output * b, a), (grad_output * a, b)))", {"oversummed"}, partial=True),
    rule("matmul: outer products", MATMUL, "return np.outer(grad_output, b), np.outer(a, grad_output)", {"wrong_shape"}),
    rule("outer: not summed", OUTER, "return grad_output * b.reshape(1, -1), grad_output * a.reshape(-1, 1)", {"not_summed"}),
    rule("outer: the mean of the columns", OUTER, OUTER.replace("(grad_output @ b.ravel())", "(grad_output @ b.ravel() / b.size)"), {"factor"}, partial=True),
]  # fmt: skip

SUM = "return np.ones_like(a) * grad_output"
MAXIMUM = "return grad_output * (a > 0)"
PRACTICE_MISTAKES = [
    Mistake("sum: the mean's gradient", [(FUNCTIONAL, SUM, SUM + " / a.size")], set(), {"factor"}),
    Mistake("maximum: through at exactly 0", [(FUNCTIONAL, MAXIMUM, MAXIMUM.replace(">", ">="))], {"ReLU Backward"}, {"at_zero"}),
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
    loss("mean squared error: scaled by its own loss", "slope = grad * 2", "slope = self.loss_val * 2", set(), {"not_proportional"}),
    rule("cross-entropy: grad_output is ignored", CE_RULE, CE_RULE.replace("grad_output * ", ""), {"grad_ignored"}, True, {BACKWARD}),
    rule("cross-entropy: one maximum for all rows in the gradient", CE_SHIFT, "e = np.exp(pred - pred.max())", {"overflow"}, True, {BACKWARD}),
    rule("cross-entropy: shifted by the smallest score", CE_SHIFT, CE_SHIFT.replace("pred.max", "pred.min"), {"overflow"}, True, {BACKWARD}),
    rule("cross-entropy: the gradient's softmax over the samples", CE_RULE, CE_RULE.replace("e.sum(axis=1, keepdims=True)", "e.sum(axis=0, keepdims=True)"), {"softmax_axis", "labels_ignored", "derivative", "zero"}, costs={BACKWARD}),
    rule("cross-entropy: the gradient at the true class alone", CE_RULE, CE_RULE.replace("- ground_truth) / len(pred)", "- ground_truth) * ground_truth / len(pred)"), {"derivative"}, costs={BACKWARD}),
    rule("cross-entropy: minus the truth twice", CE_RULE, CE_RULE.replace("- ground_truth)", "- 2 * ground_truth)"), {"derivative"}, costs={BACKWARD}),
    rule("cross-entropy: the softmax's own derivative", CE_RULE, "p = e / e.sum(axis=1, keepdims=True)\n    return grad_output * p * (1 - p) / len(pred), None", {"derivative"}, costs={BACKWARD}),
    rule("cross-entropy: narrow floats in the gradient", CE_RULE, CE_RULE.replace("return grad_output", "return np.float32(1) * grad_output").replace(" / len(pred)", " / len(pred)").replace("(e / e", "(e.astype(np.float32) / e"), {"digits"}, costs={BACKWARD}),
    loss("cross-entropy: one maximum for all rows", "y_hat.max(axis=1, keepdims=True)", "y_hat.max()", {FORWARD}, {"overflow"}, True),
    loss("cross-entropy: shifted by the largest size", "y_hat.max(axis=1, keepdims=True)", "np.abs(y_hat).max(axis=1, keepdims=True)", {FORWARD}, {"overflow"}, True),
    loss("cross-entropy: shifted by the mean score", "y_hat.max(axis=1, keepdims=True)", "y_hat.mean(axis=1, keepdims=True)", {FORWARD}, {"overflow"}, True),
    loss("cross-entropy: base ten", CE_VALUE, CE_VALUE.replace("logs)", "logs) / np.log(10)"), {FORWARD}, {"log_base"}),
    loss("cross-entropy: averaged twice", CE_VALUE, CE_VALUE.replace("len(y)", "len(y) ** 2"), {FORWARD}, {"divided_twice"}, True),
    loss("cross-entropy: the largest probability in place of the true one", CE_VALUE, CE_VALUE.replace("np.sum(y * logs)", "np.sum(logs.max(axis=1))"), {FORWARD}, {"labels_ignored"}),
    loss("cross-entropy: a tiny epsilon inside of the log", "logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))", "logs = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True) + 1e-10)", {FORWARD}, {"clipped"}, True),
    loss("cross-entropy: probabilities are clipped", "logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))", "logs = np.log(np.clip(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True), 1e-12, 1))", {FORWARD}, {"clipped"}, True),
    loss("cross-entropy: the scores are clipped", "shifted = y_hat - y_hat.max(axis=1, keepdims=True)", "shifted = np.clip(y_hat, -50, 50)", {FORWARD}, {"clipped"}, True),
    loss("cross-entropy: returns another array than it recorded", CE_RECORD + "\n        return self.loss_val", CE_RECORD + "\n        return self.loss_val + 0", {BACKWARD}, {"copied", "no_spot", "zero", "key", "empty_spot"}, True),
    loss("cross-entropy: changes the truth", CE_VALUE, "y *= logs\n        self.loss_val = np.array([-np.sum(y) / len(y)])", {FORWARD, BACKWARD}, {"in_place"}),
    loss("cross-entropy: every class on its own", CE_VALUE, CE_VALUE.replace("y * logs", "y * logs + (1 - y) * np.log(1 - np.exp(logs))"), {FORWARD}, {"wrong"}),
    loss("cross-entropy: the result of the rule is recorded", CE_RECORD, CE_RECORD.replace("SoftmaxCrossEntropy_backward)", "SoftmaxCrossEntropy_backward(1, y_hat, y))"), {BACKWARD}, {"not_callable"}),
    rule("cross-entropy: a matrix product with grad_output", CE_RULE, CE_RULE.replace("grad_output * (", "grad_output @ ("), {"wrong_shape"}, costs={BACKWARD}),
    rule("cross-entropy: scores and truth exchanged in the gradient", CE_SHIFT, "pred, ground_truth = ground_truth, pred\n    " + CE_SHIFT, {"labels_swapped"}, costs={BACKWARD}),
    rule("cross-entropy: the truth as a mask", CE_RULE, CE_RULE.replace(" - ground_truth)", " * (1 - ground_truth))"), {"truth_masks"}, costs={BACKWARD}),
    loss("cross-entropy: a loss of another shape", CE_VALUE, CE_VALUE.replace("[-np.sum(y * logs) / len(y)]", "-np.sum(y * logs) / len(y)"), set(), {"scalar_loss"}),
]  # fmt: skip
