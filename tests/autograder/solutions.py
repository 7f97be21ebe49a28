"""Correct solutions in several styles, as the bodies that students would write in place of the handout's stubs."""

from __future__ import annotations

import re
import textwrap

Bodies = dict[str, str]

ENGINE = "mytorch/autograd_engine.py"
FUNCTIONAL = "mytorch/nn/functional.py"
ACTIVATION = "mytorch/nn/modules/activation.py"
LOSS = "mytorch/nn/modules/loss.py"
LINEAR = "mytorch/nn/modules/linear.py"
MLP = "hw_bonus/mlp.py"


def sections(text: str) -> Bodies:
    """Sections ``== name`` followed by a body."""
    found: Bodies = {}
    for section in re.split(r"(?m)^== ", textwrap.dedent(text))[1:]:
        name, _, body = section.partition("\n")
        found[name.strip()] = body.strip("\n")
    return found


# The shortest thing that is right: primitives, one after the other, as the writeup suggests.
SIMPLE = sections(
    """
== Autograd.add_operation
if not self.recording:
    return
if len(inputs) != len(gradients_to_update):
    raise ValueError("inputs and gradients_to_update have different lengths")
for array in inputs:
    self.gradient_buffer.add_spot(array)
self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))
== Autograd.backward
for number, operation in enumerate(reversed(self.operation_list)):
    if number > 0:
        gradient = self.gradient_buffer.get_param(operation.output)
    elif divergence is operation.output:
        gradient = np.ones_like(divergence)
    else:
        gradient = divergence
    gradients = operation.backward_operation(gradient, *operation.inputs)
    if not isinstance(gradients, (tuple, list)):
        gradients = (gradients,)
    for array, slot, value in zip(operation.inputs, operation.gradients_to_update, gradients):
        if value is None:
            continue
        if slot is not None:
            slot += value
        else:
            self.gradient_buffer.update_param(array, value)
== sub_backward
return fit(grad_output, a), fit(-grad_output, b)
== mul_backward
return fit(grad_output * b, a), fit(grad_output * a, b)
== div_backward
return fit(grad_output / b, a), fit(-grad_output * a / b**2, b)
== exp_backward
return grad_output * np.exp(a)
== log_backward
return grad_output / a
== max_backward
return grad_output * (a > 0)
== matmul_backward
return grad_output @ b.T, a.T @ grad_output
== outer_backward
return (grad_output @ b.ravel()).reshape(a.shape), (a.ravel() @ grad_output).reshape(b.shape)
== sum_backward
if axis is not None and not keepdims:
    grad_output = np.expand_dims(grad_output, axis)
return np.ones_like(a) * grad_output
== SoftmaxCrossEntropy_backward
e = np.exp(pred - pred.max(axis=1, keepdims=True))
return grad_output * (e / e.sum(axis=1, keepdims=True) - ground_truth) / len(pred), None
== Identity.forward
self.state = x.copy()
self.autograd_engine.add_operation([x], self.state, [None], lambda grad, x: grad)
return self.state
== Sigmoid.forward
record = self.autograd_engine.add_operation
zero, one = np.zeros_like(x), np.ones_like(x)
negative = zero - x
record([zero, x], negative, [None, None], functional.sub_backward)
power = np.exp(negative)
record([negative], power, [None], functional.exp_backward)
below = one + power
record([one, power], below, [None, None], functional.add_backward)
self.state = one / below
record([one, below], self.state, [None, None], functional.div_backward)
return self.state
== Tanh.forward
record = self.autograd_engine.add_operation
zero = np.zeros_like(x)
negative = zero - x
record([zero, x], negative, [None, None], functional.sub_backward)
up, down = np.exp(x), np.exp(negative)
record([x], up, [None], functional.exp_backward)
record([negative], down, [None], functional.exp_backward)
above, below = up - down, up + down
record([up, down], above, [None, None], functional.sub_backward)
record([up, down], below, [None, None], functional.add_backward)
self.state = above / below
record([above, below], self.state, [None, None], functional.div_backward)
return self.state
== ReLU.forward
self.state = np.maximum(x, 0)
self.autograd_engine.add_operation([x], self.state, [None], functional.max_backward)
return self.state
== Linear.forward
product = x @ self.W.T
self.autograd_engine.add_operation([x, self.W.T], product, [None, self.dW.T], matmul_backward)
y = product + self.b.T
self.autograd_engine.add_operation([product, self.b.T], y, [None, self.db.T], add_backward)
return y
== MSELoss.forward
if y.shape != y_hat.shape:
    raise ValueError("y and y_hat have different shapes")
self.loss_val = np.array([np.mean((y - y_hat) ** 2)])

def rule(grad, y, y_hat):
    slope = grad * 2 * (y - y_hat) / y.size
    return slope, -slope

self.autograd_engine.add_operation([y, y_hat], self.loss_val, [None, None], rule)
return self.loss_val
== SoftmaxCrossEntropy.forward
shifted = y_hat - y_hat.max(axis=1, keepdims=True)
logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
self.loss_val = np.array([-np.sum(y * logs) / len(y)])
self.autograd_engine.add_operation([y_hat, y], self.loss_val, [None, None], SoftmaxCrossEntropy_backward)
return self.loss_val
== MLP.__init__
super().__init__(autograd_engine)
self.criterion, self.lr, self.momentum = criterion, lr, momentum
self.output = None
sizes = [input_size, *hiddens, output_size]
self.linear_layers = [Linear(n, m, autograd_engine) for n, m in zip(sizes, sizes[1:])]
self.activations = list(activations)
== MLP.forward
for linear, activation in zip(self.linear_layers, self.activations):
    x = activation(linear(x))
self.output = x
return x
== MLP.zero_grads
self.autograd_engine.zero_grad()
for linear in self.linear_layers:
    linear.zero_grad()
== MLP.step
for linear in self.linear_layers:
    linear.momentum_W *= self.momentum
    linear.momentum_W -= self.lr * linear.dW
    linear.W += linear.momentum_W
    linear.momentum_b *= self.momentum
    linear.momentum_b -= self.lr * linear.db
    linear.b += linear.momentum_b
== get_training_stats
(train_x, train_y), (val_x, val_y) = dset[0], dset[1]
rng = np.random.default_rng(seed)
stats = np.zeros((4, nepochs))
for epoch in range(nepochs):
    for rows in batches(len(train_x), batch_size, rng):
        mlp.zero_grads()
        mlp.forward(train_x[rows])
        stats[0, epoch] += mlp.total_loss(train_y[rows])[0] * len(rows) / len(train_x)
        stats[1, epoch] += mlp.error(train_y[rows]) / len(train_x)
        mlp.backward()
        mlp.step()
    with mlp.autograd_engine.paused():
        mlp.forward(val_x)
        stats[2, epoch] = mlp.total_loss(val_y)[0]
    stats[3, epoch] = mlp.error(val_y) / len(val_x)
return tuple(stats)
"""
)

