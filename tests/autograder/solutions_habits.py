"""Correct solutions with the habits of real students, as bodies in place of the handout's stubs."""

from __future__ import annotations

from tests.autograder.solutions import SIMPLE, Bodies, sections

# Activations at once, whose rules read what the layer kept: each object stands for one place in a network.
LATE_STATE = SIMPLE | sections(
    """
== Identity.forward
self.state = 1 * x
self.autograd_engine.add_operation([x], self.state, [None], lambda g, _: 0 * self.state + g)
return self.state
== Sigmoid.forward
self.state = 1.0 / (1.0 + np.exp(-x))
self.autograd_engine.add_operation([x], self.state, [None], lambda g, _: g * self.state * (1 - self.state))
return self.state
== Tanh.forward
self.state = np.tanh(x)
self.autograd_engine.add_operation([x], self.state, [None], lambda g, _: g * (1.0 - self.state**2))
return self.state
== ReLU.forward
self.mask = (x > 0).astype(x.dtype)
self.state = self.mask * x
self.autograd_engine.add_operation([x], self.state, [None], lambda g, _: g * self.mask)
return self.state
"""
)

# Activations that record their output among the inputs, so that the rule is given it; None flows to it.
OWN_OUTPUT = SIMPLE | sections(
    """
== Sigmoid.forward
s = 1 / (1 + np.exp(-x))
self.state = s
self.autograd_engine.add_operation([x, s], s, [None, None], lambda g, x, s: (g * s * (1 - s), None))
return s
== Tanh.forward
s = self.state = np.tanh(x)

def tanh_backward(grad_output, x, s):
    return grad_output * (1 - s**2), None

self.autograd_engine.add_operation(inputs=[x, s], output=s, gradients_to_update=[None, None], backward_operation=tanh_backward)
return s
"""
)

# The engine adds to the very array that the buffer returns, through a name for each part.
IN_PLACE = SIMPLE | sections(
    """
== Autograd.backward
operations = list(self.operation_list)
for i in range(len(operations) - 1, -1, -1):
    op = operations[i]
    if i == len(operations) - 1:
        grad_output = np.ones(op.output.shape) if divergence is op.output else divergence
    else:
        grad_output = self.gradient_buffer.get_param(op.output)
    grads = op.backward_operation(grad_output, *op.inputs)
    if len(op.inputs) == 1 and not isinstance(grads, tuple) and not isinstance(grads, list):
        grads = [grads]
    for j in range(len(op.inputs)):
        if grads[j] is None:
            continue
        where = op.gradients_to_update[j]
        if where is None:
            where = self.gradient_buffer.get_param(op.inputs[j])
        where += grads[j]
"""
)

# Rules with settings: functools.partial, objects that can be called, defaults; more gradients than inputs.
SETTINGS = SIMPLE | sections(
    """
== Sigmoid.forward
from functools import partial

def sigmoid_backward(grad_output, x, *, output, scale=1.0):
    return scale * grad_output * output * (1 - output)

self.state = 1 / (1 + np.exp(-x))
self.autograd_engine.add_operation([x], self.state, [None], partial(sigmoid_backward, output=self.state, scale=1))
return self.state
== Tanh.forward
class Backward:
    def __init__(self, output):
        self.output = output

    def __call__(self, grad_output, x):
        return grad_output - grad_output * self.output**2

self.state = np.sinh(x) / np.cosh(x)
self.autograd_engine.add_operation([x], self.state, [None], Backward(self.state))
return self.state
== ReLU.forward
def rule(grad_output, x, threshold=0.0):
    return np.where(x > threshold, grad_output, np.zeros_like(grad_output)), None

self.state = x * (x > 0)
self.autograd_engine.add_operation([x], self.state, [None], rule)
return self.state
== SoftmaxCrossEntropy_backward
scores = np.exp(pred - np.max(pred, axis=-1, keepdims=True))
probabilities = scores / np.sum(scores, axis=-1, keepdims=True)
return np.asarray(grad_output).reshape(1, 1) * (probabilities - ground_truth) / pred.shape[0], None, None
== Autograd.backward
gradient = divergence
for operation in reversed(self.operation_list):
    if operation is self.operation_list[-1]:
        if gradient is operation.output:
            gradient = np.ones_like(gradient, dtype=float)
    else:
        gradient = self.gradient_buffer.get_param(operation.output)
    result = operation.backward_operation(gradient, *operation.inputs)
    result = result if isinstance(result, (tuple, list)) else (result,)
    for array, slot, value in zip(operation.inputs, operation.gradients_to_update, result):
        if value is not None and slot is not None:
            slot[:] = slot + value
        elif value is not None:
            self.gradient_buffer.update_param(array, value)
"""
)

