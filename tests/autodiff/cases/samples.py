"""Samples, polynomials, pieces of arrays, sets, methods of ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.autodiff.cases.arrays import F, J, M, P, Q, U, V, W, Y, Z, real

WEIGHTS = np.array([2.0, 1.0, 3.0, 0.5])
CLOCK = np.array([0.0, 0.3, 1.0, 1.2])

CASES: dict[str, tuple[Any, tuple]] = {
    # samples
    "gradient": (lambda m, x: tuple(m.gradient(x)), (W,)),
    "gradient axes": (lambda m, x: tuple(m.gradient(x, 0.5, 2.0, axis=(2, 0), edge_order=2)), (real(3, 2, 3),)),
    "gradient at places": (lambda m, x, y: m.gradient(x, m.cumsum(y), axis=1), (U, Q)),
    "gradient at places 2": (lambda m, x: m.gradient(x, CLOCK, axis=-1, edge_order=2), (U,)),
    "cov": (lambda m, x: m.cov(x), (U,)),
    "cov two": (lambda m, x, y: m.cov(x, y, rowvar=False, bias=True), (U, P)),
    "cov weighted": (lambda m, x, w: m.cov(x, aweights=w, ddof=0), (U, Q)),
    "cov complex": (lambda m, x: m.cov(x), (Z,)),
    "cov of one": (lambda m, x: m.cov(x), (V,)),
    "corrcoef": (lambda m, x: m.corrcoef(x), (U,)),
    "corrcoef complex": (lambda m, x: m.corrcoef(x, rowvar=False), (Z,)),
    "histogram": (lambda m, w: m.histogram(V, 3, weights=w)[0], (Q,)),
    "histogram density": (
        lambda m, w: m.histogram(V, np.array([-2.0, 0.1, 0.5, 1.5]), weights=w, density=True)[0],
        (Q,),
    ),
    # polynomials
    "polyadd": (lambda m, p, q: m.polyadd(p, q), (V, F)),
    "polysub": (lambda m, p, q: m.polysub(p, q), (F, V)),
    "polymul": (lambda m, p, q: m.polymul(p, q), (V, Q)),
    "polydiv": (lambda m, p, q: tuple(m.polydiv(p, q)), (F, Q[:3])),
    "polyder": (lambda m, p: m.polyder(p, 2), (F,)),
    "polyint": (lambda m, p: m.polyint(p, 2, k=m.asarray([0.5, 2.0])), (V,)),
    "polyfit": (lambda m, x, y: m.polyfit(x, y, 2), (np.linspace(-1, 2, 6), F)),
    "polyfit weighted": (lambda m, y, w: m.polyfit(CLOCK, y, 1, w=w), (real(4, 2), Q)),
    "poly": (lambda m, z: m.poly(z), (V,)),
    "poly of a matrix": (lambda m, a: m.poly(a), (M,)),
    "roots": (lambda m, p: m.sort(m.roots(p)), (np.array([1.0, -3.1, 1.2, 0.3]),)),
    # pieces
    "sliding_window_view": (lambda m, x: np.lib.stride_tricks.sliding_window_view(x, (2, 3), (0, 2)), (W,)),
    "insert": (lambda m, x, v: m.insert(x, 1, v, axis=0), (U, V)),
    "insert several": (lambda m, x: m.insert(x, m.asarray([0, 2, 2]), x[:3]), (F,)),
    "astype function": (lambda m, x: m.astype(x, complex) * 2j, (U,)),
    "apply_along_axis": (lambda m, x: m.apply_along_axis(lambda line: m.outer(line, line), 1, x), (W,)),
    "apply_along_axis to one": (lambda m, x: m.apply_along_axis(lambda line: m.sum(line**2), 0, x), (U,)),
    "apply_over_axes": (lambda m, x: m.apply_over_axes(m.prod, x, [0, 2]), (W,)),
    # sets
    "union1d": (lambda m, x, y: m.union1d(x, y), (V, Q)),
    "intersect1d": (lambda m, x: m.intersect1d(x, x[1:]), (V,)),
    "setdiff1d": (lambda m, x: m.setdiff1d(x, x[:2]), (V,)),
    "setxor1d": (lambda m, x, y: m.setxor1d(x, m.append(x[:2], y)), (V, Q)),
    "sort_complex": (lambda m, x: m.sort_complex(x) * 2j, (V,)),
    "unique_values": (lambda m, x: m.sort(m.unique_values(x)), (V,)),
    "unique_counts": (lambda m, x: m.unique_counts(x).values, (V,)),
    "unique_inverse": (lambda m, x: m.unique_inverse(x).values, (V,)),
    "unique_all": (lambda m, x: m.unique_all(x).values, (V,)),
    # axes together
    "tensorinv": (lambda m, a: m.linalg.tensorinv(m.reshape(a, (2, 2, 4)), ind=2), (M,)),
    "tensorsolve": (lambda m, a, b: m.linalg.tensorsolve(m.reshape(a, (4, 2, 2)), b, axes=(0,)), (M, real(2, 2))),
    # transforms, functions of complex numbers
    "hfft": (lambda m, z: m.fft.hfft(z, 5), (Y,)),
    "hfft ortho": (lambda m, z: m.fft.hfft(z, norm="ortho", axis=0), (Z,)),
    "ihfft": (lambda m, x: m.fft.ihfft(x, norm="forward"), (U,)),
    "i0": (lambda m, x: m.i0(x), (U,)),
    "emath": (lambda m, x: m.emath.sqrt(x) + m.emath.log(x) * m.emath.log2(x) + m.emath.log10(x), (U,)),
    "emath arcs": (lambda m, x: m.emath.arcsin(x) + m.emath.arccos(x) * m.emath.arctanh(x), (J,)),
    "emath powers": (lambda m, x, y: m.emath.power(x, y) + m.emath.logn(3.0, x), (U, V)),
    "emath inside": (lambda m, x: m.emath.sqrt(x) + m.emath.arcsin(x / 4), (P,)),
    # methods of ufuncs
    "logaddexp.reduce": (lambda m, x: np.logaddexp.reduce(x, axis=None), (U,)),
    "subtract.reduce": (lambda m, x: np.subtract.reduce(x, axis=1, keepdims=True, initial=2.0), (W,)),
    "hypot.reduce": (lambda m, x: np.hypot.reduce(x, axis=(0, 2)), (W,)),
    "fmax.reduce": (lambda m, x: np.fmax.reduce(x, axis=1, dtype=float), (W,)),
    "maximum.accumulate": (lambda m, x: np.maximum.accumulate(x, axis=1), (U,)),
    "divide.accumulate": (lambda m, x: np.divide.accumulate(x), (P,)),
    "add.reduceat": (lambda m, x: np.add.reduceat(x, [0, 2, 1], axis=1), (U,)),
    "multiply.reduceat": (lambda m, x: np.multiply.reduceat(x, [1, 1, 4]), (F,)),
}