# Everything in one operation, closed forms from the output, one product for the whole layer.
FUSED = SIMPLE | sections(
    """
== Sigmoid.forward
y = self.state = 0.5 * (np.tanh(x / 2) + 1)
self.autograd_engine.add_operation((x,), y, (None,), lambda grad, x: grad * y * (1 - y))
return y
== Tanh.forward
y = self.state = np.tanh(x)
self.autograd_engine.add_operation([x], y, [None], lambda grad, x: (grad * (1 - y * y),))
return y
== ReLU.forward
mask = x > 0
self.state = np.where(mask, x, 0.0)
self.autograd_engine.add_operation([x], self.state, [None], lambda grad, x: np.where(mask, grad, 0.0))
return self.state
== Linear.forward
y = np.einsum("ni,oi->no", x, self.W) + self.b[:, 0]

def rule(grad, x, W, b):
    return grad @ W, grad.T @ x, grad.sum(axis=0)[:, None]

self.autograd_engine.add_operation([x, self.W, self.b], y, [None, self.dW, self.db], rule)
return y
== SoftmaxCrossEntropy.forward
top = y_hat.max(axis=1)
total = np.log(np.exp(y_hat - top[:, None]).sum(axis=1)) + top
self.loss_val = np.mean(total - (y * y_hat).sum(axis=1), keepdims=True)
shares = np.exp(y_hat - total[:, None])
self.autograd_engine.add_operation([y_hat], self.loss_val, [None], lambda g, p: g * (shares - y) / len(y))
return self.loss_val
== mul_backward
def summed(g, shape):
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)

return summed(grad_output * b, a.shape), summed(a * grad_output, b.shape)
"""
)