# Constants as 0-d arrays, a loss that is a number (0-d) or (1, 1), sums for broadcasting written by hand.
CONSTANTS = SIMPLE | sections(
    """
== Sigmoid.forward
one, minus = np.array(1.0), np.array(-1.0)
add = self.autograd_engine.add_operation
a = x * minus
add([x, minus], a, [None, None], functional.mul_backward)
b = np.exp(a)
add([a], b, [None], functional.exp_backward)
c = b + one
add([b, one], c, [None, None], functional.add_backward)
self.state = one / c
add([one, c], self.state, [None, None], functional.div_backward)
return self.state
== SoftmaxCrossEntropy.forward
N, C = y_hat.shape
m = np.amax(y_hat, axis=1).reshape(N, 1)
lse = m + np.log(np.exp(y_hat - m) @ np.ones((C, 1)))
self.loss_val = np.asarray(float(((lse - y_hat) * y).sum() / N))
self.autograd_engine.add_operation([y_hat, y], self.loss_val, [None, None], SoftmaxCrossEntropy_backward)
return self.loss_val
== MSELoss.forward
if y.shape != y_hat.shape:
    raise ValueError("shapes")
self.loss_val = np.square(y - y_hat).mean().reshape(1, 1)
self.autograd_engine.add_operation([y_hat], self.loss_val, [None], lambda g, p: g * 2 * (p - y) / y.size)
return self.loss_val
== mul_backward
da, db = grad_output * b, grad_output * a
while da.ndim > a.ndim:
    da = da.sum(0)
while db.ndim > b.ndim:
    db = db.sum(0)
for axis in range(a.ndim):
    if a.shape[axis] == 1:
        da = da.sum(axis, keepdims=True)
for axis in range(b.ndim):
    if b.shape[axis] == 1:
        db = db.sum(axis, keepdims=True)
return da, db
== matmul_backward
return np.einsum("ij,kj->ik", grad_output, b), np.einsum("ij,ik->jk", a, grad_output)
"""
)

# Recursion in place of a loop; gradients of the start in the buffer; tests by shape and not by identity.
RECURSIVE = SIMPLE | sections(
    """
== Autograd.backward
def walk(number, gradient):
    if number < 0:
        return
    operation = self.operation_list[number]
    if gradient is None:
        gradient = self.gradient_buffer.get_param(operation.output)
    returned = operation.backward_operation(gradient, *operation.inputs)
    if not isinstance(returned, (list, tuple)):
        returned = [returned]
    for k, value in enumerate(returned):
        if value is None or k >= len(operation.inputs):
            continue
        if operation.gradients_to_update[k] is None:
            self.gradient_buffer.update_param(operation.inputs[k], value)
        else:
            operation.gradients_to_update[k] += value.reshape(operation.gradients_to_update[k].shape)
    walk(number - 1, None)

last = self.operation_list[-1].output
walk(len(self.operation_list) - 1, np.full(last.shape, 1.0) if divergence is last else np.asarray(divergence))
== Linear.forward
self.input = x
W_T, b_T = self.W.T, self.b.T
z = np.matmul(x, W_T)
self.autograd_engine.add_operation([x, W_T], z, [None, self.dW.T], matmul_backward)
self.z = np.add(z, b_T)
self.autograd_engine.add_operation([z, b_T], self.z, [None, self.db.T], add_backward)
return self.z
"""
)

