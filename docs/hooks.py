"""Hooks of the site: MkDocs calls them while ``make docs`` builds the pages.

Formulas become MathML, as in the writeup; the notebook becomes a page; nothing is loaded from the network.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File
from render import FORMULA, formula

HERE = Path(__file__).resolve().parent
# HTML that the Markdown reader would take apart; it sees a word in the place of each.
kept: list[str] = []
PLACE = re.compile(r"<p>KEPT(\d+)END</p>|KEPT(\d+)END")
ARGUMENT = re.compile(r"(?P<before><p>|\n|\. )(?P<name>\w+): ")
THEIRS = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"></script>')
OURS = HERE / "search_from_disk.js"


def keep(html: str) -> str:
    """A word that stands for some HTML until the page is made."""
    kept.append(html)
    return f"KEPT{len(kept) - 1}END"


def on_files(files: Any, *, config: Any) -> Any:
    """Add the notebook as a page."""
    cells = json.loads((HERE / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    files.append(File.generated(config, "tour.md", content="\n\n".join(map(cell_as_markdown, cells))))
    return files


def cell_as_markdown(cell: dict[str, Any]) -> str:
    """A cell of the notebook: its text, or its code and what came of it."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *map(output_as_markdown, cell["outputs"])])


def output_as_markdown(output: dict[str, Any]) -> str:
    """An output in the richest form that it has: a table or a page, a picture, text."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return keep(f'<div class="output">{"".join(data["text/html"])}</div>')
    if "image/png" in data:
        code = "".join(data["image/png"]).replace("\n", "")
        return keep(
            f'<div class="output"><img alt="The picture that the cell draws" src="data:image/png;base64,{code}"></div>'
        )
    return f"```{{ .text .output }}\n{''.join(data['text/plain']).rstrip()}\n```"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn the formulas of a page into MathML."""

    def as_mathml(found: re.Match[str]) -> str:
        return found[0] if found["code"] else keep(formula(found["block"] or found["inline"], bool(found["block"])))

    return FORMULA.sub(as_mathml, markdown)


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Put what was kept into the page that was made from the text; in the reference each argument begins a line."""
    if page.file.src_uri.startswith("reference/"):
        names = set(re.findall(r'<span class="n">(\w+)</span>', html))  # in the signatures
        html = ARGUMENT.sub(lambda found: argument(found) if found["name"] in names else found[0], html)
    return PLACE.sub(lambda found: kept[int(found[1] or found[2])], html)


def argument(found: re.Match[str]) -> str:
    """The name of an argument in a docstring, on a new line unless it begins a paragraph."""
    return f"{found['before']}{'' if found['before'] == '<p>' else '<br>'}<code>{found['name']}</code>: "


def on_post_page(output: str, **_: Any) -> str:
    """Take a program of this folder for the one that the theme would load from the network."""
    return THEIRS.sub(lambda _: f"<script>\n{OURS.read_text(encoding='utf-8')}</script>", output)


on_post_template = on_post_page  # the page for addresses that do not exist is made in another way