# An engine with a dictionary of its own that is never paused, lists in place of tuples, layers with memories.
LISTS = SIMPLE | sections(
    """
== Autograd.add_operation
assert len(inputs) == len(gradients_to_update)
self.operation_list += [Operation(list(inputs), output, list(gradients_to_update), backward_operation)]
[self.gradient_buffer.add_spot(one) for one in inputs if not self.gradient_buffer.is_in_memory(one)]
== Autograd.backward
gradients, index = {}, len(self.operation_list) - 1
start = np.ones(divergence.shape) if any(divergence is o.output for o in self.operation_list) else divergence
gradients[id(self.operation_list[-1].output)] = start
while index >= 0:
    operation = self.operation_list[index]
    index -= 1
    above = gradients.get(id(operation.output))
    if above is None:
        continue
    below = operation.backward_operation(above, *operation.inputs)
    below = below if isinstance(below, (list, tuple)) else [below]
    for k in range(len(operation.inputs)):
        if below[k] is None:
            continue
        if operation.gradients_to_update[k] is not None:
            np.add(operation.gradients_to_update[k], below[k], out=operation.gradients_to_update[k])
        else:
            key = id(operation.inputs[k])
            gradients[key] = below[k] if key not in gradients else gradients[key] + below[k]
            self.gradient_buffer.set_param(operation.inputs[k], gradients[key])
== sub_backward
return [fit(grad_output, a), fit(np.negative(grad_output), b)]
== div_backward
return [fit(grad_output / b, a), fit(grad_output * -(a / b) / b, b)]
== matmul_backward
return [np.dot(grad_output, np.transpose(b)), np.dot(np.transpose(a), grad_output)]
== outer_backward
return [np.sum(grad_output * b, axis=1).reshape(a.shape), np.sum(grad_output.T * a, axis=1).reshape(b.shape)]
== exp_backward
return [np.exp(a) * grad_output]
== Sigmoid.forward
self.history = getattr(self, "history", []) + [x]
positive = x >= 0
e = np.exp(np.where(positive, -x, x))
self.state = np.where(positive, 1 / (1 + e), e / (1 + e))
self.derivative = e / (1 + e) ** 2

def rule(grad, x, slope=self.derivative):
    return [grad * slope]

self.autograd_engine.add_operation([x], self.state, [None], rule)
return self.state
== Linear.forward
self.x = x
transposed = np.dot(self.W, x.T)

def first(grad, x, W):
    return [grad @ W, grad.T @ x]

product = transposed.T
self.autograd_engine.add_operation([x, self.W], product, [None, self.dW], first)
self.y = product + np.ones((len(x), 1)) @ self.b.T
self.autograd_engine.add_operation([product, self.b], self.y, [None, self.db], lambda g, p, b: [g, g.T.sum(1, keepdims=True)])
return self.y
== SoftmaxCrossEntropy_backward
result = []
for scores, truth in zip(pred, ground_truth):
    weights = [np.exp(s - max(scores)) for s in scores]
    result.append([w / sum(weights) - t for w, t in zip(weights, truth)])
return [np.array(result) / len(result) * grad_output[0], None]
"""
)

# Zeros in every spot, read and written back; the loss from primitives; numbers that are plain float.
ZEROS = SIMPLE | sections(
    """
== Autograd.add_operation
if len(inputs) != len(gradients_to_update):
    raise Exception("lengths")
for array in inputs:
    if not self.gradient_buffer.is_in_memory(array):
        self.gradient_buffer.add_spot(array)
        self.gradient_buffer.set_param(array, np.zeros(array.shape))
self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))
== Autograd.backward
last = self.operation_list[-1]
self.gradient_buffer.add_spot(last.output)
self.gradient_buffer.set_param(last.output, np.ones(divergence.shape) if divergence is last.output else divergence)
for operation in self.operation_list[::-1]:
    result = operation.backward_operation(self.gradient_buffer.get_param(operation.output), *operation.inputs)
    if type(result) is not tuple:
        result = (result,)
    for i, gradient in enumerate(result):
        if gradient is None:
            continue
        if operation.gradients_to_update[i] is not None:
            operation.gradients_to_update[i][...] += gradient
        else:
            before = self.gradient_buffer.get_param(operation.inputs[i])
            self.gradient_buffer.set_param(operation.inputs[i], before + gradient)
== SoftmaxCrossEntropy.forward
record = self.autograd_engine.add_operation
n = float(len(y))
top = y_hat.max(axis=1, keepdims=True)
shifted = y_hat - top
record([y_hat, top], shifted, [None, None], lambda g, a, b: (g, None))
e = np.exp(shifted)
record([shifted], e, [None], lambda g, a: g * np.exp(a))
total = e.sum(axis=1, keepdims=True)
record([e], total, [None], lambda g, a: g * np.ones_like(a))
logs = np.log(total)
record([total], logs, [None], lambda g, a: g / a)
difference = shifted - logs
record([shifted, logs], difference, [None, None], lambda g, a, b: (g, -g.sum(axis=1, keepdims=True)))
self.loss_val = np.array([-(y * difference).sum() / n])
record([difference, y], self.loss_val, [None, None], lambda g, d, y: (-y * g / n, None))
return self.loss_val
== Identity.forward
zero = np.zeros_like(x)
y = x + zero
self.autograd_engine.add_operation([x, zero], y, [None, None], functional.add_backward)
self.state = y
return self.state
"""
)

STYLES: dict[str, Bodies] = {"simple": SIMPLE, "fused": FUSED, "lists": LISTS, "zeros": ZEROS}
