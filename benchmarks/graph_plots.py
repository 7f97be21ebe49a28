"""The tables of docs/static_graph.md, printed, and its picture, drawn: ``python -m benchmarks.graph_plots``."""

from __future__ import annotations

import difflib
from pathlib import Path

import matplotlib
import numpy as np

import mytorch
from mytorch import Autograd, nn, optim
from mytorch.graph import PASSES, passes
from mytorch.graph.passes import TABLE
from mytorch.graph.plan import Plan, Value

matplotlib.use("Agg")
from matplotlib import pyplot as plt

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
COLOURS = {
    "forward": "#1f5fa8",
    "kept from forward to backward": "#3b8f5a",
    "backward": "#d1641a",
    "inside of one fused instruction": "#888888",
}


def recorded() -> Plan:
    """The plan of the page's network before any pass: 64-32-10 with sigmoid, 32 rows, float32."""
    engine = Autograd()
    layers = nn.Linear(64, 32, engine, rng=0, dtype=np.float32), nn.Linear(32, 10, engine, rng=1, dtype=np.float32)
    net, loss = nn.Sequential(layers[0], nn.Sigmoid(engine), layers[1]), nn.SoftmaxCrossEntropy(engine)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    step = mytorch.compile(lambda x, y: loss(y, net(x)), optimizer, passes=(), backend="numpy")
    rng = np.random.default_rng(0)
    step(rng.standard_normal((32, 64)).astype(np.float32), rng.integers(0, 10, 32))
    assert step.plan is not None
    return step.plan


def stages() -> list[tuple[str, Plan]]:
    """The plan as recorded and after each pass, with the pass's name."""
    found = [("", recorded())]
    for name in PASSES:
        found.append((name, TABLE[name](found[-1][1])))
    return found


def lines(plan: Plan, names: dict[Value, str]) -> list[str]:
    """One line for each instruction, in names that stay the same from pass to pass; ᵀ for what lies column by column."""
    found = []
    for i in plan.instructions:
        written = [*i.outputs, *i.writes]
        left = ", ".join(names[value] + "ᵀ" * (value in plan.transposed) for value in written)
        text = i.attrs["kind"] if i.op == "view" else " + ".join(part.op for part in i.parts) or i.op
        text = f"{left}{' = ' if left else ''}{text} {' '.join(names[value] for value in i.inputs)}"
        found.append(f"{text:<60}  {str(written[0].shape).replace(' ', '') if written else ''}".rstrip())
    return found


def changes(before: list[str], after: list[str]) -> list[str]:
    """The lines that a pass has taken out (-), those that stand there instead (+), and those that lie otherwise now (~)."""
    found: list[str] = []
    plain = [[line.replace("ᵀ", "").replace(" ", "") for line in text] for text in (before, after)]
    for tag, a, b, c, d in difflib.SequenceMatcher(a=plain[0], b=plain[1], autojunk=False).get_opcodes():
        if tag == "equal":
            found += [f"~ {new}" for old, new in zip(before[a:b], after[c:d]) if old != new]
        else:
            found += [f"- {line}" for line in before[a:b]] + [f"+ {line}" for line in after[c:d]]
    return found


def tables() -> dict[str, list[str]]:
    """The page's lists: ``recorded``, by each pass's name what it has changed, and ``all passes``."""
    plans = stages()
    names = plans[0][1].names()
    texts = [lines(plan, names) for _, plan in plans]
    found = {"recorded": texts[0], "all passes": texts[-1]}
    for number, (name, _) in enumerate(plans[1:], 1):
        found[name] = changes(texts[number - 1], texts[number])
    return found


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
    plans = stages()
    plan, names = plans[-1][1], plans[0][1].names()
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    first_backward = next(n for n, i in enumerate(plan.instructions) if "backward" in i.origin)
    inner = {value for instruction in plan.instructions for value in instruction.inner}
    used = lives(plan)
    # A value that is written over another one begins where that one ends.
    begins = {(plan.offsets[value], begin) for value, (begin, _) in used.items() if value not in inner}
    for value, (begin, end) in used.items():
        bottom = plan.offsets[value]
        right = end if end > begin and (bottom, end) in begins else end + 1
        colour = COLOURS[_side(value, inner, begin, end, first_backward)]
        corner = begin - 0.5, bottom
        axes.add_patch(plt.Rectangle(corner, right - begin, value.nbytes, facecolor=colour, edgecolor="white", lw=0.6))
        if value.nbytes >= 1000 and right - begin > 1:
            text = f"{names[value]} {value.shape[0]}×{value.shape[1]}" if right - begin > 3 else names[value]
            left = begin + 0.7 if right - begin > 8 else begin - 0.3
            axes.text(left, bottom + value.nbytes / 2, text, va="center", color="white", fontsize=8)
    axes.axvline(first_backward - 0.5, color="#555555", linestyle="--", linewidth=1)
    axes.text(first_backward - 0.3, plan.arena_bytes * 1.01, "the backward pass begins", fontsize=8, va="bottom")
    axes.set_xlim(-1, len(plan.instructions))
    axes.set_ylim(0, plan.arena_bytes * 1.2)
    axes.set_xlabel("instruction of the plan")
    axes.set_ylabel("byte of the arena")
    axes.set_title(f"{plans[-2][1].buffer_bytes:,} bytes of buffers in an arena of {plan.arena_bytes:,}", fontsize=11)
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour) for colour in COLOURS.values()]
    axes.legend(handles, COLOURS, frameon=False, loc="upper left", ncols=2, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / "static-graph-memory.png", dpi=130)
    plt.close(figure)


def _side(value: Value, inner: set[Value], begin: int, end: int, first_backward: int) -> str:
    if value in inner:
        return "inside of one fused instruction"
    if begin >= first_backward:
        return "backward"
    return "forward" if end < first_backward else "kept from forward to backward"


def main() -> None:
    """Print the list as recorded, what each pass changes, and the list at the end; draw the picture."""
    reports = passes.run(recorded(), PASSES).passes
    for name, text in tables().items():
        print(f"{name}:", *text, "", sep="\n")
    print(reports)
    memory()


if __name__ == "__main__":
    main()
