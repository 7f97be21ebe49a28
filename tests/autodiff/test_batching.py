"""Batches: vmap against a loop for every primitive, Jacobians against rows one by one, and what cannot be batched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import (
    batching,
    checkpoint,
    elementwise,
    explicit,
    grad,
    hessian,
    jacobian,
    jacobian_forward,
    jacobian_reverse,
    jvp,
    primitive,
    vjp,
    vmap,
)
from mytorch.autodiff.batching import BatchTrace, batch_call
from mytorch.autodiff.traced import TABLE
from mytorch.autodiff.tree import flatten
from tests.autodiff.cases import CASES
from tests.autodiff.test_primitives import case

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

# Functions that ask NumPy for a place or a count that differs between the examples: their examples go one by one.
PART_WAYS = {"piecewise", "interp", "interp period", "interp ends", "interp knots", "quantile by q"}
# Rules and functions of zero derivative without a batch form for some or all of their arguments.
ONE_BY_ONE = {
    "argpartition", "convolve", "delete", "diagflat", "linalg.lstsq", "ravel", "reshape", "resize", "rollaxis", "rot90",
    "getitem", "pad", "searchsorted", "sliding_window_view",
}  # fmt: skip
# NumPy's own functions, asked for a value without a derivative by the definition of the same name.
WITHOUT_DERIVATIVE = {
    "bincount", "geomspace", "linspace", "logspace", "lstsq", "nan_to_num", "nanquantile", "quantile", "real_if_close",
    "partition",
    "unique", "unwrap", "gradient", "cov", "polydiv", "polyder", "polyint", "polyfit", "poly", "roots", "intersect1d",
    "isin",
    "unique_values", "unique_counts", "unique_inverse", "unique_all", "tensorinv", "tensorsolve", "sort_complex",
    "reduce", "accumulate", "reduceat", "flatnonzero", "arccos", "arcsin", "arctanh", "log", "log10", "log2", "power", "sqrt",
}  # fmt: skip
SCALES = (1.0, 1.01, 0.98)


def stacks(args: tuple) -> list[Any]:
    return [np.stack([x * scale for scale in SCALES]) for x in args]


def close(got: Any, wanted: Any) -> None:
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


def loss_of(f: Any) -> Any:
    return lambda *x: sum(np.sum(np.abs(part * (1 + k)) ** 2) for k, part in enumerate(f(*x)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_vmap_is_a_loop(name: str) -> None:
    f, args = case(name)
    many = stacks(args)
    everything = tuple(range(len(args)))
    loss = loss_of(f)
    singly = [[x[i] for x in many] for i in range(len(SCALES))]
    for got, wanted in zip(vmap(f)(*many), zip(*[f(*one) for one in singly]), strict=True):
        close(got, np.stack(wanted))
    slopes = [grad(loss, everything)(*one) for one in singly]
    for got, wanted in zip(vmap(grad(loss, everything))(*many), zip(*slopes), strict=True):
        close(got, np.stack(wanted))
    for got, wanted in zip(grad(lambda *x: np.sum(vmap(loss)(*x)), everything)(*many), zip(*slopes), strict=True):
        close(got, np.stack(wanted))
    along = jvp(vmap(loss), tuple(many), tuple(many))[1]
    close(along, np.stack([jvp(loss, tuple(one), tuple(one))[1] for one in singly]))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_jacobians_in_batches(name: str) -> None:
    """Rows and columns in batches are those that come one by one, and no rule of NumPy's is left out."""
    f, args = case(name)
    value, pull = vjp(f, *args)
    everything = tuple(range(len(args)))
    reverse = jacobian_reverse(f, everything, holomorphic=True)(*args)
    for k, output in enumerate(value):
        for i, index in enumerate(np.ndindex(output.shape)):
            basis = [np.zeros_like(part) for part in value]
            basis[k] = np.asarray(basis[k])
            basis[k].flat[i] = 1
            for row, wanted in zip(reverse[k], pull(tuple(basis)), strict=True):
                np.testing.assert_allclose(row[index], wanted, rtol=1e-9, atol=1e-10)
    forward = jacobian_forward(f, everything, holomorphic=True)(*args)
    for j, x in enumerate(args):
        for i, index in enumerate(np.ndindex(x.shape)):
            basis = [np.zeros_like(part) for part in args]
            basis[j].flat[i] = 1
            for k, wanted in enumerate(jvp(f, args, tuple(basis))[1]):
                np.testing.assert_allclose(forward[k][j][(..., *index)], wanted, rtol=1e-9, atol=1e-10)


