"""Signs that marks were earned without the homework, each with its evidence, for a person who reads the code.

No flag changes a mark. Code that hides well enough is not found: whoever carries a copy of the checks in a form of its own
needs none of the names below. Sources are only cut into tokens, never parsed or compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from autograder.archives import shown
from autograder.staff.handout import contents
from autograder.staff.pages.fingerprints import TOKEN
from autograder.staff.record import GRADED, Record

Flag = dict[str, str]

LOOKS = "code that looks for the grader, or runs what cannot be read"
REPLACES = "code that replaces a library's functions"
COPIES = "code that stands in the handout's own checks"
STUBS = "marks for functions that are not written"
APART = "open and hidden marks that do not fit together"
LARGE = "more code than was looked at"

# Names that a solution does not need: of the grader, of the frames above, of code made from data, of other processes.
NAMES = frozenset({
    "autograder", "SCENARIOS", "_getframe", "f_back", "f_locals", "f_globals", "currentframe", "get_objects",
    "get_referrers", "settrace", "setprofile", "addaudithook", "meta_path", "path_hooks", "__subclasses__", "__builtins__",
    "__import__", "import_module", "importlib", "ctypes", "marshal", "base64", "zlib", "exec", "eval", "mmap", "fork",
    "_exit", "subprocess", "socket", "signal", "atexit", "multiprocessing", "threading", "_thread", "ptrace",
    "memfd_create",
})  # fmt: skip
IN_STRINGS = re.compile(r"autograder|/proc/|test_autograd|scenarios")
LIBRARIES = frozenset({
    "np", "numpy", "builtins", "math", "json", "struct", "unittest", "sys", "os", "time", "random", "operator",
    "functools",
})  # fmt: skip
# Attributes of libraries that solutions set for good reasons.
SETTINGS = frozenset({"stdout", "stderr", "seed"})
# Tokens of a submission that are looked at, comments not counted; lines that are quoted.
MOST_TOKENS, MOST_QUOTED = 200_000, 5
# A line of the checks with fewer tokens than this stands in anybody's code; so many lines are no accident.
LEAST_TOKENS, LEAST_LINES = 8, 8
# Shares of the open marks and of the hidden ones that contradict each other.
MUCH, LITTLE = 0.9, 0.5


@dataclass(frozen=True)
class Line:
    """A logical line of code: its number, its indentation, its tokens without comments, and the first line's text."""

    number: int
    indent: int
    tokens: tuple[str, ...]
    text: str


def flags_of(record: Record, files: Mapping[str, bytes]) -> list[Flag]:
    """The flags of a graded submission. files: its code by name."""
    if record["status"] != GRADED:
        return []
    code: dict[str, list[Line]] = {}
    left = MOST_TOKENS
    for name, data in files.items():
        # A file of the handout that nobody has touched says nothing, and its functions are not written.
        if data != _given_files().get(name):
            code[name] = list(lines(data, left))
            left -= sum(len(line.tokens) for line in code[name])
    found = [*_suspect(code), *_stubs(record, code), *_apart(record)]
    if left <= 0:
        found.append((LARGE, f"the first {MOST_TOKENS:,} words and signs of {len(files)} files were looked at"))
    return [{"kind": kind, "evidence": shown(evidence, 600)} for kind, evidence in found]


def lines(data: bytes, most: int = MOST_TOKENS) -> Iterator[Line]:
    """The logical lines of a source, up to a number of tokens. Strings that stand alone are comments, and left out."""
    source = data.decode("utf-8-sig", "replace").replace("\r\n", "\n") + "\n"
    texts = source.split("\n")
    tokens: list[str] = []
    number = first = 1
    depth = 0
    for found in TOKEN.finditer(source):
        kind, text = found.lastgroup, found[0]
        if kind == "space":
            number += text.count("\n")
            continue
        if kind != "line":
            first = first if tokens else number
            tokens.append(text)
            if kind == "sign":
                depth = max(depth + (text in "([{") - (text in ")]}"), 0)
        if tokens and ((kind == "line" and depth == 0) or len(tokens) > 2000):
            if len(tokens) > 1 or _string(tokens[0]) == "":
                line = texts[first - 1]
                yield Line(first, len(line) - len(line.lstrip()), tuple(tokens), " ".join(line.split()))
            most -= len(tokens)
            if most <= 0:
                return
            tokens, depth = [], 0
        number += text.count("\n")


def _string(token: str) -> str:
    """The token if it is a string, else an empty text."""
    return token if token[-1:] in ("'", '"') or token.lstrip("rRbBfFuU")[:1] in ("'", '"') else ""


def _suspect(code: dict[str, list[Line]]) -> Iterator[tuple[str, str]]:
    """Lines with names that a solution does not need, lines that replace functions, lines of the checks."""
    given, checks = _handout()
    kinds: dict[str, list[str]] = {LOOKS: [], REPLACES: [], COPIES: []}
    for name, found in code.items():
        for line in found:
            if line.tokens in given:
                continue
            is_import = line.tokens[0] in ("from", "import")
            copied = len(line.tokens) >= LEAST_TOKENS and line.tokens in checks and not is_import
            flagged = {LOOKS: _looks(line.tokens), REPLACES: _replaces(line.tokens), COPIES: copied}
            for kind in (kind for kind, is_so in flagged.items() if is_so):
                kinds[kind].append(f"{name}, line {line.number}: {shown(line.text, 90)}")
    for kind, places in kinds.items():
        if len(places) >= (LEAST_LINES if kind == COPIES else 1):
            more = f"; and {len(places) - MOST_QUOTED} more" if len(places) > MOST_QUOTED else ""
            yield kind, "; ".join(places[:MOST_QUOTED]) + more


