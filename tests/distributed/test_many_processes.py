"""Training in 1 to 4 processes gives what one process gives; troubles of one process end all, in one line."""

from __future__ import annotations

import json

import pytest

from tests.clocks import at_most
from tests.distributed.launch import needs_mpi, ours, run, start

pytestmark = [needs_mpi, pytest.mark.slow]

# Sums of at most four processes in another order, over 50 steps. Adam divides by the root of sums of squares, where what is
# lost in the gradients' smallest entries shows.
ROUNDING = 1e-12


def scene(processes: int, name: str) -> dict:
    out, err = run(processes, "-m", "tests.distributed.scenes", name)
    assert err == ""
    return json.loads(out)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_optimiser_and_stage_gives_what_one_process_gives(processes: int) -> None:
    for name, (difference, same_bits) in scene(processes, "equal").items():
        assert difference < ROUNDING, name
        assert same_bits, name


@pytest.mark.parametrize("processes", [2, 3])
def test_parts_dropout_and_batch_norm_too(processes: int) -> None:
    for name, difference in scene(processes, "variants").items():
        assert difference < ROUNDING, name


def test_gradients_travel_while_the_backward_pass_goes_on() -> None:
    found = scene(2, "overlap")
    assert found["overlap"][0] >= 1
    assert found["no overlap"] == [0]


def test_state_is_an_nth_and_what_is_sent_is_the_least_possible() -> None:
    n = 3
    found = scene(n, "sizes")
    weights = found["0"]["weights"]
    assert found["0"]["state"] == 2 * weights
    for stage in ("1", "2"):
        # Each bucket is filled up to a multiple of the number of processes.
        assert 2 * weights / n <= found[stage]["state"] < 2 * weights / n + 1000
    least = 2 * (n - 1) / n * weights
    assert least <= found["0"]["sent"] < least * 1.02
    assert least <= found["2"]["sent"] < least * 1.02
    assert 1.5 * least <= found["1"]["sent"] < 1.53 * least, "all-reduce, then the new weights"


def test_another_network_is_named() -> None:
    _, err = run(3, "-m", "tests.distributed.scenes", "other network", code=1)
    (line,) = ours(err)
    assert "process 1 has other network than process 0: (5, 3) float64" in line


@pytest.mark.parametrize("kind", ["stopped", "left"])
def test_a_process_that_does_not_come_is_named_within_seconds(kind: str) -> None:
    with at_most(30):
        process = start(3, "-m", "tests.distributed.scenes", kind, env={"SCENE_PATIENCE": "2"})
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    (line,) = [line for line in ours(err) if "process 1 has not come" in line]
    assert "for 2 s" in line
