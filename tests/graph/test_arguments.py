"""Arguments of every layout, dtype and value: a compiled step does with them what the eager step does."""

from __future__ import annotations

import numpy as np
import pytest

import mytorch
import mytorch.debug
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F
from tests.graph.scenes import (
    IN,
    OUT,
    N,
    Scene,
    batches,
    compare,
    compare_after,
    linear,
    net_of,
    record,
    scaled,
    scene_with_layer,
    simple,
)

# Arguments


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    found = raw.view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


LAID_OUT = {
    "by columns": np.asfortranarray,
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": unaligned,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "a subclass": lambda a: a.view(type("Own", (np.ndarray,), {})),
    "a part of a larger array": lambda a: np.pad(a, [(1, 1)] * a.ndim)[(slice(1, -1),) * a.ndim],
}


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)], ids=["x", "y", "both"])
@pytest.mark.parametrize("name", LAID_OUT)
@pytest.mark.slow
def test_arguments_as_they_lie(name, which, backend):
    """After plans were made for arrays that lie in rows, and from the first call on."""
    lay = LAID_OUT[name]
    others = [[lay(a) if number in which else a for number, a in enumerate(pair)] for pair in batches(4, seed=1)]
    compare(simple(nn.Tanh), others, backend=backend)


@pytest.mark.parametrize("dtype", ["f4", "i8", "i4", "u1", "?", "f2"])
def test_data_of_other_dtypes(dtype, backend):
    others = [(np.abs(3 * x).astype(dtype), y) for x, y in batches(4, seed=1)]
    compare(simple(nn.Tanh), others, backend=backend)


def test_double_behind_single_precision(backend):
    """A float64 layer behind float32 ones is as exact as these: its plan proves itself."""
    engine, rng = Autograd(), np.random.default_rng(0)
    first, last = (
        nn.Linear(n, m, engine, rng=0, dtype=d) for n, m, d in ((300, 50, np.float32), (50, OUT, np.float64))
    )
    net, loss = nn.Sequential(first, nn.Sigmoid(engine), last), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), backend=backend)
    for _ in range(3):
        step(rng.standard_normal((1, 300)).astype(np.float32), rng.integers(0, OUT, 1))
    assert step.plan is not None, step.reason


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "u4", "u8"])
@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.slow
def test_labels_of_other_dtypes(dtype, n, backend):
    compare(simple(nn.Tanh), [(x, y.astype(dtype)) for x, y in batches(4, seed=1, n=n)], backend=backend)


@pytest.mark.parametrize("dtype", ["f4", "i8", "?", "u1"])
def test_one_hot_targets_of_other_dtypes(dtype, backend):
    compare(simple(nn.Tanh), [(x, np.eye(OUT)[y].astype(dtype)) for x, y in batches(4, seed=1)], backend=backend)


@pytest.mark.parametrize("dtype", ["f4", "i8"])
def test_targets_of_MSE_of_other_dtypes(dtype, backend):
    def given(seed, kind):
        rng = np.random.default_rng(seed)
        return [(rng.standard_normal((N, IN)), (3 * rng.standard_normal((N, OUT))).astype(kind)) for _ in range(4)]

    make = simple(nn.Tanh, loss=nn.MSELoss)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for pair in [*given(0, "f8"), *given(1, dtype)]:
        assert step(*pair) == pytest.approx(other.eager(*pair), rel=1e-11)


def test_no_rows_at_all(backend):
    compare(simple(nn.Tanh), [(np.empty((0, IN)), np.empty(0, int))] * 3, backend=backend)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-310])