# The list is used up by the backward pass; a helper tells slots and buffer apart; loops over entries.
CONSUMING = SIMPLE | sections(
    """
== Autograd.add_operation
inputs, gradients_to_update = tuple(np.asarray(one) for one in inputs), tuple(gradients_to_update)
if len(inputs) - len(gradients_to_update):
    raise IndexError("one gradient to update for each input, please")
if self.recording:
    list(map(self.gradient_buffer.add_spot, inputs))
    self.operation_list.insert(len(self.operation_list), Operation(inputs, output, gradients_to_update, backward_operation))
== Autograd.backward
def deliver(array, slot, value):
    if slot is not None:
        np.copyto(slot, slot + value)
    elif self.gradient_buffer.is_in_memory(array):
        self.gradient_buffer.update_param(array, value)

last = self.operation_list[-1].output
gradient = 1.0 * divergence if last is not divergence else np.ones(last.shape)
while self.operation_list:
    operation = self.operation_list.pop()
    if gradient is None:
        gradient = self.gradient_buffer.get_param(operation.output).copy()
    values = operation.backward_operation(gradient, *operation.inputs)
    values = list(values) if type(values) in (list, tuple) else [values]
    for triple in zip(operation.inputs, operation.gradients_to_update, values):
        if triple[2] is not None:
            deliver(*triple)
    gradient = None
== exp_backward
d = np.exp(a)
return np.multiply(d, grad_output, out=d)
== outer_backward
a_row, b_row = np.ravel(a), np.ravel(b)
da = np.array([sum(grad_output[i, j] * b_row[j] for j in range(b_row.size)) for i in range(a_row.size)])
db = np.array([sum(grad_output[i, j] * a_row[i] for i in range(a_row.size)) for j in range(b_row.size)])
return da.reshape(np.shape(a)), db.reshape(np.shape(b))
== Tanh.forward
up, down = np.exp(x - np.abs(x)), np.exp(-x - np.abs(x))
self.state = (up - down) / (up + down)
state = self.state.copy()
self.autograd_engine.add_operation([x], self.state, [None], lambda g, a: g * (1 + state) * (1 - state))
return self.state
== ReLU.forward
y = x.copy()
y[y < 0] = 0
self.state = y
self.autograd_engine.add_operation([x], y, [None], lambda g, a: np.heaviside(a, 0) * g)
return y
"""
)

# Whatever a program may do with the console when it runs. At import: see CONSOLE_TOPS.
CONSOLE = SIMPLE | sections(
    """
== Autograd.add_operation
import logging
import sys
import warnings

logging.getLogger(__name__).warning("an operation with %d inputs \N{SNOWMAN}", len(inputs))
warnings.warn("an operation", stacklevel=2)
print("inputs", [a.shape for a in inputs], sep=": ", end="\\n", file=sys.stderr, flush=True)
print("\N{GREEK SMALL LETTER ALPHA}", flush=True)
sys.stdout.write("written\\n")
sys.stderr.writelines(["a\\n", "b\\n"])
if input("press Enter ").strip() or sys.stdin.readline().strip():
    raise RuntimeError("stopped")
if sys.stdout.isatty() or sys.stdin.isatty() or sys.stderr.isatty():
    print("\\033[1mrecorded\\033[0m")
if [sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno()] != [0, 1, 2]:
    raise RuntimeError("these are no standard streams")
if len(inputs) != len(gradients_to_update):
    raise ValueError("inputs and gradients_to_update have different lengths")
[self.gradient_buffer.add_spot(array) for array in inputs]
self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))
"""
)

# Lines at the end of a file, which run when it is imported.
CONSOLE_TOPS = {
    "mytorch/autograd_engine.py": """
import faulthandler
import logging
import sys

sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
sys.stderr.reconfigure(encoding="utf-8")
sys.stdin.reconfigure(encoding="utf-8")
faulthandler.enable()
logging.basicConfig(level=logging.DEBUG)
if sys.stdout.encoding.lower() != "utf-8":
    raise SystemExit("set PYTHONIOENCODING")
""",
    "mytorch/nn/functional.py": """
import io
import sys

sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", line_buffering=True)
sys.stderr = io.TextIOWrapper(sys.stderr.buffer, encoding="utf-8")
print("loaded \N{SNOWMAN}")
""",
    "mytorch/nn/modules/activation.py": """
import codecs
import sys

sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())
print("loaded", file=sys.stdout)
""",
    "mytorch/nn/modules/loss.py": """
import sys

sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
sys.stdout.write("loaded")
""",
}

HABITS: dict[str, Bodies] = {
    "late state": LATE_STATE,
    "own output": OWN_OUTPUT,
    "in place": IN_PLACE,
    "settings": SETTINGS,
    "constants": CONSTANTS,
    "recursive": RECURSIVE,
    "consuming": CONSUMING,
    "console": CONSOLE,
}
