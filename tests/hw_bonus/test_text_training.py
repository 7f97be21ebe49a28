"""Networks on text: the same as PyTorch's from the same batches, and explanations that add up."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from hw_bonus.mlp import batches
from hw_bonus.text import explain, names, training
from hw_bonus.text.options import complete
from hw_bonus.text.task import PADDING, UNKNOWN

ABOUT = {"kind": "sentences", "vocabulary": ["a", "good", "bad", "film"], "classes": ["no", "yes"]}


def options(**given: Any) -> Namespace:
    return complete({"dtype": "float64", **given})


@pytest.mark.slow
def test_the_next_letter_is_learned_as_pytorch_learns_it() -> None:
    """The same weights, batches and dropped units, AdamW in float32, 4 epochs: a held-out loss within 0.01 nats."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    opts = options(dtype="float32", epochs=4)
    task, _ = names.load(None, opts.context)
    run = training.build(task, opts)
    first, _, _, last = run.net.head.layers
    embedding = torch.nn.Embedding.from_pretrained(torch.tensor(run.net.embedding.W.copy()), freeze=False)
    lines = [torch.nn.Linear(*layer.W.shape[::-1]) for layer in (first, last)]
    for line, layer in zip(lines, (first, last)):
        line.weight.data, line.bias.data = torch.tensor(layer.W.copy()), torch.tensor(layer.b.ravel().copy())
    parameters = [embedding.weight, *(p for line in lines for p in line.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=opts.lr, weight_decay=opts.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, opts.epochs)
    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = run.rng.bit_generator.state

    def net(x: Any, dropping: bool) -> Any:
        hidden = torch.relu(lines[0](embedding(x).reshape(len(x), -1)))
        if dropping:
            kept = (rng.random(hidden.shape) >= opts.dropout).astype(np.float32)
            hidden = hidden * torch.tensor(kept) / (1 - opts.dropout)
        return lines[1](hidden)

    x, y = map(torch.tensor, task.train)
    for _ in range(opts.epochs):
        for rows in batches(len(y), opts.batch_size, rng):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows], True), y[rows]).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        x, y = map(torch.tensor, task.val)
        theirs = float(torch.nn.functional.cross_entropy(net(x, False), y))
    rows = list(training.epochs(run, opts, task, lambda: None))
    assert run.compiled.reason is None
    assert abs(rows[-1]["val_loss"] - theirs) < 0.01
    assert rows[-1]["val_loss"] < rows[0]["val_loss"] - 0.05


@pytest.mark.parametrize("hidden", [[], [6], [6, 5]])
def test_shares_are_gradient_times_input_and_add_up(hidden: list[int]) -> None:
    """The gradient of the score's lead is checked by differences; the parts sum to it times the mean vector."""
    opts = options(data="x", hidden=hidden, embedding=4, activation="tanh")
    net: Any = training.network(ABOUT, opts, np.random.default_rng(1))
    net.bag.W /= 0.1
    answer = explain.explain(net, ABOUT, "Good film, good!")
    assert answer.words == ["good", "film", "good", "!"]
    assert answer.known == [True, True, True, False]
    assert answer.label in ABOUT["classes"]
    np.testing.assert_allclose(np.abs(answer.shares).sum(), 1)
    assert answer.shares[0] == answer.shares[2]
    best = ABOUT["classes"].index(answer.label)
    numbers = np.array([3, 5, 3, UNKNOWN])

    def lead(vectors: np.ndarray) -> float:
        with net.autograd_engine.paused():
            scores = net.head(vectors.mean(axis=0, keepdims=True))[0]
        return scores[best] - scores[1 - best]

    vectors, h = net.bag.W[numbers], 1e-6
    parts = np.zeros(4)
    for i in range(4):
        for j in range(4):
            up, down = vectors.copy(), vectors.copy()
            up[i, j] += h
            down[i, j] -= h
            parts[i] += (lead(up) - lead(down)) / (2 * h) * vectors[i, j]
    np.testing.assert_allclose(answer.shares, parts / np.abs(parts).sum(), rtol=1e-7)
    probability = 1 / (1 + np.exp(-lead(vectors)))
    np.testing.assert_allclose(answer.probability, probability, rtol=1e-12)
    assert net.autograd_engine.operation_list == []


def test_an_answer_on_a_terminal_and_elsewhere() -> None:
    answer = explain.Answer("yes", 0.9, ["good", "but", "odd"], np.array([0.6, 0.01, -0.39]), [True, True, False])
    plain = explain.lines(answer, False)
    assert plain[0] == "yes, with probability 90.0%"
    assert [line.split()[0] for line in plain[2:]] == ["good", "odd", "but"]
    assert "(unknown word)" in plain[3]
    assert "\x1b" not in "".join(plain)
    coloured = explain.lines(answer, True)
    assert coloured[1].count("\x1b[48;2;") == 2
    assert " but " in coloured[1], "a word without weight has no colour"


def test_padding_is_no_word_and_word_dropout_leaves_it_alone() -> None:
    assert (PADDING, UNKNOWN) == (0, 1)
    opts = options(data="x", hidden=[], embedding=3)
    net: Any = training.network(ABOUT, opts, np.random.default_rng(0))
    short, long = np.array([[2, 3]]), np.array([[2, 3, 0, 0, 0, 0]])
    np.testing.assert_array_equal(training.scores_of(net, short), training.scores_of(net, long))
