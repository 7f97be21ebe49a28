"""A correct solution written for an older generation of this homework, as a whole folder with its places and names."""

from __future__ import annotations

Files = dict[str, str]

UTILS = """
import numpy as np


class MemoryBuffer:
    def __init__(self):
        self.memory = {}

    def get_memory_loc(self, np_array):
        return np_array.__array_interface__["data"][0]

    def is_in_memory(self, np_array):
        return self.get_memory_loc(np_array) in self.memory

    def add_spot(self, np_array):
        if not self.is_in_memory(np_array):
            self.memory[self.get_memory_loc(np_array)] = np.zeros(np_array.shape)

    def update_param(self, np_array, gradient):
        if not self.is_in_memory(np_array):
            raise Exception("add a spot first")
        self.memory[self.get_memory_loc(np_array)] += gradient

    def set_param(self, np_array, gradient):
        if not self.is_in_memory(np_array):
            raise Exception("add a spot first")
        self.memory[self.get_memory_loc(np_array)] = gradient

    def get_param(self, np_array):
        if not self.is_in_memory(np_array):
            raise Exception("add a spot first")
        return self.memory[self.get_memory_loc(np_array)]

    def clear(self):
        self.memory = {}
"""

ENGINE = """
import numpy as np
from mytorch.utils import MemoryBuffer


class Operation:
    def __init__(self, inputs, output, gradients_to_update, backward_operation):
        self.inputs = inputs
        self.output = output
        self.gradients_to_update = gradients_to_update
        self.backward_operation = backward_operation


class Autograd:
    def __init__(self):
        if getattr(self.__class__, "_has_instance", False):
            raise RuntimeError("there is an Autograd already")
        self.__class__._has_instance = True
        self.memory_buffer = MemoryBuffer()
        self.operation_list = []

    def __del__(self):
        self.__class__._has_instance = False

    def add_operation(self, inputs, output, gradients_to_update, backward_operation):
        if len(inputs) != len(gradients_to_update):
            raise Exception("one gradient to update for each input")
        for i in inputs:
            self.memory_buffer.add_spot(i)
        self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))

    def backward(self, divergence):
        for i in range(len(self.operation_list) - 1, -1, -1):
            op = self.operation_list[i]
            if i == len(self.operation_list) - 1:
                grad_of_output = np.ones(op.output.shape) if divergence is op.output else divergence
            else:
                grad_of_output = self.memory_buffer.get_param(op.output)
            grads_of_input = op.backward_operation(grad_of_output, *op.inputs)
            if not isinstance(grads_of_input, tuple):
                grads_of_input = (grads_of_input,)
            for j in range(len(op.inputs)):
                if grads_of_input[j] is None:
                    continue
                if op.gradients_to_update[j] is not None:
                    op.gradients_to_update[j] += grads_of_input[j]
                else:
                    self.memory_buffer.update_param(op.inputs[j], grads_of_input[j])

    def zero_grad(self):
        self.memory_buffer.clear()
        self.operation_list = []
"""

