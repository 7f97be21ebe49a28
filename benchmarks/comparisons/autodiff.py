"""Automatic differentiation: time per operation beside HIPS autograd, gradients beside their functions, memory."""

from __future__ import annotations

import importlib
import random
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import geometric_mean, median
from typing import Any

import numpy as np

from benchmarks.processes import worker, workers
from benchmarks.race import race
from benchmarks.settings import Settings
from benchmarks.stats import Spread, duration, ratio, spread, table

TITLE = "Automatic differentiation of NumPy functions"

OPERATIONS = 500
WEIGHTS, MATRIX = np.linspace(0.5, 1.5, 10), np.eye(10)
# One step of a chain on ten numbers, in the framework's NumPy.
STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "sin(x)": lambda m, x: m.sin(x),
    "exp(x * 0.1)": lambda m, x: m.exp(x * 0.1),
    "tanh(x)": lambda m, x: m.tanh(x),
    "x + 1.0": lambda m, x: x + 1.0,
    "x * x": lambda m, x: x * x,
    "x * constant": lambda m, x: x * WEIGHTS,
    "x / 1.01": lambda m, x: x / 1.01,
    "dot(matrix, x)": lambda m, x: m.dot(MATRIX, x),
    "x[1:] and x[:1] joined": lambda m, x: m.concatenate([x[1:], x[:1]]),
}
QUICK_STEPS = ("sin(x)", "x * constant", "dot(matrix, x)")
# Upper limits of the figures.
PER_OPERATION = 0.6
GRADIENTS = {"12 elementwise steps, 200000 numbers": 4.0, "8 products of 400 x 400": 3.0, "solve, 400 x 400": None}
FLAT = 2.0
# The most that a time may be in times of HIPS autograd's in the same process; the curve fit in times of a pass per residual.
SHAPES = {"hessian": 0.35, "jacobian": 0.2, "jacobian of a curve fit": 0.02, "scalar chain": 0.35}
TYPICAL_OPERATION, ANY_OPERATION = 0.85, 1.5


def check(settings: Settings) -> None:
    """Any settings will do."""


def run(settings: Settings) -> dict[str, Any]:
    """Run the four parts. Without HIPS autograd the first is left out."""
    rounds = settings.rounds or (5 if settings.quick else 15)
    here = "benchmarks.comparisons.autodiff"
    with worker("mytorch") as one:
        settings.say("autodiff: gradients beside their functions")
        gradients = one.call(f"{here}:gradients", rounds=rounds)
        settings.say("autodiff: memory")
        memory = one.call(f"{here}:memory", longest=10_000 if settings.quick else 100_000)
        settings.say("autodiff: long chains")
        chains = one.call(f"{here}:long_chains", longest=100_000 if settings.quick else 1_000_000)
        settings.say("autodiff: operations, Jacobians and Hessians in one process with HIPS autograd")
        shapes = one.call(f"{here}:shapes", rounds=rounds, quick=settings.quick)
    beside = _beside_autograd(settings, rounds)
    return {**beside, "gradients": gradients, "memory": memory, "chains": chains, "shapes": shapes}


def _beside_autograd(settings: Settings, rounds: int) -> dict[str, Any]:
    cases: list[dict[str, Any]] = []
    with workers(["autograd", "mytorch"], "benchmarks.networks:version") as (running, versions, missing):
        for name in () if missing else QUICK_STEPS if settings.quick else STEPS:
            timed = race(
                running,
                "benchmarks.comparisons.autodiff:make_gradient",
                {"name": name},
                what=f"autodiff: {name}",
                tolerance=1e-9,
                rounds=rounds,
                round_seconds=0.01 if settings.quick else 0.025,
                order=random.Random(settings.seed),
                say=settings.say,
            )
            seconds = timed["seconds"]
            cases.append({"step": name, "seconds": seconds, "ratio": ratio(seconds["mytorch"], seconds["autograd"])})
    return {"versions": versions, "missing": missing, "rounds": rounds, "cases": cases}


