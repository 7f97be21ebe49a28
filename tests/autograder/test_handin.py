"""create_tarball: what it packs, what it refuses, what it warns of, and that the shell script does the same."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from tests.autograder import workshop
from tests.autograder.test_handout import archives, run, student

__all__ = ["archives", "student"]


def packed(student: Path) -> tarfile.TarFile:
    return tarfile.open(student / "handin.tar")


def test_it_packs_code_and_nothing_else(student: Path, tmp_path: Path) -> None:
    for name in (
        "mytorch/__pycache__/x.pyc",
        "mytorch/._utils.py",
        "mytorch/nn/data.npz",
        "mytorch/.idea/x.py",
        "hw_bonus/notes.py",
    ):
        (student / name).parent.mkdir(exist_ok=True)
        (student / name).write_bytes(b"x")
    done = run(tmp_path, sys.executable, str(student / "create_tarball.py"))
    assert done.returncode == 0, done.stderr
    with packed(student) as tar:
        members = tar.getmembers()
    names = [m.name for m in members]
    assert names == sorted(names)
    assert {n.split("/")[0] for n in names} == {"mytorch", "hw_bonus"}
    assert [n for n in names if n.startswith("hw_bonus")] == ["hw_bonus/mlp.py"]
    assert all(n.endswith(".py") and "/." not in n for n in names)
    assert {(m.mode, m.uid, m.gid, m.mtime, m.uname) for m in members} == {(0o644, 0, 0, 0, "")}
    assert f"{len(names)} files" in done.stdout
    assert "bytes" in done.stdout


def test_the_shell_script_writes_the_same_bytes_from_anywhere(student: Path, tmp_path: Path) -> None:
    assert run(student, sys.executable, "create_tarball.py").returncode == 0
    first = (student / "handin.tar").read_bytes()
    (student / "handin.tar").unlink()
    if shutil.which("sh") is None:
        pytest.skip("there is no sh here")
    done = run(tmp_path, "sh", str(student / "create_tarball.sh"))
    assert done.returncode == 0, done.stderr
    assert (student / "handin.tar").read_bytes() == first


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda f: (f / "mytorch/nn/functional.py").unlink(), "functional.py is missing"),
        (lambda f: (f / "mytorch/utils.py").write_text("def f(:\n"), "utils.py, line 1 does not compile"),
        (lambda f: shutil.rmtree(f / "mytorch"), "is missing"),
    ],
)
def test_it_refuses_in_one_line(student: Path, damage, part: str) -> None:  # type: ignore[no-untyped-def]
    damage(student)
    done = run(student, sys.executable, "create_tarball.py")
    assert done.returncode == 1
    assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (student / "handin.tar").exists()


def test_it_warns_of_foreign_imports(student: Path) -> None:
    path = student / "mytorch/utils.py"
    path.write_text(path.read_text() + "\nimport torch.nn\nimport json\nfrom numpy import pi\n")
    done = run(student, sys.executable, "create_tarball.py")
    assert done.returncode == 0
    assert done.stderr.strip() == "warning: mytorch/utils.py imports torch, which the grader may not have"


def test_the_reference_can_be_packed_too(tmp_path: Path) -> None:
    workshop.write(workshop.reference(), tmp_path)
    shutil.copy(workshop.ROOT / "create_tarball.py", tmp_path)
    done = run(tmp_path, sys.executable, "create_tarball.py")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
