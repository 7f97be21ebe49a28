"""The proof of a plan: an entry that the plan leaves otherwise than the eager step is noticed, wherever it lies."""

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.graph import proof, trial

N = 184
OPTIMIZERS = {
    "momentum": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
}


def made(optimizer):
    """A function, its optimiser, and by name the arrays that a step leaves. The weights are compared in two pieces."""
    engine = Autograd()
    net = nn.Sequential(nn.Linear(N, N, engine, rng=0), nn.Tanh(engine), nn.Linear(N, 3, engine, rng=1))
    loss, optimizer = nn.SoftmaxCrossEntropy(engine), OPTIMIZERS[optimizer](net.parameters())
    first = net.parameters()[0]
    arrays = {"W": first.value, "dW": first.gradient, "b": net[2].b, "state": optimizer._state_of(0)[-1]}
    return lambda x, y: loss(y, net(x)), optimizer, arrays


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("name", ["W", "dW", "b", "state", "output"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_wrong_entry_is_noticed_and_undone(optimizer, name, place, monkeypatch):
    assert N * N > proof.PIECE
    function, own, arrays = made(optimizer)
    build = trial.backends.build

    def spoiled(*given):
        plan, run, writes_of = build(*given)

        def wrong(*arguments):
            outputs = run(*arguments)
            array = arrays.get(name, outputs[0]).reshape(-1)
            array[place] += 1e-6 * np.abs(array).max()
            return outputs

        return plan, wrong, writes_of

    monkeypatch.setattr(trial.backends, "build", spoiled)
    step = mytorch.compile(function, own, backend="numpy")
    other_function, other, expected = made(optimizer)
    eager = trial.Work(other_function, other)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, N)), rng.integers(0, 3, 4)
    assert step(x, y) == eager.step((x, y))
    assert "did not prove itself" in step.reason
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_right_plan_is_kept(optimizer, backend):
    function, own, _ = made(optimizer)
    step = mytorch.compile(function, own, backend=backend)
    rng = np.random.default_rng(0)
    for _ in range(2):
        step(rng.standard_normal((4, N)), rng.integers(0, 3, 4))
        assert step.plan is not None, step.reason
