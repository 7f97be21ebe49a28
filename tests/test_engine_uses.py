"""The engine's ten rules (DESIGN, section 2), each by name: 6 to 10. The first five are in test_engine.py."""

import threading
import weakref
from functools import partial

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.debug import DebugError
from mytorch.nn import Linear, ReLU, Sequential, SoftmaxCrossEntropy
from mytorch.nn import functional as F
from mytorch.optim import SGD
from tests.test_engine import record

# 6. Identity-like and in-place operations.


def test_rule_6_an_output_that_is_its_input_passes_the_gradient_once(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, F.mul_backward, x * 2, x, 2.0)
    record(engine, F.identity_backward, y, y)
    record(engine, F.reshape_backward, y.reshape(2), y)
    z = record(engine, F.mul_backward, y * 3, y, 3.0)
    engine.backward(z)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [6, 6])


def test_rule_6_a_whole_view_is_its_owner(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, F.identity_backward, x[:], x)
    record(engine, F.mul_backward, y * 3, y, 3.0)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [3, 3])


@pytest.mark.parametrize(
    ("change", "rule", "slope"), [(np.add, F.add_backward, 1.0), (np.subtract, F.sub_backward, 1.0)]
)
def test_rule_6_in_place_where_only_shapes_matter(engine, change, rule, slope):
    x, b, db = np.array([1.0, 2.0]), np.array([5.0, 7.0]), np.zeros(2)
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    change(h, b, out=h)
    record(engine, rule, h, h, b, slots=[None, db])
    y = record(engine, F.mul_backward, h * h, h, h)
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), 2 * 2 * h * slope)
    np.testing.assert_array_equal(db, 2 * h * (1 if rule is F.add_backward else -1))


def test_rule_6_relu_may_work_in_place(engine):
    x = np.array([1.0, -2.0, 0.0])
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    np.maximum(h, 0, out=h)
    record(engine, F.max_backward, h, h)
    engine.backward(np.array([5.0, 7.0, 9.0]))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [10, 0, 0])


@pytest.mark.parametrize("part", [slice(None), slice(0, 1)])
def test_rule_6_overwriting_what_the_rule_reads_is_refused(engine, part):
    x = np.array([1.0, 2.0])
    np.exp(x[part], out=x[part])
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, F.exp_backward, x[part], x)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


def test_rule_6_overwriting_what_an_earlier_rule_reads_is_refused(engine):
    x, b = np.array([1.0, 2.0]), np.ones(2)
    h = record(engine, F.add_backward, x + b, x, b)
    record(engine, F.exp_backward, np.exp(h), h)
    h += b
    with pytest.raises(ValueError, match=r"operation 1 \(exp\)"):
        record(engine, F.add_backward, h, h, b)
    assert len(engine.operation_list) == 2


def test_rule_6_a_rule_of_ones_own_is_taken_to_read_its_inputs(engine):
    x = np.array([3.0])
    h = record(engine, lambda g, x: 2 * g, x * 2, x)
    np.square(h, out=h)
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, lambda g, h: 2 * h * g, h, h)


def test_rule_6_a_buffer_written_twice_is_refused(engine):
    x, y, buffer = np.ones(2), np.ones(2), np.empty(2)
    record(engine, F.add_backward, np.add(x, x, out=buffer), x, x)
    record(engine, F.exp_backward, np.exp(buffer), buffer)
    with pytest.raises(ValueError, match=r"operation 1 \(exp\)"):
        record(engine, F.add_backward, np.add(y, y, out=buffer), y, y)
    assert len(engine.operation_list) == 2
    assert not engine.gradient_buffer.is_in_memory(y)


def test_rule_6_overwriting_the_owner_of_an_input_is_refused(engine):
    x = np.array([1.0, 2.0])
    first = x[:1]
    with pytest.raises(ValueError, match="written over input 0"):
        record(engine, F.exp_backward, np.exp(x, out=x), first)
    assert engine.operation_list == []


# 7. zero_grad and pausing.


