"""Fingerprints of the code that a student wrote, by which the submissions of a class are compared.

Sources are only cut into tokens, never parsed or compiled, so no source can crash or hold up the grader. Method: Schleimer,
Wilkerson, Aiken, Winnowing: Local Algorithms for Document Fingerprinting (2003).
"""

from __future__ import annotations

import builtins
import hashlib
import keyword
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from autograder.staff.handout import contents

# K tokens in a row make one fingerprint; of WINDOW neighbours one is kept.
K, WINDOW = 9, 4
# Limits of what is read of one submission. Comments, strings and empty lines count only for the first one.
MOST_READ, MOST_FILES, MOST_ENTRIES, MOST_BYTES, MOST_IN_FILE, MOST_FINGERPRINTS = (
    8 << 20,
    300,
    5000,
    1 << 20,
    1 << 18,
    6000,
)

# Fingerprints by file and function.
Fingerprint = dict[str, list[int]]
# Names that are compared as they are, alone and after a dot: those of Python, NumPy and the handout.
Names = tuple[frozenset[str], frozenset[str]]

STRING = r"""(?:[rRbBfFuU]{0,2})(?:\"{3}(?:[^\\\"]+|\\.|\"(?!\"\"))*(?:\"{3}|\Z)|'{3}(?:[^\\']+|\\.|'(?!''))*(?:'{3}|\Z)
                 |\"(?:[^\"\\\n]+|\\.)*(?:\"|(?=\n)|\Z)|'(?:[^'\\\n]+|\\.)*(?:'|(?=\n)|\Z))"""
# No alternative backtracks, and an unclosed string ends with its line or with the file.
TOKEN = re.compile(
    rf"""(?P<space>[ \t\f\r]+|\\\n|\#[^\n]*)
      | (?P<line>\n)
      | (?P<string>{STRING})
      | (?P<number>\.?[0-9](?:[eE][-+]?[0-9]|[0-9a-zA-Z_.])*)
      | (?P<name>\w+)
      | (?P<sign>\*\*=?|//=?|[-+*/%@&|^=!<>]=|->|:=|.)""",
    re.X | re.S,
)
OPEN, CLOSE = "([{", ")]}"
UNSEEN = re.compile(rf"(?P<string>{STRING})|\#[^\n]*", re.X | re.S)


@dataclass(frozen=True)
class Prints:
    """The fingerprints of one submission. text: a hash of all its code without comments, the same for equal code. notes: what
    was too large to be compared as a whole.
    """

    units: Fingerprint = field(default_factory=dict)
    text: str = ""
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"prints": self.units, "text": self.text, "oversize": list(self.notes)}

    @staticmethod
    def from_json(kept: dict[str, Any]) -> Prints:
        """The Prints of as_json. Raises KeyError where a part is missing."""
        return Prints(kept["prints"], str(kept["text"]), tuple(str(note) for note in kept["oversize"]))


def fingerprint(folder: Path) -> Prints:
    """The fingerprints of a submission's own code. Code of the handout is left out."""
    found: Fingerprint = {}
    given, names, _, unchanged = _handout()
    left = MOST_FINGERPRINTS
    notes: list[str] = []
    texts = []
    for path, source in sources(folder, notes):
        if source in unchanged:
            texts.append(unchanged[source])
            continue
        cut = list(_lines(source))
        texts.append(_digest(cut))
        for unit, tokens in _units(cut, names):
            hashes = [h if h not in given else -1 for h in _grams(tokens)]
            kept = _winnow(hashes)
            if len(kept) > left:
                notes.append(f"only the first {MOST_FINGERPRINTS:,} fingerprints are compared")
            kept = kept[: max(left, 0)]
            if kept:
                key = f"{path}: {unit}" if unit else path
                found[key] = sorted({*found.get(key, []), *kept})
                left -= len(kept)
    whole = hashlib.sha256(b"".join(sorted(texts))).hexdigest()[:20] if texts else ""
    return Prints(found, whole, tuple(dict.fromkeys(notes)))