def make_gradient(framework: str, name: str) -> Callable[[], float]:
    """Step that computes one gradient of a chain, forward and backward (in the worker), and returns its sum."""
    grad: Any
    if framework == "mytorch":
        from mytorch.autodiff import grad

        module: Any = np
    else:
        grad, module = importlib.import_module("autograd").grad, importlib.import_module("autograd.numpy")
    gradient = grad(chain([partial(STEPS[name], module)], OPERATIONS, module.sum))
    x = np.linspace(0.1, 0.9, 10)
    return lambda: float(np.abs(gradient(x)).sum())


def chain(steps: list[Callable], n: int, total: Callable = np.sum) -> Callable:
    """Function that applies n steps, taken in turn from a list, and returns the total."""

    def f(x: Any) -> Any:
        for i in range(n):
            x = steps[i % len(steps)](x)
        return total(x)

    return f


def gradients(rounds: int) -> dict[str, Spread]:
    """Time of a gradient over the time of its function (in the worker), both in turn in every round."""
    from mytorch.autodiff import grad

    x, generator = np.linspace(-1, 1, 200_000), np.random.default_rng(0)
    factors = [generator.standard_normal((400, 400)) / 20 for _ in range(4)]
    a, b = generator.standard_normal((2, 400, 400))
    steps: list[Callable] = [np.sin, lambda x: x * 1.5, np.exp, np.tanh, lambda x: x + 0.5, lambda x: x * x]
    functions = [
        (chain(steps, 12), x),
        (chain([partial(np.matmul, factor) for factor in factors], 8), factors[0] + 0.0),
        (lambda a: np.sum(np.linalg.solve(a, b)), a),
    ]
    found = {}
    for name, (f, start) in zip(GRADIENTS, functions):
        alone, both = alternate([partial(f, start), partial(grad(f), start)], rounds)
        found[name] = ratio(both, alone)
    return found


def shapes(rounds: int, quick: bool = False) -> dict[str, Spread]:
    """The ratios to HIPS autograd, by name, interleaved (in the worker); none if it is not installed."""
    from benchmarks import autodiff_shapes

    try:
        pairs = autodiff_shapes.pairs()
    except ImportError:
        return {}
    found = {}
    for number, (name, (ours, theirs)) in enumerate(pairs.items()):
        if quick and number % 5:
            continue
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-7, atol=1e-9)
        mine, others = alternate([ours, theirs], rounds)
        found[name] = ratio(mine, others)
    return found


