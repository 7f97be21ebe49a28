"""Recordings: lines, names, values as they were, and an engine that is left as it was."""

import sys
from functools import partial

import numpy as np
import pytest

from mytorch import Autograd, nn
from mytorch.nn import functional as F
from mytorch.nn.rules import same_from_output
from mytorch.operation import Operation
from mytorch.viewer.page import recorded
from mytorch.viewer.recording import recording_of
from mytorch.viewer.variables import variables_of
from mytorch.viewer.watching import watch
from tests.viewer.lists import lecture, network, record


def names(recording):
    return [variable.name for variable in variables_of(recording).all]


def test_each_operation_has_the_line_that_recorded_it(engine):
    layer = nn.Linear(2, 2, engine, rng=0)
    x = np.ones((1, 2))
    with watch(engine):
        y = layer(x)  # the line of the layer
        engine.add_operation([y], y * 2, [None], lambda g, a: 2 * g)
    first, second = engine.viewer_recording.records
    assert first.line.text == "y = layer(x)  # the line of the layer"
    assert first.within.function == "forward"
    assert first.within.file.endswith("linear.py")
    assert second.line.text.startswith("engine.add_operation([y]")
    assert second.within is None


def test_arrays_have_the_names_of_the_program(engine):
    with watch(engine):
        network(engine)
    assert names(engine.viewer_recording) == [
        "x", "W1", "b1", "v0", "hidden", "W2", "b2", "v2", "more", "total", "W3", "b3", "v5", "labels", "loss",
    ]  # fmt: skip
    paths = {variable.name: variable.path for variable in variables_of(engine.viewer_recording).all}
    assert (paths["W1"], paths["b2"], paths["W3"]) == ("net.layers[0].W", "net.layers[2].b", "last.W")


def test_what_a_layer_keeps_for_itself_is_no_name(engine):
    with watch(engine):
        net = nn.Sequential(nn.Linear(2, 2, engine, rng=0), nn.Tanh(engine), nn.Linear(2, 2, engine, rng=1))
        x = np.ones((1, 2))
        y = net(x)
        engine.backward(y)
    assert names(engine.viewer_recording) == ["x", "W1", "b1", "v0", "v1", "W2", "b2", "y"]


def test_a_list_that_nobody_watched_has_names_too(engine):
    layer, x = nn.Linear(2, 2, engine, rng=0), np.ones((1, 2))
    y = layer(x)
    assert names(recorded(engine, sys._getframe())) == ["x", "W", "b", "y"]
    assert y is engine.operation_list[0].output


def test_arrays_without_a_name_are_numbered(engine):
    (lambda: record(engine, [np.ones(2)], np.ones(2), F.exp_backward))()
    recording = recording_of(engine.operation_list, None)
    recording.names.found.clear()
    assert names(recording) == ["given1", "v0"]


def test_the_name_of_the_outermost_function_is_taken(engine):
    def square(inner):
        return record(engine, [inner], inner * inner, lambda g, a: 2 * g * a)

    with watch(engine):
        outer = np.ones(2)
        once = square(outer)
        twice = square(once)
        engine.backward(twice)
    assert names(engine.viewer_recording) == ["outer", "once", "twice"]


def test_equal_names_are_numbered(engine):
    with watch(engine):
        h = np.ones(2)
        for _ in range(3):
            h = record(engine, [h], np.tanh(h), F.tanh_backward)
        engine.backward(h)
    assert names(engine.viewer_recording) == ["h1", "h2", "h3", "h4"]


def test_values_are_those_of_the_moment(engine):
    x = np.array([1.0, 2.0])
    with watch(engine):
        y = record(engine, [x], np.exp(x), F.exp_backward)
    expected = np.exp([1.0, 2.0])
    x[:], y[:] = 7, 8
    (made,) = engine.viewer_recording.records
    assert made.inputs[0].tolist() == [1.0, 2.0]
    assert np.array_equal(made.outputs[0], expected)


def test_outside_of_watch_the_engine_is_of_its_own_class_and_gives_the_same_gradients():
    plain, watched = Autograd(), Autograd()
    expected = lecture(plain)
    with watch(watched):
        assert type(watched) is not Autograd
        got = lecture(watched)
    assert type(watched) is Autograd
    for name in ("x1", "x2"):
        assert watched.gradient_buffer.get_param(got[name]) == plain.gradient_buffer.get_param(expected[name])
    assert [op.backward_operation for op in watched.operation_list] == [
        op.backward_operation for op in plain.operation_list
    ]


def test_a_walk_on_copies_touches_nothing(engine):
    layer, x = nn.Linear(3, 2, engine, rng=0), np.ones((4, 3))
    y = layer(x)
    layer.dW[...] = 5
    before = [op.backward_operation for op in engine.operation_list]
    recording = recorded(engine, None)
    assert recording.walk.own
    assert (layer.dW == 5).all()
    assert set(engine.gradient_buffer.memory.values()) == {None}
    assert [op.backward_operation for op in engine.operation_list] == before
    engine.backward(y)
    assert np.array_equal(recording.walk.after[0, 1], layer.dW - 5)


