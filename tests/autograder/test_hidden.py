"""The hidden exercises: right solutions get every mark at any seed, wrong ones lose, and nothing hidden lies in reach."""

# ruff: noqa: E501  (a patch reads best on one line)

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.compare import judge
from autograder.exercises import CHECKS, cases_of
from autograder.grade import Run, run_unit
from autograder.helpers import Draw, Kind
from autograder.staff.marks import hidden, programs
from autograder.staff.marks.expected import Tape, expected, slope
from tests.autograder import workshop
from tests.autograder.mistakes_engine import LOOP
from tests.autograder.mistakes_rules import CE_RULE, DIV, EXP, LOG, MATMUL, MUL, SUB
from tests.autograder.solutions import ACTIVATION, ENGINE, FUNCTIONAL, LINEAR, LOSS, STYLES
from tests.clocks import patience


def test_marks_and_names() -> None:
    assert {e.name: e.points for e in hidden.EXERCISES} == {
        "Hidden Engine": 4, "Hidden Functions": 3, "Hidden Layers": 3,
    }  # fmt: skip
    for exercise in hidden.EXERCISES:
        assert sum(check.points for check in hidden.checks_of(exercise.name)) == exercise.points
    assert {check.exercise for check in hidden.CHECKS} == hidden.HINTS.keys()
    names = [check.name for check in hidden.CHECKS]
    assert len(set(names)) == len(names)
    assert not re.search(r"[A-Za-z0-9]:", "\n".join([*names, *hidden.HINTS]))


def test_hints_give_no_inputs_away() -> None:
    words = {word for check in hidden.CHECKS for given in cases_of(check, 0) for word in given.get("rule", "").split()}
    for hint in hidden.HINTS.values():
        assert not re.search(r"\d", hint)
        assert not any(check.name in hint for check in hidden.CHECKS)
        assert not any(word in hint for word in words)


# A right solution, changes to it that a hidden check has to notice, and whether the open marks stay whole.
Change = tuple[str, str, str]
ZIP = "operation.gradients_to_update, gradients)"
TWO_INPUTS: list[Change] = [(ENGINE, ZIP, ZIP.replace(", gradients", "[:2], gradients"))]
ONE_LIST: list[Change] = [
    (
        ENGINE,
        "self.operation_list: list[Operation] = []",
        "self.operation_list: list[Operation] = SHARED\n        SHARED.clear()",
    ),
    (ENGINE, "", "SHARED: list = []"),
]
LAST_SLOT: list[Change] = [
    (
        ENGINE,
        LOOP,
        f"before = [(s, s.copy()) for o in self.operation_list for s in o.gradients_to_update if s is not None]\n        {LOOP}",
    ),
    (ENGINE, "slot += value", "slot[...] = value + next(old for s, old in before if s is slot)"),
]
CLASS_STATE: list[Change] = [
    (ACTIVATION, "y = self.state = np.tanh(x)", "y = self.state = Tanh.last = np.tanh(x)"),
    (ACTIVATION, "(grad * (1 - y * y),)", "(grad * (1 - Tanh.last**2),)"),
    (ACTIVATION, "y = self.state = 0.5", "y = self.state = Sigmoid.last = 0.5"),
    (ACTIVATION, "grad * y * (1 - y)", "grad * Sigmoid.last * (1 - Sigmoid.last)"),
]
NO_FIT: list[Change] = [(FUNCTIONAL, old, old.replace("fit(", "wide(")) for old in (SUB, MUL, DIV)] + [
    (FUNCTIONAL, "", "def wide(g, array):\n    return g if g.ndim == 3 and array.ndim == 3 else fit(g, array)")
]
SHIFT = "shifted = y_hat - y_hat.max(axis=1, keepdims=True)"
PRODUCT = "product = x @ self.W.T"
WRONG: list[tuple[str, str, list[Change], bool]] = [
    ("large graphs", "simple", TWO_INPUTS, False),
    ("inputs of several shapes", "simple", TWO_INPUTS, False),
    ("None for an input", "simple", [(ENGINE, "if value is None:\n                    continue", "if value is None:\n                    break")], False),
    ("gradients to update inside of the list", "simple", LAST_SLOT, False),
    ("two engines in turn", "simple", ONE_LIST, True),
    ("three steps with zero_grad", "simple", [(ENGINE, "self.gradient_buffer.clear()", "pass")], False),
    ("broadcasting over other axes", "simple", NO_FIT, False),
    ("products of other sizes", "simple", [(FUNCTIONAL, MATMUL, "return grad_output @ b.T, (a.T @ grad_output) * (-1 if a.shape[1] == 1 else 1)")], False),
    ("logarithm and exponential", "simple", [(FUNCTIONAL, EXP, "return grad_output * (np.exp(a) if a.ndim < 4 else a)")], True),
    ("all one after another", "simple", [(FUNCTIONAL, LOG, "return grad_output * np.log(a)\n")], False),
    ("activations in turn", "fused", CLASS_STATE, False),
    ("deep networks", "simple", [(FUNCTIONAL, CE_RULE, CE_RULE.replace("len(pred)", "min(len(pred), 7)"))], True),
    ("float32 and large scores", "simple", [(LOSS, SHIFT, SHIFT.replace("keepdims=True)", "keepdims=True) * (y_hat.max() > 600)"))], True),
    ("training with momentum", "simple", [(LINEAR, PRODUCT, "self.kept = getattr(self, 'kept', self.W.T.copy())\n        product = x @ self.kept")], True),
]  # fmt: skip


