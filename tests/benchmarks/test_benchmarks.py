"""Benchmarks: arithmetic, refusal of unequal work, notes on frameworks that are not installed."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import cli, graph_costs, networks, processes
from benchmarks.comparisons import autodiff, chain, memory, static_graph, text, training_step
from benchmarks.processes import Missing, WorkerFailed, worker, workers
from benchmarks.race import Disagreement, check_agreement, race
from benchmarks.settings import BadRequest, Settings
from benchmarks.stats import duration, ratio, spread, table


def test_a_ratio_is_taken_round_by_round():
    # The machine was ten times slower in the second round, for both.
    found = ratio([2.0, 20.0, 4.0], [1.0, 10.0, 1.0])
    assert found.median == 2.0
    assert (found.low, found.high) == (2.0, 3.0)


def test_rounds_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="one by one"):
        ratio([1.0], [1.0, 2.0])


def test_spread_of_one_value_and_of_none():
    assert spread([3.0]) == (3.0, 3.0, 3.0)
    with pytest.raises(ValueError, match="at least one value"):
        spread([])


def test_a_table_lines_up():
    assert table(["net", "ratio"], [["64-32-10", "1.05"], ["a", "12.00"]]) == [
        "net       ratio",
        "--------  -----",
        "64-32-10   1.05",
        "a         12.00",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (4.5e-4, "450 µs"), (2.5e-8, "25 ns")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_targets_by_framework_net_batch_and_dtype():
    target = training_step.target
    assert target("numpy", "64-32-10", 128, "float32") == 1.15
    assert target("numpy", "64-32-10", 32, "float32") == 1.4
    assert target("torch", "64-32-10", 32, "float32") == 0.3
    assert target("torch", "64-32-10", 128, "float32") == 1.0
    assert target("autograd", "784-256-128-10", 1, "float32") == 0.5
    assert target("jax", "64-32-10", 1, "float32") is None
    assert target("numpy", "64-32-10", 128, "float64") is None


def a_result(mytorch: float, numpy: float) -> dict:
    seconds = {"mytorch": [mytorch] * 3, "numpy": [numpy] * 3}
    case = {"net": "64-32-10", "batch": 128, "dtype": "float32", "seconds": seconds, "steps": {}}
    case["ratios"] = training_step.ratios(seconds)
    return {"versions": {}, "missing": {"jax": "No module named 'jax'"}, "rounds": 3, "cases": [case]}


def test_a_missed_target_is_marked_and_named():
    result = json.loads(json.dumps(a_result(1.3, 1.0)))
    assert "1.30 ±0.00!" in "\n".join(training_step.lines(result))
    (line,) = training_step.missed(result)
    assert line.startswith("64-32-10, batch 128, float32: 1.30 times NumPy by hand")


def test_a_target_that_is_reached_is_not_marked():
    result = a_result(1.0, 1.0)
    assert not training_step.missed(result)
    assert "!" not in training_step.lines(result)[2]


def test_what_is_not_installed_is_noted():
    assert "JAX jit is left out: it is not installed (No module named 'jax')." in training_step.lines(a_result(1, 1))


@pytest.mark.parametrize("other", [[2.3, 2.2], [2.3, float("nan")], [2.3]])
def test_losses_that_differ_are_refused(other):
    with pytest.raises(Disagreement):
        check_agreement({"numpy": [2.3, 2.1], "mytorch": other}, 1e-4, "a net")


def test_nan_does_not_agree_with_nan():
    with pytest.raises(Disagreement):
        check_agreement({"numpy": [float("nan")], "mytorch": [float("nan")]}, 1e-4, "a net")


def test_losses_that_agree_are_let_pass():
    check_agreement({"numpy": [2.3, 2.1], "mytorch": [2.3, 2.1 * (1 + 1e-6)]}, 1e-4, "a net")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 5])
def test_mytorch_and_numpy_do_the_same_work(dtype, batch):
    losses = {}
    for framework in ("numpy", "mytorch"):
        step = networks.make_step(framework, [6, 5, 4, 3], batch, dtype)
        losses[framework] = [step() for _ in range(20)]
    check_agreement(losses, training_step.TOLERANCE[dtype], "a small net")


def test_the_agreement_check_sees_a_missing_momentum(monkeypatch):
    losses = {}
    for name, momentum in (("with", networks.MOMENTUM), ("without", 0.0)):
        monkeypatch.setattr(networks, "MOMENTUM", momentum)
        step = networks.make_step("numpy", [6, 5, 3], 4, "float64")
        losses[name] = [step() for _ in range(6)]
    with pytest.raises(Disagreement):
        check_agreement(losses, training_step.TOLERANCE["float64"], "a small net")


@pytest.fixture
def _stand_in(tmp_path, monkeypatch):
    """Module that only the workers import."""
    text = """
import os

def biased_step(framework, bias):
    return lambda: 2.0 + bias.get(framework, 0.0)

def own_cores():
    return sorted(os.sched_getaffinity(0))
