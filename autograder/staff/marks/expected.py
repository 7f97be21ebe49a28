"""Expected values of a program of the hidden exercises: values by running it, gradients by complex steps.

The steps are those of ``autograder/worker/scenarios/program.py``. There is no backward pass here: for a gradient, the
recorded part runs again with one number moved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.helpers import FORWARD, STEP, Expectations, Expected, Given, Kind, cross_entropy, linear
from autograder.worker.scenarios.program import FORWARDS, OPERATIONS

Arrays = dict[str, Any]


@dataclass
class Tape:
    """Operations that one engine has recorded since zero_grad: output, function, names of inputs and of slots."""

    steps: list[tuple[str, Callable[..., Any], list[str], list[str | None]]] = field(default_factory=list)
    start: Any = None
    # The arrays at the time of backward; layers change theirs later.
    arrays: Arrays = field(default_factory=dict)


def expected(given: Given) -> Expectations:
    """The values that the steps ``gradient`` and ``value`` should return, by their labels."""
    arrays: Arrays = {name: np.array(array, np.float64) for name, array in given["arrays"].items()}
    tapes: dict[str, Tape] = {"": Tape()}
    current = ""
    made: dict[str, str] = {}
    losses: dict[str, str] = {}
    shown: Expectations = {}
    slots: set[str] = set()

    def record(out: str, f: Callable[..., Any], inputs: list[str], into: list[str | None]) -> None:
        tapes[current].steps.append((out, f, list(inputs), list(into)))
        slots.update(slot for slot in into if slot)
        arrays[out] = f(*(arrays[name] for name in inputs))

    def layer(name: str, parts: tuple[str, ...]) -> None:
        if name not in made:
            made[name] = current
            for part in parts:
                arrays[f"{name}.d{part}"] = np.zeros(arrays[f"{name}.{part}"].shape)
                arrays[f"{name}.speed {part}"] = np.zeros(arrays[f"{name}.{part}"].shape)

    def backward(tape: Tape, start: Any) -> None:
        tape.start, tape.arrays = np.broadcast_to(start, arrays[tape.steps[-1][0]].shape), dict(arrays)
        into = {slot: name for _, _, inputs, slots in tape.steps for name, slot in zip(inputs, slots) if slot}
        for slot, name in into.items():
            arrays[slot] = arrays[slot] + slope(tape, name)

    for word, *rest in given["steps"]:
        tape = tapes[current]
        if word == "engine":
            current = rest[0]
            tapes.setdefault(current, Tape())
        elif word == "own":
            record(rest[0], OPERATIONS[rest[1]][0], rest[2], rest[3])
        elif word == "rule":
            record(rest[0], FORWARDS[rest[1]], rest[2], rest[3])
        elif word == "activation":
            record(rest[0], FORWARD[rest[1]], [rest[3]], [None])
        elif word == "linear":
            out, name, source = rest
            layer(name, ("W", "b"))
            record(out, linear, [source, f"{name}.W", f"{name}.b"], [None, f"{name}.dW", f"{name}.db"])
        elif word == "loss":
            out, kind, name, y, y_hat = rest
            losses[name] = out
            record(out, LOSSES[kind], [y_hat, y], [None, None])
        elif word == "backward":
            produced = any(rest[0] == out for out, *_ in tape.steps)
            backward(tape, 1.0 if produced else arrays[rest[0]])
        elif word == "loss backward":
            backward(tape, 1.0)
        elif word == "zero":
            tapes[current] = Tape()
        elif word == "zero layer":
            for part in ("dW", "db"):
                arrays[f"{rest[0]}.{part}"] = np.zeros(arrays[f"{rest[0]}.{part}"].shape)
        elif word == "descend":
            name, rate, momentum = rest
            for part in "Wb":
                speed = momentum * arrays[f"{name}.speed {part}"] - rate * arrays[f"{name}.d{part}"]
                arrays[f"{name}.speed {part}"] = speed
                arrays[f"{name}.{part}"] = arrays[f"{name}.{part}"] + speed
        elif word == "gradient":
            shown[rest[0]] = Expected(slope(tape, rest[1]), Kind.GRADIENT)
        elif word == "value":
            kind = Kind.SLOT if rest[1] in slots else Kind.LOSS if rest[1] in losses.values() else Kind.RESULT
            shown[rest[0]] = Expected(np.array(arrays[rest[1]]), kind)
        else:
            raise ValueError(f"A program has no step {word!r}.")
    return shown


def slope(tape: Tape, name: str) -> np.ndarray:
    """The gradient of sum(start * last output) for one array, by a complex step of each entry."""
    moving = {name}
    again = []
    for step in tape.steps:
        out, _, inputs, _ = step
        if out != name and moving & set(inputs):
            moving.add(out)
            again.append(step)
    array = tape.arrays[name]
    gradient = np.zeros(array.shape)
    last = tape.steps[-1][0]
    if last not in moving:
        return gradient
    moved = array.astype(np.complex128)
    for index in np.ndindex(*array.shape):
        moved[index] += 1j * STEP
        values = {name: moved}
        for out, f, inputs, _ in again:
            values[out] = f(*(values[i] if i in values else tape.arrays[i] for i in inputs))
        gradient[index] = (tape.start * np.imag(values[last])).sum() / STEP
        moved[index] = array[index]
    return gradient


def mean_cross_entropy(scores: Any, y: Any) -> Any:
    """Mean over the samples, shape (1,)."""
    return np.reshape(np.sum(cross_entropy(scores, y)) / len(scores), (1,))


LOSSES: dict[str, Callable[..., Any]] = {"SoftmaxCrossEntropy": mean_cross_entropy}
