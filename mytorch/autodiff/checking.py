"""check_grads: forward and reverse mode against central differences, along one random direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.core import jvp, vjp
from mytorch.autodiff.kinds import zeros_like
from mytorch.autodiff.traced import plain
from mytorch.autodiff.tree import flatten, tree_map


def check_grads(
    f: Callable[..., Any], args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"),
    atol: float = 1e-6, rtol: float = 1e-5, eps: float = 1e-6, seed: int = 0,
) -> None:  # fmt: skip
    """Check the derivatives of ``f(*args)`` in the given modes, up to an order.

    args: a tuple of float64 or complex128 arrays or trees of them. One random direction v is drawn: the difference
    quotient (f(x + eps v) - f(x - eps v)) / (2 eps) is compared with jvp, and with vjp by the inner product
    u . (J v) = (J^T u) . v for a random u. Higher orders check the jvp and the pulled gradient as functions in the same way.
    Raises AssertionError that names order and mode, and on failure looks entry by entry for where the two part.
    """
    generator = np.random.default_rng(seed)
    args = tuple(tree_map(lambda x: x if hasattr(x, "dtype") else np.asarray(x), a) for a in args)
    _check(f, args, order, 1, modes, (atol, rtol, eps), generator, "f")


def _check(f: Any, args: tuple, order: int, depth: int, modes: Any, tolerances: Any, generator: Any, name: str) -> None:
    atol, rtol, eps = tolerances
    v = _random_like(args, generator)
    expected = _difference(f, args, v, eps)
    u = _random_like(f(*args), generator)
    scale = 1 + _size(expected)
    if "fwd" in modes:
        tangent = jvp(f, args, v)[1]
        if not _close(tangent, expected, atol, rtol):
            raise AssertionError(_explain(f, args, f"forward mode of {name}", tangent, expected, eps, "fwd"))
    if "rev" in modes:
        pulled = vjp(f, *args)[1](u)
        got, wanted = _inner(pulled, v), _inner(u, expected)
        if not abs(got - wanted) <= atol * scale + rtol * (abs(wanted) + scale):
            raise AssertionError(_explain(f, args, f"reverse mode of {name}", got, wanted, eps, "rev"))
    if depth < order:
        if "fwd" in modes:
            _check(
                lambda *x: jvp(f, x, v)[1], args, order, depth + 1, modes, tolerances, generator, f"the jvp of {name}"
            )
        if "rev" in modes:
            _check(
                lambda *x: vjp(f, *x)[1](u), args, order, depth + 1, modes, tolerances, generator, f"the vjp of {name}"
            )


def _difference(f: Any, args: tuple, v: Any, eps: float) -> Any:
    leaves, build = flatten(args)
    ahead, back = ([x + s * d for x, d in zip(leaves, flatten(v)[0])] for s in (eps, -eps))
    plus, rebuild = flatten(f(*build(iter(ahead))))
    minus, _ = flatten(f(*build(iter(back))))
    return rebuild(iter([(np.asarray(p) - np.asarray(m)) / (2 * eps) for p, m in zip(plus, minus)]))


def _random_like(tree: Any, generator: Any) -> Any:
    def draw(x: Any) -> Any:
        zeros = zeros_like(x)
        values = generator.standard_normal(zeros.shape)
        return (values + 1j * generator.standard_normal(zeros.shape) if zeros.dtype.kind == "c" else values).astype(
            zeros.dtype
        )

    return tree_map(draw, tree)


def _inner(a: Any, b: Any) -> float:
    """The real part of the sum of products, which a transposed linear map preserves."""
    return float(sum(np.real(np.sum(np.asarray(x) * np.asarray(y))) for x, y in zip(flatten(a)[0], flatten(b)[0])))


def _size(tree: Any) -> float:
    return max((float(np.max(np.abs(leaf), initial=0)) for leaf in flatten(tree)[0]), default=0.0)


def _close(a: Any, b: Any, atol: float, rtol: float) -> bool:
    scale = 1 + _size(b)
    pairs = list(zip(flatten(a)[0], flatten(b)[0]))
    return all(bool(np.all(np.abs(np.asarray(x) - np.asarray(y)) <= (atol + rtol) * scale)) for x, y in pairs)


def _explain(f: Any, args: tuple, what: str, got: Any, expected: Any, eps: float, mode: str) -> str:
    """Go through the entries one at a time, and name the one where derivative and difference are furthest apart."""
    leaves, build = flatten(args)
    ones = tree_map(lambda x: zeros_like(x) + 1, f(*args))
    pulled = flatten(vjp(f, *args)[1](ones))[0] if mode == "rev" else None
    worst: tuple[float, str] = (-1.0, "no single entry stands out")
    for k, leaf in enumerate(leaves):
        for index in np.ndindex(np.shape(plain(leaf))):
            direction = [zeros_like(x) for x in leaves]
            direction[k][index] = 1
            v = build(iter(direction))
            difference = _difference(f, args, v, eps)
            if pulled is None:
                tangent = jvp(f, args, v)[1]
                error = _size(
                    [np.asarray(a) - np.asarray(b) for a, b in zip(flatten(tangent)[0], flatten(difference)[0])]
                )
                mine, theirs = tangent, difference
            else:
                mine, theirs = np.real(np.asarray(pulled[k])[index]), _inner(ones, difference)
                error = abs(float(mine - theirs))
            if not error <= worst[0]:
                worst = (
                    error,
                    f"by entry {index} of array {k} the derivative is {mine}, the difference quotient {theirs}",
                )
    return (
        f"{what} disagrees with central differences along a random direction: got {got}, expected {expected}. "
        f"Entry by entry: {worst[1]}. Check the rule of the function, whether f is differentiable here, and eps={eps}."
    )
