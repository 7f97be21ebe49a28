"""The copy of a submission from which its processes import, and its bytecode."""

from __future__ import annotations

import importlib.util
import marshal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.staff.isolation.slot import UNCHECKED, Slot, bytecode

GIVEN = b"def given():\n    return given.__code__.co_filename\n"
OWN = b"import mytorch.given\nprint(mytorch.given.given())\n"


class Compiler:
    """A stand-in for the confined process: compiles, and keeps the names that it was asked for."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []

    def __call__(self, copy: Path, names: list[str]) -> Mapping[str, Any]:
        self.asked.append(names)
        codes = {name: compile((copy / name).read_bytes(), str(copy / name), "exec") for name in names}
        plain = {name: np.frombuffer(marshal.dumps(code), np.uint8) for name, code in codes.items()}
        return plain if self.answer is None else dict.fromkeys(names, self.answer)


def submission(folder: Path, **files: bytes) -> Path:
    for name, source in files.items():
        path = folder / "mytorch" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    return folder


def cached(copy: Path, name: str) -> Path:
    return Path(importlib.util.cache_from_source(str(copy / "mytorch" / f"{name}.py")))


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path / "slot", bytecode([GIVEN]))


def test_given_files_are_compiled_once_for_all_and_own_ones_for_each(slot: Slot, tmp_path: Path) -> None:
    compiler = Compiler()
    for number in range(2):
        copy = slot.fill(submission(tmp_path / str(number), given=GIVEN, own=OWN), compiler)
        assert cached(copy, "given").read_bytes() == UNCHECKED + slot.known[GIVEN]
        assert cached(copy, "own").read_bytes().startswith(UNCHECKED)
    assert compiler.asked == [["mytorch/own.py"]] * 2
    run = subprocess.run(
        [sys.executable, "-c", "import mytorch.own"], cwd=copy, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(copy / "mytorch" / "given.py")


def test_a_changed_given_file_is_an_own_one(slot: Slot, tmp_path: Path) -> None:
    compiler = Compiler()
    changed = GIVEN.replace(b"co_filename", b"co_name")
    copy = slot.fill(submission(tmp_path / "one", given=changed), compiler)
    assert compiler.asked == [["mytorch/given.py"]]
    assert cached(copy, "given").read_bytes() != UNCHECKED + slot.known[GIVEN]


def test_nothing_of_another_submission_stays(slot: Slot, tmp_path: Path) -> None:
    compiler = Compiler()
    one = submission(tmp_path / "one", given=GIVEN, own=OWN, more=b"x = 1\n")
    (one / "mytorch" / "empty").mkdir()
    submission(one / "mytorch" / "deep", more=b"y = 1\n")
    slot.fill(one, compiler)
    copy = slot.fill(submission(tmp_path / "two", own=b"x = 2\n"), compiler)
    left = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if not path.is_dir()}
    assert left == {"mytorch/own.py", cached(copy, "own").relative_to(copy).as_posix()}
    assert {path.name for path in copy.rglob("*") if path.is_dir()} == {"mytorch", "__pycache__"}


@pytest.mark.parametrize("own", [OWN, b"x = 2\n"], ids=["the same code", "other code"])
def test_bytecode_of_another_submission_is_gone_before_anything_runs(slot: Slot, tmp_path: Path, own: bytes) -> None:
    seen = []

    class Looking(Compiler):
        def __call__(self, copy: Path, names: list[str]) -> Mapping[str, Any]:
            seen.append((cached(copy, "given").exists(), cached(copy, "own").exists()))
            return super().__call__(copy, names)

    slot.fill(submission(tmp_path / "one", given=GIVEN, own=OWN), Looking())
    copy = slot.fill(submission(tmp_path / "two", given=GIVEN, own=own), Looking())
    assert seen == [(True, False)] * 2
    assert (copy / "mytorch" / "own.py").read_bytes() == own
    assert marshal.loads(cached(copy, "own").read_bytes()[16:]) == compile(
        own, str(copy / "mytorch" / "own.py"), "exec"
    )


def test_the_same_submission_is_copied_once_unless_its_processes_could_change_the_copy(
    slot: Slot, tmp_path: Path
) -> None:
    compiler, folder = Compiler(), submission(tmp_path / "one", own=OWN)
    for _ in range(2):
        slot.fill(folder, compiler)
    assert len(compiler.asked) == 1
    for _ in range(2):
        copy = slot.fill(folder, None)
        assert not cached(copy, "own").exists()
        (copy / "mytorch").chmod(0o755)
        (copy / "mytorch" / "own.py").unlink()
        (copy / "mytorch" / "left.py").touch()
    copy = slot.fill(folder, None)
    assert [path.name for path in copy.rglob("*.py")] == ["own.py"]
    submission(folder, own=OWN + b"# longer\n")
    assert (slot.fill(folder, compiler) / "mytorch" / "own.py").read_bytes() == OWN + b"# longer\n"


@pytest.mark.parametrize("answer", ["text", 3.0, [], np.zeros(3), np.zeros(0, np.uint8)], ids=repr)
def test_what_is_no_bytecode_is_left_out(answer: Any, slot: Slot, tmp_path: Path) -> None:
    copy = slot.fill(submission(tmp_path / "one", given=GIVEN, own=OWN), Compiler(answer))
    assert cached(copy, "given").exists()
    assert not cached(copy, "own").exists()


def test_the_copy_is_read_only_and_holds_no_links_and_nothing_but_code(slot: Slot, tmp_path: Path) -> None:
    folder = submission(tmp_path / "one", own=OWN)
    (folder / "mytorch" / "link.py").symlink_to(folder / "mytorch" / "own.py")
    (folder / "mytorch" / "folder").symlink_to(tmp_path)
    (folder / "mytorch" / "data.npz").touch()
    (folder / "elsewhere.py").touch()
    copy = slot.fill(folder, Compiler())
    assert {path.name for path in copy.rglob("*") if not path.is_dir()} == {"own.py", cached(copy, "own").name}
    assert {path.stat().st_mode & 0o222 for path in (copy, *copy.rglob("*"))} == {0}
