"""scipy.signal's convolutions in all modes, and scipy.sparse.linalg.spsolve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.signal as ss

from mytorch.autodiff import grad, vjp
from mytorch.autodiff.scipy import signal, sparse
from tests.autodiff.scipy.numerics import agrees

G = np.random.default_rng(0)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(
    "shapes",
    [((7,), (4,)), ((4,), (7,)), ((5, 6), (3, 2)), ((3, 2), (5, 6)), ((3, 4, 3), (2, 2, 2)), ((1,), (1,)), ((), ())],
)
@pytest.mark.parametrize("numbers", ["real", "mixed", "complex"])
@pytest.mark.slow
def test_modes(shapes: Any, mode: str, numbers: str) -> None:
    a, b = (G.standard_normal(shape) * np.ones(()) for shape in shapes)
    b = b if numbers == "real" else b + 1j * G.standard_normal(shapes[1])
    a = a * (1 - 0.3j) if numbers == "complex" else a
    for method in ("auto", "direct", "fft"):
        agrees(lambda a, b, method=method: signal.convolve(a, b, mode, method), a, b, order=1)
        agrees(lambda a, b, method=method: signal.correlate(a, b, mode, method), a, b, order=1)
    agrees(lambda a, b: signal.fftconvolve(a, b, mode), a, b)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_axes(mode: str) -> None:
    a, b = G.standard_normal((3, 5)), G.standard_normal((3, 2))
    agrees(lambda a, b: signal.fftconvolve(a, b, mode, axes=1), a, b)
    agrees(lambda a, b: signal.fftconvolve(a, b, mode, axes=[-1]), a, b[:1])
    agrees(lambda a, b: signal.fftconvolve(a, b, mode, axes=0), a, b[:2, :1])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_pairs_of_axes(mode: str) -> None:
    """Channels are summed over, images and filters stay apart: as with SciPy's convolution of each pair."""
    images, filters = G.standard_normal((2, 3, 5, 4)), G.standard_normal((2, 3, 2, 6))
    f = lambda a, b: signal.convolve(a, b, mode, axes=([2, 3], [2, 0]), dot_axes=([1], [1]))  # noqa: E731
    agrees(f, images, filters)
    for i in range(2):
        for k in range(6):
            parts = [ss.convolve(images[i, c], filters[:, c, :, k].T, mode) for c in range(3)]
            np.testing.assert_allclose(f(images, filters)[i, k], sum(parts), atol=1e-13)
    agrees(
        lambda a, b: signal.convolve(a, b, mode, axes=([0], [0])), images[0, 0, :2], filters[0]
    )  # a is the shorter one
    np.testing.assert_allclose(
        signal.convolve(images, filters, axes=((), ()), dot_axes=([0, 1], [0, 1])),
        np.tensordot(images, filters, ([0, 1], [0, 1])),
    )
    with pytest.raises(ValueError, match="as many axes of in1 as of in2"):
        signal.convolve(images, filters, axes=([2, 3], [2]))


def test_single_precision() -> None:
    a, b = np.ones((3, 5), np.float32), np.ones((2, 2), np.float32)
    value, pull = vjp(lambda a, b: signal.convolve(a, b), a, b)
    assert [x.dtype for x in (value, *pull(value))] == [np.float32] * 3


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda a: signal.convolve(a, a[0]), ValueError, "same dimensionality"),
        (lambda a: signal.convolve(a, a, "odd"), ValueError, "mode='odd'.*valid"),
        (lambda a: signal.convolve(a, np.ones((9, 2)), "valid"), ValueError, "at least as long"),
        (lambda a: signal.fftconvolve(a, np.ones((3, 2)), axes=0), ValueError, "incompatible shapes"),
        (lambda a: np.imag(signal.hilbert(a)), TypeError, r"scipy\.signal\.hilbert copies"),
        (lambda a: sparse.linalg.spsolve(np.eye(3), a, permc_spec="NATURAL"), NotImplementedError, "permc_spec"),
    ],
)  # fmt: skip
def test_refused(f: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        grad(lambda a: np.sum(f(a)))(np.ones((3, 5)))


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 1)])
def test_spsolve(shape: tuple) -> None:
    a = sparse.csc_matrix(np.diag(G.standard_normal(5) + 3) + np.diag(G.standard_normal(4), 1))
    b = G.standard_normal(shape)
    agrees(lambda b: sparse.linalg.spsolve(a, b), b)
    agrees(lambda b: sparse.linalg.spsolve(a.tocsr() * (1 + 0.3j), b), b + 0j)
