"""Checkpoint: the same gradients bit for bit, less memory, numbers drawn once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim

WIDTH = 8


def layers(engine: Autograd, depth: int, rng: np.random.Generator, dtype: type = np.float64) -> list[nn.Module]:
    """Blocks with all that could be drawn or moved twice."""
    found: list[nn.Module] = []
    for _ in range(depth):
        found += [
            nn.Linear(WIDTH, WIDTH, engine, rng=rng, dtype=dtype),
            nn.BatchNorm1d(WIDTH, engine, dtype=dtype),
            nn.Tanh(engine),
            nn.Dropout(engine, 0.3, rng=rng),
        ]
    return found


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("segments", [1, 2, 5, None])
def test_training_is_the_same_bit_for_bit(segments, dtype):
    results = []
    for checkpointed in (False, True):
        engine, rng = Autograd(), np.random.default_rng(0)
        body = layers(engine, 5, rng, dtype)
        inner = nn.in_segments(body, segments) if checkpointed else nn.Sequential(*body)
        net = nn.Sequential(inner, nn.Dropout(engine, 0.2, rng=rng), nn.Linear(WIDTH, 3, engine, rng=rng, dtype=dtype))
        loss, optimizer = nn.SoftmaxCrossEntropy(engine), optim.Adam(net.parameters(), lr=0.01)
        data, found = np.random.default_rng(1), []
        for step in range(4):
            x, y = data.standard_normal((7, WIDTH)).astype(dtype), data.integers(0, 3, 7)
            engine.zero_grad()
            optimizer.zero_grad()
            found.append(loss(y, net(engine.data(x) if step % 2 else x)).copy())
            loss.backward()
            if step % 2 == 0:
                found.append(engine.gradient_buffer.get_param(x))
            found += [parameter.gradient.copy() for parameter in net.parameters()]
            optimizer.step()
        net.eval()
        with engine.paused():
            found.append(net(x))
        results.append([*found, *(np.asarray(value) for value in net.state_dict().values())])
    for one, other in zip(*results):
        np.testing.assert_array_equal(one, other)


def test_an_array_used_twice_and_a_layer_used_twice():
    def run(make):
        own = Autograd()
        layer = nn.Linear(WIDTH, WIDTH, own, rng=0)
        inner = make(nn.Sequential(layer, nn.Tanh(own), layer))
        x = np.random.default_rng(2).standard_normal((3, WIDTH))
        a = inner(x)
        b = inner(x)
        y = a * b
        own.add_operation([a, b], y, [None, None], mytorch.nn.functional.mul_backward)
        own.backward(np.ones_like(y))
        return layer.dW, layer.db, own.gradient_buffer.get_param(x)

    for one, other in zip(run(lambda module: module), run(nn.Checkpoint)):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def peak(depth: int, checkpointed: bool) -> int:
    """Bytes at the peak of one step of a deep net, above its weights and gradients."""
    engine, rng = Autograd(), np.random.default_rng(0)
    body: list[nn.Module] = []
    for _ in range(depth):
        body += [nn.Linear(16, 16, engine, rng=rng), nn.Tanh(engine)]
    net = nn.in_segments(body) if checkpointed else nn.Sequential(*body)
    x = rng.standard_normal((4000, 16))
    tracemalloc.start()
    try:
        y = net(engine.data(x))
        engine.backward(np.ones_like(y))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_peak_memory_falls_as_the_square_root():
    """With n layers in sqrt(n) segments, 2 sqrt(n) activations are kept at once instead of n."""
    small, large = peak(16, True), peak(64, True)
    assert peak(64, False) > 3.5 * peak(16, False)
    assert large < 2.6 * small, "four times the depth, twice the memory"
    assert large < 0.45 * peak(64, False)


def test_what_it_keeps_and_what_it_refuses(engine):
    inner = nn.Sequential(nn.Linear(3, 3, engine), nn.Tanh(engine))
    net = nn.Checkpoint(inner)
    x = np.ones((2, 3))
    y = net(x)
    assert len(engine.operation_list) == 1
    assert inner[1].state is None
    assert engine.operation_list[0].inputs[0] is x
    assert [p.value is q.value for p, q in zip(net.parameters(), inner.parameters())] == [True, True]
    engine.backward(y)
    assert inner[0].autograd_engine is engine
    with engine.paused():
        net(x)
    assert len(engine.operation_list) == 1
    engine.zero_grad()
    with pytest.raises(ValueError, match="returns its input"):
        nn.Checkpoint(Same(engine))(x)


class Same(nn.Module):
    def forward(self, x):
        return x


def test_a_compiled_step_says_why_it_stays_eager(engine):
    net = nn.Sequential(nn.Checkpoint(nn.Linear(3, 4, engine, rng=0)), nn.Linear(4, 2, engine, rng=0))
    loss = nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), lr=0.1))
    values = [step(np.ones((2, 3)), np.array([0, 1])) for _ in range(2)]
    assert values[1] < values[0]
    assert "checkpoint" in step.reason
