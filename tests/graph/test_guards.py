"""Changes that invalidate a plan are noticed: the compiled step goes on as the eager one does, or says why it stays eager."""

import threading
from functools import partial

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.nn import functional as F
from tests.graph.nets import Chain, batch, largest_difference, training


def pair(net="relu", **more):
    """Two trainings that begin alike, and the first one compiled."""
    one, other = training(net, **more), training(net, **more)
    return one, other, one.compiled()


def run(one, other, step, steps=4, n=6, seed=0):
    """Train both, one compiled and the other eagerly, and demand that they stay equal."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x, y = batch(rng, n, np.float64, "classes")
        value, expected = step(x, y), other.eager(x, y)
        assert value == pytest.approx(expected, rel=1e-12)
    assert largest_difference(one, other) <= 1e-12


def rebind(training_, name):
    layer = training_.net[0]
    setattr(layer, name, getattr(layer, name) * 1.5 + 0.25)


@pytest.mark.parametrize("name", ["W", "b", "dW", "db", "momentum_W", "momentum_b"])
def test_rebound_arrays(name):
    one, other, step = pair()
    run(one, other, step)
    rebind(one, name)
    rebind(other, name)
    run(one, other, step, seed=1)
    assert step.plan is not None


@pytest.mark.parametrize("net", ["dropout", "batchnorm"])
def test_training_flags(net):
    one, other, step = pair(net)
    run(one, other, step)
    for _ in range(2):
        for each in (one, other):
            each.net.eval()
        run(one, other, step, seed=1)
        for each in (one, other):
            each.net.train()
        run(one, other, step, seed=2)
    assert sum(map(len, step.plans.values())) == 2


def test_other_layers():
    one, other, step = pair()
    run(one, other, step)
    for each in (one, other):
        each.net.layers[1] = nn.Tanh(each.engine)
    run(one, other, step, seed=1)
    for each in (one, other):
        each.net.layers.insert(1, nn.Sigmoid(each.engine))
    run(one, other, step, seed=2)


def test_other_net_under_the_same_name():
    nets = {}
    one, other = training("relu"), training("tanh")
    net, loss = one.net, one.loss
    parameters = [*one.net.parameters(), *other.net.parameters()]
    for _, module in other.net.modules():
        module.autograd_engine = one.engine
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(parameters, lr=0.0))
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for name, one_net in (("relu", one.net), ("tanh", other.net), ("relu again", one.net)):
        net = one_net
        nets[name] = [step(x, y) for _ in range(3)]
    assert nets["relu"] == nets["relu again"] != nets["tanh"]


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam", "adamw"])
def test_numbers_of_the_optimizer_are_read_at_every_call(optimizer):
    one, other, step = pair(optimizer=optimizer)
    run(one, other, step)
    for attribute, value in (
        ("lr", 0.5),
        ("weight_decay", 0.1),
        ("weight_decay", 0.0),
        ("momentum", 0.0),
        ("eps", 1e-3),
    ):
        for each in (one, other):
            if hasattr(each.optimizer, attribute):
                setattr(each.optimizer, attribute, value)
        run(one, other, step, seed=1)
    schedules = [optim.StepLR(each.optimizer, 1, 0.5) for each in (one, other)]
    for seed in range(3):
        run(one, other, step, steps=1, seed=seed)
        for schedule in schedules:
            schedule.step()
    assert step.plan is not None


def test_settings_of_layers():
    one, other, step = pair("leaky_relu")
    run(one, other, step)
    for each in (one, other):
        layer = each.net[1]
        layer.negative_slope = 0.7
        layer.backward_operation = nn.LeakyReLU(each.engine, 0.7).backward_operation
    run(one, other, step, seed=1)


def test_shapes_and_dtypes_have_plans_of_their_own():
    one, other, step = pair()
    for n in (6, 2, 6, 1, 2):
        run(one, other, step, steps=3, n=n)
    assert len(step.plans) == 3


def test_eager_steps_in_between():
    one, other, step = pair("dropout", optimizer="adamw")
    rng = np.random.default_rng(0)
    for number in range(20):
        x, y = batch(rng, 6, np.float64, "classes")
        (one.eager if number % 3 == 2 else step)(x, y)
        other.eager(x, y)
        assert largest_difference(one, other) <= 1e-12


def test_a_loaded_state():
    one, other, step = pair(optimizer="adam")
    run(one, other, step)
    for each in (one, other):
        each.net.load_state_dict({name: value + 1 for name, value in each.net.state_dict().items()})
        each.optimizer.load_state_dict({**each.optimizer.state_dict(), "steps": 7})
    run(one, other, step, seed=1)


def test_references_to_parameters_stay_right():
    one, other, step = pair()
    held = [parameter.value for parameter in one.net.parameters()]
    run(one, other, step)
    for array, parameter in zip(held, other.net.parameters()):
        np.testing.assert_allclose(array, parameter.value, rtol=1e-12)


def test_the_first_batch_used_twice():
    one, other = training("linear", loss="mse"), training("linear", loss="mse")
    step = one.compiled()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5))[:, :3]
    both = nn.Linear(3, 3, one.engine, rng=0), nn.Linear(3, 3, other.engine, rng=0)
    optimizers = [optim.SGD(layer.parameters(), lr=0.1) for layer in both]
    loss = one.loss
    first = both[0]
    step = mytorch.compile(lambda x, y: loss(y, first(x)), optimizers[0])
    for a, b in ((x, x), (x, x), (x, x), (x, 2 * x), (x + 1, x)):
        value = step(a, b)
        other.engine.zero_grad()
        optimizers[1].zero_grad()
        expected = other.loss(b, both[1](a))
        other.loss.backward()
        optimizers[1].step()
        assert value == pytest.approx(float(expected[0]), rel=1e-12)


# Refusals


class Noise(nn.Module):
    """x + noise that is drawn off the list."""

    def __init__(self, engine, keep):
        super().__init__(engine)
        self.rng, self.keep, self.noise = np.random.default_rng(0), keep, np.zeros((6, 7))

    def forward(self, x):
        if self.keep == "in place":
            self.noise[...] = self.rng.standard_normal(x.shape)
            noise = self.noise
        else:
            noise = self.rng.standard_normal(x.shape)
            if self.keep == "rebound":
                self.noise = noise
        y = x + noise
        self.autograd_engine.add_operation([x, noise], y, [None, None], F.add_backward)
        return y


class Counting(nn.Module):
    """x, and a count of the calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return x


