"""MSELoss and SoftmaxCrossEntropy: values, gradients, the forms of truth they take."""

import numpy as np
import pytest

from mytorch.nn import Linear, MSELoss, SoftmaxCrossEntropy
from tests.numerics import assert_close


@pytest.mark.parametrize("shape", [(1, 3), (4, 3), (7, 3), (5,), (), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mse_is_the_mean_of_squares(shape, dtype, engine, rng):
    y, y_hat = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
    loss = MSELoss(engine)
    value = loss(y, y_hat)
    rtol = 1e-5 if dtype == np.float32 else 1e-13
    assert value is loss.loss_val
    assert value.shape == (1,)
    assert value.dtype == dtype
    assert_close(value, [np.mean((y.astype(float) - y_hat) ** 2)], rtol)
    loss.backward()
    assert_close(engine.gradient_buffer.get_param(y_hat), 2 * (y_hat.astype(float) - y) / max(y.size, 1), rtol)
    assert_close(engine.gradient_buffer.get_param(y), 2 * (y.astype(float) - y_hat) / max(y.size, 1), rtol)


@pytest.mark.parametrize("n", [1, 4, 7])
@pytest.mark.parametrize("classes", [2, 5, 11])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_is_the_same_from_one_hot_and_from_classes(n, classes, dtype, engine, rng):
    scores, truth = rng.standard_normal((n, classes)).astype(dtype), rng.integers(0, classes, n)
    wide = scores.astype(float)
    log_softmax = wide - np.log(np.exp(wide).sum(1, keepdims=True))
    expected = -np.mean(log_softmax[np.arange(n), truth])
    gradient = (np.exp(log_softmax) - np.eye(classes)[truth]) / n
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for form in (truth, truth.astype(np.uint8), truth.astype(np.uint64), truth.astype(">i4"), np.eye(classes)[truth]):
        for given in (form, np.repeat(form, 2, axis=0)[::2]):
            engine.zero_grad()
            loss = SoftmaxCrossEntropy(engine)
            value = loss(given, scores)
            assert value is loss.loss_val
            assert value.shape == (1,)
            assert value.dtype == dtype
            assert_close(value, [expected], rtol)
            loss.backward()
            assert_close(engine.gradient_buffer.get_param(scores), gradient, rtol)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (5,)])
@pytest.mark.parametrize("kind", ["classes", "weights"])
def test_cross_entropy_equals_pytorch(shape, kind, engine, torch, rng):
    scores = rng.standard_normal(shape)
    classes = np.asarray(rng.integers(0, 5, shape[:-1]))
    weights = rng.dirichlet(np.ones(5), shape[:-1])
    tensor = torch.tensor(scores.reshape(-1, 5), requires_grad=True)
    truth = torch.tensor(classes.reshape(-1)) if kind == "classes" else torch.tensor(weights.reshape(-1, 5))
    expected = torch.nn.functional.cross_entropy(tensor, truth)
    expected.backward()
    loss = SoftmaxCrossEntropy(engine)
    assert_close(loss(classes if kind == "classes" else weights, scores), [expected.item()], 1e-12)
    loss.backward()
    assert_close(engine.gradient_buffer.get_param(scores), tensor.grad.numpy().reshape(shape), 1e-12)


def test_the_truth_comes_first(engine):
    scores = Linear(3, 2, engine, rng=0)(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"scores have shape \(2,\) and the ground truth \(2, 2\)"):
        SoftmaxCrossEntropy(engine)(scores, np.array([0, 1]))


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        (np.array([0, 3]), "class 3.*3 classes, 0 to 2"),
        (np.array([0, -1]), "class -1"),
        (np.array([0, 300], ">i4"), "class 300"),
        (np.array([0]), r"\(2, 3\).*\(1,\)"),
        (np.array([[0], [1]]), r"\(2, 1\)"),
        (np.array([0.0, 1.0]), "float64"),
        (np.ones((3, 2)), r"\(3, 2\)"),
    ],
)
def test_cross_entropy_refuses_a_truth_that_cannot_be_one(truth, text, engine):
    with pytest.raises(ValueError, match=text):
        SoftmaxCrossEntropy(engine)(truth, np.zeros((2, 3)))
    assert engine.operation_list == []


def test_mse_refuses_shapes_that_numpy_would_broadcast(engine):
    with pytest.raises(ValueError, match=r"\(4,\).*\(4, 1\)"):
        MSELoss(engine)(np.ones(4), np.ones((4, 1)))


