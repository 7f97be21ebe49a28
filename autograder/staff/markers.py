"""Leaves solutions out of a source file.

A region from ``### BEGIN SOLUTION`` to ``### END SOLUTION`` is replaced, at the marker's indentation, by

- what its lines ``### HANDOUT <text>`` say, literally;
- for each line ``### STUB <def line> :: <docstring> :: <what is to do>`` a function that raises NotImplementedError;
- or, where BEGIN SOLUTION is followed by words, those words as a TODO and ``raise NotImplementedError``.

A region with none of these is left out.
"""

from __future__ import annotations

import re
import textwrap

BEGIN, END, HANDOUT, STUB = "### BEGIN SOLUTION", "### END SOLUTION", "### HANDOUT", "### STUB"
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
                raise MarkerError(f"{name}, line {number}: BEGIN SOLUTION inside of the region that began in line {opened}. Close that one first.")
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
        elif word.startswith((HANDOUT, STUB)):
            raise MarkerError(f"{name}, line {number}: {word.split()[1]} outside of a region.")
        else:
            kept.append(line)
    if opened:
        raise MarkerError(f"{name}, line {opened}: BEGIN SOLUTION is never closed. Add {END}.")
    return tidy("\n".join(kept) + "\n")


def solution_lines(source: str, name: str) -> list[str]:
    """The code that strip leaves out, line by line, without what it shows in its place."""
    strip(source, name)
    lines, inside = [], False
    for line in source.splitlines():
        word = line.strip()
        if word.startswith((BEGIN, END)):
            inside = word.startswith(BEGIN)
        elif inside and word and not word.startswith((HANDOUT, STUB)):
            lines.append(word)
    return lines


def tidy(source: str) -> str:
    """No more than two empty lines on end, and none before the end of the file."""
    return re.sub(r"\n{4,}", "\n\n\n", source).rstrip("\n") + "\n"


def _replacement(region: list[str], before: list[str]) -> list[str]:
    begin = region[0]
    indent = begin[: len(begin) - len(begin.lstrip())]
    lines: list[str] = []
    for line in region[1:]:
        word = line.strip()
        if word.startswith(HANDOUT):
            text = word[len(HANDOUT) :].removeprefix(" ")
            lines.append(f"{indent}{text}" if text else "")
        elif word.startswith(STUB):
            if lines:
                lines += [""] if indent else ["", ""]
            lines += _stub(word[len(STUB) :].strip(), indent, before)
    todo = begin.strip()[len(BEGIN) :].strip()
    if todo:
        lines += _todo(todo, indent, _scope(before, indent))
    return lines


def _stub(text: str, indent: str, before: list[str]) -> list[str]:
    definition, docstring, todo = (part.strip() for part in text.split("::"))
    inner = indent + "    "
    name = definition.removeprefix("def ").split("(")[0]
    scope = _scope(before, indent)
    lines = [f"{indent}{definition}:", f'{inner}"""{docstring}"""']
    return [*lines, *_todo(todo, inner, f"{scope}.{name}" if scope else name)]


def _todo(todo: str, indent: str, name: str) -> list[str]:
    words = textwrap.wrap(f"TODO: {todo[0].upper()}{todo[1:]}", WIDTH - len(indent))
    return [*(f"{indent}# {line}" for line in words), f'{indent}raise NotImplementedError("{name} is not implemented yet")']


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
