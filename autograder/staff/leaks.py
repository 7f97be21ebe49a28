"""Lines of the reference that would give a solution away, and the search for them in a handout."""

from __future__ import annotations

from autograder.staff.definitions import Module, Sources
from autograder.staff.differences import COMMON_LINES

# A short line, or one without an operator or a call, gives nothing away. Nor do imports, messages and comments.
SHORTEST, SIGNS = 12, "=(@*+-/["
HARMLESS = ("#", "raise ", "except ", "import ", "from ", "def ", "class ", "@", '"', "'", 'f"', "super().__init__(")


def solution_lines(reference: Sources, skeleton: Sources, handout: Sources) -> dict[str, str]:
    """The lines that students have to find themselves, and for each of them the function in which it stands.

    They are the bodies of the reference's functions: of the files that the skeleton replaces, and of those of the engine and
    of nn/ that the handout lacks. What the handout gives of the reference, whole files and functions, is no secret.
    """
    secret: dict[str, str] = {}
    given = set(COMMON_LINES)
    for file, text in reference.items():
        if handout.get(file) == text:
            given.update(line.strip() for line in text.splitlines())
        elif file in skeleton or (file not in handout and _is_taught(file)):
            for name, function in Module(file, reference).functions():
                secret.update(dict.fromkeys(function.lines(), name))
    for file in skeleton:
        for _, function in Module(file, skeleton).functions():
            given.update([] if function.is_stub else function.lines())
    return {line: name for line, name in secret.items() if line not in given and _tells(line)}


def _is_taught(file: str) -> bool:
    folder = file.rpartition("/")[0]
    return folder == "mytorch" or folder.startswith("mytorch/nn")


def _tells(line: str) -> bool:
    return len(line) >= SHORTEST and any(sign in line for sign in SIGNS) and not line.startswith(HARMLESS)


def leaked_lines(secret: dict[str, str], handout: Sources) -> list[str]:
    """Sentences about solution lines that stand in the handout, in code or in a comment."""
    return [
        f"{file}, line {number}: {line!r} is a line of {secret[line]} in the reference, which is a solution. Take it away."
        for file, text in sorted(handout.items())
        for number, line in enumerate((row.strip().lstrip("# ") for row in text.splitlines()), 1)
        if line in secret
    ]
