"""gradcheck: finds planted mistakes and names them, passes what is right, leaves everything as it was."""

import numpy as np
import pytest

from mytorch import nn
from mytorch.gradcheck import GradcheckError, gradcheck
from mytorch.nn import functional as F


def three_steps(engine, rules, rng):
    """y = tanh(x W) * c, recorded with the rules given; the arrays and the function that records."""
    x, W, c = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
    dW = np.full((3, 2), 5.0)

    def forward():
        h = x @ W
        engine.add_operation([x, W], h, [None, dW], rules.get("matmul", F.matmul_backward))
        t = np.tanh(h)
        engine.add_operation([h], t, [None], rules.get("tanh", F.tanh_backward))
        y = t * c
        engine.add_operation([t, c], y, [None, None], rules.get("mul", F.mul_backward))
        return y

    return forward, (x, W, c, dW)


def wrong_matmul_backward(g, x, W):
    return g @ W.T, 2 * (x.T @ g)


def wrong_input_backward(g, x, W):
    return -(g @ W.T), x.T @ g


def wrong_tanh_backward(g, h):
    return g * (1 - np.tanh(h))


def wrong_entry_backward(g, h):
    right = F.tanh_backward(g, h)
    right[2, 1] *= 1.001
    return right


def wrong_broadcast_backward(g, t, c):
    return g * c, (g * t)[0]


def forgotten_backward(g, t, c):
    return g * c, None


def nan_backward(g, t, c):
    return g * c * np.nan, F.mul_backward(g, t, c)[1]


PLANTED = {
    "twice dW": ("matmul", wrong_matmul_backward, r"operation 0 \(wrong_matmul\), input 1"),
    "sign of dx": ("matmul", wrong_input_backward, r"operation 0 \(wrong_input\), input 0"),
    "tanh's slope": ("tanh", wrong_tanh_backward, r"operation 1 \(wrong_tanh\), input 0"),
    "one entry by a thousandth": (
        "tanh",
        wrong_entry_backward,
        r"operation 1 \(wrong_entry\), input 0, index \(2, 1\)",
    ),
    "no sum over the batch": ("mul", wrong_broadcast_backward, r"operation 2 \(wrong_broadcast\), input 1"),
    "nothing returned": ("mul", forgotten_backward, r"operation 2 \(forgotten\), input 1, index .*got 0"),
    "NaN": ("mul", nan_backward, r"operation 2 \(nan\), input 0, index .*got nan"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_mistake_is_named(case, engine, rng):
    where, rule, text = PLANTED[case]
    forward, arrays = three_steps(engine, {where: rule}, rng)
    before = [array.copy() for array in arrays]
    with pytest.raises(GradcheckError, match=text + r".* expected -?\d") as caught:
        gradcheck(forward, engine)
    assert "index (" in str(caught.value)
    for array, old in zip(arrays, before):
        np.testing.assert_array_equal(array, old)
    assert engine.operation_list == []


def test_got_and_expected_are_the_two_numbers(engine):
    x = np.array([3.0])

    def forward():
        y = x * x
        engine.add_operation([x], y, [None], lambda g, x: 5 * g)
        return y

    with pytest.raises(GradcheckError, match=r"got 5, expected (6|6\.0000\d*|5\.9999\d*)\.") as caught:
        gradcheck(forward, engine)
    assert "index (0,)" in str(caught.value)


def test_what_is_right_passes_and_is_left_as_it_was(engine, rng):
    forward, arrays = three_steps(engine, {}, rng)
    before = [array.copy() for array in arrays]
    assert gradcheck(forward, engine) == 12 + 6 + 8 + 8 + 2
    for array, old in zip(arrays, before):
        np.testing.assert_array_equal(array, old)
    assert engine.operation_list == []
    assert engine.gradient_buffer.memory == {}
    assert "add_operation" not in vars(engine)


def test_entries_are_drawn_where_there_are_many(engine, rng):
    forward, _ = three_steps(engine, {}, rng)
    assert gradcheck(forward, engine, max_entries=5) == 5 + 5 + 5 + 5 + 2


NETS = {
    "Linear": lambda e: nn.Linear(3, 2, e, rng=0),
    "activations": lambda e: nn.Sequential(
        nn.Tanh(e), nn.Sigmoid(e), nn.GELU(e), nn.SiLU(e), nn.Softplus(e), nn.Softmax(e)
    ),
    "BatchNorm1d": lambda e: nn.BatchNorm1d(3, e),
    "LayerNorm": lambda e: nn.Sequential(nn.LayerNorm(3, e), nn.Linear(3, 2, e, rng=0)),
    "ReLUs": lambda e: nn.Sequential(nn.Linear(3, 9, e, rng=0), nn.ReLU(e), nn.Linear(9, 2, e, rng=1), nn.LeakyReLU(e)),
}


@pytest.mark.parametrize("batch", [2, 5])
@pytest.mark.parametrize("name", NETS)
def test_every_module_passes(name, batch, engine, rng):
    net, x = NETS[name](engine), rng.standard_normal((batch, 3))
    assert gradcheck(lambda: net(x), engine) >= x.size


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.SoftmaxCrossEntropy])
def test_losses_pass(loss, engine, rng):
    net, criterion, x = nn.Linear(3, 2, engine, rng=0), loss(engine), rng.standard_normal((4, 3))
    truth = np.eye(2)[[0, 1, 1, 0]] if loss is nn.SoftmaxCrossEntropy else rng.standard_normal((4, 2))

    def forward():
        # One-hot truth is data: nothing is differentiated by it.
        return criterion(engine.data(truth), net(engine.data(x)))

    assert gradcheck(forward, engine) == 6 + 2 + 8


