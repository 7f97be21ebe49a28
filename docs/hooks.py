"""Hooks of the site: MkDocs calls them while ``make docs`` builds the pages. Formulas become MathML, as in the writeup."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from render import FORMULA, formula

# A Markdown reader would take the signs inside of MathML for its own marks; it sees these words in their place.
PLACE = re.compile(r"<p>FORMULA(\d+)END</p>|FORMULA(\d+)END")
THEIRS = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"></script>')
OURS = Path(__file__).with_name("search_from_disk.js")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Take the formulas out of a page's text, each leaving a word in its place."""
    page.meta["formulas"] = formulas = []

    def keep(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        formulas.append(formula(found["block"] or found["inline"], bool(found["block"])))
        return f"FORMULA{len(formulas) - 1}END"

    return FORMULA.sub(keep, markdown)


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Put the formulas into the page that was made from the text."""
    formulas = page.meta["formulas"]
    return PLACE.sub(lambda found: formulas[int(found[1] or found[2])], html)


def on_post_page(output: str, **_: Any) -> str:
    """Take a program of this folder for the one that the theme would load from the network."""
    return THEIRS.sub(lambda _: f"<script>\n{OURS.read_text(encoding='utf-8')}</script>", output)


on_post_template = on_post_page  # the page for addresses that do not exist is made in another way
