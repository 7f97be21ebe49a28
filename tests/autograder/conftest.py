"""Fixtures of the autograder's tests: a class's hand-ins, the fake grader's log, a sandbox of each level."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.staff.isolation.sandbox import Limits, Sandbox
from tests.autograder.class_tools import hand_in
from tests.autograder.sandbox_tools import LEVELS


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    folder = tmp_path / "class"
    for number in range(20):
        hand_in(folder, f"s{number:02}", f"marks {number % 11}")
    (folder / "broken@x.edu_1_handin.tar").write_bytes(b"no archive")
    return folder


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("FAKE_LOG", str(path))
    return path


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """A sandbox of each level, by the name that LEVELS gives it."""
    made = {name: Sandbox(Limits(start=1.0, memory=1 << 30), without=parts) for name, parts in LEVELS.items()}
    yield made
    for sandbox in made.values():
        sandbox.close()
