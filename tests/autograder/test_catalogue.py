"""The catalogue of mistakes, graded: each loses marks where it should, nowhere else, and gets its hint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import CHECKS, EXERCISES, cases_of
from autograder.grade import grade
from autograder.hints import HINTS
from tests.autograder import workshop
from tests.autograder.catalogue import MISTAKES, graded, verdict
from tests.autograder.mistakes_layers import LAYER_MISTAKES
from tests.autograder.solutions import SIMPLE, STYLES

OWN_STUBS = {
    "Autograd.add_operation": {"Autograd Add Operation"},
    "Autograd.backward": {"Autograd Backward"},
    "SoftmaxCrossEntropy_backward": {"SoftmaxCrossEntropy Backward"},
    "SoftmaxCrossEntropy.forward": {"SoftmaxCrossEntropy Forward", "SoftmaxCrossEntropy Backward"},
    "Linear.forward": {"Linear", "Linear with Skip"},
    **{f"{n}.forward": {f"{n} Forward", f"{n} Backward"} for n in ("Identity", "Sigmoid", "Tanh", "ReLU")},
    **{f"{n}_backward": {"Functional"} for n in ("sub", "mul", "div", "exp", "log", "matmul", "outer")},
}


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
def test_mistakes_are_caught_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An eighth of the catalogue, to save time; catalogue.py grades all, and test_promises.py a third in another way."""
    chosen = MISTAKES[::8]
    verdicts = [(m, *verdict(m, g)) for m, g in zip(chosen, graded(chosen, tmp_path))]
    caught, exact, hinted = (sum(column) for column in list(zip(*verdicts))[1:])
    count = len(chosen)
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
                name = next(
                    name for name in ("loss", "gradient of y_hat", "gradient of the scores") if name in expected
                )
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
