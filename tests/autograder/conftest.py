"""Fixtures of the autograder's tests: a class's hand-ins, a sandbox of each level, packages for the platforms."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.grade import Run
from autograder.staff import handout
from autograder.staff.isolation.sandbox import Limits, Sandbox
from autograder.staff.platforms import autolab
from tests.autograder import autolab_tools, gradescope_tools, platform_tools
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
def quick_process() -> Iterator[Run]:
    """Runs scenarios as ``plain_process`` does, in processes that start sooner."""
    with Sandbox() as sandbox:
        yield sandbox.run_scenarios


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    """A sandbox of each level, by the name that LEVELS gives it."""
    made = {name: Sandbox(Limits(start=1.5, memory=1 << 30), without=parts) for name, parts in LEVELS.items()}
    yield made
    for sandbox in made.values():
        sandbox.close()


@pytest.fixture(scope="session")
def autolab_package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """autograde-Makefile and autograde.tar, with a scoreboard."""
    out = tmp_path_factory.mktemp("dist")
    return autolab.build(platform_tools.options("autolab", out, "--scoreboard"))[1]


@pytest.fixture
def job_folder(autolab_package: dict[str, bytes], tmp_path: Path) -> Path:
    """A job directory of Autolab with a right solution."""
    handin = platform_tools.handin(platform_tools.solved())
    return autolab_tools.place(autolab_package, handin, tmp_path / "job")


@pytest.fixture(scope="session")
def gradescope_package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of autograder.zip, with a limit of two submissions a day and a leaderboard."""
    out = tmp_path_factory.mktemp("dist")
    return gradescope_tools.built_with("--most", "2", "--per", "24", "--leaderboard", out=out)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The handout as students get it: handout.tar.gz and handout.zip."""
    return handout.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def student(archives: list[Path], tmp_path: Path) -> Path:
    """A freshly unpacked handout in a folder with spaces and accents."""
    folder = tmp_path / "été à la maison"
    folder.mkdir()
    with tarfile.open(archives[0]) as tar:
        for member in tar:
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            target.write_bytes(source.read())
    return folder / "handout"
