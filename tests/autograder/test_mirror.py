"""The folder that holds the files of one submission after the other."""

import os
from pathlib import Path

import pytest

from autograder.staff.mirror import Mirror

FIRST = {"mytorch/utils.py": b"1", "mytorch/nn/loss.py": b"2", "hw_bonus/mlp.py": b"3"}
NEXT = [
    pytest.param(FIRST, id="the same"),
    pytest.param({**FIRST, "mytorch/utils.py": b"another"}, id="one changed"),
    pytest.param({name: data for name, data in FIRST.items() if "loss" not in name}, id="one gone, with its folder"),
    pytest.param({**FIRST, "mytorch/new/a.py": b"4"}, id="one more"),
    pytest.param({"mytorch": b"a file where a folder was"}, id="a file in place of a folder"),
    pytest.param({}, id="none"),
]


def held(place: Path) -> dict[str, bytes]:
    """Files and empty folders below a folder."""
    found = {}
    for path in place.rglob("*"):
        if path.is_file() or not any(path.iterdir()):
            found[path.relative_to(place).as_posix()] = path.read_bytes() if path.is_file() else b"a folder"
    return found


@pytest.mark.parametrize("files", NEXT)
def test_it_holds_the_files_of_the_last_call_alone(tmp_path: Path, files: dict[str, bytes]) -> None:
    mirror = Mirror(tmp_path / "place")
    for one in (FIRST, files, FIRST):
        mirror.hold(one)
        assert held(mirror.folder) == one


def test_files_that_stay_the_same_are_not_written_again(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "place", mode=0o444)
    mirror.hold(FIRST)
    kept, changed = (mirror.folder / name for name in ("mytorch/utils.py", "hw_bonus/mlp.py"))
    for path in (kept, changed):
        os.utime(path, ns=(0, 0))
    mirror.hold({**FIRST, "hw_bonus/mlp.py": b"4"})
    assert kept.stat().st_mtime_ns == 0 < changed.stat().st_mtime_ns
    assert {path.stat().st_mode & 0o777 for path in (kept, changed)} == {0o444}


@pytest.mark.parametrize("begin", ["forget", "fail"])
def test_it_begins_anew(tmp_path: Path, begin: str) -> None:
    mirror = Mirror(tmp_path / "place")
    mirror.hold(FIRST)
    (mirror.folder / "left by somebody").write_text("")
    if begin == "forget":
        mirror.forget()
    else:
        with pytest.raises(OSError):
            mirror.hold({"a" * 300: b""})
    mirror.hold(FIRST)
    assert held(mirror.folder) == FIRST
