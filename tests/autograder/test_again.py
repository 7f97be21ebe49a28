"""``grade --again``: the same mark, another one, or a sentence that says why there is nothing to compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autograder.class_tools import grade, hand_in


def again(submissions: Path, out: Path, student: str, *more: str) -> int:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    code = grade(submissions, out, "--again", student, *more)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    return code


@pytest.mark.slow
def test_again(
    submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports"
    hand_in(submissions, "luck", "chance")
    hand_in(submissions, "seeded", "seeded")
    hand_in(submissions, "bug", "bug")
    assert grade(submissions, out) == 1
    (out / "seed.json").unlink()  # the recorded seeds count
    capsys.readouterr()
    assert again(submissions, out, "S03@x.edu") == 0
    assert "s03@x.edu (version 1): the same, 3 / 10" in capsys.readouterr().out
    assert again(submissions, out, "luck@x.edu") == 0
    assert again(submissions, out, "broken@x.edu") == 0
    assert again(submissions, out, "seeded@x.edu") == 0
    monkeypatch.setenv("FAKE_CHANCE", "2")
    capsys.readouterr()
    assert again(submissions, out, "luck@x.edu") == 1
    printed = capsys.readouterr().out
    assert "total: was 1 / 10, is 2 / 10" in printed
    assert "check Open: all: was failed (1, sign), is failed (2, sign)" in printed
    assert again(submissions, out, "bug@x.edu") == 1
    assert "no mark" in capsys.readouterr().out
    assert again(submissions, out, "s03@x.edu", "--time-limit", "9") == 0
    assert "grader, its options or its Python have changed" in capsys.readouterr().out
    hand_in(submissions, "s04", "marks 10")
    assert again(submissions, out, "s04@x.edu") == 1
    assert "has changed" in capsys.readouterr().out
    (submissions / "s05@x.edu_1_handin.tar").unlink()
    assert again(submissions, out, "s05@x.edu") == 2
    assert "not in" in capsys.readouterr().err
    for given, near in (
        ("s99@x.edu", "s09@x.edu"),
        ("luk", "luck@x.edu"),
        ("oke", "broken@x.edu"),
        ("zzz", "No name is like it"),
    ):
        assert again(submissions, out, given) == 2
        assert near in capsys.readouterr().err
    assert grade(submissions, tmp_path / "nowhere", "--again", "s01") == 2
    assert "holds no records" in capsys.readouterr().err


def test_again_takes_the_newest_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in (1, 2, 10):
        hand_in(tmp_path / "class", "a", f"marks {version}", version)
    assert grade(tmp_path / "class", tmp_path / "out", "--all-versions") == 0
    capsys.readouterr()
    assert again(tmp_path / "class", tmp_path / "out", "a@x.edu") == 0
    assert "(version 10)" in capsys.readouterr().out
    assert again(tmp_path / "class", tmp_path / "out", "a@x.edu_2") == 0
    assert "(version 2)" in capsys.readouterr().out
