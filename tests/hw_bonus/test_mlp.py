"""MLP and get_training_stats: gradients, losses, errors, training. The caller's arrays do not change."""

from __future__ import annotations

import numpy as np
import pytest

from hw_bonus.mlp import MLP, batches, evaluate, get_training_stats
from mytorch.autograd_engine import Autograd
from mytorch.nn import Dropout, Identity, MSELoss, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh
from mytorch.optim import Adam


def make(hiddens=(5,), activation=Tanh, seed=0, **more) -> MLP:
    engine = Autograd()
    activations = [activation(engine) for _ in hiddens] + [Identity(engine)]
    return MLP(3, 4, list(hiddens), activations, SoftmaxCrossEntropy(engine), 0.1, engine, rng=seed, **more)


def blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four clusters in three dimensions."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4
    centres = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2], [-2, -2, -2]])
    return centres[y] + 0.6 * rng.standard_normal((n, 3)), y


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("batch", [1, 4, 7])
@pytest.mark.parametrize("one_hot", [True, False])
def test_gradients_of_one_hidden_layer_in_closed_form(batch: int, one_hot: bool) -> None:
    mlp = make()
    x, y = blobs(batch, 1)
    mlp.zero_grads()
    mlp.forward(x)
    mlp.total_loss(np.eye(4)[y] if one_hot else y)
    mlp.backward()
    first, second = mlp.linear_layers
    h = np.tanh(x @ first.W.T + first.b.T)
    dz = (softmax(h @ second.W.T + second.b.T) - np.eye(4)[y]) / batch
    dh = dz @ second.W * (1 - h**2)
    np.testing.assert_allclose(second.dW, dz.T @ h, rtol=1e-10)
    np.testing.assert_allclose(second.db, dz.sum(axis=0)[:, None], rtol=1e-10)
    np.testing.assert_allclose(first.dW, dh.T @ x, rtol=1e-10)
    np.testing.assert_allclose(first.db, dh.sum(axis=0)[:, None], rtol=1e-10)


@pytest.mark.parametrize(("hiddens", "activation"), [((), Tanh), ((6,), Sigmoid), ((5, 4, 6), Tanh)])
def test_gradients_by_central_differences(hiddens: tuple[int, ...], activation: type) -> None:
    mlp = make(hiddens, activation, seed=3)
    x, y = blobs(4, 2)
    mlp.zero_grads()
    mlp.forward(x)
    mlp.total_loss(y)
    mlp.backward()
    for layer in mlp.linear_layers:
        for value, gradient in ((layer.W, layer.dW), (layer.b, layer.db)):
            for index in np.ndindex(value.shape):
                here, losses = value[index], []
                for shift in (1e-5, -1e-5):
                    value[index] = here + shift
                    losses.append(evaluate(mlp, x, y)[0])
                value[index] = here
                assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradient[index], rel=1e-6, abs=1e-9)


def test_total_loss_and_error() -> None:
    mlp = make()
    mlp.output = np.array([[0, 0, 0, 0.0], [5, 0, 0, 0], [0, 0, 1, 0]])
    labels = np.array([1, 0, 2])
    expected = -np.log(softmax(mlp.output)[np.arange(3), labels]).mean()
    for y in (labels, np.eye(4)[labels]):
        assert mlp.total_loss(y).shape == (1,)
        assert float(mlp.total_loss(y)[0]) == pytest.approx(expected)
        assert mlp.error(y) == 1


def test_a_step_with_momentum() -> None:
    mlp = make(momentum=0.9)
    layer = mlp.linear_layers[0]
    x, y = blobs(8, 1)
    W, velocity = layer.W.copy(), np.zeros_like(layer.W)
    for _ in range(3):
        mlp.zero_grads()
        mlp.forward(x)
        mlp.total_loss(y)
        mlp.backward()
        velocity = 0.9 * velocity + layer.dW
        W = W - 0.1 * velocity
        mlp.step()
        np.testing.assert_allclose(layer.W, W, rtol=1e-12)


