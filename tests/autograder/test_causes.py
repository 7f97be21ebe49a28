"""The experiment that tells consequences from causes: layers on a Tape, and their gradients worked out without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder import replay
from autograder.causes import explain_dependencies
from autograder.compare import judge, problem
from autograder.exercises import ADD, BACK, CHECKS, EXERCISES, cases_of
from autograder.grade import Grades, Result, rerun_on
from autograder.helpers import Check, Expected, Kind
from autograder.isolate import run_scenarios
from autograder.worker.scenarios.recorded import Tape
from tests.autograder import workshop
from tests.autograder.solutions import STYLES
from tests.clocks import patience

OF_LAYERS = [
    check
    for check in CHECKS
    if check.points and next(e for e in EXERCISES if e.name == check.exercise).needs and check.exercise != BACK
]


def recorded(check: Check, case: Any) -> tuple[str, Any]:
    return "recorded", {"scenario": check.scenario, "given": case}


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_right_layers_pass_without_their_engine(style: str, tmp_path: Path) -> None:
    folder = workshop.write(workshop.fill(STYLES[style]), tmp_path)
    parts = ("engine", "functional", "activation", "loss", "linear")
    results = rerun_on(folder, 3, patience(5), run_scenarios, parts, OF_LAYERS, recorded)
    seen = 0
    for check, (cases, frame) in zip(OF_LAYERS, results):
        assert frame["status"] == "ok", (check.name, frame)
        for case, found in zip(cases, frame["values"]):
            got = replay.values(found, check.expect(case), set())
            assert judge(check, case, got) is None, check.name
        seen += 1
    assert seen == len(OF_LAYERS) > 30


def on_tape(
    rule: Any, *inputs: np.ndarray, start: Any = None, slots: Any = None, same: bool = False, output: Any = None
) -> dict[str, Any]:
    """A Tape's account of one operation, y = sum of the inputs, and of backward."""
    tape = Tape()
    if output is None:
        output = inputs[0] if same else sum(inputs, np.zeros(inputs[0].shape))
    tape.add_operation(list(inputs), output, slots or [None] * len(inputs), rule)
    tape.backward(output if start is None else start)
    shown = {f"gradient {k}": tape.get_param(array) for k, array in enumerate(inputs)}
    return {
        "shown": {**shown, "slot": None if slots is None or slots[0] is None else slots[0].copy()},
        "walks": tape.walks,
        "epoch": [tape.epoch],
    }


X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
G = np.array([[2.0, 3.0, -5.0], [7.0, -1.0, 0.5]])
WANTED = {"gradient 0": Expected(X, Kind.GRADIENT), "slot": Expected(X, Kind.SLOT)}


def test_the_gradient_is_that_of_the_recorded_rules() -> None:
    found = on_tape(lambda g, a: 3 * g * a, X.copy(), start=G)
    assert np.array_equal(replay.values(found, WANTED, set())["gradient 0"], 3 * G * X)
    found = on_tape(lambda g, a: 3 * g * a, X.copy())
    assert np.array_equal(replay.values(found, WANTED, set())["gradient 0"], 3 * X)


def test_a_gradient_to_update_gets_what_its_input_would() -> None:
    """A slot may be a transposed view, and its entries keep their places."""
    slot = np.zeros((3, 2))
    found = on_tape(lambda g, a: g * a, X.copy(), start=G, slots=[slot.T])
    assert np.array_equal(replay.values(found, WANTED, set())["slot"], G * X)


@pytest.mark.parametrize(
    ("rule", "hint"),
    [(lambda g, a: g * (g > 0), "not_proportional"), (lambda g, a: a, "not_proportional"), (lambda g, a: g, "")],
    ids=["a mask", "no grad_output", "right"],
)
def test_a_rule_has_to_be_proportional_to_grad_output(rule: Any, hint: str) -> None:
    found = on_tape(rule, X.copy(), start=G)
    if not hint:
        assert np.array_equal(replay.values(found, WANTED, set())["gradient 0"], G)
        return
    with pytest.raises(replay.Misrecorded) as error:
        replay.values(found, WANTED, set())
    assert error.value.hint == hint


def test_an_output_that_is_its_input_and_a_slot_of_another_form_are_named() -> None:
    x = X.copy()
    faults: tuple[tuple[dict[str, Any], str], ...] = (
        ({"same": True}, "same_array"),
        ({"slots": [np.zeros((3, 2))]}, "slot_shape"),
        ({"slots": [None, None]}, "slot_count"),
        ({"slots": [x]}, "slot_is_input"),
    )
    for settings, hint in faults:
        with pytest.raises(replay.Misrecorded) as error:
            replay.values(on_tape(lambda g, a: g, x, start=G, **settings), WANTED, set())
        assert error.value.hint == hint


