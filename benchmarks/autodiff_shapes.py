"""The functions on which mytorch.autodiff and HIPS autograd are timed in one process: operations, Jacobians, Hessians."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

N = 200
RNG = np.random.default_rng(0)
X, C = RNG.uniform(0.5, 1.5, (2, N, N))
MASK, INDEX = C > 1, RNG.integers(0, N, N)
STEPS = 500

# One operation on X each, in the NumPy of the project.
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "x + 1": lambda m, x: x + 1.0,
    "x * constant": lambda m, x: x * C,
    "x * x": lambda m, x: x * x,
    "x / constant": lambda m, x: x / C,
    "x ** 3": lambda m, x: x**3,
    "-x": lambda m, x: -x,
    "exp": lambda m, x: m.exp(x),
    "log": lambda m, x: m.log(x),
    "sin": lambda m, x: m.sin(x),
    "tanh": lambda m, x: m.tanh(x),
    "sqrt": lambda m, x: m.sqrt(x),
    "abs": lambda m, x: m.abs(x),
    "maximum": lambda m, x: m.maximum(x, C),
    "where": lambda m, x: m.where(MASK, x, C),
    "clip": lambda m, x: m.clip(x, 0.7, 1.3),
    "logaddexp": lambda m, x: m.logaddexp(x, C),
    "arctan2": lambda m, x: m.arctan2(x, C),
    "sum": lambda m, x: m.sum(x, axis=0),
    "mean": lambda m, x: m.mean(x, axis=1),
    "var": lambda m, x: m.var(x, axis=1),
    "std": lambda m, x: m.std(x, axis=0),
    "max": lambda m, x: m.max(x, axis=1),
    "prod": lambda m, x: m.prod(x, axis=1),
    "cumsum": lambda m, x: m.cumsum(x, axis=0),
    "diff": lambda m, x: m.diff(x, axis=1),
    "reshape": lambda m, x: m.reshape(x, (-1,)),
    "transpose": lambda m, x: m.transpose(x),
    "slice": lambda m, x: x[1:, ::2],
    "row": lambda m, x: x[3],
    "index array": lambda m, x: x[INDEX],
    "mask": lambda m, x: x[MASK],
    "concatenate": lambda m, x: m.concatenate([x, C], axis=1),
    "stack": lambda m, x: m.stack([x, x]),
    "tile": lambda m, x: m.tile(x, (2, 2)),
    "repeat": lambda m, x: m.repeat(x, 2, axis=1),
    "pad": lambda m, x: m.pad(x, 1, mode="constant"),
    "roll": lambda m, x: m.roll(x, 3, axis=1),
    "flip": lambda m, x: m.flipud(x),
    "expand_dims": lambda m, x: m.expand_dims(x, 1),
    "triu": lambda m, x: m.triu(x),
    "diag": lambda m, x: m.diag(x),
    "diag of a vector": lambda m, x: m.diag(x[0]),
    "trace": lambda m, x: m.trace(x),
    "sort": lambda m, x: m.sort(m.reshape(x, (-1,))),
    "dot": lambda m, x: m.dot(x, C),
    "dot with a vector": lambda m, x: m.dot(x, C[0]),
    "outer": lambda m, x: m.outer(x[0], C[0]),
    "einsum": lambda m, x: m.einsum("ij,jk->ik", x, C),
    "tensordot": lambda m, x: m.tensordot(x, C, 1),
    "inner": lambda m, x: m.inner(x, C),
    "kron": lambda m, x: m.kron(x[:20, :20], C[:10, :10]),
    "cross": lambda m, x: m.cross(x[:, :3], C[:, :3]),
    "norm": lambda m, x: m.linalg.norm(x),
    "fft": lambda m, x: m.real(m.fft.fft(x)),
    "solve": lambda m, x: m.linalg.solve(x, C[0]),
    "inv": lambda m, x: m.linalg.inv(x),
    "slogdet": lambda m, x: m.linalg.slogdet(x)[1],
    "cholesky": lambda m, x: m.linalg.cholesky(m.dot(x, x.T) / N + np.eye(N)),
    "svd": lambda m, x: m.linalg.svd(x, compute_uv=False),
}


def rosenbrock(m: Any, x: Any) -> Any:
    return m.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def layer(m: Any, outputs: int, x: Any) -> Any:
    return m.tanh(m.dot(C[:outputs, : x.shape[0]] - 1, m.sin(x)))


def residuals(p: Any) -> Any:
    """The residuals of a curve with 5 parameters at 1,000 points."""
    t = np.linspace(0, 5, 1000)
    return p[0] * np.exp(-p[1] * t) + p[2] * np.sin(p[3] * t) + p[4] - np.exp(-t)


def chain(m: Any, x: Any) -> Any:
    for _ in range(STEPS):
        x = m.sin(x) * 1.01
    return x


def pairs() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """By name, the call of mytorch and what it is compared with. Raises ImportError without HIPS autograd."""
    import autograd
    import autograd.numpy

    from mytorch import autodiff

    both: list[Any] = [(autodiff, np), (autograd, autograd.numpy)]
    found: dict[str, Any] = {}
    for n in (50, 200):
        x = np.linspace(-1, 1, n)
        found[f"hessian, {n} inputs"] = tuple(partial(lib.hessian(partial(rosenbrock, m)), x) for lib, m in both)
        found[f"hessian of a layer, {n} inputs"] = tuple(
            partial(lib.hessian(lambda x, m=m: m.sum(layer(m, x.shape[0], x) ** 2)), x) for lib, m in both
        )
    for n, outputs in ((50, 200), (200, 50), (200, 200)):
        x = np.linspace(-1, 1, n)
        found[f"jacobian, {n} inputs, {outputs} outputs"] = tuple(
            partial(lib.jacobian(partial(layer, m, outputs)), x) for lib, m in both
        )
    p = np.array([1.0, 2.0, 0.3, 0.4, 0.5])
    found["jacobian of a curve fit"] = (partial(autodiff.jacobian(residuals), p), partial(row_by_row, p))
    found["scalar chain"] = tuple(partial(lib.grad(partial(chain, m)), 0.5) for lib, m in both)
    for name, f in OPERATIONS.items():
        found[f"operation: {name}"] = tuple(partial(lib.grad(lambda x, f=f, m=m: m.sum(f(m, x))), X) for lib, m in both)
    return found


def row_by_row(p: Any) -> Any:
    """The Jacobian of the curve fit by one backward pass for each residual."""
    from mytorch.autodiff import vjp

    value, pull = vjp(residuals, p)
    return np.stack([pull(row)[0] for row in np.eye(len(value))])
