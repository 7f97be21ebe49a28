"""GradientBuffer: from an array to its gradient."""

import gc
import weakref
from functools import partial

import numpy as np
import pytest

from mytorch.nn import functional as F
from mytorch.utils import GradientBuffer
from tests.numerics import record

W = np.arange(9.0).reshape(3, 3).copy()

SAME = [lambda: W, lambda: W[:], lambda: W.T.T, lambda: W.reshape(3, 3), lambda: np.asarray(W), lambda: W.view()]
OTHERS = [
    lambda: W.copy(),
    lambda: W.T,
    lambda: W.reshape(-1),
    lambda: W[:2],
    lambda: W[::2],
    lambda: W[::-1],
    lambda: W[1:],
    lambda: W[:, :2],
    lambda: W.view(np.int64),
    lambda: W[None],
    lambda: W[0],
    lambda: W.diagonal(),
]


@pytest.mark.parametrize("look", SAME)
def test_the_same_entries_in_the_same_layout_are_one_variable(look):
    assert GradientBuffer.get_memory_loc(look()) == GradientBuffer.get_memory_loc(W)


def test_every_other_layout_is_a_variable_of_its_own():
    views = [W, *(look() for look in OTHERS)]
    assert len({GradientBuffer.get_memory_loc(view) for view in views}) == len(views)
    for look in OTHERS[1:]:
        assert GradientBuffer.get_memory_loc(look()) == GradientBuffer.get_memory_loc(look()), (
            "the same view, made anew"
        )


def test_memory_that_numpy_was_given():
    raw = np.arange(4.0).tobytes()
    one, other = np.frombuffer(raw), np.frombuffer(raw)
    assert GradientBuffer.get_memory_loc(one) == GradientBuffer.get_memory_loc(other)
    assert GradientBuffer.get_memory_loc(one) != GradientBuffer.get_memory_loc(one[:2])


def test_a_spot_is_empty_until_a_gradient_comes():
    buffer, x = GradientBuffer(), np.ones((2, 3), np.float32)
    assert not buffer.is_in_memory(x)
    buffer.add_spot(x)
    assert buffer.is_in_memory(x)
    assert buffer.get_param(x).dtype == np.float32
    np.testing.assert_array_equal(buffer.get_param(x), np.zeros((2, 3)))
    assert list(buffer.memory) == [buffer.get_memory_loc(x)]


def test_contributions_are_summed_into_a_new_array():
    buffer, x, first = GradientBuffer(), np.ones(2), np.array([1.0, 2.0])
    buffer.add_spot(x)
    buffer.update_param(x, first)
    buffer.update_param(x, np.array([10.0, 20.0]))
    np.testing.assert_array_equal(buffer.get_param(x), [11, 22])
    np.testing.assert_array_equal(first, [1, 2])
    buffer.add_spot(x)
    np.testing.assert_array_equal(buffer.get_param(x), [11, 22], "a second spot does not empty the first")
    buffer.set_param(x, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(buffer.get_param(x), [5, 6])


@pytest.mark.parametrize("put", ["set_param", "update_param"])
def test_a_gradient_has_the_shape_of_its_array(put):
    buffer, x = GradientBuffer(), np.ones((2, 3))
    buffer.add_spot(x)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)"):
        getattr(buffer, put)(x, np.ones((3, 2)))
    np.testing.assert_array_equal(buffer.get_param(x), np.zeros((2, 3)))


@pytest.mark.parametrize(
    "ask", [lambda b, x: b.get_param(x), lambda b, x: b.set_param(x, x), lambda b, x: b.update_param(x, x)]
)
def test_an_array_without_a_spot_is_named(ask):
    buffer, x = GradientBuffer(), np.ones((2, 3))
    buffer.add_spot(x)
    with pytest.raises(KeyError, match=r"\(2, 3\).*no spot"):
        ask(buffer, x.copy())


@pytest.mark.parametrize("view", [False, True])
def test_the_buffer_holds_its_arrays_until_it_is_cleared(view):
    buffer, x = GradientBuffer(), np.ones(2)
    alive = weakref.ref(x)
    buffer.add_spot(x[::-1] if view else x)
    del x
    assert alive() is not None
    buffer.clear()
    assert alive() is None
    assert buffer.memory == {}


def test_integers_have_float_gradients():
    buffer, n = GradientBuffer(), np.arange(3)
    buffer.add_spot(n)
    assert buffer.get_param(n).dtype == np.float64


VIEWS = {
    "transposed": (lambda W: W.T, F.transpose_backward),
    "flat": (lambda W: W.reshape(-1), F.reshape_backward),
    "beginning": (lambda W: W[:2], partial(F.getitem_backward, index=slice(0, 2))),
    "every second": (lambda W: W[::2], partial(F.getitem_backward, index=slice(None, None, 2))),
    "first column": (lambda W: W[:, 0], partial(F.getitem_backward, index=(slice(None), 0))),
    "one more axis": (lambda W: W[None], F.reshape_backward),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_a_variable_of_its_own(view, engine, rng):
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


def test_a_new_view_of_the_same_entries_is_the_same_variable(engine):
    W = np.arange(6.0).reshape(2, 3).copy()
    record(engine, F.sum_backward, np.asarray(W.T.sum()), W.T)
    engine.backward(2.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(W.T), np.full((3, 2), 2.0))
    assert not engine.gradient_buffer.is_in_memory(W)


def test_a_dead_arrays_gradient_is_never_inherited(engine):
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


@pytest.mark.slow
def test_no_address_is_used_again_while_the_list_stands(engine):
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
