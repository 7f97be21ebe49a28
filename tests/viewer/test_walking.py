"""The walk as steps: every number is the engine's, and contributions add up as in the table of adjoints."""

import numpy as np
import pytest

from mytorch import Autograd, nn
from mytorch.nn import functional as F
from mytorch.viewer.page import recorded
from mytorch.viewer.snapshot import snapshot
from mytorch.viewer.watching import watch
from tests.viewer.lists import in_place, lecture, network, record, several_outputs


def watched(program):
    """The data of a program's page, and its engine."""
    engine = Autograd()
    with watch(engine):
        program(engine)
    return snapshot(recorded(engine, None)), engine


def numbers(data, value):
    return np.array(data["values"][value]["numbers"]).reshape(data["values"][value]["shape"])


def variable(data, name):
    (found,) = [i for i, v in enumerate(data["variables"]) if v["name"] == name]
    return found


def sends_to(data, name):
    """The contributions to a variable in the order of the walk: the operation, which contribution it is, value, and sum."""
    target = variable(data, name)
    return [
        (step["operation"], send["nth"], numbers(data, send["value"]).item(), numbers(data, send["sum"]).item())
        for step in data["steps"]
        if step["kind"] == "back"
        for send in step["sends"]
        if send["variable"] == target
    ]


def test_the_steps_go_forward_and_then_back():
    data, _ = watched(lecture)
    kinds = [(step["kind"], step.get("operation")) for step in data["steps"]]
    forward = [("record", n) for n in range(5)]
    back = [("back", n) for n in reversed(range(5))]
    assert kinds == [("begin", None), *forward, ("seed", 4), *back, ("end", None)]


def test_contributions_add_up_as_in_the_lecture():
    data, engine = watched(lecture)
    assert sends_to(data, "x1") == [(1, 1, 5.0, 5.0), (0, 2, 0.5, 5.5)]
    cosine = -np.cos(5.0)
    assert sends_to(data, "x2") == [(2, 1, cosine, cosine), (1, 2, 2.0, cosine + 2.0)]
    results = {
        data["variables"][r["variable"]]["name"]: numbers(data, r["value"]).item() for r in data["steps"][-1]["results"]
    }
    assert results == {"x1": 5.5, "x2": cosine + 2.0}
    buffer = [gradient.item() for gradient in engine.gradient_buffer.memory.values()]
    assert {5.5, cosine + 2.0} <= set(buffer)


def test_gradients_of_parameters_are_those_that_the_layers_hold(engine):
    with watch(engine):
        net, last = network(engine)
    data = snapshot(recorded(engine, None))
    held = {"W2": net[2].dW, "b2": net[2].db, "W3": last.dW, "b3": last.db}
    results = {data["variables"][r["variable"]]["name"]: r for r in data["steps"][-1]["results"]}
    for name, gradient in held.items():
        assert results[name]["to"] == "slot"
        assert np.array_equal(numbers(data, results[name]["value"]), gradient)
    assert data["findings"] == []


def test_gradients_that_were_not_zero_before_are_added_to(engine):
    layer = nn.Linear(2, 2, engine, rng=0)
    layer.dW[...] = 5
    with watch(engine):
        engine.backward(layer(np.ones((1, 2))))
    data = snapshot(recorded(engine, None))
    results = {data["variables"][r["variable"]]["name"]: r for r in data["steps"][-1]["results"]}
    assert (results["W"]["before"], results["b"]["before"]) == (True, False)
    assert np.array_equal(numbers(data, results["W"]["value"]), layer.dW)
    assert data["findings"] == []


def test_an_operation_without_a_gradient_is_a_step_that_passes_over_it():
    def program(engine):
        x = np.array([1.0])
        y = record(engine, [x], np.exp(x), F.exp_backward)
        record(engine, [x], np.log(x), F.log_backward)
        engine.backward(y)

    data, _ = watched(program)
    assert [(s["kind"], s["operation"]) for s in data["steps"][3:6]] == [("seed", 0), ("skip", 1), ("back", 0)]


