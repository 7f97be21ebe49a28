"""NumPy's meaning of a function where another one comes to mind first; and counts that half precision does not hold."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import check_grads, grad, hessian, jvp, vjp

X = np.array([-1.3, 0.4, 1.7, 2.6])
A = np.array([[2.0, 1.0, 0.5], [0.3, 1.5, -1.0], [0.1, 0.2, 3.0]])


def both_ways(f: Any, *args: Any) -> None:
    """NumPy's value, and derivatives in both modes to second order."""
    np.testing.assert_allclose(vjp(f, *args)[0], f(*args), rtol=1e-13)
    check_grads(f, args)


PIECES: list[tuple[Any, list, tuple, dict]] = [
    ([X < 1, X > 0], [lambda v: v * v, lambda v: 3 * v], (), {}),  # both hold: the last one counts
    (
        [X < 0, X > 2],
        [lambda v: v * v, np.exp, lambda v: v - v[0]],
        (),
        {},
    ),  # each gets its own entries, so v[0] differs
    (X < 0, [lambda v: v * v, np.sin], (), {}),  # a condition without a list
    ([[True, False, True, False]], [lambda v: v**3], (), {}),  # where none holds: 0
    ([X < 0, X >= 0], [lambda v, a, b=1.0: a * v + b, lambda v, a, b=1.0: b * v * v], (2.0,), {"b": 0.5}),
    ([X < 0], [7.0, 8.0], (), {}),
    ([X > 100], [lambda v: v[0], lambda v: v * 2], (), {}),  # never called for no entries
]


@pytest.mark.parametrize(("conditions", "functions", "args", "keywords"), PIECES)
def test_piecewise(conditions: Any, functions: list, args: tuple, keywords: dict) -> None:
    both_ways(lambda x: np.piecewise(x, conditions, functions, *args, **keywords) + 0 * x, X)


def test_piecewise_and_select_check_their_lists() -> None:
    for f in (lambda x: np.piecewise(x, [x > 0, x < 0], [1.0]), lambda x: np.select([x > 0], [x, x])):
        for call in (lambda f=f: f(X), lambda f=f: vjp(f, X)):
            with pytest.raises(ValueError):
                call()
    assert vjp(lambda x: np.piecewise(x, [x > 1], [lambda v: v * v, 0.0]), 2.0)[0] == 4
    both_ways(lambda x: np.select([X > 1, X > 0], [x * x, 3 * x], default=-1.0) + 0 * x, X)


@pytest.mark.parametrize("op", [np.remainder, np.fmod, lambda a, b: np.divmod(a, b)[1]])
@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 0.1), (-1.0, 0.1), (1.0, -0.1), (6.0, 0.3), (5.3, 0.7), (1e17, 3.0), (0.3, 0.1)]
)
def test_the_quotient_of_a_remainder_is_numpys(op: Any, a: float, b: float) -> None:
    """a - q b is NumPy's remainder for one whole number q; floor(1 / .1) is 10, and NumPy's is 9."""
    q = -grad(op, 1)(a, b)
    assert q == np.rint((a - op(a, b)) / b)
    assert grad(op)(a, b) == 1
    assert jvp(op, (a, b), (0.5, 2.0))[1] == 0.5 - 2 * q


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 takes the sign of the real part")
def test_the_sign_of_a_complex_number_turns_with_it() -> None:
    z = np.array([1 + 2j, -0.5j, 3.0 + 0j])
    assert grad(lambda z: np.sum(np.real(np.sign(z) * np.abs(z))))(z) == pytest.approx([1, 1, 1], abs=1e-15)
    both_ways(np.sign, z)
    np.testing.assert_array_equal(vjp(np.sign, np.array([0j]))[1](np.array([1 + 0j]))[0], [0])
    assert vjp(np.sign, X)[0].tolist() == [-1, 1, 1, 1]


@pytest.mark.parametrize("half", ["L", "U"])
def test_eigenvectors_and_factors_of_one_half_are_numpys(half: str) -> None:
    a = A + A.T + np.diag([1.0, 2.0, 4.0])
    noise = np.triu(np.ones((3, 3)), 1) if half == "L" else np.tril(np.ones((3, 3)), -1)  # in the other half, unread
    for f in (
        lambda a: np.linalg.eigh(a, half)[1],
        lambda a: np.linalg.eigh(a, UPLO=half)[0],
        lambda a: np.linalg.eigvalsh(a, half),
    ):
        np.testing.assert_array_equal(vjp(f, a + noise)[0], f(a + noise))
        np.testing.assert_array_equal(jvp(f, (a + noise,), (a,))[0], f(a + noise))
        check_grads(lambda a, f=f: np.abs(f((a + a.T) / 2)), (a,))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        f = functools.partial(np.linalg.cholesky, upper=half == "U")
        np.testing.assert_array_equal(vjp(f, a + noise)[0], f(a + noise))
        check_grads(lambda a: f((a + a.T) / 2), (a,))


