"""Every primitive, one line each in cases: both modes, to second order, in double and single precision, and empty."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import vjp
from tests.autodiff.cases import BYGONE, CASES, RECENT
from tests.autodiff.helper import check, check_empty, differentiable, empty_variants, floats, watched_calls

pytestmark = [
    pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # NumPy's of means of nothing, which are wanted here
]


def case(name: str) -> tuple[Any, tuple]:
    """The function of a case and its arrays; skips what this NumPy does not have."""
    f, args = CASES[name]
    try:
        f(np, *args)
    except (AttributeError, TypeError):
        assert name in RECENT or name.startswith("linalg ")
        pytest.skip(f"this NumPy has no such function: {name}")
    except ValueError as error:
        if name not in BYGONE:
            raise
        with pytest.raises(ValueError, match=re.escape(str(error)[:20])):  # traced arrays are refused as well
            vjp(lambda *x: f(np, *x), *args)
        pytest.skip(f"this NumPy has no such function: {name}")
    return lambda *x: floats(f(np, *x)), args


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_primitive(name: str) -> None:
    f, args = case(name)
    check(f, args)


# What NumPy refuses to do with nothing, and why.
NEVER_EMPTY = {
    "correlate": "array argument cannot be empty", "polydiv": "index 0 is out of bounds", "tensorinv": "cannot reshape",
    "tensorsolve": "cannot reshape", "histogram": "weights should have the same shape",
}  # fmt: skip
# Functions that NumPy hands over for the sake of a traced entry, and there is none.
BY_ENTRIES = {"poly", "roots"}
# Cases that are not tried empty.
NOT_TRIED = {
    "take wrap": "NumPy never returns from take(empty, ..., mode='wrap')",
    "einsum diagonal": "NumPy calls a matrix of 0 x 3 square",
}


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_TRIED])
@pytest.mark.slow
def test_primitive_of_nothing(name: str) -> None:
    f, args = case(name)
    variants, refusals = empty_variants(f, args)
    for variant in variants:
        with suppress(np.linalg.LinAlgError):  # a @ a.T of an empty a is zero: all eigenvalues are equal
            check_empty(f, variant)
    assert variants or refusals  # where NumPy refuses, there is nothing to compare


def test_every_function_is_tried_empty(capsys: pytest.CaptureFixture) -> None:
    tried, refused = 0, {}
    with watched_calls() as called:
        for name in CASES:
            try:
                f, args = case(name)
            except pytest.skip.Exception:
                continue
            if name not in NOT_TRIED:
                variants, refused[name] = empty_variants(f, args)
                for variant in variants:
                    with suppress(np.linalg.LinAlgError):
                        vjp(f, *variant)
                tried += len(variants)
    missing = {fun.__name__ for fun in differentiable() - called}
    with capsys.disabled():
        print(f"\nmytorch.autodiff: {len(differentiable() & called)} functions tried on {tried} sets of empty arrays; NumPy "
              f"refuses empty arrays in {', '.join(sorted(missing))}")  # fmt: skip
    assert missing == set(NEVER_EMPTY) | BY_ENTRIES
    for name, reason in NEVER_EMPTY.items():
        assert any(reason in refusal for refusal in refused[name])
