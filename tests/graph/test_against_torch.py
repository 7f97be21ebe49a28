"""Compiled training beside the same training in PyTorch: losses and parameters after twenty steps, in float64."""

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim

N, IN, HIDDEN, OUT, STEPS = 7, 5, 6, 3, 20

# Ours as a function of the engine, PyTorch's by name and settings.
BETWEEN = {
    "relu": (nn.ReLU, "ReLU", {}),
    "leaky_relu": (lambda e: nn.LeakyReLU(e, 0.2), "LeakyReLU", {"negative_slope": 0.2}),
    "sigmoid": (nn.Sigmoid, "Sigmoid", {}),
    "tanh": (nn.Tanh, "Tanh", {}),
    "gelu": (nn.GELU, "GELU", {}),
    "silu": (nn.SiLU, "SiLU", {}),
    "softplus": (nn.Softplus, "Softplus", {}),
    "softmax": (nn.Softmax, "Softmax", {"dim": -1}),
    "batchnorm": (lambda e: nn.BatchNorm1d(HIDDEN, e), "BatchNorm1d", {"num_features": HIDDEN}),
    "layernorm": (lambda e: nn.LayerNorm(HIDDEN, e), "LayerNorm", {"normalized_shape": HIDDEN}),
}
OPTIMIZERS = {
    "sgd": (optim.SGD, "SGD", {"lr": 0.1}),
    "momentum": (optim.SGD, "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    "nesterov": (optim.SGD, "SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": (optim.Adam, "Adam", {"lr": 0.01, "weight_decay": 0.01}),
    "adamw": (optim.AdamW, "AdamW", {"lr": 0.01, "weight_decay": 0.1}),
}


def train_both(torch, backend, between="tanh", optimizer="momentum", loss="classes"):
    """Train ours compiled and PyTorch's from the same weights on the same batches, and compare."""
    engine = Autograd()
    make, name, settings = BETWEEN[between]
    net = nn.Sequential(nn.Linear(IN, HIDDEN, engine, rng=0), make(engine), nn.Linear(HIDDEN, OUT, engine, rng=1))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(IN, HIDDEN), getattr(torch.nn, name)(**settings), torch.nn.Linear(HIDDEN, OUT)
    ).double()
    with torch.no_grad():
        for layer, other in ((net[0], theirs[0]), (net[2], theirs[2])):
            other.weight.copy_(torch.from_numpy(layer.W))
            other.bias.copy_(torch.from_numpy(layer.b[:, 0]))
    ours, name, settings = OPTIMIZERS[optimizer]
    criterion = nn.MSELoss(engine) if loss == "mse" else nn.SoftmaxCrossEntropy(engine)
    expected_criterion = torch.nn.MSELoss() if loss == "mse" else torch.nn.CrossEntropyLoss()
    step = mytorch.compile(lambda x, y: criterion(y, net(x)), ours(net.parameters(), **settings), backend=backend)
    updated = getattr(torch.optim, name)(theirs.parameters(), **settings)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        x = rng.standard_normal((N, IN))
        y = rng.standard_normal((N, OUT)) if loss == "mse" else rng.integers(0, OUT, N)
        updated.zero_grad()
        expected = expected_criterion(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        expected.backward()
        updated.step()
        assert step(x, y) == pytest.approx(expected.item(), rel=1e-9)
    assert step.plan is not None
    for parameter, other in zip(net.parameters(), theirs.parameters()):
        np.testing.assert_allclose(parameter.value.reshape(other.shape), other.detach().numpy(), rtol=1e-9, atol=1e-12)
    return net, theirs


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.slow
def test_every_layer(torch, between, backend):
    net, theirs = train_both(torch, backend, between)
    if between == "batchnorm":
        np.testing.assert_allclose(net[1].running_mean, theirs[1].running_mean.numpy(), rtol=1e-9)
        np.testing.assert_allclose(net[1].running_var, theirs[1].running_var.numpy(), rtol=1e-9)


@pytest.mark.parametrize("loss", ["classes", "mse"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(torch, optimizer, loss, backend):
    train_both(torch, backend, optimizer=optimizer, loss=loss)
