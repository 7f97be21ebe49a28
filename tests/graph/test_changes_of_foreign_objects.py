"""A compiled step notices what changes behind objects that are not written in the program: getters, context variables, buffers.

What changes where no guard can look keeps the step eager, with a reason that names it.
"""

from __future__ import annotations

import collections
import contextvars
import ctypes
import functools
import multiprocessing
import operator
import queue
import re
import threading
import types

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, optim
from tests.graph.scenes import Scene, compare, linear, net_of, scaled, scene_with_factor, scenes

SCENES, scene = scenes()


class Box:
    """An object with one number."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def read(self, other=None):
        return (other or self).factor

    @functools.singledispatchmethod
    def of(self, kind):
        return 0.0

    @of.register
    def _(self, kind: int):
        return self.factor


def box_scene(reader):
    """A scene whose factor ``reader(box)()`` finds in a box."""

    def make():
        box = Box()
        return scene_with_factor(reader(box), lambda: setattr(box, "factor", 3.0))

    return make


def of_box(getter):
    return lambda box: lambda: getter(box)


SCENES.update({
    "an attrgetter": box_scene(of_box(operator.attrgetter("factor"))),
    "an attrgetter of two names": box_scene(
        lambda box: functools.partial(operator.attrgetter("inner.factor"), types.SimpleNamespace(inner=box))
    ),
    "an attrgetter made in the step": box_scene(lambda box: lambda: operator.attrgetter("factor")(box)),
    "a methodcaller": box_scene(of_box(operator.methodcaller("read"))),
    "an object given to a methodcaller": box_scene(
        lambda box: functools.partial(operator.methodcaller("read", box), Box())
    ),
    "a keyword given to a methodcaller": box_scene(
        lambda box: functools.partial(operator.methodcaller("read", other=box), Box())
    ),
    "an itemgetter in a partial of a partial": box_scene(
        lambda box: functools.partial(functools.partial(lambda get, a: get(a).factor, operator.itemgetter(0)), [box])
    ),
    "a method for each kind": box_scene(lambda box: lambda: box.of(1)),
    "a name in a variable": box_scene(lambda box: functools.partial(getattr, box, "factor")),
    "a name in a list": box_scene(lambda box: lambda names=("factor",): getattr(box, names[0])),
    "a name that is put together": box_scene(lambda box: lambda end="tor": getattr(box, f"fac{end}")),
    "all attributes": box_scene(lambda box: lambda: next(iter(vars(box).values()))),
})  # fmt: skip


@scene
def a_context_variable():
    variable = contextvars.ContextVar("factor", default=1.0)
    return scene_with_factor(variable.get, lambda: variable.set(3.0))


@scene
def an_object_in_a_context_variable():
    variable, box = contextvars.ContextVar("box"), Box()
    variable.set(box)
    return scene_with_factor(lambda: variable.get().factor, lambda: setattr(box, "factor", 3.0))


@scene
def the_default_of_a_context_variable():
    box = Box()
    variable = contextvars.ContextVar("box", default=box)
    return scene_with_factor(lambda: variable.get().factor, lambda: setattr(box, "factor", 3.0))


@scene
def a_net_in_a_context_variable():
    engine, variable = Autograd(), contextvars.ContextVar("net")
    net, other, loss = linear(engine), linear(engine, seed=5), nn.SoftmaxCrossEntropy(engine)
    variable.set(net)
    optimizer = optim.SGD([*net.parameters(), *other.parameters()], 0.1)
    return Scene(engine, lambda x, y: loss(y, variable.get()(x)), optimizer, lambda: variable.set(other))


@scene
def a_keyword_of_a_partial():
    read = functools.partial(lambda factor: factor, factor=1.0)
    return scene_with_factor(read, lambda: read.keywords.update(factor=3.0))


@scene
def the_values_of_a_dict():
    config = {"factor": 1.0}
    values = config.values()
    return scene_with_factor(lambda: next(iter(values)), lambda: config.update(factor=3.0))


@scene
def a_number_of_ctypes():
    number = ctypes.c_double(1.0)
    return scene_with_factor(lambda: number.value, lambda: setattr(number, "value", 3.0))


@scene
def a_number_that_processes_share():
    number = multiprocessing.Value("d", 1.0)
    return scene_with_factor(lambda: number.value, lambda: setattr(number, "value", 3.0))


@scene
def memory_shown_by_a_view():
    memory = bytearray(b"\1")
    shown = memoryview(memory)
    return scene_with_factor(lambda: float(shown[0]), lambda: memory.__setitem__(0, 3))


@scene
def an_entry_of_an_array():
    factors = np.ones(2)
    return scene_with_factor(lambda: float(factors[1]), lambda: factors.fill(3.0))


@scene
def an_array_of_a_layer_that_is_read_as_a_number():
    engine = Autograd()
    box = types.SimpleNamespace(factors=np.ones(2))

    class Scaled(nn.Module):
        def forward(self, x):
            return scaled(engine, x, float(box.factors[0]))

    net, loss = net_of(engine, Scaled(engine)), nn.SoftmaxCrossEntropy(engine)
    return Scene(engine, lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), 0.1), lambda: box.factors.fill(3.0))


@scene
def an_event():
    event = threading.Event()
    return scene_with_factor(lambda: 3.0 if event.is_set() else 1.0, event.set)


@scene
def an_attribute_of_a_metaclass():
    class Kind(type):
        factor = 1.0

    class Config(metaclass=Kind):
        pass

    return scene_with_factor(lambda: Config.factor, lambda: setattr(Kind, "factor", 3.0))


@scene
def a_queue():
    waiting = queue.Queue()
    for number in range(40):
        waiting.put(1.0 if number < 7 else 3.0)
    return scene_with_factor(waiting.get, lambda: None)


@pytest.mark.parametrize("name", SCENES)
def test_scene(name):
    compare(SCENES[name], backend="numpy")


def a_queue_written_in_C():
    waiting = queue.SimpleQueue()
    for number in range(40):
        waiting.put(1.0 if number < 7 else 3.0)
    return waiting.get


def bits():
    drawn = np.random.PCG64(0)
    return lambda: float(drawn.random_raw() % 3)


def much_memory():
    memory = bytearray(b"\1" * 4000)
    shown = memoryview(memory)
    return lambda: float(shown[0])


UNSEEN = {
    "an iterator": (lambda: functools.partial(next, iter([1.0] * 7 + [3.0] * 40)), "list_iterator"),
    "a queue": (a_queue_written_in_C, "SimpleQueue"),
    "bits": (bits, "PCG64"),
    "much memory": (much_memory, "memoryview, which holds 4000 bytes"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_the_reason_names_what_no_guard_can_see(name):
    make, words = UNSEEN[name]
    step = compare(lambda: scene_with_factor(make(), lambda: None), backend="numpy")
    assert step.plan is None
    assert f"the function reads a {words}" in step.reason


def test_harmless_objects_stay_in_a_plan():
    """Locks, compiled patterns, NumPy's functions and fields of named tuples have nothing that a step depends on."""
    lock, pattern, mean = threading.Lock(), re.compile("a"), np.mean
    config = collections.namedtuple("Config", "factor")(1.0)

    def read():
        with lock:
            return config.factor * mean([1.0]) if pattern.match("a") else 0.0

    assert compare(lambda: scene_with_factor(lambda: float(read()), lambda: None), backend="numpy").plan is not None


def test_arrays_that_another_step_trains_are_no_numbers():
    """Two steps share a body; each leaves the other's head alone, and both keep their plan."""
    engine = Autograd()
    body, heads, loss = linear(engine), [linear(engine, 3), linear(engine, 3, seed=1)], nn.SoftmaxCrossEntropy(engine)
    steps = [
        mytorch.compile(lambda x, y, n=n: loss(y, heads[n](body(x))), optim.SGD(heads[n].parameters(), 0.1))
        for n in range(2)
    ]
    rng = np.random.default_rng(0)
    for _ in range(12):
        for step in steps:
            step(rng.standard_normal((6, 5)), rng.integers(0, 3, 6))
    assert all(step.plan is not None for step in steps)
