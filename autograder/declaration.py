"""The declaration of the marks, ``marks.ini``: which exercises count, for how much, and where exercises of one's own lie."""

from __future__ import annotations

import configparser
import difflib
import hashlib
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from autograder.archives import CannotGrade
from autograder.helpers import Check, Draw
from autograder.worker.scenarios import SCENARIOS
from autograder.worker.student import MODULES

HERE = Path(__file__).resolve().parent
FILE = HERE / "marks.ini"
OPEN, HIDDEN, FOLDERS, TOTAL = "open", "hidden", "folders", "total"
# Files of an exercise of one's own. The second one may be missing.
OWN_FILES = ("checks.py", "scenarios.py")
# What a marks.ini may call an exercise that is worth nothing.
PRACTICE = "practice"


@dataclass(frozen=True)
class Own:
    """An exercise of one's own, from its folder.

    parts: keys of student.MODULES. needs: exercises that have to work first. hint: the general hint of a hidden exercise.
    """

    parts: tuple[str, ...]
    needs: tuple[str, ...]
    checks: tuple[Check, ...]
    hint: str


@dataclass(frozen=True)
class Declaration:
    """The marks by exercise, open and hidden, in the order of the file, and the folders of exercises of one's own."""

    open: dict[str, float] = field(default_factory=dict)
    hidden: dict[str, float] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def own(self, names: Iterable[str]) -> dict[str, Own]:
        """The exercises of one's own among these names. Raises CannotGrade for a folder that holds none."""
        return {name: load(name, self.folders[name]) for name in names if name in self.folders}

    def digest(self) -> str:
        """SHA-256 of the declaration and of the files of one's own exercises, on which marks depend."""
        digest = hashlib.sha256(repr((self.open, self.hidden, sorted(self.folders))).encode())
        for folder in self.folders.values():
            for path in own_files(folder):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def read(path: Path = FILE) -> Declaration:
    """The declaration in a file.

    Raises CannotGrade, with one sentence about the first thing that does not add up.
    """
    name = path.name
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, inline_comment_prefixes=("#",))
    # Names of exercises keep their capitals.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=name)
    except OSError as error:
        raise CannotGrade(f"{name} cannot be read ({error.strerror}). It belongs beside exercises.py.") from None
    except UnicodeDecodeError:
        raise CannotGrade(f"{name} is not UTF-8. Save it with this encoding.") from None
    except configparser.Error as error:
        raise CannotGrade(f"{name} cannot be read: {' '.join(str(error).split())}.") from None
    for section in parser.sections():
        if section not in (OPEN, HIDDEN, FOLDERS):
            raise CannotGrade(f"{name} has a section [{section}]. There are [{OPEN}], [{HIDDEN}] and [{FOLDERS}].")
    if OPEN not in parser:
        raise CannotGrade(f"{name} has no section [{OPEN}]. Declare at least one exercise there.")
    top = path.resolve().parent.parent
    folders = {key: top / value for key, value in _section(parser, FOLDERS).items()}
    found = Declaration(_marks(parser, OPEN, name), _marks(parser, HIDDEN, name), folders)
    _check_folders(found, name)
    return found


def _section(parser: configparser.ConfigParser, name: str) -> dict[str, str]:
    """A section's lines; none where the section is missing."""
    return dict(parser[name]) if name in parser else {}


def _marks(parser: configparser.ConfigParser, section: str, file: str) -> dict[str, float]:
    """The marks of a section, which have to add up to its total where it names one."""
    lines = _section(parser, section)
    total = lines.pop(TOTAL, None)
    marks = {exercise: _number(text, f"{exercise} in {file}") for exercise, text in lines.items()}
    if total is not None and not math.isclose(sum(marks.values()), wanted := _number(total, f"{TOTAL} in {file}")):
        raise CannotGrade(
            f"The exercises of [{section}] in {file} add up to {sum(marks.values()):g} marks, but its {TOTAL} is "
            f"{wanted:g}. Correct one of them."
        )
    if section == OPEN and not any(marks.values()):
        raise CannotGrade(f"No exercise of [{section}] in {file} is worth any marks. Give at least one of them some.")
    return marks


