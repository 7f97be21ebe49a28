"""The tables of docs/static_graph.md, printed, and its picture, drawn: ``python -m benchmarks.graph_plots``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.graph import PASSES
from mytorch.graph.plan import Plan, Value

matplotlib.use("Agg")
from matplotlib import pyplot as plt

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
COLOURS = {"forward": "#1f5fa8", "backward": "#d1641a", "both": "#3b8f5a", "inner": "#777777"}


def plan_of(passes: tuple[str, ...] = PASSES) -> Plan:
    """The plan of the page's network: 64-32-10 with sigmoid, 32 rows, float32."""
    engine = Autograd()
    layers = nn.Linear(64, 32, engine, rng=0, dtype=np.float32), nn.Linear(32, 10, engine, rng=1, dtype=np.float32)
    net, loss = nn.Sequential(layers[0], nn.Sigmoid(engine), layers[1]), nn.SoftmaxCrossEntropy(engine)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optimizer, passes=passes, backend="numpy")
    rng = np.random.default_rng(0)
    step(rng.standard_normal((32, 64)).astype(np.float32), rng.integers(0, 10, 32))
    assert step.plan is not None
    return step.plan


def lives(plan: Plan) -> dict[Value, tuple[int, int]]:
    """The first and the last instruction in which each buffer of the arena is needed."""
    root: dict[Value, Value] = {}
    found: dict[Value, tuple[int, int]] = {}
    for number, instruction in enumerate(plan.instructions):
        if instruction.op == "view":
            root[instruction.output] = root.get(instruction.inputs[0], instruction.inputs[0])
        for value in (*instruction.inputs, *instruction.outputs):
            value = root.get(value, value)
            if value in plan.offsets:
                found[value] = found.get(value, (number, number))[0], number
        found.update((value, (number, number)) for value in instruction.inner)
    return found


def memory() -> None:
    """Each buffer as a bar: over the instructions that need it, at its place in the arena."""
    plan = plan_of()
    figure, axes = plt.subplots(figsize=(8.5, 4.6), layout="constrained")
    names = plan.names()
    first_backward = next(n for n, i in enumerate(plan.instructions) if "backward" in i.origin)
    for value, (begin, end) in lives(plan).items():
        if value.nbytes < 128:
            continue
        inner = any(value in instruction.inner for instruction in plan.instructions)
        side = (
            "inner"
            if inner
            else "both"
            if begin < first_backward <= end
            else "forward"
            if begin < first_backward
            else "backward"
        )
        bottom = plan.offsets[value]
        bar: Any = plt.Rectangle(
            (begin - 0.5, bottom), end - begin + 1, value.nbytes, facecolor=COLOURS[side], edgecolor="white", alpha=0.85
        )
        axes.add_patch(bar)
        if value.nbytes >= 1000 and not inner:
            label = f"{names[value]} {value.shape[0]}×{value.shape[1]}" if len(value.shape) == 2 else names[value]
            axes.text(begin - 0.3, bottom + value.nbytes / 2, label, va="center", color="white", fontsize=7)
    axes.axvline(first_backward - 0.5, color="#777777", linestyle="--", linewidth=1)
    axes.text(first_backward - 0.4, plan.arena_bytes * 1.01, "backward pass", fontsize=8, color="#777777", va="bottom")
    axes.set_xlim(-1, len(plan.instructions))
    axes.set_ylim(0, plan.arena_bytes * 1.08)
    axes.set_xlabel("instruction of the plan")
    axes.set_ylabel("byte of the arena")
    before = plan.passes[-1].nbytes[0]
    axes.set_title(
        f"Buffers of one step: {before:,} bytes one by one, {plan.arena_bytes:,} in the arena\n"
        "blue: forward, orange: backward, green: kept from forward to backward, grey: inside of one fused instruction",
        fontsize=10,
    )
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / "static-graph-memory.png", dpi=130)
    plt.close(figure)


def main() -> None:
    """Print the list before and after the passes, and draw the picture."""
    for count in range(len(PASSES) + 1):
        plan = plan_of(PASSES[:count])
        print(f"\nAfter {PASSES[count - 1]}:" if count else "As recorded:", plan, sep="\n")
    print("", plan_of().passes, sep="\n")
    memory()


if __name__ == "__main__":
    main()
