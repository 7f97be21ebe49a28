"""In-place operations and views: right gradients, or a refusal."""

from functools import partial

import numpy as np
import pytest

from mytorch.autograd_engine import Autograd
from mytorch.nn import Linear
from mytorch.nn import functional as F
from mytorch.nn.rules import makes_view, same_from_output, shapes_only
from tests.numerics import record


def test_an_output_that_is_its_input_passes_the_gradient_once(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, F.mul_backward, x * 2, x, 2.0)
    record(engine, F.identity_backward, y, y)
    record(engine, F.reshape_backward, y.reshape(2), y)
    z = record(engine, F.mul_backward, y * 3, y, 3.0)
    engine.backward(z)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [6, 6])


def test_a_whole_view_is_its_owner(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, F.identity_backward, x[:], x)
    record(engine, F.mul_backward, y * 3, y, 3.0)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [3, 3])


@pytest.mark.parametrize(
    ("change", "rule", "slope"), [(np.add, F.add_backward, 1.0), (np.subtract, F.sub_backward, 1.0)]
)
def test_in_place_where_only_shapes_matter(engine, change, rule, slope):
    x, b, db = np.array([1.0, 2.0]), np.array([5.0, 7.0]), np.zeros(2)
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    change(h, b, out=h)
    record(engine, rule, h, h, b, slots=[None, db])
    y = record(engine, F.mul_backward, h * h, h, h)
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), 2 * 2 * h * slope)
    np.testing.assert_array_equal(db, 2 * h * (1 if rule is F.add_backward else -1))


def test_relu_may_work_in_place(engine):
    x = np.array([1.0, -2.0, 0.0])
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    np.maximum(h, 0, out=h)
    record(engine, F.max_backward, h, h)
    engine.backward(np.array([5.0, 7.0, 9.0]))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [10, 0, 0])


@pytest.mark.parametrize("part", [slice(None), slice(0, 1)])
def test_overwriting_what_the_rule_reads_is_refused(engine, part):
    x = np.array([1.0, 2.0])
    np.exp(x[part], out=x[part])
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, F.exp_backward, x[part], x)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


def test_overwriting_what_an_earlier_rule_reads_is_refused(engine):
    x, b = np.array([1.0, 2.0]), np.ones(2)
    h = record(engine, F.add_backward, x + b, x, b)
    record(engine, F.exp_backward, np.exp(h), h)
    h += b
    with pytest.raises(ValueError, match=r"operation 1 \(exp\)"):
        record(engine, F.add_backward, h, h, b)
    assert len(engine.operation_list) == 2


def test_a_rule_of_ones_own_is_taken_to_read_its_inputs(engine):
    x = np.array([3.0])
    h = record(engine, lambda g, x: 2 * g, x * 2, x)
    np.square(h, out=h)
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, lambda g, h: 2 * h * g, h, h)


def test_a_buffer_written_twice_is_refused(engine):
    x, y, buffer = np.ones(2), np.ones(2), np.empty(2)
    record(engine, F.add_backward, np.add(x, x, out=buffer), x, x)
    record(engine, F.exp_backward, np.exp(buffer), buffer)
    with pytest.raises(ValueError, match=r"operation 1 \(exp\)"):
        record(engine, F.add_backward, np.add(y, y, out=buffer), y, y)
    assert len(engine.operation_list) == 2
    assert not engine.gradient_buffer.is_in_memory(y)


def test_overwriting_the_owner_of_an_input_is_refused(engine):
    x = np.array([1.0, 2.0])
    first = x[:1]
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, F.exp_backward, np.exp(x, out=x), first)
    assert engine.operation_list == []


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


def flat_backward(g, x):
    return g.reshape(x.shape)


class Flat:
    def __call__(self, g, x):
        return g.reshape(x.shape)


def scaled_backward(g, x, factor=1.0):
    return factor * g.reshape(x.shape)


OWN_VIEWS = {
    "function": lambda: flat_backward,
    "partial": lambda: partial(scaled_backward, factor=1.0),
    "callable": Flat,
    "lambda": lambda: lambda g, x: g.reshape(x.shape),
}


@pytest.mark.parametrize("rule", OWN_VIEWS)
def test_a_view_by_a_rule_without_a_mark_is_refused_and_says_how_to_mark_it(rule, engine):
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"written over input 0.*makes_view"):
        record(engine, OWN_VIEWS[rule](), x.reshape(-1), x)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


@pytest.mark.parametrize("rule", OWN_VIEWS)
def test_a_view_by_a_marked_rule_of_ones_own_is_right(rule, engine):
    x, W = np.ones((2, 3)), np.ones((3, 4))
    record(engine, F.matmul_backward, x @ W, x, W)
    flat = record(engine, makes_view(OWN_VIEWS[rule]()), x.reshape(-1), x)
    engine.backward(flat)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.ones((2, 3)))


@pytest.mark.parametrize("mark", [makes_view, shapes_only, same_from_output])
def test_a_mark_is_seen_through_a_partial(mark, engine):
    def rule_backward(g, x, unused=None):
        return g

    x = np.ones(3)
    record(engine, partial(partial(mark(rule_backward), unused=1), unused=2), x, x)
    engine.backward(2.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2, 2])


def minus_one_in_place(engine, a, rule):
    np.maximum(a - 1, 0, out=a)
    return record(engine, rule, a, a)


