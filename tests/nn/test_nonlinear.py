"""Extreme values: activations, softmax and cross-entropy stay finite, and keep their digits in the tails."""

import math

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.nn import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, SoftmaxCrossEntropy, Softplus, Tanh, nonlinear
from mytorch.nn import functional as F

EXTREMES = [0.0, -0.0, 1e-30, 1e-7, 1.0, 20.0, 40.0, 88.0, 89.0, 100.0, 710.0, 1000.0, 1e4]
BOTH_SIGNS = np.array(EXTREMES + [-x for x in EXTREMES])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("module", [Sigmoid, Tanh, ReLU, LeakyReLU, GELU, SiLU, Softplus, Softmax])
def test_activations_are_finite_for_extreme_values(module, dtype, engine):
    x = BOTH_SIGNS.astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = module(engine)(x)
        engine.backward(np.linspace(-1, 1, x.size))
    gradient = engine.gradient_buffer.get_param(x)
    assert y.dtype == gradient.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("log", [False, True], ids=["softmax", "log_softmax"])
def test_softmaxes_of_extreme_rows(log, dtype):
    x = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [-1e4, 0, 1]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = nonlinear.log_softmax(x) if log else nonlinear.softmax(x)
        g = (F.log_softmax_backward if log else F.softmax_backward)(np.ones_like(x), x)
    assert np.isfinite(y).all()
    assert np.isfinite(g).all()
    assert y.dtype == g.dtype == dtype
    expected = [[0, -2e4, -1e4], [-np.log(3)] * 3, [-np.log(3)] * 3]
    # Three digits fewer than float32 has, for the logarithm of three.
    np.testing.assert_allclose(y[1:3] if log else np.log(y[1:3]), expected[1:], rtol=1e-4)
    if log:
        np.testing.assert_allclose(y[0], expected[0], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("one_hot", [False, True])
def test_cross_entropy_of_extreme_scores(one_hot, dtype, engine):
    scores = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [-1e4, -1e4, -1e4], [0, 0, 1e4]], dtype)
    classes = np.array([0, 1, 2, 0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = SoftmaxCrossEntropy(engine)
        value = loss(np.eye(3, dtype=dtype)[classes] if one_hot else classes, scores)
        loss.backward()
    np.testing.assert_allclose(value, [(0 + 2e4 + math.log(3) + 1e4) / 4], rtol=1e-6)
    expected = np.array([[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3], [-1, 0, 1]]) / 4
    np.testing.assert_allclose(engine.gradient_buffer.get_param(scores), expected, rtol=1e-6, atol=1e-7)


TAILS = np.array([-700.0, -300, -40, -30, -20, -10, -1, -1e-3, 0, 1e-3, 1, 5, 10, 19, 20, 30, 40, 300, 700])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slopes_keep_their_digits_in_the_tails(dtype):
    x = (TAILS if dtype == np.float64 else TAILS[np.abs(TAILS) <= 40]).astype(dtype)
    one, wide = np.ones_like(x), x.astype(float)
    # s'(x) = 1 / (2 + 2 cosh x) and tanh'(x) = 1 / cosh(x)**2 have no differences to lose digits in. exp of x loses
    # one digit for |x| = 700, where half a unit in the last place of x is 5e-14 of the result.
    rtol = 1e-12 if dtype == np.float64 else 5e-6
    np.testing.assert_allclose(F.sigmoid_backward(one, x), 1 / (2 + 2 * np.cosh(wide)), rtol=rtol)
    np.testing.assert_allclose(
        F.softplus_backward(one, x), [1 / (1 + math.exp(-v)) if v > -700 else math.exp(v) for v in wide], rtol=rtol
    )
    moderate = np.abs(x) <= 300
    expected = 1 / np.cosh(wide[moderate]) ** 2
    kept = expected > np.finfo(dtype).tiny
    np.testing.assert_allclose(F.tanh_backward(one, x)[moderate][kept], expected[kept], rtol=rtol)
    np.testing.assert_allclose(
        nonlinear.sigmoid(x), [1 / (1 + math.exp(-v)) if v > -700 else math.exp(v) for v in wide], rtol=rtol
    )


def test_softplus_keeps_its_digits_for_negative_numbers():
    x = np.array([-700.0, -40.0, -1.0, 0.0, 1.0, 700.0])
    expected = [math.log1p(math.exp(v)) if v < 700 else v for v in x]
    np.testing.assert_allclose(nonlinear.softplus(x), expected, rtol=1e-13)


def test_gelu_by_its_formula_far_out():
    x = np.array([-37.0, -12.0, -5.0, -3.0, 3.0, 5.0, 12.0])
    phi = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    distribution = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])
    # x**2 is rounded before exp and erfc see it, which costs x**2 roundings.
    np.testing.assert_allclose(nonlinear.gelu(x), x * distribution, rtol=1e-12)
    np.testing.assert_allclose(F.gelu_backward(np.ones(7), x), distribution + x * phi, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gelu_keeps_the_digits_of_its_tail(dtype):
    mpmath = pytest.importorskip("mpmath")
    x = np.array([-8.0, -5.5, -3.1, -1.0, -1e-3, 0.0, 2.0], dtype)
    exact = [float(v * mpmath.ncdf(v)) for v in map(float, x)]
    slopes = [float(mpmath.ncdf(v) + v * mpmath.npdf(v)) for v in map(float, x)]
    eps, smallest = np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
    for found, expected in ((nonlinear.gelu(x), exact), (F.gelu_backward(np.ones(7, dtype), x), slopes)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found.astype(float), expected, rtol=100 * eps, atol=smallest)


def test_the_normal_distribution_is_the_standard_librarys():
    x = np.array([-30.0, -3.0, -0.5, 0.0, 0.5, 3.0], np.float32)
    expected = [math.erfc(-float(v) / math.sqrt(2)) / 2 for v in x]
    np.testing.assert_allclose(nonlinear.normal_cdf(x), expected, rtol=1e-12)
    assert nonlinear.normal_cdf(x).dtype == np.float64
    assert nonlinear.normal_cdf(np.zeros((0, 2))).shape == (0, 2)


def test_a_softmax_row_sums_to_one_and_shifts_change_nothing(rng):
    x = rng.standard_normal((5, 7))
    np.testing.assert_allclose(nonlinear.softmax(x).sum(-1), np.ones(5), rtol=1e-14)
    np.testing.assert_allclose(nonlinear.softmax(x + 1000), nonlinear.softmax(x), rtol=1e-11)


def test_two_engines_see_the_same_activation():
    x = np.array([0.5])
    values = [Sigmoid(Autograd())(x) for _ in range(2)]
    np.testing.assert_array_equal(*values)
    assert values[0] is not values[1]