def test_zero_grads_empties_list_and_gradients() -> None:
    mlp = make()
    x, y = blobs(8, 1)
    gradient = mlp.linear_layers[0].dW
    mlp.forward(x)
    mlp.total_loss(y)
    mlp.backward()
    assert gradient.any()
    mlp.zero_grads()
    assert mlp.linear_layers[0].dW is gradient
    assert not gradient.any()
    assert mlp.autograd_engine.operation_list == []


@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_learns_and_reports_each_epoch(one_hot: bool, dtype: type) -> None:
    mlp = make((16,), ReLU, momentum=0.9, dtype=dtype)
    dset = []
    for n, seed in ((200, 1), (80, 2), (80, 3)):
        x, y = blobs(n, seed)
        dset.append((x.astype(dtype), np.eye(4, dtype=dtype)[y] if one_hot else y))
    stats = get_training_stats(mlp, dset, 15, 16)
    assert [len(column) for column in stats] == [15] * 4
    training_losses, training_errors, validation_losses, validation_errors = stats
    assert 0.3 * np.log(4) < training_losses[0] < 1.5 * np.log(4)
    assert training_errors.max() < 1
    assert training_losses[-1] < 0.2 * training_losses[0]
    assert training_errors[0] > 0.1 > training_errors[-1]
    assert validation_errors[-1] < 0.08
    loss, errors = evaluate(mlp, *dset[1])
    assert (loss, errors / 80) == (validation_losses[-1], validation_errors[-1])
    assert mlp.output.dtype == mlp.linear_layers[0].dW.dtype == dtype


def test_training_repeats_from_its_seed_and_leaves_the_callers_things_alone() -> None:
    x, y = blobs(50, 1)
    x.flags.writeable = y.flags.writeable = False
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    runs = []
    for seed in (5, 5, 6):
        mlp = make()
        runs.append(np.array(get_training_stats(mlp, [(x, y)] * 3, 3, 7, seed=seed)))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_batches_go_through_everything_once() -> None:
    rng = np.random.default_rng(0)
    first, second = ([b.tolist() for b in batches(10, 4, rng)] for _ in range(2))
    assert [len(b) for b in first] == [4, 4, 2]
    assert sorted(row for batch in first for row in batch) == list(range(10))
    assert first != second


def test_train_and_eval_reach_every_layer_and_evaluate_restores_the_mode() -> None:
    engine = Autograd()
    dropout = Dropout(engine, 0.5, rng=0)
    mlp = MLP(3, 4, [50], [Sequential(ReLU(engine), dropout)], SoftmaxCrossEntropy, 0.1, engine, rng=0)
    x, y = blobs(9, 1)
    mlp.eval()
    assert not dropout.training
    np.testing.assert_array_equal(mlp(x), mlp(x))
    mlp.train()
    assert dropout.training
    assert (mlp(x) != mlp(x)).any()
    engine.zero_grad()
    assert evaluate(mlp, x, y) == evaluate(mlp, x, y)
    assert dropout.training
    assert engine.operation_list == []


def test_classes_and_instances_one_per_layer_or_per_hidden_layer() -> None:
    engine = Autograd()
    for activations in ([Tanh, Tanh], [Tanh, Tanh, Identity], [Tanh(engine), Tanh(engine), Identity(engine)]):
        mlp = MLP(3, 4, [5, 6], activations, MSELoss, 0.1, engine)
        assert [type(a) for a in mlp.activations] == [Tanh, Tanh, Identity]
        assert [layer.W.shape for layer in mlp.linear_layers] == [(5, 3), (6, 5), (4, 6)]
    with pytest.raises(ValueError, match="1 activations for 2 hidden layers"):
        MLP(3, 4, [5, 6], [Tanh], MSELoss, 0.1, engine)
    with pytest.raises(ValueError, match="positive"):
        MLP(3, 4, [0], [Tanh], MSELoss, 0.1, engine)


def test_another_optimizer_and_its_learning_rate() -> None:
    mlp = make(optimizer=Adam)
    assert isinstance(mlp.optimizer, Adam)
    assert mlp.lr == 0.1
    mlp.lr = 0.01
    assert mlp.optimizer.lr == 0.01
