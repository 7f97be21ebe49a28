"""Modules beside PyTorch's: output, input gradient, parameter gradients; and the shapes that Linear takes."""

import numpy as np
import pytest

from mytorch import Autograd, nn
from tests.numerics import assert_close

# A module of ours, PyTorch's, and an input shape.
PAIRS = {
    "Identity": (nn.Identity, lambda t: t.nn.Identity(), (4, 3)),
    "Sigmoid": (nn.Sigmoid, lambda t: t.nn.Sigmoid(), (4, 3)),
    "Tanh": (nn.Tanh, lambda t: t.nn.Tanh(), (4, 3)),
    "ReLU": (nn.ReLU, lambda t: t.nn.ReLU(), (4, 3)),
    "LeakyReLU": (nn.LeakyReLU, lambda t: t.nn.LeakyReLU(), (4, 3)),
    "LeakyReLU(0.3)": (lambda e: nn.LeakyReLU(e, 0.3), lambda t: t.nn.LeakyReLU(0.3), (4, 3)),
    "GELU": (nn.GELU, lambda t: t.nn.GELU(), (4, 3)),
    "SiLU": (nn.SiLU, lambda t: t.nn.SiLU(), (4, 3)),
    "Softplus": (nn.Softplus, lambda t: t.nn.Softplus(), (4, 3)),
    "Softmax": (nn.Softmax, lambda t: t.nn.Softmax(-1), (4, 3)),
    "Softmax(0)": (lambda e: nn.Softmax(e, 0), lambda t: t.nn.Softmax(0), (4, 3)),
    "Linear": (lambda e: nn.Linear(3, 5, e, rng=1), lambda t: t.nn.Linear(3, 5), (4, 3)),
    "Linear 1-d": (lambda e: nn.Linear(3, 5, e, rng=1), lambda t: t.nn.Linear(3, 5), (3,)),
    "Linear row": (lambda e: nn.Linear(3, 5, e, rng=1), lambda t: t.nn.Linear(3, 5), (1, 3)),
    "Linear 4-d": (lambda e: nn.Linear(3, 5, e, rng=1), lambda t: t.nn.Linear(3, 5), (2, 4, 2, 3)),
    "Linear large": (lambda e: nn.Linear(300, 250, e, rng=1), lambda t: t.nn.Linear(300, 250), (7, 300)),
    "Linear large row": (lambda e: nn.Linear(300, 250, e, rng=1), lambda t: t.nn.Linear(300, 250), (1, 300)),
    "Linear large batch": (lambda e: nn.Linear(300, 250, e, rng=1), lambda t: t.nn.Linear(300, 250), (260, 300)),
    "BatchNorm1d": (lambda e: nn.BatchNorm1d(3, e), lambda t: t.nn.BatchNorm1d(3), (7, 3)),
    "BatchNorm1d 3-d": (lambda e: nn.BatchNorm1d(3, e, 1e-3, 0.3), lambda t: t.nn.BatchNorm1d(3, 1e-3, 0.3), (4, 3, 5)),
    "LayerNorm": (lambda e: nn.LayerNorm(3, e), lambda t: t.nn.LayerNorm(3), (4, 2, 3)),
    "LayerNorm 2 axes": (lambda e: nn.LayerNorm((2, 3), e, 1e-2), lambda t: t.nn.LayerNorm((2, 3), 1e-2), (4, 2, 3)),
}
NAMES = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}


