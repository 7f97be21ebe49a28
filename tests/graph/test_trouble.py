"""Errors and modes of the engine: a compiled step fails as the eager one does, and goes on as well."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import mytorch
import mytorch.debug
from mytorch import Autograd, nn, optim
from mytorch.debug import DebugError
from tests.graph.scenes import (
    OUT,
    N,
    Scene,
    batches,
    compare,
    compare_after,
    linear,
    net_of,
    record,
    simple,
)

# Errors


@pytest.mark.parametrize("wrong", [OUT, -1, 10**6])
@pytest.mark.parametrize("n", [1, N])
def test_classes_out_of_range(wrong, n, backend):
    """The error is the eager one, nothing is updated, and the next step is right."""
    make = simple(nn.Tanh, lambda e: nn.Dropout(e, 0.2, rng=0), optimizer=partial(optim.Adam, lr=0.01))
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches(n=n):
        step(x, y), other.eager(x, y)
    x, y = batches(1, seed=1, n=n)[0]
    y[-1] = wrong
    values = [p.value.copy() for p in one.optimizer.parameters]
    with pytest.raises(ValueError) as expected:
        other.eager(x, y)
    with pytest.raises(ValueError) as found:
        step(x, y)
    assert str(found.value) == str(expected.value)
    for value, parameter in zip(values, one.optimizer.parameters):
        np.testing.assert_array_equal(parameter.value, value)
    assert one.optimizer.steps == other.optimizer.steps
    compare_after(one, other, step)


@pytest.mark.parametrize("wrong", [4, -1])
def test_indices_out_of_range(wrong, backend):
    def make():
        engine = Autograd()
        table, loss = nn.Embedding(4, OUT, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
        return Scene(engine, lambda x, y: loss(y, table(x)), optim.SGD(table.parameters(), 0.1))

    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    x, y = np.array([0, 3, 3, 1]), np.array([0, 1, 2, 1])
    for _ in range(4):
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-12)
    x[1] = wrong
    with pytest.raises(IndexError) as expected:
        other.eager(x, y)
    with pytest.raises(IndexError) as found:
        step(x, y)
    assert str(found.value) == str(expected.value)


def test_clipping_a_norm_that_is_not_finite(backend):
    make = simple(nn.Tanh)
    one = make()
    step = mytorch.compile(one.function, one.optimizer, clip_grad_norm=1.0, backend=backend)
    for x, y in batches():
        step(x, y)
    values = [p.value.copy() for p in one.optimizer.parameters]
    x, y = batches(1)[0]
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="norm is nan"), np.errstate(invalid="ignore"):
        step(x, y)
    for value, parameter in zip(values, one.optimizer.parameters):
        np.testing.assert_array_equal(parameter.value, value)


@pytest.mark.parametrize("at", range(5))
def test_an_exception_in_the_function(at, backend):
    """Recording, proof or replay: an exception leaves engine and parameters as an eager step does."""
    calls = []

    def raising_backward(grad_output, a):
        return grad_output

    def forward(a):
        if calls and calls.pop():
            raise ZeroDivisionError("in the middle")
        return a + 0

    def make():
        engine = Autograd()
        net, loss = net_of(engine, nn.Dropout(engine, 0.3, rng=0)), nn.SoftmaxCrossEntropy(engine)
        return Scene(
            engine,
            lambda x, y: loss(y, record(engine, forward(h := net(x)), raising_backward, h)),
            optim.SGD(net.parameters(), 0.1),
        )

    mytorch.graph.register(raising_backward, forward)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for number, (x, y) in enumerate(batches(7)):
        if number == at:
            for call in (step, other.eager):
                calls[:] = [True]
                with pytest.raises(ZeroDivisionError):
                    call(x, y)
            assert "add_operation" not in vars(one.engine)
        calls.clear()
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-11)


def test_a_rule_that_no_table_can_look_up(backend):
    """A backward function without a hash, and one that is a method."""

    class Double:
        __hash__ = None

        def __call__(self, grad_output, a):
            return 2 * grad_output

    double = Double()

    def make():
        engine = Autograd()
        net, loss = linear(engine), nn.SoftmaxCrossEntropy(engine)
        return Scene(
            engine, lambda x, y: loss(y, record(engine, 2 * (h := net(x)), double, h)), optim.SGD(net.parameters(), 0.1)
        )

    step = compare(make, backend=backend)
    assert step.plan is None
    assert "Double" in str(step) or "double" in str(step).lower()


# Modes of the engine


def test_a_paused_engine(backend):
    make = simple(nn.Tanh)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches():
        step(x, y), other.eager(x, y)
    with one.engine.paused(), other.engine.paused():
        with pytest.raises(Exception) as expected:
            other.eager(x, y)
        with pytest.raises(type(expected.value)) as found:
            step(x, y)
        assert str(found.value) == str(expected.value)
    compare_after(one, other, step)


def test_debug_mode_switched_on_later(backend):
    make = simple(nn.Tanh)
    one = make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches():
        step(x, y)
    mytorch.debug.observe(one.engine)
    x[0, 0] = np.inf
    with pytest.raises(DebugError), np.errstate(invalid="ignore"):
        step(x, y)


def test_layers_moved_to_an_engine_in_debug_mode(backend):
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), backend=backend)
    for x, y in batches():
        step(x, y)
    debugging = Autograd(debug=True)
    for module in (*(module for _, module in net.modules()), loss):
        module.autograd_engine = debugging
    x[0, 0] = np.inf
    with pytest.raises(DebugError), np.errstate(invalid="ignore"):
        step(x, y)


def test_an_engine_whose_method_is_wrapped_later(backend):
    make = simple(nn.Tanh)
    one = make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches():
        step(x, y)
    plain, seen = one.engine.add_operation, []

    def wrapped(*arguments):
        seen.append(arguments)
        plain(*arguments)

    one.engine.add_operation = wrapped
    step(x, y)
    assert len(seen) == 4


def test_a_list_that_was_begun_before_the_step(backend):
    """The step empties the list, as the eager one does."""
    make = simple(nn.Tanh)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches(6):
        for each in (one, other):
            each.function(x, y)
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-11)
        assert len(one.engine.operation_list) in (0, len(other.engine.operation_list))