FUNCTIONAL = """
import numpy as np


def unbroadcast(grad, to):
    while grad.ndim > to.ndim:
        grad = np.sum(grad, axis=0)
    for axis in range(to.ndim):
        if to.shape[axis] == 1 and grad.shape[axis] > 1:
            grad = np.sum(grad, axis=axis, keepdims=True)
    return grad


def identity_backward(grad_output, a):
    return grad_output


def add_backward(grad_output, a, b):
    return unbroadcast(grad_output * np.ones(a.shape), a), unbroadcast(grad_output * np.ones(b.shape), b)


def sub_backward(grad_output, a, b):
    return unbroadcast(grad_output * np.ones(a.shape), a), unbroadcast(-grad_output * np.ones(b.shape), b)


def matmul_backward(grad_output, a, b):
    return grad_output @ b.T, a.T @ grad_output


def outer_backward(grad_output, a, b):
    return np.sum(grad_output * b.reshape(1, -1), axis=1).reshape(a.shape), (a.reshape(1, -1) @ grad_output).reshape(b.shape)


def mul_backward(grad_output, a, b):
    return unbroadcast(grad_output * b, a), unbroadcast(grad_output * a, b)


def div_backward(grad_output, a, b):
    return unbroadcast(grad_output / b, a), unbroadcast(grad_output * -1 * a / (b**2), b)


def log_backward(grad_output, a):
    return grad_output * (1 / a)


def exp_backward(grad_output, a):
    return grad_output * np.exp(a)


def max_backward(grad_output, a):
    return grad_output * np.where(a > 0, 1, 0)


def sum_backward(grad_output, a):
    return np.ones(a.shape) * grad_output


def SoftmaxCrossEntropy_backward(grad_output, pred, ground_truth):
    e = np.exp(pred - np.max(pred, axis=1).reshape(-1, 1))
    return grad_output * (e / np.sum(e, axis=1).reshape(-1, 1) - ground_truth) / pred.shape[0], None
"""

ACTIVATION = """
import numpy as np
from mytorch.functional_hw1 import *


class Activation(object):
    def __init__(self, autograd_engine):
        self.state = None
        self.autograd_engine = autograd_engine

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        raise NotImplementedError


class Identity(Activation):
    def __init__(self, autograd_engine):
        super(Identity, self).__init__(autograd_engine)

    def forward(self, x):
        self.state = x.copy()
        self.autograd_engine.add_operation([x], self.state, [None], identity_backward)
        return self.state


class Sigmoid(Activation):
    def __init__(self, autograd_engine):
        super(Sigmoid, self).__init__(autograd_engine)

    def forward(self, x):
        minus_one, one = np.array([-1.0]), np.array([1.0])
        a = minus_one * x
        self.autograd_engine.add_operation([minus_one, x], a, [None, None], mul_backward)
        b = np.exp(a)
        self.autograd_engine.add_operation([a], b, [None], exp_backward)
        c = one + b
        self.autograd_engine.add_operation([one, b], c, [None, None], add_backward)
        self.state = one / c
        self.autograd_engine.add_operation([one, c], self.state, [None, None], div_backward)
        return self.state


class Tanh(Activation):
    def __init__(self, autograd_engine):
        super(Tanh, self).__init__(autograd_engine)

    def forward(self, x):
        two, one = np.array(2.0), np.array(1.0)
        a = two * x
        self.autograd_engine.add_operation([two, x], a, [None, None], mul_backward)
        b = np.exp(a)
        self.autograd_engine.add_operation([a], b, [None], exp_backward)
        c, d = b - one, b + one
        self.autograd_engine.add_operation([b, one], c, [None, None], sub_backward)
        self.autograd_engine.add_operation([b, one], d, [None, None], add_backward)
        self.state = c / d
        self.autograd_engine.add_operation([c, d], self.state, [None, None], div_backward)
        return self.state


class ReLU(Activation):
    def __init__(self, autograd_engine):
        super(ReLU, self).__init__(autograd_engine)

    def forward(self, x):
        self.state = np.maximum(0, x)
        self.autograd_engine.add_operation([x], self.state, [None], max_backward)
        return self.state
"""