@pytest.mark.parametrize(
    "activation", [nn.Tanh, nn.ReLU, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Softplus, nn.Softmax, nn.LeakyReLU]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
def test_data_that_are_not_finite(activation, value, backend):
    """NaN and infinity arise in the same places, forward and backward."""
    make = simple(activation)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, y in batches():
        step(x, y), other.eager(x, y)
    x, y = batches(1, seed=1)[0]
    x[2, 1] = value
    np.testing.assert_allclose(step(x, y), other.eager(x, y), rtol=1e-11)
    for found, expected in zip(one.arrays(), other.arrays()):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_gradient_where_a_relu_is_given_NaN(backend):
    """The gradient of a mean is finite where its value is not: no NaN gets lost, though NumPy's sign may show one more."""

    def make():
        engine = Autograd()
        net = nn.Sequential(linear(engine), nn.ReLU(engine))

        def function(x):
            h = net(x)
            return record(engine, np.atleast_1d(h.mean()), F.mean_backward, h)

        return Scene(engine, function, optim.SGD(net.parameters(), 0.1))

    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x, _ in batches():
        step(x), other.eager(x)
    x, _ = batches(1, seed=1)[0]
    x[2, 1] = np.nan
    step(x), other.eager(x)
    for found, expected in zip(one.arrays(), other.arrays()):
        assert np.all(np.isnan(found) >= np.isnan(expected))
        if backend == "c":
            np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.slow
def test_numbers_given_as_arguments(backend):
    """A number belongs to the plan; many different ones make the step eager, not wrong and not without bounds."""

    def make():
        engine = Autograd()
        net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
        return Scene(
            engine, lambda x, y, factor: loss(y, net(scaled(engine, x, factor))), optim.SGD(net.parameters(), 0.1)
        )

    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for number, (x, y) in enumerate(batches(60)):
        for factor in (1, 1.0, True, -0.0, 0.0, 0.01 * number, float("nan") if number > 58 else 3):
            np.testing.assert_allclose(step(x, y, factor), other.eager(x, y, factor), rtol=1e-9)
    assert len(step.plans) <= 32
    # 0.0 and -0.0 are equal, and have a plan each.
    assert sum(map(len, step.plans.values())) <= 33
    assert len(step.refusals) <= 32


def test_arguments_that_overlap(backend):
    """Two arguments may be views of one array, and one array may be given for both."""

    def make():
        engine = Autograd()
        net, loss = linear(engine, IN, IN), nn.MSELoss(engine)
        return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1))

    rows = np.random.default_rng(0).standard_normal((N + 2, IN))
    given = [(rows[:N], rows[2:]), (rows[:N], rows[:N]), (rows[1 : N + 1], rows[:N]), (rows[:N].copy(), rows[:N])] * 3
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for pair in given:
        assert step(*pair) == pytest.approx(other.eager(*pair), rel=1e-11)


def test_an_argument_that_is_also_a_constant(backend):
    """The first batches are the very array that the function also reads as a variable."""
    fixed, y = batches(1)[0]

    def make():
        engine = Autograd()
        net, other, loss = linear(engine), linear(engine, seed=3), nn.SoftmaxCrossEntropy(engine)

        def function(x, y):
            a, b = net(x), other(fixed)
            return loss(y, record(engine, a + b, F.add_backward, a, b))

        return Scene(engine, function, optim.SGD([*net.parameters(), *other.parameters()], 0.1))

    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for x in [fixed, fixed, fixed, *(x for x, _ in batches(3, seed=1)), fixed]:
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-11)


@pytest.mark.parametrize("change", [lambda x: np.subtract(x, x.mean(), out=x), lambda x: np.exp(x, out=x)])
def test_data_changed_in_place_by_the_function(change, backend):
    def make():
        engine = Autograd()
        net, loss = linear(engine), nn.SoftmaxCrossEntropy(engine)

        def function(x, y):
            change(x)
            return loss(y, net(x))

        return Scene(engine, function, optim.SGD(net.parameters(), 0.1))

    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    for (x, y), (same, _) in zip(batches(6), batches(6)):
        assert step(x, y) == pytest.approx(other.eager(same, y), rel=1e-11)
        np.testing.assert_array_equal(x, same)


def test_an_operation_recorded_in_place(backend):
    """Exponential and ReLU written over their own input."""

    class Over(nn.Module):
        def forward(self, x):
            np.maximum(x, 0, out=x)
            self.autograd_engine.add_operation([x], x, [None], F.max_backward)
            return x

    step = compare(lambda: scene_with_layer(Over, lambda layer: None), backend=backend)
    assert step.plan is not None or step.refusals


def test_arguments_that_are_no_arrays(backend):
    make = simple(nn.Tanh)
    one, other = make(), make()
    step = mytorch.compile(one.function, one.optimizer, backend=backend)
    x, y = batches(1)[0]
    for wrong in (
        (x.tolist(), y),
        (x, y.tolist()),
        (None, y),
        (x,),
        (x[0, 0], y),
        (x[:, :3], y),
        (x, y[:3]),
        (x, 1.0 * y),
    ):
        with pytest.raises(Exception) as expected:
            other.eager(*wrong)
        for _ in range(3):
            with pytest.raises(type(expected.value)) as found:
                step(*wrong)
        assert str(found.value) == str(expected.value)
    compare_after(one, other, step)


