"""Networks of every kind, each as a function of an engine that returns the net and draws a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import mytorch
import mytorch.graph
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F
from mytorch.nn import nonlinear


class Skip(nn.Module):
    """x + inner(x)."""

    def __init__(self, inner: nn.Module, engine: Any) -> None:
        super().__init__(engine)
        self.inner = inner

    def forward(self, x):
        h = self.inner(x)
        y = x + h
        self.autograd_engine.add_operation([x, h], y, [None, None], F.add_backward)
        return y


class Chain(nn.Module):
    """A chain of recorded functions: ``(function of arrays, rule)`` in turn."""

    def __init__(self, engine: Any, *steps: Any) -> None:
        super().__init__(engine)
        self.steps = steps

    def forward(self, x):
        for function, rule in self.steps:
            y = np.asarray(function(x))
            self.autograd_engine.add_operation([x], y, [None], rule)
            x = y
        return x


class Pair(nn.Module):
    """Two branches of one input, joined by a function of two arrays."""

    def __init__(self, engine: Any, first: nn.Module, second: nn.Module, function: Callable, rule: Callable) -> None:
        super().__init__(engine)
        self.first, self.second, self.function, self.rule = first, second, function, rule

    def forward(self, x):
        a, b = self.first(x), self.second(x)
        y = self.function(a, b)
        self.autograd_engine.add_operation([a, b], y, [None, None], self.rule)
        return y


class Tied(nn.Module):
    """tanh(x W^T) W: one weight used twice, the second time not transposed."""

    def __init__(self, n_in: int, n_out: int, engine: Any, rng: Any, dtype: Any) -> None:
        super().__init__(engine)
        self.first = nn.Linear(n_in, n_out, engine, rng=rng, dtype=dtype)
        self.tanh = nn.Tanh(engine)

    def forward(self, x):
        h = self.tanh(self.first(x))
        y = h @ self.first.W
        self.autograd_engine.add_operation([h, self.first.W], y, [None, self.first.dW], F.matmul_backward)
        return y


N_IN, N_OUT = 5, 3


def layers(*between: Any, width: int = 7) -> Callable[..., nn.Module]:
    """Two linear layers with modules between them, the second ``width`` wide; each is given as a function of the engine."""
    return lambda e, rng, dtype: nn.Sequential(
        nn.Linear(N_IN, 7, e, rng=rng, dtype=dtype),
        *(make(e) for make in between),
        nn.Linear(width, N_OUT, e, rng=rng, dtype=dtype),
    )


def chain(*steps: Any, width: int = 7) -> Callable[..., nn.Module]:
    return layers(nn.Tanh, lambda e: Chain(e, *steps), width=width)


def pair(
    function: Callable, rule: Callable, first: int = 6, second: int = 6, joined: int = 6
) -> Callable[..., nn.Module]:
    """Two positive branches of the given widths joined into one."""
    return lambda e, rng, dtype: nn.Sequential(
        Pair(
            e,
            nn.Sequential(nn.Linear(N_IN, first, e, rng=rng, dtype=dtype), nn.Softplus(e)),
            nn.Sequential(nn.Linear(N_IN, second, e, rng=rng, dtype=dtype), nn.Softplus(e)),
            function,
            rule,
        ),
        nn.Linear(joined, N_OUT, e, rng=rng, dtype=dtype),
    )


class Gather(nn.Module):
    """x[:, index] with an index that the module holds, one column twice."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self.index = np.array([0, 2, 2, 6])

    def forward(self, x):
        y = x[:, self.index]
        rule = partial(F.getitem_backward, index=(slice(None), self.index))
        self.autograd_engine.add_operation([x], y, [None], rule)
        return y


