"""Refusals of records and of gradients that do not fit: nothing is recorded or changed then."""

from functools import partial

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.nn import functional as F
from tests.numerics import read_only, record

REFUSALS = {
    "fewer slots": (lambda x, W: ([x, W], x @ W, [None]), ValueError, "2 inputs but 1 gradients_to_update"),
    "more slots": (lambda x, W: ([x], x * 2, [None, None]), ValueError, "1 inputs but 2 gradients_to_update"),
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
def test_refusals_record_nothing(case, debug, rng):
    engine = Autograd(debug=debug)
    build, error, text = REFUSALS[case]
    inputs, output, slots = build(rng.standard_normal((4, 3)), rng.standard_normal((3, 2)))
    with pytest.raises(error, match=text.replace("(", r"\(").replace(")", r"\)")):
        engine.add_operation(inputs, output, slots, F.matmul_backward)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


def test_a_rule_is_called_so_it_is_callable(engine):
    with pytest.raises(TypeError, match="backward_operation is a NoneType"):
        record(engine, None, -np.ones(1), np.ones(1))
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}


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
def test_a_divergence_that_cannot_be_one_is_refused(engine, start, error, text):
    x, slot = np.ones((2, 3)), np.zeros((2, 3))
    record(engine, F.neg_backward, -x, x, slots=[slot])
    with pytest.raises(error, match=text):
        engine.backward(start)
    assert not slot.any()


def test_an_empty_list_says_what_to_do(engine):
    with pytest.raises(RuntimeError, match="no operation was recorded"):
        engine.backward(1.0)


def test_several_inputs_need_a_tuple(engine):
    x, y = np.ones(2), np.ones(2)
    record(engine, lambda g, x, y: g, x + y, x, y)
    with pytest.raises(ValueError, match=r"one ndarray for 2 inputs.*tuple"):
        engine.backward(1.0)


@pytest.mark.skipif(not hasattr(Exception, "add_note"), reason="exceptions carry notes from Python 3.11 on")
def test_an_error_in_a_rule_names_the_operation(engine):
    x = np.ones(2)
    record(engine, partial(F.sum_backward, axis=7), np.asarray(x.sum()), x)
    with pytest.raises(ValueError) as caught:
        engine.backward(1.0)
    assert "operation 0 (sum)" in caught.value.__notes__[0]


def test_a_reduction_recorded_without_its_axis(engine):
    x = np.ones((3, 3))
    engine.add_operation([x], x.sum(1), [None], F.sum_backward)
    with pytest.raises(ValueError, match="Record the axis"):
        engine.backward(np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("inputs, slots", [(np.ones((1, 3)), [None]), ([np.ones(3)], None)])  # noqa: PT006
def test_inputs_and_gradients_come_in_lists(inputs, slots, engine):
    with pytest.raises(TypeError, match="lists with one entry per input"):
        engine.add_operation(inputs, np.ones(3), slots, F.exp_backward)


def test_a_gradient_that_overlaps_its_input(engine):
    x = np.ones(3)
    with pytest.raises(ValueError, match="its own gradient"):
        engine.add_operation([x], np.exp(x), [x[:]], F.exp_backward)


# A NumPy scalar as output.


def total(engine, x):
    y = np.sum(x)
    assert isinstance(y, np.generic)
    engine.add_operation([x], y, [None], F.sum_backward)
    return y


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("start", ["the scalar", "a number", "the array on the list"])
def test_a_scalar_as_the_last_output_is_kept_as_an_array(start, debug):
    engine, x = Autograd(debug=debug), np.array([2.0, 3.0])
    h = record(engine, F.mul_backward, x * 4, x, 4.0)
    y = total(engine, h)
    output = engine.operation_list[-1].output
    assert type(output) is np.ndarray
    assert output.shape == ()
    assert output == 20.0
    engine.backward({"the scalar": y, "a number": 1.0, "the array on the list": output}[start])
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [4, 4])
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [4, 4])


def test_another_scalar_of_that_value_is_a_gradient_to_start_from(engine):
    x = np.array([2.0, 3.0])
    y = total(engine, x)
    engine.backward(np.float64(float(y)))
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [5, 5])


def test_nothing_can_follow_a_scalar(engine):
    x = np.array([2.0, 3.0])
    y = np.asarray(total(engine, x))
    with pytest.raises(ValueError, match=r"last output, of sum, is a NumPy scalar.*np\.asarray"):
        record(engine, F.mul_backward, y * 2, y, 2.0)
    assert len(engine.operation_list) == 1
    engine.zero_grad()
    record(engine, F.neg_backward, -x, x)
    engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [-1, -1])
