"""Hidden exercises: programs on the submission's engine, rules and layers, with other shapes than the open checks.

This file is not where submissions run. They get programs as plain data (``autograder/worker/scenarios/program.py``).
"""

from __future__ import annotations

from autograder import declaration
from autograder.exercises import DECLARED, Exercise
from autograder.helpers import Check
from autograder.staff.marks.expected import expected
from autograder.staff.marks.programs import (
    Cases,
    activations,
    chain,
    deep,
    float32,
    large_graph,
    many_steps,
    nothing_flows,
    rules,
    several_shapes,
    slots_inside,
    some,
    stretched,
    training,
    two_engines,
)
from autograder.test_functional import rule_expected, rule_suspects

ENGINE, FUNCTIONS, LAYERS = "Hidden Engine", "Hidden Functions", "Hidden Layers"

# The hidden exercises by name, and the files that each one uses. marks.ini has their marks.
ALL: dict[str, tuple[str, ...]] = {
    ENGINE: ("engine",),
    FUNCTIONS: ("engine", "functional"),
    LAYERS: ("engine", "functional", "linear", "activation", "loss"),
}
declaration.check_known(DECLARED.hidden, ALL, DECLARED.folders, declaration.HIDDEN)
OWN = DECLARED.own(DECLARED.hidden)
EXERCISES: list[Exercise] = [
    Exercise(name, points, OWN[name].parts if name in OWN else ALL[name]) for name, points in DECLARED.hidden.items()
]

# The general hint, which is all that a student is told about a hidden exercise that did not pass.
HINTS: dict[str, str] = {
    ENGINE: (
        "Look at the engine with larger graphs than those of the open checks: arrays that are used in several places, "
        "operations with more inputs, several engines and several steps. Compare with differences (mytorch/gradcheck.py)."
    ),
    FUNCTIONS: (
        "Look at the backward functions with other shapes than those of the open checks, broadcast ones too, and one "
        "after another. Compare with differences (mytorch/gradcheck.py)."
    ),
    LAYERS: (
        "Look at deeper networks than those of the open checks, at several layers of one kind, at several steps "
        "of training and at large scores. Compare with differences (mytorch/gradcheck.py)."
    ),
    **{name: own.hint or "Look at this part of the homework once more." for name, own in OWN.items()},
}


def _check(exercise: str, name: str, points: float, cases: Cases, story: str, rtol: float = 0.0) -> Check:
    return Check(exercise, name, points, "program", cases, expected, story=story, rtol=rtol)


def _functions(name: str, points: float, cases: Cases) -> Check:
    return Check(FUNCTIONS, name, points, "rule", cases, rule_expected, rule_suspects, story="rule(grad_output, ...).")


_CHECKS: list[Check] = [
    _check(ENGINE, "large graphs", 1.25, some(large_graph, 1, 3, 5), "A graph of own operations."),
    _check(ENGINE, "inputs of several shapes", 0.5, some(several_shapes, 1, 3), "Operations between shapes."),
    _check(ENGINE, "None for an input", 0.5, some(nothing_flows, "shared", "apart"), "A rule returns None for an input."),
    _check(ENGINE, "gradients to update inside of the list", 0.75, some(slots_inside, 1, 5), "Two slots, one shared."),
    _check(ENGINE, "two engines in turn", 0.5, some(two_engines, "g", "output"), "Two engines, one array in both."),
    _check(ENGINE, "three steps with zero_grad", 0.5, some(many_steps, 1, 4), "Three steps with different graphs."),
    _functions("broadcasting over other axes", 0.75, stretched),
    _functions(
        "products of other sizes",
        0.75,
        rules(
            ("matmul_backward", (5, 1), (1, 6)), ("matmul_backward", (1, 4), (4, 1)), ("matmul_backward", (6, 4), (4, 2)),
            ("outer_backward", (2,), (7,)), ("outer_backward", (5,), (1,)),
        ),
    ),
    _functions(
        "logarithm and exponential",
        0.5,
        rules(
            ("log_backward", (6,), None), ("log_backward", (2, 1, 3), None), ("exp_backward", (5, 1), None),
            ("exp_backward", (2, 3, 1, 2), None),
        ),
    ),
    _check(FUNCTIONS, "all one after another", 1, some(chain, 1, 5), "A chain of all the rules."),
    _check(LAYERS, "activations in turn", 0.75, some(activations, 1, 5), "Two objects of each activation."),
    _check(LAYERS, "deep networks", 1, some(deep, 1, 5, 9), "Linear layers and activations, then the loss."),
    _check(LAYERS, "float32 and large scores", 0.5, some(float32, 1, 5), "A network in float32.", rtol=2e-3),
    _check(LAYERS, "training with momentum", 0.75, some(training, 0.0, 0.9), "Three steps of gradient descent."),
    *(check for own in OWN.values() for check in own.checks),
]  # fmt: skip
CHECKS: list[Check] = declaration.with_marks(_CHECKS, DECLARED.hidden)


def checks_of(name: str) -> list[Check]:
    """The checks of one hidden exercise."""
    return [check for check in CHECKS if check.exercise == name]
