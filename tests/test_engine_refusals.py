"""In-place operations and other records by which a gradient would be lost: refused, or right."""

from functools import partial

import numpy as np
import pytest

from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F


@pytest.fixture
def engine():
    return Autograd()


def relu_then_add(engine):
    a = np.array([1.0, -2.0, 3.0])
    np.maximum(a, 0, out=a)
    engine.add_operation([a], a, [None], F.max_backward)
    b = np.array([-5.0, 5.0, -5.0])
    a += b
    engine.add_operation([a, b], a, [None, None], F.add_backward)


def a_rule_of_ones_own_reads_what_is_overwritten(engine):
    x = np.array([1.0, 2.0, 3.0])
    engine.add_operation([x], x**2, [None], lambda g, x: 2 * x * g)
    x += 1
    engine.add_operation([x, 1.0], x, [None, None], F.add_backward)


def own_abs_in_place(engine):
    x = np.array([-1.0, 2.0])
    np.abs(x, out=x)
    engine.add_operation([x], x, [None], lambda g, x: g * np.sign(x))


def part_of_a_read_array(engine):
    x, w = np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0])
    engine.add_operation([x, x], x * x, [None, None], F.mul_backward)
    v = x[:2]
    v[...] = w
    engine.add_operation([w], v, [None], lambda g, w: g)


def a_view_written_and_its_owner_read(engine):
    x, b = np.ones(3), np.ones(2)
    v = x[:2]
    engine.add_operation([x], v, [None], partial(F.getitem_backward, index=slice(2)))
    v += b
    engine.add_operation([v, b], v, [None, None], F.add_backward)


def reversed_view_of_the_input(engine):
    x = np.array([1.0, 2.0])
    np.square(x, out=x)
    engine.add_operation([x], x[::-1], [None], lambda g, x: 2 * x * g[::-1])


@pytest.mark.parametrize(
    "record",
    [
        relu_then_add,
        a_rule_of_ones_own_reads_what_is_overwritten,
        own_abs_in_place,
        part_of_a_read_array,
        a_view_written_and_its_owner_read,
        reversed_view_of_the_input,
    ],
)
def test_values_that_the_way_back_needs_are_not_overwritten(record, engine):
    with pytest.raises(ValueError, match="was written over"):
        record(engine)


def test_views_by_a_rule_of_ones_own_are_no_overwriting(engine):
    x, W = np.ones((2, 3)), np.ones((3, 4))
    engine.add_operation([x, W], x @ W, [None, None], F.matmul_backward)
    flat = x.reshape(-1)
    engine.add_operation([x], flat, [None], lambda g, x: g.reshape(x.shape))
    engine.backward(flat)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.ones((2, 3)))


def test_an_axis_of_one_entry_may_have_any_stride(engine):
    x = np.array([1.0, 2.0, 3.0])
    row = x[None]
    engine.add_operation([x], row, [None], F.reshape_backward)
    y = x.reshape(1, 3) * 2
    engine.add_operation([x.reshape(1, 3), 2.0], y, [None, None], F.mul_backward)
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2, 2])


def test_a_reduction_recorded_without_its_axis(engine):
    x = np.ones((3, 3))
    engine.add_operation([x], x.sum(1), [None], F.sum_backward)
    with pytest.raises(ValueError, match="Record the axis"):
        engine.backward(np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("what", [5, [1.0, 2.0]])
def test_only_arrays_are_data(what, engine):
    with pytest.raises(TypeError, match="Only an array"):
        engine.data(what)


def test_what_was_computed_is_no_data(engine):
    h = nn.Linear(3, 2, engine, rng=0)(np.ones((1, 3)))
    with pytest.raises(ValueError, match="produced by a recorded operation"):
        engine.data(h)


@pytest.mark.parametrize("inputs, slots", [(np.ones((1, 3)), [None]), ([np.ones(3)], None)])  # noqa: PT006
def test_inputs_and_gradients_come_in_lists(inputs, slots, engine):
    with pytest.raises(TypeError, match="lists with one entry per input"):
        engine.add_operation(inputs, np.ones(3), slots, F.exp_backward)


def test_a_gradient_that_overlaps_its_input(engine):
    x = np.ones(3)
    with pytest.raises(ValueError, match="its own gradient"):
        engine.add_operation([x], np.exp(x), [x[:]], F.exp_backward)


def test_one_engine_for_all_layers(engine):
    with pytest.raises(ValueError, match="another engine"):
        nn.Sequential(nn.Linear(3, 2, engine), nn.ReLU(Autograd()))
    with pytest.raises(TypeError, match="ReLU"):
        nn.Sequential(nn.Linear(3, 2, engine), nn.ReLU)


def test_tied_weights_are_stepped_and_clipped_once(engine):
    a, b = nn.Linear(2, 2, engine, rng=0), nn.Linear(2, 2, engine, rng=1)
    b.W, b.dW, b.momentum_W = a.W, a.dW, a.momentum_W
    net = nn.Sequential(a, b)
    a.dW[...] = 3.0
    before = a.W.copy()
    optim.SGD(net.parameters(), lr=0.1).step()
    np.testing.assert_allclose(before - a.W, 0.3, rtol=1e-12)
    assert [p.name for p in net.parameters()] == ["W", "b", "b"]
    optim.clip_grad_norm(net.parameters(), 1.0)
    np.testing.assert_allclose(np.linalg.norm(a.dW), 1.0, rtol=1e-12)


@pytest.mark.parametrize("sizes", [(3, 2), (784, 1024)])
def test_an_empty_batch(sizes, engine):
    layer = nn.Linear(*sizes, engine, rng=0)
    layer(np.zeros((0, sizes[0])))
    engine.backward(1)
    assert not layer.dW.any()


def test_debug_mode_lets_earlier_steps_be():
    engine = Autograd(debug=True)
    layer = nn.Linear(3, 2, engine, rng=0)
    loss, optimizer = nn.MSELoss(engine), optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        loss(np.zeros((4, 2)), layer(np.ones((4, 3))))
        loss.backward()
        optimizer.step()


def test_debug_mode_sees_infinity_in_a_single_number():
    engine = Autograd(debug=True)
    x = np.array(0.0)
    engine.add_operation([x], np.asarray(np.sqrt(x)), [None], F.sqrt_backward)
    with np.errstate(divide="ignore"), pytest.raises(RuntimeError, match="inf"):
        engine.backward(1)