@pytest.mark.parametrize("debug", [False, True])
def test_rule_7_zero_grad_lets_go_of_every_array(debug):
    engine = Autograd(debug=debug)
    x = engine.data(np.ones(3))
    y = record(engine, F.mul_backward, x * 2, x, 2.0)
    z = record(engine, F.sum_backward, np.asarray(y.sum()), y)
    engine.backward(z)
    alive = [weakref.ref(array) for array in (x, y, z)]
    del x, y, z
    assert all(reference() is not None for reference in alive), "a recorded array is held"
    engine.zero_grad()
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}
    assert [reference() for reference in alive] == [None, None, None]


def test_rule_7_zero_grad_leaves_the_layers_gradients_alone(engine):
    layer = Linear(3, 2, engine, rng=0)
    layer(np.ones((1, 3)))
    engine.backward(1.0)
    engine.zero_grad()
    np.testing.assert_array_equal(layer.dW, np.ones((2, 3)))


def test_rule_7_paused_keeps_nothing_alive(engine):
    layer, x = Linear(3, 2, engine, rng=0), np.ones((1, 3))
    with engine.paused():
        y = layer(engine.data(x))
        with engine.paused():
            layer(x)
        layer(x)
        assert engine.operation_list == []
    alive = weakref.ref(y)
    del y
    assert alive() is None
    assert engine.gradient_buffer.memory == {}
    layer(x)
    engine.backward(1.0)
    assert engine.gradient_buffer.get_param(x).any(), "data declared while paused is not remembered"


def test_rule_7_pausing_ends_with_an_exception(engine):
    with pytest.raises(KeyError), engine.paused():
        raise KeyError
    record(engine, F.neg_backward, -np.ones(1), np.ones(1))
    assert len(engine.operation_list) == 1


# 8. Many engines.


def test_rule_8_engines_do_not_meet():
    x = np.ones(2)
    engines = [Autograd() for _ in range(5)]
    for factor, engine in enumerate(engines):
        record(engine, F.mul_backward, x * factor, x, float(factor))
    for engine in engines:
        engine.backward(1.0)
    for factor, engine in enumerate(engines):
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [factor, factor])
        assert len(engine.operation_list) == 1


def train(seed, steps=30):
    engine = Autograd()
    net = Sequential(Linear(5, 16, engine, rng=seed), ReLU(engine), Linear(16, 3, engine, rng=seed + 1))
    loss, optimizer, rng = (
        SoftmaxCrossEntropy(engine),
        SGD(net.parameters(), 0.1, momentum=0.9),
        np.random.default_rng(seed),
    )
    for _ in range(steps):
        net.zero_grad()
        loss(rng.integers(0, 3, 8), net(rng.standard_normal((8, 5))))
        loss.backward()
        optimizer.step()
        engine.zero_grad()
    return net.state_dict()


