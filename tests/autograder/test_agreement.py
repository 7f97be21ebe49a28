"""The skeleton agrees with the reference, and each way to disagree is told by its name."""

# ruff: noqa: E501  (a change reads best on one line)

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from autograder.staff import handout
from autograder.staff.agreement import disagreements
from autograder.staff.definitions import Function, Module
from autograder.staff.differences import (
    DIFFERENCES,
    ENGINE,
    FUNCTIONAL,
    LEFT_OUT,
    LINEAR,
    LOSS,
    MLP,
    STUB,
    Difference,
)
from autograder.staff.leaks import leaked_lines, solution_lines
from tests.autograder.workshop import Files

PACKAGE = "mytorch/__init__.py"
LAYERS = "mytorch/nn/modules/activation.py"
REFERENCE, SKELETON = "reference", "skeleton"


@cache
def sources() -> tuple[Files, Files, Files]:
    """The reference, the skeleton's files that have to agree with it, and the whole handout."""
    return handout.sources()


def told(side: str, file: str, old: str, new: str) -> list[str]:
    """The disagreements after one change of one file."""
    reference, skeleton, given = sources()
    changed = (reference if side == REFERENCE else skeleton)[file]
    assert old in changed, f"{old!r} is not in {file}"
    changed = changed.replace(old, new, 1)
    if side == REFERENCE:
        return disagreements({**reference, file: changed}, skeleton, given)
    return disagreements(reference, {**skeleton, file: changed}, {**given, file: changed})


@pytest.mark.slow
def test_the_skeleton_agrees_with_the_reference() -> None:
    assert handout.disagreements_with_reference() == []


