"""Similar submissions, for a human to judge, by winnowed fingerprints of the code that students wrote themselves.

``fingerprint(folder)`` is plain JSON data, kept beside a submission's record; ``similar(fingerprints)`` compares a class.
Sources are only cut into tokens, never parsed or compiled, so no source can crash or hold up the grader. Method: Schleimer,
Wilkerson, Aiken, Winnowing: Local Algorithms for Document Fingerprinting (2003); weights as in inverse document frequency.
"""

from __future__ import annotations

import builtins
import keyword
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from autograder.staff.handout import contents

# K tokens in a row make one fingerprint; of WINDOW neighbours one is kept.
K, WINDOW = 9, 4
# The least score and the least weight of common fingerprints of a pair that is listed.
LEAST_SCORE, LEAST_EVIDENCE = 0.75, 12.0
MOST_PAIRS = 1000
# Limits of what is read of one submission.
MOST_FILES, MOST_ENTRIES, MOST_BYTES, MOST_IN_FILE, MOST_FINGERPRINTS = 300, 5000, 1 << 20, 1 << 18, 6000
CHUNK = 4096

Fingerprint = dict[str, list[int]]
# Names that are compared as they are, alone and after a dot: those of Python, NumPy and the handout.
Names = tuple[frozenset[str], frozenset[str]]

# No alternative backtracks, and an unclosed string ends with its line or with the file.
TOKEN = re.compile(
    r"""(?P<space>[ \t\f\r]+|\\\n|\#[^\n]*)
      | (?P<line>\n)
      | (?P<string>(?:[rRbBfFuU]{0,2})(?:\"{3}(?:[^\\\"]+|\\.|\"(?!\"\"))*(?:\"{3}|\Z)|'{3}(?:[^\\']+|\\.|'(?!''))*(?:'{3}|\Z)
                 |\"(?:[^\"\\\n]+|\\.)*(?:\"|(?=\n)|\Z)|'(?:[^'\\\n]+|\\.)*(?:'|(?=\n)|\Z)))
      | (?P<number>\.?[0-9](?:[eE][-+]?[0-9]|[0-9a-zA-Z_.])*)
      | (?P<name>\w+)
      | (?P<sign>\*\*=?|//=?|[-+*/%@&|^=!<>]=|->|:=|.)""",
    re.X | re.S,
)
OPEN, CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Pair:
    """Two submissions by their keys, how alike they are (0 to 1) and the parts that agree most, as (in a, in b)."""

    a: str
    b: str
    score: float
    shared: tuple[tuple[str, str], ...]


def fingerprint(folder: Path) -> Fingerprint:
    """The fingerprints of a submission's own code, by file and function. Code of the handout is left out."""
    found: Fingerprint = {}
    given, names, _ = _handout()
    left = MOST_FINGERPRINTS
    for path, source in sources(folder):
        for unit, tokens in units(source, names):
            hashes = [h if h not in given else -1 for h in _grams(tokens)]
            kept = _winnow(hashes)[: max(left, 0)]
            if kept:
                key = f"{path}: {unit}" if unit else path
                found[key] = sorted({*found.get(key, []), *kept})
                left -= len(kept)
    return found


def similar(
    fingerprints: Mapping[str, Fingerprint],
    *,
    owner: Callable[[str], str] = lambda key: key,
    least: float = LEAST_SCORE,
    most: int = MOST_PAIRS,
) -> list[Pair]:
    """Pairs that stand out, most alike first. owner: the student of a key; two versions of one student are not compared."""
    keys = list(fingerprints)
    if len(keys) < 2:
        return []
    own = [np.unique(np.array([h for hs in fingerprints[k].values() for h in hs], dtype=np.int64)) for k in keys]
    values, counts = np.unique(np.concatenate(own), return_counts=True)
    weights = _weights(counts, len(keys))
    total = np.array([weights[np.searchsorted(values, hashes)].sum() for hashes in own])
    common = _common(own, values, counts, weights)
    # A share of the smaller of the two: code that is added to a copy does not hide it.
    smaller = np.minimum(total[:, None], total[None, :])
    evidence = common >= LEAST_EVIDENCE
    score = np.where(evidence, common / np.maximum(smaller, 1e-9), 0.0)
    rows, columns = np.nonzero(np.triu(score, 1) >= least)
    order = sorted(zip(rows.tolist(), columns.tolist()), key=lambda ij: (-round(float(score[ij]), 3), -common[ij], ij))
    weight_of = dict(zip(values.tolist(), weights.tolist()))
    pairs: list[Pair] = []
    for i, j in order:
        a, b = keys[i], keys[j]
        if owner(a) != owner(b) and len(pairs) < most:
            shared = _shared(fingerprints[a], fingerprints[b], weight_of)
            pairs.append(Pair(a, b, round(min(float(score[i, j]), 1.0), 3), shared))
    return pairs


