"""Steps that no plan can repeat stay eager and say why; rules of one's own take part once their forward is known."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F
from tests.graph.nets import Chain, batch, run, training


class Noise(nn.Module):
    """x + noise that is drawn off the list."""

    def __init__(self, engine, keep):
        super().__init__(engine)
        self.rng, self.keep, self.noise = np.random.default_rng(0), keep, np.zeros((6, 7))

    def forward(self, x):
        if self.keep == "in place":
            self.noise[...] = self.rng.standard_normal(x.shape)
            noise = self.noise
        else:
            noise = self.rng.standard_normal(x.shape)
            if self.keep == "rebound":
                self.noise = noise
        y = x + noise
        self.autograd_engine.add_operation([x, noise], y, [None, None], F.add_backward)
        return y


class Counting(nn.Module):
    """x, and a count of the calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return x


def square_backward(grad_output, a):
    return 2 * a * grad_output


def with_module(make):
    """A pair whose net has one more module after the first layer."""
    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.net.layers.insert(1, make(each.engine))
    return one, other, one.compiled()


REFUSED = {
    "drawn off the list": (lambda e: Noise(e, "local"), "operation 1 (add)"),
    "held, but another array each time": (lambda e: Noise(e, "rebound"), "noise"),
    "changed in place": (lambda e: Noise(e, "in place"), "in place off the list"),
    "a count": (Counting, "calls"),
    "an unknown rule": (
        lambda e: Chain(e, (np.square, square_backward)),
        "operation 1 (square): its forward is not known",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_steps_stay_eager_and_say_why(name):
    make, words = REFUSED[name]
    one, other, step = with_module(make)
    run(one, other, step, steps=5)
    assert words in str(step)
    assert step.plan is None


def test_a_branch_on_data_that_differs_between_two_batches():
    class Branch(nn.Module):
        def forward(self, x):
            u = np.tanh(x) if x[0, 0] > 0 else np.exp(x)
            rule = F.tanh_backward if x[0, 0] > 0 else F.exp_backward
            self.autograd_engine.add_operation([x], u, [None], rule)
            return u

    one = training("relu")
    one.net.layers.insert(0, Branch(one.engine))
    step = one.compiled()
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for number in range(3):
        step(x if number else -x, y)
    assert "differs between two batches" in str(step)


def test_check_every_notices_a_branch_that_flips_late():
    class Branch(nn.Module):
        def forward(self, x):
            function, rule = (np.tanh, F.tanh_backward) if np.abs(x).max() < 50 else (np.exp, F.exp_backward)
            u = function(x / 100)
            v = x / 100
            self.autograd_engine.add_operation([x, 100.0], v, [None, None], F.div_backward)
            self.autograd_engine.add_operation([v], u, [None], rule)
            return u

    one = training("relu")
    one.net.layers.insert(0, Branch(one.engine))
    step = one.compiled(check_every=1)
    rng = np.random.default_rng(0)
    for _ in range(5):
        step(*batch(rng, 6, np.float64, "classes"))
    assert step.plan is not None
    x, y = batch(rng, 6, np.float64, "classes")
    step(100 * x, y)
    assert "differs between two batches" in str(step)


def test_debug_mode_stays_eager():
    engine = Autograd(debug=True)
    net, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), lr=0.1))
    x, y = batch(np.random.default_rng(0), 4, np.float64, "classes")
    values = [step(x, y) for _ in range(4)]
    assert values == sorted(values, reverse=True)
    assert step.plan is None
    assert "debug mode" in str(step)


def test_a_wrong_forward_does_not_prove_itself():
    def cube_backward(grad_output, a):
        return 3 * a**2 * grad_output

    mytorch.graph.register(cube_backward, lambda a: a**3 + 1e-6)
    one, other, step = with_module(lambda e: Chain(e, (lambda a: a**3, cube_backward)))
    run(one, other, step)
    assert "did not prove itself" in str(step)


def test_a_registered_rule_takes_part():
    mytorch.graph.register(square_backward, np.square)
    try:
        one, other, step = with_module(lambda e: Chain(e, (np.square, square_backward)))
        run(one, other, step, steps=6)
        assert step.plan is not None
        assert "call" in str(step.plan)
    finally:
        del mytorch.graph.registry.RULES[square_backward]


