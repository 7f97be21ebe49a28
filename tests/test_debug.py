"""Autograd(debug=True): every finding by number and name, and no false alarm."""

import warnings

import numpy as np
import pytest

from mytorch import Autograd, nn, optim
from mytorch.debug import DebugError, DebugWarning
from mytorch.nn import Linear, ReLU, Sequential
from mytorch.nn import functional as F
from mytorch.optim import SGD
from tests.numerics import record


@pytest.fixture
def engine():
    """An engine that looks for mistakes."""
    return Autograd(debug=True)


def start(engine):
    """x, and operation 0: h = x * 2."""
    x = np.array([1.0, -2.0, 3.0])
    return x, record(engine, F.mul_backward, x * 2, x, 2.0)


@pytest.mark.parametrize("which", ["input 0", "output 0"])
def test_an_array_changed_after_it_was_recorded(which, engine):
    x, h = start(engine)
    record(engine, F.exp_backward, np.exp(h), h)
    (x if which == "input 0" else h)[1] += 1
    with pytest.raises(DebugError, match=rf"Operation 0 \(mul\): {which}.*shape \(3,\).*changed in place"):
        engine.backward(1.0)


def test_a_weight_changed_between_forward_and_backward(engine):
    layer = nn.Linear(3, 2, engine, rng=0)
    y = layer(np.ones((1, 3)))
    layer.dW += 1
    SGD(layer.parameters(), 0.1).step()
    with pytest.raises(DebugError, match=r"Operation 0 \(linear\): input 1, an array of shape \(2, 3\)"):
        engine.backward(y)


@pytest.mark.parametrize(
    "copy", [np.array, lambda a: a.astype(np.float32), lambda a: a.reshape(3, 1).copy(), lambda a: 1 * a]
)
def test_a_copy_that_cuts_the_path(copy, engine):
    _, h = start(engine)
    with pytest.warns(
        DebugWarning, match=r"Operation 1 \(exp\): input 0 has the values of the output of operation 0 \(mul\)"
    ):
        record(engine, F.exp_backward, np.exp(copy(h)), copy(h))


def test_an_output_that_nobody_used(engine):
    _, h = start(engine)
    record(engine, F.exp_backward, np.exp(h), h)
    y = record(engine, F.neg_backward, -h, h)
    with pytest.warns(DebugWarning, match=r"Operation 1 \(exp\): nothing used its output") as caught:
        engine.backward(y)
    assert len(caught) == 1


def test_a_walk_from_values_that_were_not_recorded(engine):
    _, h = start(engine)
    with pytest.warns(DebugWarning, match=r"values of the output of operation 0 \(mul\) but not that array"):
        engine.backward(h.copy())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_on_the_way_forward(bad, engine):
    x, h = start(engine)
    y = h.copy()
    y[2] = bad
    with pytest.raises(DebugError, match=rf"Operation 1 \(abs\): output 0 is {bad} at index \(2,\).*arises here"):
        record(engine, F.abs_backward, y, h)
    assert len(engine.operation_list) == 1
    with pytest.raises(DebugError, match=r"Operation 1 \(add\): output 0.*came in with input 1"):
        record(engine, F.add_backward, h + y, h, y)
    assert x is engine.operation_list[0].inputs[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_on_the_way_back(bad, engine):
    x, h = start(engine)
    record(engine, lambda g, h: np.array([1.0, bad, 1.0]), h * 1, h)
    with pytest.raises(
        DebugError, match=rf"Operation 1 \(<lambda>\), walking back: the gradient of input 0 is {bad} at index \(1,\)"
    ):
        engine.backward(1.0)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.zeros(3))


def test_a_rule_that_changes_its_input(engine):
    def careless_backward(g, h):
        h *= 0
        return g

    _, h = start(engine)
    record(engine, careless_backward, h * 1, h)
    with pytest.raises(
        DebugError, match=r"Operation 1 \(careless\), walking back: its backward function changed input 0"
    ):
        engine.backward(1.0)