def square_backward(grad_output, a):
    return 2 * a * grad_output


def with_module(make):
    """A pair whose net has one more module after the first layer."""
    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.net.layers.insert(1, make(each.engine))
    return one, other, one.compiled()


REFUSED = {
    "drawn off the list": (lambda e: Noise(e, "local"), "operation 1 (add)"),
    "held, but another array each time": (lambda e: Noise(e, "rebound"), "noise"),
    "changed in place": (lambda e: Noise(e, "in place"), "in place off the list"),
    "a count": (Counting, "calls"),
    "an unknown rule": (
        lambda e: Chain(e, (np.square, square_backward)),
        "operation 1 (square): its forward is not known",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_steps_stay_eager_and_say_why(name):
    make, words = REFUSED[name]
    one, other, step = with_module(make)
    run(one, other, step, steps=5)
    assert words in str(step)
    assert step.plan is None


def test_a_branch_on_data_that_differs_between_two_batches():
    class Branch(nn.Module):
        def forward(self, x):
            u = np.tanh(x) if x[0, 0] > 0 else np.exp(x)
            rule = F.tanh_backward if x[0, 0] > 0 else F.exp_backward
            self.autograd_engine.add_operation([x], u, [None], rule)
            return u

    one = training("relu")
    one.net.layers.insert(0, Branch(one.engine))
    step = one.compiled()
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for number in range(3):
        step(x if number else -x, y)
    assert "differs between two batches" in str(step)


def test_check_every_notices_a_branch_that_flips_late():
    class Branch(nn.Module):
        def forward(self, x):
            function, rule = (np.tanh, F.tanh_backward) if np.abs(x).max() < 50 else (np.exp, F.exp_backward)
            u = function(x / 100)
            v = x / 100
            self.autograd_engine.add_operation([x, 100.0], v, [None, None], F.div_backward)
            self.autograd_engine.add_operation([v], u, [None], rule)
            return u

    one = training("relu")
    one.net.layers.insert(0, Branch(one.engine))
    step = one.compiled(check_every=1)
    rng = np.random.default_rng(0)
    for _ in range(5):
        step(*batch(rng, 6, np.float64, "classes"))
    assert step.plan is not None
    x, y = batch(rng, 6, np.float64, "classes")
    step(100 * x, y)
    assert "differs between two batches" in str(step)


def test_debug_mode_stays_eager():
    engine = Autograd(debug=True)
    net, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), lr=0.1))
    x, y = batch(np.random.default_rng(0), 4, np.float64, "classes")
    values = [step(x, y) for _ in range(4)]
    assert values == sorted(values, reverse=True)
    assert step.plan is None
    assert "debug mode" in str(step)


