"""submission_metadata.yml of an export from Gradescope: who handed in each folder, and when.

Gradescope writes one fixed shape of YAML, so that its lines can be read without a library.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from autograder.archives import CannotGrade

METADATA = "submission_metadata.yml"
FIELD = re.compile(r"(?P<indent> *)(?P<item>- )?:?(?P<key>\w+):(?: (?P<value>.*))?")


@dataclass
class Entry:
    """One submission: its submitters (each with name, sid and email, where known) and when it was handed in, as text."""

    submitters: list[dict[str, str]] = field(default_factory=list)
    created: str = ""


def read(folder: Path) -> dict[str, Entry]:
    """The submissions of an export by the names of their folders; none where the folder is no export of Gradescope.

    Raises CannotGrade where the file cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise CannotGrade(f"{path} cannot be read ({error.strerror}).") from None
    found = entries(text)
    if not found:
        raise CannotGrade(f"{path} names no submission. Download the submissions from Gradescope again.")
    return found


def entries(text: str) -> dict[str, Entry]:
    """The submissions in the text of the file."""
    found: dict[str, Entry] = {}
    entry: Entry | None = None
    # The key of the part that is being read: only submitters, and what stands directly in a submission, matter.
    part = ""
    for line in text.splitlines():
        top = re.fullmatch(r"(?:'|\")?([^\s:'\"-][^:'\"]*)(?:'|\")?: *", line)
        if top:
            entry, part = found.setdefault(top[1], Entry()), ""
            continue
        match = FIELD.fullmatch(line)
        if entry is None or match is None:
            continue
        indent, key, value = len(match["indent"]), match["key"], _value(match["value"] or "")
        if indent == 2 and not match["item"]:
            part = key
            if key == "created_at":
                entry.created = value
        elif part == "submitters" and indent <= 6 and key in ("name", "sid", "email"):
            if match["item"]:
                entry.submitters.append({})
            if entry.submitters:
                entry.submitters[-1][key] = value
    return found


def _value(text: str) -> str:
    """A plain or quoted value of YAML."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        # JSON knows the escapes of YAML but for these two.
        plain = re.sub(r"\\U([0-9A-Fa-f]{8})", lambda found: chr(min(int(found[1], 16), 0x10FFFF)), text)
        try:
            return str(json.loads(re.sub(r"\\x([0-9A-Fa-f]{2})", r"\\u00\1", plain)))
        except ValueError:
            return text[1:-1]
    return "" if text in ("~", "null", "nil", "''", '""') else text
