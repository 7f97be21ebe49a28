"""mlp_runner.py --distributed: the result of one process, resumed on another number of them, and its troubles."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hw_bonus import checkpoint
from tests.clocks import at_most, patience
from tests.distributed.launch import ROOT, needs_mpi, ours, run, start

pytestmark = [needs_mpi, pytest.mark.slow]

RUNNER = ROOT / "hw_bonus" / "mlp_runner.py"
COMMON = ("--hidden", "20,10", "--no-plots", "--dtype", "float64", "--batch-size", 31)


def results(folder: Path) -> tuple[dict, dict]:
    metrics = json.loads((folder / "metrics.json").read_text())
    _, arrays = checkpoint.load(folder / "checkpoint.npz")
    return metrics, {f"{group}/{name}": array for group in arrays for name, array in arrays[group].items()}


def assert_equal(one: Path, other: Path, rtol: float) -> None:
    """Equal histories and weights; the checkpoints have the same arrays."""
    (metrics, arrays), (metrics_2, arrays_2) = results(one), results(other)
    for name, column in metrics["history"].items():
        np.testing.assert_allclose(metrics_2["history"][name], column, rtol=rtol, atol=1e-12)
    assert metrics["test_errors"] == metrics_2["test_errors"]
    assert arrays.keys() == arrays_2.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(arrays_2[name], array, rtol=0, atol=rtol * max(1e-3, np.abs(array).max()))


@pytest.mark.parametrize(("processes", "stage"), [(2, 0), (3, 2)])
def test_the_result_is_that_of_one_process(tmp_path: Path, processes: int, stage: int) -> None:
    """Dropout, noise, dropped pixels, decay, schedule and clipping included, over 160 steps."""
    more = ("--epochs", 4, "--clip-norm", 1)
    run(1, RUNNER, *COMMON, *more, "--eager", "--out", tmp_path / "one")
    out, err = run(processes, RUNNER, *COMMON, *more, "--distributed", "--shard", stage, "--out", tmp_path / "many")
    assert ours(err) == []
    assert out.count("epoch 4/4") == 1, "one process prints"
    # Rounding grows with the steps; Adam divides by small numbers.
    assert_equal(tmp_path / "one", tmp_path / "many", 1e-7)
    assert results(tmp_path / "many")[0]["backend"] == f"eager, in {processes} processes"


def test_a_sharded_run_is_resumed_on_another_number_of_processes(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    run(1, RUNNER, *COMMON, "--epochs", 4, "--eager", "--out", whole)
    first = ("--epochs", 4, "--distributed", "--shard", 2, "--stop-after", 1, "--out", part)
    run(3, RUNNER, *COMMON, *first)
    saved = part / "checkpoint.npz"
    run(2, RUNNER, "--resume", saved, "--no-plots", "--distributed", "--shard", 1, "--stop-after", 2, "--out", part)
    run(1, RUNNER, "--resume", saved, "--no-plots", "--eager", "--out", part)
    assert_equal(whole, part, 1e-7)


def test_ctrl_c_stops_all_after_the_same_step_and_keeps_the_model(tmp_path: Path) -> None:
    command = (*COMMON, "--epochs", 200, "--distributed", "--out", tmp_path, "--save", tmp_path / "run.npz")
    process = start(3, RUNNER, *command)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch  10") or line.startswith("epoch  20"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 130, err
    assert "best model so far" in out
    assert ours(err) == []
    meta, _ = checkpoint.load(tmp_path / "run.npz")
    assert meta["epoch"] >= 10


def test_a_killed_process_ends_all_and_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    saved = tmp_path / "run.npz"
    process = start(3, RUNNER, *COMMON, "--epochs", 200, "--distributed", "--out", tmp_path, "--save", saved)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch  10"):
            break
    victim = children(process.pid)[-1]
    with at_most(20):
        os.kill(victim, signal.SIGKILL)
        process.communicate(timeout=patience(60))
    assert process.returncode != 0
    meta, _ = checkpoint.load(saved)
    assert meta["epoch"] >= 9
    run(2, RUNNER, "--resume", saved, "--epochs", meta["epoch"] + 1, "--no-plots", "--distributed", "--out", tmp_path)


def children(pid: int) -> list[int]:
    """The Python processes below a process."""
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if int(fields[1]) == parent:
                    waiting.append(int(entry.name))
                    if os.fsencode(RUNNER) in command and b"mpiexec" not in command and b"proxy" not in command:
                        found.append(int(entry.name))
    return sorted(found)


def refusal(processes: int, *arguments: object, code: int, program: object = RUNNER) -> str:
    """The one line of a run that ends in an error."""
    began = time.monotonic()
    _, err = run(processes, program, *arguments, code=code)
    assert time.monotonic() - began < patience(60)
    (line,) = ours(err)
    return line


def test_bad_input_and_a_diverging_loss_are_told_once(tmp_path: Path) -> None:
    line = refusal(3, "--distributed", "--data", tmp_path / "nowhere", "--out", tmp_path, code=2)
    assert "does not exist" in line
    line = refusal(2, "--distributed", "--hidden", "0", code=2)
    assert "'0' was given" in line
    more = ("--optimizer", "sgd", "--lr", 1e30, "--dropout", 0)
    assert "smaller --lr" in refusal(3, *COMMON, *more, "--distributed", "--out", tmp_path, code=1)
    assert "--distributed" in refusal(1, "--shard", 1, code=2)


# A program that changes something in process 1, then runs mlp_runner.
ODD = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from mpi4py import MPI
odd = MPI.COMM_WORLD.Get_rank() == 1
import mytorch
from hw_bonus import datasets, mlp_runner, parallel
{change}
sys.argv[0] = "odd.py"
sys.exit(mlp_runner.main())
"""
CHANGES = {
    "if odd: mytorch.__version__ = '0.0'": "process 1 has other versions than process 0",
    "if odd: sys.argv += ['--seed', '5']": "process 1 has other options than process 0",
    "load = datasets.load\n"
    "if odd: datasets.load = lambda *a: load(*a[:3], 7)": "process 1 has other data than process 0",
    "step = parallel.Team.step\n"
    "if odd: parallel.Team.step = lambda self, run, opts, x, y: step(self, run, opts, x * np.nan, y)": "loss of process 1",
    "def broken(*_): raise ValueError('a bug\\nof mine')\n"
    "if odd: parallel.Team.step = broken": "process 1 stopped with ValueError: a bug of mine",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_in_one_process_is_named(tmp_path: Path, change: str) -> None:
    program = tmp_path / "odd.py"
    program.write_text(ODD.format(root=str(ROOT), change=change))
    code = 1 if "step" in change else 2
    with at_most(30):
        line = refusal(3, *COMMON, "--distributed", "--out", tmp_path, code=code, program=program)
    assert CHANGES[change] in line


def test_without_mpi4py_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mpi4py.py").write_text("raise ImportError('hidden for a test')")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    code = "import sys; from hw_bonus import mlp_runner; sys.exit(mlp_runner.main(['--distributed']))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert 'pip install -e ".[distributed]"' in line
