"""Runs docs/tour.ipynb from start to end and keeps its outputs: ``python docs/notebook.py``. Needs the extra ``notebook``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOUR = ROOT / "docs" / "tour.ipynb"


def executed(path: Path) -> Any:
    """The notebook with new outputs, those of one stream in one piece, without the paths of this machine.

    Of a progress bar, which is written over itself, the end remains. Raises ImportError without the extra, and nbclient's
    CellExecutionError for a cell that fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    settings = {"kernel_name": "python3", "record_timing": False, "timeout": 120, "coalesce_streams": True}
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}, **settings).execute()
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if output.output_type == "stream":
            output.text = output.text.replace(f"{ROOT}{os.sep}", "")
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def main() -> int:
    """Write the notebook; returns 0, 2 without the extra."""
    try:
        import nbformat

        notebook = executed(TOUR)
    except ImportError as error:
        print(f"{error.name} is not installed: python -m pip install -e '.[notebook]'", file=sys.stderr)
        return 2
    nbformat.write(notebook, TOUR)
    print(f"{TOUR.name}: {TOUR.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
