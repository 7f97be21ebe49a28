"""Right solutions in many styles lose nothing, at any seed; what is ambiguous is asked for in one sentence."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from autograder.exercises import EXERCISES, checks_of
from autograder.grade import grade, run_unit
from autograder.isolate import run_scenarios
from autograder.staff.isolation.sandbox import Sandbox
from tests.autograder import seeds, workshop
from tests.autograder.catalogue import MISTAKES
from tests.autograder.solutions_moved import PACKAGED, moved
from tests.autograder.solutions_older import ORIGINAL, Files

STYLES = list(workshop.right_ones())


def test_there_are_many_styles() -> None:
    assert len(STYLES) >= 18
    texts = {name: "".join(files.values()) for name, files in workshop.right_ones().items()}
    assert len(set(texts.values())) == len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_a_right_solution_gets_all_marks(style: str, tmp_path: Path) -> None:
    folder = workshop.write(workshop.right_ones()[style], tmp_path)
    assert seeds.together(folder, range(2)) == [frozenset()] * 2


@pytest.mark.slow
def test_the_same_work_gets_the_same_marks_at_every_seed() -> None:
    """A sample; the program prints them all."""
    names = [mistake.name for mistake in MISTAKES if not mistake.hints & seeds.ROUGH][3::29]
    rows = [seeds.row(name, 3) for name in names]
    assert len(rows) >= 5
    assert [text for text, fine in rows if not fine] == []


def test_a_wrong_solution_that_the_draw_decides_about_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = [frozenset({"Linear: two layers"}), frozenset()]
    entries = {"luck": (dict, lambda folder, numbers: lost), "always": (dict, lambda folder, numbers: lost[:1] * 2)}
    monkeypatch.setattr(seeds, "entries", lambda: entries)
    text, fine = seeds.row("luck", 2)
    assert not fine
    assert "Linear: two layers" in text
    assert seeds.row("always", 2)[1]


# Each exercise in a process of its own, as a student's runner and the final grading run it.


def alone(files: Files, folder: Path) -> dict[str, str]:
    """The errors of the checks with marks that don't pass, by exercise."""
    grades = grade(workshop.write(files, folder), jobs=1)
    return {
        result.check.exercise: result.problem.feedback["came"] if result.problem else result.status
        for result in grades.results
        if result.check.points and result.status != "passed"
    }


@pytest.mark.slow
@pytest.mark.parametrize("files", [ORIGINAL, PACKAGED], ids=["original", "packaged"])
def test_older_generations_get_all_marks_exercise_by_exercise(files: Files, tmp_path: Path) -> None:
    assert alone(files, tmp_path) == {}


def problems_of(exercise: str, files: Files, folder: Path) -> list[str]:
    (chosen,) = (one for one in EXERCISES if one.name == exercise)
    results = run_unit(workshop.write(files, folder), chosen.parts, checks_of(exercise))
    return [result.problem.feedback["came"] for result in results if result.problem]


TWICE = ORIGINAL | {"mytorch/old/sums.py": "def matmul_backward(g, a, b):\n    return g, g\n"}
# What is wrong with the files, the exercise in which it shows, and the sentence that says so.
SENTENCES: dict[str, tuple[Files, str, str]] = {
    "two places": (
        TWICE,
        "Functional",
        "MissingName: matmul_backward is looked for in mytorch/nn/functional.py, which is missing. It is defined in "
        "mytorch/functional_hw1.py and mytorch/old/sums.py. Rename the file that counts to mytorch/nn/functional.py.",
    ),
    "no place": (
        moved(ORIGINAL, {}, [("class Linear", "class Dense")]),
        "Linear",
        "MissingFile: mytorch/nn/modules/linear.py is missing from the submission, and no other file of it defines Linear.",
    ),
    "a name is missing": (
        moved(ORIGINAL, {}, [("class ReLU", "class Relu"), ("super(ReLU", "super(Relu")]),
        "ReLU Forward",
        "MissingName: ReLU is missing from mytorch/nn/modules/activation.py.",
    ),
    "another buffer": (
        moved(ORIGINAL, {}, [("self.memory_buffer", "self.gradients")]),
        "Linear",
        "MissingName: Autograd keeps its buffer in gradient_buffer, and this engine has no attribute of that name.",
    ),
    "W the other way round": (
        moved(ORIGINAL, {}, [("size=(out_features, in_features)", "size=(in_features, out_features)"), ("self.W.T", "self.W"),
                             ("self.dW.T", "self.dW")]),
        "Linear",
        "MissingName: Linear(3, 2).W has shape (3, 2). Make it an array of shape (2, 3).",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", SENTENCES)
def test_what_cannot_be_found_or_used_is_said_in_a_sentence(case: str, tmp_path: Path) -> None:
    files, exercise, sentence = SENTENCES[case]
    assert sentence in problems_of(exercise, files, tmp_path)


@pytest.mark.slow
def test_the_rename_that_is_asked_for_is_enough(tmp_path: Path) -> None:
    places = {"mytorch/functional_hw1.py": "mytorch/nn/functional.py"}
    files = moved(TWICE, places, [("mytorch.functional_hw1", "mytorch.nn.functional")])
    assert seeds.together(workshop.write(files, tmp_path), range(1)) == [frozenset()]


@pytest.mark.slow
def test_packages_without_init_are_the_submission_s_own(tmp_path: Path) -> None:
    """A package of the same name that Python finds elsewhere must not take their place."""
    files = dict(workshop.right_ones()["simple"])
    for package in ("hw_bonus", "mytorch"):
        del files[f"{package}/__init__.py"]
    assert problems_of("MLP", files, tmp_path) == []


AT_HOME = """
import argparse
import sys

argparse.ArgumentParser().parse_args()
sys.path.append("mytorch/parts")
from beside import Autograd
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["plain process", "sandbox"])
def test_code_runs_in_its_folder_and_without_arguments(where: str, tmp_path: Path) -> None:
    """The final grading starts it as a student does: relative paths and sys.argv are the same."""
    if where == "sandbox" and not hasattr(os, "fork"):
        pytest.skip("a sandbox needs fork")
    files = {"mytorch/autograd_engine.py": AT_HOME, "mytorch/parts/beside.py": "class Autograd:\n    pass\n"}
    folder = workshop.write(files, tmp_path)
    with Sandbox() if where == "sandbox" else nullcontext() as sandbox:
        run = sandbox.run_scenarios if sandbox else run_scenarios
        assert [(frame["status"], frame["text"]) for frame in run(folder, ("engine",), [])] == [("ok", "")]