def test_what_cannot_be_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """All other cases, and both Jacobians of all, are carried out for all examples at once."""
    looped: set[str] = set()
    loop = BatchTrace.loop

    def noted(self: BatchTrace, fun: Any, args: Any, kwargs: Any) -> Any:
        looped.add(getattr(fun, "name", getattr(fun, "__name__", "")))
        return loop(self, fun, args, kwargs)

    monkeypatch.setattr(BatchTrace, "loop", noted)
    apart = set()
    for name in CASES:
        try:
            f, args = case(name)
        except pytest.skip.Exception:
            continue
        try:
            batch_call(lambda values, f=f: flatten(f(*values)), stacks(args), [0] * len(args), len(SCALES))
        except TypeError:
            apart.add(name)
    assert apart == PART_WAYS
    assert looped - WITHOUT_DERIVATIVE <= ONE_BY_ONE


def test_jacobians_never_loop_over_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear function that fails on a batch would be called for each direction."""
    apart = set()
    original = batching.along_basis

    def noted(x: Any, linear: Any) -> Any:
        calls = []
        found = original(x, lambda one: (calls.append(1), linear(one))[1])
        if len(calls) > 1:
            apart.add(name)
        return found

    monkeypatch.setattr("mytorch.autodiff.transforms.along_basis", noted)
    monkeypatch.setattr(batching, "FIRST", 10_000)
    for name in CASES:
        try:
            f, args = case(name)
        except pytest.skip.Exception:
            continue
        jacobian_reverse(f, tuple(range(len(args))), holomorphic=True)(*args)
        jacobian_forward(f, tuple(range(len(args))), holomorphic=True)(*args)
    assert apart == set()


X = np.linspace(-1.0, 2.0, 3)
W = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def test_vmap_axes_and_trees() -> None:
    f = lambda p, x, *, shift: {"y": p["W"] @ x + shift, "n": np.sum(x > 0)}  # noqa: E731
    xs, shifts = np.stack([X, 2 * X, -X], axis=1), np.arange(3.0)
    out = vmap(f, in_axes=(None, 1), out_axes=-1)({"W": W}, xs, shift=shifts)
    np.testing.assert_allclose(out["y"], W @ xs + shifts)
    np.testing.assert_array_equal(out["n"], np.sum(xs > 0, axis=0))
    np.testing.assert_allclose(vmap(vmap(np.multiply, (0, None)), (None, 0))(X, W[:, 0]), np.outer(W[:, 0], X))
    np.testing.assert_allclose(vmap(lambda x: 2.0)(X), np.full(3, 2.0))
    np.testing.assert_allclose(vmap(lambda x, y: (x, y))(X, X)[1], X)
    assert not np.shares_memory(vmap(lambda x: x)(X), X)
    assert vmap(lambda x: x * np.ones(4))(np.ones((0, 4))).shape == (0, 4)
    per_example = vmap(grad(lambda w, x: np.tanh(w @ x) ** 2), (None, 0))(X, W)
    np.testing.assert_allclose(per_example, [grad(lambda w, x=x: np.tanh(w @ x) ** 2)(X) for x in W])


@pytest.mark.parametrize("call", [
    lambda: vmap(np.sin, None)(X), lambda: vmap(np.add)(X, W), lambda: vmap(np.add, (0,))(X, X), lambda: vmap(np.sin, 2)(W),
    lambda: vmap(lambda x, name: x)(X, "name"),
])  # fmt: skip
def test_what_vmap_refuses(call: Any) -> None:
    with pytest.raises(ValueError, match="vmap"):
        call()


G = lambda x: np.sum(np.sin(x) * x[0])  # noqa: E731
OUTER = lambda x: np.outer(x, np.cos(x))  # noqa: E731
NESTED: dict[str, tuple[Any, Any]] = {  # a batch of derivatives, or the derivative of a batch; and the same of one example
    "vmap of grad": (vmap(grad(G)), grad(G)), "vmap of hessian": (vmap(hessian(G)), hessian(G)),
    "vmap of jacobian": (vmap(jacobian(OUTER)), jacobian(OUTER)),
    "vmap of jacobian_forward": (vmap(jacobian_forward(OUTER)), jacobian(OUTER)),
    "vmap of jacobian_reverse": (vmap(jacobian_reverse(OUTER)), jacobian(OUTER)),
    "vmap of a third derivative": (vmap(jacobian(hessian(G))), jacobian(hessian(G))),
    "vmap of grad of checkpoint": (vmap(grad(checkpoint(G))), grad(G)),
    "vmap of jvp": (vmap(lambda x: jvp(OUTER, (x,), (x,))[1]), lambda x: jvp(OUTER, (x,), (x,))[1]),
    "grad of vmap of grad": (grad(lambda w: np.sum(vmap(grad(G))(w) ** 2)), grad(lambda x: np.sum(grad(G)(x) ** 2))),
    "jacobian of vmap": (lambda w: jacobian(vmap(OUTER))(w).sum(3), jacobian(OUTER)),
    "jacobian_forward of vmap": (lambda w: jacobian_forward(vmap(OUTER))(w).sum(3), jacobian(OUTER)),
    "hessian of vmap": (lambda w: hessian(lambda w: np.sum(vmap(G)(w)))(w).sum(2), hessian(G)),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_batches_and_derivatives_of_each_other(name: str) -> None:
    many, one = NESTED[name]
    close(many(W), np.stack([one(x) for x in W]))


def test_branches() -> None:
    """A branch that all examples take is taken by the batch; where they part ways they go one by one."""
    calls = []

    def f(x: Any) -> Any:
        calls.append(x)
        return np.sqrt(x) if x > 0 else x * x

    np.testing.assert_allclose(vmap(f)(np.array([1.0, 4.0])), [1, 2])
    assert len(calls) == 1
    np.testing.assert_allclose(vmap(f)(np.array([1.0, -4.0])), [1, 16])
    np.testing.assert_allclose(vmap(grad(f))(np.array([1.0, -4.0])), [0.5, -8])
    np.testing.assert_allclose(vmap(lambda x: W[np.argmax(x)])(np.eye(3)), W[:3])
    np.testing.assert_allclose(vmap(lambda x, i: x[i])(W, np.array([0, 2, 1, 0])), W[np.arange(4), [0, 2, 1, 0]])
    with pytest.raises(ValueError, match="same shape"):
        vmap(lambda x: x[x > 0])(np.array([[1.0, 2.0], [-1.0, 3.0]]))


def test_a_wrong_axis_is_refused_as_for_one_example() -> None:
    for f in (
        lambda x: np.sum(x, axis=-2), lambda x: np.flip(x, 1), lambda x: np.transpose(x, (1, 0)), lambda x: np.max(x, axis=1),
        lambda x: np.swapaxes(x, 0, 1), lambda x: np.concatenate([x, x], axis=-2), lambda x: np.fft.fft(x, axis=1),
    ):  # fmt: skip
        with pytest.raises((ValueError, IndexError)):
            f(X)
        with pytest.raises((ValueError, IndexError)):
            vmap(f)(np.stack([X, X, X]))


def test_no_value_of_a_batch_survives_it() -> None:
    kept = []
    vmap(lambda x: (kept.append(x), x)[1])(X)
    with pytest.raises(RuntimeError, match="had ended"):
        kept[0] * 2


def test_jacobians_of_rules_of_ones_own() -> None:
    """Rules that take no batch are called for one direction after the other; some have one mode only."""

    @primitive
    def stiff(x: Any) -> Any:
        return np.array([np.sin(v) for v in x])

    explicit(stiff, vjps=[lambda g, y, x: np.array([float(a) * np.cos(b) for a, b in zip(g, x)])])
    f = lambda x: np.concatenate([stiff(x), stiff(x)])  # noqa: E731
    np.testing.assert_allclose(jacobian(f)(X), np.concatenate([np.diag(np.cos(X))] * 2))
    with pytest.raises(NotImplementedError, match="no jvp rule"):
        jacobian_forward(f)(X)

    @primitive
    def only_numbers(x: Any) -> Any:
        return np.float64(np.sin(float(x)))

    elementwise(only_numbers, lambda y, x: np.cos(x))
    np.testing.assert_allclose(vmap(grad(only_numbers))(X), np.cos(X))
    for fun in (stiff, only_numbers):
        del TABLE[fun]


def test_the_mode_of_a_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward for fewer inputs than outputs, in one call; both modes give the same."""
    modes = []
    monkeypatch.setattr("mytorch.autodiff.transforms._columns", lambda *a: modes.append("forward"))
    jacobian(lambda x: W @ np.sin(x))(X)
    assert modes == ["forward"]
    jacobian(lambda x: W.T @ np.sin(x))(W[:, 0])
    jacobian(lambda x: np.sin(x))(X)
    jacobian(lambda x: W @ x, holomorphic=True)(X + 1j)
    jacobian(lambda x: W @ x)(X.astype(np.float32))  # its rows are in single precision
    assert modes == ["forward"]


