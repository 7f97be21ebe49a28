"""The pictures and tables of docs/distributed.md, drawn and entered: ``python -m benchmarks.distributed_plots``.

Takes the figures of ``python -m benchmarks --only distributed`` from its JSON file; the memory of checkpoints is measured here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np

from benchmarks import scaling
from benchmarks.cli import DEFAULT_JSON
from benchmarks.comparisons import distributed
from benchmarks.distributed_worker import BATCH, PARAMETERS, Silent, TimedWorld, Training
from benchmarks.stats import markdown
from mytorch import Autograd, nn

matplotlib.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parent.parent / "docs"
IMAGES, PAGE = DOCS / "images", DOCS / "distributed.md"
BLUE, GREEN, ORANGE, RED, GREY, LIGHT = "#1f5fa8", "#3b8f5a", "#d1641a", "#a33a5b", "#777777", "#e4e4e4"
BUCKET_COLOURS = [BLUE, GREEN, ORANGE, RED]

# The plan: a process has a node of this many cores, each as fast as the measured one, and a network card of its own.
CORES = 32
COUNTS = [2**k for k in range(11)]
NETWORKS = [10.0**k for k in range(5, 10)]
STRONG_ROWS, WEAK_ROWS = 16_384, 2_048  # rows of all processes together; of each process
PAYS = 0.5  # efficiency below which more processes are not worth it
DEPTHS = [2**k for k in range(2, 9)]
WIDTH, ROWS = 32, 2048


def traced() -> tuple[list[tuple[str, set[int]]], list[int], list[float]]:
    """The list of one step of the benchmark's network, for four processes.

    Returns (name of each operation and the buckets that its gradients go to, the operation that completes each bucket, MiB
    of each bucket).
    """
    run = Training(TimedWorld(SimpleNamespace(IN_PLACE=None), Silent(0, 4)), stage=0, overlap=True)
    run.step()
    slots = {id(parameter.gradient): number for number, parameter in enumerate(run.parallel.parameters)}
    bucket_of = {number: k for k, bucket in enumerate(run.parallel.buckets) for number in bucket.places}
    operations: list[tuple[str, set[int]]] = []
    completes = [len(run.engine.operation_list)] * len(run.parallel.buckets)
    for number, operation in enumerate(run.engine.operation_list):
        own = {bucket_of[slots[id(slot)]] for slot in operation.gradients_to_update if slot is not None}
        operations.append((operation.name, own))
        for bucket in own:
            completes[bucket] = min(completes[bucket], number)
    return operations, completes, [bucket.size * bucket.dtype.itemsize / 2**20 for bucket in run.parallel.buckets]


def buckets() -> None:
    """The list walked forward and back, and under it the buckets: filled, sent, waited for."""
    operations, completes, sizes = traced()
    n = len(operations)
    figure, axes = plt.subplots(figsize=(10, 4.4), layout="constrained")

    def box(
        left: float, right: float, row: float, colour: str, text: str = "", ink: str = "white", **style: Any
    ) -> None:
        axes.add_patch(plt.Rectangle((left, row - 0.36), right - left, 0.72, facecolor=colour, **style))
        axes.text((left + right) / 2, row, text, ha="center", va="center", color=ink, fontsize=7.5, linespacing=1.1)

    for number, (name, own) in enumerate(operations):
        text = f"{number}\n{'loss' if number == n - 1 else name.removesuffix('_backward').replace('_', chr(10))}"
        box(number, number + 0.95, 0, LIGHT, text, "#333333")
        back = 2 * n - 1 - number
        colour = BUCKET_COLOURS[min(own)] if own else LIGHT
        box(back, back + 0.95, 0, colour, text, "white" if own else "#333333")
    arrived = 0.0
    for bucket, size in enumerate(sizes):
        row, colour = -1 - bucket, BUCKET_COLOURS[bucket]
        begun = 2 * n - 1 - max(number for number, (_, own) in enumerate(operations) if bucket in own)
        full = 2.0 * n - completes[bucket]
        box(begun, full, row, "white", "filled", colour, edgecolor=colour, lw=1.2)
        start = max(full, arrived)
        arrived = start + 1.5 * size
        box(start + 0.08, arrived, row, colour, f"sent\n{size:.2f} MiB")
        label: dict[str, Any] = {
            "ha": "right",
            "va": "center",
            "fontsize": 9,
            "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2},
        }
        axes.text(begun - 0.2, row, f"bucket {bucket}", color=colour, zorder=3, **label)
    box(arrived + 0.2, arrived + 2.2, 0, GREY, "update")
    end = 2 * n
    axes.annotate("", (arrived, -5.0), (end, -5.0), arrowprops={"arrowstyle": "<->", "color": GREY})
    axes.text((arrived + end) / 2, -5.25, "waited", ha="center", va="top", fontsize=9, color="#333333")
    axes.axvline(end, color=GREY, linestyle="--", linewidth=1, ymax=0.86)
    axes.axvline(n - 0.025, color=GREY, linestyle="--", linewidth=1, ymax=0.86)
    for left, text in ((n / 2, "forward: the list grows"), (1.5 * n, "backward: the list is walked in reverse")):
        axes.text(left, 0.62, text, ha="center", fontsize=9, color="#333333")
    axes.set_xlim(-0.3, arrived + 2.6)
    axes.set_ylim(-5.6, 1.1)
    axes.axis("off")
    _save(figure, "distributed-buckets.png")


def measured(cases: list[dict[str, Any]]) -> None:
    """The parts of the measured steps as bars, the model's prediction as a mark."""
    stages, counts = sorted({row["stage"] for row in cases}), sorted({row["n"] for row in cases})
    figure, panels = plt.subplots(1, len(stages), figsize=(10, 4), sharey=True, layout="constrained")
    colours = {"forward": BLUE, "backward": GREEN, "update": GREY, "waited": ORANGE}
    for axes, stage in zip(np.atleast_1d(panels), stages):
        rows = [row for n in counts for row in cases if row["stage"] == stage and row["n"] == n]
        places = [2.6 * counts.index(row["n"]) + (row["way"] == "in turn") for row in rows]
        bottom = np.zeros(len(rows))
        for name, colour in colours.items():
            heights = np.array([row["parts"][name] * 1e3 for row in rows])
            axes.bar(places, heights, 0.85, bottom, color=colour, label=name, edgecolor="white", linewidth=0.5)
            bottom += heights
        predicted = [row["predicted"] * 1e3 for row in rows]
        axes.plot(places, predicted, "_", color="black", markersize=17, markeredgewidth=2, label="model")
        axes.set_xticks(places, ["o" if row["way"] == "overlap" else "t" for row in rows])
        for k, n in enumerate(counts):
            axes.text(
                2.6 * k + 0.5, -0.12, f"{n} process{'es' * (n > 1)}", transform=axes.get_xaxis_transform(), ha="center"
            )
        axes.set_title(f"stage {stage}", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", length=0)
    first = np.atleast_1d(panels)[0]
    first.set_ylabel("ms per step")
    first.set_ylim(0, first.get_ylim()[1] * 1.12)
    first.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    figure.supxlabel("o: sent while the backward pass runs (overlap)    t: sent in turn after it", fontsize=9)
    _save(figure, "distributed-measured.png")


def efficiency(n: int, parameters: float, flops: float, link: scaling.Link, strong: bool) -> float:
    """Share of the processes' time that is computing, each bucket of the best size."""
    rows = STRONG_ROWS / n if strong else WEAK_ROWS
    return scaling.planned(1, parameters, rows, flops, link, 1.0) / scaling.best(n, parameters, rows, flops, link)[0]


def last_that_pays(parameters: float, flops: float, link: scaling.Link, strong: bool) -> int:
    """The largest number of processes of COUNTS whose efficiency, as that of all smaller ones, is at least PAYS."""
    found = 1
    for n in COUNTS[1:]:
        if efficiency(n, parameters, flops, link, strong) < PAYS:
            break
        found = n
    return found


def plan(flops: float) -> None:
    """Strong and weak scaling on two interconnects, dashed where the efficiency is below PAYS."""
    figure, panels = plt.subplots(2, 2, figsize=(10, 7.4), sharex=True, layout="constrained")
    colours = [RED, ORANGE, GREEN, BLUE, "#333333"]
    for column, (name, link) in enumerate(scaling.INTERCONNECTS.items()):
        for row, strong in enumerate((True, False)):
            axes = panels[row][column]
            for parameters, colour in zip(NETWORKS, colours):
                shares = np.array([efficiency(n, parameters, flops, link, strong) for n in COUNTS])
                values = shares * COUNTS if strong else shares * 100
                end = COUNTS.index(last_that_pays(parameters, flops, link, strong))
                axes.plot(COUNTS[: end + 1], values[: end + 1], color=colour, lw=1.8, label=_power(parameters))
                axes.plot(COUNTS[end:], values[end:], color=colour, lw=1, linestyle=":")
                axes.plot(COUNTS[end], values[end], "o", color=colour, markersize=5)
            axes.set_xscale("log", base=2)
            axes.set_xticks(COUNTS, [str(n) for n in COUNTS])
            axes.spines[["top", "right"]].set_visible(False)
            if strong:
                axes.plot(COUNTS, COUNTS, color=GREY, lw=0.8, linestyle="--", zorder=0)
                axes.set_yscale("log", base=2)
                axes.set_ylim(0.5, 1400)
                axes.set_yticks(COUNTS, [str(n) for n in COUNTS])
                axes.set_title(f"{name}\n{STRONG_ROWS:,} rows in all (strong scaling)", fontsize=10)
            else:
                axes.axhline(100 * PAYS, color=GREY, lw=0.8, linestyle="--", zorder=0)
                axes.set_ylim(0, 104)
                axes.set_title(f"{WEAK_ROWS:,} rows in each process (weak scaling)", fontsize=10)
                axes.set_xlabel("processes")
    panels[0][0].set_ylabel("times as fast as one process")
    panels[1][0].set_ylabel("share of time that is computing, %")
    panels[0][0].legend(frameon=False, title="parameters", fontsize=9)
    figure.suptitle(
        f"A process computes {flops / 1e12:.2f} Tflop/s. Dots: the last count at {PAYS:.0%} or more", fontsize=11
    )
    _save(figure, "distributed-plan.png")


def plan_table(flops: float) -> list[str]:
    """For each network and interconnect the last number of processes that pays, and the best bucket with 64 processes."""
    header = ["parameters"]
    for name in scaling.INTERCONNECTS:
        header += [f"{name}: strong", "weak", "bucket with 64"]
    rows = []
    for parameters in NETWORKS:
        cells = [_power(parameters, "10^{}")]
        for link in scaling.INTERCONNECTS.values():
            cells += [str(last_that_pays(parameters, flops, link, strong)) for strong in (True, False)]
            size = min(scaling.best(64, parameters, WEAK_ROWS, flops, link)[1], parameters * scaling.FLOAT)
            cells.append(f"{size / 2**20:.3g} MiB")
        rows.append(cells)
    balance = [f"{scaling.rows_that_balance(flops, link):.0f} ({name})" for name, link in scaling.INTERCONNECTS.items()]
    return [
        *markdown(header, rows),
        "",
        f"Rows at which sending takes as long as the backward pass: {', '.join(balance)}.",
    ]


def peak_of_step(depth: int, segments: bool) -> int:
    """Peak bytes of a forward and a backward pass of so many layers Linear, Tanh, above the network's own."""
    engine = Autograd()
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(WIDTH, WIDTH, engine, rng=0, dtype=np.float32), nn.Tanh(engine)]
    net = nn.in_segments(layers) if segments else nn.Sequential(*layers)
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    tracemalloc.start()
    try:
        y = net(engine.data(x))
        engine.backward(np.ones_like(y))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def checkpoints() -> list[str]:
    """Draw the peak memory over the depth, with and without segments; returns it as a table."""
    array = ROWS * WIDTH * scaling.FLOAT
    peaks = {segments: [peak_of_step(depth, segments) / array for depth in DEPTHS] for segments in (False, True)}
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    for segments, colour, text in ((False, ORANGE, "everything kept"), (True, BLUE, "nn.in_segments(layers)")):
        axes.loglog(DEPTHS, peaks[segments], "o-", base=2, color=colour, label=text)
    scale = peaks[True][-1] / DEPTHS[-1] ** 0.5
    axes.loglog(DEPTHS, scale * np.sqrt(DEPTHS), base=2, color=GREY, linestyle="--", label="square root of the depth")
    axes.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    ticks = [2**k for k in range(3, 12)]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("depth: layers Linear and Tanh")
    axes.set_ylabel("peak memory of a step, in activations")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, "distributed-checkpoint.png")
    rows = [
        [str(depth), f"{kept:.0f}", f"{again:.0f}", f"{kept / again:.1f}"]
        for depth, kept, again in zip(DEPTHS, peaks[False], peaks[True])
    ]
    grows = [np.log2(peaks[segments][-1] / peaks[segments][-3]) / 2 for segments in (False, True)]
    return [
        *markdown(["depth", "everything kept", "in segments", "ratio"], rows),
        "",
        f"In arrays of {ROWS} × {WIDTH}. From depth {DEPTHS[-3]} to {DEPTHS[-1]} the peaks grow as depth^{grows[0]:.2f} and "
        f"depth^{grows[1]:.2f}.",
    ]