class Scaled(nn.Module):
    """2 * x / scale with a number and an array that the module holds and nobody trains."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self.scale = np.linspace(0.5, 2, 7)

    def forward(self, x):
        scale = self.scale.astype(x.dtype) if self.scale.dtype != x.dtype else self.scale
        self.scale = scale
        u = 2.0 * x
        self.autograd_engine.add_operation([2.0, x], u, [None, None], F.mul_backward)
        y = u / scale
        self.autograd_engine.add_operation([u, scale], y, [None, None], F.div_backward)
        return y


class Borrowed(nn.Module):
    """Two layers, and the weights of the second one used between them as if they were data."""

    def __init__(self, engine: Any, rng: np.random.Generator, dtype: Any) -> None:
        super().__init__(engine)
        self.first = nn.Linear(N_IN, 7, engine, rng=rng, dtype=dtype)
        self.second = nn.Linear(7, 7, engine, rng=rng, dtype=dtype)

    def forward(self, x):
        h = self.first(x)
        y = h @ self.second.W
        self.autograd_engine.add_operation([h, self.second.W], y, [None, None], F.matmul_backward)
        return self.second(y)


NETS: dict[str, Callable[..., nn.Module]] = {
    "linear": lambda e, rng, dtype: nn.Linear(N_IN, N_OUT, e, rng=rng, dtype=dtype),
    "relu": layers(nn.ReLU),
    "sigmoid": layers(nn.Sigmoid),
    "tanh": layers(nn.Tanh),
    "gelu": layers(nn.GELU),
    "silu": layers(nn.SiLU),
    "softplus": layers(nn.Softplus),
    "leaky_relu": layers(lambda e: nn.LeakyReLU(e, 0.2)),
    "softmax": layers(nn.Softmax),
    "softmax_over_batch": layers(lambda e: nn.Softmax(e, axis=0)),
    "identity": layers(nn.Identity),
    "dropout": layers(lambda e: nn.Dropout(e, 0.4, rng=3)),
    "dropout_of_nothing": layers(lambda e: nn.Dropout(e, 0.0)),
    "batchnorm": layers(lambda e: nn.BatchNorm1d(7, e)),
    "layernorm": layers(lambda e: nn.LayerNorm(7, e)),
    "deep": lambda e, rng, dtype: nn.Sequential(
        *(m for _ in range(6) for m in (nn.Linear(N_IN, N_IN, e, rng=rng, dtype=dtype), nn.Tanh(e))),
        nn.Linear(N_IN, N_OUT, e, rng=rng, dtype=dtype),
    ),
    "skip": layers(lambda e: Skip(nn.Sequential(nn.Linear(7, 7, e, rng=5), nn.ReLU(e)), e)),
    "tied": lambda e, rng, dtype: nn.Sequential(
        Tied(N_IN, 4, e, rng, dtype), nn.Linear(N_IN, N_OUT, e, rng=rng, dtype=dtype)
    ),
    "borrowed": Borrowed,
    "add": pair(lambda a, b: a + b, F.add_backward),
    "sub": pair(lambda a, b: a - b, F.sub_backward),
    "mul": pair(lambda a, b: a * b, F.mul_backward),
    "mul_column": pair(lambda a, b: a * b, F.mul_backward, second=1),
    "div": pair(lambda a, b: a / b, F.div_backward),
    "power": pair(lambda a, b: a**b, F.power_backward),
    "maximum": pair(np.maximum, F.max_backward),
    "concatenate": pair(
        lambda a, b: np.concatenate([a, b], 1), partial(F.concatenate_backward, axis=1), first=2, second=4
    ),
    "scaled": layers(Scaled),
    "exp": chain((np.exp, F.exp_backward)),
    "log": chain((np.exp, F.exp_backward), (np.log, F.log_backward)),
    "sqrt": chain((np.exp, F.exp_backward), (np.sqrt, F.sqrt_backward)),
    "abs": chain((np.abs, F.abs_backward)),
    "neg": chain((np.negative, F.neg_backward)),
    "log_softmax": chain((nonlinear.log_softmax, F.log_softmax_backward)),
    "views": chain(
        (lambda a: a.T, F.transpose_backward),
        (lambda a: a.reshape(-1), F.reshape_backward),
        (lambda a: a.reshape(7, -1), F.reshape_backward),
        (lambda a: a.T, F.transpose_backward),
    ),
    "transpose3": chain(
        (lambda a: a.reshape(1, *a.shape), F.reshape_backward),
        (lambda a: a.transpose(2, 0, 1), partial(F.transpose_backward, axes=(2, 0, 1))),
        (lambda a: a.transpose(1, 2, 0), partial(F.transpose_backward, axes=(1, -1, 0))),
        (lambda a: a[0], partial(F.getitem_backward, index=0)),
    ),
    "slice": chain((lambda a: a[:, 1:5], partial(F.getitem_backward, index=(slice(None), slice(1, 5)))), width=4),
    "gather": layers(Gather, width=4),
    "sum": chain((lambda a: a.sum(1, keepdims=True), partial(F.sum_backward, axis=1, keepdims=True)), width=1),
    "mean": chain(
        (lambda a: a.mean(1), partial(F.mean_backward, axis=1)), (lambda a: a[:, None], F.reshape_backward), width=1
    ),
    "matmul3": chain(
        (lambda a: a.reshape(-1, 1, 7), F.reshape_backward),
        (lambda a: a[:, 0], partial(F.getitem_backward, index=(slice(None), 0))),
    ),
}


def batch(rng: np.random.Generator, n: int, dtype: Any, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets for a loss of ``LOSSES``."""
    x = rng.standard_normal((n, N_IN)).astype(dtype)
    if loss == "mse":
        return x, rng.standard_normal((n, N_OUT)).astype(dtype)
    y = rng.integers(0, N_OUT, n)
    return x, np.eye(N_OUT, dtype=dtype)[y] if loss == "one_hot" else y