def test_a_rule_of_another_operation_is_named_where_it_fails() -> None:
    def matmul_backward(g: Any, a: Any, b: Any) -> Any:
        return g @ b.T, a.T @ g

    wanted = {f"gradient {k}": Expected(X, Kind.GRADIENT) for k in range(2)}
    with pytest.raises(replay.Misrecorded) as error:
        replay.values(on_tape(matmul_backward, X.copy(), X.copy(), start=G), wanted, set())
    assert error.value.hint == "inputs_mismatch"


def test_an_operation_that_is_recorded_before_its_input_is_made_is_named() -> None:
    x, tape = X.copy(), Tape()
    h = x * 1.0
    y = h * 1.0
    for array, output in ((h, y), (x, h)):
        tape.add_operation([array], output, [None], lambda g, a: g)
    tape.backward(G)
    found = {"shown": {"gradient 0": tape.get_param(x)}, "walks": tape.walks, "epoch": [tape.epoch]}
    with pytest.raises(replay.Misrecorded) as error:
        replay.values(found, WANTED, set())
    assert error.value.hint == "recorded_late"


def test_a_wrong_rule_is_replaced_by_the_derivative_of_its_operation() -> None:
    def sub_backward(g: Any, a: Any, b: Any) -> Any:
        raise ValueError("not written yet")

    found = on_tape(sub_backward, X.copy(), X.copy(), start=G, output=0 * X)
    wanted = {f"gradient {k}": Expected(X, Kind.GRADIENT) for k in range(2)}
    got = replay.values(found, wanted, {"sub_backward"})
    assert np.allclose(got["gradient 0"], G)
    assert np.allclose(got["gradient 1"], -G)
    with pytest.raises(replay.Undecided):
        replay.values(found, wanted, set())


@pytest.mark.parametrize(
    "found", [None, {}, {"shown": {}, "walks": 3}, {"shown": {"gradient 0": X}, "walks": [], "epoch": []}]
)
def test_an_account_that_cannot_be_read_decides_nothing(found: Any) -> None:
    with pytest.raises(replay.Undecided):
        replay.values(found, WANTED, set())


# A failed engine, three failed layers that need it alone, and the network, which needs a layer.
SIGMOID, TANH, LINEAR, MLP = "Sigmoid Backward", "Tanh Backward", "Linear", "MLP"
FAILED = [
    Result(check, "failed", problem("wrong"))
    for name in (ADD, SIGMOID, TANH, LINEAR, MLP)
    for check in CHECKS
    if check.exercise == name
]


class Reruns:
    """A stand-in for second runs: keeps the exercises of each process. ends: one that ends it, and the status of its frame."""

    def __init__(
        self, ends: str = "", status: str = "", imported: Callable[[set[str]], bool] = lambda parts: True
    ) -> None:
        self.ends, self.status, self.imported = ends, status, imported
        self.processes: list[list[str]] = []

    def __call__(self, parts: Any, checks: Any, given: Any) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        self.processes.append(list(dict.fromkeys(check.exercise for check in checks)))
        for check in checks if self.imported(set(parts)) else ():
            ended = check.exercise == self.ends
            # An account that cannot be read decides nothing.
            cases = cases_of(check)
            yield cases, {"status": self.status if ended else "ok", "values": [None] * len(cases)}
            if ended:
                return


def not_blocked(rerun: Reruns) -> set[str]:
    results = explain_dependencies(Grades(FAILED), rerun).results
    failed, blocked = (
        {result.check.exercise for result in results if result.status == status} for status in ("failed", "blocked")
    )
    assert not failed & blocked
    assert failed | blocked == {ADD, SIGMOID, TANH, LINEAR, MLP}
    return failed


def test_exercises_that_do_not_need_one_another_run_again_in_one_process() -> None:
    rerun = Reruns()
    assert not_blocked(rerun) == {ADD}
    assert rerun.processes == [[SIGMOID, TANH, LINEAR], [MLP]]


@pytest.mark.parametrize("status", ["time", "died", "malformed"])
@pytest.mark.parametrize(
    ("ends", "processes"),
    [(TANH, [[SIGMOID, TANH, LINEAR], [LINEAR], [MLP]]), (LINEAR, [[SIGMOID, TANH, LINEAR], [MLP]])],
)
def test_who_ends_a_second_run_ends_it_for_nobody_else(ends: str, processes: list[list[str]], status: str) -> None:
    rerun = Reruns(ends, status)
    assert not_blocked(rerun) == {ADD, ends}
    assert rerun.processes == processes


def test_files_that_cannot_be_imported_together_are_imported_alone() -> None:
    rerun = Reruns(TANH, "died", imported=lambda parts: not {"activation", "linear"} <= parts)
    assert not_blocked(rerun) == {ADD, TANH}
    assert rerun.processes == [[SIGMOID, TANH, LINEAR], [SIGMOID], [TANH], [LINEAR], [MLP]]
