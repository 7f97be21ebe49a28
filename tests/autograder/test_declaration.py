"""marks.ini: what it declares is what is graded, handed out and packed, and what does not add up is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import declaration
from autograder.archives import CannotGrade
from autograder.exercises import ALL, CHECKS, DECLARED, EXERCISES
from autograder.grade import rounded
from autograder.helpers import Check
from autograder.staff.marks import hidden
from autograder.staff.platforms import package
from tests.autograder import workshop

MARKS = declaration.FILE.read_text(encoding="utf-8")
GAUSSIAN = """

class Gaussian(Activation):
    def forward(self, x):
        self.state = np.exp(-x * x)
        record = self.autograd_engine.add_operation
        record([x], self.state, [None], lambda grad_output, x: -2 * x * np.exp(-x * x) * grad_output)
        return self.state
"""


def declared(tmp_path: Path, text: str) -> declaration.Declaration:
    path = tmp_path / "autograder" / "marks.ini"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return declaration.read(path)


def test_each_exercise_is_worth_what_is_declared() -> None:
    for exercises, checks, marks in (
        (EXERCISES, CHECKS, DECLARED.open),
        (hidden.EXERCISES, hidden.CHECKS, DECLARED.hidden),
    ):
        assert {e.name: e.points for e in exercises} == marks
        for exercise in exercises:
            assert sum(c.points for c in checks if c.exercise == exercise.name) == pytest.approx(exercise.points)
    assert (sum(DECLARED.open.values()), sum(DECLARED.hidden.values())) == (50, 10)
    # The declaration as it is changes no check, so that marks per check are round numbers.
    assert all(round(4 * check.points) == 4 * check.points for check in (*CHECKS, *hidden.CHECKS))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            MARKS.replace("Functional = 6", "Functional = 7"),
            r"\[open\] in marks.ini add up to 51 marks, but its total is 50",
        ),
        (MARKS.replace("Hidden Engine = 4", "Hidden Engine = 1"), r"\[hidden\] in marks.ini add up to 7 marks"),
        (MARKS.replace("total = 50", "total = fifty"), "The marks of total in marks.ini are 'fifty'"),
        (MARKS.replace("Functional = 6", "Functional = -6"), "The marks of Functional"),
        (MARKS.replace("Functional = 6", "Functional = nan"), "The marks of Functional"),
        (MARKS.replace("Functional = 6", "Functional ="), "The marks of Functional"),
        (MARKS.replace("Functional = 6", "Functional = 6\nFunctional = 6"), "cannot be read"),
        (MARKS.replace("[open]", "[opened]"), r"a section \[opened\]"),
        ("[hidden]\n", r"no section \[open\]"),
        ("[open]\nMLP = practice\n", "worth any marks"),
        ("", r"no section \[open\]"),
        ("total = 5", "cannot be read"),
        (MARKS + "Gaussian = ../gaussian\n", "needs marks in either"),
        ("[open]\nA = 1\nB = 1\n[folders]\nA = ../x/same\nB = ../y/same\n", "Two folders .* are called 'same'"),
    ],
)
def test_what_does_not_add_up_is_refused_in_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CannotGrade, match=words) as refused:
        declared(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("names", "folders", "words"),
    [
        (["Relu Forward"], [], "'Relu Forward' in .open., which is none .*perhaps 'ReLU Forward' is meant"),
        (
            ["Softsign"],
            [],
            "'Softsign' in .open., which is none of the exercises there .they are Autograd Add Operation, ",
        ),
        (["Linear"], ["Linear"], "the name of another exercise"),
    ],
)
def test_names_that_are_no_exercises(names: list[str], folders: list[str], words: str) -> None:
    with pytest.raises(CannotGrade, match=words):
        declaration.check_known(names, ALL, folders, "open")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no checks.py"),
        ({"checks.py": "1 +"}, "cannot be loaded: SyntaxError"),
        ({"checks.py": "CHECKS = [1]\nPARTS = ('engine',)"}, "no list CHECKS"),
        ({"checks.py": "{check}\nPARTS = 'engine'"}, "no tuple PARTS"),
        ({"checks.py": "{check}\nPARTS = ('engine',)"}, "'Other', but marks.ini calls the exercise 'Mine'"),
    ],
)
def test_folders_that_hold_no_exercise(files: dict[str, str], words: str, tmp_path: Path) -> None:
    made = "from autograder.helpers import Check\nCHECKS = [Check('Other', 'x', 1, 'rule', list, dict)]"
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("{check}", made))
    with pytest.raises(CannotGrade, match=words):
        declaration.load("Mine", tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("checks", '"activation")', '"activations")', "no tuple PARTS.*The parts are engine, "),
        ("checks", 'NEEDS = ("Autograd Backward",)', 'NEEDS = ("Autograd Backward")', "NEEDS .* with the comma"),
        (
            "checks",
            '"gaussian", cases',
            '"gausian", cases',
            "runs the scenario 'gausian', which is neither in scenarios.py",
        ),
        ("checks", "(1, 4)", "()", "has no cases, or expects nothing"),
        ("checks", "return np.exp(-x * x)", "return np.exp(-x * y)", "cannot be made: NameError"),
        (
            "scenarios",
            "def gaussian(student, given):",
            "def gaussian(student, given:",
            "scenarios.py cannot be loaded: Syntax",
        ),
        ("scenarios", "@scenario", "", "runs the scenario 'gaussian', which is neither"),
    ],
)
def test_an_exercise_that_nobody_could_solve_is_refused(
    file: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    files = dict(zip(("checks", "scenarios"), example()[1:]))
    assert files[file].count(old) == 1
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text.replace(old, new) if name == file else text)
    with pytest.raises(CannotGrade, match=words):
        declaration.load("Gaussian", tmp_path)
    (tmp_path / f"{file}.py").write_text(files[file])
    own = declaration.load("Gaussian", tmp_path)
    with pytest.raises(CannotGrade, match="NEEDS of 'Gaussian' names 'Autograd Backward', which is no exercise"):
        declaration.check_needs({"Gaussian": own}, ["Linear"])
    declaration.check_needs({"Gaussian": own}, ALL)


def a_check(points: float) -> Check:
    return Check("E", "c", points, "rule", lambda rng: [], lambda given: {})


@pytest.mark.parametrize(
    ("weights", "points", "shares"),
    [
        ([1, 3], 4, [1, 3]), ([1, 3], 2, [0.5, 1.5]), ([1, 3, 0], 0, [0, 0, 0]), ([0, 0], 3, [1.5, 1.5]),
        ([1, 1, 1], 1, [1 / 3] * 3),
    ],
)  # fmt: skip
def test_checks_share_the_marks(weights: list[float], points: float, shares: list[float]) -> None:
    found = declaration.shared([a_check(weight) for weight in weights], points)
    assert [check.points for check in found] == shares
    assert rounded(sum(check.points for check in found)) == points


def test_the_handout_gets_the_open_part_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/checks.py").write_text("x")
    text = MARKS.replace("Hidden Layers = 3", "Hidden Layers = 2\nMine = 1") + "Mine = mine\n"
    declared(tmp_path, text)
    for_students, files = declaration.for_students(tmp_path / "autograder/marks.ini")
    assert "idden" not in for_students
    assert "Mine" not in for_students
    assert files == {}
    assert declared(tmp_path, for_students).open == DECLARED.open
    declared(tmp_path, text)
    for_grader, files = declaration.for_grader(tmp_path / "autograder/marks.ini")
    assert files == {"autograder/own/mine/checks.py": b"x"}
    assert declared(tmp_path, for_grader).folders == {"Mine": tmp_path / "autograder/own/mine"}


def example() -> tuple[str, str, str]:
    """The worked example of docs/grading.md: the lines of marks.ini, checks.py and scenarios.py."""
    text = (workshop.ROOT / "docs/grading.md").read_text(encoding="utf-8")
    part = text[text.index("## Marks and exercises") : text.index("## On Autolab and Gradescope")]
    marks, checks, scenarios = re.findall(r"```(?:ini|python)\n(.*?)```", part, re.DOTALL)
    return marks, checks, scenarios


@pytest.mark.slow
def test_the_worked_example_works(tmp_path: Path) -> None:
    marks, checks, scenarios = example()
    top = tmp_path / "repository"
    top.mkdir()
    for name in ("autograder", "mytorch", "hw_bonus", "docs", "create_tarball.py", "create_tarball.sh", "LICENSE"):
        path = workshop.ROOT / name
        if path.is_dir():
            shutil.copytree(path, top / name, ignore=shutil.ignore_patterns("__pycache__", "*.gif"))
        else:
            shutil.copy(path, top / name)
    (tmp_path / "gaussian").mkdir()
    (tmp_path / "gaussian/checks.py").write_text(checks)
    (tmp_path / "gaussian/scenarios.py").write_text(scenarios)
    assert "total = 53\nGaussian = 3\n" in marks
    assert marks.endswith("[folders]\nGaussian = ../gaussian\n")
    changed = MARKS.replace("total = 50\n", "total = 53\nGaussian = 3\n") + "Gaussian = ../gaussian\n"
    (top / "autograder/marks.ini").write_text(changed)
    activation = top / "mytorch/nn/modules/activation.py"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=top, capture_output=True, text=True, check=False)

    activation.write_text(activation.read_text() + GAUSSIAN)
    right = run("autograder/runner.py", "--only", "Gaussian")
    assert right.returncode == 0, right.stdout + right.stderr
    assert json.loads(right.stdout.splitlines()[-1]) == {"scores": {"Gaussian": 3}}
    # A mistake in it is explained like one in any other exercise.
    written = activation.read_text()
    activation.write_text(written.replace("-2 * x * np.exp", "2 * x * np.exp"))
    wrong = run("autograder/runner.py", "--only", "Gaussian").stdout
    assert "right except for its sign" in wrong
    assert "def gaussian" not in wrong
    activation.write_text(written)
    # For a class too, in the sandbox.
    (tmp_path / "class").mkdir()
    assert run("create_tarball.py").returncode == 0
    shutil.copy(top / "handin.tar", tmp_path / "class/ada.tar")
    graded = run("-m", "autograder.staff", "grade", str(tmp_path / "class"), "--out", str(tmp_path / "out"))
    assert graded.returncode == 0, graded.stderr
    record = json.loads((tmp_path / "out/records/ada.json").read_text())
    assert (record["total"], record["possible"]) == (63, 63)
    # In the handout and in a package.
    files = json.loads(
        run(
            "-c", "import json\nfrom autograder.staff.handout import contents\nprint(json.dumps(list(contents())))"
        ).stdout
    )
    assert {"autograder/own/gaussian/checks.py", "autograder/own/gaussian/scenarios.py"} <= set(files)
    assert not any(name.startswith("autograder/own") for name in package.contents({}, None))
    # And what does not add up stops it.
    (top / "autograder/marks.ini").write_text(changed.replace("Gaussian = 3", "Gaussian = 4"))
    refused = run("autograder/runner.py")
    assert refused.returncode == 2
    assert refused.stderr.strip() == (
        "The exercises of [open] in marks.ini add up to 54 marks, but its total is 53. Correct one of them."
    )
