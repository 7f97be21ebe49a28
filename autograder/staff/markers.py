"""Leaves solutions out of a source file.

A region from ``### BEGIN SOLUTION`` to ``### END SOLUTION`` is replaced, at the marker's indentation, by what these lines in
it ask for, in their order:

- ``### TODO <words>``: the words as a TODO (several lines make one), and ``raise NotImplementedError``;
- ``### STUB <def line>``: a function, with the docstring of the line ``### DOC <words>`` and the TODO that follow it;
- ``### HANDOUT <line>``: this line, literally.

A region with none of these is left out.
"""

from __future__ import annotations

import re
import textwrap

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
INSIDE = re.compile(r"### (HANDOUT|STUB|DOC|TODO)( |$)")
WIDTH = 110


class MarkerError(ValueError):
    """Markers that are not closed, nested or out of place; the message names the line."""


def strip(source: str, name: str) -> str:
    """The source without its solutions. Raises MarkerError for markers that don't pair up."""
    kept: list[str] = []
    opened, region = 0, [""]
    for number, line in enumerate(source.splitlines(), 1):
        word = line.strip()
        if word.startswith(BEGIN):
            if opened:
                raise MarkerError(
                    f"{name}, line {number}: BEGIN SOLUTION inside of the region from line {opened}. Close that one first."
                )
            opened, region = number, [line]
        elif word.startswith(END):
            if not opened:
                raise MarkerError(f"{name}, line {number}: END SOLUTION without a BEGIN SOLUTION before it.")
            kept += _replacement(region, kept)
            opened = 0
        elif opened:
            region.append(line)
        elif "SOLUTION" in word and word.startswith("#"):
            raise MarkerError(f"{name}, line {number}: {word!r} looks like a marker. Write {BEGIN} or {END}.")
        elif INSIDE.match(word):
            raise MarkerError(f"{name}, line {number}: {word.split()[1]} outside of a region.")
        else:
            kept.append(line)
    if opened:
        raise MarkerError(f"{name}, line {opened}: BEGIN SOLUTION is never closed. Add {END}.")
    return tidy("\n".join(kept) + "\n")


def solution_lines(source: str, name: str) -> list[str]:
    """The code that strip leaves out, line by line, without what it shows in its place."""
    strip(source, name)
    shown = {line.strip().removeprefix("### HANDOUT").strip() for line in source.splitlines() if "### HANDOUT" in line}
    lines, inside = [], False
    for line in source.splitlines():
        word = line.strip()
        if word.startswith((BEGIN, END)):
            inside = word.startswith(BEGIN)
        elif inside and word and word not in shown and not INSIDE.match(word):
            lines.append(word)
    return lines


def tidy(source: str) -> str:
    """The usual numbers of empty lines, where a region has left more or fewer."""
    source = re.sub(r"\n{4,}", "\n\n\n", source)
    source = re.sub(r"(?<=[^\n])\n(# \w+\n\n\n)(?=def )", r"\n\n\n\1", source)
    source = re.sub(r"(?m)^(from (?!__future__)[\w.]+ import .+\n)\n+(?=from typing )", r"\1", source)
    source = re.sub(r"(?m)^(from mytorch[\w.]* import .+\n)\n+(?=from mytorch)", r"\1", source)
    source = re.sub(r"\n{3,}(?=[ ])", "\n\n", source)
    source = re.sub(r"(?<=[^\n])\n{2}(?=(?:def|class) )", "\n\n\n", source)
    source = re.sub(r"\n{3,}(?=(?:from|import|Array|Arrays) )", "\n\n", source)
    source = re.sub(r"(?<=[\n])(from typing import Any\n)(?=import )", r"\1\n", source)
    source = re.sub(r"(?m)^(import \w+\n)\n(?=from typing)", r"\1", source)
    return source.rstrip("\n") + "\n"


def _replacement(region: list[str], before: list[str]) -> list[str]:
    begin = region[0]
    indent = inner = begin[: len(begin) - len(begin.lstrip())]
    name = _scope(before, indent)
    lines: list[str] = []
    todo: list[str] = []

    def close() -> None:
        if todo:
            lines.extend(_todo(" ".join(todo), inner, name))
        todo.clear()

    for line in region[1:]:
        found = INSIDE.match(line.strip())
        if not found:
            continue
        text = line.strip()[found.end() :]
        if found[1] == "TODO":
            todo.append(text)
            continue
        close()
        if found[1] == "HANDOUT":
            lines.append(f"{indent}{text}".rstrip())
        elif found[1] == "STUB":
            if lines:
                lines += [""] if indent else ["", ""]
            inner = indent + "    "
            name = ".".join(filter(None, (_scope(before, indent), text.removeprefix("def ").split("(")[0])))
            lines.append(f"{indent}{text}:")
        else:
            lines.append(f'{inner}"""{text}"""')
    close()
    return lines


def _todo(todo: str, indent: str, name: str) -> list[str]:
    words = textwrap.wrap(f"TODO: {todo[0].upper()}{todo[1:]}", WIDTH - len(indent))
    return [
        *(f"{indent}# {line}" for line in words),
        f'{indent}raise NotImplementedError("{name} is not implemented yet")',
    ]


def _scope(before: list[str], indent: str) -> str:
    """The class and function in whose body a line of this indentation stands."""
    names: list[str] = []
    depth = len(indent)
    for line in reversed(before):
        found = re.match(r"( *)(?:def|class) (\w+)", line)
        if found and len(found[1]) < depth:
            names.append(found[2])
            depth = len(found[1])
    return ".".join(reversed(names))
