"""The sentences of the assignment, docs/writeup.md."""

from __future__ import annotations

import re

from tests.autograder import workshop

TEXT = (workshop.ROOT / "docs/writeup.md").read_text(encoding="utf-8")
# Words that a sentence has that asks for something. In sections 3 and 4, which say what to write, every sentence counts.
ASKS = re.compile(
    r"\b(must|never|always|returns?|raises?|records?|adds?|added|keeps?|kept|append\w*|shape|in place|unchanged|points?)\b",
    re.I,
)


def sentences(text: str = TEXT) -> list[str]:
    """The sentences outside of code, headings and tables, on one line each; a formula on its own is one."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\d\. |- |\|)", text):
        line = " ".join(paragraph.split())
        if line and not line.startswith(("|", "#")):
            line = re.sub(r"^(\d\.|-) ", "", line)
            found += re.split(r"(?<=[.!?:])\s+(?=[A-Z`*(]|\$[a-zA-Z\\])", line) if not line.startswith("$$") else [line]
    return found


def sections(*numbers: int) -> str:
    """The text of some of the numbered sections."""
    parts = re.split(r"^## (?=\d)", TEXT, flags=re.M)
    return "\n".join(part for part in parts if part[:1].isdigit() and int(part[0]) in numbers)


def asking() -> list[str]:
    """Sentences that ask for something: all of sections 3 and 4, and elsewhere those with one of the words."""
    asked = sentences(sections(3, 4))
    return [s for s in sentences() if s in asked or ASKS.search(s)]