def test_rule_8_threads_with_an_engine_each_do_not_meet():
    results = {}
    threads = [threading.Thread(target=lambda s=s: results.update({s: train(s)})) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        alone = train(seed)
        assert results[seed].keys() == alone.keys()
        for name, array in alone.items():
            np.testing.assert_array_equal(results[seed][name], array)


# 9. The debug mode is tested in test_debug.py; here, that it changes no gradient.


def test_rule_9_debug_gives_the_same_gradients_and_finds_a_change(rng):
    x = rng.standard_normal((4, 3))
    slots = []
    for debug in (False, True):
        engine = Autograd(debug=debug)
        net = Sequential(Linear(3, 5, engine, rng=0), ReLU(engine), Linear(5, 2, engine, rng=1))
        engine.backward(net(x))
        slots.append([parameter.gradient for parameter in net.parameters()])
    for plain, watched in zip(*slots):
        np.testing.assert_array_equal(plain, watched)
    net.layers[0].W += 1
    with pytest.raises(DebugError, match=r"Operation 0 \(linear\)"):
        engine.backward(1.0)


# 10. Dtype in is dtype out.


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_rule_10_one_dtype_from_data_to_dW(engine, dtype, rng):
    net = Sequential(Linear(3, 5, engine, rng=0, dtype=dtype), ReLU(engine), Linear(5, 2, engine, rng=1, dtype=dtype))
    x, loss = rng.standard_normal((4, 3)).astype(dtype), SoftmaxCrossEntropy(engine)
    assert loss(np.array([0, 1, 1, 0]), net(x)).dtype == dtype
    loss.backward()
    for operation in engine.operation_list:
        for output in operation.outputs:
            assert output.dtype == dtype
    for gradient in engine.gradient_buffer.memory.values():
        assert gradient is None or gradient.dtype == dtype
    for parameter in net.parameters():
        assert parameter.gradient.any()
        assert parameter.value.dtype == parameter.gradient.dtype == dtype


@pytest.mark.parametrize("size", [3, 200])
@pytest.mark.parametrize("slot_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rule_10_a_slot_keeps_its_own_dtype(engine, dtype, slot_dtype, size):
    x, W, b = np.ones((4, size), dtype), np.full((size, size), 2, dtype), np.ones((size, 1), dtype)
    dW = np.zeros((size, size), slot_dtype)
    record(engine, F.linear_backward, x @ W.T, x, W, b, slots=[None, dW, None])
    engine.backward(1.0)
    engine.backward(1.0)
    np.testing.assert_array_equal(dW, np.full((size, size), 8))
    assert dW.dtype == slot_dtype
    assert engine.gradient_buffer.get_param(x).dtype == dtype


def test_rule_10_a_wide_gradient_is_narrowed_and_integers_get_float64(engine):
    x, n = np.ones(3, np.float32), np.arange(3)
    record(engine, lambda g, x, n: (np.full(3, 1 / 3), np.full(3, 2, int)), x * n, x, n)
    engine.backward(1.0)
    assert engine.gradient_buffer.get_param(x).dtype == np.float32
    assert engine.gradient_buffer.get_param(n).dtype == np.float64


# Cost, and what was declared to be data.


@pytest.mark.parametrize("module", [True, False])
def test_data_gets_no_gradient_and_everything_else_does(engine, module, rng):
    layer, x = Linear(3, 2, engine, rng=0), rng.standard_normal((4, 3))
    assert engine.data(x) is x
    if module:
        y = layer(x)
    else:
        y = record(engine, F.matmul_backward, x @ layer.W.T, x, layer.W.T, slots=[None, layer.dW.T])
        y = record(engine, lambda g, a, b: (g, g), x[:, :2] + y, x[:, :2], y)
    z = record(engine, F.mul_backward, y * 2, y, 2.0)
    engine.backward(z)
    np.testing.assert_allclose(layer.dW, np.full((2, 4), 2.0) @ x, rtol=1e-13)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(y), np.full((4, 2), 2.0))
    with pytest.raises(KeyError, match="data"):
        engine.gradient_buffer.get_param(x)
    engine.zero_grad()
    layer(x)
    engine.backward(1.0)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), np.ones((4, 2)) @ layer.W, rtol=1e-13)


def test_selective_rules_are_told_what_nobody_needs(engine):
    told = []

    def rule(g, a, b, needs=(True, True)):
        told.append(list(needs))
        return None, g

    rule.selective = True
    x, y = engine.data(np.ones(2)), np.ones(2)
    record(engine, rule, x + y, x, y)
    engine.backward(1.0)
    assert told == [[False, True]]


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


def test_the_callers_lists_may_be_used_again(engine):
    x = np.ones(2)
    inputs, slots = [x], [None]
    h = -x
    engine.add_operation(inputs, h, slots, F.neg_backward)
    inputs[0], slots[0] = h, np.zeros(2)
    engine.add_operation(inputs, -h, slots, F.neg_backward)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [0, 0])
    np.testing.assert_array_equal(slots[0], [-1, -1])
    engine.operation_list[1].gradients_to_update = [None]
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [1, 1])


@pytest.mark.skipif(not hasattr(Exception, "add_note"), reason="exceptions carry notes from Python 3.11 on")
def test_an_error_in_a_rule_names_the_operation(engine):
    x = np.ones(2)
    record(engine, partial(F.sum_backward, axis=7), np.asarray(x.sum()), x)
    with pytest.raises(ValueError) as caught:
        engine.backward(1.0)
    assert "operation 0 (sum)" in caught.value.__notes__[0]
