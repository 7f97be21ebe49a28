"""The same functions in JAX and PyTorch, random functions, and the list of what NumPy has."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.autodiff import grad, jvp, primitives, vjp
from mytorch.autodiff.errors import IN_PLACE, REASONS
from mytorch.autodiff.traced import TABLE
from tests.autodiff.cases import BYGONE, CASES, RECENT
from tests.autodiff.helper import differentiable, floats, numpys, random_like, watched_calls

pytestmark = pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")  # until NumPy 2.5

NOT_IN_JAX = {
    "nextafter", "real_if_close", "eig", "complex eig", "eig vectors", "eigvals", "complex eig vectors", "gradient axes",
    "gradient at places 2", "poly of a matrix", "roots", "sliding_window_view", "emath", "emath arcs", "emath powers",
    "emath inside", "logaddexp.reduce", "subtract.reduce", "hypot.reduce", "fmax.reduce", "maximum.accumulate",
    "divide.accumulate", "add.reduceat", "multiply.reduceat",
}  # fmt: skip
# JAX pads the result of unique, or of a remainder, and differentiates it otherwise; here each value is differentiated by its
# first occurrence.
DIFFERENT_IN_JAX = {
    "unique", "unique_values", "unique_counts", "unique_inverse", "unique_all", "union1d", "intersect1d", "setdiff1d",
    "setxor1d", "polydiv",
}  # fmt: skip
# JAX cannot compile these, because the shape of a result depends on values, or has other gradients once it has compiled them.
NOT_COMPILED = {"choose", "repeat each", "compress", "extract", "extract by place", "bincount", "bincount of all"} | {
    "methods",
    "ufunc methods",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_IN_JAX | DIFFERENT_IN_JAX])
def test_gradient_as_in_jax(name: str, jax: Any) -> None:
    jnp = jax.numpy
    f, args = CASES[name]
    try:
        mine, pull = vjp(lambda *x: floats(f(np, *x)), *args)
    except (AttributeError, TypeError, ValueError):
        assert name in RECENT | BYGONE or name.startswith("linalg ")
        pytest.skip(f"this NumPy has no such function: {name}")
    cotangents = tuple(random_like(np.random.default_rng(0), value) for value in mine)

    def value_and_gradients(args: tuple, cotangents: tuple) -> tuple[tuple, tuple]:
        value, their_pull = jax.vjp(lambda *x: jax_floats(f(jnp, *x)), *args)
        return value, their_pull(cotangents)

    # Compiled at once it takes half the time of its operations compiled one by one.
    call = value_and_gradients if name in NOT_COMPILED else jax.jit(value_and_gradients)
    theirs, their_gradients = call(*jax.tree.map(jnp.asarray, (args, cotangents)))
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)
    for a, b in zip(pull(cotangents), their_gradients):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def jax_floats(result: Any) -> tuple:
    return tuple(part for part in (result if isinstance(result, tuple) else (result,)) if part.dtype.kind in "fc")


TORCH: list[tuple[str, Any, Any]] = [  # the name of a case, and the same in PyTorch
    ("tanh", lambda t, x: t.tanh(x), None),
    ("prod", lambda t, x: x.prod(1), None),
    ("std", lambda t, x: x.std((0, 2), unbiased=False, keepdim=True), None),
    ("logaddexp", lambda t, x, y: t.logaddexp(x, y), None),
    ("cumprod", lambda t, x: x.cumprod(-1), None),
    ("matmul batches", lambda t, x, y: x @ y, None),
    ("einsum three", lambda t, x, y, z: t.einsum("bij,ij,j->b", x, y, z), None),
    ("solve batch", lambda t, a, b: t.linalg.solve(a, b), None),
    ("inv", lambda t, x: t.linalg.inv(x), None),
    ("slogdet", lambda t, x: t.linalg.slogdet(x)[1], None),
    ("svd values", lambda t, x: t.linalg.svdvals(x), None),
    ("pinv", lambda t, x: t.linalg.pinv(x), None),
    ("norm nuc", lambda t, x: t.linalg.norm(x, "nuc"), None),
    ("getitem fancy", lambda t, x: x[[0, 2, 0], [1, 1, 1]], None),
    ("sort", lambda t, x: x.sort(0)[0], None),
    ("kron", lambda t, x, y: t.kron(x, y), None),
    ("cross", lambda t, x, y: t.linalg.cross(x, y.expand(4, 3)), None),
    ("diff", lambda t, x: t.diff(x, n=2, dim=1), None),
    ("hypot", lambda t, x, y: t.hypot(x, y), None),
    ("eigh", lambda t, x: t.linalg.eigh((x + x.mT) / 2)[0], 0),
]


@pytest.mark.parametrize(("name", "f", "which"), TORCH, ids=[row[0] for row in TORCH])
@pytest.mark.slow
def test_gradient_as_in_pytorch(name: str, f: Any, which: int | None, torch: Any) -> None:
    ours, args = CASES[name]
    tensors = [torch.tensor(x, requires_grad=True) for x in args]
    theirs = f(torch, *tensors)
    value, pull = vjp(lambda *x: ours(np, *x) if which is None else ours(np, *x)[which], *args)
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    g = random_like(np.random.default_rng(3), value)
    theirs.backward(torch.as_tensor(np.asarray(g)))
    for a, b in zip(pull(g), tensors):
        np.testing.assert_allclose(a, b.grad.numpy(), rtol=1e-7, atol=1e-9)


# Random functions of two 3-vectors. All steps are analytic and tame, so that a complex step is exact to rounding:
# f(x + i h v) = f(x) + i h f'(x) v + O(h**2) with h = 1e-20 (Squire and Trapp, 1998).
UNARY = [
    np.sin,
    np.cos,
    np.tanh,
    np.arctan,
    lambda x: np.exp(np.sin(x)),
    lambda x: np.sqrt(x * x + 1),
    lambda x: np.log(x * x + 2),
    np.cumsum,
    lambda x: np.flip(x),
    lambda x: x[np.array([2, 0, 0])],
    lambda x: np.roll(x, 1) * 0.5,
    lambda x: x - np.mean(x),
    lambda x: x**2 / (1 + x**2),
    lambda x: np.einsum("ij,j->i", np.reshape(np.concatenate([x, x * 2, np.sin(x)]), (3, 3)), x) / 5,
    lambda x: np.linalg.solve(np.eye(3) * 4 + np.outer(np.sin(x), np.cos(x)), x),
    lambda x: np.prod(np.stack([x, np.cos(x)]), axis=0),
    lambda x: np.where(np.array([True, False, True]), x, 1.0),
    lambda x: np.convolve(x, np.sin(x), "same"),
    lambda x: np.tensordot(np.outer(x, np.cos(x)), np.sin(x), 1),
    lambda x: np.diff(np.pad(x, (1, 0))),
    lambda x: np.mean(x * x) * x,
]
BINARY = [
    np.add,
    np.subtract,
    np.multiply,
    lambda a, b: a / (2 + np.cos(b)),
    lambda a, b: np.cross(a, b),
    lambda a, b: a * np.sum(b) / 3,
    lambda a, b: np.dot(a, b) * b / 3,
]


def assemble(steps: list[tuple[int, int, int]]) -> Any:
    def f(x: Any, y: Any) -> Any:
        values = [x, y]
        for which, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(UNARY[which](a) if which < len(UNARY) else BINARY[which - len(UNARY)](a, b))
        return np.sum(np.sin(values[-1]) + 0.1 * np.tanh(values[-2]))

    return f


entries = st.lists(st.floats(-2, 2), min_size=3, max_size=3).map(np.array)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=8,
    ),
    entries,
    entries,
    entries,
)
def test_random_functions(steps: list, x: Any, y: Any, v: Any) -> None:
    f, w, h = assemble(steps), v[::-1] - 0.5, 1e-20
    dx, dy = grad(f, (0, 1))(x, y)
    reverse, forward = dx @ v + dy @ w, jvp(f, (x, y), (v, w))[1]
    step = f(x + 1j * h * v, y + 1j * h * w).imag / h
    scale = 1 + np.abs(dx) @ np.abs(v) + np.abs(dy) @ np.abs(w)
    assert abs(reverse - step) <= 1e-11 * scale
    assert abs(forward - step) <= 1e-11 * scale
    # second order: the derivative of the derivative, forward over reverse and reverse over forward
    over = jvp(lambda a, b: jvp(f, (a, b), (v, w))[1], (x, y), (v, w))[1]
    under = jvp(lambda a, b: sum(np.dot(p, q) for p, q in zip(grad(f, (0, 1))(a, b), (v, w))), (x, y), (v, w))[1]
    mixed = sum(p @ q for p, q in zip(grad(lambda a, b: jvp(f, (a, b), (v, w))[1], (0, 1))(x, y), (v, w)))
    assert abs(over - under) <= 1e-9 * (scale + abs(over))
    assert abs(over - mixed) <= 1e-9 * (scale + abs(over))


def test_every_ufunc_of_numpy_is_in_the_table() -> None:
    ufuncs = {getattr(np, name) for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    strings_only = {ufunc for ufunc in ufuncs if not any(char in "".join(ufunc.types) for char in "fdFD")}
    missing = sorted(ufunc.__name__ for ufunc in ufuncs - strings_only if ufunc not in TABLE)
    assert missing == []


def test_every_public_function_of_numpy_has_a_rule_or_a_reason() -> None:
    """Each function that NumPy hands over to us is differentiable, of zero derivative, or refused with a reason of its own."""
    modules = (np, np.linalg, np.fft, np.emath, np.lib.stride_tricks)
    handed_over = {
        getattr(module, name)
        for module in modules
        for name in dir(module)
        if type(getattr(module, name)) is type(np.sum)
    }
    missing = sorted(function.__name__ for function in handed_over if function not in TABLE)
    assert set(missing) == {name for name in REASONS.keys() | IN_PLACE if hasattr(np, name)}


def test_every_function_of_the_table_has_a_case(capsys: pytest.CaptureFixture) -> None:
    """Every rule is called by at least one case (functions of zero derivative aside), and their number is printed."""
    with watched_calls() as called:
        for f, args in CASES.values():
            with suppress(AttributeError, TypeError, ValueError):
                vjp(lambda *x, f=f: floats(f(np, *x)), *args)
    missing = sorted(fun.__name__ for fun in differentiable() - called)
    with capsys.disabled():
        print(f"\nmytorch.autodiff: {len(differentiable())} functions with a derivative tested in {len(CASES)} cases, "
              f"{len(numpys() - differentiable())} with zero derivative, {len(primitives())} names in all")  # fmt: skip
    assert missing == []
