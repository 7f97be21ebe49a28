"""vmap, jacobian and hessian of SciPy's functions: a stack of examples has the results of one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

sc = pytest.importorskip("scipy.special")

from mytorch.autodiff import hessian, hvp, jacobian, jvp, vmap  # noqa: E402
from mytorch.autodiff.scipy import integrate, linalg, signal, special, stats  # noqa: E402

G = np.random.default_rng(0)
A = G.standard_normal((4, 4)) + 3 * np.eye(4)
VECTORS, MATRICES = G.standard_normal((3, 4)), np.stack([A + k * np.eye(4) for k in range(3)])
OF_VECTORS: dict[str, Any] = {
    "solve": lambda x: linalg.solve(A, x),
    "solve_triangular": lambda x: linalg.solve_triangular(A, x, lower=True),
    "erf": sc.erf,
    "airy": lambda x: sc.airy(x)[1],
    "logsumexp": special.logsumexp,
    "softmax": special.softmax,
    "polygamma": lambda x: special.polygamma(2, x + 5),
    "norm": lambda x: stats.norm.logpdf(x, 1.0, 2.0),
    "multivariate_normal": lambda x: stats.multivariate_normal.logpdf(x, np.zeros(4), A @ A.T),
    "convolve": lambda x: signal.convolve(x, np.ones(2)),
    "odeint": lambda x: integrate.odeint(lambda y, t: -y, x, [0.0, 1.0])[-1],
    "quad": lambda x: integrate.quad(lambda s, c: c * s, 0, 1, args=(x[0],))[0],
}
OF_MATRICES: dict[str, Any] = {
    "solve": lambda a: linalg.solve(a, VECTORS[0]),
    "expm": lambda a: linalg.expm(a / 9),
    "sqrtm": lambda a: linalg.sqrtm(a @ a.T),
    "solve_sylvester": lambda a: linalg.solve_sylvester(a, A, A),
    "cho_solve": lambda a: linalg.cho_solve(linalg.cho_factor(a @ a.T), VECTORS[0]),
    "lu_solve": lambda a: linalg.lu_solve(linalg.lu_factor(a), VECTORS[0]),
    "eigh": lambda a: linalg.eigh(a + a.T)[1] ** 2,
    "svd": lambda a: linalg.svd(a)[1],
    "qr": lambda a: linalg.qr(a)[1],
}


CASES = [
    pytest.param(f, stack, id=f"{name}-{stack.ndim - 1}")
    for functions, stack in ((OF_VECTORS, VECTORS), (OF_MATRICES, MATRICES))
    for name, f in functions.items()
]


@pytest.mark.parametrize(("f", "stack"), CASES)
@pytest.mark.slow
def test_a_stack_and_whole_derivatives(f: Any, stack: Any) -> None:
    np.testing.assert_allclose(vmap(f)(stack), np.stack([f(x) for x in stack]), rtol=1e-12, atol=1e-12)
    x, v = stack[0], G.standard_normal(stack[0].shape)
    loss = lambda x: np.sum(np.sin(f(x)))  # noqa: E731
    np.testing.assert_allclose(np.tensordot(jacobian(f)(x), v, v.ndim), jvp(f, (x,), (v,))[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.tensordot(hessian(loss)(x), v, v.ndim), hvp(loss)(x, v), rtol=1e-5, atol=1e-5)
