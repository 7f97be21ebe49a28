"""Training in 1, 2 and 4 processes: a step and its parts, bytes sent, memory, and all of it beside what a model predicts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from statistics import median
from typing import Any

import numpy as np

from benchmarks import scaling
from benchmarks.distributed_worker import BATCH, PARAMETERS, PARTS, SIZES
from benchmarks.processes import ONE_THREAD, ROOT, WorkerFailed
from benchmarks.settings import Settings
from benchmarks.stats import duration, markdown

TITLE = f"Training in many processes: {'-'.join(map(str, SIZES))}, {BATCH} rows in all, float32, Adam"

PROCESSES, STAGES, WAYS = (1, 2, 4), (0, 1, 2), ("overlap", "in turn")
EXCHANGED = [1 << k for k in range(14, 23)]  # bytes, from 16 KiB to 4 MiB
ROUNDS = 15
# The model may be off by this share of the measured step. Buckets are filled up to a multiple of the processes, which may add
# this share to the bytes sent.
TARGET, FILLED = 0.25, 0.01
# glibc keeps what is freed for later; with this it gives arrays from 64 KiB on back to the system at once.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}
MIB = 2**20


def check(settings: Settings) -> None:
    """Any settings will do."""


def missing() -> str | None:
    """The sentence that says why nothing can be measured; None where it can."""
    if importlib.util.find_spec("mpi4py") is None or _mpiexec() is None:
        return 'Left out: there is no mpi4py with an mpiexec; pip install -e ".[distributed]" brings both.'
    return None


def run(settings: Settings) -> dict[str, Any]:
    """Measure each number of processes in a run of its own, and memory in a fresh one for each stage."""
    reason = missing()
    if reason:
        return {"missing": reason}
    rounds = settings.rounds or (4 if settings.quick else ROUNDS)
    counts = PROCESSES[:2] if settings.quick else PROCESSES
    found: dict[str, Any] = {"rounds": rounds, "cases": [], "memory": [], "exchanges": {}, "own_work": {}}
    for n in counts:
        settings.say(f"distributed: {n} processes")
        sizes = EXCHANGED[::3] if settings.quick else EXCHANGED
        measured = launch(n, "measure", sizes=sizes, rounds=rounds)
        links = fits(n, measured["alone"]) if n > 1 else {}
        own_work = {name: share_of_own_work(times) for name, times in measured["together"].items()}
        found["cases"] += [case(n, stage, way, measured, links, own_work) for stage in STAGES for way in WAYS]
        if n > 1:
            found["exchanges"][str(n)] = exchange_table(n, measured["alone"], links)
            found["own_work"][str(n)] = own_work
        found["buckets"] = measured["buckets"]
        for stage in () if settings.quick and n == 1 else STAGES[-1:] if settings.quick else STAGES:
            settings.say(f"distributed: memory of {n} processes, stage {stage}")
            kept = launch(n, "memory", stage=stage)
            given_back = launch(n, "memory", GIVE_BACK, stage=stage)["peak"]
            found["memory"].append({"n": n, "stage": stage, **kept, "peak, given back": given_back})
    return found


def launch(n: int, what: str, variables: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """The answer of ``benchmarks.distributed_worker`` in n processes. Raises WorkerFailed with its last words."""
    environment = {**os.environ, **ONE_THREAD, **(variables or {})}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    request = json.dumps([what, arguments])
    command = [str(_mpiexec()), "-n", str(n), sys.executable, "-m", "benchmarks.distributed_worker", request]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["none"]
        raise WorkerFailed(
            f"{n} processes under mpiexec ended with code {done.returncode}. Their last words: {words[-1]}"
        )
    return json.loads(done.stdout)


def fits(n: int, alone: dict[str, list[float]]) -> dict[str, scaling.Link]:
    """The latency and bandwidth of each kind of exchange, from the medians of the measured times."""
    links = {}
    for name, trips in scaling.TRIPS.items():
        times = {int(key.split()[1]): median(of) for key, of in alone.items() if key.split()[0] == name}
        links[name] = scaling.fit(n, list(times), list(times.values()), trips)
    return links


def share_of_own_work(times: list[list[float]]) -> float:
    """The share of an exchange that computing does not hide, from times of (computing, both at once, exchange)."""
    return float(np.clip(median((both - one) / other for one, both, other in times), 0, 1))


def case(
    n: int,
    stage: int,
    way: str,
    measured: dict[str, Any],
    links: dict[str, scaling.Link],
    own_work: dict[str, float],
) -> dict[str, Any]:
    """One row: the median step and its parts, measured and predicted, and the bytes sent.

    The prediction knows the step with nothing sent and the exchanges alone, not the step that it predicts.
    """
    steps = [slowest(step) for step in measured["steps"][f"{stage} {way}"]]
    silent = [slowest(step) for step in measured["steps"][f"{stage} silent"]]
    predictions = [predict(n, stage, way == "overlap", one, measured["buckets"], links, own_work) for one in silent]
    return {
        "n": n,
        "stage": stage,
        "way": way,
        "parts": {name: median(step[i] for step in steps) for i, name in enumerate(PARTS)},
        "seconds": median(step[PARTS.index("total")] for step in steps),
        "computing": median(step[PARTS.index("total")] for step in silent),
        "predicted": median(predictions),
        "sent": measured["sent"][f"{stage} {way}"],
    }


def slowest(step: list[list[float]]) -> list[float]:
    """The seconds of the process for which a step took longest."""
    return max(step, key=lambda process: process[PARTS.index("total")])


def predict(
    n: int,
    stage: int,
    overlap: bool,
    silent: list[float],
    buckets: list[int],
    links: dict[str, scaling.Link],
    own_work: dict[str, float],
) -> float:
    """Seconds of a step, from those of a step with nothing sent (as ``Training.step`` gives them) and from the links."""
    forward, backward, update, waited = silent[:4]
    if n == 1:
        return forward + backward + update + waited
    name, second = scaling.EXCHANGES[stage]
    lengths = [scaling.ring(n, size, links[name], scaling.TRIPS[name]) for size in buckets]
    if overlap:
        backward = scaling.overlapped(backward, silent[len(PARTS) :], lengths, own_work[name])
    else:
        backward += sum(lengths)
    weights = sum(scaling.ring(n, size, links[second], scaling.TRIPS[second]) for size in buckets) if second else 0.0
    return forward + backward + update + waited + weights


def exchange_table(n: int, alone: dict[str, list[float]], links: dict[str, scaling.Link]) -> list[dict[str, Any]]:
    """For each kind of exchange its link and the largest error of the fit over the sizes."""
    rows = []
    for name, link in links.items():
        errors = []
        for key, times in alone.items():
            kind, size = key.split()
            if kind == name:
                errors.append(abs(scaling.ring(n, int(size), link, scaling.TRIPS[name]) / median(times) - 1))
        rows.append({
            "name": name, "latency": link.latency, "bandwidth": link.bandwidth, "median error": median(errors),
            "largest error": max(errors),
        })  # fmt: skip
    return rows


def bound(n: int) -> float:
    """The least bytes that each of n processes has to send to sum the gradients: 2 (n - 1) / n of the parameters'."""
    return 2 * (n - 1) / n * PARAMETERS * scaling.FLOAT


