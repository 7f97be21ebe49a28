"""Students get the page too: with their own engine and their own rules as they wrote them, and without any formula."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autograder.staff import handout
from mytorch.viewer.formulas import FORMULAS
from tests.viewer.test_page import data_of

ENGINE = """
    def add_operation(self, inputs, output, gradients_to_update, backward_operation):
        for array in inputs:
            self.gradient_buffer.add_spot(array)
        self.operation_list.append(Operation(inputs, output, gradients_to_update, backward_operation))

    def backward(self, divergence):
        gradient = np.ones_like(divergence)
        for number, operation in enumerate(reversed(self.operation_list)):
            if number:
                gradient = self.gradient_buffer.get_param(operation.output)
            for array, slot, one in zip(
                operation.inputs, operation.gradients_to_update, operation.backward_operation(gradient, *operation.inputs)
            ):
                if slot is None:
                    self.gradient_buffer.update_param(array, one)
                else:
                    slot += one
"""

PROGRAM = '''
import numpy as np
from mytorch.autograd_engine import Autograd


def mul_backward(grad_output, a, b):
    """Mine."""
    return grad_output * b, grad_output * a


engine = Autograd()
x, w, dw = np.array([2.0]), np.array([3.0]), np.zeros(1)
y = x * w
engine.add_operation([x, w], y, [None, dw], mul_backward)
z = y * x
engine.add_operation([y, x], z, [None, None], mul_backward)
engine.backward(z)
engine.show("shown.html")
print("gradients", engine.gradient_buffer.get_param(x), dw)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The handout, with an engine that a student has written."""
    folder = tmp_path_factory.mktemp("handout")
    for name, content in handout.contents().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    engine = folder / "mytorch" / "autograd_engine.py"
    before, rest = engine.read_text(encoding="utf-8").split("    def add_operation(")
    engine.write_text(
        f"{before}{ENGINE}\n    def zero_grad({rest.partition('    def zero_grad(')[2]}", encoding="utf-8"
    )
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    return folder


def run(folder, *arguments):
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_students_program_has_its_page(folder):
    done = run(folder, "-m", "mytorch.viewer", "--no-browser", "program.py")
    assert done.returncode == 0, done.stderr
    assert "gradients [12.] [4.]" in done.stdout
    data = data_of(folder / "steps.html")
    assert [variable["name"] for variable in data["variables"]] == ["x", "w", "y", "z"]
    assert data["operations"][0]["line"]["text"] == "engine.add_operation([x, w], y, [None, dw], mul_backward)"
    assert data["rules"] == [
        {"doc": "Mine.", "source": PROGRAM[PROGRAM.index("def mul") : PROGRAM.index("\n\n\nengine")]}
    ]
    assert data["findings"] == []
    results = {
        data["variables"][r["variable"]]["name"]: data["values"][r["value"]]["numbers"]
        for r in data["steps"][-1]["results"]
    }
    assert results == {"x": [12], "w": [4]}
    assert (folder / "shown.html").is_file()


@pytest.mark.slow
def test_the_examples_are_no_part_of_it(folder):
    done = run(folder, "-m", "mytorch.viewer", "--examples", "there")
    assert (done.returncode, done.stderr) == (2, "The examples are no part of this copy of MyTorch.\n")


def test_no_formula_is_given_away():
    texts = [content.decode("utf-8", "replace") for name, content in handout.contents().items() if "viewer" in name]
    formulas = {text for formula in FORMULAS.values() for text in formula.gradients if len(text) > len("−{g}")}
    assert [text for text in formulas if any(text in content for content in texts)] == []
