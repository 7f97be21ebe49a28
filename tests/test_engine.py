"""Autograd around the list: recording, pausing, data, many engines, dtypes."""

import importlib
import threading
import weakref
from functools import partial

import numpy as np
import pytest

from mytorch import Autograd, nn, utils
from mytorch.nn import Linear, ReLU, Sequential, SoftmaxCrossEntropy
from mytorch.nn import functional as F
from mytorch.optim import SGD
from tests.numerics import record


def test_any_number_of_inputs(engine, rng):
    arrays = [rng.standard_normal(3) for _ in range(20)]
    record(engine, partial(F.concatenate_backward, axis=0), np.concatenate(arrays), *arrays)
    engine.backward(np.arange(60.0))
    for number, array in enumerate(arrays):
        np.testing.assert_array_equal(engine.gradient_buffer.get_param(array), np.arange(3.0) + 3 * number)


def test_no_inputs_at_all(engine):
    y = record(engine, lambda g: (), np.ones(2))
    record(engine, F.neg_backward, -y, y)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(y), [-1, -1])


@pytest.mark.parametrize("debug", [False, True])
def test_zero_grad_lets_go_of_every_array(debug):
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


def test_zero_grad_leaves_the_layers_gradients_alone(engine):
    layer = Linear(3, 2, engine, rng=0)
    layer(np.ones((1, 3)))
    engine.backward(1.0)
    engine.zero_grad()
    np.testing.assert_array_equal(layer.dW, np.ones((2, 3)))


def test_paused_keeps_nothing_alive(engine):
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


def test_pausing_ends_with_an_exception(engine):
    with pytest.raises(KeyError), engine.paused():
        raise KeyError
    record(engine, F.neg_backward, -np.ones(1), np.ones(1))
    assert len(engine.operation_list) == 1


def test_engines_do_not_meet():
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


def test_threads_with_an_engine_each_do_not_meet():
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_one_dtype_from_data_to_dW(engine, dtype, rng):
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
def test_a_slot_keeps_its_own_dtype(engine, dtype, slot_dtype, size):
    x, W, b = np.ones((4, size), dtype), np.full((size, size), 2, dtype), np.ones((size, 1), dtype)
    dW = np.zeros((size, size), slot_dtype)
    record(engine, F.linear_backward, x @ W.T, x, W, b, slots=[None, dW, None])
    engine.backward(1.0)
    engine.backward(1.0)
    np.testing.assert_array_equal(dW, np.full((size, size), 8))
    assert dW.dtype == slot_dtype
    assert engine.gradient_buffer.get_param(x).dtype == dtype


def test_a_wide_gradient_is_narrowed_and_integers_get_float64(engine):
    x, n = np.ones(3, np.float32), np.arange(3)
    record(engine, lambda g, x, n: (np.full(3, 1 / 3), np.full(3, 2, int)), x * n, x, n)
    engine.backward(1.0)
    assert engine.gradient_buffer.get_param(x).dtype == np.float32
    assert engine.gradient_buffer.get_param(n).dtype == np.float64


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


@pytest.mark.parametrize("what", [5, [1.0, 2.0]])
def test_only_arrays_are_data(what, engine):
    with pytest.raises(TypeError, match="Only an array"):
        engine.data(what)


def test_what_was_computed_is_no_data(engine):
    h = nn.Linear(3, 2, engine, rng=0)(np.ones((1, 3)))
    with pytest.raises(ValueError, match="produced by a recorded operation"):
        engine.data(h)


@pytest.mark.parametrize("sizes", [(3, 2), (784, 1024)])
def test_an_empty_batch(sizes, engine):
    layer = nn.Linear(*sizes, engine, rng=0)
    layer(np.zeros((0, sizes[0])))
    engine.backward(1)
    assert not layer.dW.any()


# Names of other generations of the homework.


def test_the_buffer_is_found_by_its_older_names(engine):
    assert engine.memory_buffer is engine.gradient_buffer
    assert type(engine.memory_buffer) is utils.MemoryBuffer is utils.GradientBuffer


@pytest.mark.parametrize("module", ["mytorch.functional", "mytorch.functional_hw1"])
def test_the_backward_functions_are_found_in_their_older_places(module):
    older = importlib.import_module(module)
    assert {name for name in vars(older) if not name.startswith("_")} == set(F.__all__)
    assert all(getattr(older, name) is getattr(F, name) for name in F.__all__)
