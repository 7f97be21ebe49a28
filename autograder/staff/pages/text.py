"""Untrusted text for a page: control characters made visible, and the length bounded. Escaping is the templates' part."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from urllib.parse import quote

COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
MARKS_IN_A_ROW = 4
# A text of this length fits every column and heading, also on a narrow screen.
WHOLE = 16


class _Visible(dict[int, str]):
    """A table for str.translate: each control character becomes its code, as in ⟨U+202E⟩."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if char in "\n\t\u200c\u200d":
            shown = char
        elif kind in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            # Among them the direction overrides, zero-width spaces, and halves of characters that UTF-8 cannot hold.
            shown = f"\u27e8U+{code:04X}\u27e9"
        else:
            shown = char
        self[code] = shown
        return shown


_VISIBLE = _Visible()


def visible(text: str) -> str:
    """The text with its control characters made visible, without colour codes. Line ends and tabs stay.

    A second pass changes nothing.
    """
    text = COLOURS.sub("", text).replace("\r\n", "\n").translate(_VISIBLE)
    return text if text.isascii() else _few_marks(text)


def _few_marks(text: str) -> str:
    """The text with at most MARKS_IN_A_ROW accents on a letter: a tower of them would cover the lines above."""
    kept, row = [], 0
    for char in text:
        row = row + 1 if unicodedata.combining(char) else 0
        if row <= MARKS_IN_A_ROW:
            kept.append(char)
    return "".join(kept)


def block(text: object, most: int = 6000) -> str:
    """Visible text of several lines, at most ``most`` characters of it."""
    whole = str(text)
    rest = len(whole) - most
    return visible(whole[:most]) + (f" \u2026 ({rest:,} more characters)" if rest > 0 else "")


def line(text: object, most: int = 300) -> str:
    """Visible text on one line, at most ``most`` characters of it; an arrow stands for each line end."""
    return block(text, most).replace("\n", " \u21b5 ").replace("\t", " ")


def pieces(text: str) -> list[str]:
    """The text in parts that a line may end after: a long address or identifier breaks at its signs, not in a word."""
    return [text] if len(text) <= WHOLE else re.findall(r"[^@._/\-]*[@._/\-]+|[^@._/\-]+", text)


def escaped(text: str) -> str:
    """Visible text as HTML, for a platform that shows comments as such."""
    return escape(visible(text))


def address(file: str) -> str:
    """A file name as a part of a relative URL."""
    return quote(file, safe="", errors="replace")


def number(value: float) -> str:
    """A mark: at most two digits after the point."""
    return f"{round(float(value), 2):.12g}"


def percent(share: float) -> str:
    """A share between 0 and 1 in words, as in ``57 %``."""
    return f"{100 * share:.0f} %"
