"""The folder that runs beside a submission: it is enough, and nothing in it knows an expected value.

Three proofs that do not rest on each other: what the files import and say, what a process of the sandbox can reach, and what
the scenarios compute while they run with a submission that solves nothing.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from autograder.compare import close
from autograder.exercises import CHECKS, cases_of
from autograder.grade import judge_frame
from autograder.helpers import Check, Given
from autograder.hints import HINTS
from autograder.isolate import run_scenarios
from autograder.staff import handout
from autograder.staff.isolation.sandbox import Sandbox
from autograder.staff.marks import hidden
from autograder.staff.platforms import package
from autograder.worker.scenarios import SCENARIOS
from autograder.worker.scenarios.program import Machine
from autograder.worker.wire import pack, unpack
from tests.autograder import workshop
from tests.autograder.solutions import STYLES

WORKER = workshop.ROOT / "autograder" / "worker"
PARTS = ("engine", "functional", "activation", "loss", "linear", "mlp")
FILES = sorted(WORKER.rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """The modules that a file imports anywhere in it, the names that it takes from them, and names in strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write the whole name, so that this test sees it"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("autograder."):
            yield node.value


def functions(path: Path) -> dict[str, str]:
    """A file's functions: the code of each without its docstring, and its name."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            body = node.body if isinstance(node.body, list) else [node.body]
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
                body = body[1:]
            found["\n".join(ast.dump(part) for part in body)] = getattr(node, "name", "lambda")
    return found


GRADER = [
    *(path for path in (workshop.ROOT / "autograder").glob("*.py")),
    *(workshop.ROOT / "autograder" / "staff" / "marks").glob("*.py"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(WORKER).as_posix())
def test_a_file_imports_the_standard_library_numpy_and_this_folder(path: Path) -> None:
    for name in imported(path.read_text(encoding="utf-8")):
        own = name.startswith("autograder.worker.")
        assert own or name.partition(".")[0] in {*sys.stdlib_module_names, "numpy"}, name


def test_no_hint_and_no_story_of_a_check_stands_in_it() -> None:
    theirs = {*HINTS.values(), *hidden.HINTS.values(), *(c.story for c in (*CHECKS, *hidden.CHECKS))} - {""}
    assert len(theirs) > 100
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not [one for one in theirs if one in text], path


@pytest.mark.slow
def test_no_function_of_the_grader_stands_in_it() -> None:
    theirs = {code: (path.name, name) for path in GRADER for code, name in functions(path).items()}
    assert len(theirs) > 200
    for path in FILES:
        for code, name in functions(path).items():
            assert code not in theirs, (path.name, name, theirs.get(code))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a sandbox needs fork")
def test_the_sandbox_takes_the_folder_and_nothing_else_of_the_autograder() -> None:
    with Sandbox() as sandbox:
        runtime = sandbox.folder / "runtime"
        copied = {path.relative_to(runtime).as_posix() for path in (runtime / "autograder").rglob("*.py")}
        others = [path.name for path in runtime.iterdir() if path.name != "autograder"]
    assert copied == {path.relative_to(workshop.ROOT).as_posix() for path in FILES}
    assert others == ["site"]


@pytest.mark.parametrize("contents", [handout.contents, lambda: package.contents({}, None)], ids=["handout", "package"])
def test_handout_and_packages_take_the_folder_whole(contents: Callable[[], dict[str, bytes]]) -> None:
    taken = {name: data for name, data in contents().items() if name.startswith("autograder/worker/")}
    assert taken == {path.relative_to(workshop.ROOT).as_posix(): path.read_bytes() for path in FILES}


# What the scenarios compute, with a submission that solves nothing


class Nothing:
    """Stands for a Student whose submission solves nothing: whatever is asked of it, zeros come."""

    operation_list: list[Any] = []

    def engine(self) -> Any:
        return self

    silent_engine = engine

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()

    @property
    def gradient_buffer(self) -> Any:
        return self

    def get_param(self, array: np.ndarray) -> np.ndarray:
        return np.zeros(np.shape(array))

    def get(self, part: str, name: str) -> Any:
        if part == "functional":
            return lambda grad, *inputs, **settings: tuple(np.zeros(np.shape(array)) for array in inputs)
        return {"linear": NoLayer, "mlp": NoNetwork}.get(part, NoActivation)

    def __getattr__(self, name: str) -> Any:
        """add_operation, backward, zero_grad and the like do nothing."""
        return lambda *arguments: None


class NoActivation(Nothing):
    state = loss_val = np.zeros(1)

    def __init__(self, engine: Any) -> None:
        pass

    def __call__(self, x: np.ndarray, *more: Any) -> np.ndarray:
        return np.zeros(1 if more else np.shape(x))


class NoLayer(Nothing):
    def __init__(self, n_in: int, n_out: int, engine: Any) -> None:
        self.W, self.dW, self.momentum_W = (np.zeros((n_out, n_in)) for _ in range(3))
        self.b, self.db, self.momentum_b = (np.zeros((n_out, 1)) for _ in range(3))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.zeros((len(x), len(self.W)))


class NoNetwork(Nothing):
    def __init__(self, n_in: int, n_out: int, hiddens: list[int], *more: Any, momentum: float) -> None:
        sizes = [n_in, *hiddens, n_out]
        self.linear_layers = [NoLayer(*pair, None) for pair in pairwise(sizes)]

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.linear_layers[-1](x)

    def total_loss(self, y: np.ndarray) -> np.ndarray:
        return np.zeros(1)


def arrays_in(value: Any, depth: int = 6) -> Iterator[np.ndarray]:
    """The arrays of numbers in a value of a frame, in objects that hold them too."""
    if isinstance(value, (np.ndarray, float)) and np.asarray(value).dtype.kind == "f":
        yield np.asarray(value)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays_in(item, depth - 1)
    elif depth and isinstance(value, (dict, Machine)):
        yield from arrays_in(list((value if isinstance(value, dict) else vars(value)).values()), depth - 1)


def computed(scenario: str, given: Given) -> list[np.ndarray]:
    """Every array that a function of the folder holds or returns while the scenario runs."""
    found: list[np.ndarray] = []

    def look(frame: FrameType, event: str, result: Any) -> None:
        if event == "return" and Path(frame.f_code.co_filename).is_relative_to(WORKER):
            found.extend(array.copy() for array in arrays_in([*frame.f_locals.values(), result]))

    copy = unpack(pack(given))
    sys.setprofile(look)
    try:
        SCENARIOS[scenario](Nothing(), copy)
    finally:
        sys.setprofile(None)
    return found


def alike(array: np.ndarray, others: Iterable[Any]) -> bool:
    return any(array.shape == np.shape(other) and close(np.asarray(other), array) for other in others)


def leaks(check: Check, given: Given) -> tuple[int, list[str]]:
    """The number of expected values that have to be found out, and the names of those that the scenario computes itself.

    Zeros, and values equal to a given array, do not count.
    """
    known = [np.zeros(()), *arrays_in(given)]
    count, found = 0, []
    held = computed(check.scenario, given)
    for name, one in check.expect(given).items():
        array = np.asarray(one.array)
        if array.dtype.kind == "f" and array.any() and not alike(array, known):
            count += 1
            found += [name] if alike(array, held) else []
    return count, found


@pytest.mark.parametrize("check", [*CHECKS, *hidden.CHECKS], ids=lambda check: f"{check.exercise} {check.name}")
@pytest.mark.slow
def test_no_expected_value_is_computed_without_the_submission(check: Check) -> None:
    for given in cases_of(check, 3):
        assert leaks(check, given)[1] == []


@pytest.mark.slow
def test_nearly_all_values_are_to_be_found_out_and_one_that_is_computed_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = {check: sum(leaks(check, given)[0] for given in cases_of(check, 3)) for check in CHECKS}
    # The identity, a sum with the gradient itself, and what is put into the buffer and read again.
    free = {check.exercise for check, count in counts.items() if not count}
    assert free <= {"Autograd Add Operation", "Identity Forward", "Identity Backward"}
    assert sum(counts.values()) > 200
    (check,) = (check for check in CHECKS if check.name == "exp_backward: one row and batches")
    code = "def rule(student, given):\n    return {'some name': [given['grad'] * np.exp(given['a'])]}"
    space: dict[str, Any] = {"np": np}
    exec(compile(code, str(WORKER / "scenarios" / "other.py"), "exec"), space)
    monkeypatch.setitem(SCENARIOS, "rule", space["rule"])
    assert all(leaks(check, given)[1] == ["gradient of a"] for given in cases_of(check, 3))


# The process of a submission


@pytest.mark.slow
def test_the_folder_is_enough(tmp_path: Path) -> None:
    """It runs alone, copied elsewhere, where no other file of the autograder is."""
    home, folder = tmp_path / "run" / "autograder", workshop.write(workshop.reference(), tmp_path / "submission")
    shutil.copytree(WORKER, home / "worker")
    checks = [*CHECKS, *hidden.CHECKS]
    given = [cases_of(check, 5) for check in checks]
    job = {"folder": str(folder), "parts": [*PARTS, "mlp"], "checks": [[c.scenario, g] for c, g in zip(checks, given)]}
    program = [sys.executable, "-I", "-B", str(home / "worker" / "run.py")]
    done = subprocess.run(program, input=pack(job), capture_output=True, check=True)
    data, frames = done.stdout, []
    while data:
        size = int.from_bytes(data[:8], "big")
        frames.append(unpack(data[8 : 8 + size]))
        data = data[8 + size :]
    assert len(frames) == 1 + len(checks)
    for check, cases, frame in zip(checks, given, frames[1:]):
        assert judge_frame(check, cases, frame) is None


@pytest.mark.slow
def test_no_verdict_crosses(tmp_path: Path) -> None:
    """Scenarios return numbers: no yes or no, and none that is expected to be empty."""
    checks = [*CHECKS, *hidden.CHECKS]
    given = [cases_of(check) for check in checks]
    folder = workshop.write(workshop.reference(), tmp_path)
    frames = run_scenarios(folder, [*PARTS, "mlp"], [(c.scenario, g) for c, g in zip(checks, given)])
    next(frames)
    for check, cases, frame in zip(checks, given, frames, strict=True):
        for case, values in zip(cases, frame["values"], strict=True):
            assert not any(
                isinstance(v, bool) or (isinstance(v, np.ndarray) and v.dtype == bool) for v in values.values()
            )
            for name, right in check.expect(case).items():
                array = np.asarray(right.array)
                assert array.size, (check.name, name)
                assert array.dtype.kind in "fi", (check.name, name)
                assert np.isfinite(array).all(), (check.name, name)


@pytest.mark.skipif(sys.platform == "win32", reason="the warm process is for Linux and macOS")
def test_a_submission_of_the_handout_imports_nothing_that_is_not_loaded_already(tmp_path: Path) -> None:
    """Each of a submission's processes would import it anew."""
    folder = workshop.write(workshop.fill(STYLES["simple"]), tmp_path)
    code = f"""
import importlib, sys
from autograder.worker import warm
for name in warm.PRELOADED:
    importlib.import_module(name)
before = set(sys.modules)
from autograder.worker import run, wire
frames = []
run.work({{"folder": {str(folder)!r}, "parts": {PARTS!r}, "checks": []}}, frames.append)
assert frames[0]["status"] == "ok", frames
print(*(name for name in sys.modules if name not in before))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=workshop.ROOT, capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "mytorch.autograd_engine" in loaded
    assert not [name for name in loaded if name.split(".")[0] not in ("mytorch", "hw_bonus")]
