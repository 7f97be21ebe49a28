"""Formulas: what stands beside the numbers is what the rules compute."""

import re

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.autodiff import trace
from mytorch.nn import functional as F
from mytorch.nn import nonlinear
from mytorch.viewer.formulas import FORMULAS
from mytorch.viewer.page import recorded
from mytorch.viewer.snapshot import snapshot

ELEMENTWISE = {name: formula for name, formula in FORMULAS.items() if formula.elementwise}
NAMES = {
    "exp": np.exp, "ln": np.log, "log2": np.log2, "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "tanh": np.tanh, "sign": np.sign, "sqrt": np.sqrt, "max": np.maximum, "abs": np.abs, "slope": 0.01,
    "sigmoid": nonlinear.sigmoid, "Phi": lambda x: nonlinear.gelu(x) / x,
    "phi": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
}  # fmt: skip
SIGNS = {
    "−": "-", "·": "*", "²": "**2", "^": "**", "√": "sqrt ", "σ": "sigmoid ", "Φ": "Phi ", "φ": "phi ", "log₂": "log2 ",
    "log₁₀": "log10 ",
}  # fmt: skip


def evaluated(template, **numbers):
    """The value of a formula as a reader understands it: a function's name stands before a name, or before parentheses."""
    for sign, python in SIGNS.items():
        template = template.replace(sign, python)
    template = re.sub(r"\|(\{.\})\|", r"abs(\1)", template)
    template = re.sub(r"\b(sqrt|ln|log2|log10|sin|cos|tanh|tan|sign|exp) *(\{.\}|\d+)", r"\1(\2)", template)
    template = re.sub(r"(\d) (sqrt)", r"\1 * \2", template)
    where = re.fullmatch(r"(.*) where (.*), else (.*)", template)
    if where:
        template = "({}) if ({}) else ({})".format(*where.groups())
    return eval(re.sub(r"[{}]", "", template), {**NAMES, **numbers})


def operation(name, numbers):
    """The value and the gradients of an operation at these numbers, for gradient 1.25 of the output."""
    rule = getattr(F, f"{name}_backward", None)
    if rule is not None:
        return None, np.atleast_1d(rule(np.array(1.25), *map(np.array, numbers)))
    engine = trace(getattr(np, name))(*numbers)
    (only,) = engine.operation_list
    return only.output, np.atleast_1d(only.backward_operation(np.array(1.25), *only.inputs))


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("numbers", [(0.7, 1.3), (1.9, 0.4)])
def test_formulas_of_elementwise_rules_give_their_numbers(name, numbers):
    formula = FORMULAS[name]
    given = dict(zip("ab", numbers[: len(formula.gradients)]))
    value, gradients = operation(name, [*given.values()])
    y = evaluated(formula.output, **given)
    if value is not None:
        assert y == pytest.approx(float(value), rel=1e-12)
    for template, gradient in zip(formula.gradients, gradients):
        assert evaluated(template, g=1.25, y=y, **given) == pytest.approx(float(gradient), rel=1e-6)


@pytest.mark.parametrize("name", ["max", "leaky_relu"])
def test_formulas_below_zero(name):
    formula = FORMULAS[name]
    _, (gradient,) = operation(name, [-0.8])
    assert evaluated(formula.gradients[0], a=-0.8, g=1.25) == pytest.approx(float(gradient))


@pytest.mark.parametrize("name", FORMULAS)
def test_there_is_a_rule_for_each_formula(name):
    from mytorch.autodiff import primitives

    assert hasattr(F, f"{name}_backward") or name in primitives() or name in ("getitem", "positive")


def about(rule, inputs, output):
    engine = Autograd()
    engine.add_operation(inputs, output, [None] * len(inputs), rule)
    return snapshot(recorded(engine, None))["rules"][0]


def test_a_rule_that_users_wrote_is_shown_as_they_wrote_it():
    x = np.ones(2)

    def exp_backward(g, a):
        """My own."""
        return g * a

    assert about(exp_backward, [x], np.exp(x)) == {
        "doc": "My own.",
        "source": 'def exp_backward(g, a):\n    """My own."""\n    return g * a',
    }
    assert about(F.exp_backward, [x], np.exp(x))["gradients"] == ("{g} · exp({a})",)


def test_the_maximum_of_two_arrays_is_not_the_one_with_zero():
    x, y = np.ones(2), np.zeros(2)
    assert about(F.max_backward, [x, y], np.maximum(x, y))["output"] == "max({a}, {b})"
    assert about(F.max_backward, [x], np.maximum(x, 0))["output"] == "max({a}, 0)"
    assert snapshot(recorded(trace(np.max)(x), None))["rules"] == [{}]
