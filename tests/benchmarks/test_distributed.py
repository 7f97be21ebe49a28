"""Training in many processes, measured and planned: the model's arithmetic, the tables, and what was missed."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip(
    "matplotlib", reason="Matplotlib is not installed, so the pictures of many processes were not tried"
)

from benchmarks import distributed_plots, scaling
from benchmarks import distributed_worker as worker
from benchmarks.comparisons import distributed
from benchmarks.processes import WorkerFailed
from benchmarks.scaling import Link
from benchmarks.settings import Settings
from tests.distributed.launch import needs_mpi

LINK = Link(latency=2e-6, bandwidth=1e9)


def test_a_ring_sends_all_but_an_nth_twice() -> None:
    assert scaling.ring(4, 8e6, LINK) == pytest.approx(6 * 2e-6 + 2 * 3 / 4 * 8e6 / 1e9)
    assert scaling.ring(1, 8e6, LINK) == 0
    both = scaling.ring(4, 8e6, LINK, scaling.TRIPS["reduce-scatter"]) + scaling.ring(4, 8e6, LINK, 1)
    assert both == pytest.approx(scaling.ring(4, 8e6, LINK))


@pytest.mark.parametrize("trips", [1, 2])
@pytest.mark.parametrize("n", [2, 4, 7])
def test_a_fit_finds_the_link_again(n: int, trips: int) -> None:
    sizes = [2.0**k for k in range(10, 23)]
    found = scaling.fit(n, sizes, [scaling.ring(n, size, LINK, trips) for size in sizes], trips)
    assert found.latency == pytest.approx(LINK.latency, rel=1e-9)
    assert found.bandwidth == pytest.approx(LINK.bandwidth, rel=1e-9)


def test_a_fit_weighs_too_short_and_too_long_alike() -> None:
    sizes = [2.0**k for k in range(10, 23)]
    times = np.array([scaling.ring(2, size, LINK) for size in sizes])
    factors = []
    for odd in (50.0, 1 / 50):
        changed = times.copy()
        changed[6] *= odd
        found = scaling.fit(2, sizes, list(changed))
        factors.append(np.mean(np.log([scaling.ring(2, size, found) for size in sizes] / times)))
    assert 0 < factors[0] < np.log(50) / 5
    assert factors[0] == pytest.approx(-factors[1], rel=0.5)


def test_a_fit_has_no_negative_latency_and_needs_two_processes() -> None:
    # Long messages that are slower than short ones would give a latency below zero.
    found = scaling.fit(2, [1e3, 1e6], [1e-7, 2e-3])
    assert found.latency == 0
    assert found.bandwidth > 0
    with pytest.raises(ValueError, match="at least two processes"):
        scaling.fit(1, [1.0], [1.0])


@pytest.mark.parametrize(
    ("ready", "lengths", "end"),
    [
        ([1, 2, 3], [0.5, 0.5, 0.5], 3.5),  # all but the last are hidden
        ([1, 2, 3], [2, 2, 2], 7),  # each waits for the one before
        ([1, 2, 3], [2.5, 0.1, 0.1], 3.7),
        ([], [], 0),
    ],
)
def test_exchanges_follow_each_other(ready: list[float], lengths: list[float], end: float) -> None:
    assert scaling.last_arrival(ready, lengths) == pytest.approx(end)


def test_own_work_is_never_hidden() -> None:
    ready, lengths = [1.0, 2.0], [0.5, 0.5]
    assert scaling.overlapped(2.0, ready, lengths, own_work=0) == 2.5
    assert scaling.overlapped(2.0, ready, lengths, own_work=1) == 3.0
    assert scaling.overlapped(2.0, ready, lengths, own_work=0.5) == pytest.approx(2.25 + 0.5)


@pytest.mark.parametrize("rows", [8, 4096])
@pytest.mark.parametrize("count", [1, 5, 64])
def test_a_plan_is_the_schedule_of_equal_buckets(count: int, rows: int) -> None:
    n, parameters, flops = 16, 1e6, 1e12
    bucket = parameters * scaling.FLOAT / count
    forward, backward = 2 * parameters * rows / flops, 4 * parameters * rows / flops
    ready = backward * np.arange(1, count + 1) / count
    exchanged = scaling.last_arrival(list(ready), [scaling.ring(n, bucket, LINK)] * count)
    found = scaling.planned(n, parameters, rows, flops, LINK, bucket)
    assert found == pytest.approx(forward + exchanged)
    assert scaling.best(n, parameters, rows, flops, LINK)[0] <= scaling.planned(n, parameters, rows, flops, LINK, 2**22)
    assert scaling.planned(1, parameters, rows, flops, LINK, bucket) == pytest.approx(forward + backward)


def test_rows_that_balance_make_sending_as_long_as_the_backward_pass() -> None:
    rows, n, parameters = scaling.rows_that_balance(1e12, LINK), 10**6, 1e9
    sending = scaling.ring(n, parameters * scaling.FLOAT, Link(0.0, LINK.bandwidth))
    assert sending == pytest.approx(4 * parameters * rows / 1e12, rel=1e-5)


def test_efficiency_falls_and_the_last_count_that_pays_is_above_one_half() -> None:
    flops, link = 1e12, scaling.INTERCONNECTS["10 Gbit/s Ethernet"]
    shares = [distributed_plots.efficiency(n, 1e6, flops, link, strong=True) for n in distributed_plots.COUNTS]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    last = distributed_plots.last_that_pays(1e6, flops, link, strong=True)
    place = distributed_plots.COUNTS.index(last)
    assert shares[place] >= 0.5 > shares[place + 1]


def test_the_picture_of_buckets_is_that_of_the_list() -> None:
    operations, completes, sizes = distributed_plots.traced()
    assert [sorted(own) for _, own in operations][::2] == [[3], [2], [1], [0], [0]]
    assert completes == [6, 4, 2, 0], "a bucket is full at the earliest operation of its layers"
    assert sum(sizes) * 2**20 == pytest.approx(worker.PARAMETERS * 4, rel=1e-4)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_silent_step_computes_and_waits_for_nobody(stage: int) -> None:
    world = worker.TimedWorld(SimpleNamespace(IN_PLACE=None), worker.Silent(1, 4))
    run = worker.Training(world, stage, overlap=True)
    *parts, waited, total = (seconds := run.step())[:5]
    ready = seconds[5:]
    assert min(parts) > 0
    assert total == pytest.approx(sum(parts) + waited)
    assert waited < total / 4
    assert ready == sorted(ready)
    assert len(ready) == len(run.parallel.buckets)
    assert len(run.x) == worker.BATCH // 4


SILENT = [0.010, 0.020, 0.003, 0.0, 0.033, 0.010, 0.020]  # PARTS, then two buckets, full after 10 and 20 ms
BUCKETS = [10**6, 10**6]
LINKS = dict.fromkeys(scaling.TRIPS, LINK)


def predicted(stage: int, overlap: bool, own_work: float = 0.0) -> float:
    work = dict.fromkeys(worker.COLLECTIVES, own_work)
    return distributed.predict(2, stage, overlap, SILENT, BUCKETS, LINKS, work)


def test_a_prediction_adds_what_is_not_hidden() -> None:
    each = scaling.ring(2, 1e6, LINK)
    assert predicted(0, overlap=False) == pytest.approx(0.033 + 2 * each)
    assert predicted(0, overlap=True) == pytest.approx(0.033 + each), "the first is hidden"
    assert predicted(0, overlap=True, own_work=1) == pytest.approx(0.033 + 2 * each)
    assert predicted(1, overlap=False) == pytest.approx(0.033 + 3 * each), "and the weights"
    assert predicted(2, overlap=False) == pytest.approx(0.033 + 2 * each)
    alone = distributed.predict(1, 2, True, SILENT, BUCKETS, {}, {})
    assert alone == pytest.approx(0.033)


def test_own_work_is_a_share_from_none_to_all() -> None:
    assert distributed.share_of_own_work([[1.0, 1.5, 2.0]] * 3) == pytest.approx(0.25)
    assert distributed.share_of_own_work([[1.0, 9.0, 2.0]]) == 1
    assert distributed.share_of_own_work([[1.0, 0.9, 2.0]]) == 0


def a_result() -> dict[str, Any]:
    sizes = (10**4, 10**6)
    trips = scaling.TRIPS.items()
    alone = {f"{name} {size}": [scaling.ring(2, size, LINK, t)] for name, t in trips for size in sizes}
    sent = round(distributed.bound(2))
    steps = {"0 overlap": [[SILENT[:5], [*SILENT[:4], 0.034]]], "0 silent": [[SILENT, SILENT]]}
    measured = {"steps": steps, "sent": {"0 overlap": sent}, "buckets": BUCKETS}
    links = distributed.fits(2, alone)
    work = dict.fromkeys(worker.COLLECTIVES[:2], 0.5)
    return {
        "rounds": 1,
        "cases": [distributed.case(2, 0, "overlap", measured, links, work)],
        "memory": [{"n": 2, "stage": 1, "state": worker.PARAMETERS * 4, "peak": 5e7, "peak, given back": 4e7}],
        "exchanges": {"2": distributed.exchange_table(2, alone, links)},
        "own_work": {"2": work},
        "buckets": BUCKETS,
    }


def test_a_row_is_that_of_the_slowest_process() -> None:
    (row,) = a_result()["cases"]
    assert row["seconds"] == 0.034
    assert row["computing"] == 0.033
    assert distributed.error(row) == pytest.approx(row["predicted"] / 0.034 - 1)
    text = "\n".join(distributed.lines(a_result()))
    assert "| 2 | 0 | overlap | 34.0 ms |" in text
    assert "| 1.000 |" in text
    assert "| 2 | all-reduce | 2.00 µs | 1.00 GB/s | 0% | 0% | 50% |" in text


@pytest.mark.parametrize(
    ("of", "name", "factor", "words"),
    [
        ("cases", "predicted", 1.3, "the model is off by +3"),
        ("cases", "predicted", 0.7, "the model is off by -"),
        ("cases", "sent", 1.02, "bytes are sent"),
        ("memory", "state", 1.02, "bytes of state"),
    ],
)
def test_each_target_that_is_missed_is_named(of: str, name: str, factor: float, words: str) -> None:
    result = a_result()
    assert distributed.missed(result) == []
    worse = copy.deepcopy(result)
    worse[of][0][name] *= factor
    (line,) = distributed.missed(worse)
    assert line.startswith("2 processes, stage")
    assert words in line


def test_stage_1_may_send_half_as_much_again() -> None:
    result = a_result()
    (row,) = result["cases"]
    row.update(stage=1, sent=1.5 * distributed.bound(2))
    assert distributed.missed(result) == []
    row["sent"] *= 1.02
    assert "bytes are sent" in distributed.missed(result)[0]


def test_without_mpi_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "_mpiexec", lambda: None)
    result = distributed.run(Settings())
    (line,) = distributed.lines(result)
    assert 'pip install -e ".[distributed]"' in line
    assert distributed.missed(result) == []


def test_pictures_without_figures_are_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["distributed_plots", "--json", str(tmp_path / "none.json")])
    assert distributed_plots.main() == 2
    assert "python -m benchmarks --only distributed" in capsys.readouterr().err


def test_tables_are_entered_between_their_comments() -> None:
    page = distributed_plots.PAGE.read_text(encoding="utf-8")
    tables = {name: [f"{name} 1\\2"] for name in ("measured", "checkpoints", "planned")}
    found = distributed_plots.entered(page, tables)
    assert distributed_plots.entered(found, tables) == found
    assert "<!-- planned -->\nplanned 1\\2\n<!-- end -->" in found
    assert found.startswith(page[: page.index("<!--")])
    with pytest.raises(ValueError, match="0 places for nothing"):
        distributed_plots.entered(page, {"nothing": []})


@needs_mpi
@pytest.mark.slow
def test_two_processes_are_measured() -> None:
    found = distributed.launch(2, "measure", sizes=[1 << 14, 1 << 16], rounds=1)
    assert len(found["alone"]) == 6
    assert all(
        len(process) == 5 + len(found["buckets"]) for of in found["steps"].values() for step in of for process in step
    )
    assert found["sent"]["0 overlap"] == pytest.approx(distributed.bound(2), rel=0.001)
    assert found["sent"]["0 silent"] == 0
    with pytest.raises(WorkerFailed, match="2 processes under mpiexec ended with code"):
        distributed.launch(2, "nothing of that name")


@needs_mpi
@pytest.mark.slow
def test_memory_is_measured() -> None:
    found = distributed.launch(2, "memory", distributed.GIVE_BACK, stage=2)
    assert found["state"] == pytest.approx(worker.PARAMETERS * 4, rel=0.001)
    assert found["peak"] > 3 * found["state"]


@pytest.mark.slow
def test_checkpointed_segments_need_less_memory() -> None:
    kept, again = (distributed_plots.peak_of_step(24, segments) for segments in (False, True))
    assert again < kept / 2
