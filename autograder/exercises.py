"""The exercises that marks.ini declares, with the files that each one uses and the exercises that it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from autograder import declaration, test_activation, test_autograd, test_functional, test_linear, test_loss
from autograder.helpers import Check, Draw, Expectations, Given

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


# The exercises of the homework by name: the files that each one uses and the exercises that it needs.
ALL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ADD: (("engine",), ()),
    BACK: (("engine",), (ADD,)),
    "Functional": (("functional",), ()),
    **{
        f"{name} {way}": (("engine", "activation"), (ADD, BACK) if way == "Backward" else ())
        for name in test_activation.NAMES
        for way in ("Forward", "Backward")
    },
    "SoftmaxCrossEntropy Forward": (("engine", "loss"), ()),
    "SoftmaxCrossEntropy Backward": (("engine", "loss"), (ADD, BACK)),
    "Linear": (("engine", "linear"), (ADD, BACK)),
    "Linear with Skip": (("engine", "linear"), (ADD, BACK)),
    "MSELoss": (("engine", "loss"), (ADD, BACK)),
    "MLP": (
        ("engine", "linear", "activation", "loss", "mlp"),
        (ADD, BACK, "Linear", "SoftmaxCrossEntropy Backward"),
    ),
}
DECLARED = declaration.read()
declaration.check_known(DECLARED.open, ALL, DECLARED.folders, declaration.OPEN)
OWN = DECLARED.own(DECLARED.open)
declaration.check_needs(OWN, (*ALL, *OWN))


def _exercise(name: str, points: float) -> Exercise:
    parts, needs = (OWN[name].parts, OWN[name].needs) if name in OWN else ALL[name]
    return Exercise(name, points, parts, tuple(need for need in needs if need in DECLARED.open))


EXERCISES: list[Exercise] = [_exercise(name, points) for name, points in DECLARED.open.items()]
_CHECKS: list[Check] = [
    *test_autograd.CHECKS,
    *test_functional.CHECKS,
    *test_activation.CHECKS,
    *test_loss.CHECKS,
    *test_linear.CHECKS,
    *(check for own in OWN.values() for check in own.checks),
]
CHECKS: list[Check] = declaration.with_marks(_CHECKS, DECLARED.open)


def checks_of(name: str) -> list[Check]:
    """The checks of one exercise, in their order."""
    return [check for check in CHECKS if check.exercise == name]


def cases_of(check: Check, seed: int = 0) -> list[Given]:
    """The given arrays of a check. They depend on the seed and the check's name alone, their structure on the name."""
    return check.cases(Draw(seed, f"{check.exercise}/{check.name}"))


def at_seed(check: Check, seed: int) -> Check:
    """The same check at one seed. Its cases and expected values are worked out once, because failed checks run twice."""
    cases = cache(lambda: cases_of(check, seed))
    # The case is kept beside its values, so that no other one can get its id.
    expected: dict[int, tuple[Given, Expectations]] = {}

    def expect(case: Given) -> Expectations:
        if id(case) not in expected:
            expected[id(case)] = case, check.expect(case)
        return expected[id(case)][1]

    return replace(check, cases=lambda rng: cases(), expect=expect)