def test_mse_of_bytes_does_not_wrap_around(engine):
    assert MSELoss(engine)(np.array([1], np.uint8), np.array([3], np.uint8)) == [4.0]


@pytest.mark.parametrize("loss", [MSELoss, SoftmaxCrossEntropy])
def test_an_empty_batch_has_no_loss_and_no_gradient(loss, engine):
    y_hat = np.zeros((0, 3))
    instance = loss(engine)
    np.testing.assert_array_equal(instance(np.zeros((0, 3)), y_hat), [0.0])
    instance.backward()
    assert engine.gradient_buffer.get_param(y_hat).shape == (0, 3)


@pytest.mark.parametrize("loss", [MSELoss, SoftmaxCrossEntropy])
def test_a_loss_walks_back_only_from_what_is_recorded(loss, engine, rng):
    instance, layer, x = loss(engine), Linear(3, 2, engine, rng=0), rng.standard_normal((2, 3))
    with pytest.raises(RuntimeError, match="no loss value yet"):
        instance.backward()
    truth = np.eye(2)
    instance(truth, layer(x))
    with engine.paused():
        instance(truth, layer(x))
    with pytest.raises(RuntimeError, match="not on the list"):
        instance.backward()
    assert not layer.dW.any()
    assert repr(instance) == f"{loss.__name__}()"


@pytest.mark.parametrize("kind", ["one-hot", "indices"])
def test_a_score_of_minus_infinity_rules_its_class_out(kind, engine):
    scores = np.array([[1.0, -np.inf, 0.5], [-np.inf, 2.0, -1.0]])
    classes = np.array([2, 1])
    y = np.eye(3)[classes] if kind == "one-hot" else classes
    loss = SoftmaxCrossEntropy(engine)
    value = loss(y, scores)
    assert_close(value, [(np.log1p(np.exp(0.5)) + np.log1p(np.exp(-3.0))) / 2], 1e-14)
    loss.backward()
    gradient = engine.gradient_buffer.get_param(scores)
    assert_close(gradient[0], np.array([1 / (1 + np.exp(-0.5)), 0, 1 / (1 + np.exp(0.5)) - 1]) / 2, 1e-14)
    assert np.isinf(loss(np.eye(3)[[1, 1]] if kind == "one-hot" else np.array([1, 1]), scores))  # the true class is


@pytest.mark.parametrize("loss", [MSELoss, SoftmaxCrossEntropy])
def test_lists_are_refused_in_a_sentence(loss, engine):
    array = np.array([[1.0, 0.0]])
    with pytest.raises(TypeError, match=r"compares arrays; y is a list\. Pass np\.array\(y\)"):
        loss(engine)([[1.0, 0.0]], array)
    with pytest.raises(TypeError, match=r"y_hat is a list"):
        loss(engine)(array, [[1.0, 0.0]])


def predicted(engine, kind):
    """A prediction, the output of a recorded operation, that differs from a truth in one way alone."""
    scores = Linear(3, 2, engine, rng=0)(np.ones((4, 3)))
    scores[...] = {"negative": [[1.5, -0.5]] * 4, "rows": [[0.2, 0.3]] * 4, "recorded": [[0.25, 0.75]] * 4}[kind]
    return scores if kind == "recorded" else scores.copy()


@pytest.mark.parametrize(
    ("kind", "reason"), [("negative", "negative entries"), ("rows", "sum to one"), ("recorded", "recorded operation")]
)
def test_swapped_arguments_are_warned_about(kind, reason, engine):
    scores, truth = predicted(engine, kind), np.eye(2)[[0, 1, 1, 0]]
    with pytest.warns(UserWarning, match=f"{reason}.*swapped.*loss\\(y, y_hat\\)") as warned:
        SoftmaxCrossEntropy(engine)(scores, truth)
    assert warned[0].filename == __file__


ONE_HOT = np.eye(2)[[0, 1, 1, 0]]
TRUTHS = {
    "one-hot": ONE_HOT,
    "float32": ONE_HOT.astype(np.float32),
    "integers": ONE_HOT.astype(int),
    "smoothed": 0.9 * ONE_HOT + 0.05,
    "samples left out": ONE_HOT * [[1], [1], [0], [0]],
    "classes": np.array([0, 1, 1, 0]),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_a_truth_is_not_warned_about(truth, engine, recwarn):
    SoftmaxCrossEntropy(engine)(truth, predicted(engine, "negative"))
    assert not list(recwarn)