def _number(text: str, what: str) -> float:
    if text.strip().lower() == PRACTICE:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    # Marks are rounded to four digits wherever they are added up.
    if not 0 <= value <= 10_000 or round(value, 4) != value:
        raise CannotGrade(
            f"The marks of {what} are {text!r}. Give a number from 0 to 10000 with at most 4 decimals, or {PRACTICE!r}."
        )
    return int(value) if value == int(value) else value


def _check_folders(found: Declaration, file: str) -> None:
    places = [folder.name for folder in found.folders.values()]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise CannotGrade(f"Two folders in [{FOLDERS}] of {file} are called {twice!r}. Rename one of them.")
    for exercise in found.folders:
        if (exercise in found.open) == (exercise in found.hidden):
            raise CannotGrade(
                f"{exercise!r} has a folder in {file}, so it needs marks in either [{OPEN}] or [{HIDDEN}], and not in both."
            )


def check_known(marks: Iterable[str], known: Collection[str], folders: Collection[str], section: str) -> None:
    """Raise CannotGrade if a declared exercise is unknown, or if an exercise of one's own has the name of another one."""
    for exercise in marks:
        if exercise not in known and exercise not in folders:
            alike = difflib.get_close_matches(exercise, known, 1)
            there = f"perhaps {alike[0]!r} is meant" if alike else f"they are {', '.join(known)}"
            raise CannotGrade(
                f"marks.ini declares {exercise!r} in [{section}], which is none of the exercises there ({there}) and has no "
                f"folder in [{FOLDERS}]."
            )
        if exercise in known and exercise in folders:
            raise CannotGrade(f"{exercise!r} in [{FOLDERS}] of marks.ini is the name of another exercise. Rename it.")


def check_needs(own: dict[str, Own], known: Collection[str]) -> None:
    """Raise CannotGrade if an exercise of one's own needs an exercise that is unknown."""
    for exercise, one in own.items():
        if unknown := next((need for need in one.needs if need not in known), None):
            raise CannotGrade(f"NEEDS of {exercise!r} names {unknown!r}, which is no exercise.")


def own_files(folder: Path) -> list[Path]:
    """The files of an exercise of one's own that exist."""
    return [folder / name for name in OWN_FILES if (folder / name).is_file()]


def load(exercise: str, folder: Path) -> Own:
    """An exercise of one's own from its folder: checks.py, and scenarios.py where it needs scenarios of its own.

    Raises CannotGrade where the folder holds no such exercise.
    """
    path = folder / OWN_FILES[0]
    if not path.is_file():
        raise CannotGrade(f"The folder of {exercise!r}, {folder}, holds no {OWN_FILES[0]}. Correct it in marks.ini.")
    module = _run(exercise, path)
    checks = getattr(module, "CHECKS", None)
    parts, needs = getattr(module, "PARTS", None), getattr(module, "NEEDS", ())
    if not (isinstance(checks, (list, tuple)) and checks and all(isinstance(check, Check) for check in checks)):
        raise CannotGrade(f"{path} has no list CHECKS of Check. See the example in docs/grading.md.")
    if not (isinstance(parts, tuple) and parts and all(isinstance(part, str) and part in MODULES for part in parts)):
        raise CannotGrade(
            f"{path} has no tuple PARTS, such as ('engine', 'activation'). The parts are {', '.join(MODULES)}."
        )
    if not (isinstance(needs, tuple) and all(isinstance(need, str) for need in needs)):
        raise CannotGrade(
            f"NEEDS in {path} is no tuple of exercises. Write it as ('Autograd Backward',), with the comma."
        )
    if other := next((check.exercise for check in checks if check.exercise != exercise), None):
        raise CannotGrade(f"A check in {path} is of {other!r}, but marks.ini calls the exercise {exercise!r}.")
    scenarios = folder / OWN_FILES[1]
    source = scenarios.read_text(encoding="utf-8") if scenarios.is_file() else ""
    names = set(re.findall(r"(?m)^@scenario\s*\n+def (\w+)", source))
    _try(path, scenarios, checks, source, names)
    # Code of a scenario goes to the submission's process with the job: nothing of it has to be installed there.
    sent = [replace(c, scenario=f"{c.scenario}\n{source}") if c.scenario in names else c for c in checks]
    return Own(parts, needs, tuple(sent), str(getattr(module, "HINT", "")))