def twins(name, torch, seed):
    """Both modules with the same, random parameters, in float64."""
    ours, theirs, _ = PAIRS[name]
    ours, theirs = ours(Autograd()), theirs(torch).double()
    rng = np.random.default_rng(seed)
    for parameter in ours.parameters():
        parameter.value[...] = rng.standard_normal(parameter.value.shape)
        twin = getattr(theirs, NAMES[parameter.name])
        twin.data = torch.tensor(parameter.value.reshape(tuple(twin.shape)))
    return ours, theirs


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.slow
def test_equals_pytorch(name, training, seed, torch):
    ours, theirs = twins(name, torch, seed)
    rng = np.random.default_rng(seed + 10)
    for step in range(3):
        x = rng.standard_normal(PAIRS[name][2])
        ours.train()
        theirs.train()
        if not training and step:
            ours.eval()
            theirs.eval()
        tensor = torch.tensor(x, requires_grad=True)
        y, expected = ours(x), theirs(tensor)
        g = rng.standard_normal(y.shape)
        ours.zero_grad()
        theirs.zero_grad()
        ours.autograd_engine.backward(g)
        expected.backward(torch.tensor(g))
        assert_close(y, expected.detach().numpy(), 1e-11)
        assert_close(ours.autograd_engine.gradient_buffer.get_param(x), tensor.grad.numpy(), 1e-10)
        for parameter in ours.parameters():
            twin = getattr(theirs, NAMES[parameter.name]).grad.numpy()
            assert_close(parameter.gradient, twin.reshape(parameter.gradient.shape), 1e-11)
        for buffer in ours.buffer_names:
            assert_close(getattr(ours, buffer), getattr(theirs, buffer).numpy(), 1e-13)
        ours.autograd_engine.zero_grad()


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 3), (2, 4, 3), (0, 3), (2, 0, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_is_x_times_W_transposed_plus_b(shape, dtype, engine, rng):
    layer, x = nn.Linear(3, 5, engine, rng=2, dtype=dtype), rng.standard_normal(shape).astype(dtype)
    y = layer(x)
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    assert y.dtype == dtype
    assert_close(y, np.einsum("...i,oi->...o", x.astype(float), layer.W) + layer.b[:, 0], rtol)
    g = rng.standard_normal(y.shape).astype(dtype)
    engine.backward(g)
    rows, grads = x.reshape(-1, 3).astype(float) if x.size else np.zeros((0, 3)), g.reshape(int(np.prod(shape[:-1])), 5)
    assert_close(layer.dW, np.einsum("no,ni->oi", grads, rows), rtol)
    assert_close(layer.db, grads.sum(0).reshape(5, 1), rtol)
    assert_close(engine.gradient_buffer.get_param(x), np.einsum("...o,oi->...i", g, layer.W), rtol)


def test_linear_begins_the_same_from_the_same_seed(engine):
    one, two = nn.Linear(9, 4, engine, rng=3), nn.Linear(9, 4, engine, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(one.W, two.W)
    np.testing.assert_array_equal(one.b, two.b)
    assert (one.W != nn.Linear(9, 4, engine, rng=4).W).all()
    assert 0.25 < np.abs(one.W).max() <= 1 / 3, "uniform in +-1/sqrt(in_features)"
    assert np.abs(one.b).max() <= 1 / 3
    assert one.W.shape == one.dW.shape == one.momentum_W.shape == (4, 9)
    assert one.b.shape == one.db.shape == one.momentum_b.shape == (4, 1)
    assert not (one.dW.any())
    assert not (one.db.any())
    assert not (one.momentum_W.any())
    assert not (one.momentum_b.any())


@pytest.mark.parametrize(
    ("module", "x", "error", "text"),
    [
        (lambda e: nn.Linear(3, 5, e), np.ones((4, 2)), ValueError, r"\(4, 2\).*3 entries"),
        (lambda e: nn.Linear(3, 5, e), np.array(1.0), ValueError, "last axis"),
        (lambda e: nn.Linear(3, 5, e), [1.0, 2.0, 3.0], TypeError, "given a list"),
        (lambda e: nn.BatchNorm1d(3, e), np.ones((4, 2)), ValueError, r"\(4, 2\)"),
        (lambda e: nn.BatchNorm1d(3, e), np.ones(3), ValueError, r"\(3,\)"),
        (lambda e: nn.BatchNorm1d(3, e), np.ones((1, 3)), ValueError, "at least two values"),
        (lambda e: nn.LayerNorm((2, 3), e), np.ones((4, 3)), ValueError, "last axes"),
        (lambda e: nn.LayerNorm((2, 3), e), np.ones(3), ValueError, "last axes"),
        (lambda e: nn.Embedding(3, 2, e), np.array([0, 3]), IndexError, "0 to 2"),
        (lambda e: nn.Embedding(3, 2, e), np.array([-1]), IndexError, "-1"),
        (lambda e: nn.Embedding(3, 2, e), np.array([1.0]), TypeError, "float64"),
        (lambda e: nn.Embedding(3, 2, e), [0, 1], TypeError, r"the indices are a list\. Pass np\.array\(indices\)"),
    ],
)
def test_modules_refuse_what_does_not_fit(module, x, error, text, engine):
    with pytest.raises(error, match=text):
        module(engine)(x)
    assert engine.operation_list == []


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3)])
def test_linear_has_inputs_and_outputs(sizes, engine):
    with pytest.raises(ValueError, match="at least one"):
        nn.Linear(*sizes, engine)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0])
