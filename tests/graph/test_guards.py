"""Changes that invalidate a plan are noticed: the compiled step goes on as the eager one does."""

import numpy as np
import pytest

import mytorch
from mytorch import nn, optim
from tests.graph.nets import batch, largest_difference, run, training, twins


def rebind(training_, name):
    layer = training_.net[0]
    setattr(layer, name, getattr(layer, name) * 1.5 + 0.25)


@pytest.mark.parametrize("name", ["W", "b", "dW", "db", "momentum_W", "momentum_b"])
def test_rebound_arrays(name):
    one, other, step = twins()
    run(one, other, step)
    rebind(one, name)
    rebind(other, name)
    run(one, other, step, seed=1)
    assert step.plan is not None


@pytest.mark.parametrize("net", ["dropout", "batchnorm"])
def test_training_flags(net):
    one, other, step = twins(net)
    run(one, other, step)
    for _ in range(2):
        for each in (one, other):
            each.net.eval()
        run(one, other, step, seed=1)
        for each in (one, other):
            each.net.train()
        run(one, other, step, seed=2)
    assert sum(map(len, step.plans.values())) == 2


def test_other_layers():
    one, other, step = twins()
    run(one, other, step)
    for each in (one, other):
        each.net.layers[1] = nn.Tanh(each.engine)
    run(one, other, step, seed=1)
    for each in (one, other):
        each.net.layers.insert(1, nn.Sigmoid(each.engine))
    run(one, other, step, seed=2)


def test_other_net_under_the_same_name():
    nets = {}
    one, other = training("relu"), training("tanh")
    net, loss = one.net, one.loss
    parameters = [*one.net.parameters(), *other.net.parameters()]
    for _, module in other.net.modules():
        module.autograd_engine = one.engine
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(parameters, lr=0.0))
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for name, one_net in (("relu", one.net), ("tanh", other.net), ("relu again", one.net)):
        net = one_net
        nets[name] = [step(x, y) for _ in range(3)]
    assert nets["relu"] == nets["relu again"] != nets["tanh"]


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam", "adamw"])
def test_numbers_of_the_optimizer_are_read_at_every_call(optimizer):
    one, other, step = twins(optimizer=optimizer)
    run(one, other, step)
    for attribute, value in (
        ("lr", 0.5),
        ("weight_decay", 0.1),
        ("weight_decay", 0.0),
        ("momentum", 0.0),
        ("eps", 1e-3),
    ):
        for each in (one, other):
            if hasattr(each.optimizer, attribute):
                setattr(each.optimizer, attribute, value)
        run(one, other, step, seed=1)
    schedules = [optim.StepLR(each.optimizer, 1, 0.5) for each in (one, other)]
    for seed in range(3):
        run(one, other, step, steps=1, seed=seed)
        for schedule in schedules:
            schedule.step()
    assert step.plan is not None


def test_settings_of_layers():
    one, other, step = twins("leaky_relu")
    run(one, other, step)
    for each in (one, other):
        layer = each.net[1]
        layer.negative_slope = 0.7
        layer.backward_operation = nn.LeakyReLU(each.engine, 0.7).backward_operation
    run(one, other, step, seed=1)


def test_shapes_and_dtypes_have_plans_of_their_own():
    one, other, step = twins()
    for n in (6, 2, 6, 1, 2):
        run(one, other, step, steps=3, n=n)
    assert len(step.plans) == 3


def test_eager_steps_in_between():
    one, other, step = twins("dropout", optimizer="adamw")
    rng = np.random.default_rng(0)
    for number in range(20):
        x, y = batch(rng, 6, np.float64, "classes")
        (one.eager if number % 3 == 2 else step)(x, y)
        other.eager(x, y)
        assert largest_difference(one, other) <= 1e-12


def test_a_loaded_state():
    one, other, step = twins(optimizer="adam")
    run(one, other, step)
    for each in (one, other):
        each.net.load_state_dict({name: value + 1 for name, value in each.net.state_dict().items()})
        each.optimizer.load_state_dict({**each.optimizer.state_dict(), "steps": 7})
    run(one, other, step, seed=1)


def test_references_to_parameters_stay_right():
    one, other, step = twins()
    held = [parameter.value for parameter in one.net.parameters()]
    run(one, other, step)
    for array, parameter in zip(held, other.net.parameters()):
        np.testing.assert_allclose(array, parameter.value, rtol=1e-12)


def test_the_first_batch_used_twice():
    one, other = training("linear", loss="mse"), training("linear", loss="mse")
    step = one.compiled()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5))[:, :3]
    both = nn.Linear(3, 3, one.engine, rng=0), nn.Linear(3, 3, other.engine, rng=0)
    optimizers = [optim.SGD(layer.parameters(), lr=0.1) for layer in both]
    loss = one.loss
    first = both[0]
    step = mytorch.compile(lambda x, y: loss(y, first(x)), optimizers[0])
    for a, b in ((x, x), (x, x), (x, x), (x, 2 * x), (x + 1, x)):
        value = step(a, b)
        other.engine.zero_grad()
        optimizers[1].zero_grad()
        expected = other.loss(b, both[1](a))
        other.loss.backward()
        optimizers[1].step()
        assert value == pytest.approx(float(expected[0]), rel=1e-12)