def _digest(lines: list[tuple[int, list[str]]]) -> bytes:
    text = " ".join(word for _, words in lines for word in words)
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def sources(folder: Path, notes: list[str] | None = None) -> Iterator[tuple[str, str]]:
    """The Python files of a submission and their code; the handout's files first, without links and special files.

    Comments, strings and empty lines are left out before anything is cut, so that they cannot push code out of sight.
    notes: collects sentences about what was too large.
    """
    found: list[str] = []
    notes = [] if notes is None else notes
    entries = 0
    for top, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))[:200]
        entries += 1 + len(names)
        if entries > MOST_ENTRIES:
            notes.append(f"only the first {MOST_ENTRIES:,} files are compared")
            break
        found += [os.path.join(top, name) for name in names if name.endswith(".py") and not name.startswith(".")]
    paths = [(os.path.relpath(path, folder).replace(os.sep, "/"), path) for path in found]
    given = handout_files()
    raw = size = 0
    if len(paths) > MOST_FILES:
        notes.append(f"only the first {MOST_FILES:,} of {len(paths):,} files are compared")
    for name, path in sorted(paths, key=lambda one: (not one[0].endswith(given), one))[:MOST_FILES]:
        data = _read(path, MOST_READ - raw)
        raw += len(data)
        code = _given_code().get(data) or _stripped(data.decode("utf-8-sig", errors="replace"))
        if len(code) > MOST_IN_FILE:
            notes.append(
                f"{name[-60:]} has {len(code) >> 10} KiB of code, of which the first {MOST_IN_FILE >> 10} are compared"
            )
        code = code[:MOST_IN_FILE]
        size += len(code)
        yield name[-200:], code
        if size >= MOST_BYTES or raw >= MOST_READ:
            notes.append(f"only the first {MOST_BYTES >> 20} MiB of code are compared")
            return


def _stripped(source: str) -> str:
    """The source without comments, contents of strings, empty lines and spaces inside of lines."""
    text = UNSEEN.sub(lambda found: '""' if found.lastgroup else "", source.replace("\r\n", "\n"))
    # A line that is a string and nothing else is a comment in other clothes.
    text = re.sub(r'(?m)^[ \t\f]*(?:""[ \t\f;]*)+$', "", text)
    return re.sub(r"\n\s*\n", "\n", re.sub(r"(?<=\S)[ \t\f]+", " ", text))


