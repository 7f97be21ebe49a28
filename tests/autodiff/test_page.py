"""Every Python block of docs/autodiff.md runs as it stands, in the repository's directory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mytorch.autodiff.traced import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "autodiff.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block(number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    known = dict(TABLE)
    try:
        exec(compile(BLOCKS[number], f"block {number}", "exec"), {"__name__": "__main__"})
    finally:
        TABLE.clear()
        TABLE.update(known)
    shown = "".join(line[2:] + "\n" for line in BLOCKS[number].splitlines() if line.startswith("# ") and "  " in line)
    if "Autograd:" in BLOCKS[number]:
        printed = capsys.readouterr().out
        assert all(line in printed for line in shown.splitlines())
        assert "Autograd: 5 operations" in printed


def test_there_are_blocks_and_the_pictures_exist() -> None:
    assert len(BLOCKS) >= 11
    pictures = re.findall(r"\]\((images/.*?)\)", PAGE)
    assert len(pictures) == 2
    assert all((ROOT / "docs" / picture).exists() for picture in pictures)