def test_every_hidden_check_has_a_wrong_solution() -> None:
    assert [name for name, *_ in WRONG] == [check.name for check in hidden.CHECKS]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "style", "changes", "whole"), WRONG, ids=[name for name, *_ in WRONG])
def test_every_hidden_check_notices_a_wrong_solution(
    name: str, style: str, changes: list[Change], whole: bool, tmp_path: Path, quick_process: Run
) -> None:
    folder = workshop.write(workshop.patch(workshop.fill(STYLES[style]), changes), tmp_path)
    for seed in (1, 2):
        results = [
            r
            for e in hidden.EXERCISES
            for r in run_unit(folder, e.parts, hidden.checks_of(e.name), seed, 2.0, quick_process)
        ]
        assert name in {r.check.name for r in results if r.status == "failed"}
        # The hidden marks are not lost as a whole for one mistake.
        assert sum(r.earned for r in results) > 0
    # Right for everything that the open checks look at: only the hidden ones notice.
    assert (workshop.total(workshop.grade_together(folder)) == 50) == whole


def test_expected_gradients_agree_with_differences() -> None:
    for check in hidden.CHECKS:
        for given in cases_of(check, 11) if check.scenario == "program" and not check.rtol else []:
            for number, (word, *rest) in enumerate(given["steps"]):
                name = rest[-1] if word == "gradient" else ""
                if name in given["arrays"] and given["steps"][number - 1][0] in ("backward", "loss backward"):
                    _compare_with_differences(given, number, name, rest[0])


