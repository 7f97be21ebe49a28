"""Mistakes in activations and in Linear, on a student's solution and on the reference."""

# ruff: noqa: E501  (a patch reads best on one line)

from __future__ import annotations

from tests.autograder.mistakes_engine import LINEAR, SKIP, Mistake
from tests.autograder.solutions import ACTIVATION, FUNCTIONAL
from tests.autograder.solutions import LINEAR as LINEAR_FILE
from tests.autograder.solutions import MLP as MLP_FILE

IDENTITY = "self.state = x.copy()"
RELU = "self.state = np.maximum(x, 0)"
RELU_RECORD = "self.autograd_engine.add_operation([x], self.state, [None], functional.max_backward)"
PRODUCT = "self.autograd_engine.add_operation([x, self.W.T], product, [None, self.dW.T], matmul_backward)"
BIAS = "self.autograd_engine.add_operation([product, self.b.T], y, [None, self.db.T], add_backward)"


def both(name: str) -> set[str]:
    return {f"{name} Forward", f"{name} Backward"}


def act(name: str, old: str, new: str, costs: set[str], hints: set[str], partial: bool = False) -> Mistake:
    return Mistake(name, [(ACTIVATION, old, new)], costs, hints, partial=partial)


def lin(name: str, old: str, new: str, costs: set[str], hints: set[str], partial: bool = False) -> Mistake:
    return Mistake(name, [(LINEAR_FILE, old, new)], costs, hints, partial=partial)


def mlp(name: str, old: str, new: str, hints: set[str]) -> Mistake:
    return Mistake(f"MLP: {name}", [(MLP_FILE, old, new)], set(), hints)


def ref(name: str, function: str, body: str, costs: set[str], hints: set[str], partial: bool = False) -> Mistake:
    """The reference with another definition of one of its backward functions."""
    change = (FUNCTIONAL, "", f"def {function}:\n    {body}")
    return Mistake(f"reference: {name}", [change], costs, hints, "reference", partial)


def fused(
    name: str, old: str, new: str, kind: str, hints: set[str], costs: set[str] | None = None, partial: bool = False
) -> Mistake:
    """A mistake in an activation that is one operation with a rule of its own."""
    return Mistake(f"at once: {name}", [(ACTIVATION, old, new)], costs or {f"{kind} Backward"}, hints, "fused", partial)


SIGMOID_RULE, TANH_RULE = "lambda grad, x: grad * y * (1 - y)", "lambda grad, x: (grad * (1 - y * y),)"

