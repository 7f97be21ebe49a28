"""Hostile frames from a submission's process: they are judged wrong and do the grader no harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.compare import judge, show
from autograder.exercises import CHECKS, EXERCISES, cases_of
from autograder.feedback import feedback_lines
from autograder.grade import Grades, Result, explain_dependencies, run_unit
from autograder.helpers import Check
from autograder.report import as_data, feedback_for_all, scores_line, table
from autograder.staff.marks import hidden
from autograder.worker.wire import pack

ALL = [*CHECKS, *hidden.CHECKS]
# One check of every kind of scenario and of expectation.
KINDS = list({(c.scenario, c.exercise, bool(c.points)): c for c in ALL}.values())

TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "no spot in the gradient buffer",
        "a tuple of 2",
        "None",
        "\x1b[2J",
        "\ud800",
        "=1+1",
        "<b>",
        "{factor}",
        "%s",
        "\x00",
    ]
)
DTYPES = st.sampled_from(
    [
        "|b1",
        "|i1",
        "|u1",
        "<i8",
        ">i4",
        "<u8",
        "<f2",
        "<f4",
        ">f4",
        "<f8",
        ">f8",
        "<c8",
        "<c16",
        ">c16",
        np.dtype("g").str,
    ]
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=9, min_side=0, max_side=3) | st.sampled_from(
    [(1, 3), (4, 3), (1,), (), (7,) * 5]
)
ARRAYS = DTYPES.flatmap(
    lambda d: hnp.arrays(np.dtype(d), SHAPES.filter(lambda s: np.prod(s) < 20_000), fill=st.nothing() | _fill(d))
)


def _fill(dtype: str) -> st.SearchStrategy[Any]:
    return hnp.from_dtype(np.dtype(dtype))


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | ARRAYS
ANYTHING = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
STATUS = st.sampled_from(["ok", "todo", "error", "time", "died", "malformed", "passed", "skipped", ""])


def frames_for(check: Check) -> st.SearchStrategy[dict[str, Any]]:
    """Frames as hostile as data can be, many of them with the names and the form of right ones."""
    given = cases_of(check)
    names = list(check.expect(given[0]))
    values = st.lists(
        st.dictionaries(st.sampled_from(names), ATOMS) | ANYTHING, min_size=len(given), max_size=len(given)
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "status": STATUS | ANYTHING,
            "check": st.just(0) | ANYTHING,
            "values": values | ANYTHING,
            "rules": st.lists(TEXT | ANYTHING, max_size=4) | ANYTHING,
            **dict.fromkeys(("text", "where", "function", "printed", "limit"), TEXT | ANYTHING),
        },
    )


def run_with(*frames: Any) -> Any:
    def run(*_: Any) -> Iterator[Any]:
        yield {"status": "ok"}
        yield from frames

    return run


def render(results: list[Result]) -> None:
    """All that is made of results is text that can be written to a file, and JSON."""
    grades = explain_dependencies(Grades(results)) if results[0].check in CHECKS else Grades(results)
    lines = [line for result in grades.results for line in feedback_lines(result.record())]
    lines += [*table(grades), *feedback_for_all(grades, False), *feedback_for_all(grades, True), scores_line(grades)]
    text = "\n".join(lines)
    text.encode()
    assert "\x1b" not in text
    assert "\x00" not in text
    assert len(text) < 200_000
    json.dumps(as_data(grades, "x"), allow_nan=False).encode()
    for result in results:
        result.printed.encode()


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_frame_harms_the_judge(data: Any) -> None:
    check = data.draw(st.sampled_from(KINDS))
    frame = {"status": "ok", "check": 0, **data.draw(frames_for(check))}
    results = run_unit(Path(), ("engine",), [check], run_with=run_with(frame))
    assert [r.status for r in results] in (["failed"], ["todo"])
    assert results[0].earned == 0
    render(results)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(frame=frames_for(CHECKS[0]))
def test_no_frame_of_an_import_harms_the_judge(frame: dict[str, Any]) -> None:
    status = frame.get("status", "error")
    frame = {**frame, "status": "error" if isinstance(status, str) and status == "ok" else status}

    def run(*_: Any) -> Iterator[Any]:
        yield frame

    results = run_unit(Path(), ("engine",), CHECKS[:3], run_with=run)
    assert all(r.earned == 0 and not r.imported for r in results)
    render(results)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(value=ANYTHING)
def test_anything_can_be_shown_in_a_few_lines(value: Any) -> None:
    text = show(value)
    text.encode()
    assert len(text) < 6000


def test_a_large_array_of_many_axes_is_shown_in_a_few_lines() -> None:
    assert len(show(np.ones((7,) * 7))) < 500


# What is nearly right


def right_values(check: Check) -> list[dict[str, np.ndarray]]:
    return [{name: np.asarray(one.array) for name, one in check.expect(case).items()} for case in cases_of(check)]


NEARLY: dict[str, Any] = {
    "an axis too many": lambda v: v[None],
    "an axis behind": lambda v: v[..., None],
    "stretched": lambda v: np.broadcast_to(v, (2, *v.shape)),
    "empty": lambda v: v[:0] if v.ndim else np.zeros(0),
    "one number": lambda v: v.ravel()[0] if v.size > 1 else np.zeros((2, 2)),
    "flat": lambda v: v.ravel() if v.ndim > 1 else v.reshape(1, 1, -1),
    "NaN": lambda v: np.where(np.arange(v.size).reshape(v.shape) == v.size - 1, np.nan, v),
    "infinite": lambda v: np.full(v.shape, np.inf),
    "complex": lambda v: v.astype(np.complex128),
    "yes": lambda v: np.ones(v.shape, bool),
    "whole numbers": lambda v: v.astype(np.int64) if v.dtype.kind == "f" else v.astype(np.float64),
    "a list": lambda v: v.tolist(),
    "text": lambda v: str(v.tolist()),
    "a dictionary": lambda v: {"value": v},
    "nothing": lambda v: None,
    "a little off": lambda v: v + 1e-4 * np.max(np.abs(v)) + (v.dtype.kind == "i") + 1e-2 * (not v.any()),
    "float16": lambda v: (v * 1.01 + (not v.any())).astype(np.float16),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", NEARLY)
def test_what_is_nearly_right_is_wrong(how: str) -> None:
    for check in KINDS:
        cases = cases_of(check)
        for case, values in zip(cases, right_values(check)):
            assert judge(check, case, dict(values)) is None
            for name, value in values.items():
                # A loss is one number; a shape of its own is asked for by another check.
                loose = name.startswith("loss") and name != "loss_val"
                if loose and how in ("an axis too many", "an axis behind", "flat"):
                    continue
                if (check.rtol or value.dtype == np.float32) and how == "a little off":
                    continue
                changed = {**values, name: NEARLY[how](value)}
                assert judge(check, case, changed) is not None, (check.exercise, check.name, name)
            del values[name]
            assert judge(check, case, values) is not None


def test_bytes_in_another_order_are_the_same_numbers() -> None:
    for check in ALL:
        for case, values in zip(cases_of(check), right_values(check)):
            swapped = {name: value.astype(value.dtype.newbyteorder(">")) for name, value in values.items()}
            assert judge(check, case, swapped) is None


# Frames that are right but not of this check, or not alone


@pytest.mark.parametrize(
    "change",
    [
        {"check": 1}, {"check": True}, {"check": None}, {"check": 0.0}, {"check": np.array(0)}, {"status": "passed"},
        {"status": ["ok"]}, {"status": np.array([1, 2])}, {"status": "malformed"}, {"values": []}, {"values": {}},
        {"values": None},
    ],
)  # fmt: skip
def test_a_frame_of_another_form_is_malformed(change: dict[str, Any]) -> None:
    check = CHECKS[0]
    frame = {"status": "ok", "check": 0, "values": right_values(check)}
    assert [r.status for r in run_unit(Path(), (), [check], run_with=run_with(frame))] == ["passed"]
    (result,) = run_unit(Path(), (), [check], run_with=run_with({**frame, **change}))
    assert (result.status, result.problem and result.problem.hint) == ("failed", "malformed")


def test_values_too_many_are_malformed() -> None:
    check = CHECKS[0]
    frame = {"status": "ok", "check": 0, "values": [*right_values(check), {}]}
    (result,) = run_unit(Path(), (), [check], run_with=run_with(frame))
    assert (result.status, result.problem and result.problem.hint) == ("failed", "malformed")


def test_after_a_malformed_frame_nothing_is_believed() -> None:
    first, second = CHECKS[:2]
    frames = [{"status": "malformed"}, {"status": "ok", "check": 1, "values": right_values(second)}]
    results = run_unit(Path(), (), [first, second], run_with=run_with(*frames))
    assert [r.status for r in results] == ["failed", "not run"]


def test_rules_never_turn_a_failure_into_marks() -> None:
    """The rules named in a frame may explain a failure, and nothing else."""
    results = []
    for exercise in EXERCISES:
        checks = [c for c in CHECKS if c.exercise == exercise.name]
        frames = [
            {"status": "error", "check": k, "text": "x", "rules": [c.name for c in CHECKS]}
            for k, _ in enumerate(checks)
        ]
        results += run_unit(Path(), (), checks, run_with=run_with(*frames))
    grades = explain_dependencies(Grades(results))
    assert sum(grades.scores().values()) == 0
    assert {r.status for r in grades.results} <= {"failed", "blocked"}


def test_frames_that_pass_here_can_be_sent() -> None:
    """The right values above are what a process can really send."""
    for check in ALL:
        assert pack({"status": "ok", "values": right_values(check)})
