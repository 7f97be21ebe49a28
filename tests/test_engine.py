"""The engine's ten rules (DESIGN, section 2), each by name: 1 to 5. The others are in test_engine_uses.py."""

import gc
from functools import partial

import numpy as np
import pytest

from mytorch import Autograd, Operation
from mytorch.nn import Linear
from mytorch.nn import functional as F
from tests.numerics import read_only


def record(engine, rule, output, *inputs, slots=None):
    """Record an operation and return its output."""
    engine.add_operation(list(inputs), output, slots or [None] * len(inputs), rule)
    return output


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


# 1. An array is known by where it lies.

VIEWS = {
    "transposed": (lambda W: W.T, F.transpose_backward),
    "flat": (lambda W: W.reshape(-1), F.reshape_backward),
    "beginning": (lambda W: W[:2], partial(F.getitem_backward, index=slice(0, 2))),
    "every second": (lambda W: W[::2], partial(F.getitem_backward, index=slice(None, None, 2))),
    "first column": (lambda W: W[:, 0], partial(F.getitem_backward, index=(slice(None), 0))),
    "one more axis": (lambda W: W[None], F.reshape_backward),
}


@pytest.mark.parametrize("view", VIEWS)
def test_rule_1_a_view_is_a_variable_of_its_own(view, engine, rng):
    look, rule = VIEWS[view]
    W = rng.standard_normal((3, 3))
    seen = record(engine, rule, look(W), W)
    squared = record(engine, F.mul_backward, seen * seen, seen, seen)
    record(engine, F.mul_backward, squared * 3, squared, 3.0)
    engine.backward(1.0)
    expected = np.zeros_like(W)
    look(expected)[...] = 6 * look(W)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(seen), 6 * seen, rtol=1e-14)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(W), expected, rtol=1e-14)


def test_rule_1_a_new_view_of_the_same_entries_is_the_same_variable(engine):
    W = np.arange(6.0).reshape(2, 3).copy()
    record(engine, F.sum_backward, np.asarray(W.T.sum()), W.T)
    engine.backward(2.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(W.T), np.full((3, 2), 2.0))
    assert not engine.gradient_buffer.is_in_memory(W)


def test_rule_1_a_dead_arrays_gradient_is_never_inherited(engine):
    buffer = engine.gradient_buffer
    for step in range(300):
        x = np.full(64, float(step))
        y = record(engine, F.mul_backward, x * 2, x, 2.0)
        engine.backward(y)
        np.testing.assert_array_equal(buffer.get_param(x), np.full(64, 2.0))
        del x, y
        engine.zero_grad()
        stranger = np.ones(64)
        assert not buffer.is_in_memory(stranger)


def test_rule_1_no_address_is_used_again_while_the_list_stands(engine):
    for step in range(300):
        x = np.full(64, float(step))
        record(engine, F.mul_backward, x * x, x, x)
        view = np.arange(64.0)[::-1]
        record(engine, F.neg_backward, -view, view)
        del x, view
    gc.collect()
    outputs = {id(operation.output) for operation in engine.operation_list}
    assert len(engine.gradient_buffer.memory) == 600
    assert len(outputs) == 600
    fresh = [np.empty(64) for _ in range(300)]
    assert not any(engine.gradient_buffer.is_in_memory(array) for array in fresh)


# 2. What add_operation refuses, and that nothing was recorded then.


