"""The page: a snapshot, the style and the scripts in one HTML file that needs nothing else."""

from __future__ import annotations

import html
import json
import os
import sys
import tempfile
import webbrowser
from importlib.resources import files
from pathlib import Path
from typing import Any

from mytorch.viewer.recording import Recording, recording_of
from mytorch.viewer.snapshot import snapshot
from mytorch.viewer.watching import walk_on_copies

# In this order: later rules of a style take the place of earlier ones.
STYLES = ("theme", "page", "controls", "step", "tables", "drawing", "narrow")
SCRIPTS = (
    "dom",
    "numbers",
    "timeline",
    "values",
    "comparison",
    "list",
    "drawing",
    "ledger",
    "step",
    "forward",
    "backward",
    "page",
)


def write(engine: Any, path: str | os.PathLike[str], title: str = "") -> Path:
    """Write a page to step through an engine's list, forward and back. Returns the path.

    engine: any class with ``operation_list``, ``gradient_buffer`` and ``backward``. A list without a backward
    pass under ``watch`` gets one on copies, from its last output; the engine stays as it is. title: stands above the page.
    Raises TypeError for what is no engine, OSError where the file cannot be written.
    """
    return write_recording(recorded(engine, sys._getframe(1)), path, title)


def show(engine: Any, path: str | os.PathLike[str] | None = None) -> Path:
    """Write a page to step through an engine's list, say where it lies, and open it where there is a browser.

    path: of the file to write; without it, a file in a new folder for temporary files. Returns the path.
    """
    recording = recorded(engine, sys._getframe(1))
    page = write_recording(recording, path or Path(tempfile.mkdtemp(prefix="mytorch-")) / "steps.html")
    open_or_say(page)
    return page


class Frame:
    """A page inside of a notebook's cell. The notebook holds the whole page, so it needs no network and no file.

    page: its HTML. height: of the frame, in pixels.
    """

    def __init__(self, page: str, height: int = 640) -> None:
        self.page = page
        self.height = height

    def __repr__(self) -> str:
        return f"<a page of {len(self.page):,} characters, shown in a notebook>"

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe srcdoc="{html.escape(self.page)}" style="{style}"></iframe>'


def inline(engine: Any, title: str = "", height: int = 640) -> Frame:
    """The page to step through an engine's list, inside of a notebook's cell. Arguments as for ``write``."""
    return Frame(as_html(snapshot(recorded(engine, sys._getframe(1)), title)), height)


def recorded(engine: Any, frame: Any) -> Recording:
    """The recording of an engine's list: the one that was watched, or one of the arrays as they are now.

    frame: where names of arrays are looked for.
    """
    if not hasattr(engine, "operation_list") or not hasattr(engine, "gradient_buffer"):
        raise TypeError(
            f"A {type(engine).__name__} was given, which has no operation_list. Give the engine on which the program "
            "recorded, an Autograd."
        )
    operations = engine.operation_list
    recording = getattr(engine, "viewer_recording", None)
    watched = (
        recording is not None and [record.operation for record in recording.records][: len(operations)] == operations
    )
    if recording is None or not watched:
        recording = recording_of(operations, frame)
    recording.names.look(frame)
    if recording.walk is None and operations:
        walk_on_copies(engine, recording)
    return recording


def write_recording(
    recording: Recording,
    path: str | os.PathLike[str],
    title: str = "",
    notes: list[str] | None = None,
    comparison: dict[str, Any] | None = None,
) -> Path:
    """Write the page of a recording. notes: sentences that stand at its top.

    comparison: a value beside the one that was expected, as ``snapshot`` takes it.
    """
    path = Path(path)
    path.write_text(as_html(snapshot(recording, title, notes, comparison)), encoding="utf-8")
    return path


def as_html(data: dict[str, Any]) -> str:
    """The whole page as a text. Names and values in the data are text on it, whatever they contain."""
    assets = files("mytorch.viewer") / "assets"
    # Inside a script element, a < could end it. JSON may write every one of these letters by its number.
    content = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        content = content.replace(letter, f"\\u{ord(letter):04x}")
    parts = {
        "title": html.escape(data["title"] or "The operation list, step by step"),
        "style": "\n".join((assets / f"{name}.css").read_text(encoding="utf-8") for name in STYLES),
        "data": content,
        "scripts": "\n".join(
            f"<script>\n{(assets / f'{name}.js').read_text(encoding='utf-8')}</script>" for name in SCRIPTS
        ),
    }
    page = (assets / "page.html").read_text(encoding="utf-8")
    for name in ("title", "style", "scripts", "data"):  # the data last: what stands in it is no place to fill
        page = page.replace(f"<!-- {name} -->", parts[name])
    return page


def open_or_say(page: Path) -> None:
    """Open a page in a browser if there is one that shows windows; print where the page lies."""
    print(f"The list, step by step: {page}")
    has_windows = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    try:
        opened = bool(has_windows) and webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        print("There is no browser here to open it. Open the file in any browser; it needs no network.")
