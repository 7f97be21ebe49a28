"""The catalogue of mistakes, graded: each loses marks where it should, nowhere else, and gets its hint."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import CHECKS, EXERCISES, cases_of
from autograder.grade import Grades, grade
from autograder.hints import HINTS
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import workshop
from tests.autograder.mistakes_engine import ENGINE_MISTAKES, Mistake
from tests.autograder.mistakes_layers import ACTIVATION_MISTAKES, LAYER_MISTAKES, MLP_MISTAKES, REFERENCE_MISTAKES
from tests.autograder.mistakes_rules import LOSS_MISTAKES, PRACTICE_MISTAKES, RULE_MISTAKES
from tests.autograder.solutions import SIMPLE, STYLES
from tests.clocks import patience

MISTAKES = [
    *ENGINE_MISTAKES,
    *RULE_MISTAKES,
    *LOSS_MISTAKES,
    *PRACTICE_MISTAKES,
    *ACTIVATION_MISTAKES,
    *LAYER_MISTAKES,
    *MLP_MISTAKES,
    *REFERENCE_MISTAKES,
]
# These end the process, loop, or cannot be imported: they need a process for each exercise.
ROUGH = {"time", "cannot_import", "exit"}
OWN_STUBS = {
    "Autograd.add_operation": {"Autograd Add Operation"},
    "Autograd.backward": {"Autograd Backward"},
    "SoftmaxCrossEntropy_backward": {"SoftmaxCrossEntropy Backward"},
    "SoftmaxCrossEntropy.forward": {"SoftmaxCrossEntropy Forward", "SoftmaxCrossEntropy Backward"},
    "Linear.forward": {"Linear", "Linear with Skip"},
    **{f"{n}.forward": {f"{n} Forward", f"{n} Backward"} for n in ("Identity", "Sigmoid", "Tanh", "ReLU")},
    **{f"{n}_backward": {"Functional"} for n in ("sub", "mul", "div", "exp", "log", "matmul", "outer")},
}


def graded(mistakes: list[Mistake], folder: Path) -> list[Grades]:
    """Each mistake in a forked process, which is quick; the rough ones as a student's runner grades them."""
    found = []
    with Sandbox() as sandbox:
        for number, mistake in enumerate(mistakes):
            place = workshop.write(mistake.files(), folder / str(number))
            if mistake.hints & ROUGH:
                found.append(grade(place, EXERCISES, limit=patience(0.2), jobs=1))
            else:
                found.append(workshop.grade_together(place, run_with=sandbox.run_scenarios))
    return found


def verdict(mistake: Mistake, grades: Grades) -> tuple[bool, bool, bool]:
    """Three verdicts: marks lost in the right exercises, nowhere else, and with a right hint."""
    own = workshop.own_failures(grades)
    seen = workshop.failing(grades)
    hints = {r.problem.hint for r in seen if r.problem and (r.check.exercise in mistake.costs or not mistake.costs)}
    caught = mistake.costs <= own if mistake.costs else bool(seen)
    return caught, own <= mistake.costs, bool(hints & mistake.hints)


def test_the_catalogue_is_what_it_says() -> None:
    names = [mistake.name for mistake in MISTAKES]
    assert len(names) == len(set(names)) >= 220
    assert sum(mistake.partial for mistake in MISTAKES) >= 80
    known = {exercise.name for exercise in EXERCISES if exercise.points}
    for mistake in MISTAKES:
        assert mistake.costs <= known, mistake.name
        assert mistake.hints, mistake.name
        assert mistake.hints <= HINTS.keys(), (mistake.name, mistake.hints - HINTS.keys())


@pytest.mark.slow
def test_every_mistake_is_caught_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halves = [MISTAKES[::2], MISTAKES[1::2]]
    with ThreadPoolExecutor(2) as pool:
        grades = pool.map(graded, halves, (tmp_path / "first", tmp_path / "second"))
        verdicts = [(m, *verdict(m, g)) for half, found in zip(halves, grades) for m, g in zip(half, found)]
    caught, exact, hinted = (sum(column) for column in list(zip(*verdicts))[1:])
    count = len(MISTAKES)
    with capsys.disabled():
        print(f"\n{count} mistakes: {caught} caught, {exact} lost marks nowhere else, {hinted} got a right hint")
    wrong = [f"{m.name}: caught {c}, nowhere else {e}, hint {h}" for m, c, e, h in verdicts if not (c and e and h)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_correct_solutions_in_other_styles_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    submissions = {name: workshop.fill(bodies) for name, bodies in STYLES.items()} | {"reference": workshop.reference()}
    alarms = []
    for name, files in submissions.items():
        grades = workshop.grade_together(workshop.write(files, tmp_path / name))
        alarms += [f"{name}: {r.check.exercise}, {r.check.name}" for r in workshop.failing(grades) if r.check.points]
        assert workshop.total(grades) == 50, (name, alarms)
    with capsys.disabled():
        print(f"\n{len(submissions)} correct solutions, false alarms {len(alarms)}")


@pytest.mark.slow
def test_the_reference_passes_all_practice_too(tmp_path: Path) -> None:
    grades = grade(workshop.write(workshop.reference(), tmp_path))
    assert [(r.check.exercise, r.check.name, r.problem) for r in grades.results if r.status != "passed"] == []


@pytest.mark.slow
def test_other_seeds_judge_the_same(tmp_path: Path) -> None:
    good = workshop.write(workshop.reference(), tmp_path / "good")
    changes = LAYER_MISTAKES[0].changes
    bad = workshop.write(workshop.patch(workshop.fill(SIMPLE), changes), tmp_path / "bad")
    for seed in (1, 2, 3):
        assert workshop.total(workshop.grade_together(good, seed)) == 50
        assert workshop.total(workshop.grade_together(bad, seed)) < 50


@pytest.mark.slow
def test_no_seed_leaves_rounding_alone_to_be_judged() -> None:
    """If every true score were the largest, loss and gradient would be differences of nearly equal numbers."""
    checks = [check for check in CHECKS if check.exercise.startswith("SoftmaxCrossEntropy") and check.points]
    for seed in range(200):
        for check in checks:
            for given in cases_of(check, seed):
                expected = check.expect(given)
                name = next(name for name in ("loss", "gradient of y_hat") if name in expected)
                assert np.max(np.abs(expected[name].array)) > 1e-2, (check.name, seed)


@pytest.mark.slow
def test_an_empty_handout_gets_nothing_and_no_tracebacks(tmp_path: Path) -> None:
    grades = grade(workshop.write(workshop.handout(), tmp_path))
    assert workshop.total(grades) == 0
    assert {r.status for r in grades.results if r.check.points} == {"todo", "blocked"}


@pytest.mark.parametrize("stub", workshop.stubs())
@pytest.mark.slow
def test_one_stub_costs_its_own_exercise_alone(stub: str, tmp_path: Path) -> None:
    grades = workshop.grade_together(workshop.write(workshop.fill(SIMPLE, leave_out=stub), tmp_path))
    assert workshop.own_failures(grades) == OWN_STUBS.get(stub, set())
    lost = [r for r in grades.results if r.status not in ("passed", "todo") and r.check.points]
    # What else lost marks says which exercise it needs first.
    assert all(r.status == "blocked" and r.needs for r in lost), [
        (r.check.exercise, r.check.name, r.problem) for r in lost
    ]
    if stub in OWN_STUBS:
        assert workshop.total(grades) < 50