def test_a_wrong_forward_does_not_prove_itself():
    def cube_backward(grad_output, a):
        return 3 * a**2 * grad_output

    mytorch.graph.register(cube_backward, lambda a: a**3 + 1e-6)
    one, other, step = with_module(lambda e: Chain(e, (lambda a: a**3, cube_backward)))
    run(one, other, step)
    assert "did not prove itself" in str(step)


def test_a_registered_rule_takes_part():
    mytorch.graph.register(square_backward, np.square)
    try:
        one, other, step = with_module(lambda e: Chain(e, (np.square, square_backward)))
        run(one, other, step, steps=6)
        assert step.plan is not None
        assert "call" in str(step.plan)
    finally:
        del mytorch.graph.registry.RULES[square_backward]


def split_backward(grads, a):
    return np.concatenate(grads, axis=1)


class Split(nn.Module):
    """The first three columns times the next three, cut apart by one operation, whose last output leads nowhere."""

    def forward(self, x):
        left, right, last = (part.copy() for part in np.split(x, [3, 6], axis=1))
        self.autograd_engine.add_operation([x], (left, right, last), [None], split_backward)
        y = left * right
        self.autograd_engine.add_operation([left, right], y, [None, None], F.mul_backward)
        return y


SPLITS = {
    "called": lambda a: (a[:, :3], a[:, 3:6], a[:, 6:]),
    "in primitives": mytorch.graph.Rule(
        lambda p, r: tuple(p.slice(r.inputs[0], (slice(None), slice(*ends))) for ends in ((3,), (3, 6), (6, 7))),
        lambda p, r, g: (p.emit("concatenate", list(g), axis=1, shape=r.inputs[0].shape, dtype=r.inputs[0].dtype),),
    ),
}


@pytest.mark.parametrize("kind", SPLITS)
def test_a_rule_of_several_outputs(kind, backend):
    one, other = (
        training(lambda e, rng, dtype: nn.Sequential(nn.Linear(5, 7, e, rng=rng), Split(e))) for _ in range(2)
    )
    step = one.compiled(backend=backend)
    mytorch.graph.register(split_backward, SPLITS[kind])
    try:
        run(one, other, step, steps=6)
    finally:
        del mytorch.graph.registry.RULES[split_backward]
    assert step.plan is not None, step.reason


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda a: (a[:, :3],), "it raised IndexError"),
        (mytorch.graph.Rule(lambda p, r: (r.inputs[0],), SPLITS["in primitives"].backward), "gives 1 outputs, but 3"),
    ],
)
def test_a_rule_with_too_few_outputs(forward, words):
    one, other = (
        training(lambda e, rng, dtype: nn.Sequential(nn.Linear(5, 7, e, rng=rng), Split(e))) for _ in range(2)
    )
    step = one.compiled()
    mytorch.graph.register(split_backward, forward)
    try:
        run(one, other, step)
    finally:
        del mytorch.graph.registry.RULES[split_backward]
    assert words in str(step)


def test_an_argument_that_is_no_array_belongs_to_the_key():
    one = training("relu")
    net, loss, engine = one.net, one.loss, one.engine

    def scaled(x, y, factor):
        u = x * factor
        engine.add_operation([x, factor], u, [None, None], F.mul_backward)
        return loss(y, net(u))

    step = mytorch.compile(scaled, optim.SGD(net.parameters(), lr=0.0))
    x, y = batch(np.random.default_rng(0), 4, np.float64, "classes")
    values = [step(x, y, factor) for factor in (1.0, 2.0, 1.0, 2.0, 1.0, 2.0)]
    assert values[0::2] == [values[0]] * 3
    assert values[1::2] == [values[1]] * 3
    assert values[0] != values[1]


# Exceptions and threads


def test_a_class_out_of_range_changes_nothing(backend):
    one = training("relu", optimizer="adam")
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        step(x, y)
    before = {name: value.copy() for name, value in one.arrays().items() if not name.startswith("gradient")}
    for wrong in (3, -1):
        y[2] = wrong
        with pytest.raises(ValueError, match=str(wrong)):
            step(x, y)
    after = one.arrays()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


