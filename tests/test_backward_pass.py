"""The backward pass: what it begins with, what it skips, where each gradient goes."""

from functools import partial

import numpy as np
import pytest

from mytorch import Operation
from mytorch.nn import Linear
from mytorch.nn import functional as F
from tests.numerics import record


def test_the_textbook_walk_through(engine, rng):
    x, W, b = rng.standard_normal((1, 3)), rng.standard_normal((3, 2)), rng.standard_normal((1, 2))
    dW, db = np.zeros_like(W), np.zeros_like(b)
    h = x @ W
    engine.add_operation(inputs=[x, W], output=h, gradients_to_update=[None, dW], backward_operation=F.matmul_backward)
    y = h + b
    engine.add_operation(inputs=[h, b], output=y, gradients_to_update=[None, db], backward_operation=F.add_backward)
    divergence = rng.standard_normal((1, 2))
    engine.backward(divergence)
    np.testing.assert_allclose(dW, x.T @ divergence, rtol=1e-14)
    np.testing.assert_array_equal(db, divergence)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), divergence @ W.T, rtol=1e-14)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(h), divergence)
    assert [type(operation) for operation in engine.operation_list] == [Operation, Operation]
    first = engine.operation_list[0]
    assert first.inputs[1] is W
    assert first.output is h
    assert first.gradients_to_update[1] is dW
    assert first.backward_operation is F.matmul_backward


def split_backward(grad_outputs, x):
    assert isinstance(grad_outputs, tuple)
    return np.concatenate(grad_outputs)


@pytest.mark.parametrize("copies", [False, True], ids=["views", "copies"])
@pytest.mark.parametrize("used", [(True, True), (True, False), (False, True)])
def test_several_outputs(engine, used, copies):
    x = np.arange(4.0)
    halves = tuple(half.copy() if copies else half for half in np.split(x * 1.0, 2))
    record(engine, split_backward, halves, x)
    chosen = [half for use, half in zip(used, halves) if use]
    record(engine, partial(F.concatenate_backward, axis=0), np.concatenate(chosen), *chosen)
    engine.backward(3.0)
    expected = np.repeat([3.0 if use else 0.0 for use in used], 2)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), expected)


def test_a_walk_begins_at_any_of_several_outputs_or_at_all(engine):
    x = np.arange(4.0)
    halves = tuple(np.split(x * 1.0, 2))
    record(engine, split_backward, halves, x)
    for start, expected in [
        (halves[0], [1, 1, 0, 0]),
        (halves[1], [0, 0, 1, 1]),
        ((2.0, np.array([3.0, 4.0])), [2, 2, 3, 4]),
    ]:
        engine.backward(start)
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), expected)
    with pytest.raises(ValueError, match="2 outputs"):
        engine.backward(1.0)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (2, np.full((2, 3), 2.0)),
        (np.float64(0.5), np.full((2, 3), 0.5)),
        (np.array([1.0, 2.0, 3.0]), np.tile([1.0, 2.0, 3.0], (2, 1))),
        (np.array([[1], [2]]), np.array([[1.0] * 3, [2.0] * 3])),
        ([1.0, 2.0, 3.0], np.tile([1.0, 2.0, 3.0], (2, 1))),
        (True, np.ones((2, 3))),
    ],
)
def test_a_divergence_broadcasts_to_the_last_output(engine, start, expected):
    x = np.ones((2, 3))
    record(engine, F.neg_backward, -x, x)
    engine.backward(start)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), -expected)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_divergence_that_was_produced_has_gradient_one(engine, which):
    x = np.array([2.0, -3.0])
    outputs = [x]
    for _ in range(3):
        outputs.append(record(engine, F.mul_backward, outputs[-1] * 5, outputs[-1], 5.0))
    engine.backward(outputs[which + 1])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.full(2, 5.0 ** (which + 1)))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(outputs[which]), [5, 5])