def test_work_of_jacobians_and_hessians(monkeypatch: pytest.MonkeyPatch) -> None:
    """One recorded call and one or two batches, not a pass for each of 100 directions; the batches fit the memory."""
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.sum(np.sin(x[1:] * x[:-1]) ** 2)

    x = np.linspace(-1, 1, 100)
    h = hessian(f)(x)
    assert len(calls) == 2
    np.testing.assert_allclose(h, h.T, atol=1e-13)
    calls.clear()
    monkeypatch.setattr(batching, "ENTRIES", 10 * 100)
    np.testing.assert_allclose(hessian(f)(x), h, atol=1e-14)
    assert len(calls) == 1 + -(-36 // 10)


def test_jacobians_through_checkpoints_and_of_nothing() -> None:
    segment = checkpoint(lambda x: np.sin(x) * x[0])
    np.testing.assert_allclose(jacobian(segment)(X), jacobian(lambda x: np.sin(x) * x[0])(X))
    assert jacobian(lambda x: x * 2)(np.ones((0, 2))).shape == (0, 2, 0, 2)
    assert jacobian(lambda x: np.ones(3) * np.sum(x))(np.ones(0)).shape == (3, 0)
    assert hessian(np.sum)(np.ones(0)).shape == (0, 0)


@pytest.mark.parametrize("index", [
    (np.array([0, 1, 1]), slice(None), np.array([0, 2, 1])), (0, slice(None), np.array([0, 1, 2])), (np.array([1, 0, 1]), 2),
    (..., np.array([2, 0, 2])), (None, np.array([0, 1, 1]), ..., 1), (slice(None), W[:3, 0] > -0.7),
])  # fmt: skip
def test_index_arrays_apart_and_together(index: Any) -> None:
    """As many entries as examples, so that an axis in the wrong place would go unnoticed by its length."""
    x = np.arange(54.0).reshape(3, 2, 3, 3)
    f = lambda x: x[index] ** 2  # noqa: E731
    np.testing.assert_array_equal(vmap(f)(x), np.stack([f(one) for one in x]))
    np.testing.assert_array_equal(
        vmap(grad(lambda x: np.sum(f(x) * f(x))))(x), [grad(lambda x: np.sum(f(x) ** 2))(y) for y in x]
    )
    np.testing.assert_allclose(jacobian_reverse(f)(x[0]), jacobian_forward(f)(x[0]))
