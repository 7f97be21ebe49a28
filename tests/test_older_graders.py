"""Graders of the homework's other generations call the framework in these ways; all of them have to work.

They build an engine, record plain NumPy operations with the rules of ``mytorch.functional_hw1`` or ``mytorch.functional``, call
backward with a number or an array, and read gradients from ``memory_buffer`` or ``gradient_buffer``.
"""

import importlib

import numpy as np
import pytest

import mytorch.nn as nn
from mytorch import autograd_engine, utils
from mytorch.autograd_engine import Autograd, Operation
from mytorch.nn import functional as F

BUFFERS = ["memory_buffer", "gradient_buffer"]
MODULES = ["mytorch.functional_hw1", "mytorch.functional", "mytorch.nn.functional"]
RULES = ["add", "sub", "mul", "div", "matmul", "outer", "log", "exp", "max", "sum", "identity", "SoftmaxCrossEntropy"]


@pytest.mark.parametrize("module", MODULES)
def test_every_place_of_the_rules_has_the_same_ones(module):
    names = {}
    exec(f"from {module} import *", names)
    for rule in RULES:
        assert names[f"{rule}_backward"] is getattr(F, f"{rule}_backward")
    assert importlib.import_module(module).add_backward is F.add_backward


def test_the_buffer_has_both_names():
    engine = Autograd()
    assert engine.memory_buffer is engine.gradient_buffer
    assert utils.MemoryBuffer is utils.GradientBuffer
    assert autograd_engine.Operation is Operation


@pytest.mark.parametrize("buffer", BUFFERS)
def test_an_addition_is_recorded_and_differentiated(buffer, rng):
    engine = Autograd()
    a, b = rng.standard_normal((1, 5)), rng.standard_normal((1, 5))
    c = a + b
    engine.add_operation(inputs=[a, b], output=c, gradients_to_update=[None, None], backward_operation=F.add_backward)
    (operation,) = engine.operation_list
    assert type(operation) is Operation
    assert [x is y for x, y in zip(operation.inputs, (a, b))] == [True, True]
    assert operation.output is c
    assert len(operation.gradients_to_update) == 2
    assert operation.backward_operation == F.add_backward
    assert len(getattr(engine, buffer).memory) == 2
    engine.backward(1)
    for array in (a, b):
        np.testing.assert_array_equal(getattr(engine, buffer).get_param(array), np.ones((1, 5)))


@pytest.mark.parametrize("start", [1, 1.0, np.array(1), np.ones((3, 1)), np.ones((3, 1), "f")], ids=repr)
def test_a_gradient_to_update_gets_what_arrives_on_top(start):
    engine = Autograd()
    a, b = np.array([[-1.0], [2.0], [1.0]], dtype="f"), np.array([[-4.0], [1.0], [3.0]], dtype="f")
    db = np.array([[-1.0], [2.0], [3.0]], dtype="f")
    engine.add_operation([a, b], a + b, [None, db], F.add_backward)
    engine.backward(start)
    np.testing.assert_array_equal(db, [[0], [3], [4]])
    np.testing.assert_array_equal(engine.memory_buffer.get_param(a), np.ones((3, 1)))


def test_a_layer_and_a_skip_connection(rng):
    engine = Autograd()
    engine.zero_grad()
    layer, x = nn.Linear(5, 5, engine), rng.random((1, 5))
    h = layer(x)
    y = h + x
    engine.add_operation(inputs=[h, x], output=y, gradients_to_update=[None, None], backward_operation=F.add_backward)
    engine.backward(1)
    np.testing.assert_allclose(y, x @ layer.W.T + layer.b.T + x)
    np.testing.assert_allclose(layer.dW, np.ones((5, 1)) * x)
    np.testing.assert_allclose(layer.db.squeeze(), np.ones(5))
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), layer.W.sum(0, keepdims=True) + 1)


