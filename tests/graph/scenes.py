"""Scenes: steps to compile, with what changes behind their back, and how they are compared with eager steps.

A scene is built twice. One is trained eagerly and one compiled; then something changes in both, and they go on. Whether the
compiled one makes a new plan or stays eager is its own affair, as long as the numbers agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import mytorch
import mytorch.debug
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F

N, IN, OUT = 6, 5, 3


@dataclass
class Scene:
    """A step to compile, and what happens to it between two batches.

    function: the loss of (x, y). change, later: called once after some steps and after some more. keep: more arrays to compare.
    """

    engine: Autograd
    function: Callable[..., Any]
    optimizer: optim.Optimizer
    change: Callable[[], Any] = lambda: None
    later: Callable[[], Any] = lambda: None
    keep: dict[str, np.ndarray] = field(default_factory=dict)

    def eager(self, *arguments: Any) -> float:
        """One step as a person writes it."""
        self.engine.zero_grad()
        self.optimizer.zero_grad()
        loss = self.function(*arguments)
        self.engine.backward(loss)
        self.optimizer.step()
        return float(loss[0])

    def arrays(self) -> list[np.ndarray]:
        found = [array for p in self.optimizer.parameters for array in (p.value, p.gradient)]
        return [*found, *self.keep.values()]


def linear(engine, n_in=IN, n_out=OUT, seed=0):
    return nn.Linear(n_in, n_out, engine, rng=seed)


def net_of(engine, *between):
    """Linear, modules, Linear."""
    return nn.Sequential(linear(engine, IN, 4), *between, linear(engine, 4, OUT, seed=1))


def record(engine, output, rule, *inputs):
    engine.add_operation(list(inputs), output, [None] * len(inputs), rule)
    return output


def scaled(engine, x, factor):
    """x * factor with a number or an array, recorded."""
    return record(engine, x * factor, F.mul_backward, x, factor)


def batches(count=5, seed=0, n=N):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((n, IN)), rng.integers(0, OUT, n)) for _ in range(count)]


def compare(make, more=(), **options):
    """Train a scene eagerly and compiled through its change, and compare all that is left. Returns the compiled step."""
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, **options)
    for number, given in enumerate([*batches(), "change", *(more or batches(5, seed=1)), "later", *batches(4, seed=2)]):
        if isinstance(given, str):
            getattr(one, given)()
            getattr(other, given)()
            continue
        found, expected = step(*given), other.eager(*given)
        np.testing.assert_allclose(found, expected, rtol=1e-11, err_msg=f"the loss of step {number}\n{step}")
    for found, expected in zip(one.arrays(), other.arrays()):
        scale = np.abs(expected).max(initial=1e-3)
        assert np.abs(found - expected).max(initial=0) <= 1e-11 * scale, str(step)
    return step


def scene_with_factor(read, change):
    """A scene whose data are multiplied by the factor that ``read()`` finds."""
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
    return Scene(engine, lambda x, y: loss(y, net(scaled(engine, x, read()))), optim.SGD(net.parameters(), 0.1), change)


class Scale(nn.Module):
    """x times a factor that is found in several places."""

    factor = 1.0

    def __init__(self, engine, **attributes):
        super().__init__(engine)
        vars(self).update(attributes)

    def read(self):
        return self.factor

    def forward(self, x):
        return scaled(self.autograd_engine, x, self.read())


def scene_with_layer(make, change):
    """A scene with a layer in the middle; ``change(layer)``."""
    engine = Autograd()
    layer = make(engine)
    net, loss = net_of(engine, layer), nn.SoftmaxCrossEntropy(engine)
    return Scene(
        engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1, momentum=0.9), lambda: change(layer)
    )


def plain_sgd(parameters):
    return optim.SGD(parameters, lr=0.1)


def simple(*between, optimizer=plain_sgd, loss=nn.SoftmaxCrossEntropy, dtype=np.float64):
    """A function that makes a scene: Linear, modules, Linear."""

    def make():
        engine = Autograd()
        layers = [made(engine) for made in between]
        net = nn.Sequential(
            nn.Linear(IN, 4, engine, rng=0, dtype=dtype), *layers, nn.Linear(4, OUT, engine, rng=1, dtype=dtype)
        )
        criterion = loss(engine)
        return Scene(engine, lambda x, y: criterion(y, net(x)), optimizer(net.parameters()))

    return make


def compare_after(one, other, step):
    """Go on after trouble and compare."""
    for x, y in batches(5, seed=5):
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-11)
    for found, expected in zip(one.arrays(), other.arrays()):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def scenes() -> tuple[dict[str, Callable[[], Scene]], Callable[[Any], Any]]:
    """An empty table of scenes, and a decorator that enters a function under its name."""
    table: dict[str, Callable[[], Scene]] = {}

    def enter(function: Callable[[], Scene]) -> Callable[[], Scene]:
        table[function.__name__.replace("_", " ")] = function
        return function

    return table, enter