def error(row: dict[str, Any]) -> float:
    """The model's error as a share of the measured step."""
    return row["predicted"] / row["seconds"] - 1


def lines(found: dict[str, Any]) -> list[str]:
    """Four tables in Markdown."""
    if "missing" in found:
        return [found["missing"]]
    rows = []
    for row in found["cases"]:
        parts = row["parts"]
        rows.append([
            str(row["n"]), str(row["stage"]), row["way"], duration(row["seconds"]),
            *(duration(parts[name]) for name in ("forward", "backward", "waited", "update")),
            duration(row["predicted"]), f"{error(row):+.0%}{'!' * (abs(error(row)) > TARGET)}",
            f"{row['sent'] / MIB:.2f} MiB", f"{row['sent'] / bound(row['n']):.3f}" if row["n"] > 1 else "",
        ])  # fmt: skip
    header = [
        "processes",
        "stage",
        "sent",
        "step",
        "forward",
        "backward",
        "waited",
        "update",
        "model",
        "error",
        "bytes",
    ]
    links = []
    for n, fitted in found["exchanges"].items():
        for row in fitted:
            share = found["own_work"][n].get(row["name"])
            errors = [f"{row['median error']:.0%}", f"{row['largest error']:.0%}"]
            link = [duration(row["latency"]), f"{row['bandwidth'] / 1e9:.2f} GB/s"]
            links.append([n, row["name"], *link, *errors, "" if share is None else f"{share:.0%}"])
    sizes = ("state", "peak", "peak, given back")
    memory = [
        [str(row["n"]), str(row["stage"]), *(f"{row[name] / MIB:.2f} MiB" for name in sizes)] for row in found["memory"]
    ]
    return [
        *markdown([*header, "bytes / bound"], rows),
        "",
        f"Medians of {2 * found['rounds']} steps in random order. Each step and its parts are those of its "
        "slowest process.",
        f"Buckets: {', '.join(f'{size / MIB:.2f} MiB' for size in found['buckets'])}. Bound: 2 (n - 1) / n of the parameters' "
        f"{PARAMETERS * scaling.FLOAT / MIB:.2f} MiB.",
        "",
        *markdown(["processes", "exchange", "latency", "bandwidth", "median error", "largest", "not hidden"], links),
        "",
        f"A ring fitted to exchanges of {EXCHANGED[0] >> 10} KiB to {EXCHANGED[-1] // MIB} MiB; errors of the fit. Not hidden: "
        "the share of an exchange",
        "that computing at the same time does not hide, because the process itself copies and adds.",
        "",
        *markdown(["processes", "stage", *sizes], memory),
        "",
        "State: bytes of the optimiser's. Peak: resident memory above what the process held before the network was made.",
        f"Given back: with {' '.join('='.join(pair) for pair in GIVE_BACK.items())}, so that freed arrays leave the process.",
    ]


def missed(found: dict[str, Any]) -> list[str]:
    """The cells in which the model is off by more than its target, and stages that send or keep more than they should."""
    if "missing" in found:
        return []
    told = []
    for row in found["cases"]:
        where = f"{row['n']} processes, stage {row['stage']}, {row['way']}"
        if abs(error(row)) > TARGET:
            told.append(f"{where}: the model is off by {error(row):+.0%} (target {TARGET:.0%})")
        # Stage 1 sums whole gradients and then sends its weights on: half as much again.
        allowed = bound(row["n"]) * (1.5 if row["stage"] == 1 else 1) * (1 + FILLED)
        if row["sent"] > allowed:
            told.append(f"{where}: {row['sent']} bytes are sent (bound {allowed:.0f})")
    for row in found["memory"]:
        allowed = 2 * PARAMETERS * scaling.FLOAT / (row["n"] if row["stage"] else 1) * (1 + FILLED)
        if row["state"] > allowed:
            told.append(
                f"{row['n']} processes, stage {row['stage']}: {row['state']} bytes of state (bound {allowed:.0f})"
            )
    return told


def _mpiexec() -> str | None:
    """The mpiexec beside this Python, which belongs to its mpi4py, or else the first one on the path."""
    return shutil.which("mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