def test_norms_over_several_axes_are_those_of_one_vector() -> None:
    b = np.arange(1.0, 25).reshape(2, 3, 4)
    for order in (1, 2, 3, np.inf, -np.inf, 0.5):
        for axis in (None, (0, 1), (2, 0), 1, np.int64(1), (-1,)):
            for keepdims in (False, True):
                if hasattr(np.linalg, "vector_norm"):
                    both_ways(
                        lambda x, o=order, a=axis, k=keepdims: np.linalg.vector_norm(x, ord=o, axis=a, keepdims=k), b
                    )
    both_ways(lambda x: np.linalg.norm(x, axis=np.int64(1)), b)


def test_extremes_of_nothing_but_nan_are_nan() -> None:
    holes = np.array([[np.nan, np.nan], [1.0, np.nan]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (np.nanmax, np.nanmin):
            np.testing.assert_array_equal(vjp(lambda x, f=f: f(x, axis=1), holes)[0], f(holes, axis=1))
            np.testing.assert_array_equal(grad(lambda x, f=f: f(x))(holes), [[0, 0], [1, 0]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own: infinities and overflow are what is tested
def test_parts_of_infinity() -> None:
    x = np.array([np.inf, -np.inf, 2.5, -0.5])
    for part in (0, 1):
        np.testing.assert_array_equal(
            vjp(lambda x, p=part: np.modf(x)[p] + 0 * np.sign(x), x[2:])[0], np.modf(x[2:])[part]
        )
    np.testing.assert_array_equal(vjp(lambda x: np.modf(x)[0], x)[0], np.modf(x)[0])


def test_geometric_steps_below_zero() -> None:
    both_ways(lambda a, b: np.geomspace(a, b, 5), np.array([-1.0, 2.0]), np.array([-8.0, 50.0]))


def test_a_pseudoinverse_that_leaves_something_out_is_refused() -> None:
    for f in (lambda a: np.linalg.pinv(a, 0.5), lambda a: np.linalg.lstsq(a, a[0], rcond=0.5)[0]):
        for mode in (lambda f=f: vjp(f, A), lambda f=f: jvp(f, (A,), (A,))):
            with pytest.raises(NotImplementedError, match=r"(pinv|lstsq) with rcond=0\.5 leaves out singular values"):
                mode()
    low = A[:, :2] @ A[:2]
    np.testing.assert_allclose(vjp(lambda a: np.linalg.pinv(a, 1e-10), low)[0], np.linalg.pinv(low, 1e-10))


@pytest.mark.parametrize("b", [3, -2, 0.5, 2.5, 0.3, -0.7, -1.5, 1e-9, 0, 1, 0.0])
def test_powers_of_every_exponent(b: float) -> None:
    a = np.array([0.4, 1.7, 3.0])
    both_ways(lambda a: a**b, a)
    both_ways(lambda a, b: a**b, a, np.array([b + 0.0]))
    both_ways(lambda a: a ** np.array([b, 2, 0.5]), a)
    if b == int(b):
        both_ways(lambda a: (-a) ** b, a)


MEANS = [
    np.mean, np.average, lambda x: np.mean(x, where=np.ones(x.shape, bool)), lambda x: np.mean(x, keepdims=True),
    lambda x: x.mean(), lambda x: np.mean(x, axis=0), lambda x: np.var(x / 8), lambda x: np.std(x / 8),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own: infinities and overflow are what is tested
@pytest.mark.parametrize("f", MEANS)
def test_counts_that_half_precision_does_not_hold(f: Any) -> None:
    """70,000 is beyond 65,504, the largest number of half precision, and so are sums of so many entries."""
    x = (np.arange(70_000) % 7).astype(np.float16)
    value, pull = vjp(f, x)
    assert value.dtype == np.float16
    assert value == f(x)
    slopes = pull(np.ones_like(value))[0].astype(np.float64)
    exact = vjp(f, x.astype(np.float64))[1](np.ones(np.shape(value)))[0]
    np.testing.assert_allclose(slopes, exact, atol=3 * 6e-8)  # the smallest number of half precision
    tangent = jvp(f, (x,), (np.ones_like(x),))[1]
    assert tangent == pytest.approx(np.sum(exact), abs=1e-3)


def test_derivatives_of_tails_to_second_order() -> None:
    for x in (20.0, -20.0, 300.0, 0.0, 1e-7):
        assert grad(np.tanh)(x) == pytest.approx(1 / np.cosh(x) ** 2, rel=1e-15)
        assert grad(grad(np.tanh))(x) == pytest.approx(-2 * np.tanh(x) / np.cosh(x) ** 2, rel=1e-14)
    assert grad(grad(grad(np.tanh)))(0.0) == -2
    assert hessian(lambda x: np.logaddexp(x[0], x[1]))(np.array([1.0, 1.0])) == pytest.approx(
        np.array([[0.25, -0.25], [-0.25, 0.25]])
    )
    assert grad(np.logaddexp, (0, 1))(np.inf, np.inf) == (0.5, 0.5)
    assert grad(np.logaddexp)(-np.inf, 1.0) == 0
