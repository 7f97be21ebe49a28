"""Interrupted steps: what has changed by then, and what the exception says about it."""

import sys

import numpy as np
import pytest

from mytorch.graph import trial
from tests.graph.nets import batch, training

compile_module = sys.modules["mytorch.graph.compile"]


def notes_of(error):
    """The notes that were added to an exception; none with Python 3.10."""
    return "".join(getattr(error, "__notes__", ()))


HAS_NOTES = hasattr(BaseException, "add_note")


def interruption(monkeypatch, entry, name):
    """Let a function of a plan raise KeyboardInterrupt; the returned list holds how many calls come before that."""
    function, left = entry.run.__globals__[name], [0]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return function(*arguments)

    monkeypatch.setitem(entry.run.__globals__, name, interrupted)
    return left


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
        with pytest.raises(ValueError, match=str(wrong)) as caught:
            step(x, y)
        assert not HAS_NOTES or "no parameter has changed" in notes_of(caught.value)
    after = one.arrays()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.skipif(not HAS_NOTES, reason="this Python adds no notes to exceptions")
@pytest.mark.parametrize("keep_gradients", [True, False])
@pytest.mark.parametrize("name", ["dot", "subtract"])
def test_an_interrupted_step_says_what_has_changed(name, keep_gradients, monkeypatch):
    one = training("relu")
    step = one.compiled(backend="numpy", keep_gradients=keep_gradients)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = batch(rng, 6, np.float64, "classes")
        step(x, y)
    ((entry,),) = step.plans.values()
    left = interruption(monkeypatch, entry, name)
    updated = [value for value, is_updated in entry.plan.written().items() if is_updated]
    said = set()
    for count in range(100):
        left[0], before = count, [value.array.copy() for value in updated]
        try:
            step(x, y)
            break
        except KeyboardInterrupt as error:
            changed = [v.name for v, old in zip(updated, before) if not np.array_equal(v.array, old)]
            note = notes_of(error)
            assert all(one in note for one in changed)
            assert ("no parameter has changed" in note) == ("changed by then" not in note)
            assert changed or "changed by then" not in note or name == "subtract"
            said.add("changed by then" in note)
    assert said == ({True, False} if name == "subtract" or not keep_gradients else {False})


def test_an_interrupted_proof_leaves_the_state(monkeypatch):
    """The plan's first update is interrupted in its middle: the parameters are as before the step."""
    one = training("batchnorm", optimizer="adam")
    step = one.compiled(backend="numpy")
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    step(x, y)
    ((entry,),) = step.plans.values()
    # The square roots of Adam come after those of the normalisation.
    interruption(monkeypatch, entry, "sqrt")[0] = 1
    before = {name: value.copy() for name, value in one.arrays().items() if not name.startswith("gradient")}
    with pytest.raises(KeyboardInterrupt):
        step(x, y)
    after = one.arrays()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.skipif(not HAS_NOTES, reason="this Python adds no notes to exceptions")
def test_an_interruption_behind_the_update(monkeypatch):
    one = training("relu")
    step = one.compiled()
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for _ in range(4):
        step(x, y)
    ((entry,),) = step.plans.values()
    run_plan, before = entry.run, one.net[0].W.copy()

    class Late(float):
        def item(self):
            raise KeyboardInterrupt

    monkeypatch.setitem(entry.function("serve").__globals__, "run", lambda *given: (Late(run_plan(*given)[0][0]),))
    with pytest.raises(KeyboardInterrupt) as caught:
        step(x, y)
    assert "The step was complete" in notes_of(caught.value)
    assert (before != one.net[0].W).any()


class Late(float):
    """A loss whose last reading is interrupted."""

    def item(self):
        raise KeyboardInterrupt


@pytest.mark.skipif(not HAS_NOTES, reason="this Python adds no notes to exceptions")
@pytest.mark.parametrize("calls", [0, 1])
def test_an_interruption_behind_a_proof(calls, monkeypatch):
    one = training("relu")
    step = one.compiled(backend="numpy")
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for _ in range(calls):
        step(x, y)
    compare, before = trial._compare, one.net[0].W.copy()
    monkeypatch.setattr(trial, "_compare", lambda *given: (compare(*given)[0], (Late(1.0),)))
    with pytest.raises(KeyboardInterrupt) as caught:
        step(x, y)
    assert "The step was complete" in notes_of(caught.value)
    assert (before != one.net[0].W).any()


@pytest.mark.skipif(not HAS_NOTES, reason="this Python adds no notes to exceptions")
@pytest.mark.parametrize(
    ("method", "words"), [("zero_grad", "no parameter has changed"), ("_update", "may have changed")]
)
def test_an_interrupted_eager_step_says_how_far_it_came(method, words, monkeypatch):
    one = training("relu", optimizer="adam")
    step = one.compiled(backend="numpy")
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(one.optimizer), method, interrupted)
    step.refusals[compile_module._key((x, y))] = "a test"
    with pytest.raises(KeyboardInterrupt) as caught:
        step(x, y)
    assert notes_of(caught.value).count("The step was") == 1
    assert words in notes_of(caught.value)