def test_layers_around_an_operation_of_the_grader(rng):
    engine = Autograd()
    first, second, x = nn.Linear(5, 3, engine), nn.Linear(3, 2, engine), rng.random((2, 5))
    h = first(x)
    positive = np.maximum(0, h)
    engine.add_operation(inputs=[h], output=positive, gradients_to_update=[None], backward_operation=F.max_backward)
    y = second(positive)
    engine.backward(np.ones_like(y))
    inner = np.ones((2, 2)) @ second.W * (h > 0)
    np.testing.assert_allclose(second.dW, np.ones((2, 2)).T @ positive)
    np.testing.assert_allclose(first.dW, inner.T @ x)
    np.testing.assert_allclose(engine.memory_buffer.get_param(x), inner @ first.W)
    assert nn.Linear(5, 5, engine)(np.empty((0, 5))).shape == (0, 5)


@pytest.mark.parametrize("kind", ["Identity", "Sigmoid", "Tanh", "ReLU"])
def test_an_activation_keeps_its_state(kind, rng):
    engine = Autograd()
    activation, x = getattr(nn, kind)(engine), rng.standard_normal((1, 8))
    y = activation(x)
    assert activation.state is y
    engine.backward(1)
    assert engine.memory_buffer.get_param(x).shape == x.shape


def test_a_loss_is_called_with_the_truth_first(rng):
    engine = Autograd()
    layer, loss, x = nn.Linear(10, 4, engine), nn.SoftmaxCrossEntropy(engine), rng.random((3, 10))
    truth = np.eye(4)[[1, 3, 0]]
    value = loss(truth, layer(x))
    loss.backward()
    scores = x @ layer.W.T + layer.b.T
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(value, -np.sum(truth * np.log(p)) / 3)
    np.testing.assert_allclose(layer.dW, (p - truth).T @ x / 3)
    rule = F.SoftmaxCrossEntropy_backward(np.ones(1), scores, truth)
    np.testing.assert_allclose(rule[0], (p - truth) / 3)


# What an engine of those homeworks takes, too.


def test_a_sum_to_one_number_ends_the_list(rng):
    engine = Autograd()
    x = rng.standard_normal((4, 3))
    total = np.sum(x)
    engine.add_operation([x], total, [None], F.sum_backward)
    engine.backward(total)
    np.testing.assert_array_equal(engine.memory_buffer.get_param(x), np.ones((4, 3)))


def test_a_sum_along_an_axis_that_was_kept_needs_no_axis(rng):
    engine = Autograd()
    x = rng.standard_normal((4, 3))
    rows = x.sum(axis=1, keepdims=True)
    engine.add_operation([x], rows, [None], F.sum_backward)
    g = rng.standard_normal((4, 1))
    engine.backward(g)
    np.testing.assert_array_equal(engine.memory_buffer.get_param(x), g * np.ones((4, 3)))


def test_gradients_are_added_through_what_the_buffer_returns(rng):
    """An engine of another generation adds to the array that ``get_param`` gives out."""
    buffer, x = utils.MemoryBuffer(), rng.standard_normal(3)
    buffer.add_spot(x)
    for _ in range(2):
        gradient = buffer.get_param(x)
        gradient += x
    np.testing.assert_array_equal(buffer.get_param(x), 2 * x)


def test_a_recurrent_network_uses_one_layer_at_every_step(rng):
    """As the third homework does: the same layers at each time step, then one backward pass through all of them."""
    engine = Autograd()
    x2h, h2h, tanh = nn.Linear(3, 4, engine), nn.Linear(4, 4, engine), nn.Tanh(engine)
    steps, h = [rng.standard_normal((2, 3)) for _ in range(3)], np.zeros((2, 4))
    states = [h]
    for x in steps:
        a, b = x2h(x), h2h(states[-1])
        c = a + b
        engine.add_operation([a, b], c, [None, None], F.add_backward)
        states.append(tanh(c))
    engine.backward(1)
    g, dW = np.ones((2, 4)), np.zeros((4, 4))
    for before, after in zip(states[-2::-1], states[:0:-1]):
        g = g * (1 - after**2)
        dW += g.T @ before
        g = g @ h2h.W
    np.testing.assert_allclose(h2h.dW, dW)
    np.testing.assert_allclose(engine.memory_buffer.get_param(states[0]), g)