def test_a_layer_used_twice_has_one_gradient_on_the_copies(engine):
    layer, x = nn.Linear(3, 3, engine, rng=0), np.ones((2, 3))
    y = layer(layer(x))
    recording = recorded(engine, None)
    engine.backward(y)
    assert np.allclose(recording.walk.after[0, 1], layer.dW, rtol=1e-14)
    assert np.allclose(recording.walk.after[1, 1], layer.dW, rtol=1e-14)


def test_a_new_list_is_a_new_recording(engine):
    with watch(engine):
        lecture(engine)
        engine.zero_grad()
        x = np.ones(2)
        record(engine, [x], np.exp(x), F.exp_backward)
    assert len(recorded(engine, None).records) == 1


def test_operations_after_the_watch_are_not_lost(engine):
    x = np.ones(2)
    with watch(engine):
        y = record(engine, [x], np.exp(x), F.exp_backward)
    record(engine, [y], np.exp(y), F.exp_backward)
    assert len(recorded(engine, None).records) == 2


def test_a_list_that_was_begun_before_the_watch_is_whole(engine):
    x = np.ones(2)
    y = record(engine, [x], np.exp(x), F.exp_backward)
    with watch(engine):
        z = record(engine, [y], np.exp(y), F.exp_backward)
        engine.backward(z)
    z[:] = 0
    assert recorded(engine, None).records[1].outputs[0].all()
    assert [record.line is not None for record in recorded(engine, None).records] == [False, True]


def test_a_list_that_was_filled_by_hand_is_shown_too(engine):
    x = np.ones(2)
    with watch(engine):
        y = record(engine, [x], np.exp(x), F.exp_backward)
        engine.operation_list.append(Operation([y], y * 2, [None], lambda g, a: 2 * g))
        engine.backward(1)
    recording = recorded(engine, None)
    assert [call.number for call in recording.walk.calls] == [1, 0]


def test_an_empty_list_keeps_the_engines_own_error_under_watch(engine):
    with watch(engine), pytest.raises(RuntimeError, match="no operation was recorded"):
        engine.backward(1)


def copied(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, [x], np.exp(x), F.exp_backward)
    z = y.copy()
    engine.backward(record(engine, [z], np.tanh(z), F.tanh_backward))


def changed(engine):
    x = np.array([1.0, 2.0])
    y = record(engine, [x], np.exp(x), F.exp_backward)
    x[0] = 3
    engine.backward(y)


def infinite(engine):
    x = np.array([0.0, 2.0])
    with np.errstate(divide="ignore"):
        y = record(engine, [x], np.log(x), F.log_backward)
    engine.backward(record(engine, [y], y * 2, lambda g, a: 2 * g))


def unused(engine):
    x = np.array([1.0, 2.0])
    record(engine, [x], np.exp(x), F.exp_backward)
    engine.backward(record(engine, [x], np.tanh(x), F.tanh_backward))


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (copied, [(1, True, "is another array"), (0, True, "nothing used its output")]),
        (changed, [(0, True, "was changed in place")]),
        (
            infinite,
            [(0, True, "output 0 is -inf"), (1, False, "It came in with input 0"), (0, True, "gradient of input 0")],
        ),
        (unused, [(0, True, "nothing used its output")]),
        (lecture, []),
    ],
)
def test_findings_stand_at_their_operation(engine, program, found):
    with np.errstate(divide="ignore"), watch(engine):
        program(engine)
    findings = engine.viewer_recording.findings
    assert [(finding.number, finding.serious) for finding in findings] == [entry[:2] for entry in found]
    for finding, (_, _, text) in zip(findings, found):
        assert text in finding.text


def test_a_second_backward_pass_replaces_the_first(engine):
    with watch(engine), np.errstate(divide="ignore"):
        x = np.array([0.0, 2.0])
        record(engine, [x], np.exp(x), F.exp_backward)
        y = record(engine, [x], np.sqrt(x), F.sqrt_backward)
        engine.backward(y)
        engine.backward(y)
    unused, infinite = engine.viewer_recording.findings
    assert "nothing used its output" in unused.text
    assert "gradient of input 0 is inf" in infinite.text
    assert len(engine.viewer_recording.walk.calls) == 1


def scaled_backward(grad_output, a, factor):
    return grad_output * factor * (a > 0)


@pytest.mark.parametrize(
    "rule",
    [
        lambda: same_from_output(partial(scaled_backward, factor=1)),
        lambda: partial(same_from_output(lambda g, a, factor: scaled_backward(g, a, factor)), factor=1),
    ],
    ids=["on the partial", "on its function"],
)
def test_the_marks_of_a_rule_are_read_under_watch(engine, rule):
    x = np.array([1.0, -2.0])
    with watch(engine):
        y = record(engine, [x], x * 3, lambda g, a: 3 * g)
        np.maximum(y, 0, out=y)
        engine.add_operation([y], y, [None], rule())
        engine.backward(y)
    assert engine.gradient_buffer.get_param(x).tolist() == [3.0, 0.0]


def test_debug_mode_keeps_its_errors_under_watch():
    engine = Autograd(debug=True)
    with pytest.raises(RuntimeError, match="changed in place"), watch(engine):
        changed(engine)
    assert "changed in place" in engine.viewer_recording.walk.error


def test_no_engine_is_refused():
    with pytest.raises(TypeError, match=r"A list was given, which has no operation_list"):
        recorded([], None)