def test_dead_branches_are_skipped(engine):
    def never(*_):
        raise AssertionError("a dead branch was walked")

    x = np.ones(3)
    record(engine, never, x + 0, x)
    y = record(engine, F.mul_backward, x * 2, x, 2.0)
    dead = record(engine, never, y + 7, y)
    record(engine, never, dead + 1, dead)
    z = record(engine, F.mul_backward, y * 3, y, 3.0)
    record(engine, never, z + 1, z)
    engine.backward(z)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [6, 6, 6])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(dead), [0, 0, 0])


def test_earlier_steps_on_the_list_cost_nothing_and_break_nothing(engine):
    calls = []
    W, dW = np.ones(3), np.zeros(3)

    def scaled(step, g, W):
        calls.append(step)
        return g * step

    for step in range(1, 4):
        y = record(engine, partial(scaled, step), W * step, W, slots=[dW])
        engine.backward(y)
    assert calls == [1, 2, 3]
    np.testing.assert_array_equal(dW, [6, 6, 6])


@pytest.mark.parametrize("rest", [(None,), ([1, 2], "text"), (np.ones(7),)], ids=["None", "anything", "an array"])
@pytest.mark.parametrize("sequence", [tuple, list])
def test_what_a_rule_returns_beyond_its_inputs_is_left_out(engine, sequence, rest):
    x, W, dW = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.zeros(2)
    h = record(engine, lambda g, x: sequence((2 * g, *rest)), 2 * x, x)
    y = record(engine, lambda g, h, W: sequence((g * W, g * h, *rest)), h * W, h, W, slots=[None, dW])
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [6, 8])
    np.testing.assert_array_equal(dW, [2, 4])


WRONG_RULES = {
    "too small": (lambda g, x: g[:1], ValueError, r"Operation 0 \(.*shape \(1,\).*input 0.*shape \((3|20000),\)"),
    "transposed": (lambda g, x: g[:, None], ValueError, r"shape \((3|20000), 1\)"),
    "none for one": (lambda g, x: (), ValueError, "0 gradients.*1 input"),
    "text": (lambda g, x: np.full(g.shape, "a"), TypeError, "dtype"),
    "complex": (lambda g, x: g * 1j, TypeError, "complex"),
    "raises": (lambda g, x: 1 // 0, ZeroDivisionError, "division"),
    "takes too few": (lambda g: g, TypeError, "positional"),
}


@pytest.mark.parametrize("zeros", [True, False], ids=["dW of zeros", "dW in use"])
@pytest.mark.parametrize("size", [3, 20000], ids=["small", "large"])
@pytest.mark.parametrize("case", WRONG_RULES)
def test_a_failed_walk_leaves_everything_as_it_was(engine, case, size, zeros):
    rule, error, text = WRONG_RULES[case]
    layer, x = Linear(size, 3, engine, rng=0), np.ones(size)
    h = record(engine, F.identity_backward, x * 1, x)
    layer(h)
    engine.backward(1.0)
    if zeros:
        layer.zero_grad()
    arrays = layer.dW, layer.db, engine.gradient_buffer.get_param(h), engine.gradient_buffer.get_param(x)
    before = [array.copy() for array in arrays]
    # The layer comes later on the list, so its gradients have been computed by the time that this one fails.
    engine.operation_list[0].backward_operation = rule
    with pytest.raises(error, match=text):
        engine.backward(2.0)
    for array, old in zip(arrays, before):
        np.testing.assert_array_equal(array, old)
    assert engine.gradient_buffer.get_param(x) is arrays[3]


def test_none_where_nothing_flows(engine):
    x, y = np.ones(2), np.ones(2)
    record(engine, lambda g, x, y: (None, g), x + y, x, y)
    engine.backward(4.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [0, 0])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(y), [4, 4])


def test_one_input_may_also_come_as_a_tuple_of_one(engine):
    x = np.ones(2)
    record(engine, lambda g, x: (2 * g,), 2 * x, x)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2])


def test_an_array_used_twice_collects_the_sum(engine):
    x = np.array([2.0, 3.0])
    squared = record(engine, F.mul_backward, x * x, x, x)
    cubed = record(engine, F.mul_backward, squared * x, squared, x)
    record(engine, F.add_backward, cubed + x, cubed, x)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), 3 * x**2 + 1)