def _try(path: Path, scenarios: Path, checks: Iterable[Check], source: str, names: Collection[str]) -> None:
    """Raise CannotGrade for checks of which no submission could get the marks, whatever it does.

    names: the scenarios that ``source``, the text of the file ``scenarios``, defines.
    """
    try:
        compile(source, str(scenarios), "exec")
    except (SyntaxError, ValueError) as error:
        raise CannotGrade(f"{scenarios} cannot be loaded: {type(error).__name__}: {error}") from None
    for check in checks:
        about = f"The check {check.name!r} in {path}"
        if check.scenario not in names and check.scenario not in SCENARIOS:
            raise CannotGrade(
                f"{about} runs the scenario {check.scenario!r}, which is neither in {scenarios.name} (under @scenario) nor "
                "one of the autograder's own."
            )
        try:
            cases = check.cases(Draw(0, f"{check.exercise}/{check.name}"))
            complete = bool(cases) and all(check.expect(case) for case in cases)
        except Exception as error:
            raise CannotGrade(f"{about} cannot be made: {type(error).__name__}: {error}") from error
        if not complete:
            raise CannotGrade(f"{about} has no cases, or expects nothing of one, so everything would pass it.")


def _run(exercise: str, path: Path) -> ModuleType:
    """The module of a file. It is compiled anew each time: kept bytecode would outlive a change of the same second."""
    module = ModuleType(f"own_{re.sub(r'[^a-zA-Z0-9]', '_', exercise)}")
    module.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except Exception as error:
        raise CannotGrade(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def shared(checks: Sequence[Check], points: float) -> list[Check]:
    """An exercise's checks with these marks, shared in the proportions of their own; equally if none has any."""
    weights = sum(check.points for check in checks)
    if math.isclose(weights, points):
        return list(checks)
    if not weights:
        return [replace(check, points=points / len(checks)) for check in checks]
    return [replace(check, points=check.points * points / weights) for check in checks]


def with_marks(checks: Iterable[Check], marks: dict[str, float]) -> list[Check]:
    """The checks of the declared exercises, with the declared marks."""
    of: dict[str, list[Check]] = {}
    for check in checks:
        of.setdefault(check.exercise, []).append(check)
    return [check for exercise, own in of.items() if exercise in marks for check in shared(own, marks[exercise])]


def for_students(path: Path = FILE) -> tuple[str, dict[str, bytes]]:
    """The declaration's part for the handout, and the files of one's own open exercises by their names in it."""
    declared = read(path)
    own = {name: folder for name, folder in declared.folders.items() if name in declared.open}
    lines = ["# The marks of this homework.", f"[{OPEN}]", f"{TOTAL} = {sum(declared.open.values()):g}"]
    lines += [f"{name} = {points:g}" if points else f"{name} = {PRACTICE}" for name, points in declared.open.items()]
    return "\n".join([*lines, *_folders(own)]) + "\n", _packed(own)


def for_grader(path: Path = FILE) -> tuple[str, dict[str, bytes]]:
    """The whole declaration for a platform's package, and the files of one's own exercises by their names in it."""
    declared = read(path)
    text = re.split(rf"(?m)^\[{FOLDERS}\]", path.read_text(encoding="utf-8-sig"))[0].rstrip()
    return "\n".join([text, *_folders(declared.folders)]) + "\n", _packed(declared.folders)


def _folders(own: dict[str, Path]) -> list[str]:
    return [f"[{FOLDERS}]", *(f"{name} = autograder/own/{folder.name}" for name, folder in own.items())] if own else []


def _packed(own: dict[str, Path]) -> dict[str, bytes]:
    return {f"autograder/own/{f.name}/{path.name}": path.read_bytes() for f in own.values() for path in own_files(f)}
