"""Agreement of the skeleton with the reference: names, signatures, given code, stubs, and no line of a solution.

The files are compared as syntax trees; nothing is imported or run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from autograder.staff.definitions import (
    Definition,
    Function,
    Module,
    Sources,
    imports,
    is_public,
    path_of,
    same,
)
from autograder.staff.differences import BODY, DIFFERENCES, LEFT_OUT, MARK, PARAMETERS, STUB, Difference
from autograder.staff.leaks import leaked_lines, solution_lines


def disagreements(
    reference: Sources, skeleton: Sources, handout: Sources, differences: Sequence[Difference] = DIFFERENCES
) -> list[str]:
    """Sentences that name what differs between the skeleton and the reference without being listed; [] for agreement.

    reference: the reference's Python files by name. skeleton: the handout's own Python files that have to agree with them.
    handout: every text file of the handout, which is searched for solution lines and for imports of what it lacks.
    differences: what differs on purpose. An entry that no longer applies is reported too.

    Raises SyntaxError for a file that does not compile.
    """
    listed = _Listed(differences)
    found: list[str] = []
    for name in sorted(skeleton):
        if name not in reference:
            found.append(f"{name} is in the skeleton, but the reference has no such file. Rename it or take it away.")
            continue
        pair = Module(name, reference), Module(name, handout)
        found += [f"{name}: {sentence}" for sentence in _compare(name, *pair, listed)]
    found += listed.unused()
    found += missing_imports(handout)
    return found + leaked_lines(solution_lines(reference, skeleton, handout), handout)


class _Listed:
    """The differences on purpose, and which of them have been met."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self._entries = [(entry, pattern) for entry in differences for pattern in entry.names.split()]
        self._met: set[tuple[Difference, str]] = set()

    def has(self, kind: str, file: str, name: str) -> bool:
        """True for a difference that is listed; it counts as met from then on."""
        hits = [
            (entry, pattern)
            for entry, pattern in self._entries
            if (entry.kind, entry.file) == (kind, file) and fnmatchcase(name, pattern)
        ]
        self._met.update(hits)
        return bool(hits)

    def unused(self) -> list[str]:
        """Sentences about the entries that were never met."""
        return [
            f"{entry.file}: {pattern} is listed as a difference ({entry.kind}), but there is none. Take it off the list in "
            "autograder/staff/differences.py."
            for entry, pattern in self._entries
            if (entry, pattern) not in self._met
        ]


def _compare(file: str, reference: Module, skeleton: Module, listed: _Listed) -> Iterator[str]:
    """Sentences about one file, name by name."""
    shown = skeleton.names()
    for name in filter(is_public, reference.names()):
        # Of a class that is left out, its members need no entry of their own.
        owner = name.rpartition(".")[0]
        if name not in shown and (not owner or owner in shown) and not listed.has(LEFT_OUT, file, name):
            yield f"{name} is in the reference, but not in the skeleton. Add it there, or list it as left out."
    for name in shown:
        one, other = skeleton.find(name), reference.find(name)
        if other is None:
            yield f"{name} is in the skeleton, but not in the reference. Rename it or take it away."
        elif not is_public(name) or listed.has(LEFT_OUT, file, name):
            yield f"{name} is in the skeleton, but students get what is public and not listed as left out. Take it away."
        elif isinstance(one, Function) and isinstance(other, Function):
            yield from _compare_functions(file, name, one, other, listed)
        elif one != other:
            yield f"{name} is {_words(one)} in the skeleton and {_words(other)} in the reference. Make them equal."


def _words(definition: Definition | None) -> str:
    return definition.text if definition is not None and not isinstance(definition, Function) else "a function"


def _compare_functions(file: str, name: str, one: Function, other: Function, listed: _Listed) -> Iterator[str]:
    shown, expected = one.parameters(), other.parameters()
    agree = shown == expected
    if not agree and shown == expected[: len(shown)]:
        optional = all("=" in parameter or parameter == "*" for parameter in expected[len(shown) :])
        agree = optional and listed.has(PARAMETERS, file, name)
    if not agree:
        yield (
            f"{name} takes ({', '.join(shown)}) in the skeleton and ({', '.join(expected)}) in the reference. Make them "
            "equal, or list what the reference alone takes."
        )
    is_exercise = listed.has(STUB, file, name)
    if is_exercise or one.is_stub:
        yield from _judge_stub(name, one, is_exercise)
    elif agree and not same(one.code, other.code) and not listed.has(BODY, file, name):
        yield f"{name} is given to students, but its code is not the reference's. Copy it from there, or list the reason."
    if one.decorators != other.decorators and not listed.has(MARK, file, name):
        yield f"{name} is decorated by {one.decorators} in the skeleton and by {other.decorators} in the reference."


def _judge_stub(name: str, stub: Function, is_exercise: bool) -> Iterator[str]:
    expected = f"raise NotImplementedError('{name} is not implemented yet')"
    if not is_exercise:
        yield f"{name} raises NotImplementedError, but is not listed as a stub. List it, or give its code."
    elif not stub.has_docstring or not stub.statements or ast.unparse(stub.statements[-1]) != expected:
        yield f"{name} is to be written by students, but is no stub. Let it be a docstring and {expected}."
    elif len(stub.statements) > 1:
        yield f"{name} is a stub, but holds more than its docstring and one raise. Take it away, or say it in a comment."


def missing_imports(handout: Sources) -> list[str]:
    """Sentences about imports of the project's own modules, or of names in them, that the handout lacks."""
    packages = {name.partition("/")[0] for name in handout if name.endswith("/__init__.py")}
    found = []
    for file in sorted(name for name in handout if name.endswith(".py")):
        for module, name in imports(handout[file], file):
            if module.partition(".")[0] not in packages:
                continue
            at = path_of(module, handout)
            wanted = f"{module}.{name}" if name else module
            if at is None or (name and path_of(wanted, handout) is None and not Module(at, handout).has(name)):
                found.append(
                    f"{file} imports {wanted}, which is not in the handout. Add it there or leave the import out."
                )
    return found
