"""The command line: scripts as they stand, the walk that was asked for, and answers to bad input."""

import re
import sys
from pathlib import Path

import pytest

from mytorch import Autograd
from mytorch.viewer.__main__ import main
from mytorch.viewer.examples import write_examples
from tests.viewer.test_page import data_of

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PROGRAM = """
import sys
import numpy as np
from mytorch import Autograd
from mytorch.nn import Linear, MSELoss

engine = Autograd()
layer, loss = Linear(2, 1, engine, rng=0), MSELoss(engine)
x, y = np.ones((3, 2)), np.zeros((3, 1))
for step in range(int(sys.argv[1])):
    engine.zero_grad()
    prediction = layer(x)
    if step == int(sys.argv[2]):
        raise ValueError("half way")
    loss(y, prediction)
    loss.backward()
    layer.W -= 0.1 * layer.dW
print("done", __name__)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """``run(program, arguments, options)``: the exit code, and the page's data or None."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a folder").mkdir()

    def run(program, *arguments, options=()):
        script = tmp_path / "a folder" / "program.py"
        script.write_text(program)
        code = main(["--no-browser", *options, str(script), *arguments])
        made = tmp_path / "steps.html"
        return code, data_of(made) if made.exists() else None

    return run


def test_a_script_runs_as_it_stands(run, capsys):
    code, data = run(PROGRAM, "3", "9")
    assert code == 0
    assert "done __main__" in capsys.readouterr().out
    assert data["title"] == "program.py"
    assert [operation["name"] for operation in data["operations"]] == ["linear", "mse"]
    assert [variable["name"] for variable in data["variables"]] == ["x", "W", "b", "prediction", "y", "loss"]
    assert data["operations"][0]["line"]["text"] == "prediction = layer(x)"


def loss_of(data):
    (loss,) = [variable for variable in data["variables"] if variable["name"] == "loss"]
    return data["values"][loss["value"]]["numbers"][0]


def test_the_walk_that_was_asked_for_is_shown(run):
    losses = [loss_of(run(PROGRAM, "3", "9", options=("--backward", str(n)))[1]) for n in (1, 2, 3)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 3


def test_a_run_leaves_the_interpreter_as_it_was(run):
    before = list(sys.argv), list(sys.path), Autograd.__init__
    run(PROGRAM, "1", "9")
    assert (sys.argv, sys.path, Autograd.__init__) == before


def test_engines_that_are_made_later_are_not_watched(run, tmp_path):
    """Once the page has its backward pass, the program runs at its own speed."""
    after = "print([type(Autograd()) is Autograd, type(engine) is Autograd])"
    (tmp_path / "out.txt").write_text("")
    code, data = run(
        PROGRAM + after.replace("print(", "open('out.txt', 'w').write(str(").replace("])", "]))"), "2", "9"
    )
    assert (code, (tmp_path / "out.txt").read_text()) == (0, "[True, True]")
    assert data["notes"] == []


def test_too_late_a_walk_is_replaced_by_the_last_one(run):
    _, data = run(PROGRAM, "3", "9", options=("--backward", "7"))
    assert loss_of(data) == loss_of(run(PROGRAM, "3", "9", options=("--backward", "3"))[1])
    assert "made 3 backward passes; number 7 was asked for" in data["notes"][0]


def test_an_error_half_way_leaves_the_list_until_then(run, capsys):
    code, data = run(PROGRAM, "3", "0")
    assert code == 1
    assert [operation["name"] for operation in data["operations"]] == ["linear"]
    assert "ValueError: half way" in data["notes"][0]
    assert data["own"]
    errors = capsys.readouterr().err
    assert "ValueError: half way" in errors
    assert "runpy" not in errors


def test_a_rule_that_fails_is_where_the_walk_stops(run):
    program = """
import numpy as np
from mytorch import Autograd
engine = Autograd()
x = np.ones(2)
def rule(g, a):
    raise RuntimeError("wrong")
engine.add_operation([x], x * 2, [None], rule)
engine.backward(1)
"""
    code, data = run(program)
    assert code == 1
    assert data["steps"][-1]["kind"] == "stop"
    assert "RuntimeError: wrong" in data["steps"][-1]["text"]


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('stopped')", 1)])
def test_the_exit_code_is_the_programs(run, ending, code):
    assert run(PROGRAM + ending, "1", "9")[0] == code


@pytest.mark.parametrize("program", ["x = 1", "from mytorch import Autograd; Autograd()"])
def test_a_program_that_records_nothing_is_told_so(run, capsys, program):
    code, data = run(program)
    assert (code, data) == (2, None)
    assert "has recorded nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ([], "name a script"),
        (["missing.py"], "there is no script missing.py"),
        (["--backward", "0", "x.py"], "counted from 1"),
        (["--backward", "two", "x.py"], "invalid"),
        (["--out", ".", __file__], "is a folder"),
        (["--out", "nowhere/steps.html", __file__], "there is no folder"),
        (["--examples", __file__], "could not be written"),
    ],
)
def test_bad_input_is_answered_in_a_line(arguments, answer, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert answer in capsys.readouterr().err


def without_addresses(data):
    return {**data, "variables": [{**variable, "address": ""} for variable in data["variables"]]}


@pytest.mark.parametrize("name", ["two-paths", "exponential", "used-twice", "used-again"])
def test_the_pages_that_the_docs_link_to_are_up_to_date(name, tmp_path):
    """After a change of the viewer: python -m mytorch.viewer --examples docs/steps"""
    write_examples(tmp_path)
    pages = [DOCS / "steps" / f"{name}.html", tmp_path / f"{name}.html"]
    kept, fresh = (re.split(r'id="data">.*?</script>', page.read_text(encoding="utf-8"), flags=re.S) for page in pages)
    assert kept == fresh
    kept, fresh = (without_addresses(data_of(page)) for page in pages)
    numbers = [[number for value in data.pop("values") for number in value["numbers"]] for data in (kept, fresh)]
    assert kept == fresh
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-12)  # the last digits are those of NumPy's version


def test_the_examples_are_pages(tmp_path, capsys):
    assert main(["--examples", str(tmp_path / "new folder")]) == 0
    printed = capsys.readouterr().out.split("\n")
    assert [line.rpartition("/")[2] for line in printed if line] == [
        "two-paths.html", "exponential.html", "used-twice.html", "used-again.html",
    ]  # fmt: skip
    for path in (tmp_path / "new folder").iterdir():
        assert data_of(path)["forward"]
