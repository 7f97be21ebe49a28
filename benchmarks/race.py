"""Race of the same step in several frameworks: a check that they agree, then rounds in random order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.processes import Worker


class Disagreement(RuntimeError):
    """Frameworks that did not compute the same thing, so that their times say nothing."""


def check_agreement(losses: Mapping[str, Sequence[float]], tolerance: float, what: str) -> None:
    """Raise Disagreement unless all frameworks found the same losses, step by step, to a relative tolerance."""
    reference, expected = next(iter(losses.items()))
    for name, values in losses.items():
        if len(values) != len(expected):
            raise Disagreement(f"{what}: {reference} made {len(expected)} steps and {name} {len(values)}.")
        for step, (one, other) in enumerate(zip(expected, values), start=1):
            # In this form NaN disagrees with everything, with itself too.
            if not abs(one - other) <= tolerance * abs(one) or not math.isfinite(one):
                raise Disagreement(
                    f"{what}: after step {step} the loss is {one!r} with {reference} and {other!r} with {name}, which "
                    f"differ by more than {tolerance:g}. They don't do the same work, so nothing is reported."
                )


def race(
    workers: Mapping[str, Worker],
    function: str,
    keywords: Mapping[str, Any],
    what: str,
    tolerance: float,
    rounds: int,
    round_seconds: float,
    order: random.Random,
    least_loss: float = 0.0,
    check_steps: int = 6,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Let every worker make its step with ``function(framework, **keywords)`` and time it.

    In each round every framework has its turn, in random order, with as many steps as fill ``round_seconds``. Returns
    ``seconds`` (per step, one entry per round) and ``steps`` (per turn) by framework.

    Raises Disagreement where the losses of the first steps differ, or where a loss is below least_loss at the end: such
    steps compute with denormal numbers, which take longer.
    """
    for name, one in workers.items():
        say(f"{what}: {name} gets ready")
        one.make(function, framework=name, **keywords)
    check_agreement({name: one.run(check_steps) for name, one in workers.items()}, tolerance, what)
    steps = {name: _steps_that_fill(one, round_seconds) for name, one in workers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    names = list(workers)
    for number in range(rounds):
        say(f"{what}: round {number + 1} of {rounds}")
        order.shuffle(names)
        for name in names:
            seconds[name].append(workers[name].time(steps[name]) / steps[name])
    for name, one in workers.items():
        last = one.run(check_steps)
        if not all(math.isfinite(loss) and loss >= least_loss for loss in last):
            raise Disagreement(f"{what}: {name}'s loss has gone to {last[-1]!r}; such steps cannot be timed fairly.")
    return {"seconds": seconds, "steps": steps}


def _steps_that_fill(worker: Worker, seconds: float) -> int:
    """Number of steps that take this long. The first attempts are the warm-up."""
    steps = 1
    worker.time(1)
    while True:
        taken = worker.time(steps)
        if taken >= 0.5 * seconds:
            return max(1, math.ceil(steps * seconds / taken))
        steps = max(2 * steps, math.ceil(0.8 * steps * seconds / max(taken, 1e-7)))