def test_views_several_outputs_and_in_place_operations_pass(engine, rng):
    W, x = rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
    before = W.copy()

    def forward():
        V = W.T
        engine.add_operation([W], V, [None], F.transpose_backward)
        y = x @ V
        engine.add_operation([x, V], y, [None, None], F.matmul_backward)
        np.maximum(y, 0, out=y)
        engine.add_operation([y], y, [None], F.max_backward)
        left, right = y[:, :1].copy(), y[:, 1:].copy()
        engine.add_operation([y], (left, right), [None], lambda g, y: np.concatenate(g, axis=1))
        both = left * right
        engine.add_operation([left, right], both, [None, None], F.mul_backward)
        return both

    assert gradcheck(forward, engine) > W.size + x.size
    np.testing.assert_array_equal(W, before)


def test_a_slot_shared_by_two_operations_is_read_once(engine, rng):
    layer, x = nn.Linear(3, 3, engine, rng=0), rng.standard_normal((2, 3))
    layer.dW += 4
    gradcheck(lambda: layer(layer(x)), engine)
    np.testing.assert_array_equal(layer.dW, np.full((3, 3), 4.0))


def test_float32_is_too_coarse(engine):
    layer = nn.Linear(3, 2, engine, rng=0, dtype=np.float32)
    with pytest.raises(TypeError, match=r"Operation 0 \(linear\): input 0 is float32"):
        gradcheck(lambda: layer(np.ones((1, 3), np.float32)), engine)


def test_a_function_that_does_not_repeat_is_refused(engine):
    dropout = nn.Dropout(engine, rng=0)
    with pytest.raises(ValueError, match="another result each time"):
        gradcheck(lambda: dropout(np.ones(50)), engine)


def test_a_function_that_records_elsewhere_is_refused(engine):
    with pytest.raises(ValueError, match="recorded nothing"):
        gradcheck(lambda: np.ones(1), engine)


def test_dropout_seeded_anew_passes(engine, rng):
    dropout, x = nn.Dropout(engine), rng.standard_normal((3, 4))

    def forward():
        dropout.rng = np.random.default_rng(1)
        return dropout(x)

    assert gradcheck(forward, engine) == 12


def test_a_reduction_to_a_number_passes(engine, rng):
    x = rng.standard_normal((3, 4))

    def forward():
        y = np.asarray(x.sum())
        engine.add_operation([x], y, [None], F.sum_backward)
        return y

    assert gradcheck(forward, engine) == 12


def test_a_kink_is_told_as_that(engine):
    relu, x = nn.ReLU(engine), np.array([[0.0, 1.0, -1.0]])
    with pytest.raises(GradcheckError, match=r"lies on a kink of operation 0 \(max\), input 0, index \(0, 0\)"):
        gradcheck(lambda: relu(x), engine)
    x[0, 0] = 0.5
    assert gradcheck(lambda: relu(x), engine) > 0


def test_a_wrong_gradient_beside_a_kink_is_told_first(engine):
    x = np.array([0.0, 1.0, -1.0])

    def forward():
        y = np.maximum(x, 0) + x**2
        engine.add_operation([x], y, [None], lambda g, a: g * ((a > 0) + 3 * a))
        return y

    with pytest.raises(GradcheckError, match="Wrong gradient"):
        gradcheck(forward, engine)


def test_arguments_in_another_order_get_a_sentence(engine):
    with pytest.raises(TypeError, match=r"expected gradcheck\(forward, engine\)"):
        gradcheck(engine, lambda: None)