LOSSES = {"classes": nn.SoftmaxCrossEntropy, "one_hot": nn.SoftmaxCrossEntropy, "mse": nn.MSELoss}

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.05),
    "momentum": partial(optim.SGD, lr=0.02, momentum=0.9),
    "nesterov": partial(optim.SGD, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "decay": partial(optim.SGD, lr=0.02, weight_decay=0.01),
    "adam": partial(optim.Adam, lr=0.003),
    "adam_decay": partial(optim.Adam, lr=0.003, weight_decay=0.01),
    "adamw": partial(optim.AdamW, lr=0.003),
}


@dataclass
class Training:
    """A net with its loss and optimiser, trained eagerly or by a compiled step."""

    net: nn.Module
    loss: nn.Module
    optimizer: optim.Optimizer
    engine: Autograd
    max_norm: float | None = None

    def eager(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step as a person writes it."""
        self.engine.zero_grad()
        self.optimizer.zero_grad()
        value = self.loss(y, self.net(x))
        self.loss.backward()
        if self.max_norm is not None:
            optim.clip_grad_norm(self.optimizer.parameters, self.max_norm)
        self.optimizer.step()
        return float(value[0])

    def compiled(self, **options: Any) -> mytorch.graph.Step:
        """The same step compiled."""
        net, loss = self.net, self.loss
        return mytorch.compile(lambda x, y: loss(y, net(x)), self.optimizer, clip_grad_norm=self.max_norm, **options)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that a step leaves behind: parameters, buffers, gradients, the optimiser's state."""
        found = {f"net {name}": value for name, value in self.net.state_dict().items()}
        for index, parameter in enumerate(self.optimizer.parameters):
            found[f"gradient {index}"] = parameter.gradient
        found.update({f"optimiser {k}": np.asarray(v) for k, v in self.optimizer.state_dict().items()})
        return found


def training(
    net: str | Callable[..., nn.Module],
    loss: str = "classes",
    optimizer: str = "momentum",
    dtype: Any = np.float64,
    seed: int = 0,
    **more: Any,
) -> Training:
    """A training that begins alike for the same arguments. net: a name of ``NETS``, or a function like those."""
    engine = Autograd()
    rng = np.random.default_rng(seed)
    made = (NETS[net] if isinstance(net, str) else net)(engine, rng, dtype)
    for _, module in made.modules():
        for name in (*module.parameter_names, *module.buffer_names):
            for full in (name, f"d{name}", f"momentum_{name}"):
                if getattr(module, full, None) is not None:
                    setattr(module, full, getattr(module, full).astype(dtype))
    return Training(made, LOSSES[loss](engine), OPTIMIZERS[optimizer](made.parameters()), engine, **more)


def largest_difference(one: Training, other: Training) -> float:
    """The largest difference of all arrays, relative to the largest entry of the arrays of its kind.

    A bias before a normalisation has a gradient of zero but for rounding, which has no digits to compare.
    """
    found, expected = one.arrays(), other.arrays()
    assert found.keys() == expected.keys()
    largest: dict[str, float] = {}
    for name, value in expected.items():
        kind = name.split(".")[0].rstrip("0123456789 ")
        largest[kind] = max(largest.get(kind, 1e-3), float(np.abs(value).max(initial=0)))
    worst = 0.0
    for name, value in expected.items():
        kind = name.split(".")[0].rstrip("0123456789 ")
        worst = max(worst, float(np.abs(found[name] - value).max(initial=0)) / largest[kind])
    return worst


def twins(net: str | Callable[..., nn.Module] = "relu", **more: Any) -> tuple[Training, Training, mytorch.graph.Step]:
    """Two trainings that begin alike, and the first one compiled."""
    one, other = training(net, **more), training(net, **more)
    return one, other, one.compiled()


def run(one: Training, other: Training, step: mytorch.graph.Step, steps: int = 4, n: int = 6, seed: int = 0) -> None:
    """Train both, one compiled and the other eagerly, and demand that they stay equal."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x, y = batch(rng, n, np.float64, "classes")
        value, expected = step(x, y), other.eager(x, y)
        assert value == pytest.approx(expected, rel=1e-12)
    assert largest_difference(one, other) <= 1e-12