ACTIVATION_MISTAKES = [
    act("Identity records its input as its output", IDENTITY, "self.state = x", {"Identity Backward"}, {"same_array"}, True),
    act("Identity returns another array than it recorded", "[None], lambda grad, x: grad)\n        return self.state", "[None], lambda grad, x: grad)\n        return self.state.copy()", {"Identity Backward"}, {"copied"}, True),
    act("Identity passes ones", "lambda grad, x: grad)", "lambda grad, x: np.ones_like(x))", {"Identity Backward"}, {"grad_ignored", "one_path", "derivative"}),
    act("Identity passes its input", "lambda grad, x: grad)", "lambda grad, x: x)", {"Identity Backward"}, {"forward_value", "derivative"}),
    act("ReLU works in its input", RELU, "x[x < 0] = 0\n        self.state = x.copy()", both("ReLU"), {"in_place"}),
    act("ReLU's input recorded without a list", RELU_RECORD, RELU_RECORD.replace("[x]", "x"), {"ReLU Backward"}, {"not_listed"}),
    act("ReLU's backward changes its input", RELU_RECORD, "def rule(grad, x):\n            x[x > 0] = 1\n            x[x <= 0] = 0\n            return grad * x\n\n        self.autograd_engine.add_operation([x], self.state, [None], rule)", {"ReLU Backward"}, {"in_place"}),
    act("ReLU passes everything back", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad"), {"ReLU Backward"}, {"passed_through"}),
    act("ReLU without grad_output", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: 1.0 * (x > 0)"), {"ReLU Backward"}, {"grad_ignored"}),
    act("ReLU gates by the gradient's sign", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (grad > 0)"), {"ReLU Backward"}, {"not_proportional"}),
    act("ReLU multiplies by its output", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * np.maximum(x, 0)"), {"ReLU Backward"}, {"times_forward", "derivative"}),
    act("ReLU keeps its first state", RELU, "y = np.maximum(x, 0)\n        self.state = y if self.state is None or self.state.shape != x.shape else self.state", both("ReLU"), {"earlier_output"}, True),
    act("ReLU's state is not kept", "[None], functional.max_backward)\n        return self.state", "[None], functional.max_backward)\n        result, self.state = self.state, None\n        return result", {"ReLU Forward"}, {"state_unset"}),
    act("ReLU prints and ends the program", RELU, "print('here')\n        raise SystemExit(0)", both("ReLU"), {"exit"}),
    act("Sigmoid records a copy of its input", "record([zero, x], negative, [None, None], functional.sub_backward)\n        power", "record([zero, np.array(x)], negative, [None, None], functional.sub_backward)\n        power", {"Sigmoid Backward"}, {"no_spot", "zero", "one_path"}),
    act("Sigmoid's sign of the exponent", "negative = zero - x\n        record([zero, x], negative, [None, None], functional.sub_backward)\n        power", "negative = x - zero\n        record([x, zero], negative, [None, None], functional.sub_backward)\n        power", both("Sigmoid"), {"sign"}),
    act("Sigmoid forgets to record the exponential", "record([negative], power, [None], functional.exp_backward)\n", "\n", {"Sigmoid Backward"}, {"zero", "key", "one_path"}),
    act("Sigmoid records a temporary", "record([negative], power", "record([zero - x], power", {"Sigmoid Backward"}, {"copied"}),
    act("Tanh forgets the factor in the middle", "above, below = up - down, up + down", "above, below = up - down, up + down + 1", both("Tanh"), {"wrong", "derivative"}),
    act("Tanh records the difference with itself", "record([up, down], below, [None, None], functional.add_backward)", "record([up, up], below, [None, None], functional.add_backward)", {"Tanh Backward"}, {"inputs_mismatch"}),
    act("Tanh rounds its values", "self.state = above / below", "self.state = np.round(above / below, 4)", both("Tanh"), {"rounded"}),
    act("ReLU's state is its first output", RELU + "\n        " + RELU_RECORD + "\n        return self.state", "y = np.maximum(x, 0)\n        self.state = y if self.state is None else self.state\n        " + RELU_RECORD.replace("self.state", "y") + "\n        return y", {"ReLU Forward"}, {"state"}, True),
    act("ReLU lets the gradient through at exactly 0", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (x >= 0)"), {"ReLU Backward"}, {"at_zero"}, True),
    act("ReLU halves the gradient at exactly 0", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (np.sign(x) + 1) / 2"), {"ReLU Backward"}, {"at_zero"}, True),
    act("ReLU masks by its output's being at least 0", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (np.maximum(x, 0) >= 0)"), {"ReLU Backward"}, {"passed_through"}),
    act("ReLU's mask is turned round", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (x < 0)"), {"ReLU Backward"}, {"derivative"}),
    act("ReLU leaks", RELU, "self.state = np.where(x > 0, x, 0.01 * x)", {"ReLU Forward"}, {"negative_side"}),
    act("ReLU is the absolute value", RELU, "self.state = np.abs(x)", {"ReLU Forward"}, {"negative_side"}),
    act("ReLU is the minimum", RELU, "self.state = np.minimum(x, 0)", both("ReLU"), {"negative_side"}),
    act("ReLU stops at six", RELU, "self.state = np.clip(x, 0, 6)", {"ReLU Forward"}, {"clipped"}, True),
    act("ReLU masks one row for all", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "lambda grad, x: grad * (x[:1] > 0)"), {"ReLU Backward"}, {"derivative", "first_row"}, True),
    act("Identity is narrow", IDENTITY, "self.state = x.astype(np.float32)", both("Identity"), {"narrowed"}),
    act("Identity is a view of its input", IDENTITY, "self.state = x[:]", {"Identity Backward"}, {"same_array", "twice", "one_path", "derivative"}, True),
    act("Identity cuts fractions off", IDENTITY, "self.state = x.astype(int)", both("Identity"), {"integer"}),
    act("Identity sends None back", "lambda grad, x: grad)", "lambda grad, x: (None,))", {"Identity Backward"}, {"empty_spot", "zero"}),
    act("Identity doubles what comes back", "lambda grad, x: grad)", "lambda grad, x: 2 * grad)", {"Identity Backward"}, {"twice"}),
    act("Identity is negative", IDENTITY, "self.state = -x", {"Identity Forward"}, {"sign"}),
    act("Identity records nothing", "self.autograd_engine.add_operation([x], self.state, [None], lambda grad, x: grad)", "pass", {"Identity Backward"}, {"nothing_recorded", "copied", "no_spot", "key", "zero"}),
    act("Tanh's exponents exchanged", "up, down = np.exp(x), np.exp(negative)", "up, down = np.exp(negative), np.exp(x)", both("Tanh"), {"sign"}),
    act("Tanh of twice its input", "up, down = np.exp(x), np.exp(negative)", "up, down = np.exp(2 * x), np.exp(-2 * x)", both("Tanh"), {"scaled_input"}),
    act("Identity is zero", IDENTITY, "self.state = np.zeros_like(x)", {"Identity Forward", "Identity Backward"}, {"wrong"}),
    act("ReLU keeps its mask in the class", RELU_RECORD, "ReLU.mask = x > 0\n        self.autograd_engine.add_operation([x], self.state, [None], lambda g, _: g * ReLU.mask)", {"ReLU Backward"}, {"shared_state"}, True),
    act("ReLU returns a tuple", RELU_RECORD + "\n        return self.state", RELU_RECORD + "\n        return self.state, None", both("ReLU"), {"not_array"}),
    act("ReLU has a slot of zeros", RELU_RECORD, RELU_RECORD.replace("[None]", "[np.zeros_like(x)]"), {"ReLU Backward"}, {"slot_hides"}),
    act("ReLU has no entry for its input", RELU_RECORD, RELU_RECORD.replace("[None]", "[]"), {"ReLU Backward"}, {"slot_count"}),
    act("Identity has one entry for two inputs", IDENTITY + "\n        self.autograd_engine.add_operation([x]", "self.state = x + 0\n        self.autograd_engine.add_operation([x, np.array(0.0)]", {"Identity Backward"}, {"slot_count"}),
    act("ReLU is a condition of an array", RELU, "self.state = max(0, x)", both("ReLU"), {"condition"}),
    act("ReLU records its mask for a function", RELU_RECORD, RELU_RECORD.replace("functional.max_backward", "x > 0"), {"ReLU Backward"}, {"not_callable"}),
    act("Sigmoid waits in a debugger", "power = np.exp(negative)", "breakpoint()\n        power = np.exp(negative)", both("Sigmoid"), {"breakpoint"}),
    act("Sigmoid without brackets", "self.state = one / below", "self.state = 1 / 1 + power", both("Sigmoid"), {"inverted"}),
    act("Tanh divides the other way", "self.state = above / below", "self.state = below / above", both("Tanh"), {"inverted"}),
    fused("Sigmoid's slope without its second factor", SIGMOID_RULE, "lambda grad, x: grad * y", "Sigmoid", {"times_forward"}),
    fused("Sigmoid's slope without its first factor", SIGMOID_RULE, "lambda grad, x: grad * (1 - y)", "Sigmoid", {"derivative"}),
    fused("Sigmoid's slope with a plus", SIGMOID_RULE, "lambda grad, x: grad * y * (1 + y)", "Sigmoid", {"derivative"}),
    fused("Sigmoid's slope of the input", SIGMOID_RULE, "lambda grad, x: grad * x * (1 - x)", "Sigmoid", {"wrong_point", "derivative"}),
    fused("Sigmoid's slope without grad_output", SIGMOID_RULE, "lambda grad, x: y * (1 - y)", "Sigmoid", {"grad_ignored"}),
    fused("Sigmoid's slope is negative", SIGMOID_RULE, "lambda grad, x: grad * y * (y - 1)", "Sigmoid", {"sign"}),
    fused("Sigmoid passes everything back", SIGMOID_RULE, "lambda grad, x: grad", "Sigmoid", {"passed_through"}),
    fused("Sigmoid's slope at 0 for every input", SIGMOID_RULE, "lambda grad, x: grad / 4", "Sigmoid", {"derivative", "factor"}),
    fused("Sigmoid saturates at ten", "np.tanh(x / 2)", "np.tanh(np.clip(x, -10, 10) / 2)", "Sigmoid", {"clipped"}, both("Sigmoid"), True),
    fused("Sigmoid's factor in the exponent", "np.tanh(x / 2)", "np.tanh(x)", "Sigmoid", {"scaled_input"}, both("Sigmoid")),
    fused("Sigmoid without its shift", "0.5 * (np.tanh(x / 2) + 1)", "0.5 * np.tanh(x / 2)", "Sigmoid", {"offset"}, both("Sigmoid")),
    fused("Tanh's slope of the input", TANH_RULE, "lambda grad, x: (grad * (1 - x * x),)", "Tanh", {"wrong_point", "derivative"}),
    fused("Tanh's slope without the square", TANH_RULE, "lambda grad, x: (grad * (1 - y),)", "Tanh", {"derivative"}),
    fused("Tanh's slope with a plus", TANH_RULE, "lambda grad, x: (grad * (1 + y * y),)", "Tanh", {"derivative"}),
    fused("Tanh's slope of Sigmoid", TANH_RULE, "lambda grad, x: (grad * y * (1 - y),)", "Tanh", {"derivative"}),
    fused("Tanh's slope squared as a whole", TANH_RULE, "lambda grad, x: (grad * (1 - y) ** 2,)", "Tanh", {"derivative"}),
    fused("Tanh's slope without grad_output", TANH_RULE, "lambda grad, x: (1 - y * y,)", "Tanh", {"grad_ignored"}),
    fused("Tanh's slope averaged over the batch", TANH_RULE, "lambda grad, x: (grad * (1 - y * y) / len(x),)", "Tanh", {"batch_mean"}, partial=True),
    fused("Tanh's function has its arguments exchanged", TANH_RULE, "lambda x, grad: (grad * (1 - np.tanh(x) ** 2),)", "Tanh", {"gradient_last"}),
    fused("Tanh's function takes its input for the gradient", TANH_RULE, "lambda x, grad: (grad * (1 - y * y),)", "Tanh", {"gradient_last"}),
    fused("Tanh keeps its output in a global variable", "y = self.state = np.tanh(x)", "global y\n        y = self.state = np.tanh(x)", "Tanh", {"shared_state"}, partial=True),
    fused("Tanh without brackets", "y = self.state = np.tanh(x)", "y = self.state = (np.exp(x) - np.exp(-x)) / np.exp(x) + np.exp(-x)", "Tanh", {"wrong"}, both("Tanh")),
    fused("Tanh computes in narrow floats", "y = self.state = np.tanh(x)", "y = self.state = np.tanh(x.astype(np.float32)).astype(np.float64)", "Tanh", {"digits"}, both("Tanh")),
]  # fmt: skip

LAYER_MISTAKES = [
    lin("Linear without its bias", "y = product + self.b.T", "y = product + 0 * self.b.T", {LINEAR, SKIP}, {"missing_bias"}),
    lin("Linear adds the bias twice", "y = product + self.b.T", "y = product + 2 * self.b.T", {LINEAR, SKIP}, {"bias_twice"}),
    lin("Linear does not record the bias", BIAS, "product[...] = y\n        y = product", {LINEAR, SKIP}, {"inputs_mismatch"}),
    lin("Linear returns another array than it recorded", BIAS + "\n        return y", BIAS + "\n        return np.array(y)", {LINEAR, SKIP}, {"copied"}, True),
    lin("Linear records a copy of its input", PRODUCT, PRODUCT.replace("[x, self", "[x.copy(), self"), {LINEAR, SKIP}, {"no_spot", "zero", "one_path"}, True),
    lin("Linear's dW in a new array", PRODUCT, PRODUCT.replace("self.dW.T]", "self.dW.T.copy()]"), {LINEAR, SKIP}, {"slot_unchanged", "zero"}),
    lin("Linear's dW is no slot", PRODUCT, PRODUCT.replace("self.dW.T]", "None]"), {LINEAR, SKIP}, {"slot_unchanged", "zero"}),
    lin("Linear's slots in the other order", PRODUCT, PRODUCT.replace("[None, self.dW.T]", "[self.dW.T, None]"), {LINEAR, SKIP}, {"slot_shape"}),
    lin("Linear's db by mean", BIAS, BIAS.replace("add_backward", "lambda g, p, b: (g, g.mean(axis=0, keepdims=True))"), {LINEAR, SKIP}, {"batch_mean"}, True),
    lin("Linear's db from the first row", BIAS, BIAS.replace("add_backward", "lambda g, p, b: (g, g[:1])"), {LINEAR, SKIP}, {"first_row", "derivative", "wrong"}, True),
    lin("Linear's db not summed", BIAS, BIAS.replace("add_backward", "lambda g, p, b: (g, g)"), {LINEAR, SKIP}, {"wrong_shape"}, True),
    lin("Linear stores dW anew", PRODUCT, "self.dW[...] = 0\n        " + PRODUCT, {LINEAR}, {"accumulate", "one_path", "stale"}, True),
    lin("Linear zeroes the engine", "product = x @ self.W.T", "self.autograd_engine.zero_grad()\n        product = x @ self.W.T", {LINEAR, SKIP}, {"slot_unchanged", "zero", "no_spot", "one_path"}, True),
    lin("Linear takes W untransposed where it can", "product = x @ self.W.T", "product = x @ (self.W if self.W.shape[0] == self.W.shape[1] else self.W.T)", {LINEAR, SKIP}, {"not_transposed"}, True),
    lin("Linear's input gradient for square weights", PRODUCT, PRODUCT.replace("matmul_backward", "lambda g, a, b: (g @ (b if b.shape[0] == b.shape[1] else b.T), a.T @ g)"), {LINEAR, SKIP}, {"layer_unknown"}, True),
    lin("Linear averages dW", PRODUCT, PRODUCT.replace("matmul_backward", "lambda g, a, b: (g @ b.T, a.T @ g / len(a))"), {LINEAR, SKIP}, {"batch_mean"}, True),
    lin("Linear takes one row", PRODUCT, PRODUCT.replace("matmul_backward", "lambda g, a, b: (g @ b.T, np.outer(a[0], g[0]))"), {LINEAR, SKIP}, {"first_row", "derivative", "wrong"}, True),
    lin("Linear's bias stays a column", "y = product + self.b.T", "y = product + self.b", {LINEAR, SKIP}, {"shapes_clash"}),
    lin("Linear's dW untransposed", PRODUCT, PRODUCT.replace("self.dW.T]", "self.dW]"), {LINEAR, SKIP}, {"slot_shape"}),
    lin("Linear's gradients go into its momentum", PRODUCT, PRODUCT.replace("self.dW.T]", "self.momentum_W.T]"), {LINEAR, SKIP}, {"slot_unchanged"}),
    lin("Linear's bias is not its slot", BIAS, BIAS.replace("self.db.T]", "None]"), {LINEAR, SKIP}, {"slot_unchanged"}),
    lin("Linear's bias for the first row alone", "y = product + self.b.T", "y = product.copy()\n        y[:1] += self.b.T", {LINEAR, SKIP}, {"first_row"}, True),
    lin("Linear's bias is subtracted", "y = product + self.b.T", "y = product - self.b.T", {LINEAR, SKIP}, {"sign"}),
    lin("Linear writes its result into its input", "product = x @ self.W.T", "product = x @ self.W.T\n        x *= 0", {LINEAR, SKIP}, {"in_place"}),
    lin("Linear computes in narrow floats", "product = x @ self.W.T", "product = (x @ self.W.T).astype(np.float32).astype(float)", {LINEAR, SKIP}, {"digits"}),
    lin("Linear records the sum alone", PRODUCT + "\n", "\n", {LINEAR, SKIP}, {"copied", "no_spot", "zero", "slot_unchanged"}),
    lin("Linear at once, its inputs in another order", PRODUCT + "\n        y = product + self.b.T\n        " + BIAS, "y = product + self.b.T\n        self.autograd_engine.add_operation([self.W, x, self.b], y, [self.dW, None, self.db], lambda g, W, x, b: (g @ W, g.T @ x, g.sum(axis=0)[:, None]))", {LINEAR, SKIP}, {"wrong_shape"}),
    lin("Linear at once, db a row", PRODUCT + "\n        y = product + self.b.T\n        " + BIAS, "y = product + self.b.T\n        self.autograd_engine.add_operation([x, self.W, self.b], y, [None, self.dW, self.db], lambda g, x, W, b: (g @ W, g.T @ x, g.sum(axis=0)))", {LINEAR, SKIP}, {"wrong_shape"}),
    lin("Linear's slot is its weights", PRODUCT, PRODUCT.replace("self.dW.T]", "self.W.T]"), {LINEAR, SKIP}, {"slot_is_input"}),
    lin("Linear records the sum first", PRODUCT + "\n        y = product + self.b.T\n        " + BIAS, "y = product + self.b.T\n        " + BIAS + "\n        " + PRODUCT, {LINEAR, SKIP}, {"recorded_late"}),
    lin("Linear adds the bias to its input", BIAS, BIAS.replace("[product, ", "[x, "), {LINEAR, SKIP}, {"inputs_mismatch"}),
    lin("Linear's product by the rule of a sum", PRODUCT, PRODUCT.replace("matmul_backward", "add_backward"), {LINEAR, SKIP}, {"inputs_mismatch"}),
    lin("Linear's sum by the rule of a product", BIAS, BIAS.replace("add_backward", "matmul_backward"), {LINEAR, SKIP}, {"inputs_mismatch"}),
    lin("Linear forgets the gradient of its input", PRODUCT, PRODUCT.replace("matmul_backward", "lambda g, a, b: (None, a.T @ g)"), {LINEAR, SKIP}, {"empty_spot", "zero", "one_path"}),
]  # fmt: skip

MLP_MISTAKES = [
    mlp("the gradients are not set to zero", "for linear in self.linear_layers:\n            linear.zero_grad()", "pass", {"wrong"}),
    mlp("no activations", "x = activation(linear(x))", "x = linear(x)", {"wrong"}),
    mlp("no momentum", "linear.momentum_W *= self.momentum", "linear.momentum_W *= 0", {"wrong"}),
    mlp("uphill", "linear.momentum_W -= self.lr", "linear.momentum_W += self.lr", {"wrong"}),
]  # fmt: skip

F = {"Functional"}
CE = {"SoftmaxCrossEntropy Backward"}
SOFTMAX = "e = np.exp(pred - pred.max(axis=1, keepdims=True))\n    p = e / e.sum(axis=1, keepdims=True)\n    "
REFERENCE_MISTAKES = [
    ref("sub is add", "sub_backward(g, a, b)", "return fit(g, a), fit(g, b)", F, {"sign"}),
    ref("mul not summed", "mul_backward(g, a, b)", "return g * b, g * a", F, {"not_summed"}, True),
    ref("mul swapped", "mul_backward(g, a, b)", "return fit(g * a, a), fit(g * b, b)", F, {"other_input", "swapped"}),
    ref("div without its sign", "div_backward(g, a, b)", "return fit(g / b, a), fit(g * a / b**2, b)", F, {"sign"}),
    ref("exp passes through", "exp_backward(g, a)", "return g", F, {"passed_through"}),
    ref("log gives its value", "log_backward(g, a)", "return np.log(a)", F, {"forward_value"}),
    ref("matmul averages", "matmul_backward(g, a, b)", "return g @ b.T, a.T @ g / len(a)", F, {"batch_mean"}, True),
    ref("matmul transposed", "matmul_backward(g, a, b)", "return g @ b.T, g.T @ a", F, {"transposed"}),
    ref("outer multiplies", "outer_backward(g, a, b)", "return a * b.sum(), b * a.sum()", F, {"derivative", "grad_ignored"}),
    ref("identity gives ones", "identity_backward(g, a)", "return np.ones_like(a)", {"Identity Backward"}, {"grad_ignored"}),
    ref("sigmoid's slope at the output", "sigmoid_backward(g, x)", "s = nonlinear_sigmoid(nonlinear_sigmoid(x))\n    return g * s * (1 - s)\n\n\ndef nonlinear_sigmoid(x):\n    return 1 / (1 + np.exp(-x))", {"Sigmoid Backward"}, {"wrong_point"}),
    ref("sigmoid's slope of the output taken from the input", "sigmoid_backward(g, x)", "return g * x * (1 - x)", {"Sigmoid Backward"}, {"wrong_point"}),
    ref("tanh without the square", "tanh_backward(g, x)", "return g * (1 - np.tanh(x))", {"Tanh Backward"}, {"derivative"}),
    ref("tanh gives its value", "tanh_backward(g, x)", "return g * np.tanh(x)", {"Tanh Backward"}, {"times_forward"}),
    ref("maximum lets all through", "max_backward(g, a, b=None)", "return g", {"ReLU Backward"}, {"passed_through"}),
    ref("cross-entropy not averaged", "SoftmaxCrossEntropy_backward(g, pred, truth, **kept)", SOFTMAX + "return g * (p - truth), None", CE, {"not_averaged"}, True),
    ref("cross-entropy ignores its labels", "SoftmaxCrossEntropy_backward(g, pred, truth, **kept)", SOFTMAX + "return g * p / len(p), None", CE, {"labels_ignored"}),
]  # fmt: skip
