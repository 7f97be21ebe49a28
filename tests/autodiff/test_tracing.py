"""The operation list of a trace: its steps, printed, and as the homework's engine shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mytorch.autodiff import trace
from mytorch.autodiff.tracing import ReverseTrace

PAGE = Path(__file__).resolve().parents[2] / "docs" / "autodiff.md"


def test_steps_and_lists_of_steps_print() -> None:
    recording = ReverseTrace()
    x = recording.variable(np.ones((3, 4)))
    (np.sum(x * np.ones(4), axis=0) + 2.0) * np.float32(3)
    np.linalg.svd(x, full_matrices=False)
    first, *_, last = recording.operation_list
    assert repr(first) == str(first) == "#2 = multiply(#1, float64[4])"
    assert repr(last) == "#6, #7, #8 = linalg.svd(#1, full_matrices=False)"
    assert repr(recording.operation_list) == str(recording.operation_list) == (
        "[#2 = multiply(#1, float64[4]), #3 = sum(#2, axis=0, keepdims=False), #4 = add(#3, 2.0), "
        "#5 = multiply(#4, float32[]), #6, #7, #8 = linalg.svd(#1, full_matrices=False)]"
    )  # fmt: skip


def test_the_table_on_the_page_is_the_one_that_is_printed() -> None:
    def f(x1: Any, x2: Any) -> Any:
        return x1 + np.exp(1.5 * x1 + 2 * x2)

    shown = re.search(r"^# (Autograd: .*?)\n\n", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert shown is not None
    assert str(trace(f)(3.0, 0.5)).strip().splitlines() == [line.removeprefix("# ") for line in shown[1].splitlines()]