REFUSALS = {
    "fewer slots": (lambda x, W: ([x, W], x @ W, [None]), ValueError, "2 inputs but 1 gradients_to_update"),
    "more slots": (lambda x, W: ([x], x * 2, [None, None]), ValueError, "1 inputs but 2 gradients_to_update"),
    "scalar output": (lambda x, W: ([x], x.sum(), [None]), TypeError, "float64.*lasting address"),
    "number output": (lambda x, W: ([x], 3.0, [None]), TypeError, "float.*lasting address"),
    "scalar among outputs": (lambda x, W: ([x], (x[0], x.sum()), [None]), TypeError, "lasting address"),
    "list output": (lambda x, W: ([x], [1.0], [None]), TypeError, "list"),
    "scalar input": (lambda x, W: ([x, x.sum()], x * 2, [None, None]), TypeError, "input 1 is a NumPy scalar"),
    "slot of another shape": (lambda x, W: ([x, W], x @ W, [None, np.zeros((2, 3))]), ValueError, "(3, 2).*(2, 3)"),
    "slot that broadcasts": (lambda x, W: ([x, W], x @ W, [None, np.zeros((3, 1))]), ValueError, "shape"),
    "slot of integers": (lambda x, W: ([x, W], x @ W, [None, np.zeros((3, 2), int)]), TypeError, "int64"),
    "slot is a list": (lambda x, W: ([x, W], x @ W, [None, [0.0]]), TypeError, "list"),
    "slot is its input": (lambda x, W: ([x, W], x @ W, [None, W]), ValueError, "own gradient to update"),
    "one array twice as output": (lambda x, W: ([x], (x[0],) * 2, [None]), ValueError, "twice among the outputs"),
    "read-only slot": (lambda x, W: ([x, W], x @ W, [None, read_only(np.zeros((3, 2)))]), ValueError, "read-only"),
    "slot for a number": (lambda x, W: ([x, 2.0], x * 2, [None, np.zeros(())]), TypeError, "float.*gradient to update"),
    "real slot, complex input": (
        lambda x, W: ([x, 1j * W], x @ (1j * W), [None, np.zeros((3, 2))]),
        TypeError,
        "complex",
    ),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("case", REFUSALS)
def test_rule_2_refusals_record_nothing(case, debug, rng):
    engine = Autograd(debug=debug)
    build, error, text = REFUSALS[case]
    inputs, output, slots = build(rng.standard_normal((4, 3)), rng.standard_normal((3, 2)))
    with pytest.raises(error, match=text.replace("(", r"\(").replace(")", r"\)")):
        engine.add_operation(inputs, output, slots, F.matmul_backward)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


def test_rule_2_a_rule_is_called_so_it_is_callable(engine):
    with pytest.raises(TypeError, match="backward_operation is a NoneType"):
        record(engine, None, -np.ones(1), np.ones(1))
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


def test_rule_2_any_number_of_inputs(engine, rng):
    arrays = [rng.standard_normal(3) for _ in range(20)]
    record(engine, partial(F.concatenate_backward, axis=0), np.concatenate(arrays), *arrays)
    engine.backward(np.arange(60.0))
    for number, array in enumerate(arrays):
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(array), np.arange(3.0) + 3 * number)


def test_rule_2_no_inputs_at_all(engine):
    y = record(engine, lambda g: (), np.ones(2))
    record(engine, F.neg_backward, -y, y)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(y), [-1, -1])


def split_backward(grad_outputs, x):
    assert isinstance(grad_outputs, tuple)
    return np.concatenate(grad_outputs)


@pytest.mark.parametrize("copies", [False, True], ids=["views", "copies"])
@pytest.mark.parametrize("used", [(True, True), (True, False), (False, True)])
def test_rule_2_several_outputs(engine, used, copies):
    x = np.arange(4.0)
    halves = tuple(half.copy() if copies else half for half in np.split(x * 1.0, 2))
    record(engine, split_backward, halves, x)
    chosen = [half for use, half in zip(used, halves) if use]
    record(engine, partial(F.concatenate_backward, axis=0), np.concatenate(chosen), *chosen)
    engine.backward(3.0)
    expected = np.repeat([3.0 if use else 0.0 for use in used], 2)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), expected)


def test_rule_2_a_walk_begins_at_any_of_several_outputs_or_at_all(engine):
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


# 3. What backward begins with, and what it skips.


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
def test_rule_3_a_divergence_broadcasts_to_the_last_output(engine, start, expected):
    x = np.ones((2, 3))
    record(engine, F.neg_backward, -x, x)
    engine.backward(start)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), -expected)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_rule_3_a_divergence_that_was_produced_has_gradient_one(engine, which):
    x = np.array([2.0, -3.0])
    outputs = [x]
    for _ in range(3):
        outputs.append(record(engine, F.mul_backward, outputs[-1] * 5, outputs[-1], 5.0))
    engine.backward(outputs[which + 1])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.full(2, 5.0 ** (which + 1)))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(outputs[which]), [5, 5])


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        (np.ones((3, 2)), ValueError, r"\(3, 2\).*\(2, 3\)"),
        (np.ones((1, 2, 3)), ValueError, r"\(1, 2, 3\)"),
        (np.ones(2), ValueError, "broadcasts"),
        (None, TypeError, "NoneType"),
        ("one", TypeError, "str"),
        (1j, TypeError, "complex"),
    ],
)
def test_rule_3_a_divergence_that_cannot_be_one_is_refused(engine, start, error, text):
    x, slot = np.ones((2, 3)), np.zeros((2, 3))
    record(engine, F.neg_backward, -x, x, slots=[slot])
    with pytest.raises(error, match=text):
        engine.backward(start)
    assert not slot.any()


def test_rule_3_an_empty_list_says_what_to_do(engine):
    with pytest.raises(RuntimeError, match="no operation was recorded"):
        engine.backward(1.0)


def test_rule_3_dead_branches_are_skipped(engine):
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


def test_rule_3_earlier_steps_on_the_list_cost_nothing_and_break_nothing(engine):
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


