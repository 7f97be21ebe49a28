"""The engine's hook for gradients on their way to the layers: what it is told, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest

from mytorch import Autograd, nn


def network(engine):
    first, second = nn.Linear(3, 3, engine, rng=0), nn.Linear(3, 2, engine, rng=1)
    net = nn.Sequential(first, nn.Tanh(engine), first, nn.Tanh(engine), second)
    return net, nn.SoftmaxCrossEntropy(engine), np.random.default_rng(0).standard_normal((4, 3)), np.arange(4) % 2


def test_it_is_told_every_gradient_from_the_end_and_changes_nothing():
    gradients, told = [], []
    for hook in (None, lambda number, slot, gradient: told.append((number, slot, gradient.copy()))):
        engine = Autograd()
        net, loss, x, y = network(engine)
        engine.on_gradient = hook
        loss(y, net(x))
        loss.backward()
        gradients.append([p.gradient for p in net.parameters()])
    np.testing.assert_equal(*gradients)
    numbers = [number for number, _, _ in told]
    assert numbers == [4, 4, 2, 2, 0, 0]
    for parameter in net.parameters():
        sent = [gradient for _, slot, gradient in told if slot is parameter.gradient]
        np.testing.assert_array_equal(sum(sent), parameter.gradient)


def test_what_it_takes_does_not_reach_the_layer():
    engine = Autograd()
    net, loss, x, y = network(engine)
    kept = net[4].dW
    engine.on_gradient = lambda number, slot, gradient: slot is kept
    loss(y, net(x))
    loss.backward()
    assert not kept.any()
    assert net[4].db.any()
    assert net[0].dW.any()


def test_a_rule_that_fails_leaves_the_layers_as_they_were(engine):
    def fails(grad_output, a, b):
        raise ValueError("broken")

    layer = nn.Linear(3, 3, engine, rng=0)
    x = np.ones((2, 3))
    h = x * 2.0
    engine.add_operation([x, np.full((2, 3), 2.0)], h, [None, None], fails)
    y = layer(h)
    told = []
    engine.on_gradient = lambda *given: told.append(given)
    with pytest.raises(ValueError, match="broken"):
        engine.backward(y)
    assert len(told) == 2
    assert not layer.dW.any()
