"""Values, shapes and dtypes are NumPy's own, in double and in single precision, where settings are left as they are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import check_grads, grad, jvp, vjp

X = np.linspace(0.2, 0.9, 12).reshape(3, 4) ** 2
Z = X + 1j * X[::-1]

EXPRESSIONS = """
sum(x, initial=1.0); mean(x, where=x > 0.1); var(x); std(x, ddof=1); var(x, where=x > 0.1); std(x, axis=0, where=x > 0)
nanvar(x); nanstd(x); nanmean(x); median(x); nanmedian(x); average(x); average(x, weights=x); ptp(x); var(z); nanvar(z)
quantile(x, 0.3); quantile(x, [0.3, 0.5]); quantile(x, 0.3, axis=0); quantile(x, [0.3], axis=0, keepdims=True)
percentile(x, 30); percentile(x, [30], axis=1); nanquantile(x, 0.3); nanpercentile(x, [10, 50], axis=1)
max(x, initial=2.0); min(x, initial=-2.0); prod(x, initial=2.0); nanprod(x); nansum(x); nanmax(x); nancumsum(x)
linalg.norm(x); linalg.norm(x[0], 3); linalg.norm(x[0], 3.0); linalg.norm(x, 1); linalg.norm(x, "nuc"); linalg.norm(z)
linalg.norm(z, 3, axis=0); linalg.cond(x[:, :3]); linalg.det(x[:, :3]); linalg.matrix_power(x[:, :3], 0); linalg.pinv(x)
trapz(x); trapezoid(x); trapezoid(x, x); diff(x); ediff1d(x); ediff1d(x, to_end=1.0); append(x, 1.0); append(x, x[:1], 0)
sinc(x[0, 0]); angle(z[0, 0]); angle(x[0, 0], deg=True); angle(z, deg=True); unwrap(9 * x); interp(x, [0.0, 1.0], [2.0, 3.0])
linspace(x[0, 0], 2.0); linspace(x[0], 2.0); logspace(x[0, 0], 2.0); geomspace(x[0, 0], 2.0); nan_to_num(x[0, 0], nan=3.0)
clip(x[0, 0], 0.0, 2.0); clip(x, 0.0, 0.5); where(x > 0.5, x, 0.0); where(x[0, 0] > 0.5, x[0, 0], 0.0); select([x > 0.5], [x])
select([x > 0.5], [x], 1.0); piecewise(x, [x > 0.5], [lambda v: v * 2.0]); choose([0, 1, 1, 0], [x[0], x[1]])
polyval([1.0, 2.0], x); polyval([1.0, 2.0], x[0, 0]); polyval(x[0], 0.3); vander(x[0]); vander(x[0], 2)
float_power(x, 2); power(x, 2.0); cumprod(x); cumsum(x, 1); cross(x[:, :3], x[0, 1:]); full_like(x, x[0, 0]); heaviside(x, 0.5)
fft.fft(x); fft.ifft(x); fft.rfft(x); fft.irfft(x); fft.fft2(x); fft.rfftn(x); fft.irfftn(x); fft.fftshift(x); fft.ifftshift(x)
fft.fftn(x, s=(2,)); fft.irfft2(z); fft.rfft2(x); fft.ifftn(x); modf(x[0, 0])[0]; divmod(x[0, 0], 0.1)[1]; frexp(x[0, 0])[0]
bincount([0, 1, 1, 2], x[0]); einsum("ij->", x); real_if_close(z); meshgrid(x[0], [1.0, 2.0])[0]; kron(x, [1.0, 2.0])
convolve(x[0], [1.0, 2.0]); correlate(x[0], [1.0, 2.0]); tensordot(x, x); inner(x, x); outer(x, [1.0, 2.0])
array_split(x, 2)[1]; split(x, 3)[1]; hsplit(x, 2)[1]; vsplit(x, 3)[1]; stack([x, x]); dstack([x, x])
column_stack([x[0], x[1]]); block([x, x])
sort(x); partition(x, 1); diagonal(x); trace(x); rollaxis(x, 1); rot90(x); repeat(x, 2); take(x, [1, 2])
tril(x); triu(x); diag(x); diag(x[0]); pad(x, 1); tile(x, 2); delete(x, 1); unique(x); compress([True, False], x); flip(x)
roll(x, 1); squeeze(x[None]); copysign(x[0, 0], -1.0); hypot(x[0, 0], 1.0); logaddexp(x[0, 0], 1.0); vecdot(x, x)
linalg.vecdot(z, z); linalg.trace(x); linalg.diagonal(x); cumulative_sum(x[0]); cumulative_prod(x[0]); matvec(x, x[0])
linalg.vector_norm(x); linalg.matrix_norm(x); linalg.svdvals(x); linalg.slogdet(x[:, :3])[1]
linalg.eigvalsh(x[:, :3] + x[:, :3].T)
sum(x, where=x > 0.1); prod(x, where=x > 0.1); diagflat(x[0]); hstack([x[0], x[1]]); hstack([x, x])
fft.irfftn(z.reshape(2, 3, 2))
vecdot(x.reshape(1, 3, 4), x.reshape(3, 1, 4)); linalg.cond(x[:, :3], 1); fft.rfftn(x.reshape(2, 3, 2)); linalg.trace(x[None])
correlate(z[0], z[1, :2], "same"); correlate(z[0, :2], z[1], "same"); correlate(z[0, :2], z[1]); meshgrid(x[0], x[1], x[2])[1]
einsum("...i,...i", x, x); einsum("...i,i...->...", x, x.T); einsum("i...", x); einsum("ij,...j", x[:2], x); einsum("ji", x)
inner(x.reshape(1, 3, 4), x.reshape(3, 1, 4)); dot(x, x.reshape(3, 4, 1))
linalg.cholesky(x[:, :3] @ x[:, :3].T + 2 * np.eye(3, dtype=x.dtype))
linalg.lstsq(x, x[:, 0], rcond=None)[0]; linalg.lstsq(x.T, x.T, rcond=None)[1]; linalg.multi_dot([x, x.T, x]); vdot(x, x)
"""
ENTRIES = [part.strip() for line in EXPRESSIONS.splitlines() for part in line.split(";") if part.strip()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_value(entry: str, dtype: str) -> None:
    x = X.astype(dtype)
    z = Z.astype(np.result_type(dtype, np.complex64))

    def f(x: Any, z: Any) -> Any:
        return eval(f"np.{entry}", {"np": np, "x": x, "z": z})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = f(x, z)
        except AttributeError:
            pytest.skip(f"this NumPy has no such function: np.{entry}")
        found, pull = vjp(f, x, z)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-12 if dtype == "float64" else 1e-4, atol=1e-6)
        gradients = pull(np.ones_like(found))
        if dtype == "float64":
            check_grads(f, (x, z), order=1)
    assert [g.dtype for g in gradients] == [x.dtype, z.dtype]


def test_the_series_of_sinc_meets_the_quotient_to_fourth_order() -> None:
    ours: Any = np.sinc
    quotient: Any = lambda x: np.sin(np.pi * x) / (np.pi * x)  # noqa: E731
    for rtol in (1e-15, 1e-13, 1e-11, 1e-9, 1e-8):
        for x in (0.0999, -0.0999):
            assert ours(x) == pytest.approx(quotient(x), rel=rtol)
        ours, quotient = grad(ours), grad(quotient)
    assert grad(grad(np.sinc))(0.0) == pytest.approx(-(np.pi**2) / 3, rel=1e-15)


def test_ties_zeros_and_nearly_equal_eigenvalues() -> None:
    np.testing.assert_array_equal(grad(np.max)(np.array([1.0, 3, 3, 2])), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.min(x, axis=1)))(np.ones((2, 4))), np.full((2, 4), 0.25))
    assert jvp(np.max, (np.array([3.0, 3]),), (np.array([1.0, 2]),))[1] == 1.5
    assert grad(np.abs)(0.0) == grad(np.abs)(0j) == 0
    assert grad(lambda x: x**0)(0.0) == grad(lambda x: x ** np.array(0.0))(0.0) == 0
    assert grad(lambda b: np.array(0.0) ** b)(2.0) == 0
    nearly = np.diag([0.0, 1e-17, 1.0])
    with pytest.raises(np.linalg.LinAlgError, match="eigenvalues coincide"):
        grad(lambda a: np.linalg.eigh(a)[1][0, 0])(nearly)
    grad(lambda a: np.linalg.eigh(a)[1][0, 0])(nearly * 1e6 + np.diag([0, 1e-3, 0]))


def test_padding_widths_by_axis() -> None:
    try:
        np.pad(X, {0: 1})
    except TypeError:
        with pytest.raises(TypeError):  # traced arrays are refused as well
            vjp(lambda x: np.pad(x, {0: 1}), X)
        pytest.skip("this NumPy has no such function: pad with widths by axis")
    for widths in ({0: 1}, {-1: (2, 0)}, {0: (1, 2), -1: 1}):
        f = lambda x, widths=widths: np.pad(x, widths, mode="mean")  # noqa: E731
        np.testing.assert_allclose(vjp(f, X)[0], f(X))
        check_grads(f, (X,))


@pytest.mark.parametrize("is_complex", [False, True])
def test_gradients_of_what_reads_one_triangle_are_hermitian(is_complex: bool) -> None:
    """The triangle stands for a Hermitian matrix, and a change of it is made Hermitian too, as in JAX."""
    a = (Z if is_complex else X)[:, :3]
    a = a + np.conj(a.T) + np.diag([3.0, 4.0, 6.0])
    for f in (np.linalg.cholesky, lambda a: np.abs(np.linalg.eigh(a)[1]), np.linalg.eigvalsh):
        value, pull = vjp(f, a)
        g = pull(np.cos(np.arange(value.size)).reshape(value.shape).astype(value.dtype))[0]
        np.testing.assert_allclose(g, np.conj(g.T), atol=1e-13)
        tilted = np.array([[0, 1.0, 2.0], [0, 0, 3.0], [0, 0, 0]])
        levelled = (tilted + tilted.T) / 2
        np.testing.assert_allclose(jvp(f, (a,), (tilted,))[1], jvp(f, (a,), (levelled,))[1], atol=1e-13)
        check_grads(lambda a, f=f: f((a + np.conj(a.T)) / 2), (a,))


def test_upper_triangles_of_complex_matrices() -> None:
    a = Z[:, :3] + np.conj(Z[:, :3].T) + 3 * np.eye(3)
    upper = np.triu(a)
    np.testing.assert_allclose(vjp(lambda a: np.linalg.eigh(a, UPLO="U")[0], upper)[0], np.linalg.eigvalsh(a))
    np.testing.assert_allclose(vjp(lambda a: np.linalg.eigvalsh(a, UPLO="U"), upper)[0], np.linalg.eigvalsh(a))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        f = lambda a: np.linalg.cholesky(a @ np.conj(a.T) + np.eye(3), upper=True)  # noqa: E731
        np.testing.assert_allclose(vjp(f, a)[0], f(a), atol=1e-14)
        check_grads(f, (a,))
