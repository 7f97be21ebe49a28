"""Parts of the checks: the Check itself, kinds of expected values, given arrays, and derivatives by complex steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

Given = dict[str, Any]
Values = dict[str, Any]
# A misconception (a key of hints.HINTS) and the values that it would lead to.
Suspect = tuple[str, Values]

STEP = 1e-30


class Kind(Enum):
    """The kind of an expected value. It decides how the value is compared and which hint a difference gets."""

    RESULT = "an output, a weight or a number"
    GRADIENT = "the gradient of an array, from the buffer or from a backward function"
    SLOT = "an array of gradients_to_update, such as dW"
    GIVEN = "an array that was given, which the submission has to leave alone"
    LOSS = "a loss: one number, compared whatever its shape"
    LOSS_SHAPE = "the shape of a loss"
    STATE = "the .state of an activation"
    SPOT = "a number that was put into a spot of the buffer"
    LENGTH = "the number of operations in the list"
    ENTRY = "a part of an Operation in the list"


@dataclass(frozen=True)
class Expected:
    """A value that should come back, and its kind."""

    array: Any
    kind: Kind = Kind.RESULT


Expectations = dict[str, Expected]


def no_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    """For checks that need no comparison beyond the general ones."""
    return ()


@dataclass(frozen=True)
class Check:
    """One thing that a submission should do, and what it is worth.

    scenario: the name of the scenario that the submission runs.
    cases: from a random generator, the arrays that the scenario is given, one dict per run.
    expect: from one of these dicts, the values that should come back, by the names that the scenario gives them.
    suspects: the values that known misconceptions lead to.
    story: sentences for scenarios whose given arrays alone don't tell what is done with them.
    rtol: for data in float32, the relative tolerance; the precision of what comes back is then left open.
    mean_over_batch: the values are means over the rows of a batch, so a factor of their number has a hint of its own.
    nonfinite: the hint where NaN or infinity comes back.
    """

    exercise: str
    name: str
    points: float
    scenario: str
    cases: Callable[[np.random.Generator], list[Given]]
    expect: Callable[[Given], Expectations]
    suspects: Callable[[Given, Values], Iterable[Suspect]] = no_suspects
    story: str = ""
    rtol: float = 0.0
    mean_over_batch: bool = False
    nonfinite: str = "nonfinite"


def derivative(f: Callable[..., Any], arrays: list[np.ndarray], grad: Any) -> list[np.ndarray]:
    """The gradient of sum(grad * f(*arrays)) for each array, by a complex step: no subtraction, so good to 1e-15."""
    grad = np.asarray(grad, dtype=np.float64)
    result = []
    for position, array in enumerate(arrays):
        gradient = np.empty(array.shape)
        for index in np.ndindex(*array.shape):
            moved = array.astype(np.complex128)
            moved[index] += 1j * STEP
            value = f(*arrays[:position], moved, *arrays[position + 1 :])
            gradient[index] = np.sum(grad * np.imag(value)) / STEP
        result.append(gradient)
    return result


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers from a normal distribution, none nearer to zero than 0.05, so that ReLU has no tie."""
    x = rng.standard_normal(shape)
    return x + 0.05 * np.where(x < 0, -1.0, 1.0)


def positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers between 0.5 and 2.5."""
    return rng.uniform(0.5, 2.5, shape)


def one_hot(rng: np.random.Generator, batch: int, classes: int) -> np.ndarray:
    """One true class per row."""
    return np.eye(classes)[rng.integers(0, classes, batch)]


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(np.real(x) > 0, x, 0 * x)


def logistic(x: np.ndarray) -> np.ndarray:
    half = np.tanh(0.5 * x)
    return 0.5 * half + 0.5


FORWARD: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x * 1.0,
    "Sigmoid": logistic,
    "Tanh": np.tanh,
    "ReLU": relu,
}