def split_backward(grads, a):
    return np.concatenate(grads, axis=1)


class Split(nn.Module):
    """The first three columns times the next three, cut apart by one operation, whose last output leads nowhere."""

    def forward(self, x):
        left, right, last = (part.copy() for part in np.split(x, [3, 6], axis=1))
        self.autograd_engine.add_operation([x], (left, right, last), [None], split_backward)
        y = left * right
        self.autograd_engine.add_operation([left, right], y, [None, None], F.mul_backward)
        return y


SPLITS = {
    "called": lambda a: (a[:, :3], a[:, 3:6], a[:, 6:]),
    "in primitives": mytorch.graph.Rule(
        lambda p, r: tuple(p.slice(r.inputs[0], (slice(None), slice(*ends))) for ends in ((3,), (3, 6), (6, 7))),
        lambda p, r, g: (p.emit("concatenate", list(g), axis=1, shape=r.inputs[0].shape, dtype=r.inputs[0].dtype),),
    ),
}


@pytest.mark.parametrize("kind", SPLITS)
def test_a_rule_of_several_outputs(kind, backend):
    one, other = (
        training(lambda e, rng, dtype: nn.Sequential(nn.Linear(5, 7, e, rng=rng), Split(e))) for _ in range(2)
    )
    step = one.compiled(backend=backend)
    mytorch.graph.register(split_backward, SPLITS[kind])
    try:
        run(one, other, step, steps=6)
    finally:
        del mytorch.graph.registry.RULES[split_backward]
    assert step.plan is not None, step.reason


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda a: (a[:, :3],), "it raised IndexError"),
        (mytorch.graph.Rule(lambda p, r: (r.inputs[0],), SPLITS["in primitives"].backward), "gives 1 outputs, but 3"),
    ],
)
def test_a_rule_with_too_few_outputs(forward, words):
    one, other = (
        training(lambda e, rng, dtype: nn.Sequential(nn.Linear(5, 7, e, rng=rng), Split(e))) for _ in range(2)
    )
    step = one.compiled()
    mytorch.graph.register(split_backward, forward)
    try:
        run(one, other, step)
    finally:
        del mytorch.graph.registry.RULES[split_backward]
    assert words in str(step)


def test_an_argument_that_is_no_array_belongs_to_the_key():
    one = training("relu")
    net, loss, engine = one.net, one.loss, one.engine

    def scaled(x, y, factor):
        u = x * factor
        engine.add_operation([x, factor], u, [None, None], F.mul_backward)
        return loss(y, net(u))

    step = mytorch.compile(scaled, optim.SGD(net.parameters(), lr=0.0))
    x, y = batch(np.random.default_rng(0), 4, np.float64, "classes")
    values = [step(x, y, factor) for factor in (1.0, 2.0, 1.0, 2.0, 1.0, 2.0)]
    assert values[0::2] == [values[0]] * 3
    assert values[1::2] == [values[1]] * 3
    assert values[0] != values[1]


RAISING = {
    "forward": (lambda p, r: r.inputs[7], lambda p, r, g: (g,), "its rule raised IndexError"),
    "no value": (lambda p, r: 3.0, lambda p, r, g: (g,), "its rule raised AttributeError"),
    "backward": (lambda p, r: r.inputs[0], lambda p, r, g: (g / 0,), "its rule raised TypeError"),
    "no tuple": (lambda p, r: r.inputs[0], lambda p, r, g: g, "its rule raised TypeError"),
}


@pytest.mark.parametrize("kind", RAISING)
def test_a_rule_that_raises(kind):
    def same_backward(grad_output, a):
        return grad_output

    forward, backward, words = RAISING[kind]
    one, other, step = with_module(lambda e: Chain(e, (lambda a: a + 0, same_backward)))
    mytorch.graph.register(same_backward, mytorch.graph.Rule(forward, backward))
    try:
        run(one, other, step)
    finally:
        del mytorch.graph.registry.RULES[same_backward]
    assert f"operation 1 (same): {words}" in str(step)