def test_an_exception_in_the_update_says_what_has_changed(monkeypatch):
    one = training("relu")
    step = one.compiled(backend="numpy")
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        step(x, y)
    entry = next(entry for entries in step.plans.values() for entry in entries)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(entry.run.__globals__, "subtract", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        step(x, y)
    assert "no parameter has changed" in "".join(getattr(caught.value, "__notes__", ["no parameter has changed"]))
    monkeypatch.undo()
    calls = []
    real = np.subtract

    def late(*arguments):
        calls.append(arguments)
        if arguments[-1].size > 20:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setitem(entry.run.__globals__, "subtract", late)
    with pytest.raises(KeyboardInterrupt) as caught:
        step(x, y)
    assert "changed" in "".join(getattr(caught.value, "__notes__", ["changed"]))


def test_two_threads_take_turns():
    one, other, step = pair()
    rng = np.random.default_rng(0)
    x, y = batch(rng, 6, np.float64, "classes")
    for _ in range(3):
        step(x, y)
    errors = []

    def work():
        try:
            for _ in range(200):
                step(x, y)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(403):
        other.eager(x, y)
    assert not errors
    assert largest_difference(one, other) <= 1e-11


# The same bits


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_resumed_equals_uninterrupted_bit_for_bit(optimizer, backend):
    def batches(first, last):
        for number in range(first, last):
            yield batch(np.random.default_rng(number), 5, np.float32, "classes")

    whole = training("batchnorm", optimizer=optimizer, dtype=np.float32)
    step = whole.compiled(backend=backend)
    for x, y in batches(0, 12):
        step(x, y)
    begun, resumed = (training("batchnorm", optimizer=optimizer, dtype=np.float32) for _ in range(2))
    step = begun.compiled(backend=backend)
    for x, y in batches(0, 7):
        step(x, y)
    resumed.net.load_state_dict(begun.net.state_dict())
    resumed.optimizer.load_state_dict(begun.optimizer.state_dict())
    step = resumed.compiled(backend=backend)
    for x, y in batches(7, 12):
        step(x, y)
    found, expected = resumed.arrays(), whole.arrays()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


# Inference


def test_inference_evaluates_and_leaves_everything_as_it_was(backend):
    one = training("dropout")
    net, engine = one.net, one.engine
    predict = mytorch.compile(lambda x: net(x), backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, _ = batch(rng, 6, np.float64, "classes")
        h = x @ x.T
        engine.add_operation([x, x.T], h, [None, None], F.matmul_backward)
        listed = list(engine.operation_list)
        found = predict(x)
        assert engine.operation_list == listed
        engine.zero_grad()
        assert all(module.training for _, module in net.modules())
        net.eval()
        with engine.paused():
            np.testing.assert_allclose(found, net(x), rtol=1e-12)
        net.train()
    assert predict.plan is not None
    first = predict(x)
    kept = first.copy()
    predict(2 * x)
    np.testing.assert_array_equal(first, kept)


def test_more_outputs_than_the_loss():
    one, other = training("relu"), training("relu")
    net, loss = one.net, one.loss

    def both(x, y):
        scores = net(x)
        return loss(y, scores), scores

    step = mytorch.compile(both, one.optimizer)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        value, scores = step(x, y)
        with other.engine.paused():
            np.testing.assert_allclose(scores, other.net(x), rtol=1e-12)
        assert value == pytest.approx(other.eager(x, y), rel=1e-12)


def test_results_kept_by_layers_are_right_or_gone():
    one = training("relu")
    step = one.compiled()
    rng = np.random.default_rng(0)
    for _ in range(4):
        value = step(*batch(rng, 6, np.float64, "classes"))
        assert one.loss.loss_val[0] == value
        assert one.net[1].state is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((3, None), TypeError),
        ((lambda x: x, "sgd"), TypeError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        mytorch.compile(*arguments)


@pytest.mark.parametrize(
    "options", [{"passes": ["magic"]}, {"backend": "gpu"}, {"check_every": -1}, {"clip_grad_norm": 0}]
)
def test_wrong_options(options):
    one = training("relu")
    with pytest.raises(ValueError):
        mytorch.compile(lambda x: x, one.optimizer, **options)


def test_a_function_that_returns_no_loss():
    one = training("relu")
    net = one.net
    step = mytorch.compile(lambda x, y: net(x), one.optimizer)
    with pytest.raises(TypeError, match=r"shape \(6, 3\)"):
        step(*batch(np.random.default_rng(0), 6, np.float64, "classes"))


def test_a_loss_that_was_changed_off_the_list():
    one = training("relu")
    net, loss = one.net, one.loss
    step = mytorch.compile(lambda x, y: 0.5 * loss(y, net(x)), one.optimizer)
    with pytest.raises(ValueError, match="no recorded operation"):
        step(*batch(np.random.default_rng(0), 6, np.float64, "classes"))


def test_an_argument_that_a_module_holds_too():
    one, other = training("scaled"), training("scaled")
    scales = [each.net[1] for each in (one, other)]
    net, loss, engine = one.net, one.loss, one.engine

    def shifted(x, y, shift):
        u = x + shift
        engine.add_operation([x, shift], u, [None, None], F.add_backward)
        return loss(y, net(u))

    step = mytorch.compile(shifted, optim.SGD(net.parameters(), lr=0.0))
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    wide = np.linspace(0.5, 2, 7)
    del wide
    bias = scales[0].scale[:1].copy()
    scales[0].shift = bias
    values = [step(x, y, bias) for _ in range(3)]
    other_value = step(x, y, bias + 1.0)
    assert len(set(values)) == 1
    expected = [float(shifted(x, y, b)[0]) for b in (bias, bias + 1.0)]
    assert [values[0], other_value] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "kind", ["uint8 classes", "int32 classes", "integer one-hot", "integer data", "no rows", "one column"]
)
def test_unusual_arguments(kind, backend):
    one, other = training("relu"), training("relu")
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = batch(rng, 6, np.float64, "classes")
        if kind == "uint8 classes":
            y = y.astype(np.uint8)
        elif kind == "int32 classes":
            y = y.astype(np.int32)
        elif kind == "integer one-hot":
            y = np.eye(3, dtype=np.int64)[y]
        elif kind == "integer data":
            x = rng.integers(-3, 3, (6, 5))
        elif kind == "no rows":
            x, y = x[:0], y[:0]
        elif kind == "one column":
            x, y = x[:1], y[:1]
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-12)
    assert largest_difference(one, other) <= 1e-12


def test_nan_and_infinity_stay_what_they_are(backend):
    one, other = training("relu"), training("relu")
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for number in range(5):
            x, y = batch(rng, 6, np.float64, "classes")
            if number == 4:
                x[2, 1] = np.nan
            value, expected = step(x, y), other.eager(x, y)
            assert value == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert np.isnan(value)


@pytest.mark.parametrize("n", [6, 300])
def test_no_gradient_goes_through_a_relu_where_it_is_nan(n, backend):
    def first_rows(e, rng, dtype):
        rule = partial(F.getitem_backward, index=slice(0, 2))
        linear = nn.Linear(5, 3, e, rng=rng)
        linear.b += 10
        log, first = Chain(e, (np.log, F.log_backward)), Chain(e, (lambda a: a[:2], rule))
        return nn.Sequential(linear, log, nn.ReLU(e), first)

    one, other = training(first_rows), training(first_rows)
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(5):
            x, y = rng.standard_normal((n, 5)), rng.integers(0, 3, 2)
            # The logarithm of a negative number, in a row that the loss does not see.
            x[-1] = -100 * np.sign(one.net[0].W[0])
            assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-12)
            assert np.isnan(other.net[2].state[-1]).any()
    assert step.plan is not None
    assert np.isfinite(one.net[0].dW).all()
    assert largest_difference(one, other) <= 1e-12