def _weights(counts: np.ndarray, submissions: int) -> np.ndarray:
    """Weights of fingerprints: 1 for one that two share, 0 for one that half of the class has (six, in a small class)."""
    half = max(submissions / 2, 6.0)
    return np.clip(1 - np.log(np.maximum(counts, 2) / 2) / np.log(half / 2), 0.0, 1.0)


def _common(own: list[np.ndarray], values: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The common weight of each pair, as a product of incidence matrices, a chunk of fingerprints at a time."""
    result = np.zeros((len(own), len(own)), dtype=np.float32)
    useful = values[(counts > 1) & (weights > 0)]
    factor = np.sqrt(weights[(counts > 1) & (weights > 0)]).astype(np.float32)
    places = [np.searchsorted(useful, hashes[np.isin(hashes, useful, assume_unique=True)]) for hashes in own]
    for start in range(0, len(useful), CHUNK):
        stop = min(start + CHUNK, len(useful))
        matrix = np.zeros((len(own), stop - start), dtype=np.float32)
        for row, place in enumerate(places):
            inside = place[(place >= start) & (place < stop)]
            matrix[row, inside - start] = factor[inside]
        result += matrix @ matrix.T
    return result


def _shared(a: Fingerprint, b: Fingerprint, weight: Mapping[int, float]) -> tuple[tuple[str, str], ...]:
    """Pairs of functions that agree most, heaviest first."""
    where: dict[int, str] = {h: unit for unit, hashes in b.items() for h in hashes}
    found = []
    for unit, hashes in a.items():
        votes: dict[str, float] = {}
        for h in hashes:
            if h in where:
                votes[where[h]] = votes.get(where[h], 0.0) + weight[h]
        if votes:
            other = max(votes, key=lambda key: votes[key])
            own = sum(weight[h] for h in hashes)
            if votes[other] > 0 and votes[other] >= 0.6 * own:
                # Functions of the homework's own files say more than added ones.
                foreign = ": " not in unit or not unit.rpartition(": ")[0].endswith(_handout()[2])
                found.append((foreign, -votes[other], _short(unit), _short(other)))
    return tuple((one, other) for _, _, one, other in sorted(found)[:8])


def _short(unit: str) -> str:
    """The function's name, without the folders of its file."""
    file, _, function = unit.rpartition(": ")
    return function or file.rpartition("/")[2]


def sources(folder: Path) -> Iterator[tuple[str, str]]:
    """The Python files of a submission and their text, bounded; the handout's files first, without links and special files."""
    found: list[str] = []
    entries = 0
    for top, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))[:200]
        entries += 1 + len(names)
        if entries > MOST_ENTRIES:
            break
        found += [os.path.join(top, name) for name in names if name.endswith(".py") and not name.startswith(".")]
    paths = [(os.path.relpath(path, folder).replace(os.sep, "/"), path) for path in found]
    given = _handout()[2]
    read = 0
    for shown, path in sorted(paths, key=lambda one: (not one[0].endswith(given), one))[:MOST_FILES]:
        data = _read(path)
        read += len(data)
        yield shown[-200:], data.decode("utf-8-sig", errors="replace")
        if read >= MOST_BYTES:
            return


def _read(path: str) -> bytes:
    """The beginning of a plain file; empty for a link, a pipe or a device."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        with open(path, "rb") as stream:
            return stream.read(MOST_IN_FILE)
    except (OSError, ValueError):
        return b""


def units(source: str, names: Names) -> Iterator[tuple[str, list[str]]]:
    """The functions of a source, each as normalised tokens; the code outside of them comes last, with an empty name.

    Comments, docstrings, line breaks, brackets and the annotations of a def are left out. Local names, numbers and strings
    become one token each; ``names``, which everybody has to use, stay.
    """
    outside: list[str] = []
    inside: list[str] = []
    unit, depth = "", -1
    classes: list[tuple[int, str]] = []
    for indent, words in _lines(source):
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


@cache
def _handout() -> tuple[frozenset[int], Names, tuple[str, ...]]:
    """The handout: all of its hashes, the names that everybody has to use, and its files."""
    sources = {name: data.decode() for name, data in contents().items() if name.endswith(".py")}
    # Not the autograder's names: a variable that happens to be called like one of its functions is a variable as any other.
    texts = "\n".join(text for name, text in sources.items() if not name.startswith("autograder/"))
    own = {*keyword.kwlist, *dir(builtins), *re.findall(r"(?m)^(?:def|class) +(\w+)", texts)}
    attributes = {*keyword.kwlist, *dir(np), *dir(np.ndarray), *re.findall(r"(?:\bdef|\bclass|\.) *(\w+)", texts)}
    names = frozenset(own), frozenset(attributes)
    given = {h for text in sources.values() for _, tokens in units(text, names) for h in _grams(tokens)}
    return frozenset(given), names, tuple(sources)
