"""Wrong explanations never look right: a suspect's values differ from the expected ones in some case of its check."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from autograder.compare import close
from autograder.exercises import CHECKS, cases_of
from autograder.helpers import Check

# Exercise and suspect where the suspect's values are the right ones, or where only another check can tell.
RIGHT = {
    # The identity passes on what it gets, and the output of ReLU has the signs of its input.
    ("Identity Forward", "passed_through"), ("Identity Backward", "wrong_point"), ("ReLU Backward", "wrong_point"),
    # The exponential is its own derivative.
    ("Functional", "times_forward"),
}  # fmt: skip
MARKED = [check for check in CHECKS if check.points]


def same(one: Any, other: Any) -> bool:
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return one.shape == other.shape and bool(np.isfinite(one).all()) and close(one, other)


@pytest.mark.parametrize("check", MARKED, ids=lambda check: f"{check.exercise} - {check.name}")
@pytest.mark.parametrize("seed", [0, 1])
def test_each_suspect_is_told_from_the_right_values(check: Check, seed: int) -> None:
    told: dict[str, bool] = defaultdict(bool)
    for given in cases_of(check, seed):
        expected = {name: np.asarray(one.array) for name, one in check.expect(given).items()}
        with np.errstate(all="ignore"):
            for key, values in check.suspects(given, expected):
                named = [name for name in values if name in expected]
                told[key] |= not all(same(values[name], expected[name]) for name in named) or not named
    # Numbers of ordinary size are within every limit.
    ordinary = {"clipped"} if "large" not in check.name else set()
    blind = {key for key, right in told.items() if not right} - ordinary
    assert blind <= {key for exercise, key in RIGHT if exercise == check.exercise}