def test_an_optimizer_of_another_class_takes_its_own_step():
    class Signed(optim.Optimizer):
        def _update(self, constants, *arrays):
            value, gradient, _ = arrays
            value -= self.lr * np.sign(gradient)

    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.optimizer = Signed(each.net.parameters(), 0.01)
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    assert any(i.op == "optimizer" for i in step.plan.instructions)


def test_frozen_layers_keep_collecting_gradients():
    one, other = training("relu"), training("relu")
    for each in (one, other):
        each.optimizer = optim.SGD(each.net[2].parameters(), lr=0.1, momentum=0.9)
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    np.testing.assert_allclose(one.net[0].dW, other.net[0].dW, rtol=1e-11)
    assert np.abs(one.net[0].dW).max() > 0


def test_parameters_that_get_no_gradient():
    one, other = training("relu"), training("relu")
    for each in (one, other):
        unused = nn.Linear(2, 2, each.engine, rng=3)
        unused.momentum_W += 1
        unused.dW += 5
        parameters = [*each.net.parameters(), *unused.parameters()]
        each.optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1)
        each.unused = unused
    step = one.compiled()
    run(one, other, step, steps=6)
    assert step.plan is not None
    np.testing.assert_allclose(one.unused.W, other.unused.W, rtol=1e-13)
    assert not one.unused.dW.any()
