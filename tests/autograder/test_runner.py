"""The runner as a student calls it: output, exit codes, options, and submissions that misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.exercises import CHECKS, EXERCISES
from autograder.feedback import feedback_lines
from autograder.grade import grade
from autograder.runner import mark
from tests.autograder import workshop
from tests.autograder.solutions import ACTIVATION, ENGINE, FUNCTIONAL, LOSS, SIMPLE
from tests.autograder.student_tools import run
from tests.clocks import at_most, patience

RUNNER = str(workshop.ROOT / "autograder" / "runner.py")
RELU = "self.state = np.maximum(x, 0)"


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    return workshop.write(workshop.fill(SIMPLE), tmp_path / "solved")


def runner(submission: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(submission, sys.executable, RUNNER, "--submission", str(submission), *arguments)


def scores(output: str) -> dict[str, float]:
    return json.loads(output.splitlines()[-1])["scores"]


def change(folder: Path, name: str, old: str, new: str) -> None:
    workshop.write({name: workshop.patch(workshop.fill(SIMPLE), [(name, old, new)])[name]}, folder)


@pytest.mark.slow
def test_a_right_solution(solved: Path) -> None:
    with at_most(15):
        done = runner(solved)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert f"Grading {solved / 'mytorch'}" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert sum(scores(done.stdout).values()) == 50
    # Autolab puts quotes around what stands before a colon; only the key may have one.
    assert last.count(":") == 1 + len(scores(done.stdout))


@pytest.mark.slow
def test_the_scores_are_named_and_weighted_as_announced(solved: Path) -> None:
    both = {
        f"{n} {way}": p
        for n in ("Identity", "Sigmoid", "Tanh", "ReLU", "SoftmaxCrossEntropy")
        for way, p in (("Forward", 1), ("Backward", 4))
    }
    expected = {
        "Autograd Add Operation": 5,
        "Autograd Backward": 5,
        "Functional": 6,
        "Linear": 5,
        "Linear with Skip": 4,
        **both,
    }
    assert scores(runner(solved).stdout) == expected


@pytest.mark.slow
def test_feedback_says_what_was_given_expected_and_came(solved: Path) -> None:
    change(solved, FUNCTIONAL, "return grad_output * np.exp(a)", "return -grad_output * np.exp(a)")
    done = runner(solved, "--only", "exp_backward")
    assert done.returncode == 1
    for part in ("given ", "expected ", "came ", "look at ", "except for its sign"):
        assert part in done.stdout
    assert scores(done.stdout) == {"Functional": 0}


@pytest.mark.slow
def test_options(solved: Path, tmp_path: Path) -> None:
    listed = runner(solved, "--list")
    assert listed.returncode == 0
    assert "practice  MLP" in listed.stdout
    written = tmp_path / "results.json"
    done = runner(solved, "--only", "sigmoid", "--verbose", "--json", str(written))
    assert done.returncode == 0
    assert "Sigmoid Forward: the output" in done.stdout
    data = json.loads(written.read_text(encoding="utf-8"))
    assert data["scores"] == {"Sigmoid Forward": 1, "Sigmoid Backward": 4}
    assert {check["status"] for check in data["checks"] if check["points"]} == {"passed"}
    assert runner(solved, "--only", "nothing-like-this").returncode == 2


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x"])
def test_a_time_limit_is_a_number_of_seconds(seconds: str, tmp_path: Path) -> None:
    done = runner(tmp_path, f"--time-limit={seconds}")
    assert done.returncode == 2
    assert "--time-limit" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_notebook_gets_what_the_command_prints(solved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(solved, "mytorch/nn/modules/activation.py", RELU, "self.state = np.maximum(x, 1)")
    mark(only="relu", submission=str(solved), seed=3)
    printed = capsys.readouterr().out
    assert printed == runner(solved, "--only", "relu", "--seed", "3").stdout
    assert "0 / 1" in printed


def test_a_seed_repeats_the_numbers_of_a_graded_hand_in(solved: Path) -> None:
    change(solved, FUNCTIONAL, "return grad_output * np.exp(a)", "return -grad_output * np.exp(a)")

    def shown(*arguments: str) -> str:
        return runner(solved, "--only", "exp_backward", *arguments).stdout

    assert shown("--seed", "5") == shown("--seed", "5")
    assert shown("--seed", "5") != shown("--seed", "6")
    assert shown("--seed", "0") == shown()
    # The seeds of a class are this large.
    (result,) = [r for r in grade(solved, EXERCISES, seed=2**47 + 1).of("Functional") if r.status == "failed"]
    output = shown("--seed", str(2**47 + 1))
    assert all(line in output for line in feedback_lines(result.record())[1:])
    for given in ("-1", "x", "1.5"):
        done = runner(solved, "--seed", given)
        assert done.returncode == 2
        assert "--seed" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_part_alone_still_names_what_it_needs(solved: Path) -> None:
    change(solved, ENGINE, "for number, operation in enumerate(reversed", "for number, operation in enumerate(list")
    done = runner(solved, "--only", "sigmoid backward")
    assert "needs Autograd Backward first" in done.stdout
    assert set(scores(done.stdout)) == {"Sigmoid Backward"}


@pytest.mark.slow
def test_what_cannot_be_graded(tmp_path: Path) -> None:
    (tmp_path / "notes.tar").write_text("no archive")
    for given, part in (("nowhere", "does not exist"), ("", "holds no mytorch"), ("notes.tar", "cannot be read")):
        done = run(tmp_path, sys.executable, RUNNER, "--submission", str(tmp_path / given))
        assert done.returncode == 2
        assert part in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_debug_stops_at_the_failing_line(solved: Path) -> None:
    change(
        solved, FUNCTIONAL, "return grad_output * np.exp(a)", "scale = 7\n    return grad_output * np.exp(a) * missing"
    )
    done = subprocess.run(
        [sys.executable, RUNNER, "--submission", str(solved), "--only", "exp_backward", "--debug"],
        input="p scale + 35\nq\n", capture_output=True, text=True, timeout=patience(60), check=False,
    )  # fmt: skip
    assert "NameError" in done.stdout
    assert "42" in done.stdout
    assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["q", "c", ""])
@pytest.mark.parametrize(
    ("name", "old", "new", "only", "shown"),
    [
        (FUNCTIONAL, "return grad_output * np.exp(a)", "return grad_output * a", "exp_backward", "return grad_output * a"),
        (ACTIVATION, RELU, "self.state = np.minimum(x, 0)", "relu forward", "self.state = np.minimum(x, 0)"),
        (ENGINE, "slot += value", "slot -= value", "in place", "for number, operation in enumerate"),
    ],
    ids=["rule", "layer", "engine"],
)  # fmt: skip
def test_debug_stops_in_the_students_code_where_a_value_is_wrong(
    solved: Path, name: str, old: str, new: str, only: str, shown: str, leave: str
) -> None:
    change(solved, name, old, new)
    done = subprocess.run(
        [sys.executable, RUNNER, "--submission", str(solved), "--only", only, "--debug"],
        input=f"p 6 * 7\n{leave}\n", capture_output=True, text=True, timeout=patience(60), check=False,
    )  # fmt: skip
    assert f"{name}(" in done.stdout
    assert f"-> {shown}" in done.stdout
    assert "42" in done.stdout
    assert "expected " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "BdbQuit" not in done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--list",), ("--help",)])
def test_a_reader_that_leaves_early_gets_no_report(solved: Path, arguments: tuple[str, ...]) -> None:
    """As `runner.py | head -1` does, with a pipe that nobody reads any more."""
    process = subprocess.Popen(
        [sys.executable, RUNNER, "--submission", str(solved), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait(patience(60))


@pytest.mark.slow
def test_each_exercise_is_shown_as_it_finishes(solved: Path) -> None:
    """The first line of the table comes through a pipe while a later exercise still runs."""
    change(solved, ACTIVATION, RELU, f"import time; time.sleep({patience(2):.0f})\n        {RELU}")
    process = subprocess.Popen([sys.executable, RUNNER, "--submission", str(solved)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        lines = [process.stdout.readline() for _ in range(4)]
        assert " ".join(lines[2].split()) == "Autograd Add Operation 5 / 5 all passed (practice 1 of 1)"
        assert process.poll() is None
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    "codes",
    [
        {
            "raise RuntimeError('mine')": "RuntimeError: mine",
            "import sys; sys.exit(3)": "sys.exit",
            "import os; os._exit(0)": "process ended",
        },
        {
            "raise KeyboardInterrupt": "KeyboardInterrupt",
            "import ctypes; ctypes.string_at(0)": "process ended",
            "return self.forward(x)": "RecursionError",
        },
        {
            "np.random.seed(1); np.seterr(all='raise'); np.sum = None; raise ValueError('mine')": "ValueError",
            "print('{\"scores\": {\"Linear\": 99}}'); raise ValueError('mine')": "printed",
            "while True: pass": "nothing within the time limit",
        },
    ],
    ids=["ends", "breaks", "disturbs"],
)
def test_what_one_exercise_does_stays_there(solved: Path, codes: dict[str, str]) -> None:
    """Three kinds of harm at once, each in a class of its own: all others keep their marks."""
    harmed = dict(zip(("Sigmoid", "Tanh", "ReLU"), codes))
    bodies = {f"{name}.forward": f"{code}\n{SIMPLE[f'{name}.forward']}" for name, code in harmed.items()}
    workshop.write(workshop.fill({**SIMPLE, **bodies}), solved)
    done = runner(solved, "--time-limit", "0.8")
    marks = scores(done.stdout)
    for name, hint in zip(harmed, codes.values()):
        assert marks[f"{name} Forward"] == marks[f"{name} Backward"] == 0
        about = done.stdout.partition(f"{name} Forward: ")[2].partition("\n\n")[0]
        assert hint in about, done.stdout
    assert sum(marks.values()) == 35, done.stdout
    assert done.returncode == 1


@pytest.mark.slow
def test_a_print_does_no_harm(solved: Path) -> None:
    change(solved, ACTIVATION, RELU, f"print('hello', flush=True); import os; os.write(1, b'raw')\n        {RELU}")
    done = runner(solved)
    assert sum(scores(done.stdout).values()) == 50
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [ACTIVATION, LOSS, ENGINE])
@pytest.mark.parametrize("how", ["broken", "missing"])
def test_a_file_costs_only_what_needs_it(solved: Path, name: str, how: str) -> None:
    left = {ACTIVATION: 30, LOSS: 45, ENGINE: 6}[name]
    if how == "missing":
        (solved / name).unlink()
    else:
        (solved / name).write_text((solved / name).read_text() + "\ndef broken(:\n    pass\n")
    done = runner(solved)
    assert sum(scores(done.stdout).values()) == left, done.stdout
    assert "Traceback" not in done.stdout
    if how == "broken":
        assert "def broken(:" in done.stdout
        assert name in done.stdout


@pytest.mark.slow
def test_the_mytorch_that_is_graded_is_the_one_named(solved: Path, tmp_path: Path) -> None:
    """Without its files, a submission is not helped out by another mytorch on the path."""
    (solved / FUNCTIONAL).unlink()
    (solved / "mytorch/__init__.py").unlink()
    environment = {**os.environ, "PYTHONPATH": str(workshop.ROOT)}
    done = subprocess.run(
        [sys.executable, RUNNER, "--submission", str(solved)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert scores(done.stdout)["Functional"] == 0


@pytest.mark.parametrize("module", ["beside", "pytest"])
def test_a_module_that_the_final_grading_lacks_is_not_there(module: str, student: Path) -> None:
    """A file beside mytorch/ and an installed package: neither is handed in, so the plain run does without it too."""
    workshop.write({**workshop.fill(SIMPLE), "beside.py": "", "mytorch/nn/inside.py": ""}, student)
    path = student / FUNCTIONAL
    path.write_text(path.read_text() + f"\nimport json\nfrom mytorch.nn import inside\nimport {module}\n")
    done = run(student, sys.executable, "autograder/runner.py", "--only", "exp_backward")
    assert f"No module named '{module}'" in done.stdout
    assert "A file of your own belongs into mytorch/" in done.stdout
    assert scores(done.stdout) == {"Functional": 0}


@pytest.mark.slow
def test_an_array_changed_by_a_check_is_not_seen_by_the_next(solved: Path) -> None:
    change(solved, FUNCTIONAL, "return grad_output / a\n", "a **= -1\n    return grad_output * a\n")
    marks = scores(runner(solved).stdout)
    assert marks.pop("Functional") == 5.25
    assert sum(marks.values()) == 44


@pytest.mark.slow
def test_pytest_runs_the_same_checks(student: Path) -> None:
    workshop.write(workshop.fill(SIMPLE), student)
    change(student, ACTIVATION, RELU, "self.state = np.minimum(x, 0)")
    done = run(student, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "autograder", "-k", "sigmoid")
    assert done.returncode == 0, done.stdout
    of_sigmoid = [check for check in CHECKS if check.exercise.startswith("Sigmoid")]
    assert f"{len(of_sigmoid) - 1} passed" in done.stdout
    assert "1 xfailed" in done.stdout  # practice, which the simplest solution does not reach
    done = run(
        student, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "autograder", "-k", "ReLU_Forward"
    )
    assert done.returncode == 1
    assert "look at" in done.stdout
