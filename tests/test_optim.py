"""Optimisers, schedules and clipping beside PyTorch's and beside the papers' formulas."""

import math

import numpy as np
import pytest

from mytorch import Autograd, nn, optim
from mytorch.nn import LayerNorm, Linear, Module, Sequential
from mytorch.optim import BLOCK, SGD, Adam, AdamW, CosineLR, StepLR, clip_grad_norm

# Each of some ten roundings per step moves a parameter by half a unit in the last place; PyTorch groups them otherwise.
RTOL = {np.float32: 5e-6, np.float64: 1e-13}

OPTIMIZERS = {
    "SGD": (SGD, {"lr": 0.1}),
    "SGD decay": (SGD, {"lr": 0.1, "weight_decay": 0.05}),
    "SGD momentum": (SGD, {"lr": 0.05, "momentum": 0.9}),
    "SGD momentum decay": (SGD, {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.05}),
    "SGD nesterov": (SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "SGD nesterov decay": (SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    "Adam": (Adam, {"lr": 0.01}),
    "Adam settings": (Adam, {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3}),
    "Adam decay": (Adam, {"lr": 0.01, "weight_decay": 0.05}),
    "AdamW": (AdamW, {"lr": 0.01}),
    "AdamW decay": (AdamW, {"lr": 0.01, "weight_decay": 0.2, "betas": (0.8, 0.9)}),
}
SHAPES = {"small": (3, 2), "large": (2, BLOCK + 3), "in columns": (BLOCK // 2 + 5, 3)}


class Weights(Module):
    """One array and its gradient; with a momentum of its own or without."""

    parameter_names = ("W",)

    def __init__(self, shape, dtype, rng, own_momentum=False, order="C"):
        super().__init__()
        self.W = np.asarray(rng.standard_normal(shape).astype(dtype), order=order)
        self.dW = np.zeros_like(self.W)
        if own_momentum:
            self.momentum_W = np.zeros_like(self.W)


def formulas(kind, W, grads, lr, momentum=0.0, nesterov=False, weight_decay=None, betas=(0.9, 0.999), eps=1e-8):
    """The papers' formulas, as they stand there."""
    if weight_decay is None:
        weight_decay = 0.01 if kind is AdamW else 0.0
    W, m, v = W.astype(np.float64), 0.0, 0.0
    for t, g in enumerate(grads, 1):
        if kind is AdamW:
            W = W - lr * weight_decay * W
        else:
            g = g + weight_decay * W
        if kind is SGD:
            v = momentum * v + g
            W = W - lr * (g + momentum * v if nesterov else v)
        else:
            m = betas[0] * m + (1 - betas[0]) * g
            v = betas[1] * v + (1 - betas[1]) * g**2
            W = W - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return W


def gradients(shape, dtype, steps=12):
    rng = np.random.default_rng(7)
    return [rng.standard_normal(shape).astype(dtype) for _ in range(steps)]


def run(optimizer, weights, grads):
    for g in grads:
        weights.dW[...] = g
        optimizer.step()
        np.testing.assert_array_equal(weights.dW, g, "a step leaves the gradient alone")


def near(got, expected, dtype):
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.slow
def test_equals_pytorch(name, size, dtype, torch, rng):
    kind, settings = OPTIMIZERS[name]
    weights = Weights(SHAPES[size], dtype, rng, own_momentum=size == "small")
    held, tensor = weights.W, torch.tensor(weights.W.copy(), requires_grad=True)
    theirs = getattr(torch.optim, kind.__name__)([tensor], **settings)
    grads = gradients(SHAPES[size], dtype)
    run(kind(weights.parameters(), **settings), weights, grads)
    for g in grads:
        tensor.grad = torch.tensor(g)
        theirs.step()
    assert weights.W is held, "in place"
    near(weights.W, tensor.detach().numpy(), dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.slow
def test_equals_the_formulas(name, size, dtype, order, rng):
    kind, settings = OPTIMIZERS[name]
    weights = Weights(SHAPES[size], dtype, rng, order=order)
    grads, before = gradients(SHAPES[size], dtype), weights.W.copy()
    run(kind(weights.parameters(), **settings), weights, grads)
    near(weights.W, formulas(kind, before, [g.astype(np.float64) for g in grads], **settings), dtype)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_changed_lr_counts_from_the_next_step_on(name, rng):
    kind, settings = OPTIMIZERS[name]
    weights = Weights((3, 2), np.float64, rng)
    optimizer = kind(weights.parameters(), **settings)
    run(optimizer, weights, gradients((3, 2), np.float64, 3))
    before = weights.W.copy()
    optimizer.lr = 0.0
    run(optimizer, weights, gradients((3, 2), np.float64, 3))
    np.testing.assert_array_equal(weights.W, before)


@pytest.mark.parametrize("own_momentum", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_saved_run_goes_on_bit_for_bit(name, own_momentum):
    kind, settings = OPTIMIZERS[name]
    grads = gradients((3, 2), np.float32, 8)

    def fresh():
        weights = Weights((3, 2), np.float32, np.random.default_rng(0), own_momentum)
        return weights, kind(weights.parameters(), **settings)

    through, optimizer = fresh()
    run(optimizer, through, grads)
    first, optimizer = fresh()
    run(optimizer, first, grads[:4])
    saved, state = optimizer.state_dict(), first.state_dict()
    run(optimizer, first, grads[4:])
    resumed, optimizer = fresh()
    optimizer.lr = 99.0
    optimizer.load_state_dict(saved)
    resumed.load_state_dict(state)
    run(optimizer, resumed, grads[4:])
    np.testing.assert_array_equal(resumed.W, through.W)
    np.testing.assert_array_equal(first.W, through.W)
    assert optimizer.state_dict()["steps"] == 8
    assert saved["steps"] == 4, "a saved state is a copy"


def test_another_optimizers_state_is_refused_and_changes_nothing(rng):
    weights = Weights((3, 2), np.float64, rng)
    adam, other = Adam(weights.parameters()), Adam(Weights((2, 3), np.float64, rng).parameters(), lr=5.0)
    for foreign in (SGD(weights.parameters(), 5.0).state_dict(), other.state_dict()):
        with pytest.raises(ValueError, match="not saved by Adam"):
            adam.load_state_dict(foreign)
        assert adam.lr == 1e-3


def test_sgd_keeps_its_velocity_in_the_layer():
    layer = Linear(3, 2, Autograd(), rng=0)
    layer.dW += 2
    SGD(layer.parameters(), 0.1, momentum=0.5).step()
    np.testing.assert_array_equal(layer.momentum_W, np.full((2, 3), 2.0))


def test_zero_grad_fills_in_place(rng):
    weights = Weights((3, 2), np.float64, rng)
    held = weights.dW
    held += 3
    SGD(weights.parameters(), 0.1).zero_grad()
    assert weights.dW is held
    assert not held.any()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: SGD([], 0.1), "needs parameters"),
        (lambda p: SGD(p, -0.1), "lr is at least 0; it was -0.1"),
        (lambda p: SGD(p, math.nan), "lr"),
        (lambda p: SGD(p, 0.1, momentum=1.0), "momentum"),
        (lambda p: SGD(p, 0.1, momentum=-0.1), "momentum"),
        (lambda p: SGD(p, 0.1, nesterov=True), "momentum above 0"),
        (lambda p: SGD(p, 0.1, weight_decay=-1), "weight_decay"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), "betas"),
        (lambda p: Adam(p, betas=(-0.1, 0.9)), "betas"),
        (lambda p: Adam(p, eps=-1e-8), "eps"),
        (lambda p: StepLR(SGD(p, 0.1), 0), "step_size"),
        (lambda p: CosineLR(SGD(p, 0.1), 0), "total_steps"),
        (lambda p: clip_grad_norm(p, 0.0), "max_norm"),
    ],
)
def test_settings_out_of_range_are_refused(make, text, rng):
    with pytest.raises(ValueError, match=text):
        make(Weights((3, 2), np.float64, rng).parameters())


SCHEDULES = {
    "step": (lambda o: StepLR(o, 3, 0.5), lambda t, o: t.optim.lr_scheduler.StepLR(o, 3, 0.5)),
    "step default": (lambda o: StepLR(o, 2), lambda t, o: t.optim.lr_scheduler.StepLR(o, 2)),
    "cosine": (lambda o: CosineLR(o, 10), lambda t, o: t.optim.lr_scheduler.CosineAnnealingLR(o, 10)),
    "cosine to": (lambda o: CosineLR(o, 10, 0.01), lambda t, o: t.optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.01)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_pytorch(name, torch, rng):
    ours, theirs = SCHEDULES[name]
    optimizer = SGD(Weights((3, 2), np.float64, rng).parameters(), 0.3)
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.3)
    schedule, twin = ours(optimizer), theirs(torch, other)
    for _ in range(10):
        other.step()
        assert optimizer.lr == pytest.approx(other.param_groups[0]["lr"], rel=1e-12, abs=1e-15)
        schedule.step()
        twin.step()


def test_schedules_by_their_formulas_and_resumed(rng):
    optimizer = SGD(Weights((3, 2), np.float64, rng).parameters(), 0.4)
    steps, cosine = StepLR(optimizer, 2, 0.1), CosineLR(optimizer, 4, 0.2)
    assert [steps.lr_at(n) for n in range(5)] == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004], rel=1e-13)
    expected = [0.2 + 0.1 * (1 + math.cos(math.pi * min(n, 4) / 4)) for n in range(7)]
    assert [cosine.lr_at(n) for n in range(7)] == pytest.approx(expected, rel=1e-13)
    cosine.step()
    saved = cosine.state_dict()
    cosine.step()
    assert optimizer.lr == pytest.approx(0.3, rel=1e-13)
    optimizer.lr = 9.0
    again = CosineLR(optimizer, 4, 0.2)
    again.load_state_dict(saved)
    assert optimizer.lr == expected[1]
    again.step()
    assert optimizer.lr == cosine.lr_at(2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_norm", [1.0, 1e3])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_clipping(max_norm, scale, dtype, rng):
    engine = Autograd()
    net = Sequential(Linear(3, 4, engine, rng=0, dtype=dtype), LayerNorm(4, engine, dtype=dtype))
    for parameter in net.parameters():
        parameter.gradient[...] = rng.standard_normal(parameter.gradient.shape).astype(dtype) * dtype(scale)
    before = [p.gradient.astype(float) for p in net.parameters()]
    norm = math.sqrt(sum(float(np.sum(g**2)) for g in before))
    rtol = 1e-5 if dtype == np.float32 else 1e-13
    assert clip_grad_norm(iter(net.parameters()), max_norm) == pytest.approx(norm, rel=rtol)
    for parameter, g in zip(net.parameters(), before):
        np.testing.assert_allclose(parameter.gradient, g * min(1.0, max_norm / norm), rtol=rtol)
        assert parameter.gradient.dtype == dtype


def test_clipping_equals_pytorch(torch, rng):
    layer = Linear(3, 4, Autograd(), rng=0)
    layer.dW[...], layer.db[...] = rng.standard_normal((4, 3)), rng.standard_normal((4, 1))
    tensors = [torch.zeros(a.shape, dtype=torch.float64, requires_grad=True) for a in (layer.dW, layer.db)]
    for tensor, array in zip(tensors, (layer.dW, layer.db)):
        tensor.grad = torch.tensor(array)
    norm = torch.nn.utils.clip_grad_norm_(tensors, 0.5)
    assert clip_grad_norm(layer.parameters(), 0.5) == pytest.approx(float(norm), rel=1e-13)
    # PyTorch adds 1e-6 to the norm that it divides by.
    np.testing.assert_allclose(layer.dW, tensors[0].grad.numpy(), rtol=2e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_clipping_refuses_what_it_would_spread(bad):
    layer = Linear(2, 2, Autograd(), rng=0)
    layer.dW[0, 0], layer.db[...] = bad, 3.0
    with pytest.raises(ValueError, match="not finite"):
        clip_grad_norm(layer.parameters(), 1.0)
    np.testing.assert_array_equal(layer.db, [[3.0], [3.0]])


def test_clipping_nothing():
    assert clip_grad_norm([], 1.0) == 0.0
    assert clip_grad_norm(Linear(2, 2, Autograd(), rng=0).parameters(), 1.0) == 0.0


def test_tied_weights_are_stepped_and_clipped_once(engine):
    a, b = nn.Linear(2, 2, engine, rng=0), nn.Linear(2, 2, engine, rng=1)
    b.W, b.dW, b.momentum_W = a.W, a.dW, a.momentum_W
    net = nn.Sequential(a, b)
    a.dW[...] = 3.0
    before = a.W.copy()
    optim.SGD(net.parameters(), lr=0.1).step()
    np.testing.assert_allclose(before - a.W, 0.3, rtol=1e-12)
    assert [p.name for p in net.parameters()] == ["W", "b", "b"]
    optim.clip_grad_norm(net.parameters(), 1.0)
    np.testing.assert_allclose(np.linalg.norm(a.dW), 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_adam_in_half_precision_moves_as_in_single(kind):
    """eps and the squares of these gradients are 0 in half precision; the running means are kept in single."""
    layers = [Linear(3, 2, Autograd()) for _ in range(2)]
    gradients = np.array([[1e-3, -1e-5, 1e-6], [1e-7, 0, 1.0]])
    for layer, dtype in zip(layers, (np.float16, np.float32)):
        layer.W, layer.b = np.ones((2, 3), dtype), np.zeros((2, 1), dtype)
        layer.dW, layer.db = gradients.astype(dtype), np.zeros((2, 1), dtype)
        optimizer = kind(layer.parameters(), lr=0.05)
        assert {array.dtype for arrays in optimizer.state.values() for array in arrays} == {
            np.dtype(np.float32)
        } or layer.W.ndim
        for _ in range(5):
            optimizer.step()
        assert layer.W.dtype == dtype
    half, single = (layer.W.astype(np.float64) for layer in layers)
    assert np.all(np.isfinite(half))
    # Each of five steps is rounded to half precision; 1e-7 is denormal there, and eps is no longer small beside it.
    np.testing.assert_allclose(half[0], single[0], atol=5 * np.finfo(np.float16).eps)
    assert half[1, 2] == pytest.approx(single[1, 2], abs=5 * float(np.finfo(np.float16).eps))
    np.testing.assert_array_equal(layers[0].b, np.zeros((2, 1)))


def test_a_network_in_place_of_its_parameters_gets_a_sentence(engine):
    with pytest.raises(TypeError, match=r"SGD was given a Linear; pass its parameters\(\)"):
        optim.SGD(nn.Linear(2, 2, engine), lr=0.1)