def _compare_with_differences(given: Any, number: int, name: str, label: str) -> None:
    """Only the forward steps are run: with one number moved, how does the output that backward starts from move?"""
    steps = given["steps"][:number]
    start = steps[-1]
    out = next(s[1] for s in reversed(steps) if s[0] in ("own", "rule", "activation", "linear", "loss"))
    g = given["arrays"][start[1]] if start[0] == "backward" and start[1] in given["arrays"] else 1.0
    forward = [step for step in steps[:-1] if step[0] not in ("gradient", "value")]

    def total(array: np.ndarray) -> float:
        case = {"arrays": {**given["arrays"], name: array}, "steps": [*forward, ["value", "out", out]]}
        return float(np.sum(g * expected(case)["out"].array))

    words = {word for step in forward for word in (step[0], step[2] if step[0] == "own" else "")}
    if words & {"shift", "drift", "engine"}:
        return  # differences don't see that a rule says None, and the last output is not the one that is meant
    right = expected({**given, "steps": given["steps"][: number + 1]})[label].array
    array = given["arrays"][name]
    index = (0,) * array.ndim
    step = np.zeros(array.shape)
    step[index] = 1e-6
    difference = (total(array + step) - total(array - step)) / 2e-6
    assert difference == pytest.approx(right[index], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("rows", programs.GRAPHS)
def test_no_gradient_of_a_large_graph_cancels(rows: int) -> None:
    """Rounding error alone is left where the paths cancel, and right solutions round in different ways."""
    for seed in range(4):
        shown = expected(programs.large_graph(Draw(seed, "cancel"), rows))
        sizes = {name: np.abs(value.array) for name, value in shown.items()}
        largest = max(size.max() for size in sizes.values())
        assert all(size.max() > 1e-3 * largest and size.min() > 1e-6 * largest for size in sizes.values()), sizes


def test_only_numbers_are_drawn_and_no_structure() -> None:
    """At every seed a check has the same steps, shapes, signs and settings."""

    def compare(one: Any, other: Any, where: str) -> None:
        assert type(one) is type(other), where
        if isinstance(one, dict):
            assert one.keys() == other.keys(), where
        if isinstance(one, (dict, list)):
            for key in one if isinstance(one, dict) else range(len(one)):
                compare(one[key], other[key], f"{where}[{key!r}]")
        elif isinstance(one, np.ndarray):
            assert (one.shape, one.dtype) == (other.shape, other.dtype), where
            np.testing.assert_array_equal(np.sign(one), np.sign(other), where)
        elif where.rpartition("[")[2] not in ("'inside']", "'after']", "'expect after']"):
            assert one == other, where

    for check in [*CHECKS, *hidden.CHECKS]:
        compare(cases_of(check, 1), cases_of(check, 2), check.name)


def test_an_array_that_nothing_depends_on_has_gradient_zero() -> None:
    tape = Tape([("y", np.exp, ["x"], [None])], np.ones(2), {"x": np.zeros(2), "w": np.ones(2), "y": np.ones(2)})
    assert slope(tape, "w").tolist() == [0, 0]
    assert slope(tape, "x").tolist() == [1, 1]


def test_the_kinds_of_what_a_program_shows() -> None:
    rng = np.random.default_rng(0)
    shown = {**expected(programs.deep(rng, 3)), **expected(programs.training(rng, 0.9))}
    shown |= expected(programs.slots_inside(rng, 2))
    assert {name: shown[name].kind for name in ("gradient of x", "loss", "dW1", "db5", "W of layer 2", "dw", "du")} == {
        "gradient of x": Kind.GRADIENT, "loss": Kind.LOSS, "dW1": Kind.SLOT, "db5": Kind.SLOT,
        "W of layer 2": Kind.RESULT, "dw": Kind.SLOT, "du": Kind.SLOT,
    }  # fmt: skip
    assert shown["loss of step 3"].kind is Kind.LOSS


def test_a_step_that_does_not_exist_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="no step 'walk'"):
        expected({"arrays": {}, "steps": [["walk"]]})


@pytest.mark.slow
def test_replacing_the_scenarios_helpers_wins_nothing(tmp_path: Path) -> None:
    """A submission without a solution, which makes every function of the scenarios' files say yes."""
    files = workshop.handout()
    patch = """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("autograder.worker.scenarios"):
        for key, value in list(vars(module).items()):
            if callable(value):
                setattr(module, key, lambda *a, **k: %s)
        for key in list(module.SCENARIOS) if hasattr(module, "SCENARIOS") else []:
            module.SCENARIOS[key] = lambda *a, **k: %s
"""
    for number, (inner, outer) in enumerate(
        [("True", "True"), ("True", "{}"), ("0", "dict.fromkeys(range(99), True)")]
    ):
        changed = {**files, ENGINE: files[ENGINE] + patch % (inner, outer)}
        folder = workshop.write(changed, tmp_path / str(number))
        assert workshop.total(workshop.grade_together(folder)) == 0
        for exercise in hidden.EXERCISES:
            results = run_unit(folder, exercise.parts, hidden.checks_of(exercise.name), limit=patience(0.7))
            assert not any(r.earned for r in results)


def test_a_row_for_an_activation_has_both_signs() -> None:
    (check,) = (c for c in CHECKS if c.exercise == "ReLU Backward" and c.name == "one row")
    for seed in range(100):
        (given,) = cases_of(check, seed)
        assert (given["x"] > 0).any()
        assert (given["x"] < 0).any()


@pytest.mark.slow
def test_the_open_values_don_t_pass_for_the_hidden_seed() -> None:
    """Right values for one seed are wrong for another, in every check with random numbers."""
    fixed = {"values as large as 10000", "lists of different lengths are refused"}
    for check in [*CHECKS, *hidden.CHECKS]:
        cases, others = cases_of(check, 1), cases_of(check, 2)
        remembered = [{name: one.array for name, one in check.expect(case).items()} for case in others]
        if check.name not in fixed:
            assert any(judge(check, case, old) for case, old in zip(cases, remembered)), check.name
