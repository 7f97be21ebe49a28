"""Functions that run a backward pass themselves: refused with what to do instead, or left eager."""

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from tests.graph.nets import batch


@pytest.mark.parametrize("how", ["loss", "engine"])
def test_a_function_that_goes_backward_itself(how):
    """Without an optimiser no pass leads back; with one it would be the second."""
    engine = Autograd()
    net, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)

    def function(x, y):
        value = loss(y, net(x))
        loss.backward() if how == "loss" else engine.backward(value)
        return value

    x, y = np.ones((2, 5)), np.array([0, 1])
    forward, step = mytorch.compile(function), mytorch.compile(function, optim.SGD(net.parameters(), 0.1))
    before = net.W.copy()
    for _ in range(3):
        with pytest.raises(RuntimeError, match="Leave backward out of the function and pass the optimiser to compile"):
            forward(x, y)
        with pytest.raises(ValueError, match="gradients would count twice"):
            step(x, y)
    np.testing.assert_array_equal(net.W, before)
    assert "backward" not in vars(engine)


def test_a_backward_pass_from_another_loss_stays_eager():
    """Adversarial data: their gradient comes from a list of its own, which no plan repeats."""

    def step_of(compiled):
        engine = Autograd()
        net, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
        optimizer = optim.SGD(net.parameters(), 0.1)

        def function(x, y):
            loss(y, net(x))
            loss.backward()
            x = x + 0.1 * np.sign(engine.gradient_buffer.get_param(x))
            engine.zero_grad()
            optimizer.zero_grad()
            return loss(y, net(x))

        def eager(x, y):
            engine.zero_grad()
            optimizer.zero_grad()
            value = function(x, y)
            engine.backward(value)
            optimizer.step()
            return value.item()

        return mytorch.compile(function, optimizer) if compiled else eager

    one, other = step_of(True), step_of(False)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        assert one(x, y) == pytest.approx(other(x, y), rel=1e-11)
    assert one.plan is None