@pytest.mark.parametrize("side", [REFERENCE, SKELETON])
@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        (FUNCTIONAL, "def exp_backward(grad_output: Array, a:", "def exp_backward(grad_output: Array, x:", "exp_backward takes"),
        (ENGINE, "def backward(self, divergence:", "def backward(self, start:", "Autograd.backward takes"),
        (LOSS, "def backward(self)", "def backward(self, start=None)", "Loss.backward takes"),
        (FUNCTIONAL, "keepdims: bool = False", "keepdims: bool = True", "sum_backward takes"),
        (LINEAR, "dtype: Any = np.float64", "dtype: Any = np.float32", "Linear.__init__ takes"),
        (FUNCTIONAL, "def exp_backward", "def exponential_backward", "exp_backward"),
        (LOSS, "class MSELoss(", "class MeanSquaredError(", "MSELoss"),
        (LOSS, "class MSELoss(Loss)", "class MSELoss(Module)", "MSELoss is a class of ("),
        (LINEAR, "    def __repr__", "    def extra_repr(self):\n        return 1\n\n    def __repr__", "Linear.extra_repr"),
        (LAYERS, "class Tanh", "def softsign(x):\n    return x\n\n\nclass Tanh", "softsign"),
        (LINEAR, '    parameter_names = ("W", "b")', '    parameter_names = ("W", "b")\n    fused = True', "Linear.fused"),
        (LINEAR, 'parameter_names = ("W", "b")', 'parameter_names = ("W",)', "Linear.parameter_names is"),
        (FUNCTIONAL, "Array = np.ndarray", "Array = object", "Array is"),
        (PACKAGE, "__version__ = ", "__version__ = 2 * ", "__version__ is"),
        (PACKAGE, "__all__ = [", '__all__ = ["trace", ', "trace is in the"),
        (LINEAR, "bound = 1 / np.sqrt(in_features)", "bound = 1 / in_features", "Linear.__init__ is given"),
        (ENGINE, "    @contextmanager\n    def paused", "    def paused", "Autograd.paused is decorated"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_change_on_one_side_is_told(side: str, file: str, old: str, new: str, name: str) -> None:
    assert any(sentence.startswith(f"{file}: {name}") for sentence in told(side, file, old, new)), told(
        side, file, old, new
    )


def test_what_students_write_is_a_docstring_and_one_raise() -> None:
    """In the files themselves: nothing is listed, nothing is compared."""
    found = []
    for text in sources()[1].values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and "raise NotImplementedError" in ast.unparse(node):
                found.append(node.name)
                assert ast.get_docstring(node), node.name
                assert [type(statement) for statement in node.body] == [ast.Expr, ast.Raise], node.name
    assert sorted(found) == sorted(
        name.split(".")[-1] for entry in DIFFERENCES if entry.kind == STUB for name in entry.names.split()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name", "line"),
    [
        (FUNCTIONAL, "mul_backward", "grads = fit(grad_output * b, a), fit(grad_output * a, b)"),
        (FUNCTIONAL, "matmul_backward", "return grad_output @ b.T, a.T @ grad_output"),
        (LAYERS, "Tanh.forward", "self.state = np.tanh(x)"),
        (LINEAR, "Linear.forward", "product = x @ self.W.T"),
        (LINEAR, "Linear.forward", "if x.ndim == 0 or x.shape[-1] != self.W.shape[1]: raise ValueError(x.shape)"),
        (LOSS, "MSELoss.forward", "if y.shape != y_hat.shape: raise ValueError(y.shape)"),
        (ENGINE, "Autograd.add_operation", "if not self.recording: return"),
        (ENGINE, "Autograd.backward", "for operation in reversed(self.operation_list): pass"),
        (MLP, "MLP.__init__", "super().__init__(autograd_engine)"),
        (MLP, "MLP.forward", "pass"),
    ],
)
def test_a_stub_is_a_docstring_and_one_raise(file: str, name: str, line: str) -> None:
    """Guards, a beginning that the reference has too, and solutions that it writes differently are all too much."""
    indent = " " * (8 if "." in name else 4)
    end = f'raise NotImplementedError("{name} is not implemented yet")'
    sentence = f"{file}: {name} is a stub, but holds more"
    assert any(one.startswith(sentence) for one in told(SKELETON, file, end, f"{line}\n{indent}{end}"))
    assert any(f"{file}: {name} is to be written" in one for one in told(SKELETON, file, end, line))


@pytest.mark.parametrize(
    ("file", "name", "line"),
    [
        (ENGINE, "Autograd.add_operation", "self.operation_list.append(operation)"),
        (LINEAR, "Linear.forward", "if x.ndim == 0 or x.shape[-1] != self.W.shape[1]:"),
        (MLP, "MLP.__init__", "self.nlayers = len(sizes) - 1"),
    ],
)
@pytest.mark.slow
def test_a_solution_line_in_a_stub_is_told_as_that_too(file: str, name: str, line: str) -> None:
    assert line in sources()[0][file]
    end = f'raise NotImplementedError("{name} is not implemented yet")'
    body = f"{line}\n            pass" if line.endswith(":") else line
    for text in (body, f"# {line}"):
        found = told(SKELETON, file, end, f"{text}\n        {end}")
        assert any(f"is a line of {name} in the reference" in sentence for sentence in found)


@pytest.mark.parametrize(
    "text", ["raise NotImplementedError", 'if bound:\n            raise NotImplementedError("later")']
)
def test_what_is_given_leaves_nothing_to_write(text: str) -> None:
    """A raise of this kind in a function that no exercise names."""
    line = "bound = 1 / np.sqrt(in_features)"
    sentence = f"{LINEAR}: Linear.__init__ raises NotImplementedError, but is not listed as a stub."
    assert any(one.startswith(sentence) for one in told(SKELETON, LINEAR, line, f"{line}\n        {text}"))


def test_a_stub_has_the_decorators_of_the_reference() -> None:
    old = "def exp_backward("
    found = told(SKELETON, FUNCTIONAL, old, f"@staticmethod\n{old}")
    assert f"{FUNCTIONAL}: exp_backward is decorated by ['staticmethod'] in the skeleton and by [] in the " in found[0]


@pytest.mark.slow
def test_what_only_one_side_has_is_told_as_that() -> None:
    reference, skeleton, given = sources()
    (first, *_) = told(SKELETON, FUNCTIONAL, "def exp_backward(", "def expo_backward(")
    assert first.startswith(f"{FUNCTIONAL}: exp_backward is in the reference, but not in the skeleton.")
    second = f"{FUNCTIONAL}: expo_backward is in the skeleton, but not in the reference."
    assert second in "".join(told(SKELETON, FUNCTIONAL, "def exp_backward(", "def expo_backward("))
    lost = disagreements({name: text for name, text in reference.items() if name != LOSS}, skeleton, given)
    assert f"{LOSS} is in the skeleton, but the reference has no such file. Rename it or take it away." in lost


def test_what_the_reference_takes_besides_has_defaults() -> None:
    found = told(REFERENCE, FUNCTIONAL, "a: Array, b: Array | None = None", "a: Array, b: Array | None")
    assert found[0].startswith(
        f"{FUNCTIONAL}: max_backward takes (grad_output, a) in the skeleton and (grad_output, a, b) in"
    )


def test_parameters_are_shown_as_they_are_written() -> None:
    text = "def f(a, b, /, c: int = 1, *d, e, g='x, y', **h): pass\ndef k(*, m=(1, 2)): pass\n"
    module = Module("f.py", {"f.py": text})
    shown = {name: function.parameters() for name, function in module.functions()}
    assert shown == {
        "f": ["a", "b", "/", "c=1", "*d", "e", "g='x, y'", "**h"],
        "k": ["*", "m=(1, 2)"],
    }


@pytest.mark.slow
def test_a_stub_names_itself_and_has_a_docstring() -> None:
    for old, new in (('"exp_backward is not', '"log_backward is not'), ('    """y = exp(a)."""\n', "")):
        assert f"{FUNCTIONAL}: exp_backward is to be written" in "".join(told(SKELETON, FUNCTIONAL, old, new))


def test_every_solution_line_is_found_wherever_it_is_pasted() -> None:
    reference, skeleton, given = sources()
    secret = solution_lines(reference, skeleton, given)
    assert len(secret) > 150
    assert {"mul_backward", "Autograd.backward", "Linear.forward", "Tanh.compute", "sigmoid", "MLP.forward"} <= {
        *secret.values()
    }
    place, (line, name) = "autograder/report.py", next(iter(secret.items()))
    (found,) = disagreements(reference, skeleton, {**given, place: f"{given[place]}\n# {line}\n"})
    assert f" is a line of {name} in the reference" in found
    for place in ("mytorch/sandbox.py", "mytorch/debug.py", "autograder/runner.py", "docs/writeup.md", FUNCTIONAL):
        for line, name in secret.items():
            for pasted in (f"{given[place]}\n        {line}\n", f"{given[place]}\n# {line}\n"):
                (found,) = leaked_lines(secret, {place: pasted})
                assert found.startswith(place)
                assert f" is a line of {name} in the reference" in found


@pytest.mark.slow
def test_a_whole_function_of_the_reference_is_told() -> None:
    """Helpers that the reference keeps to itself, and what the list says is left out."""
    reference, _, _ = sources()
    for file, name in ((FUNCTIONAL, "_spread"), (FUNCTIONAL, "neg_backward")):
        function = Module(file, reference).find(name)
        assert isinstance(function, Function)
        text = ast.get_source_segment(reference[file], function.node)
        found = told(SKELETON, file, "# Reductions\n", f"{text}\n\n\n# Reductions\n")
        assert any(one.startswith(f"{file}: {name} is in the skeleton") for one in found)


def test_an_import_that_the_handout_lacks_is_told() -> None:
    reference, skeleton, given = sources()
    text = "from mytorch import checks\nimport mytorch.nn.nonlinear\nimport numpy.linalg\n"
    found = disagreements(reference, skeleton, {**given, "mytorch/debug.py": text})
    named = [re.findall(r"imports ([\w.]+)", sentence) for sentence in found]
    assert ["mytorch.checks"] in named
    assert ["mytorch.nn.nonlinear"] in named
    assert not any("numpy" in sentence for sentence in found)


def test_a_listed_difference_that_is_gone_is_told() -> None:
    reference, skeleton, given = sources()
    wrong = [
        Difference(LEFT_OUT, FUNCTIONAL, "cbrt_backward", "it was never there"),
        Difference(STUB, LINEAR, "Linear.backward", "neither"),
    ]
    found = disagreements(reference, skeleton, given, [*DIFFERENCES, *wrong])
    assert ["cbrt_backward" in found[0], "Linear.backward" in found[1], len(found)] == [True, True, 2]


def test_every_difference_has_a_reason() -> None:
    assert all(len(entry.why) > 10 for entry in DIFFERENCES)


def test_an_import_that_only_a_solution_needs_is_named_in_a_stub() -> None:
    for file, text in sources()[1].items():
        tree = ast.parse(text)
        imported = {
            (alias.asname or alias.name).split(".")[0]
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        } - {"annotations"}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        exported = Module(file, sources()[1]).exported
        comments = "\n".join(line for line in text.splitlines() if line.strip().startswith("#"))
        unexplained = {name for name in imported - used - exported if name not in comments}
        assert not unexplained, (file, unexplained)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            b"def exp_backward(",
            b"def expo_backward(",
            f"{FUNCTIONAL}: expo_backward is in the reference, but not in the ",
        ),
        (b"def exp_backward(", b"def exp_backward)", f"{FUNCTIONAL}, line "),
        (b'"""y = a + b', b'"""y = a \xff b', f"{FUNCTIONAL} is not UTF-8."),
    ],
)
def test_make_handout_stops_and_says_where(old: bytes, new: bytes, told: str, tmp_path: Path) -> None:
    """An instructor who changes the reference and forgets the skeleton; nothing is built."""
    for name in ("autograder", "mytorch", "hw_bonus", "docs", "create_tarball.py", "create_tarball.sh", "LICENSE"):
        source = handout.ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    path = tmp_path / FUNCTIONAL
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    done = subprocess.run(
        [sys.executable, "-m", "autograder.staff", "handout"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"No handout was built. {told}"), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "dist").exists()
