"""Mutants of right solutions: what is generated, and a sample of them graded; survivors.py grades them all."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.autograder import workshop
from tests.autograder.mutants import mutants
from tests.autograder.solutions import ENGINE, FUNCTIONAL, SIMPLE, STYLES
from tests.autograder.survivors import select, verdicts
from tests.autograder.unharmed import REASONS, reason


def changes(function: str, style: str = "simple") -> list[str]:
    return [mutant.change for mutant in mutants(STYLES[style], lambda name: name == function)]


@pytest.mark.parametrize(
    ("function", "change"),
    [
        # Operators, signs, constants, comparisons, arguments, calls, axes.
        ("mul_backward", "fit(grad_output * b, a), fit(grad_output * a, b))  ->  return (fit(grad_output / b, a)"),
        ("div_backward", "b ** 2, b))  ->  return (fit(grad_output / b, a), fit(-grad_output * a / b ** 1, b))"),
        ("sub_backward", "->  return (fit(grad_output, a), fit(grad_output, b))"),
        ("max_backward", "->  return grad_output * (a >= 0)"),
        ("matmul_backward", "->  return (a.T @ grad_output, grad_output @ b.T)"),
        ("exp_backward", "->  return grad_output * a"),
        ("SoftmaxCrossEntropy_backward", "->  e = np.exp(pred - pred.max(axis=2, keepdims=True))"),
        # Order of statements, statements left out or done twice, early exits.
        ("Autograd.backward", "continue  ->  break"),
        ("Autograd.backward", "slot += value  ->  slot = slot + value"),
        ("Autograd.backward", "slot += value  ->  slot -= value"),
        ("Autograd.backward", "self.gradient_buffer.update_param(array, value)  ->  pass"),
        ("Autograd.backward", "nothing  ->  self.gradient_buffer.update_param(array, value)"),
        ("Autograd.add_operation", "nothing  ->  break"),
        # Copies that go and come, None, narrow floats.
        ("Identity.forward", "self.state = x.copy()  ->  self.state = x"),
        ("Linear.forward", "->  self.autograd_engine.add_operation([x.copy(), self.W.T]"),
        (
            "Linear.forward",
            "->  self.autograd_engine.add_operation([x, self.W.T], product, [None, None], matmul_backward)",
        ),
        ("log_backward", "return grad_output / a  ->  return (grad_output / a).astype('float32')"),
    ],
)
def test_a_likely_mistake_is_among_the_mutants(function: str, change: str) -> None:
    assert any(change in one for one in changes(function)), changes(function)


@pytest.mark.parametrize("style", STYLES)
def test_mutants_are_different_programs(style: str) -> None:
    files = workshop.fill(STYLES[style])
    original = {name: ast.unparse(ast.parse(files[name])) for name in (ENGINE, FUNCTIONAL)}
    found = list(mutants(STYLES[style], lambda name: name in ("Autograd.add_operation", "div_backward")))
    texts = []
    for mutant in found:
        name = ENGINE if mutant.function.startswith("Autograd") else FUNCTIONAL
        text = ast.unparse(ast.parse(mutant.files[name]))
        assert text != original[name]
        assert {n for n in files if mutant.files[n] != files[n]} == {name}
        texts.append(text)
    assert len(set(texts)) == len(texts) > 80


def test_every_function_that_students_write_is_changed() -> None:
    found = Counter(mutant.function for mutant in mutants(SIMPLE))
    assert found.keys() == SIMPLE.keys()
    assert min(found.values()) >= 10


def test_reasons_are_for_some_mutants_only() -> None:
    assert len(REASONS) < 60
    assert not reason("simple", "Autograd.backward", "slot += value  ->  slot = slot + value")
    assert not reason("simple", "ReLU.forward", "mask = x > 0  ->  mask = x >= 0")
    assert all(re.compile(pattern) for where, what, _ in REASONS for pattern in (where, what))


@pytest.mark.slow
def test_a_sample_of_mutants_loses_marks_or_has_a_reason() -> None:
    words = ("Autograd", "ReLU", "div_", "SoftmaxCrossEntropy_", "log_")
    found = list(verdicts(select(words, sample=20)))
    assert len(found) == 20
    assert sum(verdict.lost > 0 for verdict in found) >= 15
    unexplained = [verdict for verdict in found if not verdict.lost and not verdict.reason]
    assert not unexplained