@pytest.mark.parametrize("name", ["W", "momentum_W"])
@pytest.mark.parametrize("show", [lambda a: a, lambda a: a[:], lambda a: a.T], ids=["itself", "a view", "transposed"])
@pytest.mark.parametrize("keep", [True, False])
def test_arguments_that_the_step_changes(name, show, keep, backend):
    """A parameter or its momentum given as data is read as it was before the update."""
    width = 40

    def make():
        engine = Autograd()
        net, loss = nn.Sequential(linear(engine, width, width), linear(engine, width, width, 1)), nn.MSELoss(engine)
        return Scene(
            engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1, momentum=0.9), keep={"layer": net[1]}
        )

    one, other = make(), make()
    layers = [each.keep.pop("layer") for each in (one, other)]
    step = mytorch.compile(one.function, one.optimizer, keep_gradients=keep, backend=backend)
    rng = np.random.default_rng(0)
    for number in range(7):
        y = rng.standard_normal((width, width))
        given = [show(getattr(layer, name)) if number > 3 else y + 1 for layer in layers]
        assert step(given[0], y) == pytest.approx(other.eager(given[1], y), rel=1e-11)
    assert step.plan is not None
    for mine, theirs in zip(one.optimizer.parameters, other.optimizer.parameters):
        np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("show", [lambda a: a, lambda a: a[:], lambda a: a.T], ids=["itself", "a view", "transposed"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(("begin", "kind"), [(0, nn.Linear), (4, nn.Linear), (0, type("Own", (nn.Linear,), {}))])
def test_a_gradient_given_as_data_is_zero(begin, kind, show, keep, backend):
    """The step zeroes it before it reads its arguments; from the first call on, and after plans were made for other data."""
    width = 5

    def make():
        engine = Autograd()
        net = nn.Sequential(linear(engine, width, width), kind(width, width, engine, rng=1))
        loss = nn.MSELoss(engine)
        return net, Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1))

    (net, one), (same, other) = make(), make()
    step = mytorch.compile(one.function, one.optimizer, keep_gradients=keep, backend=backend)
    rng = np.random.default_rng(0)
    for number in range(8):
        y = rng.standard_normal((width, width))
        given = [show(each[1].dW) if number >= begin else y + 1 for each in (net, same)]
        assert step(given[0], y) == pytest.approx(other.eager(given[1], y), rel=1e-11)
    # A view of a gradient at the first call stays eager, with a reason.
    assert step.plan is not None or (begin == 0 and show(net[1].dW) is not net[1].dW and step.reason)
    for mine, theirs in zip(one.optimizer.parameters, other.optimizer.parameters):
        np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-9, atol=1e-12)


def test_arguments_by_keyword():
    engine = Autograd()
    net, loss = linear(engine), nn.SoftmaxCrossEntropy(engine)

    def function(x, y, factor=1.0):
        return loss(y, net(scaled(engine, x, factor)))

    step = mytorch.compile(function, optim.SGD(net.parameters(), 0.0))
    x, y = batches(1)[0]
    assert step(x, y) == step(x, y=y) == step(y=y, x=x) == step(x, y, factor=1.0) != step(x, y, factor=2.0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        step(x, y, z=y)
    with pytest.raises(TypeError, match="takes y by keyword only"):
        mytorch.compile(lambda x, *, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.0))(x, y=y)


def test_zero_of_either_sign():
    engine = Autograd()
    net, loss = linear(engine), nn.SoftmaxCrossEntropy(engine)

    def function(x, y, zero):
        return loss(y, net(scaled(engine, x, 1.0 if np.copysign(1, zero) > 0 else 2.0)))

    step = mytorch.compile(function, optim.SGD(net.parameters(), 0.0))
    x, y = batches(1)[0]
    values = [step(x, y, zero) for zero in [0.0] * 3 + [-0.0] * 3]
    assert len(set(values[:3])) == len(set(values[3:])) == 1
    assert values[0] != values[3]


def test_no_rows_in_a_hidden_layer(backend):
    """Runs over transposed buffers without a single entry."""
    one, other = (simple(nn.Tanh, loss=nn.MSELoss)() for _ in range(2))
    step = mytorch.compile(
        one.function, one.optimizer, backend=backend, passes=["common subexpressions", "layout", "fusion"]
    )
    for n in (0, 2, 0, 0):
        assert step(np.ones((n, IN)), np.ones((n, OUT))) == pytest.approx(
            other.eager(np.ones((n, IN)), np.ones((n, OUT)))
        )