def test_calls_that_raise_do_not_count():
    one = training("relu")
    step = one.compiled()
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for _ in range(20):
        with pytest.raises(ValueError):
            step(x, y + 3)
    step(x, y)
    assert step.plan is not None, step.reason


def test_a_named_tuple_stays_one():
    class Found(NamedTuple):
        scores: np.ndarray

    net = nn.Linear(5, 3, Autograd(), rng=0)
    predict = mytorch.compile(lambda x: Found(net(x)))
    assert all(predict(np.ones((2, 5))).scores.shape == (2, 3) for _ in range(3))
    assert "returned a Found" in str(predict)


@pytest.mark.parametrize("name", ["W", "dW", "momentum_W"])
def test_a_read_only_array_is_not_changed(name, backend):
    one = training("relu")
    array = getattr(one.net[0], name)
    array += 1
    array.flags.writeable = False
    step = one.compiled(backend=backend)
    for _ in range(3):
        with pytest.raises(ValueError, match="read-only"):
            step(*batch(np.random.default_rng(0), 6, np.float64, "classes"))
    assert getattr(one.net[0], name) is array


def test_a_rule_registered_after_the_first_steps():
    def fourth_backward(grad_output, a):
        return 4 * a**3 * grad_output

    one, other, step = with_module(lambda e: Chain(e, (lambda a: a**4, fourth_backward)))
    run(one, other, step)
    assert step.plan is None
    mytorch.graph.register(fourth_backward, lambda a: a**4)
    try:
        run(one, other, step)
    finally:
        del mytorch.graph.registry.RULES[fourth_backward]
    assert step.plan is not None, step.reason


def test_an_index_of_booleans():
    """The number of rows that it takes differs from batch to batch."""
    engine = Autograd()
    net = nn.Linear(5, 3, engine, rng=0)

    def chosen(x, mask):
        h = net(x)
        y = h[mask]
        engine.add_operation([h], y, [None], partial(F.getitem_backward, index=mask))
        return y

    predict = mytorch.compile(chosen)
    x = np.random.default_rng(0).standard_normal((6, 5))
    for count in (3, 3, 3, 1, 6):
        assert predict(x, np.arange(6) < count).shape == (count, 3)
    assert "array of booleans" in str(predict)


def test_a_registered_forward_whose_shape_depends_on_data():
    """A single row would be repeated to fill the place of three."""

    def positive_backward(grad_output, a):
        grad = np.zeros_like(a)
        grad[a[:, 0] > 0] = grad_output
        return grad

    engine = Autograd()

    def positive(x):
        y = x[x[:, 0] > 0]
        engine.add_operation([x], y, [None], positive_backward)
        return y

    net = nn.Linear(5, 3, engine, rng=0)
    predict = mytorch.compile(lambda x: net(positive(x)))
    x = np.abs(np.random.default_rng(0).standard_normal((6, 5)))
    x[3:, 0] *= -1
    mytorch.graph.register(positive_backward, lambda a: a[a[:, 0] > 0])
    try:
        assert all(predict(x).shape == (3, 3) for _ in range(4))
        x[1:, 0] = -1
        with pytest.raises(ValueError, match=r"returned shape \(1, 5\) where it returned \(3, 5\)"):
            predict(x)
    finally:
        del mytorch.graph.registry.RULES[positive_backward]


def test_a_wrong_gradient_shows_once_the_rate_is_above_zero():
    """Without gradients kept, steps of rate zero prove nothing."""

    def half_backward(grad_output, a):
        return 0.5 * grad_output

    wrong = mytorch.graph.Rule(lambda p, r: p.mul(0.5, r.inputs[0]), lambda p, r, g: (p.mul(0.75, g),))
    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.net.layers.insert(1, Chain(each.engine, (lambda a: 0.5 * a, half_backward)))
        each.optimizer = optim.SGD(each.net.parameters(), lr=0.0)
    step = one.compiled(keep_gradients=False)
    mytorch.graph.register(half_backward, wrong)
    try:
        run(one, other, step)
        assert step.plan is not None
        one.optimizer.lr = other.optimizer.lr = 0.1
        run(one, other, step, seed=1)
    finally:
        del mytorch.graph.registry.RULES[half_backward]
    assert "did not prove itself" in str(step)
