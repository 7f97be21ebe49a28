"""Summary and repr of networks."""

from __future__ import annotations

import numpy as np
import pytest

from mytorch import nn


class Twice(nn.Module):
    """One layer used twice, and one that never is."""

    def __init__(self, engine):
        super().__init__(engine)
        self.inner = nn.Linear(4, 4, engine, rng=0, dtype=np.float32)
        self.spare = nn.Linear(2, 2, engine, rng=0, dtype=np.float32)

    def forward(self, x):
        return self.inner(self.inner(x))


def test_layers_shapes_parameters_and_bytes(engine):
    net = nn.Sequential(nn.Linear(6, 4, engine, dtype=np.float32), nn.Dropout(engine, 0.5, rng=3), Twice(engine))
    net.train()
    before = net[1].rng.bit_generator.state
    told = nn.summary(net, (5, 6)).splitlines()
    assert told[0].split() == ["layer", "output", "parameters", "bytes"]
    assert told[2].split() == ["layers.0", "Linear(6,", "4)", "(5,", "4)", "28", "112"]
    assert told[3].split() == ["layers.1", "Dropout(0.5)", "(5,", "4)"]
    assert told[4].split() == ["layers.2.inner", "Linear(4,", "4)", "(5,", "4)", "20", "80"]
    assert told[5].split() == ["layers.2.inner", "Linear(4,", "4)", "(5,", "4)", "shared"]
    assert told[-1].split() == ["total", "54", "216"], "all that net.parameters() finds"
    assert engine.operation_list == []
    assert net.training
    assert net[1].training
    assert net[1].rng.bit_generator.state == before
    assert "forward" not in vars(net[0])


def test_without_a_shape_every_layer_is_listed(engine):
    told = nn.summary(nn.Sequential(nn.Linear(3, 2, engine), Twice(engine))).splitlines()
    assert "output" not in told[0]
    assert [line.split()[0] for line in told[2:-2]] == ["layers.0", "layers.1.inner", "layers.1.spare"]
    assert nn.summary(nn.ReLU(engine), (2, 3)).splitlines()[2].split() == ["ReLU", "ReLU()", "(2,", "3)"]


def test_a_shape_that_does_not_fit_leaves_the_network_as_it_was(engine):
    net = nn.Sequential(nn.Linear(3, 2, engine), nn.ReLU(engine))
    with pytest.raises(ValueError, match="last axis"):
        nn.summary(net, (2, 4))
    assert "forward" not in vars(net[0])
    assert net.training
    assert engine.recording


def test_a_module_of_ones_own_prints_its_layers(engine):
    assert repr(Twice(engine)) == "Twice(inner=Linear(4, 4), spare=Linear(2, 2))"
    assert str(nn.Sequential(Twice(engine))) == "Sequential(Twice(inner=Linear(4, 4), spare=Linear(2, 2)))"