def _looks(tokens: tuple[str, ...]) -> bool:
    before = ""
    for token in tokens:
        if (token in NAMES and not (before == "." and token in ("exec", "eval"))) or (
            _string(token) and IN_STRINGS.search(token)
        ):
            return True
        if token == "modules" and before == "." and "sys" in tokens:
            return True
        before = token
    return False


def _replaces(tokens: tuple[str, ...]) -> bool:
    """True for ``np.add = ...``, ``np.linalg.norm = ...`` and ``setattr(np, ...)``."""
    if tokens[:2] == ("setattr", "(") and tokens[2:3] and tokens[2] in LIBRARIES:
        return True
    if tokens[0] not in LIBRARIES or "=" not in tokens:
        return False
    target = tokens[: tokens.index("=")]
    return len(target) > 2 and set(target[1::2]) == {"."} and target[-1] not in SETTINGS


def _stubs(record: Record, code: dict[str, list[Line]]) -> Iterator[tuple[str, str]]:
    """Functions of the handout that nobody has written although the exercise about them earned half of its marks."""
    written = {name.split(".")[-1] for found in code.values() for name, stub in functions(found) if not stub}
    whole = {name for found in code.values() for name, stub in functions(found) if not stub}
    evidence = []
    for name in _to_write():
        owner, _, method = name.rpartition(".")
        if name in whole or (not owner and method in written):
            continue
        for exercise in record["exercises"]:
            about = exercise["name"].startswith(owner) and (
                method == "forward" or method.replace("_", " ") in exercise["name"].lower()
            )
            if owner and about and exercise["earned"] > 0 and exercise["earned"] >= exercise["points"] / 2:
                evidence.append(f"{name} is not there, and {_marks(exercise)}")
        for check in record["checks"]:
            if not owner and check["earned"] > 0 and check["check"].startswith(f"{method}:"):
                evidence.append(f"{name} is not there, and its check in {check['exercise']} has passed")
    if evidence:
        yield STUBS, "; ".join(dict.fromkeys(evidence))


def functions(found: list[Line]) -> Iterator[tuple[str, bool]]:
    """The functions of a source as ``Class.method``, and True for one that does nothing yet."""
    classes: list[tuple[int, str]] = []
    for position, line in enumerate(found):
        classes = [one for one in classes if one[0] < line.indent]
        if line.tokens[0] == "class" and len(line.tokens) > 1:
            classes.append((line.indent, line.tokens[1]))
        elif "def" in line.tokens[:2] and len(line.tokens) > line.tokens.index("def") + 1:
            name = line.tokens[line.tokens.index("def") + 1]
            body = found[position + 1] if position + 1 < len(found) else None
            empty = body is None or body.indent <= line.indent
            inline = line.tokens[-1] != ":"
            stub = not inline and (empty or (body is not None and _does_nothing(body.tokens)))
            yield ".".join([*(one[1] for one in classes[-1:]), name]), stub


def _does_nothing(tokens: tuple[str, ...]) -> bool:
    return tokens[:2] == ("raise", "NotImplementedError") or tokens in (("pass",), (".", ".", "."), ("return", "None"))


def _apart(record: Record) -> Iterator[tuple[str, str]]:
    rows = {
        hidden: [e for e in record["exercises"] if e["hidden"] is hidden and e["points"]] for hidden in (False, True)
    }
    shares = []
    for of in rows.values():
        points = sum(exercise["points"] for exercise in of)
        shares.append(sum(exercise["earned"] for exercise in of) / points if points else None)
    if None not in shares and shares[0] >= MUCH and shares[1] < LITTLE:  # type: ignore[operator]
        lost = [_marks(exercise) for exercise in rows[True] if not exercise["passed"]]
        yield APART, f"{shares[0]:.0%} of the open marks and {shares[1]:.0%} of the hidden ones: {', '.join(lost)}"


def _marks(exercise: Mapping[str, object]) -> str:
    return f"{exercise['name']} has {exercise['earned']:g} of {exercise['points']:g}"


@cache
def _given_files() -> dict[str, bytes]:
    return contents(ending=".py")


@cache
def _handout() -> tuple[frozenset[tuple[str, ...]], frozenset[tuple[str, ...]]]:
    """The logical lines of the code that students get to complete, and those of the checks that they get."""
    sources = {name: data for name, data in _given_files().items() if name.endswith(".py")}
    ours = {name for name in sources if name.startswith(("mytorch/", "hw_bonus/"))}
    given = frozenset(line.tokens for name in ours for line in lines(sources[name]))
    checks = frozenset(line.tokens for name in sources.keys() - ours for line in lines(sources[name]))
    return given, checks - given


@cache
def _to_write() -> tuple[str, ...]:
    """The functions that the handout leaves to students."""
    sources = {n: data for n, data in _given_files().items() if n.startswith("mytorch/") and n.endswith(".py")}
    return tuple(name for data in sources.values() for name, stub in functions(list(lines(data))) if stub)