def alternate(calls: list[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Seconds of each call in each round. Two more rounds come first to warm up."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 2):
        for call, found in zip(calls, seconds):
            begin = time.perf_counter()
            call()
            found.append(time.perf_counter() - begin)
    return [found[2:] for found in seconds]


def memory(longest: int, numbers: int = 5_000) -> list[dict[str, Any]]:
    """Peak memory, in arrays of the argument's size (in the worker): forward mode, reverse mode, checkpoints."""
    from mytorch.autodiff import checkpoint, grad, jvp

    x = np.linspace(0.1, 0.2, numbers)

    def arrays(call: Callable[[], Any]) -> float:
        tracemalloc.start()
        call()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most / x.nbytes

    found: list[dict[str, Any]] = []
    for n in (100, longest):
        forward = arrays(lambda n=n: jvp(chain([np.sin], n), (x,), (x,)))  # type: ignore[misc]
        found.append({"mode": "forward", "operations": n, "arrays": forward})
    for n in (16, 64, 256):
        root = round(n**0.5)
        segment = checkpoint(chain([np.sin], root, lambda x: x))
        kept, cut = (arrays(partial(grad(f), x)) for f in (chain([np.sin], n), chain([segment], root)))
        found.append({"mode": "reverse", "operations": n, "arrays": kept})
        found.append({"mode": f"reverse, {root} checkpointed segments", "operations": n, "arrays": cut})
    return found


def long_chains(longest: int) -> dict[str, float]:
    """Seconds per operation of one gradient of a chain on one number, for several lengths (in the worker)."""
    from mytorch.autodiff import grad

    found = {}
    for n in (10**3, 10**4, 10**5, 10**6):
        if n <= longest:
            times = max(1, 30_000 // n)
            begin = time.perf_counter()
            for _ in range(times):
                grad(chain([np.sin], n))(1.0)
            found[str(n)] = (time.perf_counter() - begin) / n / times
    return found


def lines(result: dict[str, Any]) -> list[str]:
    """Tables of all parts."""
    found: list[str] = []
    if result["cases"]:
        rows = [
            [case["step"], *(duration(median(case["seconds"][name]) / OPERATIONS) for name in ("mytorch", "autograd"))]
            + [str(Spread(*case["ratio"]))]
            for case in result["cases"]
        ]
        rows.append(["median of the ratios", "", "", f"{_typical(result):.2f}"])
        found += table(["one operation, forward and backward", "mytorch", "HIPS autograd", "ratio"], rows)
        found += [
            "",
            f"Chains of {OPERATIONS} on ten numbers, a process each. Target: the median at most {PER_OPERATION}.",
        ]
    found += [f"HIPS autograd is left out: it is not installed ({reason})." for reason in result["missing"].values()]
    rows = [
        [name, str(Spread(*result["gradients"][name])), "" if most is None else f"{most:.1f}"]
        for name, most in GRADIENTS.items()
    ]
    found += ["", *table(["time of grad(f) / time of f", "ratio", "at most"], rows)]
    rows = [[name, str(Spread(*one)), f"{_most(name):.2f}"] for name, one in result["shapes"].items()]
    if rows:
        rows.append(
            ["geometric mean of the operations", f"{_typical_operation(result):.2f}", f"{TYPICAL_OPERATION:.2f}"]
        )
        found += ["", *table(["time beside HIPS autograd's", "ratio", "at most"], rows)]
        found += ["", "In one process, in turn. The curve fit is compared with one backward pass for each residual."]
    rows = [[one["mode"], f"{one['operations']:,}", f"{one['arrays']:.1f}"] for one in result["memory"]]
    found += ["", *table(["peak memory along a chain", "operations", "arrays"], rows)]
    rows = [[f"{int(n):,}", duration(seconds)] for n, seconds in result["chains"].items()]
    return [*found, "", *table(["length of a chain", "per operation, both ways"], rows)]


def missed(result: dict[str, Any]) -> list[str]:
    """Sentences about the missed targets."""
    found = []
    if result["cases"] and _typical(result) > PER_OPERATION:
        found.append(f"autodiff: {_typical(result):.2f} of HIPS autograd's time per operation (target {PER_OPERATION})")
    for name, most in GRADIENTS.items():
        if most is not None and Spread(*result["gradients"][name]).median > most:
            found.append(
                f"autodiff: {Spread(*result['gradients'][name])} functions per gradient of {name} (target {most})"
            )
    for name, one in result["shapes"].items():
        if Spread(*one).median > _most(name):
            found.append(f"autodiff: {name} takes {Spread(*one)} of the time beside it (target {_most(name)})")
    if result["shapes"] and _typical_operation(result) > TYPICAL_OPERATION:
        found.append(
            f"autodiff: operations take {_typical_operation(result):.2f} of HIPS autograd's time (target {TYPICAL_OPERATION})"
        )
    forward = [one["arrays"] for one in result["memory"] if one["mode"] == "forward"]
    if forward[-1] > forward[0] + 4:
        found.append(f"autodiff: forward mode's memory grows from {forward[0]:.0f} to {forward[-1]:.0f} arrays")
    times = list(result["chains"].values())
    if times[-1] > FLAT * times[0]:
        found.append(f"autodiff: the time per operation grows {times[-1] / times[0]:.2f} times (target {FLAT})")
    return found


def _most(name: str) -> float:
    """The target of a ratio: that of the longest key which its name begins with."""
    return SHAPES[max(filter(name.startswith, SHAPES), key=len)] if not name.startswith("operation") else ANY_OPERATION


def _typical_operation(result: dict[str, Any]) -> float:
    medians = [Spread(*one).median for name, one in result["shapes"].items() if name.startswith("operation")]
    return geometric_mean(medians) if medians else 0.0


def _typical(result: dict[str, Any]) -> float:
    return spread(Spread(*case["ratio"]).median for case in result["cases"]).median
