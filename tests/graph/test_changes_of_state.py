"""A compiled step notices changed arrays, optimisers, generators and running statistics."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mytorch import Autograd, nn, optim
from mytorch.graph import guards
from mytorch.nn import functional as F
from tests.graph.scenes import (
    IN,
    OUT,
    Scene,
    compare,
    linear,
    net_of,
    record,
    scaled,
    scene_with_factor,
    scene_with_layer,
    scenes,
)

SCENES, scene = scenes()


# Arrays


@scene
def a_constant_array_changed_in_place():
    factor = np.full(IN, 0.5)
    return scene_with_factor(lambda: factor, lambda: factor.fill(3.0))


@scene
def a_constant_array_in_a_list_replaced_by_an_equal_one_of_one_entry():
    factors = [np.array([0.5])]
    built = scene_with_factor(lambda: factors[0], lambda: factors.__setitem__(0, np.array([0.5])))
    built.later = lambda: factors[0].fill(3.0)
    return built


@scene
def a_constant_array_in_a_dict_replaced():
    factors = {"a": np.full(IN, 0.5)}
    return scene_with_factor(lambda: factors["a"], lambda: factors.update(a=np.full(IN, 3.0)))


@scene
def weights_scaled_in_place():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def change():
        for parameter in net.parameters():
            np.multiply(parameter.value, 0.5, out=parameter.value)

    return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), change)


@scene
def weights_that_lie_column_by_column():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def change():
        for layer in (net[0], net[2]):
            layer.W = np.asfortranarray(layer.W)

    return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1, momentum=0.9), change)


@scene
def weights_with_gaps_between():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def change():
        for name in ("W", "dW", "momentum_W"):
            big = np.full((4, 2 * IN), 9.0)
            big[:, ::2] = getattr(net[0], name)
            setattr(net[0], name, big[:, ::2])

    return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1, momentum=0.9), change)


@scene
def two_layers_tied_later():
    engine = Autograd()
    first, second, last = linear(engine, IN, IN), linear(engine, IN, IN, 1), linear(engine, IN, OUT, 2)
    loss = nn.SoftmaxCrossEntropy(engine)
    parameters = [*first.parameters(), *second.parameters(), *last.parameters()]

    def change():
        for name in ("W", "dW", "momentum_W"):
            setattr(second, name, getattr(first, name))

    return Scene(engine, lambda x, y: loss(y, last(second(first(x)))), optim.SGD(parameters, 0.02), change)


@scene
def a_weight_tied_without_its_gradient():
    engine = Autograd()
    first, second, last = linear(engine, IN, IN), linear(engine, IN, IN, 1), linear(engine, IN, OUT, 2)
    second.W = first.W
    loss = nn.SoftmaxCrossEntropy(engine)
    parameters = [*first.parameters(), *second.parameters(), *last.parameters()]
    return Scene(engine, lambda x, y: loss(y, last(second(first(x)))), optim.SGD(parameters, 0.02))


@scene
def a_frozen_layer_collects_its_gradient():
    engine = Autograd()
    first, last, loss = linear(engine, IN, 4), linear(engine, 4, OUT), nn.SoftmaxCrossEntropy(engine)
    return Scene(engine, lambda x, y: loss(y, last(first(x))), optim.SGD(last.parameters(), 0.1), keep={"dW": first.dW})


# The optimiser


def scene_with_optimizer(make, change):
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
    optimizer = make(net.parameters())
    return Scene(engine, lambda x, y: loss(y, net(x)), optimizer, lambda: change(optimizer))


@scene
def betas():
    return scene_with_optimizer(partial(optim.Adam, lr=0.01), lambda o: setattr(o, "betas", (0.5, 0.9)))


@scene
def betas_in_a_list_changed_in_place():
    return scene_with_optimizer(
        lambda p: optim.Adam(p, 0.01, betas=[0.9, 0.999]), lambda o: o.betas.__setitem__(0, 0.5)
    )


@scene
def nesterov_switched_on():
    return scene_with_optimizer(partial(optim.SGD, lr=0.1, momentum=0.9), lambda o: setattr(o, "nesterov", True))


@scene
def momentum_switched_on():
    return scene_with_optimizer(partial(optim.SGD, lr=0.1), lambda o: setattr(o, "momentum", 0.9))


@scene
def the_count_of_steps():
    return scene_with_optimizer(partial(optim.Adam, lr=0.01), lambda o: setattr(o, "steps", 100))


@scene
def a_parameter_removed():
    return scene_with_optimizer(partial(optim.SGD, lr=0.1), lambda o: o.parameters.pop(0))


@scene
def a_parameter_listed_twice():
    return scene_with_optimizer(lambda p: optim.SGD([*p, p[0]], lr=0.1), lambda o: None)


@scene
def the_optimizers_own_step_replaced():
    def change(optimizer):
        plain = optimizer.step

        def twice():
            plain()
            plain()

        optimizer.step = twice

    return scene_with_optimizer(partial(optim.SGD, lr=0.1), change)


@scene
def the_optimizers_own_zero_grad_replaced():
    return scene_with_optimizer(partial(optim.SGD, lr=0.1), lambda o: setattr(o, "zero_grad", lambda: None))


@scene
def an_optimizer_that_never_zeroes():
    def make(parameters):
        optimizer = optim.SGD(parameters, 0.01)
        optimizer.zero_grad = lambda: None
        return optimizer

    return scene_with_optimizer(make, lambda o: None)


@scene
def the_optimizers_class():
    return scene_with_optimizer(
        partial(optim.Adam, lr=0.01, weight_decay=0.1), lambda o: setattr(o, "__class__", optim.AdamW)
    )


@scene
def a_subclass_of_an_optimizer():
    class Signs(optim.SGD):
        def _update(self, constants, *arrays):
            arrays[0][...] -= self.lr * np.sign(arrays[1])

    return scene_with_optimizer(lambda p: Signs(p, 0.01), lambda o: setattr(o, "lr", 0.02))


# Randomness and state


@scene
def dropout_of_another_share():
    return scene_with_layer(lambda e: nn.Dropout(e, 0.3, rng=0), lambda layer: setattr(layer, "p", 0.6))


@scene
def dropout_that_stops():
    return scene_with_layer(lambda e: nn.Dropout(e, 0.3, rng=0), lambda layer: setattr(layer, "p", 0.0))


@scene
def dropout_with_another_generator():
    return scene_with_layer(
        lambda e: nn.Dropout(e, 0.3, rng=0), lambda layer: setattr(layer, "rng", np.random.default_rng(9))
    )


@scene
def dropout_whose_generator_is_set_back():
    def change(layer):
        layer.rng.bit_generator.state = np.random.default_rng(9).bit_generator.state

    return scene_with_layer(lambda e: nn.Dropout(e, 0.3, rng=0), change)


@scene
def two_dropouts_of_one_generator():
    rng = np.random.default_rng(0)
    return scene_with_layer(
        lambda e: nn.Sequential(nn.Dropout(e, 0.3, rng=rng), nn.Tanh(e), nn.Dropout(e, 0.2, rng=rng)),
        lambda layer: None,
    )


@scene
def a_layer_that_is_left_out_at_random():
    class Depth(nn.Module):
        """Stochastic depth: left out in a tenth of the steps."""

        def __init__(self, engine):
            super().__init__(engine)
            self.tanh, self.rng = nn.Tanh(engine), np.random.default_rng(5)

        def forward(self, x):
            return self.tanh(x) if self.rng.random() < 0.7 else x

    return scene_with_layer(Depth, lambda layer: None)


@scene
def a_layer_left_out_by_a_generator_of_the_function():
    engine = Autograd()
    net, loss, rng, tanh = linear(engine), nn.SoftmaxCrossEntropy(engine), np.random.default_rng(5), nn.Tanh(engine)
    return Scene(
        engine,
        lambda x, y: loss(y, net(tanh(x) if rng.random() < 0.7 else x)),
        optim.SGD(net.parameters(), 0.1),
    )


@scene
def a_layer_left_out_by_a_list_that_is_used_up():
    class Depth(nn.Module):
        def __init__(self, engine):
            super().__init__(engine)
            self.tanh = nn.Tanh(engine)
            self.left_out = [bool(i % 10 == 7) for i in range(40)]

        def forward(self, x):
            return x if self.left_out.pop(0) else self.tanh(x)

    return scene_with_layer(Depth, lambda layer: None)


@scene
def batch_norm_with_another_momentum_and_eps():
    def change(layer):
        layer.momentum, layer.eps = 0.5, 0.1

    return scene_with_layer(lambda e: nn.BatchNorm1d(4, e), change)


@scene
def batch_norm_with_other_running_arrays():
    def change(layer):
        layer.running_mean = np.ones(4)
        layer.eval()

    return scene_with_layer(lambda e: nn.BatchNorm1d(4, e), change)


@scene
def batch_norm_used_twice_in_a_step():
    engine = Autograd()
    norm, loss = nn.BatchNorm1d(4, engine), nn.SoftmaxCrossEntropy(engine)
    first, last = linear(engine, IN, 4), linear(engine, 4, OUT)
    parameters = [*first.parameters(), *norm.parameters(), *last.parameters()]
    return Scene(
        engine,
        lambda x, y: loss(y, last(norm(norm(first(x))))),
        optim.SGD(parameters, 0.1),
        norm.eval,
        keep={"mean": norm.running_mean, "var": norm.running_var},
    )


@scene
def a_state_from_the_last_step():
    class Memory(nn.Module):
        """x plus what it was given the last time."""

        def __init__(self, engine):
            super().__init__(engine)
            self.before = None

        def forward(self, x):
            y = (
                x
                if self.before is None
                else record(self.autograd_engine, x + self.before, F.add_backward, x, self.before)
            )
            self.before = x
            return y

    return scene_with_layer(Memory, lambda layer: None)


@scene
def a_count_in_a_list():
    class Count(nn.Module):
        def __init__(self, engine):
            super().__init__(engine)
            self.calls = [0]

        def forward(self, x):
            self.calls[0] += 1
            return scaled(self.autograd_engine, x, 2.0 if self.calls[0] > 7 else 1.0)

    return scene_with_layer(Count, lambda layer: None)


# Views of what the function is given


@scene
def the_data_changed_in_place_by_the_function():
    engine = Autograd()
    net, loss = linear(engine), nn.SoftmaxCrossEntropy(engine)

    def function(x, y):
        x -= x.mean()
        return loss(y, net(x))

    return Scene(engine, lambda x, y: function(x.copy(), y), optim.SGD(net.parameters(), 0.1))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.slow
def test_scene(name, backend):
    compare(SCENES[name], backend=backend)


def test_lists_are_compared_by_their_objects():
    """Two arrays of one entry compare equal; only one of them is the one that a plan writes."""
    held = {"m": [np.zeros(1)]}
    names = {}
    test = guards.expression([guards.guard(held, "m", held["m"], "m")], names)
    assert eval(test, names)
    held["m"][0] = np.zeros(1)
    assert not eval(test, names)


def test_the_reason_where_gradients_are_not_zeroed():
    step = compare(SCENES["an optimizer that never zeroes"])
    assert "zero_grad of its own" in str(step)
