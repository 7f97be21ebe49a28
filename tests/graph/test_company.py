"""Inference, several steps of one net, threads, and what a step leaves behind."""

from __future__ import annotations

import copy
import pickle
import random
import threading
from functools import partial

import numpy as np
import pytest

import mytorch
import mytorch.debug
from mytorch import Autograd, nn, optim
from tests.graph.scenes import (
    IN,
    OUT,
    Scene,
    batches,
    compare,
    linear,
    net_of,
    scene_with_factor,
    simple,
)

# Inference


@pytest.mark.parametrize("how", ["variable", "partial", "attribute", "method", "module"])
def test_inference_is_evaluation_from_the_first_call_on(how, backend):
    engine = Autograd()
    net = nn.Sequential(linear(engine), nn.BatchNorm1d(OUT, engine), nn.Dropout(engine, 0.5, rng=0))

    class Model:
        def __init__(self):
            self.net = net

        def predict(self, x):
            return self.net(x)

    model = Model()
    functions = {
        "variable": lambda x: net(x),
        "partial": partial(lambda net, x: net(x), net),
        "attribute": lambda x: model.net(x),
        "method": model.predict,
        "module": net,
    }
    predict = mytorch.compile(functions[how], backend=backend)
    for x, _ in batches():
        position, mean = net[2].rng.bit_generator.state, net[1].running_mean.copy()
        found = predict(x)
        assert net[2].rng.bit_generator.state == position
        np.testing.assert_array_equal(net[1].running_mean, mean)
        assert net.training
        assert net[2].training
        np.testing.assert_allclose(found, (x @ net[0].W.T + net[0].b.T) / np.sqrt(1 + 1e-5), rtol=1e-12)
        assert predict.plan is not None


def test_inference_follows_training(backend):
    """One net with two compiled steps: each sees what the other leaves."""
    engine = Autograd()
    net = net_of(engine, nn.BatchNorm1d(4, engine), nn.Dropout(engine, 0.2, rng=0))
    loss = nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), backend=backend)
    predict = mytorch.compile(lambda x: net(x), backend=backend)
    for x, y in batches(8):
        step(x, y)
        found = predict(x)
        net.eval()
        with engine.paused():
            np.testing.assert_allclose(found, net(x), rtol=1e-12, atol=1e-14)
        net.train()
    assert step.plan is not None
    assert predict.plan is not None


# Several steps and threads


def test_two_steps_of_one_net_and_two_nets_of_one_layer(backend):
    def make():
        engine = Autograd()
        shared, loss = linear(engine, IN, 4), nn.SoftmaxCrossEntropy(engine)
        nets = [nn.Sequential(shared, made(engine), linear(engine, 4, OUT, 2)) for made in (nn.Tanh, nn.ReLU)]
        optimizers = [optim.SGD(net.parameters(), 0.1, momentum=0.9) for net in (*nets, nets[0])]
        return [
            Scene(engine, partial(lambda net, x, y: loss(y, net(x)), net), optimizer)
            for net, optimizer in zip((*nets, nets[0]), optimizers)
        ]

    ones, others = make(), make()
    steps = [mytorch.compile(one.function, one.optimizer, backend=backend) for one in ones]
    for number, (x, y) in enumerate(batches(24)):
        for which in (number % 3, number % 2):
            assert steps[which](x, y) == pytest.approx(others[which].eager(x, y), rel=1e-11)
    for one, other in zip(ones, others):
        for found, expected in zip(one.arrays(), other.arrays()):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert all(step.plan is not None for step in steps)


def test_threads_that_share_one_step(backend):
    """Each call is one whole step: with a rate of zero every thread gets its own batch's loss."""
    make = simple(nn.Tanh, optimizer=partial(optim.SGD, lr=0.0))
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    given = [*batches(4), *batches(4, n=2)]
    expected = [other.eager(*pair) for pair in given]
    wrong = []

    def work(number):
        for turn in range(60):
            index = (number + turn) % len(given)
            if abs(step(*given[index]) - expected[index]) > 1e-12:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tiny_numbers_stay_numbers(backend):
    """No step leaves the processor in a mode in which denormal numbers are zero."""
    make = simple(nn.Tanh)
    one = make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches():
        step(x, y)
    assert np.all(np.full(64, 1e-310) * np.full(64, 0.5) > 0)


# What is left behind


def test_results_are_the_callers_own(backend):
    """A step's result is not overwritten by the next step."""
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def function(x, y):
        scores = net(x)
        return loss(y, scores), scores

    step = mytorch.compile(function, optim.SGD(net.parameters(), 0.1), backend=backend)
    kept = []
    for x, y in batches(6):
        value, scores = step(x, y)
        kept.append((loss.loss_val, value, scores, scores.copy()))
    for loss_val, value, scores, then in kept:
        assert loss_val[0] == value
        np.testing.assert_array_equal(scores, then)


