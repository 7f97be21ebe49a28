"""EmbeddingBag: sums and means of rows, padding, masks, offsets; gradients, plans and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import mytorch
from mytorch import nn, optim
from mytorch.nn import functional as F
from tests.numerics import assert_close, check_rule

ROWS, WIDTH = 6, 3


def by_hand(W: np.ndarray, bags: list[list[int]], mode: str) -> np.ndarray:
    rows = [np.add.reduce(W[bag], axis=0) / (max(len(bag), 1) if mode == "mean" else 1) for bag in bags]
    return np.array(rows).reshape(len(bags), W.shape[1])


def gradient_by_hand(W: np.ndarray, bags: list[list[int]], g: np.ndarray, mode: str) -> np.ndarray:
    dW = np.zeros(W.shape)
    for bag, row in zip(bags, g):
        for index in bag:
            dW[index] += row / (len(bag) if mode == "mean" else 1)
    return dW


# Each with the bags that it stands for: padded by index 0, by a mask, by offsets, and full rows.
FORMS = {
    "padding": ((np.array([[4, 0, 2, 0], [0, 0, 0, 0], [5, 5, 5, 1]]),), {}, 0, [[4, 2], [], [5, 5, 5, 1]]),
    "padding, small integers": ((np.array([[1, 0]], np.uint8),), {}, 0, [[1]]),
    "mask": (
        (np.array([[1, 3, 3], [2, 0, 0]]),),
        {"mask": np.array([[True, False, True], [True, True, True]])},
        None,
        [[1, 3], [2, 0, 0]],
    ),
    "mask and padding": ((np.array([[1, 0, 3]]),), {"mask": np.array([[True, True, False]])}, 0, [[1]]),
    "offsets": ((np.array([1, 2, 3, 3, 0]), np.array([0, 2, 2, 3])), {}, None, [[1, 2], [], [3], [3, 0]]),
    "offsets and padding": ((np.array([1, 0, 3]), np.array([0])), {}, 0, [[1, 3]]),
    "full rows": ((np.array([[1, 2], [2, 2]]),), {}, None, [[1, 2], [2, 2]]),
    "no bags": ((np.empty((0, 4), int),), {}, None, []),
    "no bags by offsets": ((np.array([], int), np.array([], int)), {}, None, []),
    "bags of nothing": ((np.empty((2, 0), int),), {}, None, [[], []]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["mean", "sum"])
@pytest.mark.parametrize("form", FORMS)
def test_bags_and_their_gradients_are_as_counted_by_hand(form, mode, dtype, engine, rng):
    arguments, keywords, padding, bags = FORMS[form]
    bag = nn.EmbeddingBag(ROWS, WIDTH, engine, mode=mode, padding_idx=padding, rng=0, dtype=dtype)
    before = [np.array(argument) for argument in arguments]
    y = bag(*arguments, **keywords)
    bound = 1e-6 if dtype == np.float32 else 1e-14
    assert y.dtype == dtype
    assert y.shape == (len(bags), WIDTH)
    assert_close(y, by_hand(bag.W, bags, mode), bound)
    g = rng.standard_normal(y.shape).astype(dtype)
    engine.backward(g)
    assert bag.dW.dtype == dtype
    assert_close(bag.dW, gradient_by_hand(bag.W, bags, g, mode), bound)
    for argument, copy in zip(arguments, before):
        np.testing.assert_array_equal(argument, copy)


def test_the_rule_is_the_derivative_by_complex_steps():
    W = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
    indices = np.array([[1, 1, 0], [4, 2, 1]])

    def output(w):
        y = (w[indices] * (indices != 0)[:, :, None]).sum(axis=1)
        return y / np.array([[2.0], [3.0]])

    check_rule(output, lambda g, w: F.embedding_bag_backward(g, w, indices, padding_idx=0)[0], [W])


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_it_agrees_with_pytorch(mode, engine, rng):
    torch = pytest.importorskip("torch")
    bag = nn.EmbeddingBag(ROWS, WIDTH, engine, mode=mode, padding_idx=2, rng=0)
    theirs = torch.nn.EmbeddingBag(ROWS, WIDTH, mode=mode, padding_idx=2, dtype=torch.float64)
    theirs.weight.data = torch.tensor(bag.W.copy())
    numbers, offsets = rng.integers(0, ROWS, 20), np.array([0, 3, 3, 11, 19])
    y = bag(numbers, offsets)
    expected = theirs(torch.tensor(numbers), torch.tensor(offsets))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-13)
    g = rng.standard_normal(y.shape)
    engine.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(bag.dW, theirs.weight.grad.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("mode", ["mean", "sum"])
@pytest.mark.parametrize("with_mask", [False, True])
def test_a_compiled_step_gives_what_an_eager_one_gives(mode, with_mask, engine, rng):
    nets = []
    for number in range(2):
        own = mytorch.Autograd() if number else engine
        bag = nn.EmbeddingBag(ROWS, WIDTH, own, mode=mode, padding_idx=0, rng=0)
        line = nn.Linear(WIDTH, 2, own, rng=1)
        nets.append((own, bag, line, nn.SoftmaxCrossEntropy(own)))

    def loss(net, x, y, mask):
        _, bag, line, criterion = net
        return criterion(y, line(bag(x, mask=mask) if with_mask else bag(x)))

    parameters = [[*bag.parameters(), *line.parameters()] for _, bag, line, _ in nets]
    steps = [optim.SGD(each, lr=0.5, momentum=0.9) for each in parameters]
    compiled = mytorch.compile(lambda x, y, mask: loss(nets[1], x, y, mask), steps[1])
    for _ in range(6):
        x, y = rng.integers(0, ROWS, (5, 4)), rng.integers(0, 2, 5)
        mask = rng.random((5, 4)) < 0.7
        nets[0][0].zero_grad()
        steps[0].zero_grad()
        value = float(loss(nets[0], x, y, mask)[0])
        nets[0][3].backward()
        steps[0].step()
        np.testing.assert_allclose(compiled(x, y, mask), value, rtol=1e-12)
        np.testing.assert_allclose(nets[1][1].W, nets[0][1].W, rtol=1e-12)
    assert compiled.reason is None
    with pytest.raises(IndexError, match=f"0 to {ROWS - 1}"):
        compiled(np.full((5, 4), ROWS), y, mask)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        (([[1, 2]],), {}, TypeError, "list"),
        ((np.array([[1.0]]),), {}, TypeError, "float64"),
        ((np.array([[6]]),), {}, IndexError, "0 to 5"),
        ((np.array([1, 2]),), {}, ValueError, "offsets"),
        ((np.array([1, 2]), np.array([1])), {}, ValueError, "begin at 0"),
        ((np.array([1, 2]), np.array([0, 2, 1])), {}, ValueError, "never fall"),
        ((np.array([1, 2]), np.array([0, 3])), {}, ValueError, "end inside"),
        ((np.array([1, 2]), np.array([], int)), {}, ValueError, "begin at 0"),
        ((np.array([1, 2]), np.array([0.0])), {}, TypeError, "float64"),
        ((np.array([[1, 2]]), np.array([0])), {}, ValueError, r"\(1, 2\)"),
        ((np.array([[1, 2]]),), {"mask": np.array([[1, 0]])}, ValueError, "booleans"),
        ((np.array([[1, 2]]),), {"mask": np.array([True, False])}, ValueError, r"\(1, 2\)"),
        ((np.array([[1, 2]]),), {"mask": [[True, False]]}, ValueError, "list"),
        ((np.array([1]), np.array([0])), {"mask": np.array([True])}, ValueError, "one of them"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, keywords, error, text, engine):
    with pytest.raises(error, match=text):
        nn.EmbeddingBag(ROWS, WIDTH, engine)(*arguments, **keywords)
    assert engine.operation_list == []


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"mode": "max"}, "'mean' or 'sum'"), ({"padding_idx": 6}, "0 to 5"), ({"padding_idx": -1}, "-1")],
)
def test_settings_that_name_nothing_are_refused(settings, text, engine):
    with pytest.raises(ValueError, match=text):
        nn.EmbeddingBag(ROWS, WIDTH, engine, **settings)