OWN_RULES = {
    "function": lambda g, a: g * (a > 1),
    "partial": partial(lambda g, a, edge: g * (a > edge), edge=1),
    "callable": type("Edge", (), {"__call__": lambda self, g, a: g * (a > 1)})(),
    "reads nothing": lambda g, a: g,
}


@pytest.mark.parametrize("rule", OWN_RULES)
@pytest.mark.parametrize("produced", [False, True], ids=["given", "produced"])
def test_a_rule_of_ones_own_is_never_tried_out_to_find_what_it_reads(rule, produced, engine):
    a = np.array([0.5, 1.5, 3.0])
    if produced:
        a = record(engine, F.mul_backward, a * 1, a, 1.0)
    with pytest.raises(ValueError, match="written over input 0"):
        minus_one_in_place(engine, a, OWN_RULES[rule])
    assert len(engine.operation_list) == produced


def tanh_from_output(g, x, s):
    return g * (1 - s**2), None


@pytest.mark.parametrize("debug", [False, True])
def test_a_rule_may_be_given_its_own_output(debug):
    engine = Autograd(debug=debug)
    x = np.array([0.3, -0.4])
    s = np.tanh(x)
    record(engine, tanh_from_output, s, x, s)
    y = record(engine, F.mul_backward, s * s, s, s)
    engine.backward(y)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), 2 * s * (1 - s**2), rtol=1e-14)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(s), 2 * s, rtol=1e-14)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_output_written_over_an_input_by_a_rule_of_ones_own_gets_no_wrong_gradient(order, engine):
    x, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    x *= b
    inputs = [(x, b)[i] for i in order]
    record(engine, lambda g, one, other: (g * other, g * one), x, *inputs)
    with pytest.raises(ValueError, match=rf"gradient for input {order.index(0)}, its own output"):
        engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(b), [0, 0])


def test_an_output_among_the_inputs_that_the_list_knows_already_is_refused(engine):
    x, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    h = record(engine, F.add_backward, x + b, x, b)
    h *= b
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, lambda g, h, b: (None, g), h, h, b)


def test_a_rule_is_not_called_while_recording(engine):
    def never(*_):
        raise AssertionError("the rule was called")

    x = np.ones(3)
    with pytest.raises(ValueError, match="written over"):
        record(engine, never, x, x)


MAXIMUM = {"over a": 0, "over b": 1}


@pytest.mark.parametrize("over", MAXIMUM)
def test_maximum_of_two_finds_what_it_needs_over_its_first_input_alone(over, engine):
    a, b = np.array([1.0, 5.0]), np.array([3.0, 2.0])
    out = (a, b)[MAXIMUM[over]]
    np.maximum(a, b, out=out)
    if out is b:
        with pytest.raises(ValueError, match="written over input 1"):
            record(engine, F.max_backward, out, a, b)
        return
    record(engine, F.max_backward, out, a, b)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(a), [0, 1])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(b), [1, 0])


def test_what_relu_has_left_in_place_is_not_overwritten_again(engine):
    x = np.array([1.0, -2.0, 3.0])
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    record(engine, F.max_backward, np.maximum(h, 0, out=h), h)
    h -= 5
    with pytest.raises(ValueError, match=r"operation 1 \(max\)"):
        record(engine, F.sub_backward, h, h, 5.0)


def test_an_array_with_a_view_on_the_list_is_not_overwritten(engine):
    x, b = np.ones(3), np.full(3, 2.0)
    record(engine, partial(F.getitem_backward, index=slice(2)), x[:2], x)
    x += b
    with pytest.raises(ValueError, match=r"operation 0 \(getitem\)"):
        record(engine, F.add_backward, x, x, b)


def test_a_part_of_an_input_is_not_overwritten(engine):
    x = np.array([1.0, 2.0, 3.0])
    np.sum(x, keepdims=True, out=x[:1])
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, F.sum_backward, x[:1], x)


def test_an_output_that_nobody_has_read_yet_counts_with_its_views(engine):
    x, buffer = np.ones(2), np.zeros(4)
    record(engine, F.mul_backward, np.multiply(x, 2, out=buffer[:2]), x, 2.0)
    buffer[...] = 7
    with pytest.raises(ValueError, match=r"operation 0 \(mul\)"):
        record(engine, F.exp_backward, buffer, np.ones(4))


def test_data_that_a_layer_reads_is_not_overwritten(engine):
    x, layer = engine.data(np.ones((2, 3))), Linear(3, 3, engine, rng=0)
    y = layer(x)
    np.copyto(x, y)
    with pytest.raises(ValueError, match=r"operation 0 \(linear\)"):
        record(engine, F.exp_backward, x, y)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_many_in_place_additions_in_a_row(steps, engine):
    x, b = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    h = record(engine, F.mul_backward, x * 3, x, 3.0)
    for _ in range(steps):
        h += b
        record(engine, F.add_backward, h, h, b)
    engine.backward(record(engine, F.mul_backward, h * 2, h, 2.0))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [6, 6])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(b), [2 * steps] * 2)


def test_an_axis_of_one_entry_may_have_any_stride(engine):
    x = np.array([1.0, 2.0, 3.0])
    row = x[None]
    engine.add_operation([x], row, [None], F.reshape_backward)
    y = x.reshape(1, 3) * 2
    engine.add_operation([x.reshape(1, 3), 2.0], y, [None, None], F.mul_backward)
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2, 2])
