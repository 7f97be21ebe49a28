"""A compiled step notices changes in objects of every kind that its function reads: by whatever way the value is found."""

from __future__ import annotations

import argparse
import collections
import functools
import random
import sys
import types
import weakref

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from tests.graph.scenes import Scene, batches, compare, linear, net_of, scaled, scene_with_factor, scenes

SCENES, scene = scenes()


class Box:
    """An object with one number."""

    def __init__(self, factor=1.0):
        self.factor = factor


# Objects


@scene
def a_slot():
    class Slotted:
        __slots__ = ("factor",)

    config = Slotted()
    config.factor = 1.0
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "factor", 3.0))


@scene
def an_object_of_the_standard_library():
    config = argparse.Namespace(factor=1.0)
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "factor", 3.0))


@scene
def a_name_in_a_getattr():
    config = types.SimpleNamespace(factor=1.0)
    return scene_with_factor(lambda: getattr(config, "factor"), lambda: setattr(config, "factor", 3.0))  # noqa: B009


@scene
def an_index_of_an_object():
    class Config(Box):
        def __getitem__(self, name):
            return self.factor

    config = Config()
    return scene_with_factor(lambda: config["factor"], lambda: setattr(config, "factor", 3.0))


@scene
def an_attribute_made_up_on_demand():
    class Config:
        def __init__(self):
            self.values = {"factor": 1.0}

        def __getattr__(self, name):
            return vars(self)["values"][name]

    config = Config()
    return scene_with_factor(lambda: config.factor, lambda: config.values.update(factor=3.0))


@scene
def an_object_that_converts_to_a_number():
    class Config(Box):
        def __float__(self):
            return self.factor

    config = Config()
    return scene_with_factor(lambda: float(config), lambda: setattr(config, "factor", 3.0))


@scene
def a_descriptor_that_refuses_its_class():
    class Field:
        def __get__(self, owner, kind):
            if owner is None:
                raise AttributeError("ask an object")
            return owner.value

    class Config:
        factor = Field()
        value = 1.0

    config = Config()
    return scene_with_factor(lambda: config.factor, lambda: setattr(config, "value", 3.0))


@scene
def a_method_of_a_base_class():
    class Base:
        def read(self):
            return 1.0

    class Config(Base):
        def read(self):
            return super().read()

    config = Config()
    return scene_with_factor(lambda: config.read(), lambda: setattr(Base, "read", lambda self: 3.0))


@scene
def an_attribute_of_the_subclass_later():
    class Base:
        factor = 1.0

    class Config(Base):
        pass

    return scene_with_factor(lambda: Config.factor, lambda: setattr(Config, "factor", 3.0))


@scene
def a_partial_method():
    class Config(Box):
        def times(self, other):
            return self.factor * other

        once = functools.partialmethod(times, 1.0)

    config = Config()
    return scene_with_factor(lambda: config.once(), lambda: setattr(config, "factor", 3.0))


@scene
def an_object_behind_a_weak_reference():
    config = Box()
    find = weakref.ref(config)
    return scene_with_factor(lambda: find().factor, lambda: setattr(config, "factor", 3.0))


@scene
def a_number_of_the_optimizer():
    engine = Autograd()
    net, loss = net_of(engine, nn.Tanh(engine)), nn.SoftmaxCrossEntropy(engine)
    optimizer = optim.SGD(net.parameters(), 0.1)
    return Scene(
        engine,
        lambda x, y: loss(y, net(scaled(engine, x, optimizer.lr))),
        optimizer,
        lambda: setattr(optimizer, "lr", 0.2),
    )


# Containers


@scene
def a_set():
    modes = set()
    return scene_with_factor(lambda: 3.0 if "strong" in modes else 1.0, lambda: modes.add("strong"))


@scene
def a_deque():
    factors = collections.deque([1.0])
    return scene_with_factor(lambda: factors[0], lambda: factors.__setitem__(0, 3.0))


@scene
def a_read_only_view_of_a_dict():
    config = {"factor": 1.0}
    shown = types.MappingProxyType(config)
    return scene_with_factor(lambda: shown["factor"], lambda: config.update(factor=3.0))


@scene
def a_user_dict():
    config = collections.UserDict(factor=1.0)
    return scene_with_factor(lambda: config["factor"], lambda: config.update(factor=3.0))


@scene
def an_attribute_of_a_list():
    class Factors(list):
        pass

    factors = Factors()
    factors.first = 1.0
    return scene_with_factor(lambda: factors.first, lambda: setattr(factors, "first", 3.0))