LOSS = """
import numpy as np
from mytorch.functional_hw1 import *


class LossFN(object):
    def __init__(self, autograd_engine):
        self.loss_val = None
        self.autograd_engine = autograd_engine

    def __call__(self, y, y_hat):
        return self.forward(y, y_hat)

    def forward(self, y, y_hat):
        raise NotImplementedError


class MSELoss(LossFN):
    def __init__(self, autograd_engine):
        super(MSELoss, self).__init__(autograd_engine)

    def forward(self, y, y_hat):
        assert y.shape == y_hat.shape
        size = np.array(float(y.size))
        difference = y - y_hat
        self.autograd_engine.add_operation([y, y_hat], difference, [None, None], sub_backward)
        squared = difference * difference
        self.autograd_engine.add_operation([difference, difference], squared, [None, None], mul_backward)
        total = np.sum(squared).reshape(1)
        self.autograd_engine.add_operation([squared], total, [None], sum_backward)
        self.loss_val = total / size
        self.autograd_engine.add_operation([total, size], self.loss_val, [None, None], div_backward)
        return self.loss_val

    def backward(self):
        self.autograd_engine.backward(self.loss_val)


class SoftmaxCrossEntropy(LossFN):
    def __init__(self, autograd_engine):
        super(SoftmaxCrossEntropy, self).__init__(autograd_engine)

    def forward(self, y, y_hat):
        top = np.max(y_hat, axis=1, keepdims=True)
        logs = y_hat - top - np.log(np.sum(np.exp(y_hat - top), axis=1, keepdims=True))
        self.loss_val = np.sum(-y * logs) / y.shape[0]
        self.autograd_engine.add_operation([y_hat, y], self.loss_val, [None, None], SoftmaxCrossEntropy_backward)
        return self.loss_val

    def backward(self):
        self.autograd_engine.backward(self.loss_val)
"""

LINEAR = """
import numpy as np
from mytorch.functional_hw1 import matmul_backward, add_backward


class Linear():
    def __init__(self, in_features, out_features, autograd_engine):
        bound = np.sqrt(1 / in_features)
        self.W = np.random.uniform(-bound, bound, size=(out_features, in_features))
        self.b = np.random.uniform(-bound, bound, size=(out_features, 1))
        self.dW = np.zeros(self.W.shape)
        self.db = np.zeros(self.b.shape)
        self.momentum_W = np.zeros(self.W.shape)
        self.momentum_b = np.zeros(self.b.shape)
        self.autograd_engine = autograd_engine

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        z = x @ self.W.T
        self.autograd_engine.add_operation([x, self.W.T], z, [None, self.dW.T], matmul_backward)
        y = z + self.b.T
        self.autograd_engine.add_operation([z, self.b.T], y, [None, self.db.T], add_backward)
        return y
"""

MLP = """
import numpy as np
from mytorch.nn.linear import Linear


class MLP(object):
    def __init__(self, input_size, output_size, hiddens, activations, criterion, lr, autograd_engine, momentum=0.0):
        self.linear_layers = []
        for i, o in zip([input_size] + hiddens, hiddens + [output_size]):
            self.linear_layers.append(Linear(i, o, autograd_engine))
        self.activations = activations
        self.criterion, self.lr, self.momentum = criterion, lr, momentum
        self.autograd_engine = autograd_engine

    def forward(self, x):
        for linear, activation in zip(self.linear_layers, self.activations):
            x = activation(linear(x))
        self.output = x
        return x

    def zero_grads(self):
        self.autograd_engine.zero_grad()
        for linear in self.linear_layers:
            linear.dW.fill(0.0)
            linear.db.fill(0.0)

    def total_loss(self, labels):
        return self.criterion(labels, self.output)

    def step(self):
        for linear in self.linear_layers:
            linear.momentum_W = self.momentum * linear.momentum_W - self.lr * linear.dW
            linear.W += linear.momentum_W
            linear.momentum_b = self.momentum * linear.momentum_b - self.lr * linear.db
            linear.b += linear.momentum_b
"""

# One engine at a time, memory_buffer, layers without base class and zero_grad, and no package has an __init__.
ORIGINAL: Files = {
    "mytorch/utils.py": UTILS,
    "mytorch/autograd_engine.py": ENGINE,
    "mytorch/functional_hw1.py": FUNCTIONAL,
    "mytorch/nn/activation.py": ACTIVATION,
    "mytorch/nn/loss.py": LOSS,
    "mytorch/nn/linear.py": LINEAR,
    "hw_bonus/mlp.py": MLP,
}
