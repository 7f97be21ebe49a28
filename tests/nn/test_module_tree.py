"""Module, Parameter and Sequential: order, names, states, gradients that keep their place."""

import itertools

import numpy as np
import pytest

from mytorch import Autograd, nn
from mytorch.nn import BatchNorm1d, Dropout, Embedding, Linear, Module, ReLU, Sequential
from mytorch.optim import SGD, Adam


@pytest.fixture
def net(engine):
    """Linear, BatchNorm1d, ReLU, Linear."""
    return Sequential(Linear(3, 4, engine, rng=0), BatchNorm1d(4, engine), ReLU(engine), Linear(4, 2, engine, rng=1))


class Tree(Module):
    """Modules as attributes, in a list, twice, and nested."""

    def __init__(self, engine):
        super().__init__(engine)
        self.first = Linear(2, 2, engine, rng=0)
        self.several = [Linear(2, 2, engine, rng=1), "no module", Sequential(Linear(2, 2, engine, rng=2))]
        self.again = self.first


def test_parameters_come_in_the_order_of_the_layers(net):
    expected = [(net[0], "W"), (net[0], "b"), (net[1], "gamma"), (net[1], "beta"), (net[3], "W"), (net[3], "b")]
    assert [(p.owner, p.name) for p in net.parameters()] == expected
    for parameter in net.parameters():
        assert parameter.value is getattr(parameter.owner, parameter.name)
        assert parameter.gradient is getattr(parameter.owner, f"d{parameter.name}")
    assert net.parameters()[0].momentum is net[0].momentum_W
    assert net.parameters()[2].momentum is None
    assert repr(net.parameters()[0]) == "Parameter(Linear.W, shape (4, 3))"


def test_nested_modules_are_found_once_each(engine):
    tree = Tree(engine)
    assert [name for name, _ in tree.modules()] == ["", "first", "several.0", "several.2", "several.2.layers.0"]
    assert len(tree.parameters()) == 6
    assert list(tree.state_dict()) == [
        *("first.W", "first.b", "several.0.W", "several.0.b", "several.2.layers.0.W", "several.2.layers.0.b")
    ]


def test_zero_grad_never_rebinds(net, engine):
    held = [parameter.gradient for parameter in net.parameters()]
    engine.backward(net(np.random.default_rng(0).standard_normal((5, 3))))
    assert any(gradient.any() for gradient in held)
    net.zero_grad()
    for before, parameter in zip(held, net.parameters()):
        assert parameter.gradient is before
        assert not before.any()
    net[0].dW += 1
    net[0].zero_grad()
    assert not net[0].dW.any()


def test_train_and_eval_reach_every_module(net):
    net.eval()
    assert not any(module.training for _, module in net.modules())
    net.train()
    assert all(module.training for _, module in net.modules())


def test_a_state_comes_back_as_it_was(net, engine, rng):
    net(rng.standard_normal((5, 3)))
    state = net.state_dict()
    assert set(state) == {
        *(
            "layers.0.W",
            "layers.0.b",
            "layers.1.gamma",
            "layers.1.beta",
            "layers.1.running_mean",
            "layers.1.running_var",
        ),
        *("layers.3.W", "layers.3.b"),
    }
    held = [parameter.value for parameter in net.parameters()]
    before = {name: array.copy() for name, array in state.items()}
    for parameter in net.parameters():
        parameter.value.fill(7)
    net[1].running_mean += 3
    net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
        assert array is not state[name]
    for array, parameter in zip(held, net.parameters()):
        assert parameter.value is array, "in place"


@pytest.mark.parametrize("spoil", ["missing", "extra", "shape"])
def test_a_state_of_another_network_changes_nothing(net, spoil):
    state = {name: array + 1 for name, array in net.state_dict().items()}
    if spoil == "missing":
        del state["layers.3.b"]
    elif spoil == "extra":
        state["layers.9.W"] = np.ones(1)
    else:
        state["layers.3.b"] = np.ones((1, 2))
    before = net.state_dict()
    with pytest.raises(ValueError, match=r"another network.*layers\.[39]"):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.5), lambda p: Adam(p, 0.1)])
def test_arrays_bound_anew_are_trained(make, engine):
    layer = Linear(3, 2, engine, rng=0)
    optimizer = make(layer.parameters())
    layer.dW += 1
    optimizer.step()
    layer.W, layer.dW = np.zeros((2, 3)), np.zeros((2, 3))
    layer(np.ones((1, 3)))
    engine.backward(1.0)
    np.testing.assert_array_equal(layer.dW, np.ones((2, 3)))
    optimizer.step()
    assert (layer.W < 0).all()


def test_a_gradient_bound_anew_is_used(engine):
    layer = Linear(3, 2, engine, rng=0)
    optimizer = SGD(layer.parameters(), 0.5)
    optimizer.step()
    layer.dW, before = np.ones((2, 3)), layer.W.copy()
    optimizer.step()
    np.testing.assert_array_equal(layer.W, before - 0.5)


def test_momentum_bound_anew_is_used(engine):
    layer = Linear(3, 2, engine, rng=0)
    optimizer = SGD(layer.parameters(), 0.5, momentum=0.9)
    layer.dW += 1
    optimizer.step()
    np.testing.assert_array_equal(layer.momentum_W, np.ones((2, 3)))
    layer.momentum_W, before = np.full((2, 3), 10.0), layer.W.copy()
    optimizer.step()
    np.testing.assert_allclose(layer.W, before - 0.5 * 10, rtol=1e-14)


def test_sequential_hands_on_the_very_arrays(net, engine, rng):
    x = rng.standard_normal((5, 3))
    y = net(x)
    operations = engine.operation_list
    assert operations[0].inputs[0] is x
    for before, after in itertools.pairwise(operations):
        assert after.inputs[0] is before.output
    assert operations[-1].output is y
    assert len(net) == 4
    assert repr(net).startswith("Sequential(Linear(3, 4), ")
    assert Sequential()(x) is x


@pytest.mark.parametrize("make", [lambda e: Dropout(e), lambda e: Embedding(3, 2, e), lambda e: Linear(3, 2, e)])
def test_a_module_alone_has_a_state(make, engine):
    module = make(engine)
    assert set(module.state_dict()) == set(module.parameter_names)


def test_a_module_without_forward_says_so(engine):
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        Module(engine)(np.ones(1))


def test_one_engine_for_all_layers(engine):
    with pytest.raises(ValueError, match="another engine"):
        nn.Sequential(nn.Linear(3, 2, engine), nn.ReLU(Autograd()))
    with pytest.raises(TypeError, match="ReLU"):
        nn.Sequential(nn.Linear(3, 2, engine), nn.ReLU)


def test_layers_in_dicts_and_nested_lists_are_found(engine):
    net = Module(engine)
    net.branches = {"left": Linear(2, 3, engine), "right": [Linear(2, 3, engine), (ReLU(engine), Dropout(engine, 0.5))]}
    assert list(net.state_dict()) == ["branches.left.W", "branches.left.b", "branches.right.0.W", "branches.right.0.b"]
    net.eval()
    assert not net.branches["right"][1][1].training


@pytest.mark.parametrize(
    "make",
    [
        lambda e: Dropout(0.5, e), lambda e: Linear(e, 4, 5), lambda e: Linear(4, e, 5), lambda e: Embedding(e, 3, 4),
        lambda e: BatchNorm1d(e, 4),
    ],
)  # fmt: skip
def test_arguments_in_another_order_get_a_sentence(make, engine):
    with pytest.raises(TypeError, match=r"where it expects the engine\. Mind the order"):
        make(engine)