# Functions


@scene
def an_attribute_of_a_function():
    def read():
        return read.factor

    read.factor = 1.0
    return scene_with_factor(read, lambda: setattr(read, "factor", 3.0))


@scene
def the_code_of_a_function():
    def read():
        return 1.0

    def other():
        return 3.0

    return scene_with_factor(read, lambda: setattr(read, "__code__", other.__code__))


@scene
def a_function_behind_a_cache():
    config = Box()

    @functools.cache
    def read():
        return config.factor

    def change():
        config.factor = 3.0
        read.cache_clear()

    return scene_with_factor(read, change)


# What gives something else each time


@scene
def an_iterator():
    factors = iter([1.0] * 4 + [3.0] * 20)
    return scene_with_factor(lambda: next(factors), lambda: None)


@scene
def a_generator_of_Python():
    rng = random.Random(5)
    return scene_with_factor(lambda: 1.0 if rng.random() < 0.8 else 3.0, lambda: None)


@scene
def a_generator_of_the_older_kind():
    rng = np.random.RandomState(0)
    return scene_with_factor(lambda: 1.0 if rng.random_sample() < 0.8 else 3.0, lambda: None)


@scene
def a_generator_in_a_list():
    generators = [np.random.default_rng(5)]
    return scene_with_factor(lambda: 1.0 if generators[0].random() < 0.8 else 3.0, lambda: None)


@scene
def a_method_of_a_generator():
    draw = np.random.default_rng(5).random
    return scene_with_factor(lambda: 1.0 if draw() < 0.8 else 3.0, lambda: None)


@pytest.mark.parametrize("name", SCENES)
def test_scene(name):
    compare(SCENES[name], backend="numpy")


def test_a_global_class_replaced():
    program = (
        "class Config:\n factor = 1.0\nclass Strong:\n factor = 3.0\n"
        "def read():\n return Config.factor\ndef change():\n global Config\n Config = Strong\n"
    )

    def make():
        module = types.ModuleType("a_program")
        exec(program, vars(module))
        return scene_with_factor(module.read, module.change)

    compare(make, backend="numpy")


def test_a_method_from_an_installed_package(tmp_path, monkeypatch):
    """The package of the compiled function itself is followed wherever it lies."""
    folder = tmp_path / "site-packages" / "package_of_a_trainer"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "class Trainer:\n"
        "    factor = 1.0\n"
        "    def loss_of(self, x, y):\n"
        "        return self.loss(y, self.net(self.scaled(self.engine, x, self.factor)))\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))

    def make():
        from package_of_a_trainer import Trainer

        trainer = Trainer()
        trainer.engine, trainer.scaled = Autograd(), scaled
        trainer.net, trainer.loss = linear(trainer.engine), nn.SoftmaxCrossEntropy(trainer.engine)
        optimizer = optim.SGD(trainer.net.parameters(), 0.1)
        return Scene(trainer.engine, trainer.loss_of, optimizer, lambda: setattr(trainer, "factor", 3.0))

    try:
        compare(make, backend="numpy")
    finally:
        sys.modules.pop("package_of_a_trainer", None)


def test_arrays_in_a_tuple_are_constants_of_the_plan():
    factors = (np.full(5, 0.5), np.ones(5))
    step = compare(lambda: scene_with_factor(lambda: factors[0], lambda: factors[0].fill(0.7)), backend="numpy")
    assert step.plan is not None, step.reason


def test_a_variable_that_is_called_training():
    """In inference the layers' own mode counts as evaluation; any other variable of that name counts as it is."""
    engine = Autograd()
    net, config = net_of(engine, nn.Tanh(engine)), types.SimpleNamespace(training=True)
    predict = mytorch.compile(lambda x: net(x) if config.training else net[0](x))
    for number, (x, _) in enumerate(batches(6)):
        config.training = number < 3
        assert predict(x).shape == (6, 3 if config.training else 4)


def test_a_compiled_step_inside_another():
    engine, config = Autograd(), Box()
    net = net_of(engine, nn.Tanh(engine))
    inner = mytorch.compile(lambda x: net(scaled(engine, x, config.factor)))
    outer = mytorch.compile(lambda x: scaled(engine, inner(x), 2.0))
    for number, (x, _) in enumerate(batches(6)):
        config.factor = 1.0 if number < 3 else 3.0
        with engine.paused():
            expected = 2 * net(config.factor * x)
        np.testing.assert_allclose(outer(x), expected, rtol=1e-12)
    assert outer.plan is not None
