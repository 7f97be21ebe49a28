"""Every backward function under every shape case: one line per rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from mytorch.nn import functional as F
from tests.numerics import LAYOUTS, assert_close, call_rule, check_integers, check_rule, laid_out


@dataclass(frozen=True)
class Rule:
    """A function, its backward function, how PyTorch calls it, and for which numbers it is defined."""

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    in_torch: Callable[..., Any] | None = None
    positive: bool = False
    analytic: bool = True
    integers: tuple[str, ...] = ("int64", "int32", "uint8")

    def inputs(self, rng: np.random.Generator, *shapes: tuple[int, ...], layout: str = "C") -> list[np.ndarray]:
        """Numbers of size 0.3 to 2, none near zero or near a tie."""
        arrays = []
        for number, shape in enumerate(shapes):
            array = np.asarray(rng.uniform(0.3, 2.0, shape) + 2e-3 * number)
            arrays.append(laid_out(array if self.positive else array * rng.choice([-1.0, 1.0], shape), layout))
        return arrays


def real(x: Any) -> Any:
    """Comparisons look at the real part, so that a complex step passes through them."""
    return np.real(x)


UNARY = [
    Rule("identity", lambda x: x * 1, F.identity_backward, lambda t, x: x * 1),
    Rule("neg", lambda x: -x, F.neg_backward, lambda t, x: -x),
    Rule("exp", np.exp, F.exp_backward, lambda t, x: t.exp(x)),
    Rule("log", np.log, F.log_backward, lambda t, x: t.log(x), positive=True),
    Rule("sqrt", np.sqrt, F.sqrt_backward, lambda t, x: t.sqrt(x), positive=True),
    Rule("abs", lambda x: np.where(real(x) < 0, -x, x), F.abs_backward, lambda t, x: t.abs(x)),
    Rule("max", lambda x: np.where(real(x) > 0, x, 0 * x), F.max_backward, lambda t, x: t.relu(x)),
    Rule("square", lambda x: x * x, lambda g, x: F.power_backward(g, x, 2)[0], lambda t, x: x**2),
    Rule("reciprocal", lambda x: 1 / x, lambda g, x: F.power_backward(g, x, -1)[0], lambda t, x: x**-1),
    Rule("sigmoid", lambda x: 1 / (1 + np.exp(-x)), F.sigmoid_backward, lambda t, x: t.sigmoid(x)),
    Rule("tanh", np.tanh, F.tanh_backward, lambda t, x: t.tanh(x)),
    Rule("softplus", lambda x: np.log(1 + np.exp(x)), F.softplus_backward, lambda t, x: t.nn.functional.softplus(x)),
    Rule("silu", lambda x: x / (1 + np.exp(-x)), F.silu_backward, lambda t, x: t.nn.functional.silu(x)),
    Rule(
        "gelu",
        lambda x: x * 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / np.sqrt(2))),
        F.gelu_backward,
        lambda t, x: t.nn.functional.gelu(x),
        analytic=False,
    ),
    Rule(
        "leaky_relu",
        lambda x: np.where(real(x) > 0, x, 0.2 * x),
        partial(F.leaky_relu_backward, negative_slope=0.2),
        lambda t, x: t.nn.functional.leaky_relu(x, 0.2),
    ),
    Rule("dropout", lambda x: x * 2.5, partial(F.dropout_backward, scale=np.float32(2.5)), lambda t, x: x * 2.5),
    Rule("dropout off", lambda x: x * 1, F.dropout_backward, lambda t, x: x * 1),
    Rule("sum", np.sum, F.sum_backward, lambda t, x: t.sum(x)),
    Rule("mean", lambda x: np.sum(x) / max(x.size, 1), F.mean_backward, None),
    Rule("reshape", lambda x: x.reshape(-1), F.reshape_backward, lambda t, x: x.reshape(-1)),
    Rule("transpose", np.transpose, F.transpose_backward, lambda t, x: x.permute(*reversed(range(x.ndim)))),
    Rule("concatenate one", lambda x: np.concatenate([x], None), partial(F.concatenate_backward, axis=None)),
]
UNARY_SHAPES = [((), "C"), ((5,), "C"), ((3, 4), "C"), ((2, 3, 4), "C"), ((1, 1), "C"), ((0,), "C"), ((0, 3), "C")]
UNARY_SHAPES += [((6,), "strided"), ((6,), "reversed")] + [((3, 4), layout) for layout in LAYOUTS[1:]]

BINARY = [
    Rule("add", np.add, F.add_backward, lambda t, a, b: a + b),
    Rule("sub", np.subtract, F.sub_backward, lambda t, a, b: a - b),
    Rule("mul", np.multiply, F.mul_backward, lambda t, a, b: a * b),
    Rule("div", np.divide, F.div_backward, lambda t, a, b: a / b),
    Rule("power", np.power, F.power_backward, lambda t, a, b: a**b, positive=True),
    Rule("maximum", lambda a, b: np.where(real(a) > real(b), a, b), F.max_backward, lambda t, a, b: t.maximum(a, b)),
]
BINARY_SHAPES = [
    ((), (), "C"),
    ((4,), (4,), "C"),
    ((3, 4), (3, 4), "C"),
    ((3, 4), (4,), "C"),
    ((4,), (3, 4), "C"),
    ((3, 1), (1, 4), "C"),
    ((), (3, 4), "C"),
    ((3, 4), (), "C"),
    ((1, 1, 1), (3,), "C"),
    ((2, 3, 4), (3, 1), "C"),
    ((2, 1, 4), (1, 3, 1), "C"),
    ((0,), (0,), "C"),
    ((0, 3), (3,), "C"),
    ((0, 3), (1,), "C"),
    ((1, 3), (0, 3), "C"),
    *(((3, 4), (3, 4), layout) for layout in LAYOUTS[1:]),
    *(((3, 4), (3, 1), layout) for layout in LAYOUTS[1:]),
    ((6,), (6,), "strided"),
    ((6,), (1,), "reversed"),
]


def named(rules: list[Rule]) -> Any:
    return pytest.mark.parametrize("rule", rules, ids=[rule.name for rule in rules])


@pytest.mark.parametrize(("shape", "layout"), UNARY_SHAPES)
@named(UNARY)
def test_of_one_array(rule, shape, layout, rng):
    check_rule(
        rule.forward, rule.backward, rule.inputs(rng, shape, layout=layout), analytic=rule.analytic, grad_layout=layout
    )


@pytest.mark.parametrize(("left", "right", "layout"), BINARY_SHAPES)
@named(BINARY)
def test_of_two_arrays(rule, left, right, layout, rng):
    check_rule(rule.forward, rule.backward, rule.inputs(rng, left, right, layout=layout), grad_layout=layout)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8", "bool"])
@named(UNARY + BINARY)
def test_integers_get_a_float64_gradient(rule, dtype, rng):
    shapes = [(3, 4), (4,)] if rule in BINARY else [(3, 4)]
    inputs = [rng.integers(1, 6, shape) for shape in shapes]
    check_integers(rule.backward, inputs, np.shape(rule.forward(*(array.astype(float) for array in inputs))), dtype)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch", [1, 4, 7])
@named([rule for rule in UNARY + BINARY if rule.in_torch])
def test_equals_pytorch(rule, batch, seed, torch):
    shapes = [(batch, 5), (5,)] if rule in BINARY else [(batch, 5)]
    inputs = rule.inputs(np.random.default_rng(seed), *shapes)
    tensors = [torch.tensor(array, requires_grad=True) for array in inputs]
    y = rule.in_torch(torch, *tensors)
    grad_output = np.random.default_rng(seed + 100).standard_normal(tuple(y.shape))
    y.backward(torch.tensor(grad_output))
    for got, tensor in zip(call_rule(rule.backward, grad_output, inputs), tensors):
        assert_close(got, tensor.grad.numpy(), 1e-12)


@named([rule for rule in BINARY if rule.name != "maximum"])
@pytest.mark.parametrize("constant", [2, 0.5, -1.5])
def test_a_python_number_is_a_constant(rule, constant, rng):
    (a,) = rule.inputs(rng, (3, 4))
    a = np.abs(a).astype(np.float32)
    g = rng.standard_normal((3, 4)).astype(np.float32)
    beside, nothing = rule.backward(g, a, constant)
    expected, _ = rule.backward(g.astype(float), a.astype(float), np.full((3, 4), float(constant)))
    assert nothing is None
    assert beside.dtype == np.float32
    assert_close(beside, expected, 1e-5)


def test_linear_leaves_out_what_nobody_needs(rng):
    g, x, W, b = (rng.standard_normal(shape) for shape in [(3, 2), (3, 4), (2, 4), (2, 1)])
    every, some = F.linear_backward(g, x, W, b), F.linear_backward(g, x, W, b, needs_x=False)
    assert some[0] is None
    for one, other in zip(every[1:], some[1:]):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("rule", "at", "derivative"),
    [
        (F.max_backward, [-0.0, 0.0, 1e-300, -1e-300], [0, 0, 1, 0]),
        (F.abs_backward, [-0.0, 0.0, 2.0, -2.0], [0, 0, 1, -1]),
        (F.leaky_relu_backward, [0.0, 1.0], [0.01, 1]),
        (lambda g, x: F.power_backward(g, x, 0)[0], [0.0, 2.0], [0, 0]),
        (lambda g, x: F.power_backward(g, x, 1)[0], [0.0, -2.0], [1, 1]),
        (lambda g, x: F.power_backward(g, x, 3)[0], [0.0, -2.0], [0, 12]),
        (lambda g, x: F.power_backward(g, np.array([0.0, 1.0]), x)[1], [2.0, 2.0], [0, 0]),
        (lambda g, x: F.max_backward(g, x, np.array([1.0, 1.0]))[0], [1.0, 2.0], [0, 1]),
        (lambda g, x: F.max_backward(g, np.array([1.0, 1.0]), x)[1], [1.0, 0.0], [1, 0]),
    ],
)
def test_where_the_slope_is_a_convention(rule, at, derivative):
    got = rule(np.full(len(at), 5.0), np.array(at))
    np.testing.assert_array_equal(got, 5.0 * np.array(derivative))


def test_division_survives_numbers_whose_square_does_not():
    huge, tiny = np.array([1e200]), np.array([1e-200])
    one = np.ones(1)
    assert_close(F.div_backward(one, huge, huge)[1], [-1e-200], 1e-12)
    assert_close(F.div_backward(one, tiny, tiny)[1], [-1e200], 1e-12)


def test_every_public_rule_is_tested():
    import pathlib

    tests = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py"))
    missing = [name for name in F.__all__ if f"F.{name}" not in tests]
    assert not missing, "a new rule needs its line of test"