def test_results_of_layers_are_never_those_of_another_batch(backend):
    engine = Autograd()
    tanh = nn.Tanh(engine)
    net, loss = net_of(engine, tanh), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.0), backend=backend)
    for x, y in batches(6):
        value = step(x, y)
        assert loss.loss_val[0] == value
        if tanh.state is not None:
            np.testing.assert_allclose(tanh.state, np.tanh(x @ net[0].W.T + net[0].b.T), rtol=1e-12)
    with pytest.raises(RuntimeError, match="not on the list"):
        loss.backward()


@pytest.mark.parametrize("keep", [True, False])
def test_gradients_after_a_step(keep, backend):
    make = simple(nn.Tanh, optimizer=partial(optim.SGD, lr=0.1, momentum=0.9))
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, keep_gradients=keep, backend=backend)
    for x, y in batches(6):
        step(x, y), other.eager(x, y)
        for mine, theirs in zip(one.optimizer.parameters, other.optimizer.parameters):
            np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-11)
            np.testing.assert_allclose(mine.momentum, theirs.momentum, rtol=1e-10, atol=1e-14)
            if keep:
                np.testing.assert_allclose(mine.gradient, theirs.gradient, rtol=1e-10, atol=1e-14)
    # Eager steps go on from there.
    one.eager(x, y), other.eager(x, y)
    for found, expected in zip(one.arrays(), other.arrays()):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_a_copy_of_the_net_is_a_net_of_its_own(backend):
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), backend=backend)
    for x, y in batches():
        step(x, y)
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        before = copied.state_dict()
        step(x, y)
        for name, value in copied.state_dict().items():
            np.testing.assert_array_equal(value, before[name])
        assert not any(np.shares_memory(p.value, q.value) for p, q in zip(net.parameters(), copied.parameters()))


def test_a_number_computed_from_an_array_is_found_by_checking(backend):
    """A number that Python computes from a large array stands in the plan as it was; check_every notices, and the step stays
    eager.
    """
    factor = np.full(200, 1.0)
    compare(lambda: scene_with_factor(lambda: 1.0, lambda: None), check_every=2, backend=backend)
    built = scene_with_factor(lambda: float(factor[0]), lambda: None)
    step = mytorch.compile(built.function, built.optimizer, check_every=1, backend=backend)
    for number, (x, y) in enumerate(batches(8)):
        factor[:] = 1.0 if number < 5 else 3.0
        step(x, y)
        assert (step.plan is None) == (number >= 5)
    assert "differs between two batches" in str(step)


@pytest.mark.parametrize("source", ["NumPy", "Python"])
def test_draws_from_a_generator_of_all_programs(source, backend):
    draw = np.random.random_sample if source == "NumPy" else random.random
    engine = Autograd()
    net, tanh, loss = linear(engine), nn.Tanh(engine), nn.SoftmaxCrossEntropy(engine)
    function = lambda x, y: loss(y, net(tanh(x) if draw() < 0.99 else x))  # noqa: E731
    step = mytorch.compile(function, optim.SGD(net.parameters(), 0.1), backend=backend)
    for x, y in batches():
        step(x, y)
    assert step.plan is None
    assert "random" in str(step)


def test_what_is_printed_before_the_first_call():
    one = simple(nn.Tanh)()
    step = mytorch.compile(one.function, one.optimizer)
    assert step.plan is None
    assert "0 plans" in str(step)


def test_one_thread_trains_while_another_predicts(backend):
    """Prediction switches the net to evaluation for a while: no training step falls into that."""

    def make():
        engine = Autograd()
        net = net_of(engine, nn.BatchNorm1d(4, engine), nn.Dropout(engine, 0.2, rng=0))
        loss = nn.SoftmaxCrossEntropy(engine)
        return net, Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1))

    (net, one), (_, other) = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    predict = mytorch.compile(net, backend=backend)
    is_over, errors = threading.Event(), []

    def work():
        number = 0
        while not is_over.is_set():
            try:
                predict(np.ones((2 + number % 9, IN)))
            except Exception as error:
                errors.append(error)
                return
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        found = [step(*pair) for n in (4, 5, 6) for pair in batches(20, n=n)]
    finally:
        is_over.set()
        thread.join()
    assert not errors
    np.testing.assert_allclose(found, [other.eager(*pair) for n in (4, 5, 6) for pair in batches(20, n=n)], rtol=1e-9)