def test_data_is_said_to_keep_no_gradient():
    def program(engine):
        x, w = engine.data(np.array([2.0])), np.array([3.0])
        engine.backward(record(engine, [x, w], x * w, F.mul_backward))

    data, _ = watched(program)
    assert [result["to"] for result in data["steps"][-1]["results"]] == ["nowhere", "buffer"]


@pytest.mark.parametrize(("program", "expected"), [(in_place, [15.0, 0.0]), (several_outputs, [2.0, 2.0, 0.0, 0.0])])
def test_what_was_given_gets_the_engines_gradient(program, expected):
    data, _ = watched(lambda engine: engine.backward(program(engine)))
    (result,) = [r for r in data["steps"][-1]["results"] if data["variables"][r["variable"]]["name"] == "x"]
    assert numbers(data, result["value"]).tolist() == expected
    assert all("sum" not in finding["text"] for finding in data["findings"])


def test_an_array_that_was_written_over_is_two_variables():
    data, _ = watched(lambda engine: engine.backward(in_place(engine)))
    assert [operation["inputs"][0]["variable"] for operation in data["operations"]] == [0, 1, 2]
    assert [operation["outputs"] for operation in data["operations"]] == [[1], [2], [3]]


def failing(engine):
    x = np.array([1.0, 2.0])

    def unfinished_backward(g, a):
        raise NotImplementedError("not written yet")

    y = record(engine, [x], x * 2, unfinished_backward)
    with pytest.raises(NotImplementedError):
        engine.backward(record(engine, [y], np.exp(y), F.exp_backward))


def wrong_shape(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, [x], x * 2, lambda g, a: np.ones(3))
    with pytest.raises(ValueError, match="shape"):
        engine.backward(record(engine, [y], np.exp(y), F.exp_backward))


@pytest.mark.parametrize(
    ("program", "steps", "text"),
    [
        (failing, ["seed", "back", "stop"], "not written yet"),
        (wrong_shape, ["seed", "back", "back", "stop"], "shape (3,)"),
    ],
)
def test_a_walk_that_fails_stops_where_it_failed(program, steps, text):
    data, _ = watched(program)
    assert [step["kind"] for step in data["steps"][3:]] == steps
    assert data["steps"][-1]["operation"] == 0
    assert text in data["steps"][-1]["text"]


class Overwriting(Autograd):
    """A student's engine that forgets to add: the last contribution replaces the others."""

    def backward(self, divergence):
        gradients = {id(self.operation_list[-1].output): np.ones_like(self.operation_list[-1].output)}
        for operation in reversed(self.operation_list):
            returned = operation.backward_operation(gradients[id(operation.output)], *operation.inputs)
            for array, slot, gradient in zip(
                operation.inputs,
                operation.gradients_to_update,
                returned if isinstance(returned, tuple) else (returned,),
            ):
                gradients[id(array)] = gradient
                if slot is not None:
                    slot[...] = gradient / 2
        for array in (array for operation in self.operation_list for array in operation.inputs):
            if self.gradient_buffer.is_in_memory(array):
                self.gradient_buffer.set_param(array, gradients[id(array)])


def used_twice(engine):
    x = np.array([2.0])
    y = record(engine, [x], x * 3, lambda g, a: 3 * g)
    z = record(engine, [y], np.exp(y), F.exp_backward)
    engine.backward(record(engine, [z, y, x], z + y + x, lambda g, a, b, c: (g, g, g)))


def a_layer(engine):
    engine.backward(nn.Linear(2, 2, engine, rng=0)(np.ones((1, 2))))


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (used_twice, ["engine passed on for y is not the sum", "gradient of x in the buffer is not the sum"]),
        (a_layer, ["What dW holds in the end is not the sum", "What db holds in the end is not the sum"]),
    ],
)
def test_an_engine_whose_sums_are_wrong_is_told_so(program, found):
    engine = Overwriting()
    with watch(engine):
        program(engine)
    findings = [finding["text"] for finding in snapshot(recorded(engine, None))["findings"]]
    assert len(findings) == len(found)
    for finding, text in zip(findings, found):
        assert text in finding
