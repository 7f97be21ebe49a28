"""A compiled step leaves everything as an eager one does."""

import numpy as np
import pytest

from tests.graph.nets import LOSSES, NETS, OPTIMIZERS, batch, largest_difference, training

# Two orders of summation, carried on over 30 steps: a few thousand roundings of 1e-16 and 6e-8.
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}


def check(net, loss="classes", optimizer="momentum", dtype=np.float64, n=6, steps=30, **options):
    more = {"max_norm": options.pop("max_norm")} if "max_norm" in options else {}
    one, other = (training(net, loss, optimizer, dtype, **more) for _ in range(2))
    step = one.compiled(**options)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        x, y = batch(rng, n, dtype, loss)
        value, expected = step(x, y), other.eager(x, y)
        assert abs(value - expected) <= TOLERANCE[dtype] * max(abs(expected), 1e-2)
    assert not step.refusals, step.refusals
    assert step.plan is not None
    assert step.plan.backend == options.get("backend", step.plan.backend)
    assert largest_difference(one, other) <= TOLERANCE[dtype]
    return step


@pytest.mark.parametrize("net", NETS)
@pytest.mark.slow
def test_every_layer_and_rule(net, backend):
    check(net, backend=backend)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_and_optimizer(loss, optimizer, backend):
    check("tanh", loss, optimizer, backend=backend)


@pytest.mark.parametrize(
    "net", ["linear", "relu", "dropout", "batchnorm", "layernorm", "skip", "tied", "gelu", "softmax"]
)
def test_single_precision(net, backend):
    check(net, dtype=np.float32, backend=backend)


@pytest.mark.parametrize("n", [1, 2, 33])
@pytest.mark.parametrize("net", ["relu", "dropout", "layernorm", "tied", "views", "concatenate"])
def test_batch_sizes(net, n, backend):
    check(net, n=n, backend=backend)


@pytest.mark.parametrize("max_norm", [0.01, 1e9])
@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_clipping(optimizer, max_norm, backend):
    check("relu", optimizer=optimizer, max_norm=max_norm, backend=backend)
