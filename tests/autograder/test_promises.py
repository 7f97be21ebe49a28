"""The assignment sentence by sentence: each promise has a check, and a mistake that breaks it fails there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from autograder.exercises import CHECKS, EXERCISES
from autograder.grade import Grades, run_unit
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import workshop
from tests.autograder.assignment import asking, sentences
from tests.autograder.catalogue import MISTAKES
from tests.autograder.promises import PROMISES, WITHOUT_PROMISE, Promise

KNOWN = {mistake.name: mistake for mistake in MISTAKES}
POINTS = {(check.exercise, check.name): check.points for check in CHECKS}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


def test_every_sentence_that_asks_for_something_is_accounted_for() -> None:
    kept = {promise.sentence for promise in PROMISES}
    assert kept.isdisjoint(WITHOUT_PROMISE)
    missing = [sentence for sentence in asking() if sentence not in kept and sentence not in WITHOUT_PROMISE]
    assert not missing, "Add these sentences of docs/writeup.md to promises.py: " + "\n".join(missing)


def test_every_promise_still_stands_in_the_assignment() -> None:
    there = set(sentences())
    gone = [sentence for sentence in (*(p.sentence for p in PROMISES), *WITHOUT_PROMISE) if sentence not in there]
    assert not gone, "These sentences are no longer in docs/writeup.md: " + "\n".join(gone)


def test_every_promise_names_a_check_and_a_mistake_that_costs_marks() -> None:
    for promise in PROMISES:
        points = POINTS[promise.exercise, promise.check]
        costs = KNOWN[promise.mistake].costs
        assert not points or promise.exercise in costs, promise
    # A promise that is worth no marks says so, or stands in the part on the MLP.
    unpaid = {promise.exercise for promise in PROMISES if not POINTS[promise.exercise, promise.check]}
    assert unpaid <= {"Autograd Add Operation", "Functional", "SoftmaxCrossEntropy Forward", "MSELoss", "MLP"}


def test_every_check_with_marks_keeps_a_promise() -> None:
    assert {e.name for e in EXERCISES if e.points} <= {promise.exercise for promise in PROMISES}


@pytest.mark.slow
@pytest.mark.parametrize("promise", PROMISES, ids=lambda p: f"{p.check} - {p.mistake}")
def test_a_broken_promise_fails_its_check(promise: Promise, sandbox: Sandbox, tmp_path: Path) -> None:
    mistake = KNOWN[promise.mistake]
    parts = next(e.parts for e in EXERCISES if e.name == promise.exercise)
    checks = [workshop.prepared(check, 0) for check in CHECKS if check.exercise == promise.exercise]
    place = workshop.write(mistake.files(), tmp_path)
    results = Grades(run_unit(place, parts, checks, run_with=partial(sandbox.run_scenarios))).results
    (result,) = (result for result in results if result.check.name == promise.check)
    assert result.status == "failed", promise
    if result.check.points:
        assert sum(r.check.points - r.earned for r in results) >= result.check.points
