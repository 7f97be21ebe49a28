"""The README and the docs: every Python block runs as it stands, prints what the page shows, and links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mytorch.autodiff.traced import TABLE
from tests.distributed import launch

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages are read in the repository's folder; functions that they add to autodiff's table are taken out again."""
    monkeypatch.chdir(ROOT)
    known = dict(TABLE)
    yield
    for fun in [fun for fun in TABLE if getattr(fun, "__module__", None) == "__main__"]:
        del TABLE[fun]
    TABLE.update(known)


def run(block: str) -> None:
    exec(compile(block, "block", "exec"), {"__name__": "__main__"})


def test_no_block_is_overlooked() -> None:
    marked = sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES)
    assert len(BLOCKS) == marked >= 20


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Comments below a print of an engine show its table."""
    if "distributed.start(" in block:
        if launch.needs_mpi.args[0]:
            pytest.skip(launch.needs_mpi.kwargs["reason"])
        launch.run(2, "-c", block)
        return
    if re.search(r"^(from|import) (mytorch\.autodiff\.)?scipy\b", block, re.M):
        pytest.importorskip("scipy")
    run(block)
    printed = capsys.readouterr().out
    for table in re.findall(r"^# Autograd: \d+ operations?\n(?:^# .*\n)+", block, re.M):
        assert re.sub(r"^# ", "", table, flags=re.M) in printed


def test_the_readme_shows_the_table_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = re.findall(r"^```\n(Autograd: .*?)^```", PAGES[0].read_text(encoding="utf-8"), re.M | re.S)
    for block in blocks(PAGES[0]):
        run(block)
    assert table in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda picture: picture.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 1_000_000
    texts = "".join(page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "mkdocs.yml"])
    assert f"images/{picture.name}" in texts
