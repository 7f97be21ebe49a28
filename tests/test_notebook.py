"""The notebook docs/tour.ipynb: it runs from start to end, and its outputs are kept and small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOUR = ROOT / "docs" / "tour.ipynb"


def kinds(cells: list[Any]) -> list[list[list[str]]]:
    """For each cell of code the kinds of its outputs."""
    return [
        [sorted(output.get("data", ["text"])) for output in cell["outputs"]]
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def test_outputs_are_kept_and_small() -> None:
    text = TOUR.read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    cells = json.loads(text)["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    assert str(ROOT) not in text
    assert "<iframe srcdoc=" in text


@pytest.mark.slow
def test_it_runs_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, where results/ is, it puts out what the kept notebook has, of the same kinds."""
    for extra in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(extra, reason="the notebook needs the extra notebook")
    monkeypatch.syspath_prepend(ROOT / "docs")
    import notebook

    for name in ("mytorch", "hw_bonus", "autograder"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    copy = shutil.copy(TOUR, tmp_path / "docs")
    done = notebook.executed(Path(copy))
    assert kinds(done.cells) == kinds(json.loads(TOUR.read_text(encoding="utf-8"))["cells"])
    streams = "".join(o["text"] for cell in done.cells for o in cell.get("outputs", ()) if o["output_type"] == "stream")
    assert "of 359 digits that it has never seen are read rightly" in streams
    assert "so no gradient passes from one to the other" in streams
    assert "Wrong gradient from operation 0" in streams
    assert "Total                             5 / 5" in streams
