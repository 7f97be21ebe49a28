"""The exercises in their order, with the files that each one uses and the exercises that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from autograder import test_activation, test_autograd, test_functional, test_linear, test_loss
from autograder.helpers import Check, Draw, Given

ADD, BACK = "Autograd Add Operation", "Autograd Backward"


@dataclass(frozen=True)
class Exercise:
    """A name in the scores. parts: keys of student.MODULES. needs: exercises that have to work before this one can."""

    name: str
    points: float
    parts: tuple[str, ...]
    needs: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The name shared by exercises that run in one process, such as forward and backward of one class."""
        return self.name.removesuffix(" Forward").removesuffix(" Backward")


ACTIVATIONS = [
    Exercise(f"{name} {way}", points, ("engine", "activation"), (ADD, BACK) if way == "Backward" else ())
    for name in test_activation.NAMES
    for way, points in (("Forward", 1), ("Backward", 4))
]

EXERCISES: list[Exercise] = [
    Exercise(ADD, 5, ("engine",)),
    Exercise(BACK, 5, ("engine",), (ADD,)),
    Exercise("Functional", 6, ("functional",)),
    *ACTIVATIONS,
    Exercise("SoftmaxCrossEntropy Forward", 1, ("engine", "loss")),
    Exercise("SoftmaxCrossEntropy Backward", 4, ("engine", "loss"), (ADD, BACK)),
    Exercise("Linear", 5, ("engine", "linear"), (ADD, BACK)),
    Exercise("Linear with Skip", 4, ("engine", "linear"), (ADD, BACK)),
    Exercise("MSELoss", 0, ("engine", "loss"), (ADD, BACK)),
    Exercise(
        "MLP",
        0,
        ("engine", "linear", "activation", "loss", "mlp"),
        (ADD, BACK, "Linear", "SoftmaxCrossEntropy Backward"),
    ),
]

CHECKS: list[Check] = [
    *test_autograd.CHECKS,
    *test_functional.CHECKS,
    *test_activation.CHECKS,
    *test_loss.CHECKS,
    *test_linear.CHECKS,
]


def checks_of(name: str) -> list[Check]:
    """The checks of one exercise, in their order."""
    return [check for check in CHECKS if check.exercise == name]


def cases_of(check: Check, seed: int = 0) -> list[Given]:
    """The given arrays of a check. They depend on the seed and the check's name alone, their structure on the name."""
    return check.cases(Draw(seed, f"{check.exercise}/{check.name}"))
