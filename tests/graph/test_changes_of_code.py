"""A compiled step notices when what its function and layers read, or their methods, are changed."""

from __future__ import annotations

import types
from functools import partial

import pytest

from mytorch import Autograd, nn, optim
from tests.graph.scenes import (
    IN,
    OUT,
    Scale,
    Scene,
    compare,
    linear,
    net_of,
    scaled,
    scene_with_factor,
    scene_with_layer,
    scenes,
)

SCENES, scene = scenes()


# Numbers and objects that the function reads


@scene
def a_number_in_a_dict():
    config = {"factor": 1.0}
    return scene_with_factor(lambda: config["factor"], lambda: config.update(factor=3.0))


@scene
def a_number_in_a_list():
    config = [1.0]
    return scene_with_factor(lambda: config[0], lambda: config.__setitem__(0, 3.0))


@scene
def a_number_in_a_nested_dict():
    config = {"data": {"factor": 1.0}}
    return scene_with_factor(lambda: config["data"]["factor"], lambda: config["data"].update(factor=3.0))


@scene
def a_number_of_an_object():
    config = types.SimpleNamespace(factor=1.0)
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "factor", 3.0))


@scene
def a_number_of_a_module_of_Python():
    config = types.ModuleType("config")
    config.factor = 1.0
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "factor", 3.0))


@scene
def a_number_of_a_class():
    class Config:
        factor = 1.0

    return scene_with_factor(lambda: Config.factor, lambda: setattr(Config, "factor", 3.0))


@scene
def a_number_of_an_object_whose_class_holds_it():
    class Config:
        factor = 1.0

    config = Config()
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "factor", 3.0))


@scene
def a_default_of_the_function():
    def read(factor=1.0):
        return factor

    return scene_with_factor(read, lambda: setattr(read, "__defaults__", (3.0,)))


@scene
def a_number_that_a_method_keeps():
    class Schedule:
        def __init__(self):
            self.now = 1.0

        def read(self):
            return self.now

    schedule = Schedule()
    return scene_with_factor(lambda: schedule.read(), lambda: setattr(schedule, "now", 3.0))


@scene
def a_number_of_another_module_that_records_nothing():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = 1.0

        def forward(self):
            return self.factor

    gate = Gate()
    return scene_with_factor(lambda: gate(), lambda: setattr(gate, "factor", 3.0))


@scene
def a_class_attribute_overridden_by_the_layer():
    return scene_with_layer(Scale, lambda layer: setattr(layer, "factor", 3.0))


@scene
def a_class_attribute_changed():
    class Own(Scale):
        factor = 1.0

    return scene_with_layer(Own, lambda layer: setattr(type(layer), "factor", 3.0))


@scene
def a_number_named_like_a_result():
    class Own(Scale):
        def read(self):
            return self.state

    return scene_with_layer(lambda e: Own(e, state=1.0), lambda layer: setattr(layer, "state", 3.0))


@scene
def a_number_in_a_dict_of_a_layer():
    class Own(Scale):
        def read(self):
            return self.config["factor"]

    return scene_with_layer(lambda e: Own(e, config={"factor": 1.0}), lambda layer: layer.config.update(factor=3.0))


@scene
def a_number_in_a_list_of_a_layer():
    class Own(Scale):
        def read(self):
            return self.factors[0]

    return scene_with_layer(lambda e: Own(e, factors=[1.0]), lambda layer: layer.factors.__setitem__(0, 3.0))


@scene
def a_number_of_an_object_of_a_layer():
    class Own(Scale):
        def read(self):
            return self.config.factor

    config = types.SimpleNamespace(factor=1.0)
    return scene_with_layer(lambda e: Own(e, config=config), lambda layer: setattr(layer.config, "factor", 3.0))


@scene
def a_number_in_a_nested_list_of_a_layer():
    class Own(Scale):
        def read(self):
            return self.factors[0][0]

    return scene_with_layer(lambda e: Own(e, factors=[[1.0]]), lambda layer: layer.factors[0].__setitem__(0, 3.0))