def test_dropout_leaves_out_a_share(p, engine):
    with pytest.raises(ValueError, match="0 <= p < 1"):
        nn.Dropout(engine, p)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_while_training(p, engine):
    x, layer = np.full(20000, 2.0), nn.Dropout(engine, p, rng=5)
    y = layer(x)
    # The share left out is within five standard deviations of p.
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)
    np.testing.assert_allclose(y[y != 0], 2 / (1 - p), rtol=1e-14)
    engine.backward(3.0)
    np.testing.assert_allclose(engine.gradient_buffer.get_param(x), 3 * y / x, rtol=1e-14)
    np.testing.assert_array_equal(nn.Dropout(Autograd(), p, rng=5)(x), y, "the same seed leaves out the same")
    assert (layer(x) != y).any(), "and each call leaves out others"


@pytest.mark.parametrize("p", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_while_evaluating(p, dtype, engine):
    layer, x = nn.Dropout(engine, p, rng=0), np.arange(4, dtype=dtype)
    assert layer(x).dtype == dtype
    layer.eval()
    y = layer(x)
    np.testing.assert_array_equal(y, x)
    assert y is not x
    engine.backward(y)
    np.testing.assert_array_equal(engine.gradient_buffer.get_param(x), np.ones(4))


def test_batch_norm_in_evaluation_keeps_the_mean_that_it_used(engine, rng):
    layer, x = nn.BatchNorm1d(2, engine), rng.standard_normal((4, 2))
    layer.eval()
    y = layer(x)
    layer.train()
    layer(rng.standard_normal((4, 2)) + 100)
    engine.backward(y)
    assert_close(layer.dgamma, x.sum(0) / np.sqrt(1 + 1e-5), 1e-12)


@pytest.mark.parametrize(("shape", "axes"), [((5, 2), (0,)), ((3, 2, 4), (0, 2))])
def test_batch_norm_moves_its_running_statistics(shape, axes, engine, rng):
    layer, mean, var = nn.BatchNorm1d(2, engine, momentum=0.3), np.zeros(2), np.ones(2)
    for _ in range(3):
        x = 3 + 2 * rng.standard_normal(shape)
        layer(x)
        mean = 0.7 * mean + 0.3 * x.mean(axes)
        var = 0.7 * var + 0.3 * x.var(axes, ddof=1)
    assert_close(layer.running_mean, mean, 1e-13)
    assert_close(layer.running_var, var, 1e-13)


def test_batch_norm_evaluates_a_single_sample(engine):
    layer = nn.BatchNorm1d(2, engine)
    layer.eval()
    np.testing.assert_allclose(layer(np.ones((1, 2))), 1 / np.sqrt(1 + 1e-5) * np.ones((1, 2)), rtol=1e-14)
    np.testing.assert_array_equal(layer.running_mean, [0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "indices", [np.array([2, 0, 2, 2]), np.array([[1, 1], [0, 1]], np.uint8), np.array(1), np.empty((0, 2), int)]
)
def test_embedding_sums_over_repeated_indices(indices, dtype, engine, rng):
    layer = nn.Embedding(3, 4, engine, rng=1, dtype=dtype)
    y = layer(indices)
    assert y.shape == (*indices.shape, 4)
    assert not np.shares_memory(y, layer.W)
    np.testing.assert_array_equal(y, layer.W[indices])
    g = rng.standard_normal(y.shape).astype(dtype)
    engine.backward(g)
    one_hot = np.eye(3)[indices.reshape(-1).astype(int)]
    assert layer.dW.dtype == dtype
    assert_close(
        layer.dW, one_hot.T @ g.reshape(-1, 4) if g.size else np.zeros((3, 4)), 1e-5 if dtype == np.float32 else 1e-13
    )


def test_activations_keep_their_state_and_the_arrays_they_recorded(engine):
    x = np.array([[1.0, -1.0]])
    for module in (nn.Identity, nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Softplus, nn.Softmax):
        layer = module(engine)
        y = layer(x)
        assert layer.state is y
        assert y is not x
        assert engine.operation_list[-1].inputs[0] is x
        assert engine.operation_list[-1].output is y
        assert repr(layer) == f"{module.__name__}()"
        zero_d = module(engine)(np.array(0.5)) if module is not nn.Softmax else np.empty(())
        assert isinstance(zero_d, np.ndarray), "also of 0-d input, an array"