# 4. What a backward function returns, and that a failed walk has changed nothing.

WRONG_RULES = {
    "too small": (lambda g, x: g[:1], ValueError, r"Operation 0 \(.*shape \(1,\).*input 0.*shape \((3|20000),\)"),
    "transposed": (lambda g, x: g[:, None], ValueError, r"shape \((3|20000), 1\)"),
    "two for one": (lambda g, x: (g, g), ValueError, "2 gradients.*1 input"),
    "text": (lambda g, x: np.full(g.shape, "a"), TypeError, "dtype"),
    "complex": (lambda g, x: g * 1j, TypeError, "complex"),
    "raises": (lambda g, x: 1 // 0, ZeroDivisionError, "division"),
    "takes too few": (lambda g: g, TypeError, "positional"),
}


@pytest.mark.parametrize("zeros", [True, False], ids=["dW of zeros", "dW in use"])
@pytest.mark.parametrize("size", [3, 20000], ids=["small", "large"])
@pytest.mark.parametrize("case", WRONG_RULES)
def test_rule_4_a_failed_walk_leaves_everything_as_it_was(engine, case, size, zeros):
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


def test_rule_4_several_inputs_need_a_tuple(engine):
    x, y = np.ones(2), np.ones(2)
    record(engine, lambda g, x, y: g, x + y, x, y)
    with pytest.raises(ValueError, match=r"one ndarray for 2 inputs.*tuple"):
        engine.backward(1.0)


def test_rule_4_none_where_nothing_flows(engine):
    x, y = np.ones(2), np.ones(2)
    record(engine, lambda g, x, y: (None, g), x + y, x, y)
    engine.backward(4.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [0, 0])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(y), [4, 4])


def test_rule_4_one_input_may_also_come_as_a_tuple_of_one(engine):
    x = np.ones(2)
    record(engine, lambda g, x: (2 * g,), 2 * x, x)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2])


# 5. Where a gradient goes.


def test_rule_5_an_array_used_twice_collects_the_sum(engine):
    x = np.array([2.0, 3.0])
    squared = record(engine, F.mul_backward, x * x, x, x)
    cubed = record(engine, F.mul_backward, squared * x, squared, x)
    record(engine, F.add_backward, cubed + x, cubed, x)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), 3 * x**2 + 1)


def test_rule_5_the_gradient_of_a_0d_array_is_an_array(engine):
    x = np.array(3.0)
    record(engine, F.mul_backward, np.asarray(x * x), x, x)
    engine.backward(1.0)
    gradient = engine.gradient_buffer.get_param(x)
    assert isinstance(gradient, np.ndarray)
    assert gradient == 6.0


@pytest.mark.parametrize("shape", [(), (3,), (200, 100)])
def test_rule_5_backward_twice_adds_once_more_to_slots_and_leaks_nothing(engine, shape):
    x, W, dW = np.ones(shape), np.full(shape, 3.0), np.ones(shape)
    h = record(engine, F.mul_backward, np.asarray(x * W), x, W, slots=[None, dW])
    record(engine, F.mul_backward, np.asarray(h * h), h, h)
    for walk in range(1, 4):
        engine.backward(1.0)
        np.testing.assert_array_equal(dW, 1 + 6.0 * walk * np.ones(shape))
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.full(shape, 18.0))
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(h), np.full(shape, 6.0))


def test_rule_5_a_walk_from_elsewhere_empties_what_it_does_not_reach(engine):
    x, z = np.ones(2), np.ones(2)
    one = record(engine, F.neg_backward, -x, x)
    other = record(engine, F.neg_backward, -z, z)
    engine.backward(one)
    engine.backward(other)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [0, 0])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(z), [-1, -1])


def test_rule_5_a_slot_shared_by_two_layers_gets_both_contributions(engine):
    W, dW, x = np.ones((2, 2)), np.zeros((2, 2)), np.array([[1.0, 2.0]])
    h = record(engine, F.matmul_backward, x @ W, x, W, slots=[None, dW])
    record(engine, F.matmul_backward, h @ W, h, W, slots=[None, dW])
    engine.backward(1.0)
    np.testing.assert_array_equal(dW, h.T @ np.ones((1, 2)) + x.T @ (np.ones((1, 2)) @ W.T))


def test_rule_5_a_transposed_slot_takes_its_gradient_where_it_lies(engine, rng):
    x, W = rng.standard_normal((4, 3)), rng.standard_normal((2, 3))
    dW = np.zeros_like(W)
    record(engine, F.matmul_backward, x @ W.T, x, W.T, slots=[None, dW.T])
    engine.backward(1.0)
    np.testing.assert_allclose(dW, np.ones((2, 4)) @ x, rtol=1e-14)
