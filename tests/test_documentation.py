"""Every Python block of the README and the docs runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]


def test_there_are_blocks():
    assert len(BLOCKS) >= 7


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block):
    exec(compile(block, "block", "exec"), {"__name__": "__main__"})


def test_the_readme_shows_the_table_that_is_printed(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^```\n(Autograd: .*?)^```", readme, re.M | re.S).group(1)
    for block in re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S):
        exec(compile(block, "block", "exec"), {"__name__": "__main__"})
    assert table in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert all((page.parent / target).exists() for target in targets), targets