def net_of(engine):
    return nn.Sequential(
        *(nn.Linear(4, 8, engine, rng=0), nn.BatchNorm1d(8, engine), nn.ReLU(engine), nn.Dropout(engine, 0.2, rng=1)),
        *(nn.Identity(engine), nn.LayerNorm(8, engine), nn.GELU(engine), nn.Linear(8, 3, engine, rng=2)),
    )


@pytest.mark.parametrize("training", [True, False])
def test_no_false_alarm_while_training(training, engine):
    net, loss, rng = net_of(engine), nn.SoftmaxCrossEntropy(engine), np.random.default_rng(0)
    if not training:
        net.eval()
    optimizer = SGD(net.parameters(), 0.1, momentum=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            net.zero_grad()
            loss(rng.integers(0, 3, 6), net(rng.standard_normal((6, 4))))
            loss.backward()
            optimizer.step()
            engine.zero_grad()


@pytest.mark.parametrize("around", [nn.ReLU, nn.Identity, lambda e: nn.Dropout(e, 0.0)])
def test_no_false_alarm_for_a_skip_connection(around, engine):
    x = np.array([1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        r = around(engine)(x)
        engine.backward(record(engine, F.add_backward, x + r, x, r))


def test_no_false_alarm_for_relu_in_place_or_plain_arrays(engine):
    x, h = start(engine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        h = record(engine, F.add_backward, h + x, h, x)
        np.maximum(h, 0, out=h)
        record(engine, F.max_backward, h, h)
        zeros = record(engine, F.mul_backward, h * 0, h, 0.0)
        y = record(engine, F.add_backward, zeros + np.zeros(3), zeros, np.zeros(3))
        engine.backward(y)


def test_it_is_off_by_default():
    engine = Autograd()
    x = np.array([1.0, np.nan])
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    record(engine, F.exp_backward, np.exp(h), h.copy())
    x += 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.backward(1.0)


def test_zero_grad_begins_anew(engine):
    x, _ = start(engine)
    engine.zero_grad()
    x += 1
    h = record(engine, F.mul_backward, x * 2, x, 2.0)
    engine.backward(h)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), [2, 2, 2])


def test_a_rule_that_changes_what_it_was_given(engine):
    def masks_in_place_backward(grad_output, a):
        grad_output *= a > 1
        return grad_output

    _, h = start(engine)
    y = record(engine, masks_in_place_backward, h + 0, h)
    record(engine, F.add_backward, y + h, y, h)
    with pytest.raises(DebugError, match=r"Operation 1 \(masks_in_place\).*changed grad_output"):
        engine.backward(1.0)


def test_debug_gives_the_same_gradients_and_finds_a_change(rng):
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


@pytest.mark.filterwarnings("ignore:The list still holds:mytorch.debug.DebugWarning")
def test_debug_mode_lets_earlier_steps_be():
    """Weights that a step has changed are no error of the operations that read them before."""
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


def test_a_forgotten_zero_grad_is_noticed():
    engine = Autograd(debug=True)
    layer = nn.Linear(2, 2, engine, rng=0)
    loss, optimizer = nn.SoftmaxCrossEntropy(engine), optim.SGD(layer.parameters(), lr=0.1)

    def step():
        loss(np.array([0, 1]), layer(np.array([[1.0, 2.0], [3.0, 5.0]])))
        loss.backward()
        optimizer.step()

    step()
    with pytest.warns(DebugWarning, match=r"still holds 2 operations of an earlier backward pass.*zero_grad"):
        step()
    engine.zero_grad()
    step()


def test_two_backward_passes_over_one_list_are_no_mistake():
    engine = Autograd(debug=True)
    layer = nn.Linear(2, 2, engine, rng=0)
    y = layer(np.array([[1.0, 2.0]]))
    engine.backward(y)
    engine.backward(y)
