"""Compiled steps: what they take, what they return and what they leave behind."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F
from mytorch.nn.modules.module import Parameter
from tests.graph.nets import Chain, batch, largest_difference, run, training, twins

# Threads


def test_two_threads_take_turns():
    one, other, step = twins()
    rng = np.random.default_rng(0)
    x, y = batch(rng, 6, np.float64, "classes")
    for _ in range(3):
        step(x, y)
    errors = []

    def work():
        try:
            for _ in range(200):
                step(x, y)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(403):
        other.eager(x, y)
    assert not errors
    assert largest_difference(one, other) <= 1e-11


# The same bits


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_resumed_equals_uninterrupted_bit_for_bit(optimizer, backend):
    def batches(first, last):
        for number in range(first, last):
            yield batch(np.random.default_rng(number), 5, np.float32, "classes")

    whole = training("batchnorm", optimizer=optimizer, dtype=np.float32)
    step = whole.compiled(backend=backend)
    for x, y in batches(0, 12):
        step(x, y)
    begun, resumed = (training("batchnorm", optimizer=optimizer, dtype=np.float32) for _ in range(2))
    step = begun.compiled(backend=backend)
    for x, y in batches(0, 7):
        step(x, y)
    resumed.net.load_state_dict(begun.net.state_dict())
    resumed.optimizer.load_state_dict(begun.optimizer.state_dict())
    step = resumed.compiled(backend=backend)
    for x, y in batches(7, 12):
        step(x, y)
    found, expected = resumed.arrays(), whole.arrays()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


# Inference


def test_inference_evaluates_and_leaves_everything_as_it_was(backend):
    one = training("dropout")
    net, engine = one.net, one.engine
    predict = mytorch.compile(lambda x: net(x), backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, _ = batch(rng, 6, np.float64, "classes")
        h = x @ x.T
        engine.add_operation([x, x.T], h, [None, None], F.matmul_backward)
        listed = list(engine.operation_list)
        found = predict(x)
        assert engine.operation_list == listed
        engine.zero_grad()
        assert all(module.training for _, module in net.modules())
        net.eval()
        with engine.paused():
            np.testing.assert_allclose(found, net(x), rtol=1e-12)
        net.train()
    assert predict.plan is not None
    first = predict(x)
    kept = first.copy()
    predict(2 * x)
    np.testing.assert_array_equal(first, kept)


def test_more_outputs_than_the_loss():
    one, other = training("relu"), training("relu")
    net, loss = one.net, one.loss

    def both(x, y):
        scores = net(x)
        return loss(y, scores), scores

    step = mytorch.compile(both, one.optimizer)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        value, scores = step(x, y)
        with other.engine.paused():
            np.testing.assert_allclose(scores, other.net(x), rtol=1e-12)
        assert value == pytest.approx(other.eager(x, y), rel=1e-12)


def test_results_kept_by_layers_are_right_or_gone():
    one = training("relu")
    step = one.compiled()
    rng = np.random.default_rng(0)
    for _ in range(4):
        value = step(*batch(rng, 6, np.float64, "classes"))
        assert one.loss.loss_val[0] == value
        assert one.net[1].state is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((3, None), TypeError),
        ((lambda x: x, "sgd"), TypeError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        mytorch.compile(*arguments)


@pytest.mark.parametrize(
    "options", [{"passes": ["magic"]}, {"backend": "gpu"}, {"check_every": -1}, {"clip_grad_norm": 0}]
)
def test_wrong_options(options):
    one = training("relu")
    with pytest.raises(ValueError):
        mytorch.compile(lambda x: x, one.optimizer, **options)


def test_a_function_that_returns_no_loss():
    one = training("relu")
    net = one.net
    step = mytorch.compile(lambda x, y: net(x), one.optimizer)
    with pytest.raises(TypeError, match=r"shape \(6, 3\)"):
        step(*batch(np.random.default_rng(0), 6, np.float64, "classes"))


def test_a_loss_that_was_changed_off_the_list():
    one = training("relu")
    net, loss = one.net, one.loss
    step = mytorch.compile(lambda x, y: 0.5 * loss(y, net(x)), one.optimizer)
    with pytest.raises(ValueError, match="no recorded operation"):
        step(*batch(np.random.default_rng(0), 6, np.float64, "classes"))


def test_an_argument_that_a_module_holds_too():
    one, other = training("scaled"), training("scaled")
    scales = [each.net[1] for each in (one, other)]
    net, loss, engine = one.net, one.loss, one.engine

    def shifted(x, y, shift):
        u = x + shift
        engine.add_operation([x, shift], u, [None, None], F.add_backward)
        return loss(y, net(u))

    step = mytorch.compile(shifted, optim.SGD(net.parameters(), lr=0.0))
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    wide = np.linspace(0.5, 2, 7)
    del wide
    bias = scales[0].scale[:1].copy()
    scales[0].shift = bias
    values = [step(x, y, bias) for _ in range(3)]
    other_value = step(x, y, bias + 1.0)
    assert len(set(values)) == 1
    expected = [float(shifted(x, y, b)[0]) for b in (bias, bias + 1.0)]
    assert [values[0], other_value] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "kind", ["uint8 classes", "int32 classes", "integer one-hot", "integer data", "no rows", "one column"]
)
def test_unusual_arguments(kind, backend):
    one, other = training("relu"), training("relu")
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = batch(rng, 6, np.float64, "classes")
        if kind == "uint8 classes":
            y = y.astype(np.uint8)
        elif kind == "int32 classes":
            y = y.astype(np.int32)
        elif kind == "integer one-hot":
            y = np.eye(3, dtype=np.int64)[y]
        elif kind == "integer data":
            x = rng.integers(-3, 3, (6, 5))
        elif kind == "no rows":
            x, y = x[:0], y[:0]
        elif kind == "one column":
            x, y = x[:1], y[:1]
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-12)
    assert largest_difference(one, other) <= 1e-12


def test_nan_and_infinity_stay_what_they_are(backend):
    one, other = training("relu"), training("relu")
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for number in range(5):
            x, y = batch(rng, 6, np.float64, "classes")
            if number == 4:
                x[2, 1] = np.nan
            value, expected = step(x, y), other.eager(x, y)
            assert value == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert np.isnan(value)


@pytest.mark.parametrize("n", [6, 300])
def test_no_gradient_goes_through_a_relu_where_it_is_nan(n, backend):
    def first_rows(e, rng, dtype):
        rule = partial(F.getitem_backward, index=slice(0, 2))
        linear = nn.Linear(5, 3, e, rng=rng)
        linear.b += 10
        log, first = Chain(e, (np.log, F.log_backward)), Chain(e, (lambda a: a[:2], rule))
        return nn.Sequential(linear, log, nn.ReLU(e), first)

    one, other = training(first_rows), training(first_rows)
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(5):
            x, y = rng.standard_normal((n, 5)), rng.integers(0, 3, 2)
            # The logarithm of a negative number, in a row that the loss does not see.
            x[-1] = -100 * np.sign(one.net[0].W[0])
            assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-12)
            assert np.isnan(other.net[2].state[-1]).any()
    assert step.plan is not None
    assert np.isfinite(one.net[0].dW).all()
    assert largest_difference(one, other) <= 1e-12


def test_an_optimizer_of_another_class_takes_its_own_step():
    class Signed(optim.Optimizer):
        def _update(self, constants, *arrays):
            value, gradient, _ = arrays
            value -= self.lr * np.sign(gradient)

    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.optimizer = Signed(each.net.parameters(), 0.01)
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    assert any(i.op == "optimizer" for i in step.plan.instructions)


def test_frozen_layers_keep_collecting_gradients():
    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.optimizer = optim.SGD(each.net[2].parameters(), lr=0.1, momentum=0.9)
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    np.testing.assert_allclose(one.net[0].dW, other.net[0].dW, rtol=1e-11)
    assert np.abs(one.net[0].dW).max() > 0


def test_parameters_that_get_no_gradient():
    one, other = training("relu"), training("relu")
    for each in (one, other):
        unused = nn.Linear(2, 2, each.engine, rng=3)
        unused.momentum_W += 1
        unused.dW += 5
        parameters = [*each.net.parameters(), *unused.parameters()]
        each.optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1)
        each.unused = unused
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    np.testing.assert_allclose(one.unused.W, other.unused.W, rtol=1e-13)
    assert not one.unused.dW.any()


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_step_is_not_copied(how):
    one = training("relu")
    step = one.compiled()
    with pytest.raises(TypeError, match="compile a step for"):
        how(step)


@pytest.mark.parametrize("kind", ["property", "slot"])
def test_parameters_that_are_no_plain_attributes(kind, backend):
    class Borrowed(nn.Module):
        parameter_names = ("W",)
        W, dW = property(lambda self: self.other.W), property(lambda self: self.other.dW)

        def __init__(self, engine, other):
            super().__init__(engine)
            self.other = other

    class Slotted:
        __slots__ = ("W", "dW")

    def make():
        engine = Autograd()
        layer, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
        if kind == "property":
            owner = Borrowed(engine, layer)
        else:
            owner = Slotted()
            owner.W, owner.dW = layer.W, layer.dW

        def function(x, y):
            scores = x @ owner.W.T
            engine.add_operation([x, owner.W], scores, [None, owner.dW], product_backward)
            return loss(y, scores)

        return engine, owner, function, optim.SGD([Parameter(owner, "W")], lr=0.1)

    def product_backward(grad_output, x, weight):
        return grad_output @ weight, grad_output.T @ x

    mytorch.graph.register(product_backward, lambda x, weight: x @ weight.T)
    (_, owner, function, optimizer), (engine, other, eager, its) = make(), make()
    step = mytorch.compile(function, optimizer, backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(6):
        x, y = batch(rng, 6, np.float64, "classes")
        engine.zero_grad()
        its.zero_grad()
        expected = eager(x, y)
        engine.backward(expected)
        its.step()
        assert step(x, y) == pytest.approx(float(expected[0]), rel=1e-12)
    assert step.plan is not None, step.reason
    np.testing.assert_allclose(owner.W, other.W, rtol=1e-12)