# Methods and layers that are replaced


@scene
def the_forward_of_one_layer():
    def change(layer):
        layer.forward = lambda x: scaled(layer.autograd_engine, x, 2.0)

    return scene_with_layer(nn.Tanh, change)


@scene
def the_class_of_one_layer():
    return scene_with_layer(nn.Tanh, lambda layer: setattr(layer, "__class__", nn.Sigmoid))


@scene
def the_forward_of_a_class():
    class Own(Scale):
        pass

    def other(self, x):
        return scaled(self.autograd_engine, x, 3.0)

    return scene_with_layer(Own, lambda layer: setattr(type(layer), "forward", other))


@scene
def a_layer_of_an_object():
    engine = Autograd()
    model = types.SimpleNamespace(net=net_of(engine, nn.Tanh(engine)), other=net_of(engine, nn.Sigmoid(engine)))
    loss = nn.SoftmaxCrossEntropy(engine)
    parameters = [*model.net.parameters(), *model.other.parameters()]
    return Scene(
        engine,
        lambda x, y: loss(y, model.net(x)),
        optim.SGD(parameters, 0.1),
        lambda: setattr(model, "net", model.other),
    )


@scene
def a_layer_in_a_dict():
    engine = Autograd()
    nets = {"used": net_of(engine, nn.Tanh(engine)), "other": net_of(engine, nn.Sigmoid(engine))}
    loss = nn.SoftmaxCrossEntropy(engine)
    parameters = [p for net in nets.values() for p in net.parameters()]
    return Scene(
        engine,
        lambda x, y: loss(y, nets["used"](x)),
        optim.SGD(parameters, 0.1),
        lambda: nets.update(used=nets["other"]),
    )


@scene
def a_layer_in_a_nested_list():
    engine = Autograd()
    nets = [[net_of(engine, nn.Tanh(engine))], [net_of(engine, nn.Sigmoid(engine))]]
    loss = nn.SoftmaxCrossEntropy(engine)
    parameters = [p for (net,) in nets for p in net.parameters()]
    return Scene(engine, lambda x, y: loss(y, nets[0][0](x)), optim.SGD(parameters, 0.1), lambda: nets.reverse())


@scene
def a_layer_of_a_partial():
    engine = Autograd()
    net, loss = (
        net_of(engine, nn.BatchNorm1d(4, engine), nn.Dropout(engine, 0.3, rng=0)),
        nn.SoftmaxCrossEntropy(engine),
    )

    def function(net, x, y):
        return loss(y, net(x))

    return Scene(engine, partial(function, net), optim.SGD(net.parameters(), 0.1), net.eval)


@scene
def layers_replaced_by_another_list():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def change():
        net.layers = [net.layers[0], nn.ReLU(engine), net.layers[2]]

    return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), change)


@scene
def a_branch_on_the_mode_of_the_net():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)

    def function(x, y):
        return loss(y, net(scaled(engine, x, 0.5) if net.training else x))

    return Scene(engine, function, optim.SGD(net.parameters(), 0.1), net.eval)


@scene
def a_branch_on_a_flag_of_a_layer_that_records_nothing():
    class Switch(nn.Module):
        on = True

        def __init__(self, engine):
            super().__init__(engine)
            self.on = True

        def forward(self, x):
            return x

    class Net(nn.Module):
        def __init__(self, engine):
            super().__init__(engine)
            self.first, self.switch, self.tanh = linear(engine, IN, 4), Switch(engine), nn.Tanh(engine)

        def forward(self, x):
            h = self.first(x)
            return self.tanh(h) if self.switch.on else h

    engine = Autograd()
    net, last, loss = Net(engine), linear(engine, 4, OUT), nn.SoftmaxCrossEntropy(engine)
    parameters = [*net.parameters(), *last.parameters()]
    return Scene(
        engine,
        lambda x, y: loss(y, last(net(x))),
        optim.SGD(parameters, 0.1),
        lambda: setattr(net.switch, "on", False),
    )


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.slow
def test_scene(name, backend):
    compare(SCENES[name], backend=backend)
