"""Copies for a proof: equal, apart, and gone from memory afterwards; what eager steps have left free goes too."""

import sys

import numpy as np
import pytest

import mytorch
from benchmarks.comparisons.memory import resident
from mytorch import Autograd, nn, optim
from mytorch.graph.copies import LEAST, copies


def test_copies_are_equal_and_apart():
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((3, 5)),
        rng.standard_normal((7, 2)).T,
        np.asfortranarray(rng.standard_normal((4, 3)).astype(np.float32)),
        np.array([True, False, True]),
        np.array(2.5),
        np.zeros((0, 4)),
        np.array([{"a": 1}, None], dtype=object),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        rng.standard_normal(LEAST // 8),
    ]
    for few in ([], arrays[:1], arrays):
        made = copies(few)
        assert len(made) == len(few)
        for copy, array in zip(made, few):
            assert type(copy) is type(array)
            assert copy.dtype == array.dtype
            np.testing.assert_array_equal(copy, array)
            assert copy.flags.c_contiguous
            assert copy.flags.writeable
            assert not any(np.may_share_memory(copy, other) for other in (*few, *made) if other is not copy)


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells a process's memory on Linux")
def test_the_memory_goes_back():
    arrays = [np.ones(1 << 20) for _ in range(4)]
    before = resident()
    made = copies(arrays)
    meanwhile = resident()
    del made
    nbytes = sum(array.nbytes for array in arrays)
    assert meanwhile - before >= nbytes
    assert meanwhile - resident() >= nbytes


@pytest.mark.parametrize(("n", "times"), [(10, 0), (300, 1)])
def test_what_eager_steps_leave_free_is_given_back_once(n, times, monkeypatch):
    engine, calls = Autograd(), []
    net, loss = nn.Linear(n, n, engine, rng=0), nn.MSELoss(engine)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), lr=0.1), check_every=2)
    monkeypatch.setattr(sys.modules["mytorch.graph.compile"], "give_back", lambda: calls.append(step.plan))
    for _ in range(6):
        step(np.ones((2, n)), np.zeros((2, n)))
    assert calls == [step.plan] * times
