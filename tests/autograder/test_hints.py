"""Hints name the misconception behind a mistake, for each check that it costs; consequences name their cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.exercises import EXERCISES
from autograder.grade import Grades, grade
from autograder.hints import HINTS, UNSPECIFIC
from autograder.report import feedback_for_all
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import hint_quality, workshop
from tests.autograder.mistakes_engine import LOOKUP, UPDATE
from tests.autograder.mistakes_layers import BIAS, PRODUCT
from tests.autograder.mistakes_rules import CE_RECORD, CE_RULE, EXP, MATMUL, SUB
from tests.autograder.solutions import ACTIVATION, ENGINE, FUNCTIONAL, LINEAR, LOSS, SIMPLE

Change = tuple[str, str, str]
Grade = Callable[[workshop.Files], Grades]
LOGS = "logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))"
TO_TUPLE = "if not isinstance(gradients, (tuple, list)):\n                gradients = (gradients,)"
ROW = (
    "if len(operation.inputs) == 1:\n"
    "                gradients = [np.broadcast_to(gradients[0], operation.inputs[0].shape)]"
)
SHARES = "p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)\n        "


def submission(changes: list[Change], bodies: dict[str, str] | None = None) -> workshop.Files:
    return workshop.patch(workshop.fill({**SIMPLE, **(bodies or {})}), changes)


def fused(name: str, value: str, slope: str) -> dict[str, str]:
    """An activation in one operation, with this value and derivative."""
    record = f"self.autograd_engine.add_operation([x], self.state, [None], lambda g, x: {slope})"
    return {f"{name}.forward": f"self.state = {value}\n{record}\nreturn self.state"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.fixture
def graded(sandbox: Sandbox, tmp_path: Path) -> Grade:
    """Grades a submission in forked processes, which is quick."""
    return lambda files: workshop.grade_together(workshop.write(files, tmp_path), run_with=sandbox.run_scenarios)


def hints_of(grades: Grades, exercise: str) -> set[str]:
    return {r.problem.hint for r in grades.of(exercise) if r.status == "failed" and r.problem and r.check.points}


def waiting(grades: Grades) -> dict[str, set[str]]:
    """The exercises with marks of which checks wait, by what they wait for."""
    found: dict[str, set[str]] = {}
    for result in grades.results:
        if result.status == "blocked" and result.check.points:
            found.setdefault(result.needs, set()).add(result.check.exercise)
    return found


CASES: dict[str, tuple[str, set[str], list[Change], dict[str, str]]] = {
    "tanh's slope of the output, at the input": (
        "Tanh Backward", {"wrong_point"}, [], fused("Tanh", "np.tanh(x)", "g * (1 - x**2)")),
    "sigmoid's slope of the output, at the input": (
        "Sigmoid Backward", {"wrong_point"}, [], fused("Sigmoid", "1 / (1 + np.exp(-x))", "g * x * (1 - x)")),
    "a mask by the gradient": (
        "ReLU Backward", {"not_proportional"}, [], fused("ReLU", "np.maximum(x, 0)", "g * (g > 0)")),
    "an epsilon in the logarithm": (
        "SoftmaxCrossEntropy Forward", {"clipped"}, [(LOSS, LOGS, f"{SHARES}logs = np.log(p + 1e-12)")], {}),
    "a clip in the logarithm": (
        "SoftmaxCrossEntropy Forward", {"clipped"}, [(LOSS, LOGS, f"{SHARES}logs = np.log(np.clip(p, 1e-8, 1))")], {}),
    "the loss recorded with the truth first": (
        "SoftmaxCrossEntropy Backward", {"truth_first"},
        [(LOSS, CE_RECORD, CE_RECORD.replace("[y_hat, y]", "[y, y_hat]"))], {}),
    "the softmax over the samples": (
        "SoftmaxCrossEntropy Backward", {"softmax_axis"},
        [(FUNCTIONAL, CE_RULE, CE_RULE.replace("e.sum(axis=1, keepdims=True)", "e.sum(axis=0)"))], {}),
    "y = h; y += b": (
        "Linear", {"same_array"}, [(LINEAR, "y = product + self.b.T", "y = product\n        y += self.b.T")], {}),
    "set_param in place of update_param": (
        "Autograd Backward", {"one_path"}, [(ENGINE, UPDATE, "self.gradient_buffer.set_param(array, value)")], {}),
    "a single array iterated over": ("Autograd Backward", {"single_array"}, [(ENGINE, TO_TUPLE, "pass")], {}),
    "the first row of a single array": ("Autograd Backward", {"single_array"}, [(ENGINE, TO_TUPLE, ROW)], {}),
    "matmul's gradients in each other's place": (
        "Functional", {"swapped"}, [(FUNCTIONAL, MATMUL, "return a.T @ grad_output, grad_output @ b.T")], {}),
    "new operations at the front": (
        "Autograd Add Operation", {"record_order"}, [(ENGINE, "operation_list.append(", "operation_list.insert(0, ")], {}),
    "the start for every operation": (
        "Autograd Backward", {"start_everywhere", "none_starts", "shapes_clash"},
        [(ENGINE, LOOKUP, "gradient = divergence")], {}),
    "an exception's class returned": ("Functional", {"returned_class"}, [(FUNCTIONAL, EXP, "return NotImplementedError")], {}),
    "no state": ("Tanh Forward", {"state_unset"}, [], {"Tanh.forward": SIMPLE["Tanh.forward"].replace("self.state", "y")}),
    "W.T recorded with dW": (
        "Linear", {"slot_shape", "shapes_clash"}, [(LINEAR, PRODUCT, PRODUCT.replace("self.dW.T", "self.dW"))], {}),
    "an operation's inputs in another order": (
        "Tanh Backward", {"inputs_mismatch"}, [(ACTIVATION, "record([above, below], self", "record([below, above], self")], {}),
    "b of another shape": (
        "Linear", {"layer_shape"}, [(LINEAR, "bound, (out_features, 1))", "bound, (out_features, 2))")], {}),
    "a copy between two operations": (
        "Linear", {"copied", "slot_unchanged", "zero"}, [(LINEAR, "[product, self.b.T]", "[product.copy(), self.b.T]")], {}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_named_by_each_check_that_it_costs(name: str, graded: Grade) -> None:
    exercise, hints, changes, bodies = CASES[name]
    grades = graded(submission(changes, bodies))
    first = next(r for r in grades.of(exercise) if r.status == "failed" and r.check.points)
    assert first.problem is not None
    assert first.problem.hint in hints
    # None of the others names a wrong one.
    assert hints_of(grades, exercise) - UNSPECIFIC - {"factor"} <= hints


def test_every_hint_of_the_cases_is_one() -> None:
    assert HINTS.keys() > UNSPECIFIC
    assert {hint for _, hints, _, _ in CASES.values() for hint in hints} <= HINTS.keys() - UNSPECIFIC
    assert not [key for key, text in HINTS.items() if "walk back" in text or "  " in text]


@pytest.mark.slow
def test_a_none_that_is_not_skipped_is_named_wherever_it_shows(graded: Grade) -> None:
    skip = "if value is None:\n                    continue\n                "
    grades = graded(submission([(ENGINE, skip, "")]))
    assert "none_not_skipped" in hints_of(grades, "Autograd Backward") | hints_of(
        grades, "SoftmaxCrossEntropy Backward"
    )


FORWARDS = (ENGINE, "enumerate(reversed(self.operation_list)):", "enumerate(self.operation_list):")
MEAN = (LINEAR, BIAS, BIAS.replace("add_backward", "lambda g, p, b: (g, g.mean(axis=0, keepdims=True))"))


@pytest.mark.slow
def test_what_a_wrong_engine_breaks_waits_for_it_and_what_is_wrong_itself_does_not(graded: Grade) -> None:
    """Tanh and Linear are wrong as well; they are explained as if the engine were right."""
    grades = graded(submission([FORWARDS, MEAN], fused("Tanh", "np.tanh(x)", "g * np.tanh(x)")))
    assert waiting(grades)["Autograd Backward"] >= {"Identity Backward", "Sigmoid Backward", "ReLU Backward"}
    assert hints_of(grades, "Tanh Backward") == {"times_forward"}
    assert hints_of(grades, "Linear") == {"batch_mean"}
    assert "Tanh Backward" not in waiting(grades)["Autograd Backward"]
    # With one row a mean is a sum, so only the engine is at fault there.
    (one_row,) = [r for r in grades.of("Linear") if r.check.name == "gradients, one row"]
    assert (one_row.status, one_row.needs) == ("blocked", "Autograd Backward")


@pytest.mark.slow
def test_a_broken_part_blocks_only_what_uses_that_part(graded: Grade) -> None:
    """The subtraction is wrong for broadcasts alone, which no activation has; Sigmoid is wrong for a reason of its own."""
    swapped = (ACTIVATION, "record([one, below], self.state", "record([below, one], self.state")
    grades = graded(submission([(FUNCTIONAL, SUB, "return grad_output, -grad_output"), swapped]))
    assert hints_of(grades, "Functional") == {"not_summed"}
    assert waiting(grades) == {}
    assert len(hints_of(grades, "Sigmoid Backward")) >= 1


@pytest.mark.slow
def test_a_wrong_rule_blocks_what_fails_because_of_it(graded: Grade) -> None:
    tanh = fused("Tanh", "np.tanh(x)", "g * (1 - x**2)")
    grades = graded(submission([(FUNCTIONAL, EXP, "return grad_output * a")], tanh))
    assert waiting(grades) == {"exp_backward (Functional)": {"Sigmoid Backward"}}
    assert hints_of(grades, "Tanh Backward") == {"wrong_point"}


@pytest.mark.slow
def test_practice_blocks_nothing_that_has_marks(graded: Grade) -> None:
    change = (FUNCTIONAL, "return grad_output * (a > 0)", "return grad_output * (grad_output > 0)")
    grades = graded(submission([change]))
    assert waiting(grades) == {}
    assert hints_of(grades, "ReLU Backward") == {"not_proportional"}


@pytest.mark.slow
def test_a_layer_that_is_right_with_another_engine_says_so(graded: Grade) -> None:
    """This engine is right for lists as short as those of its own checks."""
    doubled = f"{LOOKUP} * (2 if len(self.operation_list) > 7 else 1)"
    grades = graded(submission([(ENGINE, LOOKUP, doubled)]))
    assert not hints_of(grades, "Autograd Backward")
    assert hints_of(grades, "Tanh Backward") == {"engine_after_all"}


@pytest.mark.slow
def test_a_waiting_check_says_for_what_with_that_ones_explanation(graded: Grade) -> None:
    grades = graded(submission([(FUNCTIONAL, EXP, "return -grad_output * np.exp(a)")]))
    records = [r.record() for r in grades.of("Sigmoid Backward") if r.status == "blocked"]
    assert records
    assert {record["needs"] for record in records} == {"exp_backward (Functional)"}
    assert all(HINTS["sign"] in record["feedback"]["hint"] for record in records)
    alone = Grades(grades.of("Sigmoid Backward"))
    assert HINTS["sign"].split(".")[0] in " ".join(" ".join(feedback_for_all(alone, False)).split())
    # Where the rule's own explanation stands above, it is not repeated.
    everything = " ".join(" ".join(feedback_for_all(grades, False)).split())
    assert everything.count(HINTS["sign"]) == 1
    assert "Sigmoid Backward, Tanh Backward: needs exp_backward (Functional) first" in everything


@pytest.mark.slow
def test_a_missing_file_is_named_once(tmp_path: Path) -> None:
    files = {name: text for name, text in workshop.fill(SIMPLE).items() if name != LINEAR}
    grades = grade(workshop.write(files, tmp_path), EXERCISES, jobs=1)
    lines = feedback_for_all(grades, False)
    assert {r.problem.hint for r in grades.of("Linear") if r.problem} == {"missing_file"}
    assert sum("linear.py" in line for line in lines) == 1
    assert "  Linear, Linear with Skip" in lines


@pytest.mark.slow
def test_a_sample_of_the_catalogue_gets_the_right_hints() -> None:
    """The whole catalogue: python -m tests.autograder.hint_quality."""
    rows = list(hint_quality.measure(hint_quality.MISTAKES[::24]))
    wrong = [
        (mistake.name, first and first.problem) for mistake, first, verdict in rows if verdict == hint_quality.WRONG
    ]
    assert not wrong
    assert sum(verdict == hint_quality.RIGHT for _, _, verdict in rows) >= 0.9 * len(rows)