def _read(path: str, most: int) -> bytes:
    """The beginning of a plain file; empty for a link, a pipe or a device."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        with open(path, "rb") as stream:
            return stream.read(max(most, 0))
    except (OSError, ValueError):
        return b""


def units(source: str, names: Names) -> Iterator[tuple[str, list[str]]]:
    """The functions of a source, each as normalised tokens; the code outside of them comes last, with an empty name.

    Comments, docstrings, line breaks, brackets and the annotations of a def are left out. Local names, numbers and strings
    become one token each; ``names``, which everybody has to use, stay.
    """
    return _units(_lines(source), names)


def _units(lines: Iterable[tuple[int, list[str]]], names: Names) -> Iterator[tuple[str, list[str]]]:
    outside: list[str] = []
    inside: list[str] = []
    unit, depth = "", -1
    classes: list[tuple[int, str]] = []
    for indent, words in lines:
        if unit and indent <= depth:
            yield unit, inside
            unit, inside = "", []
        if not unit:
            classes = [one for one in classes[-20:] if one[0] < indent]
            if words[0] == "class" and len(words) > 1:
                classes.append((indent, words[1]))
            elif "def" in words[:2]:
                name = words[words.index("def") + 1 :][:1] or ["?"]
                unit, depth = ".".join([*(one[1] for one in classes), *name])[-120:], indent
                words = _after_header(words)
        if words and words != ['""']:
            (inside if unit else outside).extend(_normal(words, names))
    if unit:
        yield unit, inside
    yield "", outside


def _lines(source: str) -> Iterator[tuple[int, list[str]]]:
    """Logical lines: their indentation and their tokens. Strings are shown as two quotes."""
    words: list[str] = []
    indent = depth = 0
    fresh = True
    for found in TOKEN.finditer(source.replace("\r\n", "\n") + "\n"):
        kind, text = found.lastgroup, found[0]
        if kind == "space":
            if fresh and not words and text[0] in " \t":
                indent = len(text.expandtabs(8))
        elif kind == "line":
            if depth == 0 or len(words) > 2000:
                if words:
                    yield indent, words
                words, indent, depth, fresh = [], 0, 0, True
            continue
        elif kind == "string":
            words.append('""')
        else:
            depth = max(depth + (text in OPEN) - (text in CLOSE), 0) if kind == "sign" else depth
            words.append(text)
        fresh = fresh and kind == "space" and not words
    if words:
        yield indent, words


def _after_header(words: list[str]) -> list[str]:
    """The tokens behind the colon of a def, on the same line."""
    depth = 0
    for number, word in enumerate(words):
        depth += (word in OPEN) - (word in CLOSE)
        if word == ":" and depth == 0:
            return words[number + 1 :]
    return []


def _normal(words: list[str], names: Names) -> Iterator[str]:
    own, attributes = names
    before = ""
    for word in words:
        if word in OPEN or word in CLOSE:
            continue
        if word[0].isdigit() or (word[0] == "." and len(word) > 1):
            yield "0"
        elif word.isidentifier() and word not in (attributes if before == "." else own):
            yield "v"
        else:
            yield word
        before = word
    yield ";"


def _grams(tokens: list[str]) -> list[int]:
    """Hashes of every K tokens in a row; none for fewer tokens, which say nothing about who wrote them."""
    return [zlib.crc32(" ".join(tokens[i : i + K]).encode("utf-8", "replace")) for i in range(len(tokens) - K + 1)]


def _winnow(hashes: list[int]) -> list[int]:
    """The least hash of every WINDOW neighbours, so that equal code gives equal choices. -1 is never chosen."""
    kept: dict[int, None] = {}
    for i in range(max(len(hashes) - WINDOW + 1, 1 if hashes else 0)):
        known = [h for h in hashes[i : i + WINDOW] if h >= 0]
        if known:
            kept[min(known)] = None
    return list(kept)


def handout_files() -> tuple[str, ...]:
    """The Python files of the handout."""
    return _handout()[2]


@cache
def _given_code() -> dict[bytes, str]:
    """The handout's files without comments. Most files of a submission are these, so they are stripped once for a class."""
    return {data: _stripped(data.decode()) for data in contents(ending=".py").values()}


@cache
def _handout() -> tuple[frozenset[int], Names, tuple[str, ...], dict[str, bytes]]:
    """The handout: all of its hashes, the names that everybody has to use, its files, and the digest of each file's code."""
    sources = {name: data.decode() for name, data in contents(ending=".py").items()}
    # Not the autograder's names: a variable that happens to be called like one of its functions is a variable as any other.
    texts = "\n".join(text for name, text in sources.items() if not name.startswith("autograder/"))
    own = {*keyword.kwlist, *dir(builtins), *re.findall(r"(?m)^(?:def|class) +(\w+)", texts)}
    attributes = {*keyword.kwlist, *dir(np), *dir(np.ndarray), *re.findall(r"(?:\bdef|\bclass|\.) *(\w+)", texts)}
    names = frozenset(own), frozenset(attributes)
    cut = {code: list(_lines(code)) for code in _given_code().values()}
    given = {h for lines in cut.values() for _, tokens in _units(lines, names) for h in _grams(tokens)}
    return frozenset(given), names, tuple(sources), {code: _digest(lines) for code, lines in cut.items()}
