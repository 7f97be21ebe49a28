"""Code kept of a hand-in: which files of an archive or folder, under which names, and the notes about the rest."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.archives import CannotGrade, file_bytes, from_folder, shown, write
from autograder.members import MOST_MEMBERS
from autograder.submission import find_submission
from tests.autograder.archive_tools import ENGINE, GOOD, read, refused, tar, zipped
from tests.clocks import at_most

# Honest ones


@pytest.mark.parametrize(
    "tool", [["tar", "cf"], ["tar", "czf"], ["tar", "--format=v7", "-cf"], ["tar", "--posix", "-cf"]]
)
def test_what_the_usual_tool_makes(tool: list[str], tmp_path: Path) -> None:
    write(GOOD, tmp_path / "me")
    subprocess.run([*tool, str(tmp_path / "h.tar"), "-C", str(tmp_path / "me"), "."], check=True)
    assert read((tmp_path / "h.tar").read_bytes()).files == GOOD


@pytest.mark.parametrize(
    "around",
    ["", "./", "handin/", "Alice homework/", "a/b/c/", "mytorch/", "été \n\x1b[31m/", "C homework\\", "x" * 150 + "/"],
)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_folders_around_it(around: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert read(pack({around + name: data for name, data in GOOD.items()})).files == GOOD


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    """Line ends of Windows and a byte order mark: Python reads them."""
    source = b"\xef\xbb\xbfdef f():\r\n    return 42\r\n"
    write(read(tar({**GOOD, ENGINE: source})).files, tmp_path)
    assert (tmp_path / ENGINE).read_bytes() == source
    done = subprocess.run(
        [sys.executable, "-c", "from mytorch.autograd_engine import f; print(f())"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "42\n", done.stderr


def test_only_the_code_is_kept() -> None:
    beside = [
        "numpy.py", "sitecustomize.py", "conftest.py", "autograder/worker/wire.py", "Makefile", "mytorch.py",
        "mytorch/data.npz",
        "mytorch/nn/functional.cpython-311-x86_64.so", "mytorch/utils.pyc", "hw_bonus/weights.npy", "numpy/mytorch.py",
    ]  # fmt: skip
    contents = read(tar({**dict.fromkeys(beside, b"evil"), **GOOD}))
    assert contents.files == GOOD
    (note,) = contents.notes
    for part in ("numpy.py", "sitecustomize.py", "conftest.py", "and 6 more"):
        assert part in note


def test_what_tools_leave_is_passed_over_in_silence() -> None:
    junk = [
        "__MACOSX/mytorch/._utils.py", "mytorch/._utils.py", "mytorch/.DS_Store", "mytorch/__pycache__/utils.cpython-311.pyc",
        ".git/config", ".venv/lib/site-packages/mytorch/utils.py", "mytorch/.idea/mytorch/x.py",
    ]  # fmt: skip
    contents = read(zipped({**dict.fromkeys(junk, b"junk"), **GOOD}))
    assert (contents.files, contents.notes) == (GOOD, [])


def test_one_of_several() -> None:
    copies = {f"old/{name}": b"old" for name in GOOD}
    assert read(tar({**copies, **GOOD})).files == GOOD
    assert read(tar({**{f"mytorch/{n}": d for n, d in GOOD.items()}, "mytorch/setup.py": b""})).files == GOOD
    message = refused(tar({**copies, **{f"new/{name}": b"new" for name in GOOD}}))
    assert "new/mytorch/" in message
    assert "old/mytorch/" in message


def test_twice_the_same_name() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for data in (b"first", b"last!"):
            info = tarfile.TarInfo(ENGINE)
            info.size = 5
            archive.addfile(info, io.BytesIO(data))
    contents = read(made.getvalue())
    assert contents.files == {ENGINE: b"last!"}
    assert "twice" in contents.notes[0]


def test_names_that_differ_by_case() -> None:
    upper = {"mytorch/Autograd_Engine.py": b"upper", "mytorch/NN/functional.py": b"upper"}
    contents = read(tar({**upper, **GOOD}))
    assert contents.files == GOOD
    assert "mytorch/NN/functional.py" in str(contents.notes)
    assert "mytorch/Autograd_Engine.py" in str(contents.notes)


def test_what_no_file_system_could_hold() -> None:
    deep = "mytorch/" + "a/" * 2000 + "x.py"
    both = {"mytorch/both.py": b"file", "mytorch/Both.py/inside.py": b"folder"}
    contents = read(tar({deep: b"deep", **both, **GOOD}))
    assert contents.files == {**GOOD, "mytorch/both.py": b"file"}
    assert "its folder is a file" in str(contents.notes)
    assert "no part" in str(contents.notes)


# Members that are no plain file


@pytest.mark.parametrize(
    "name",
    [
        "../mytorch/x.py", "mytorch/../../x.py", "/etc/mytorch/x.py", "C:/mytorch/x.py", "..\\mytorch\\x.py",
        "\\mytorch\\x.py", "README/..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("pack", [tar, zipped])
def test_names_outside_of_the_folder(name: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert "outside" in refused(pack({**GOOD, name: b"evil"}))


@pytest.mark.parametrize(
    "name",
    [
        "mytorch/a\nb.py", "mytorch/\x1b[31m.py", "mytorch/\u202egnp.py", "mytorch/<img>.py", "mytorch/=1+1.py",
        "mytorch/-x.py",
        "mytorch/" + "x" * 200 + ".py", "mytorch/b\udce9b\udcea.py", "mytorch/con.py", "mytorch/nul/x.py", "mytorch/x./y.py",
        "mytorch/a:b.py", "mytorch/\u2028.py",
    ],
)  # fmt: skip
def test_odd_names_are_left_out(name: str) -> None:
    contents = read(tar({name: b"x", **GOOD}, kind=tarfile.GNU_FORMAT))
    assert contents.files == GOOD
    assert "left out for its name" in contents.notes[0]
    assert contents.notes[0].isprintable()
    contents.notes[0].encode()


# Folders and paths


def test_a_folder(tmp_path: Path) -> None:
    top = tmp_path / "handin.tar"
    write({f"wrapper/{name}": data for name, data in GOOD.items()}, top)
    (tmp_path / "secret.py").write_bytes(b"secret")
    (top / "wrapper/numpy.py").write_bytes(b"evil")
    (top / "wrapper/mytorch/link.py").symlink_to(tmp_path / "secret.py")
    (top / "wrapper/mytorch/way").symlink_to(tmp_path)
    (top / "wrapper/mytorch/round").symlink_to(top)
    os.mkfifo(top / "wrapper/mytorch/pipe.py")
    contents = from_folder(top)
    assert contents.files == GOOD
    assert "symbolic link: " in str(contents.notes)
    assert "FIFO: wrapper/mytorch/pipe.py" in str(contents.notes)


@pytest.mark.slow
def test_a_deep_or_full_folder(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    write(GOOD, deep)
    # Deeper than a path can say.
    at = os.open(deep / "mytorch", os.O_RDONLY)
    for number in range(40):
        os.mkdir("x" * 200, dir_fd=at)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        if number == 2:
            os.close(os.open("low.py", os.O_CREAT, 0o600, dir_fd=at))
    os.close(at)
    assert from_folder(deep).files == GOOD
    (tmp_path / "full").mkdir()
    for number in range(MOST_MEMBERS + 1):
        (tmp_path / "full" / str(number)).touch()
    with pytest.raises(CannotGrade, match="more than"):
        from_folder(tmp_path / "full")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "real.tar").write_bytes(tar(GOOD))
    (tmp_path / "link.tar").symlink_to(tmp_path / "real.tar")
    (tmp_path / "folder.tar").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.tar"))
        for name in ("pipe.tar", "link.tar", "folder.tar", "socket.tar"):
            with pytest.raises(CannotGrade, match=name):
                file_bytes(tmp_path / name, follow=False)
    with pytest.raises(CannotGrade, match="device"):
        file_bytes(Path("/dev/zero"))
    assert read(file_bytes(tmp_path / "link.tar")).files == GOOD


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.tar", "wb") as file:
        file.truncate(1 << 40)
    with at_most(5), pytest.raises(CannotGrade, match="too large"):
        file_bytes(tmp_path / "huge.tar")


def test_the_students_runner_reads_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "my handin.tar"
    path.write_bytes(gzip.compress(tar({**{f"w/{n}": d for n, d in GOOD.items()}, "w/numpy.py": b""})))
    notes: list[str] = []
    (tmp_path / "scratch").mkdir()
    folder = find_submission(str(path), tmp_path, tmp_path / "scratch", notes)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*.py")} == GOOD.keys()
    assert "w/numpy.py" in notes[0]
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(CannotGrade, match="FIFO"):
        find_submission(str(tmp_path / "pipe.tar"), tmp_path, tmp_path)


def test_untrusted_text_on_one_line() -> None:
    assert shown("a\x1b[31m\nb\r\x00\u202e\udc80") == "a\\x1b[31m\\nb\\r\\x00\\u202e\\udc80"
    assert len(shown("x" * 10_000_000)) == 80
    assert shown("Zoë 数学") == "Zoë 数学"