def rate(cases: list[dict[str, Any]]) -> float:
    """Floating-point operations per second of forward and backward passes in one process, from the measured steps."""
    (row,) = (row for row in cases if (row["n"], row["stage"], row["way"]) == (1, 0, "in turn"))
    return 6 * PARAMETERS * BATCH / (row["parts"]["forward"] + row["parts"]["backward"])


def entered(page: str, tables: dict[str, list[str]]) -> str:
    """The page with each table between the comments ``<!-- name -->`` and ``<!-- end -->``. Raises ValueError without them."""
    for name, lines in tables.items():
        parts = re.split(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", page, flags=re.S)
        if len(parts) != 2:
            raise ValueError(
                f"The page has {len(parts) - 1} places for {name}; expected one, from <!-- {name} --> to <!-- end -->."
            )
        page = "\n".join([*lines, ""]).join(parts)
    return page


def main() -> int:
    """Draw all pictures, print the tables and enter them into the page. Returns 2 where nothing has been measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed_plots", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path(DEFAULT_JSON), metavar="PATH", help="(default: %(default)s)")
    path = parser.parse_args().json
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        found, machine = report["results"]["distributed"], report["machine"]
        flops = rate(found["cases"]) * CORES
    except (OSError, ValueError, KeyError):
        print(
            f"{parser.prog}: {path} has no figures of training in many processes; measure them with: "
            f"python -m benchmarks --only distributed --json {path}",
            file=sys.stderr,
        )
        return 2
    IMAGES.mkdir(exist_ok=True)
    buckets()
    measured(found["cases"])
    plan(flops)
    where = f"{machine['cpu']} with {machine['cores']} cores; one thread in each process."
    one_core = f"One core computes {flops / CORES / 1e9:.1f} Gflop/s, a node of {CORES} {flops / 1e12:.2f} Tflop/s."
    tables = {
        "measured": [where, "", *distributed.lines(found)],
        "checkpoints": checkpoints(),
        "planned": [*plan_table(flops), one_core],
    }
    for name, lines in tables.items():
        print(f"{name}:", *lines, "", sep="\n")
    PAGE.write_text(entered(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    return 0


def _power(number: float, form: str = "$10^{{{}}}$") -> str:
    return form.format(round(np.log10(number)))


def _save(figure: Any, name: str) -> None:
    figure.savefig(IMAGES / name, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