"""
    (tmp_path / "stand_in.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("_stand_in")
def test_a_race_with_real_processes_times_equal_work_and_refuses_unequal():
    names = ["numpy", "no_such_framework"]
    with workers(names, "benchmarks.networks:version") as (running, versions, missing):
        assert versions == {"numpy": np.__version__}
        assert "no_such_framework" in missing["no_such_framework"]
        running["again"] = processes.Worker("again", processes.one_core())
        function = "stand_in:biased_step"
        settings = {"what": "two", "tolerance": 1e-6, "rounds": 3, "round_seconds": 1e-3, "order": random.Random(0)}
        found = race(running, function, {"bias": {}}, **settings)
        assert set(found["seconds"]) == {"numpy", "again"}
        assert all(len(times) == 3 and min(times) > 0 for times in found["seconds"].values())
        with pytest.raises(Disagreement, match="don't do the same work"):
            race(running, function, {"bias": {"again": 0.1}}, **settings)
        with pytest.raises(Disagreement, match="timed fairly"):
            race(running, function, {"bias": {}}, least_loss=3.0, **settings)
        with pytest.raises(WorkerFailed, match="numpy: AttributeError"):
            running["numpy"].call("benchmarks.networks:nothing_of_that_name")
        with pytest.raises(Missing):
            running["numpy"].call("benchmarks.networks:version", framework="no_such_framework")


@pytest.mark.usefixtures("_stand_in")
def test_a_worker_has_one_thread_and_one_core():
    with worker("numpy") as one:
        assert one.call("os:getenv", key="OPENBLAS_NUM_THREADS") == "1"
        if processes.one_core() is not None:
            assert one.call("stand_in:own_cores") == [processes.one_core()]


def test_a_chain_is_measured():
    times = chain.measure(operations=50, collect=False, times=2)
    assert set(times) == {"numpy", "forward", "backward", "free", "total"}
    assert times["total"] == pytest.approx(times["forward"] + times["backward"] + times["free"], rel=0.9)


def test_memory_is_measured():
    assert memory.peak() > 2**20
    assert memory.resident() > 2**20


@pytest.mark.parametrize("name", autodiff.STEPS)
def test_the_gradients_of_a_chain_agree(name):
    pytest.importorskip("autograd")
    ours, theirs = (autodiff.make_gradient(framework, name)() for framework in ("mytorch", "autograd"))
    check_agreement({"mytorch": [ours], "autograd": [theirs]}, 1e-9, name)


def a_run_of_autodiff(**changed) -> dict:
    seconds = {"mytorch": [1e-3] * 3, "autograd": [2e-3] * 3}
    result = {
        "versions": {}, "missing": {}, "rounds": 3,
        "cases": [{"step": "sin(x)", "seconds": seconds, "ratio": ratio(seconds["mytorch"], seconds["autograd"])}],
        "gradients": dict.fromkeys(autodiff.GRADIENTS, spread([2.0])),
        "memory": [{"mode": "forward", "operations": n, "arrays": 5.0} for n in (100, 1000)],
        "chains": {"1000": 1e-6, "10000": 1e-6},
        "shapes": {name: spread([0.02]) for name in ("hessian, 50 inputs", "jacobian of a curve fit", "operation: sin")},
    }  # fmt: skip
    return json.loads(json.dumps({**result, **changed}))


def test_targets_of_automatic_differentiation():
    result = a_run_of_autodiff()
    assert not autodiff.missed(result)
    assert any("2.00 µs" in line and "4.00 µs" in line and "0.50" in line for line in autodiff.lines(result))
    slow = a_run_of_autodiff(gradients=dict.fromkeys(autodiff.GRADIENTS, spread([3.5])), chains={"1": 1e-6, "2": 3e-6})
    assert [line.split()[1] for line in autodiff.missed(slow)] == ["3.50", "the"]
    assert "8 products" in autodiff.missed(slow)[0]
    (line,) = autodiff.missed(a_run_of_autodiff(cases=[{"step": "a", "seconds": {}, "ratio": [0.7, 0.7, 0.7]}]))
    assert "0.70 of HIPS autograd" in line
    shapes = {
        "jacobian, 50 inputs": spread([0.3]),
        "jacobian of a curve fit": spread([0.03]),
        "operation: sin": spread([1.6]),
    }
    slower = autodiff.missed(a_run_of_autodiff(shapes=shapes))
    assert [line.split("target ")[1] for line in slower] == ["0.2)", "0.02)", "1.5)", "0.85)"]
    grown = [{"mode": "forward", "operations": 1, "arrays": n} for n in (5.0, 500.0)]
    assert "from 5 to 500" in autodiff.missed(a_run_of_autodiff(memory=grown))[0]


def test_automatic_differentiation_without_autograd_is_measured_and_says_so(monkeypatch):
    monkeypatch.setattr(autodiff, "worker", lambda name: nullcontext(SimpleNamespace(call=lambda what, **_: what)))
    reason = "No module named 'autograd'"
    monkeypatch.setattr(autodiff, "workers", lambda *_: nullcontext(({}, {}, {"autograd": reason})))
    result = autodiff.run(Settings(quick=True))
    assert result["cases"] == []
    whole = a_run_of_autodiff(cases=[], missing=result["missing"], shapes={})
    assert f"HIPS autograd is left out: it is not installed ({reason})." in autodiff.lines(whole)
    assert not autodiff.missed(whole)


@pytest.mark.slow
def test_gradients_memory_and_long_chains_are_measured():
    assert set(autodiff.gradients(rounds=1)) == set(autodiff.GRADIENTS)
    modes = [one["mode"] for one in autodiff.memory(longest=200, numbers=1000)]
    assert modes.count("forward") == 2
    assert modes[3:8:2] == [f"reverse, {n} checkpointed segments" for n in (4, 8, 16)]
    assert list(autodiff.long_chains(longest=10_000)) == ["1000", "10000"]


def test_operations_jacobians_and_hessians_are_those_of_autograd():
    pytest.importorskip("autograd")
    found = autodiff.shapes(rounds=1, quick=True)  # refuses values that disagree
    assert "hessian, 50 inputs" in found
    assert any(name.startswith("operation") for name in found)


def test_every_comparison_has_what_the_command_line_needs():
    assert cli.names() == ["autodiff", "chain", "memory", "static_graph", "text", "training_step"]
    for module in (autodiff, chain, memory, static_graph, text, training_step):
        assert module.TITLE
        assert all(callable(getattr(module, name)) for name in ("check", "run", "lines", "missed"))


def test_text_names_what_it_missed_and_what_it_left_out():
    found = {"names": {"epochs": 2, "loss": 2.2, "trigram": 2.1}}
    assert "MYTORCH_BENCH_SENTENCES" in text.lines(found)[-1]
    assert text.missed(found) == ["names: loss 2.2000, the trigram model has 2.1000"]
    found = {"names": {"epochs": 2, "loss": 2.0, "trigram": 2.1}, "sentences": [0.7] * 5, "regression": [0.72] * 5}
    assert text.missed(found) == ["sentences: accuracy 70.00%, logistic regression 72.00%"]
    assert text.missed({**found, "regression": [0.705] * 5}) == []
    assert text.lines(found)[-2].split()[-1] == "70.00%"
    assert "left out" in "\n".join(text.lines({**{k: found[k] for k in ("names", "sentences")}, "missing": "none"}))


@pytest.mark.slow
def test_text_trains_on_names_and_in_folds(tmp_path):
    assert text.names(epochs=1)["loss"] < 2.5
    lines = [f"{word} thing {i}\t{label}" for i in range(30) for word, label in (("good", "yes"), ("bad", "no"))]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    assert len(text.sentences(str(tmp_path))) == 5
    pytest.importorskip("sklearn")
    assert text.regression(str(tmp_path)) == [1.0] * 5


def a_run_of_static_graphs(**more):
    seconds = {"numpy": [10.0, 10.0], "mytorch_numpy": [3.0, 3.0], "mytorch_c": [0.9, 0.9], "torch": [0.5, 0.5]}
    case = {"net": "64-32-10", "batch": 1, "dtype": "float32", "optimizer": "sgd", "seconds": seconds}
    values = {"extra": 0.006, "making": 0.002}
    empty = {"missing": {}, "library": {}, "memory": [], "ablation": [], "training": [], "planned": []}
    compiling = [{"framework": "mytorch_c", "net": "64-32-10", "values": values}]
    return {**empty, "cases": [case], "compiling": compiling, **more}


def test_tables_of_static_graphs_mark_missed_targets():
    result = a_run_of_static_graphs(library={"cold": 2.0, "warm": 0.001})
    text = "\n".join(static_graph.lines(result))
    assert "| net | 1 row |\n| --- | --- |\n| 64-32-10 | 0.30 / 0.09! |" in text
    assert "| 64-32-10 | 6.00! / 1.80! |" in text
    assert "JAX" not in text
    missed = static_graph.missed(result)
    assert [line.split(",")[0] for line in missed] == ["64-32-10"] * 4 + ["the C library"]
    assert "compiling took 6.00 ms" in missed[3]


def test_a_plan_takes_the_bytes_that_it_says():
    found = graph_costs.planned([20, 30, 10], 64)
    for kind in ("sum", "arena"):
        assert found[kind] <= found[f"{kind} measured"] <= found[kind] + 64 * 60
    assert found["arena"] < found["sum"] / 2
    assert found["replayed"] < 20_000


def test_unknown_choices_are_refused():
    with pytest.raises(BadRequest, match="There is no net 1-2-3; choose from"):
        Settings(filters={"net": ["1-2-3"]}).choose("net", training_step.NETS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fast"], "unrecognized arguments: --fast"),
        (["--rounds", "0"], "expected a whole number from 1"),
        (["--only", "speed"], "There is no comparison speed"),
        (["--net", "2-2"], "There is no net 2-2"),
        (["--json", "/proc/nothing/here.json"], "cannot be written"),
        (["--json", "/"], "Is a directory"),
    ],
)
def test_a_bad_request_gets_one_line_and_exit_code_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1
