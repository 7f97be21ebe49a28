"""Batches: vmap against a loop for every primitive, Jacobians in batches against rows one by one, and what cannot be batched."""

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
from tests.autodiff.helper import floats
from tests.autodiff.test_primitives import case

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

# Functions that ask NumPy for a place or a count that differs between the examples: their examples go one by one.
PART_WAYS = {"piecewise", "interp", "interp period", "interp ends", "quantile by q"}
# Rules and functions of zero derivative without a batch form for some or all of their arguments.
ONE_BY_ONE = {
    "argpartition", "convolve", "delete", "diagflat", "linalg.lstsq", "ravel", "reshape", "resize", "rollaxis", "rot90",
    "getitem", "searchsorted",
}  # fmt: skip
# NumPy's own functions, asked for a value without a derivative by the definition of the same name.
WITHOUT_DERIVATIVE = {
    "geomspace", "linspace", "logspace", "lstsq", "nan_to_num", "nanquantile", "quantile", "real_if_close", "unique", "unwrap",
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
    for name in CASES:
        try:
            f, args = case(name)
        except pytest.skip.Exception:
            continue
        jacobian_reverse(f, tuple(range(len(args))), holomorphic=True)(*args)
        jacobian_forward(f, tuple(range(len(args))), holomorphic=True)(*args)
    assert apart == set()
