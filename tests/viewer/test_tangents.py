"""Forward mode on a list, and the lecture's examples in both modes against their closed forms."""

import math

import numpy as np
import pytest

from mytorch.autodiff import jvp, trace
from mytorch.viewer.examples import lecture as examples
from mytorch.viewer.page import recorded
from mytorch.viewer.recording import recording_of
from mytorch.viewer.snapshot import snapshot
from mytorch.viewer.tangents import forward_mode
from mytorch.viewer.values import Values
from mytorch.viewer.variables import variables_of
from tests.viewer.lists import lecture

e, cos, sin, sqrt, log = math.e, math.cos, math.sin, math.sqrt, math.log
u = 2 * log(4)
slope = 1 + 1 / (2 * sqrt(u))
E = math.exp(1.5 * 3 + 2 * 0.5)

# The value, the derivatives, and what the variables that are used more than once receive, in the order of the walk.
EXPECTED = {
    "two-paths": (log(2) + 10 - sin(5), [5.5, 2 - cos(5)], {"x1": [5, 0.5], "x2": [-cos(5), 2]}),
    "exponential": (3 + E, [1 + 1.5 * E, 2 * E], {"x1": [1, 1.5 * E]}),
    "used-twice": (u + sqrt(u), [slope * 2 / 4, slope * log(4)], {"u": [1, 1 / (2 * sqrt(u))]}),
    "used-again": (
        e * sin(1) + e,
        [e * (sin(1) + cos(1) + 1)],
        {"y": [1, sin(1)], "x": [e * cos(1), e * (sin(1) + 1)]},
    ),
}


def number(data, value):
    return data["values"][value]["numbers"][0]


@pytest.mark.parametrize("name", examples())
def test_examples_have_the_numbers_of_their_closed_forms(name):
    value, derivatives, shared = EXPECTED[name]
    function, point, _ = examples()[name]
    data = snapshot(recorded(trace(function)(*point), None))
    names = [variable["name"] for variable in data["variables"]]
    output = data["operations"][-1]["outputs"][0]
    assert number(data, data["variables"][output]["value"]) == pytest.approx(value, rel=1e-15)

    forward = {direction["label"]: number(data, direction["tangents"][output]) for direction in data["forward"]}
    reverse = {names[r["variable"]]: number(data, r["value"]) for r in data["steps"][-1]["results"]}
    expected = dict(zip(sorted(reverse), derivatives))
    assert forward == pytest.approx(expected, rel=1e-14)
    assert reverse == pytest.approx(expected, rel=1e-14)

    sends = [send for step in data["steps"] if step["kind"] == "back" for send in step["sends"]]
    for name, contributions in shared.items():
        mine = [number(data, send["value"]) for send in sends if names[send["variable"]] == name]
        assert mine == pytest.approx(contributions, rel=1e-14)


def test_the_lines_of_a_traced_function_are_known():
    function, point, _ = examples()["two-paths"]
    data = snapshot(recorded(trace(function)(*point), None))
    lines = [operation["line"]["text"] for operation in data["operations"]]
    assert lines == ["v0 = np.log(x1)", "v1 = x1 * x2", "v2 = np.sin(x2)", "v3 = v0 + v1", "return v3 - v2"]
    assert data["notes"] == []


def carried(function, *arguments):
    recording = recording_of(trace(function)(*arguments).operation_list)
    values = Values()
    variables = variables_of(recording)
    return forward_mode(recording, variables, values), values, variables


def test_tangents_of_arrays_are_those_of_jvp(rng):
    def f(a, b):
        return np.sum(np.tanh(a @ b), axis=0)

    a, b = rng.standard_normal((3, 2)), rng.standard_normal((2, 4))
    (direction,), values, _ = carried(f, a, b)
    assert direction["label"] == "every entry"
    _, expected = jvp(f, (a, b), (np.ones_like(a), np.ones_like(b)))
    assert np.array_equal(values.pool[direction["tangents"][-1]]["numbers"], expected)


def test_a_few_entries_are_directions_of_their_own():
    directions, values, _ = carried(lambda x: x * x, np.array([3.0, 4.0]))
    assert [direction["label"] for direction in directions] == ["x[0]", "x[1]"]
    assert [values.pool[direction["tangents"][-1]]["numbers"] for direction in directions] == [[6, 0], [0, 8]]


def test_what_does_not_depend_on_a_direction_has_no_tangent():
    directions, _, variables = carried(lambda x, y: np.exp(x) * y, 1.0, 2.0)
    names = [variable.name for variable in variables.all]
    assert {d["label"]: d["tangents"][names.index("v0")] is None for d in directions} == {"x": False, "y": False}


def test_lists_of_layers_have_no_forward_mode(engine):
    lecture(engine)
    assert snapshot(recorded(engine, None))["forward"] == []
