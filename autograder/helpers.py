"""Parts of the checks: the Check itself, kinds of expected values, given arrays, and derivatives by complex steps."""

from __future__ import annotations

import zlib
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
    """No suspects: the general comparisons are enough."""
    return ()


@dataclass(frozen=True)
class Check:
    """One requirement of an exercise, with its marks.

    scenario: the name of the scenario that the submission runs.
    cases: makes the given arrays from a random generator, one dict for each run of the scenario.
    expect: the expected values for one of these dicts, by the names that the scenario uses.
    suspects: the values that known misconceptions lead to.
    story: a sentence about the computation, for scenarios whose given arrays don't tell it.
    rtol: relative tolerance for float32 data; any precision may then come back.
    mean_over_batch: the values are means over the rows of a batch, so a factor of the batch size has its own hint.
    nonfinite: the hint where NaN or infinity comes back.
    rule: the backward function that the check is about; a failure of another exercise that records it is its consequence.
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
    rule: str = ""


def derivative(f: Callable[..., Any], arrays: list[np.ndarray], grad: Any) -> list[np.ndarray]:
    """Gradients of sum(grad * f(*arrays)) for each array, by complex steps: without subtraction, so exact to about 1e-15.

    Source: W. Squire and G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998)."""
    grad = np.asarray(grad, dtype=np.float64)
    result = []
    for position, array in enumerate(arrays):
        gradient = np.empty(array.shape)
        moved = array.astype(np.complex128)
        for index in np.ndindex(*array.shape):
            moved[index] += 1j * STEP
            value = f(*arrays[:position], moved, *arrays[position + 1 :])
            gradient[index] = (grad * np.imag(value)).sum() / STEP
            moved[index] = array[index]
        result.append(gradient)
    return result


class Draw(np.random.Generator):
    """Random generator for the numbers of one hand-in. Its ``structure`` is another, which draws the same for all hand-ins.

    Signs, classes and rough sizes are structure: a mistake that shows for negative numbers alone shows for everyone.
    """

    def __init__(self, seed: int, name: str) -> None:
        number = zlib.crc32(name.encode())
        super().__init__(np.random.PCG64([seed, number]))
        self.structure = np.random.default_rng(number)


def structure(rng: np.random.Generator) -> np.random.Generator:
    """The generator of what is the same for all hand-ins; a plain generator draws that too."""
    return rng.structure if isinstance(rng, Draw) else rng


def near(rng: np.random.Generator, rough: np.ndarray) -> np.ndarray:
    """The hand-in's own numbers, within a quarter of these."""
    return rough * rng.uniform(0.75, 1.25, rough.shape)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """About normally distributed numbers, none nearer to zero than 0.06, so that ReLU has no tie."""
    x = structure(rng).standard_normal(shape)
    return near(rng, x + 0.08 * np.where(x < 0, -1.0, 1.0))


def positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers between 0.5 and 2.5."""
    return near(rng, structure(rng).uniform(0.67, 2.0, shape))


def signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Ones of both signs."""
    return structure(rng).choice([-1.0, 1.0], shape)


def apart(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers of both signs between 0.5 and 2.5 in size; the first two entries have different signs."""
    x = positive(rng, *shape) * signs(rng, *shape)
    x.reshape(-1)[:2] = np.abs(x.reshape(-1)[:2]) * [-1, 1][: x.size]
    return x


def one_hot(rng: np.random.Generator, batch: int, classes: int) -> np.ndarray:
    """One true class per row, each class about equally often."""
    return np.eye(classes)[structure(rng).permutation(np.arange(batch) % classes)]


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(np.real(x) > 0, x, 0 * x)


def logistic(x: np.ndarray) -> np.ndarray:
    half = np.tanh(0.5 * x)
    return 0.5 * half + 0.5


def linear(x: Any, W: Any, b: Any) -> Any:
    """A linear layer's output, shape (n, out): x (n, in), W (out, in), b (out, 1)."""
    return np.einsum("ni,oi->no", x, W) + np.reshape(b, (1, -1))


def cross_entropy(scores: Any, y: Any) -> Any:
    """Cross-entropy of each sample, shape (n,): the log of the sum of exponentials, minus the true score."""
    top = np.max(np.real(scores), axis=1, keepdims=True)
    return np.sum(y * (np.log(np.sum(np.exp(scores - top), axis=1, keepdims=True)) + top - scores), axis=1)


FORWARD: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x * 1.0,
    "Sigmoid": logistic,
    "Tanh": np.tanh,
    "ReLU": relu,
}
