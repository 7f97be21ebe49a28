"""GradientBuffer: from an array to its gradient."""

import weakref

import numpy as np
import pytest

from mytorch.utils import GradientBuffer

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
