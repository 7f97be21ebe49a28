"""create_tarball: what it packs, what it refuses, what it warns of, and that the shell script does the same."""

from __future__ import annotations

import calendar
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from autograder.staff.packing import DATE
from tests.autograder import workshop
from tests.autograder.solutions import SIMPLE
from tests.autograder.solutions_older import ORIGINAL
from tests.autograder.student_tools import run


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
    assert [n for n in names if n.startswith("hw_bonus")] == ["hw_bonus/__init__.py", "hw_bonus/mlp.py"]
    assert all(n.endswith(".py") and "/." not in n for n in names)
    assert {(m.mode, m.uid, m.gid, m.mtime, m.uname) for m in members} == {(0o644, 0, 0, calendar.timegm(DATE), "")}
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


def test_files_of_another_generation_are_packed_in_their_places(student: Path) -> None:
    shutil.rmtree(student / "mytorch")
    workshop.write(ORIGINAL, student)
    done = run(student, sys.executable, "create_tarball.py")
    assert done.returncode == 0, done.stderr
    with tarfile.open(student / "handin.tar") as tar:
        assert set(ORIGINAL) <= set(tar.getnames())


@pytest.mark.slow
@pytest.mark.parametrize("package", ["hw_bonus/__init__.py", "mytorch/nn/modules/__init__.py", ""])
def test_an_archive_gets_the_marks_of_the_folder(package: str, student: Path) -> None:
    """A package of the archive that has lost its __init__ is not replaced by the checkout's own."""
    workshop.write(workshop.right_ones()["simple"], student)
    if package:
        (student / package).unlink()
    assert run(student, sys.executable, "create_tarball.py").returncode == 0
    rows = [
        run(student, sys.executable, "autograder/runner.py", "--only", "mlp", *given).stdout.splitlines()
        for given in ([], ["--submission", "handin.tar"])
    ]
    assert rows[0][1:] == rows[1][1:]
    assert any("MLP" in line and "passed" in line for line in rows[0])


def test_the_hand_in_can_be_zipped_again_in_every_time_zone(student: Path, tmp_path: Path) -> None:
    """Unpacked files keep the archive's dates, and zip refuses those before 1980."""
    assert run(student, sys.executable, "create_tarball.py").returncode == 0
    zip_again = (
        "import sys, tarfile, zipfile\n"
        "with tarfile.open(sys.argv[1]) as tar, zipfile.ZipFile('again.zip', 'w') as packed:\n"
        "    for member in tar:\n"
        "        tar.extract(member)\n"
        "        packed.write(member.name)\n"
    )
    for zone in ("UTC+12", "UTC-14"):
        program = f"import os, time\nos.environ['TZ'] = {zone!r}\ngetattr(time, 'tzset', int)()\n{zip_again}"
        done = run(tmp_path, sys.executable, "-W", "ignore", "-c", program, str(student / "handin.tar"))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("--nonsense", 2)])
def test_options_pack_nothing(student: Path, option: str, code: int) -> None:
    done = run(student, sys.executable, "create_tarball.py", option)
    assert (done.returncode, "usage: create_tarball" in done.stdout + done.stderr) == (code, True)
    assert not (student / "handin.tar").exists()


@pytest.mark.slow
def test_the_packed_mlp_is_the_one_that_is_graded(student: Path) -> None:
    """Beside a checkout with another hw_bonus, as on staff's machines."""
    workshop.write(workshop.fill(SIMPLE), student)
    assert run(student, sys.executable, "create_tarball.py").returncode == 0
    graded = run(workshop.ROOT, sys.executable, "autograder/runner.py", "--submission", str(student / "handin.tar"))
    assert graded.returncode == 0, graded.stdout
    assert "ImportError" not in graded.stdout
    assert re.search(r"MLP +practice +all passed", graded.stdout), graded.stdout


def test_it_warns_of_foreign_imports(student: Path) -> None:
    path = student / "mytorch/utils.py"
    path.write_text(path.read_text() + "\nimport torch.nn\nimport json\nfrom numpy import pi\n")
    done = run(student, sys.executable, "create_tarball.py")
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("warning: mytorch/utils.py imports torch, which the grader does not have")


def test_what_the_mlp_imports_is_packed_and_what_lies_beside_is_named(student: Path) -> None:
    own = {"a": "from hw_bonus import b", "b": "import hw_bonus.c", "c": "from .d.e import x", "d/e": "x = 1", "f": ""}
    workshop.write({f"hw_bonus/{name}.py": text for name, text in own.items()}, student)
    workshop.write({"beside.py": "", "hw_bonus/d/__init__.py": ""}, student)
    path = student / "hw_bonus/mlp.py"
    path.write_text(path.read_text() + "\nfrom .a import b\nimport beside\n")
    done = run(student, sys.executable, "create_tarball.py")
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert "imports beside, which lies outside of mytorch/ and is not handed in" in warning
    with packed(student) as tar:
        names = {name.removeprefix("hw_bonus/") for name in tar.getnames() if name.startswith("hw_bonus/")}
    assert names == {"__init__.py", "mlp.py", "a.py", "b.py", "c.py", "d/__init__.py", "d/e.py"}


@pytest.mark.slow
def test_the_reference_can_be_packed_too(tmp_path: Path) -> None:
    files = workshop.reference()
    # The extras for SciPy and MPI are no part of the homework, and a grader need not have those.
    extras = ("/scipy/", "/distributed/")
    workshop.write({name: text for name, text in files.items() if not any(e in name for e in extras)}, tmp_path)
    shutil.copy(workshop.ROOT / "create_tarball.py", tmp_path)
    done = run(tmp_path, sys.executable, "create_tarball.py")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