def test_the_gradient_of_a_0d_array_is_an_array(engine):
    x = np.array(3.0)
    record(engine, F.mul_backward, np.asarray(x * x), x, x)
    engine.backward(1.0)
    gradient = engine.gradient_buffer.get_param(x)
    assert isinstance(gradient, np.ndarray)
    assert gradient == 6.0


@pytest.mark.parametrize("shape", [(), (3,), (200, 100)])
def test_backward_twice_adds_once_more_to_slots_and_leaks_nothing(engine, shape):
    x, W, dW = np.ones(shape), np.full(shape, 3.0), np.ones(shape)
    h = record(engine, F.mul_backward, np.asarray(x * W), x, W, slots=[None, dW])
    record(engine, F.mul_backward, np.asarray(h * h), h, h)
    for walk in range(1, 4):
        engine.backward(1.0)
        np.testing.assert_array_equal(dW, 1 + 6.0 * walk * np.ones(shape))
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.full(shape, 18.0))
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(h), np.full(shape, 6.0))


def test_a_walk_from_elsewhere_empties_what_it_does_not_reach(engine):
    x, z = np.ones(2), np.ones(2)
    one = record(engine, F.neg_backward, -x, x)
    other = record(engine, F.neg_backward, -z, z)
    engine.backward(one)
    engine.backward(other)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [0, 0])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(z), [-1, -1])


def test_a_slot_shared_by_two_layers_gets_both_contributions(engine):
    W, dW, x = np.ones((2, 2)), np.zeros((2, 2)), np.array([[1.0, 2.0]])
    h = record(engine, F.matmul_backward, x @ W, x, W, slots=[None, dW])
    record(engine, F.matmul_backward, h @ W, h, W, slots=[None, dW])
    engine.backward(1.0)
    np.testing.assert_array_equal(dW, h.T @ np.ones((1, 2)) + x.T @ (np.ones((1, 2)) @ W.T))


def test_a_transposed_slot_takes_its_gradient_where_it_lies(engine, rng):
    x, W = rng.standard_normal((4, 3)), rng.standard_normal((2, 3))
    dW = np.zeros_like(W)
    record(engine, F.matmul_backward, x @ W.T, x, W.T, slots=[None, dW.T])
    engine.backward(1.0)
    np.testing.assert_allclose(dW, np.ones((2, 4)) @ x, rtol=1e-14)


@pytest.mark.parametrize("dirty", [False, True], ids=["zeros", "not zeros"])
def test_a_large_gradient_is_added_to_whatever_the_slot_holds(engine, dirty, rng):
    layer, x = Linear(300, 200, engine, rng=0), rng.standard_normal((4, 300))
    if dirty:
        layer.dW[-1, -1] = 5.0
    held = layer.dW
    layer(x)
    layer(2 * x)
    both = record(
        engine, F.add_backward, sum(o.output for o in engine.operation_list), *(o.output for o in engine.operation_list)
    )
    engine.backward(both)
    expected = np.ones((200, 4)) @ (3 * x)
    expected[-1, -1] += 5.0 if dirty else 0.0
    np.testing.assert_allclose(held, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_operations_needs_no_recursion(engine):
    x = value = np.ones(1)
    for _ in range(100_000):
        value = record(engine, F.add_backward, value + x, value, x)
    engine.backward(value)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [100_001])


def test_no_zeros_are_allocated_to_be_added_to(engine):
    x = np.ones(3)
    y = record(engine, F.identity_backward, x.copy(), x)
    marker = np.array([1.0, 2.0, 3.0])
    record(engine, lambda g, y: marker, y * 1, y)
    engine.backward(1.0)
    assert engine.gradient_buffer.get_param(y) is marker, "the first contribution is kept, not added"


def test_a_rule_that_writes_into_the_slot_itself_is_not_counted_twice(engine):
    x, dx = np.ones(3), np.zeros(3)

    def writes_backward(g, x):
        dx[...] += g
        return dx

    record(engine, writes_backward, x * 1, x, slots=[dx])
    engine.backward(2.0)
    np.testing.assert_array_equal(dx, [2, 2, 2])
